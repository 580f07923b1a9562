"""Single measurements: a number, a text or a verdict, each with what it was held against."""

import math
from typing import Generic, TypeVar

from pywats_api.building.verdicts import number_passes, of_measurement, settle, text_passes
from pywats_api.wsjf import (
    BooleanMeas,
    CompOp,
    NumericMeas,
    StepStatus,
    StringCompOp,
    StringMeas,
    clean_text,
)

_TEXT_LENGTH = 100
_M = TypeVar("_M", bound=NumericMeas | StringMeas | BooleanMeas)


class Measured(Generic[_M]):
    """A measurement, the status it gives its step, and what only a text can say of it.

    Attributes:
        measurement: as the report carries it; None where no report can carry the value.
        status: of the step.
        note: for the report text, empty where there is nothing to add.
    """

    __slots__ = ("measurement", "note", "status")

    def __init__(self, measurement: _M | None, status: StepStatus, note: str = "") -> None:
        self.measurement = measurement
        self.status = status
        self.note = note


def numeric(
    value: float,
    *,
    low: float | None,
    high: float | None,
    unit: str | None,
    comp_op: CompOp | str | None,
    status: StepStatus | None,
    waived: str | None,
    name: str | None = None,
) -> Measured[NumericMeas]:
    """A number held against its limits. See `Sequence.numeric` for the arguments."""
    number = float(value)
    operator, low, high = _operator(low, high, comp_op)
    computed = StepStatus.PASSED if number_passes(number, operator, low, high) else StepStatus.FAILED
    settled, note = _settled(computed, status, waived)
    if not math.isfinite(number):
        limits = " ".join(str(part) for part in (operator, low, high) if part is not None)
        told = (
            f"{f'{name}: ' if name else ''}measured {number}, which is no number a report can hold ({limits})"
        )
        return Measured(None, settled, "\n".join(filter(None, [told, note])))
    measurement = NumericMeas(
        value=number,
        status=of_measurement(settled),
        comp_op=operator,
        low_limit=low,
        high_limit=high,
        unit=unit,
        name=name,
    )
    return Measured(measurement, settled, note)


def text(
    value: str,
    *,
    equals: str | None,
    comp_op: StringCompOp | str | None,
    status: StepStatus | None,
    waived: str | None,
    name: str | None = None,
) -> Measured[StringMeas]:
    """A text held against another. See `Sequence.string` for the arguments."""
    operator = (
        StringCompOp(str(comp_op).upper())
        if comp_op is not None
        else StringCompOp.LOG
        if equals is None
        else StringCompOp.CASESENSIT
    )
    computed = StepStatus.PASSED if text_passes(value, operator, equals) else StepStatus.FAILED
    settled, note = _settled(computed, status, waived)
    notes = [note]
    shown = value
    if len(value) > _TEXT_LENGTH:
        shown = clean_text(value, _TEXT_LENGTH)
        notes.append(f"{f'{name}: ' if name else ''}{value}")
    measurement = StringMeas(
        value=shown, status=of_measurement(settled), comp_op=operator, limit=equals, name=name
    )
    return Measured(measurement, settled, "\n".join(filter(None, notes)))


def verdict(
    passed: bool, *, status: StepStatus | None, waived: str | None, name: str | None = None
) -> Measured[BooleanMeas]:
    """A verdict without a value. See `Sequence.pass_fail` for the arguments."""
    settled, note = _settled(StepStatus.PASSED if passed else StepStatus.FAILED, status, waived)
    return Measured(BooleanMeas(status=of_measurement(settled), name=name), settled, note)


def _operator(
    low: float | None, high: float | None, comp_op: CompOp | str | None
) -> tuple[CompOp, float | None, float | None]:
    """The operator, and the limits where the wire wants them: a single one is always the low one."""
    if comp_op is None:
        if low is None and high is None:
            return CompOp.LOG, None, None
        if low is not None and high is not None:
            return CompOp.GELE, low, high
        return (CompOp.GE, low, None) if high is None else (CompOp.LE, high, None)
    operator = CompOp(str(comp_op).upper())
    if operator in {CompOp.LT, CompOp.LE} and low is None:
        return operator, high, None
    return operator, low, high


def _settled(computed: StepStatus, given: StepStatus | None, waived: str | None) -> tuple[StepStatus, str]:
    if waived is None:
        return settle(computed, given), ""
    if not waived.strip():
        raise ValueError("waived needs the reason, such as the number of the deviation")
    if computed is StepStatus.PASSED:
        return settle(computed, given), ""
    return settle(StepStatus.PASSED, given), f"Waived: {waived}"
