"""The story of a unit, an event or a message, as the journal knows it: each thing that happened, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from pywats_events.journal import (
    Attempt,
    DeliveryState,
    Entry,
    Journal,
    Parking,
    Passed,
    Query,
    RawRecord,
    Replay,
)

#: Most entries of one unit or message.
MOST: Final = 10_000
#: More digits no id of the journal has.
_DIGITS: Final = 18


class Kind(StrEnum):
    """What a text names."""

    UNIT = "unit"
    EVENT = "event"
    LETTER = "letter"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Chapter:
    """One thing that happened.

    Attributes:
        time: when.
        what: received, event, failed, parked, freed, replayed, or the state that a delivery is in now.
        said: the rest, for people.
        facts: the same for programs.
    """

    time: datetime
    what: str
    said: str
    facts: Mapping[str, Any] = field(default_factory=dict)


async def entries_of(journal: Journal, name: str, kind: Kind | None = None) -> list[Entry]:
    """Find what a text names: the unit, else the event, the entry, the message of that id.

    Args:
        journal: an open journal.
        name: what people typed.
        kind: what it is; None: whichever fits first.

    Raises:
        JournalError: the journal can't be read.
    """
    for one in Kind if kind is None else (kind,):
        query = _query(name, one)
        found = await journal.search(query) if query is not None else []
        if found and one is Kind.LETTER:
            event_id = found[0].part_id if found[0].event is None else found[0].event.id
            return await journal.search(Query(event_id=event_id, limit=MOST))
        if found:
            return found
    return []


def _query(name: str, kind: Kind) -> Query | None:
    is_number = name.isascii() and name.isdecimal() and len(name) <= _DIGITS
    match kind:
        case Kind.UNIT:
            return Query(unit=name, limit=MOST)
        case Kind.EVENT:
            return Query(event_id=name, limit=MOST)
        case Kind.LETTER if is_number:
            return Query(ids=(name,))
        case Kind.MESSAGE if is_number:
            return Query(message_id=name, limit=MOST)
    return None


async def near(journal: Journal, name: str) -> list[str]:
    """Give units whose name, station or reason mentions a text, for who mistyped."""
    units: dict[str, None] = {}
    for entry in await journal.search(Query(text=name, limit=200, newest_first=True)):
        unit = unit_of(entry)
        if unit:
            units[unit] = None
    return list(units)[:5]


def unit_of(entry: Entry) -> str | None:
    """Give the unit that an entry is about."""
    if entry.event is None:
        return None
    unit = entry.event.payload.get("unit_id")
    return unit if isinstance(unit, str) and unit else entry.event.key


def named(entry: Entry) -> str | None:
    """Give the unit for people: with its place, where a message speaks of several of the same name."""
    unit = unit_of(entry)
    if unit is None or entry.event is None:
        return None
    position, siblings = (entry.event.payload.get(name) for name in ("position", "siblings"))
    is_one_of_many = isinstance(position, int) and isinstance(siblings, int) and siblings > 1
    return f"{unit} #{position}" if is_one_of_many else unit


async def story_of(journal: Journal, entries: Sequence[Entry]) -> list[Chapter]:
    """Tell what happened to these entries, in order of time.

    Raises:
        JournalError: the journal can't be read.
    """
    chapters: list[Chapter] = []
    for message_id in dict.fromkeys(entry.message_id for entry in entries):
        of_message = [entry for entry in entries if entry.message_id == message_id]
        if message_id is not None:
            chapters.append(_received(message_id, await journal.raw(message_id), of_message[0]))
        seen: set[str] = set()
        for entry in of_message:
            if entry.event is not None and entry.event.id not in seen:
                seen.add(entry.event.id)
                chapters.append(_became(entry))
            chapters += _delivered(entry)
    return sorted(chapters, key=lambda chapter: chapter.time)


def _received(message_id: str, raw: RawRecord | None, entry: Entry) -> Chapter:
    name = entry.message_name or "a message"
    source = f" of {entry.source}" if entry.source else ""
    facts: dict[str, Any] = {
        "message_id": message_id,
        "message_name": entry.message_name,
        "source": entry.source,
    }
    if raw is None:
        return Chapter(
            entry.first_seen,
            "received",
            f"{name}{source} (message {message_id}; its bytes are kept no more)",
            facts,
        )
    at = f" at {raw.address}" if raw.address else ""
    said = f"{name}{source}, {len(raw.body):,} bytes by {raw.transport}{at} (message {message_id})"
    facts |= {"transport": raw.transport, "address": raw.address, "bytes": len(raw.body)}
    return Chapter(raw.received_at, "received", said, facts)


def _became(entry: Entry) -> Chapter:
    event = entry.event
    assert event is not None  # noqa: S101  # the caller has looked
    unit = unit_of(entry)
    about = f" of {named(entry)}" if unit else ""
    said = f"{event.event_type.value}{about}, which was at {_local(event.time)} (event {event.id})"
    facts = {"event_id": event.id, "event_type": event.event_type.value, "unit": unit}
    return Chapter(entry.first_seen, "event", said, {**facts, "event_time": event.time.isoformat()})


def _local(moment: datetime) -> str:
    return moment.astimezone().isoformat(" ", "milliseconds")


def _delivered(entry: Entry) -> Iterator[Chapter]:
    who = f"{entry.handler} {entry.id}: " if entry.handler else ""
    facts = {"id": entry.id, "handler": entry.handler}
    yield from came_through(entry, who, facts)
    facts |= {"state": entry.state.value}
    yield Chapter(entry.changed, entry.state.value, f"{who}{_outcome(entry)}", {**facts, **_more(entry)})


def came_through(
    entry: Entry, who: str = "", facts: Mapping[str, Any] = MappingProxyType({})
) -> Iterator[Chapter]:
    """Tell what a delivery came through before it came to what it is now.

    Args:
        entry: the delivery.
        who: begins what is said.
        facts: what each chapter has besides its own.
    """
    for one in entry.history:
        yield from _passed(one, who, facts, is_now=entry.state is DeliveryState.PARKED)


def _passed(one: Passed, who: str, facts: Mapping[str, Any], *, is_now: bool) -> Iterator[Chapter]:
    match one:
        case Attempt(at=at, error=error, reason=reason):
            why = {"error": error, "reason": reason}
            yield Chapter(at, "failed", f"{who}{error}: {reason}", {**facts, **why})
        case Replay(at=at):
            yield Chapter(at, "replayed", f"{who}put through again", facts)
        case Parking(freed=None, times=1) if is_now:
            return  # which is what the state says
        case Parking(at=at, error=error, reason=reason, times=times, last=last, freed=freed):
            more = {"error": error, "reason": reason, "times": times, "last": last.isoformat()}
            often = f", {times} times until {_local(last)}" if times > 1 else ""
            yield Chapter(at, "parked", f"{who}left alone{often} ({error}: {reason})", {**facts, **more})
            if freed is not None:
                yield Chapter(freed, "freed", f"{who}its turn again", facts)


def _outcome(entry: Entry) -> str:
    match entry.state:
        case DeliveryState.DONE:
            return _detail(entry.detail)
        case DeliveryState.DROPPED | DeliveryState.DISCARDED:
            return entry.rule or entry.state.value
        case DeliveryState.DEAD:
            reason = "" if entry.attempts else f"{entry.error}: {entry.reason}; "
            return f"{reason}dead letter {entry.id}, not tried again by itself"
    return _awaited(entry)


def _more(entry: Entry) -> dict[str, Any]:
    more = {
        "error": entry.error,
        "reason": entry.reason,
        "rule": entry.rule,
        "retry_at": entry.retry_at and entry.retry_at.isoformat(),
        "parked_on": list(entry.parked_on),
        "detail": dict(entry.detail),
    }
    return {name: value for name, value in more.items() if value}


def _awaited(entry: Entry) -> str:
    match entry.state:
        case DeliveryState.WAITING:
            said = f"is tried again at {_local(entry.retry_at)}" if entry.retry_at else "is tried again"
        case DeliveryState.PARKED:
            said = f"waits for {', '.join(entry.parked_on) or 'its time'}"
            if entry.retry_at:
                said += f", until {_local(entry.retry_at)}"
        case _:
            return "not done yet"
    return f"{said} ({entry.error}: {entry.reason})" if entry.error else said


def _detail(detail: Mapping[str, Any]) -> str:
    plain = [f"{name} {value}" for name, value in detail.items() if isinstance(value, str | int | float)]
    told = ", ".join(plain) or "nothing to add"
    units = [each for each in detail.get("units", ()) if isinstance(each, Mapping)]
    below = "; ".join(_detail(each) for each in units)
    told = f"{told}: {below}" if plain and below else below or told
    sources = detail.get("sources")
    rules = [f"{what} by {how}" for what, how in sources.items()] if isinstance(sources, Mapping) else []
    return f"{told} ({'; '.join(rules)})" if rules else told
