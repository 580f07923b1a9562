"""Units of measure: bringing a limit into the unit of its value, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final

_PREFIXES: Final = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "Meg": 6, "k": 3, "K": 3, "h": 2, "da": 1,
    "d": -1, "c": -2, "m": -3, "u": -6, "\u00b5": -6, "\u03bc": -6, "n": -9, "p": -12, "f": -15, "a": -18,
}  # fmt: skip
_PREFIX_WORDS: Final = {
    "tera": 12, "giga": 9, "mega": 6, "kilo": 3, "deci": -1, "centi": -2, "milli": -3, "micro": -6,
    "nano": -9, "pico": -12, "femto": -15,
}  # fmt: skip
#: Symbols that take a prefix.
_SYMBOLS: Final = frozenset({
    "V", "A", "Ohm", "F", "H", "Hz", "W", "s", "m", "g", "Pa", "N",
    "J", "C", "S", "T", "Wb", "lm", "lx", "cd", "mol", "B", "bit", "bar",
    "l", "Nm", "eV", "Ah", "Wh", "VA", "var", "rad", "V/s", "A/s", "m/s",
})  # fmt: skip
#: Symbols without prefix, as a multiple of another one.
_FIXED: Final = {
    "%": ("1", Decimal("0.01")),
    "\u2030": ("1", Decimal("0.001")),
    "\u00b0C": ("\u00b0C", Decimal(1)),
    "\u00b0F": ("\u00b0F", Decimal(1)),
    "ppm": ("1", Decimal("0.000001")),
    "min": ("s", Decimal(60)),
    "h": ("s", Decimal(3600)),
    "in": ("m", Decimal("0.0254")),
    "mil": ("m", Decimal("0.0000254")),
}
#: Other spellings, in lower case; both signs for ohm become the small omega there.
_WORDS: Final = {
    "\u03c9": "Ohm", "ohm": "Ohm", "ohms": "Ohm", "volt": "V", "volts": "V", "amp": "A",
    "amps": "A", "ampere": "A", "amperes": "A", "farad": "F", "farads": "F", "henry": "H", "hertz": "Hz",
    "watt": "W", "watts": "W", "sec": "s", "second": "s", "seconds": "s", "meter": "m", "metre": "m",
    "meters": "m", "gram": "g", "grams": "g", "pascal": "Pa", "newton": "N", "liter": "l", "litre": "l",
    "percent": "%", "pct": "%", "minute": "min", "minutes": "min", "hour": "h", "hours": "h", "inch": "in",
    "degc": "\u00b0C", "\u2103": "\u00b0C", "celsius": "\u00b0C", "degf": "\u00b0F", "joule": "J",
}  # fmt: skip
_POWERS: Final = {"2": 2, "\u00b2": 2, "^2": 2, "3": 3, "\u00b3": 3, "^3": 3}


@dataclass(frozen=True, slots=True)
class _Unit:
    dimension: str
    factor: Decimal


@lru_cache(maxsize=4096)
def factor_between(source: str | None, target: str | None) -> Decimal | None:
    """Give what a number in one unit must be multiplied by to be in another; None when that is unknown.

    Only units that differ by a power of ten (or a fixed multiple) convert; anything else, degrees for
    instance, converts only to itself.
    """
    source, target = (source or "").strip(), (target or "").strip()
    if source == target:
        return Decimal(1)
    if not source or not target:
        return None
    first, second = _read(source), _read(target)
    if first.dimension != second.dimension:
        return None
    return first.factor / second.factor


def convert(number: float, source: str | None, target: str | None) -> float | None:
    """Bring a number from one unit into another in decimal arithmetic; None when that can't be done."""
    factor = factor_between(source, target)
    if factor is None:
        return None
    return number if factor == 1 else float(Decimal(repr(number)) * factor)


def _read(text: str) -> _Unit:
    for ending, power in _POWERS.items():
        if text.endswith(ending) and len(text) > len(ending):
            plain = _plain(text.removesuffix(ending))
            return _Unit(f"{plain.dimension}^{power}", plain.factor**power)
    return _plain(text)


def _plain(text: str) -> _Unit:
    known = _symbol(text)
    if known:
        return known
    lower = text.lower()
    for word, exponent in _PREFIX_WORDS.items():
        rest = _symbol(lower.removeprefix(word)) if lower.startswith(word) else None
        if rest:
            return _Unit(rest.dimension, rest.factor.scaleb(exponent))
    for prefix, exponent in _PREFIXES.items():
        rest = _prefixable(text.removeprefix(prefix)) if text.startswith(prefix) else None
        if rest:
            return _Unit(rest.dimension, rest.factor.scaleb(exponent))
    return _Unit(text, Decimal(1))


def _symbol(text: str) -> _Unit | None:
    text = text if text in _SYMBOLS or text in _FIXED else _WORDS.get(text.lower(), text)
    if text in _SYMBOLS:
        # Volume and cubed length meet: a paste deposit is given in ml or in mm3.
        return _Unit("m^3", Decimal("0.001")) if text == "l" else _Unit(text, Decimal(1))
    if text in _FIXED:
        dimension, factor = _FIXED[text]
        return _Unit(dimension, factor)
    return None


def _prefixable(text: str) -> _Unit | None:
    unit = _symbol(text)
    return unit if unit and text not in _FIXED and text.lower() not in {"h", "min", "hour"} else None
