"""Verdicts: of a value held against its limits, and of a sequence from its steps.

The server does not compare (it believes the sender), so a wrong PASS would be born here. Hence the rule of
the whole package: what the caller says may make a verdict worse, never better; only `waived` does that, and
leaves its reason in the report.
"""

import math
import operator
from collections.abc import Callable, Iterable
from typing import Final

from pywats_api.wsjf import CompOp, MeasStatus, StepStatus, StringCompOp

_SIGNS: Final[dict[str, Callable[[float, float], bool]]] = {
    "EQ": operator.eq,
    "NE": operator.ne,
    "GT": operator.gt,
    "GE": operator.ge,
    "LT": operator.lt,
    "LE": operator.le,
}
_ORDER: Final = (
    StepStatus.FAILED,
    StepStatus.ERROR,
    StepStatus.TERMINATED,
    StepStatus.PASSED,
    StepStatus.SKIPPED,
)
_FAILING: Final = frozenset({StepStatus.FAILED, StepStatus.ERROR, StepStatus.TERMINATED})
#: What stored steps may say beside: done is a pass, and what nobody knows is none.
READ_AS: Final = {StepStatus.DONE: StepStatus.PASSED, StepStatus.UNKNOWN: StepStatus.ERROR}


def number_passes(value: float, comp_op: CompOp, low: float | None, high: float | None) -> bool:
    """Whether a value passes. With one limit it is `low`; a value that is no number passes nothing.

    Two limits are inside (``GELE``) when both comparisons hold, and outside (``LTGT``) when one does.
    """
    if not math.isfinite(value):
        return False
    if comp_op is CompOp.LOG:
        return True
    if low is None or (comp_op.limits > 1 and high is None):
        raise ValueError(f"compOp {comp_op} needs {'lowLimit' if low is None else 'highLimit'}")
    at_low = _SIGNS[comp_op.value[:2]](value, low)
    if comp_op.limits == 1 or high is None:
        return at_low
    at_high = _SIGNS[comp_op.value[2:]](value, high)
    inside = comp_op.value.startswith("G")
    return (at_low and at_high) if inside else (at_low or at_high)


def text_passes(value: str, comp_op: StringCompOp, limit: str | None) -> bool:
    """Whether a text passes: letter by letter, or whatever its case with ``IGNORECASE``."""
    if comp_op is StringCompOp.LOG:
        return True
    if limit is None:
        raise ValueError(f"compOp {comp_op} needs limit")
    if comp_op is StringCompOp.NE:
        return value != limit
    if comp_op is StringCompOp.IGNORECASE:
        return value.casefold() == limit.casefold()
    return value == limit


def is_failing(status: StepStatus) -> bool:
    """Whether a step with this status keeps its unit from passing."""
    return READ_AS.get(status, status) in _FAILING


def worst(statuses: Iterable[StepStatus]) -> StepStatus | None:
    """The worst: failed over error over terminated over passed over skipped; None of nothing."""
    present = {READ_AS.get(status, status) for status in statuses}
    return next((status for status in _ORDER if status in present), None)


def settle(computed: StepStatus, given: StepStatus | None) -> StepStatus:
    """The status of a step from what was worked out and what the caller says: never better than either."""
    if given is None or (is_failing(computed) and not is_failing(given)):
        return computed
    return given


def of_measurement(status: StepStatus) -> MeasStatus:
    """The status of a measurement, which knows no error: that stands on its step."""
    if status is StepStatus.SKIPPED:
        return MeasStatus.SKIPPED
    return MeasStatus.FAILED if is_failing(status) else MeasStatus.PASSED
