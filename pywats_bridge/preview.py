"""What events would become in WATS, without sending anything."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from handlers import Rules
from pywats_events import BaseHandler, Done, Dropped, Event, NotReady, PermanentError, TransientError
from pywats_events.handler import wanted_types
from pywats_events.journal.memory import MemoryJournal

if TYPE_CHECKING:
    from pywats_bridge.dry_wats import Call, DryWATS

#: For looking at samples without a configuration: every station tests, and recipes are part numbers.
EXAMPLE_RULES: Final = Rules.model_validate(
    {
        "stations": [{"handle": "*", "recipe_regex": "(?P<pn>.+)", "part_number": "EXAMPLE-PART"}],
        "process_by_method": {
            "ICT": 30,
            "FCT": 60,
            "Automated": 60,
            "Human": 120,
            "SPI": 130,
            "AOI": 140,
            "AXI": 150,
        },
        "report": {"give_up_after": 0},
    }
)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would become of one event.

    Attributes:
        event: the event.
        calls: the calls that would be made.
        reason: why there is none, or what a handler says besides.
        notes: how what is in the calls was found.
        is_fault: True when the event would end as a dead letter.
    """

    event: Event
    calls: tuple[Call, ...] = ()
    reason: str | None = None
    notes: tuple[str, ...] = ()
    is_fault: bool = False


async def preview(events: Iterable[Event], rules: Rules) -> AsyncIterator[Outlook]:
    """Run the real handlers on a WATS that only writes down; earlier events teach later ones."""
    # handlers and the models of WATS are not quick, and most commands show no outlook
    from handlers import facts_of  # noqa: PLC0415
    from pywats_bridge.composition import handlers_of  # noqa: PLC0415
    from pywats_bridge.dry_wats import DryWATS  # noqa: PLC0415

    journal = MemoryJournal()
    dry = DryWATS()
    at_once = rules.states.model_copy(update={"debounce": 0.0})  # nothing waits where nothing is sent
    handlers = handlers_of(dry, rules.model_copy(update={"states": at_once}), journal)
    for event in events:
        facts = list(facts_of(event))
        await journal.remember(facts)
        due = [handler for handler in handlers if event.event_type in wanted_types(handler)]
        if not due:
            yield Outlook(event, reason="remembered for later events" if facts else "no handler wants it")
        for handler in due:
            dry.calls.clear()
            yield await _outlook(handler, event, dry)


async def _outlook(handler: BaseHandler, event: Event, dry: DryWATS) -> Outlook:
    try:
        outcome = await handler.handle(event)
    except PermanentError as error:
        return Outlook(event, reason=f"dead letter: {error}", is_fault=True)
    except (NotReady, TransientError) as error:
        reason = f"waits for what later messages may tell, and is a dead letter at last: {error}"
        return Outlook(event, reason=reason, is_fault=True)
    if isinstance(outcome, Dropped):
        return Outlook(event, reason=f"dropped by rule: {outcome.rule}")
    detail = dict(outcome.detail) if isinstance(outcome, Done) else {}
    sources = dict.fromkeys(_sources(detail))
    kept = None if dry.calls else "remembered for later events"
    return Outlook(event, tuple(dry.calls), reason=kept, notes=(*sources, *detail.get("notes", ())))


def _sources(detail: Mapping[str, Any]) -> Iterator[str]:
    """Give the rules that decided: of the whole, and of each unit where there are several."""
    for what, how in detail.get("sources", {}).items():
        yield f"{what}: {how}"
    for unit in detail.get("units", ()):
        for note in _sources(unit):
            yield f"{unit.get('serial_number')}: {note}"


def wats_calls(events: Sequence[Event]) -> Iterator[str]:
    """Say in text what events would become; the CFX explorer shows it. Works by example rules."""

    async def collect() -> list[Outlook]:
        return [outlook async for outlook in preview(events, EXAMPLE_RULES)]

    with _logs_off_the_page():
        outlooks = asyncio.run(collect())
    for outlook in outlooks:
        if outlook.reason:
            yield outlook.reason
        for call in outlook.calls:
            body = json.dumps(call.body, ensure_ascii=False, indent=2)
            notes = "".join(f"\n# {note}" for note in outlook.notes)
            yield f"{call.method} {call.path}\n{body}{notes}"


@contextmanager
def _logs_off_the_page() -> Iterator[None]:
    """Let handlers log errors only, and not to standard output: there a program may be reading."""
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("error"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)
