"""Verdicts: from outcomes to the letters of a report. What is not plainly a pass never becomes one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pywats_api.wsjf import MeasStatus, StepStatus
from pywats_events.payloads import Outcome, Verification

LETTERS: Final = {
    Outcome.PASSED: StepStatus.PASSED,
    Outcome.FAILED: StepStatus.FAILED,
    Outcome.ERROR: StepStatus.ERROR,
    Outcome.ABORTED: StepStatus.TERMINATED,
    Outcome.SKIPPED: StepStatus.SKIPPED,
    Outcome.UNKNOWN: StepStatus.ERROR,
}
WORDS: Final = {
    StepStatus.PASSED: "Passed",
    StepStatus.FAILED: "Failed",
    StepStatus.ERROR: "Error",
    StepStatus.TERMINATED: "Terminated",
    StepStatus.SKIPPED: "Skipped",
}
_MEAS: Final = {StepStatus.PASSED: MeasStatus.PASSED, StepStatus.SKIPPED: MeasStatus.SKIPPED}
#: Words of the second look that take a failure back.
_FALSE_CALLS: Final = frozenset({"defectrejected", "defectaccepted"})
_CLOSED: Final = "defectclosed"
_UPHELD: Final = frozenset({"defectconfirmed", "defectrepaired", _CLOSED})
_ORDER: Final = (
    StepStatus.FAILED,
    StepStatus.ERROR,
    StepStatus.TERMINATED,
    StepStatus.PASSED,
    StepStatus.SKIPPED,
)


def worst(letters: Iterable[StepStatus]) -> StepStatus | None:
    """Give the worst: failed over error over terminated over passed over skipped; None of nothing."""
    present = set(letters)
    return next((letter for letter in _ORDER if letter in present), None)


def is_failing(letter: StepStatus) -> bool:
    """Tell whether a step with this letter keeps its unit from passing."""
    return letter in {StepStatus.FAILED, StepStatus.ERROR, StepStatus.TERMINATED}


def meas_status(letter: StepStatus) -> MeasStatus:
    """Give the letter of a measurement: it knows no error, which then stands on its step only."""
    return _MEAS.get(letter, MeasStatus.FAILED)


def takes_back(verification: Verification | None, *, closed_passes: bool) -> bool:
    """Tell whether the second look says that a failure is none."""
    word = _word(verification)
    return word in _FALSE_CALLS or (closed_passes and word == _CLOSED)


def upholds(verification: Verification | None, *, closed_passes: bool) -> bool:
    """Tell whether the second look says that a failure is one."""
    return _word(verification) in _UPHELD and not takes_back(verification, closed_passes=closed_passes)


def unreadable(said: str | None) -> str:
    """Say why an unknown verdict counts as an error."""
    return f'result "{said}" is not known' if said else "no result was given"


def _word(verification: Verification | None) -> str:
    return verification.verdict.strip().lower() if verification else ""
