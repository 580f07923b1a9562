"""Process data and readings as results, for sites that want reports of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from handlers.rules import Rules
from pywats_events.event import Event, EventType
from pywats_events.handler import Dropped
from pywats_events.payloads import (
    Outcome,
    ReadingsRecordedEvent,
    TestResultEvent,
    TestStep,
    UnitProcessedEvent,
    parse,
)

#: Events that say how a unit was made, and seldom whether it is good.
RECORDED: Final = frozenset({EventType.UNIT_PROCESSED, EventType.READINGS_RECORDED})

_WORST_FIRST: Final = (Outcome.UNKNOWN, Outcome.FAILED, Outcome.ERROR, Outcome.ABORTED)


def recorded(event: Event, rules: Rules) -> TestResultEvent | Dropped:
    """Give process data (UnitsProcessed) or readings (ReadingsRecorded) of a unit as a result.

    | result | from |
    |---|---|
    | the verdict on the unit | the machine's word |
    | else the worst | verdicts of the readings, where all of them have one |
    | else none | ``report.unjudged``: no report, or Passed |

    Raises:
        pydantic.ValidationError: the payload does not fit its model.
    """
    said = parse(event)
    assert isinstance(said, UnitProcessedEvent | ReadingsRecordedEvent)  # noqa: S101  # by its type
    if not said.unit_id:
        return Dropped("data of a machine that name no unit make no report")
    result = _result(said)
    if result is None:
        if rules.report.unjudged == "drop":
            return Dropped('nobody gave a verdict of these data (report.unjudged is "drop")')
        result = Outcome.PASSED
    return TestResultEvent.model_validate({**event.payload, "result": result})


def _result(said: UnitProcessedEvent | ReadingsRecordedEvent) -> Outcome | None:
    if isinstance(said, UnitProcessedEvent) and (said.result is not Outcome.UNKNOWN or said.result_said):
        return said.result
    verdicts = [verdict for test in said.tests for verdict in _verdicts(test)]
    if not verdicts or None in verdicts:
        return next((each for each in _WORST_FIRST if each in verdicts), None)
    return next((each for each in _WORST_FIRST if each in verdicts), Outcome.PASSED)


def _verdicts(test: TestStep) -> Iterator[Outcome | None]:
    if "result" in test.model_fields_set:
        yield test.result
    for measurement in test.measurements:
        yield measurement.result
