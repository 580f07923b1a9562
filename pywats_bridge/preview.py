"""What events would become in WATS, without sending anything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from handlers import Rules, UnitContext, build_report, facts_of, reason_to_drop, result_of
from handlers.asset import fault_message
from handlers.natural_key import NaturalKeys
from handlers.wats import describe
from pywats_events import Event, EventType, NotReady, PermanentError
from pywats_events.journal.memory import MemoryJournal

#: For looking at samples without a configuration: every station tests, and recipes are part numbers.
EXAMPLE_RULES: Final = Rules.model_validate(
    {
        "stations": [{"handle": "*", "process": 60, "recipe_regex": "(?P<pn>.+)"}],
        "process_by_method": {"ICT": 30, "FCT": 60, "AOI": 140, "SPI": 130, "AXI": 150, "Human": 120},
    }
)

_RESULTS: Final = (EventType.TEST_RESULT, EventType.INSPECTION_RESULT)
_FAULTS: Final = (EventType.ASSET_FAULT, EventType.ASSET_FAULT_CLEARED)


@dataclass(frozen=True, slots=True)
class Call:
    """One call that would be made.

    Attributes:
        method: HTTP method.
        path: route, with query.
        body: JSON body.
        notes: what a person should know of how it came about.
    """

    method: str
    path: str
    body: Mapping[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would become of one event: a call, or the reason why there is none."""

    event: Event
    call: Call | None
    reason: str | None = None
    is_fault: bool = False


async def preview(events: Iterable[Event], rules: Rules) -> AsyncIterator[Outlook]:
    """Say what each event would become, each by what those before it have taught."""
    journal = MemoryJournal()
    context, keys = UnitContext(journal.recall), NaturalKeys(journal)
    for event in events:
        await journal.remember(list(facts_of(event)))
        if event.event_type in _RESULTS:
            yield await _report(event, rules, context, keys)
        elif event.event_type in _FAULTS:
            yield await _fault(event, rules, journal)
        else:
            yield Outlook(event, None, "taught to later events" if facts_of(event) else "no handler wants it")


async def _report(event: Event, rules: Rules, context: UnitContext, keys: NaturalKeys) -> Outlook:
    known = await context.of(event)
    try:
        payload = result_of(event)
        rule = reason_to_drop(payload, known, rules)
        if rule:
            return Outlook(event, None, f"dropped by rule: {rule}")
        built = build_report(event, known, rules, payload=payload)
        await keys.settle(built.report, latest=event.metadata.received_at or event.time)
    except ValidationError as error:
        return Outlook(event, None, f"dead letter: {describe(error)}", is_fault=True)
    except PermanentError as error:
        return Outlook(event, None, f"dead letter: {error}", is_fault=True)
    except NotReady as error:
        return Outlook(event, None, f"would wait, then become a dead letter: {error}", is_fault=True)
    notes = (*(f"{what}: {how}" for what, how in built.sources.items()), *built.notes)
    return Outlook(event, Call("POST", "/api/Report/WSJF", built.report.to_wire(), notes))


async def _fault(event: Event, rules: Rules, journal: MemoryJournal) -> Outlook:
    message = await fault_message(event, rules, journal)
    if message.rule:
        return Outlook(event, None, f"dropped by rule: {message.rule}")
    path = f"/api/Asset/Message?serialNumber={message.asset}"
    return Outlook(event, Call("POST", path, {"content": message.text}))


def wats_calls(events: Sequence[Event]) -> Iterator[str]:
    """Say in text what events would become; the CFX explorer shows it. Works by example rules."""

    async def collect() -> list[Outlook]:
        return [outlook async for outlook in preview(events, EXAMPLE_RULES)]

    for outlook in asyncio.run(collect()):
        if outlook.call is None:
            yield outlook.reason or "nothing"
            continue
        body = json.dumps(outlook.call.body, ensure_ascii=False, indent=2)
        notes = "".join(f"\n# {note}" for note in outlook.call.notes)
        yield f"{outlook.call.method} {outlook.call.path}\n{body}{notes}"
