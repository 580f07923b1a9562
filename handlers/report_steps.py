"""The test tree: one step for each test, its measurements and findings below it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from handlers.feature_steps import passed_features
from handlers.finding_steps import defect_steps, numeric_code, symptom_data, symptom_lines, symptom_title
from handlers.free_data import free_data
from handlers.measurement_steps import letter_of, measurement_step
from handlers.names import Siblings, report_text, short, stable_id
from handlers.pictures import Album
from handlers.report_rules import ReportRules
from handlers.verdicts import (
    LETTERS,
    WORDS,
    is_failing,
    meas_status,
    takes_back,
    unreadable,
    upholds,
    worst,
)
from pywats_api.wsjf import AdditionalData, BooleanMeas, SeqCall, Step, StepStatus
from pywats_events.payloads import FeatureMeasurement, Measurement, Outcome, TestStep, Verification

_ERROR_LENGTH: Final = 200
_YEAR_OF_CLOCKS: Final = 1971


@dataclass(slots=True)
class Bench:
    """What all steps of one report are built with.

    Attributes:
        rules: the configuration of reports.
        album: the images of this report.
        zone: zone of times that come without one: that of the event.
        unit_passed: the station says that the unit passed.
        unit_verification: the second look's word on the unit as a whole.
        kind: what a test without a name is called.
    """

    rules: ReportRules
    album: Album
    zone: tzinfo = UTC
    unit_passed: bool = True
    unit_verification: Verification | None = None
    kind: str = "Test"
    notes: list[str] = field(default_factory=list)

    @property
    def closed_passes(self) -> bool:
        """Whether a closed defect counts as passed."""
        return self.rules.closed_defects == "passed"

    def takes_back(self, verification: Verification | None) -> bool:
        """Tell whether the second look took a failure back: this one's, else the one at the whole unit."""
        if takes_back(verification, closed_passes=self.closed_passes):
            return True
        return not upholds(verification, closed_passes=self.closed_passes) and takes_back(
            self.unit_verification, closed_passes=self.closed_passes
        )


def test_steps(tests: Sequence[TestStep], bench: Bench) -> list[Step]:
    """Give the steps of all tests, in order."""
    siblings = Siblings()
    return [_test_step(test, siblings, bench, number) for number, test in enumerate(tests, start=1)]


def moment(when: datetime | None, zone: tzinfo) -> datetime | None:
    """Give a time with its zone; None for the "no time" of machines whose calendar begins with year 1."""
    if when is None or when.year < _YEAR_OF_CLOCKS:
        return None
    return when if when.tzinfo else when.replace(tzinfo=zone)


def _test_step(test: TestStep, siblings: Siblings, bench: Bench, number: int) -> Step:
    name = siblings.name(test.name, _reference(test, bench), stable_id(test.id), f"{bench.kind} {number}")
    own = _own_letter(test)
    fallback = own or (StepStatus.PASSED if bench.unit_passed else StepStatus.SKIPPED)
    children = _children(test, bench, fallback)
    letter, note = _letter(test, own, children, bench, fallback)
    started, ended = moment(test.started_at, bench.zone), moment(test.ended_at, bench.zone)
    members: dict[str, Any] = {
        "name": name,
        "status": letter,
        "start": started,
        "tot_time": max((ended - started).total_seconds(), 0.0) if started and ended else None,
        "error_code": numeric_code(test.symptoms[0].code) if test.symptoms else None,
        "error_message": _error_message(test, letter),
        "report_text": report_text(*_lines(test), note),
        "additional_results": _free_data(test) or None,
    }
    # An inspection is a sequence also when it found nothing: a step must not change its kind between runs.
    if children or bench.kind == "Inspection":
        return Step(step_type="SequenceCall", seq_call=SeqCall(name=name), steps=children, **members)
    if own is None and not is_failing(letter):
        return Step(step_type="Action", **members)
    return Step(step_type="ET_PFT", boolean_meas=[BooleanMeas(status=meas_status(letter))], **members)


def _reference(test: TestStep, bench: Bench) -> str | None:
    return None if test.reference is None else f"{bench.kind} {test.reference}"


def _own_letter(test: TestStep) -> StepStatus | None:
    """Give the test's own verdict; None where the source said none. An unreadable one is an error."""
    if test.result is Outcome.UNKNOWN and "result" not in test.model_fields_set:
        return None
    return LETTERS[test.result]


def _children(test: TestStep, bench: Bench, fallback: StepStatus) -> list[Step]:
    siblings = Siblings()
    children = _measured(_in_sequence(test.measurements), siblings, bench, fallback)
    known = {measurement.id for measurement in test.measurements if measurement.id}
    taken_back = _taken_back(test, bench)
    for number, defect in enumerate(test.defects, start=1):
        children += defect_steps(
            defect,
            siblings,
            number=number,
            rules=bench.rules,
            album=bench.album,
            taken_back=taken_back and not upholds(defect.verification, closed_passes=bench.closed_passes),
        )
        more = [one for one in defect.measurements if one.id not in known]
        children += _measured(more, siblings, bench, fallback)
    return children


def _measured(
    measurements: Sequence[Measurement], siblings: Siblings, bench: Bench, fallback: StepStatus
) -> list[Step]:
    steps: list[Step] = []
    passed: list[FeatureMeasurement] = []
    for number, one in enumerate(measurements, start=1):
        if (
            isinstance(one, FeatureMeasurement)
            and bench.rules.passed_pads != "steps"
            and letter_of(one, fallback) is StepStatus.PASSED
        ):
            passed.append(one)
            continue
        name = siblings.name(one.name or stable_id(one.id), f"Measurement {number}")
        steps.append(measurement_step(one, name, rules=bench.rules, fallback=fallback))
    return [*steps, *passed_features(passed, siblings, bench.rules)]


def _in_sequence(measurements: Sequence[Measurement]) -> Sequence[Measurement]:
    if any(one.sequence is None for one in measurements):
        return measurements
    return sorted(measurements, key=lambda one: one.sequence or 0)


def _taken_back(test: TestStep, bench: Bench) -> bool:
    """Tell whether the second look took this test's failure back.

    Only a failure can be taken back: an error or an abort means that there was nothing to look at.
    """
    return test.result is Outcome.FAILED and bench.takes_back(test.verification)


def _letter(
    test: TestStep, own: StepStatus | None, children: Sequence[Step], bench: Bench, fallback: StepStatus
) -> tuple[StepStatus, str | None]:
    below = worst(child.status for child in children)
    if own is None:
        return below or fallback, None
    if own is StepStatus.FAILED and _is_false_call(test, children, bench):
        return StepStatus.PASSED, "Failed, and taken back by the second look."
    if not is_failing(own) and below and is_failing(below) and bench.rules.verdict == "worst":
        return below, f"The station said {WORDS[own]}; something in it did not pass."
    return own, None


def _is_false_call(test: TestStep, children: Sequence[Step], bench: Bench) -> bool:
    if upholds(test.verification, closed_passes=bench.closed_passes):
        return False
    if _taken_back(test, bench):
        # What was confirmed one by one outweighs the word on the whole.
        return not any(upholds(one.verification, closed_passes=bench.closed_passes) for one in test.defects)
    if not (bench.unit_passed and test.defects):
        return False
    return not any(is_failing(child.status) for child in children)


def _error_message(test: TestStep, letter: StepStatus) -> str | None:
    if not is_failing(letter):
        return None
    unknown = unreadable(test.result_said) if test.result is Outcome.UNKNOWN and _own_letter(test) else None
    symptom = symptom_title(test.symptoms[0]) if test.symptoms else None
    said = [text.strip() for text in (test.error, symptom, unknown) if text and text.strip()]
    return short("; ".join(dict.fromkeys(said)), _ERROR_LENGTH)


def _lines(test: TestStep) -> Iterable[str | None]:
    yield f"Procedure: {test.procedure}" if test.procedure else None
    yield f"Comments: {test.comments}" if test.comments else None
    yield f"Error: {test.error}" if test.error else None
    yield f'The station said "{test.result_said}".' if test.result_said else None
    yield from symptom_lines(test.symptoms)
    if test.verification and test.result is not Outcome.PASSED:
        detail = test.verification.detail
        yield f"Verification: {test.verification.verdict}{f' ({detail})' if detail else ''}"


def _free_data(test: TestStep) -> list[AdditionalData]:
    found: list[AdditionalData] = []
    for condition in test.conditions:
        found += free_data(condition.name, condition.model_dump(exclude={"name"}, exclude_none=True)) or []
    return [*found, *symptom_data(test.symptoms)]
