"""One measurement, one step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from handlers.free_data import free_data
from handlers.limits import Limits, limits_of, number_text
from handlers.names import report_text, short
from handlers.report_rules import ReportRules
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
    limits = limits_of(m, equal=rules.expected_only == "equal")
    value = m.value if m.value is not None and math.isfinite(m.value) else None
    letter, note = _judge(m, value if value is not None else _not_finite(m), limits, rules, fallback)
    lines = [*limits.lines, note, *_common_lines(m)]
    if value is None:
        said = f"Value: {m.value_text or 'none'} {m.unit or ''}".rstrip()
        return _step(m, name, "Action", letter, report_text(said, limits.said, *lines))
    meas = NumericMeas(
        value=value,
        unit=_unit(m.unit),
        comp_op=limits.comp_op,
        low_limit=limits.low,
        high_limit=limits.high,
        status=meas_status(letter),
    )
    return _step(m, name, "ET_NLT", letter, report_text(*lines), numeric_meas=[meas])


@lru_cache(maxsize=1024)
def _unit(text: str | None) -> str | None:
    return short(text, _UNIT_LENGTH)


def _holds(value: float, limits: Limits) -> bool | None:
    comp_op, low, high = limits.comp_op, limits.low, limits.high
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
    limits: Limits,
    rules: ReportRules,
    fallback: StepStatus,
) -> tuple[StepStatus, str | None]:
    holds = None if value is None else _holds(value, limits)
    return _weighed(m.result, holds, "Out of limits", rules, fallback)


def _not_finite(m: NumericMeasurement) -> float | None:
    try:
        return float(m.value_text) if m.value_text else m.value
    except ValueError:
        return None


def _boolean(m: BooleanMeasurement, name: str, rules: ReportRules, fallback: StepStatus) -> Step:
    holds = None if m.value is None or m.expected is None else m.value == m.expected
    letter, note = _weighed(m.result, holds, "Not as expected", rules, fallback)
    text = report_text(_said("Value", m.value), _said("Expected", m.expected), note, *_common_lines(m))
    return _step(m, name, "ET_PFT", letter, text, boolean_meas=[BooleanMeas(status=meas_status(letter))])


def _text(m: TextMeasurement, name: str, rules: ReportRules, fallback: StepStatus) -> Step:
    value, expected = m.value or "", m.expected or None
    holds = None if m.value is None or expected is None else value == expected
    letter, note = _weighed(m.result, holds, "Not as expected", rules, fallback)
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


def _weighed(
    said: Outcome | None, holds: bool | None, otherwise: str, rules: ReportRules, fallback: StepStatus
) -> tuple[StepStatus, str | None]:
    """Weigh what the station said against what its own figures say; a note tells where they differ."""
    if said is None:
        if holds is None:
            return fallback, None
        return (StepStatus.PASSED if holds else StepStatus.FAILED), None
    if said is Outcome.PASSED and holds is False:
        if rules.out_of_limits == "worst":
            return StepStatus.FAILED, f"{otherwise}; the station said Passed."
        return StepStatus.PASSED, f"{otherwise}; the station said Passed all the same."
    return LETTERS[said], None


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
        f"Expected: {number_text(quantity.expected, quantity.unit)}"
        if quantity.expected is not None
        else None
    )
    if quantity.value is None or not math.isfinite(quantity.value):
        text = report_text("Value: none", expected)
        return Step(name=name, step_type="Action", status=StepStatus.PASSED, report_text=text)
    meas = NumericMeas(value=quantity.value, unit=_unit(quantity.unit), status=meas_status(StepStatus.PASSED))
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


def _common_lines(m: Measurement) -> Iterable[str]:
    if m.designators:
        yield f"Designators: {', '.join(m.designators)}"
    if m.result_said:
        yield f'The station said "{m.result_said}".'


def _said(what: str, value: object) -> str | None:
    if value is None:
        return None
    return f"{what}: {str(value).lower() if isinstance(value, bool) else value}"
