"""What results teach: which unit failed, and which finding was whose. A repair refers to both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from handlers import fact_keys as keys
from handlers.line_facts import Taught, said
from pywats_events.event import Event

#: Results that are no failure of a unit: nobody repairs what passed or was not looked at.
_NO_FAILURES: Final = frozenset({"passed", "skipped"})
_TOLD: Final = ("code", "category", "designator", "part_number")


def results_taught(event: Event) -> Taught:
    """Give what a result teaches. It is read as plain data: most pass, and to check them all would cost.

    | event | fact | says |
    |---|---|---|
    | a result that is no pass | failed (by identifier and position) | the event |
    | each defect and symptom of a result | finding (by its id) | the event, code, category, designator |
    """
    unit, position = event.payload.get("unit_id"), event.payload.get("position")
    identifier = keys.clean_id(unit) if isinstance(unit, str) else None
    is_failed = event.payload.get("result") not in _NO_FAILURES and event.payload.get("scope") != "panel"
    if is_failed and identifier:
        place = position if isinstance(position, int) else None
        yield keys.failed(identifier, place), {"event": event.id}
    for finding in _findings(event.payload):
        told = {name: finding[name] for name in _TOLD if isinstance(finding.get(name), str)}
        yield keys.finding(finding["id"]), said(event=event.id, **told)


def _findings(payload: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for test in _dicts(payload.get("tests")):
        for defect in _dicts(test.get("defects")):
            yield from _identified(defect)
            for symptom in _dicts(defect.get("symptoms")):
                yield from _identified(symptom)
        for symptom in _dicts(test.get("symptoms")):
            yield from _identified(symptom)


def _identified(finding: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if isinstance(finding.get("id"), str) and finding["id"].strip():
        yield finding


def _dicts(items: Any) -> Iterator[Mapping[str, Any]]:
    return (each for each in items if isinstance(each, dict)) if isinstance(items, list) else iter(())
