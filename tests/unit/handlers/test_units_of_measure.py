"""Limits come into the unit of their value, exactly."""

import pytest

from handlers.units_of_measure import convert


@pytest.mark.parametrize(
    ("number", "source", "target", "expected"),
    [
        (9.9, "kOhm", "Ohm", 9900.0),
        (10.1, "kOhm", "Ohm", 10100.0),
        (0.1, "mOhm", "Ohm", 0.0001),
        (1.1, "MOhm", "kOhm", 1100.0),
        (4.7, "K\u03a9", "\u2126", 4700.0),
        (1.0, "kohms", "Ohm", 1000.0),
        (2.0, "MegOhm", "Ohm", 2_000_000.0),
        (3.0, "\u00b5V", "uV", 3.0),
        (3.0, "\u03bcV", "\u00b5V", 3.0),
        (0.3, "mV", "\u00b5V", 300.0),
        (2.2, "nF", "pF", 2200.0),
        (1.5, "millivolt", "V", 0.0015),
        (1.0, "min", "s", 60.0),
        (250.0, "ms", "s", 0.25),
        (1.0, "mm", "\u00b5m", 1000.0),
        (1.0, "mm2", "cm\u00b2", 0.01),
        (1.0, "ml", "mm3", 1000.0),
        (5.0, "%", "ppm", 50_000.0),
        (5.0, "percent", "%", 5.0),
        (2.4, "GHz", "MHz", 2400.0),
        (7.0, "furlong", "furlong", 7.0),
        (7.0, None, None, 7.0),
        (7.0, "", None, 7.0),
        (25.0, "degC", "\u00b0C", 25.0),
    ],
)
def test_converts(number, source, target, expected):
    """Units that differ by a power of ten convert in decimal arithmetic, without a rounding error."""
    assert convert(number, source, target) == expected


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("V", "A"),
        ("kOhm", None),
        (None, "Ohm"),
        ("\u00b0C", "K"),
        ("\u00b0C", "\u00b0F"),
        ("%", "V"),
        ("m", "m2"),
        ("min", "m"),
        ("dBm", "mW"),
        ("furlong", "m"),
        ("ft", "t"),
        ("mA", "Am"),
    ],
)
def test_refuses(source, target):
    """Units that do not mean the same thing never convert."""
    assert convert(1.0, source, target) is None
