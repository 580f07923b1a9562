"""The limits of a number, as WATS compares them: in the value's unit, with one operator."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from handlers.units_of_measure import convert, factor_between
from pywats_api.wsjf import CompOp
from pywats_events.payloads import NumericMeasurement


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits in the value's unit.

    Attributes:
        comp_op: how they are compared.
        low: the lower limit; the upper one too, where it is the only one.
        high: the upper limit.
        said: the limits in words, as they were sent.
        lines: what the report's text says of them: the nominal value, and limits that were converted.
    """

    comp_op: CompOp
    low: float | None
    high: float | None
    said: str | None
    lines: tuple[str, ...]


def limits_of(m: NumericMeasurement, *, equal: bool) -> Limits:
    """Give the limits of a measurement.

    Args:
        m: the measurement.
        equal: a nominal value without limits must be met.
    """
    nominal = m.expected_unit or m.unit
    return _limits(
        m.unit, m.low, m.low_unit or nominal, m.high, m.high_unit or nominal, m.expected, nominal, equal
    )


def number_text(number: float, unit: str | None) -> str:
    """Write a number with its unit."""
    return f"{number:.15g} {unit}" if unit else f"{number:.15g}"


@lru_cache(maxsize=20_000)  # the next unit is tested against the same limits
def _limits(  # noqa: PLR0917  # the key of the cache
    unit: str | None,
    low: float | None,
    low_unit: str | None,
    high: float | None,
    high_unit: str | None,
    expected: float | None,
    nominal: str | None,
    equal: bool,
) -> Limits:
    lines = [f"Expected: {number_text(expected, nominal)}"] if expected is not None else []
    said = _said(low, low_unit, high, high_unit)
    given = [(number, other) for number, other in ((low, low_unit), (high, high_unit)) if number is not None]
    unfit = dict.fromkeys(str(other) for _, other in given if factor_between(other, unit) is None)
    if unfit:
        lines.append(f"Limits in {', '.join(unfit)} can't be compared with a value in {unit or 'no unit'}.")
        return Limits(CompOp.LOG, None, None, said, (*lines, said or ""))
    if any(other != unit for _, other in given):
        lines.append(said or "")
    comp_op, first, second = _comparison(
        _in_unit(low, low_unit, unit),
        _in_unit(high, high_unit, unit),
        _in_unit(expected, nominal, unit) if equal else None,
    )
    return Limits(comp_op, first, second, said, tuple(lines))


def _comparison(
    low: float | None, high: float | None, expected: float | None
) -> tuple[CompOp, float | None, float | None]:
    if low is not None and high is not None:
        return CompOp.GELE, low, high
    if low is not None:
        return CompOp.GE, low, None
    if high is not None:
        return CompOp.LE, high, None  # one limit stands in lowLimit, an upper one too
    if expected is not None:
        return CompOp.EQ, expected, None
    return CompOp.LOG, None, None


def _in_unit(number: float | None, source: str | None, target: str | None) -> float | None:
    if number is None or not math.isfinite(number):
        return None
    return convert(number, source, target)


def _said(low: float | None, low_unit: str | None, high: float | None, high_unit: str | None) -> str | None:
    lower = f" from {number_text(low, low_unit)}" if low is not None else ""
    upper = f" to {number_text(high, high_unit)}" if high is not None else ""
    return f"Limits as sent:{lower}{upper}" if lower or upper else None
