"""The head of a report: operator, times, and the misc infos that people search by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from handlers.names import short
from handlers.report_rules import ReportRules
from handlers.report_steps import moment
from handlers.serials import Serial
from handlers.unit_context import Known, Recipe
from pywats_api.wsjf import MiscInfo
from pywats_events.event import Event
from pywats_events.payloads import InspectionResultEvent, Person, TestResultEvent

_TEXT_LENGTH: Final = 100
_NO_SAMPLING: Final = frozenset({"", "nosampling", "none"})


@dataclass(frozen=True, slots=True)
class Timing:
    """When a run began and how long it took; ``ahead`` is by how much the station's clock is wrong."""

    start: datetime
    seconds: float | None
    ahead: timedelta | None = None


def timing_of(event: Event, payload: TestResultEvent, known: Known) -> Timing:
    """Find the start (of the first test, else of the work, else the event) and the duration of a run.

    A start after the receipt of the event would hide the report in quarantine: the receipt is taken.
    """
    zone = event.time.tzinfo
    assert zone is not None  # noqa: S101  # an event's time always has one
    work = known.work
    begins = [
        moment(when, zone) for when in (payload.started_at, *(test.started_at for test in payload.tests))
    ]
    ends = [moment(when, zone) for when in (payload.ended_at, *(test.ended_at for test in payload.tests))]
    started = min((when for when in begins if when), default=None)
    ended = max((when for when in ends if when), default=None)
    begun = work.started_at if work and work.started_at and work.started_at <= event.time else None
    start = started or begun or event.time
    seconds: float | None = None
    if ended:
        seconds = max((ended - start).total_seconds(), 0.0)
    elif begun:
        seconds = max((event.time - begun).total_seconds(), 0.0)
    # The offset is the machine's: an hour of the day is worth more than one in UTC.
    start = start.astimezone(event.time.tzinfo) if started is None else start
    start = start.replace(microsecond=start.microsecond // 1000 * 1000)
    received = event.metadata.received_at
    if received is None or start <= received:
        return Timing(start, seconds)
    limit = received.astimezone(start.tzinfo)
    return Timing(limit.replace(microsecond=limit.microsecond // 1000 * 1000), seconds, start - received)


def operator_of(person: Person | None, rules: ReportRules) -> str | None:
    """Give what the configuration lets be known of a person."""
    if person is None or rules.operator == "none":
        return None
    full = " ".join(part.strip() for part in (person.first_name, person.last_name) if part and part.strip())
    choices = {
        "id": (person.id,),
        "login": (person.login,),
        "name": (full,),
        "any": (person.id, person.login, full),
    }
    said = (short(text, _TEXT_LENGTH) for text in choices[rules.operator])
    return next((text for text in said if text), None)


def misc_infos(  # noqa: PLR0917
    payload: TestResultEvent,
    known: Known,
    serial: Serial,
    program: Recipe | None,
    overruled: str | None,
    rules: ReportRules,
) -> list[MiscInfo]:
    """Give the misc infos under their configured names; a name set empty leaves its info out."""
    infos = []
    taken = set()
    for description, text in _said(payload, known, serial, program, overruled, rules):
        name = short(rules.misc_infos.get(description, description), _TEXT_LENGTH)
        value = short(text, _TEXT_LENGTH)
        if name and value and name not in taken:
            taken.add(name)
            infos.append(MiscInfo(description=name, text=value))
    return infos


def _said(  # noqa: PLR0917
    payload: TestResultEvent,
    known: Known,
    serial: Serial,
    program: Recipe | None,
    overruled: str | None,
    rules: ReportRules,
) -> Iterator[tuple[str, str | None]]:
    yield "Work order", known.work_order.id if known.work_order else None
    yield "Panel", serial.panel
    yield "Lane", None if known.lane is None else str(known.lane)
    recipe = next(iter(known.recipes), None)
    yield "Recipe", recipe.name if recipe and program and recipe.name != program.name else None
    yield "Surface", known.surface
    if rules.sampling and payload.sampling:
        method = (payload.sampling.method or "").strip()
        yield "Sampling", None if method.lower() in _NO_SAMPLING else method
        sizes = (payload.sampling.sample_size, payload.sampling.lot_size)
        yield "Lot", " of ".join(f"{size:g}" for size in sizes if size is not None) or None
    if isinstance(payload, InspectionResultEvent) and payload.total_inspections is not None:
        yield "Total inspections", str(payload.total_inspections)
    yield "Overall result", overruled
    yield from known.personal(serial.value).items()
