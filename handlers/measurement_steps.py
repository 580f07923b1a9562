"""One measurement, one step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from handlers.free_data import free_data
from handlers.names import report_text, short
from handlers.rules import ReportRules
from handlers.units_of_measure import convert, factor_between
from handlers.verdicts import LETTERS, meas_status, unreadable
from pywats_api.wsjf import (
    BooleanMeas,
    CompOp,
    NumericMeas,
    SeqCall,
    Step,
    StepStatus,
    StringCompOp,
    StringMeas,
    clean_text,
)
from pywats_events.payloads import (
    BooleanMeasurement,
    FeatureMeasurement,
    Measurement,
    NumericMeasurement,
    OtherMeasurement,
    Outcome,
    Quantity,
    TextMeasurement,
)

_STRING_LENGTH: Final = 100
_UNIT_LENGTH: Final = 20
_ERROR_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class _Limits:
    """Limits in the value's unit; ``problem`` says why they could not be brought there."""

    low: float | None
    high: float | None
    expected: float | None
    problem: str | None = None


def measurement_step(
    measurement: Measurement, name: str, *, rules: ReportRules, fallback: StepStatus
) -> Step:
    """Give the step of a measurement.

    Its verdict is its own; else that of its limits; else the fallback, which is its test's.
    """
    if isinstance(measurement, NumericMeasurement):
        return _numeric(measurement, name, rules, fallback)
    if isinstance(measurement, BooleanMeasurement):
        return _boolean(measurement, name, rules, fallback)
    if isinstance(measurement, TextMeasurement):
        return _text(measurement, name, rules, fallback)
    if isinstance(measurement, FeatureMeasurement):
        return _feature(measurement, name, fallback)
    return _other(measurement, name, fallback)


def letter_of(measurement: Measurement, fallback: StepStatus) -> StepStatus:
    """Give the verdict that a measurement itself has; the fallback when it has none."""
    return LETTERS[measurement.result] if measurement.result is not None else fallback


def _numeric(m: NumericMeasurement, name: str, rules: ReportRules, fallback: StepStatus) -> Step:
    limits = _limits_of(m)
    comp_op, low, high = _comparison(limits, rules)
    value = m.value if m.value is not None and math.isfinite(m.value) else None
    measured = value if value is not None else _not_finite(m)
    letter, note = _judge(m, measured, (comp_op, low, high), rules, fallback)
    lines = [*_number_lines(m, limits), note, *_common_lines(m)]
    if value is None:
        said = m.value_text or "none"
        text = report_text(f"Value: {said} {m.unit or ''}".rstrip(), _limits_said(m), *lines)
        return _step(m, name, "Action", letter, text)
    meas = NumericMeas(
        value=value,
        unit=short(m.unit, _UNIT_LENGTH),
        comp_op=comp_op,
        low_limit=low,
        high_limit=high,
        status=meas_status(letter),
    )
    return _step(m, name, "ET_NLT", letter, report_text(*lines), numeric_meas=[meas])


def _limits_of(m: NumericMeasurement) -> _Limits:
    nominal = m.expected_unit or m.unit
    low = _in_unit(m.low, m.low_unit or nominal, m.unit)
    high = _in_unit(m.high, m.high_unit or nominal, m.unit)
    expected = _in_unit(m.expected, nominal, m.unit)
    unfit = sorted(
        {
            str(unit)
            for number, unit in ((m.low, m.low_unit or nominal), (m.high, m.high_unit or nominal))
            if number is not None and factor_between(unit, m.unit) is None
        }
    )
    if not unfit:
        return _Limits(low, high, expected)
    problem = f"limits in {', '.join(unfit)} can't be compared with a value in {m.unit or 'no unit'}"
    return _Limits(None, None, None, problem)


def _in_unit(number: float | None, source: str | None, target: str | None) -> float | None:
    if number is None or not math.isfinite(number):
        return None
    return convert(number, source, target)


def _comparison(limits: _Limits, rules: ReportRules) -> tuple[CompOp, float | None, float | None]:
    low, high = limits.low, limits.high
    if low is not None and high is not None:
        return CompOp.GELE, low, high
    if low is not None:
        return CompOp.GE, low, None
    if high is not None:
        return CompOp.LE, high, None  # one limit stands in lowLimit, an upper one too
    if limits.expected is not None and rules.expected_only == "equal":
        return CompOp.EQ, limits.expected, None
    return CompOp.LOG, None, None


def _holds(value: float, comp_op: CompOp, low: float | None, high: float | None) -> bool | None:
    if comp_op is CompOp.GELE and low is not None and high is not None:
        return low <= value <= high
    if comp_op is CompOp.GE and low is not None:
        return value >= low
    if comp_op is CompOp.LE and low is not None:
        return value <= low
    if comp_op is CompOp.EQ:
        return value == low
    return None


def _judge(
    m: NumericMeasurement,
    value: float | None,
    comparison: tuple[CompOp, float | None, float | None],
    rules: ReportRules,
    fallback: StepStatus,
) -> tuple[StepStatus, str | None]:
    holds = None if value is None else _holds(value, *comparison)
    if m.result is None:
        if holds is None:
            return fallback, None
        return (StepStatus.PASSED if holds else StepStatus.FAILED), None
    if m.result is Outcome.PASSED and holds is False:
        if rules.out_of_limits == "worst":
            return StepStatus.FAILED, "Out of limits; the station said Passed."
        return StepStatus.PASSED, "Out of limits; the station said Passed all the same."
    return LETTERS[m.result], None


def _not_finite(m: NumericMeasurement) -> float | None:
    try:
        return float(m.value_text) if m.value_text else m.value
    except ValueError:
        return None


def _number_lines(m: NumericMeasurement, limits: _Limits) -> Iterable[str | None]:
    nominal = m.expected_unit or m.unit
    if m.expected is not None:
        yield f"Expected: {_number(m.expected, nominal)}"
    if limits.problem:
        yield f"{limits.problem[0].upper()}{limits.problem[1:]}."
        yield _limits_said(m)
    elif (m.low is not None and (m.low_unit or nominal) != m.unit) or (
        m.high is not None and (m.high_unit or nominal) != m.unit
    ):
        yield _limits_said(m)


def _limits_said(m: NumericMeasurement) -> str | None:
    nominal = m.expected_unit or m.unit
    low = f"from {_number(m.low, m.low_unit or nominal)}" if m.low is not None else ""
    high = f"to {_number(m.high, m.high_unit or nominal)}" if m.high is not None else ""
    said = f"{low} {high}".strip()
    return f"Limits as sent: {said}" if said else None


def _number(number: float, unit: str | None) -> str:
    return f"{number:.15g} {unit}" if unit else f"{number:.15g}"


def _boolean(m: BooleanMeasurement, name: str, rules: ReportRules, fallback: StepStatus) -> Step:
    holds = None if m.value is None or m.expected is None else m.value == m.expected
    letter, note = _compared(m, holds, rules, fallback)
    text = report_text(_said("Value", m.value), _said("Expected", m.expected), note, *_common_lines(m))
    return _step(m, name, "ET_PFT", letter, text, boolean_meas=[BooleanMeas(status=meas_status(letter))])


def _text(m: TextMeasurement, name: str, rules: ReportRules, fallback: StepStatus) -> Step:
    value, expected = m.value or "", m.expected or None
    holds = None if m.value is None or expected is None else value == expected
    letter, note = _compared(m, holds, rules, fallback)
    meas = StringMeas(
        value=clean_text(value, _STRING_LENGTH),
        limit=clean_text(expected, _STRING_LENGTH) if expected else None,
        comp_op=StringCompOp.CASESENSIT if expected else StringCompOp.LOG,
        status=meas_status(letter),
    )
    text = report_text(
        f"Value: {value}" if len(value) > _STRING_LENGTH else None,
        f"Expected: {expected}" if expected and len(expected) > _STRING_LENGTH else None,
        note,
        *_common_lines(m),
    )
    return _step(m, name, "ET_SVT", letter, text, string_meas=[meas])


def _compared(
    m: BooleanMeasurement | TextMeasurement, holds: bool | None, rules: ReportRules, fallback: StepStatus
) -> tuple[StepStatus, str | None]:
    if m.result is None:
        if holds is None:
            return fallback, None
        return (StepStatus.PASSED if holds else StepStatus.FAILED), None
    if m.result is Outcome.PASSED and holds is False:
        if rules.out_of_limits == "worst":
            return StepStatus.FAILED, "Not as expected; the station said Passed."
        return StepStatus.PASSED, "Not as expected; the station said Passed all the same."
    return LETTERS[m.result], None


def _feature(m: FeatureMeasurement, name: str, fallback: StepStatus) -> Step:
    letter = letter_of(m, fallback)
    steps = [_quantity(quantity, number) for number, quantity in enumerate(m.quantities, start=1)]
    if not steps:
        return _step(m, name, "Action", letter, report_text(*_common_lines(m)))
    header = SeqCall(name=name)
    return _step(
        m, name, "SequenceCall", letter, report_text(*_common_lines(m)), seq_call=header, steps=steps
    )


def _quantity(quantity: Quantity, number: int) -> Step:
    name = clean_text(quantity.name, _STRING_LENGTH) or f"Quantity {number}"
    expected = (
        f"Expected: {_number(quantity.expected, quantity.unit)}" if quantity.expected is not None else None
    )
    if quantity.value is None or not math.isfinite(quantity.value):
        text = report_text("Value: none", expected)
        return Step(name=name, step_type="Action", status=StepStatus.PASSED, report_text=text)
    meas = NumericMeas(
        value=quantity.value, unit=short(quantity.unit, _UNIT_LENGTH), status=meas_status(StepStatus.PASSED)
    )
    return Step(
        name=name,
        step_type="ET_NLT",
        status=StepStatus.PASSED,
        numeric_meas=[meas],
        report_text=report_text(expected),
    )


def _other(m: OtherMeasurement, name: str, fallback: StepStatus) -> Step:
    text = report_text(_said("Type", m.type_name), *_common_lines(m))
    results = free_data(m.type_name or "Measurement", m.fields)
    return _step(m, name, "Action", letter_of(m, fallback), text, additional_results=results)


def _step(
    m: Measurement, name: str, step_type: str, letter: StepStatus, text: str | None, **members: Any
) -> Step:
    error = unreadable(m.result_said) if m.result is Outcome.UNKNOWN else None
    return Step(
        name=name,
        step_type=step_type,
        status=letter,
        report_text=text,
        error_message=short(error, _ERROR_LENGTH),
        **members,
    )


def _common_lines(m: Measurement) -> Iterable[str | None]:
    yield f"Designators: {', '.join(m.designators)}" if m.designators else None
    yield f'The station said "{m.result_said}".' if m.result_said else None


def _said(what: str, value: object) -> str | None:
    if value is None:
        return None
    return f"{what}: {str(value).lower() if isinstance(value, bool) else value}"
