"""How values stand in the tables of the journals in SQLite and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias, overload

from pywats_events.event import Event, EventFormatError
from pywats_events.journal.fingerprint import fingerprint
from pywats_events.journal.records import Attempt, Parking, Passed, Replay

#: A text that holds half of a surrogate pair, which JSON allows and UTF-8 does not, is kept as bytes.
Text: TypeAlias = str | bytes

#: Tells a stored time of being left alone from others. With its quotes it can't stand inside of a text.
PARKED: Final = "parked"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def stamp(moment: datetime) -> int:
    """Give a time as microseconds since 1970."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def moment(stamp: int) -> datetime:
    """Give back a time."""
    return _EPOCH + timedelta(microseconds=stamp)


@overload
def text(value: str) -> Text: ...
@overload
def text(value: str | None) -> Text | None: ...
def text(value: str | None) -> Text | None:
    """Give a text as SQLite can take it: the same for the same text, always."""
    if value is None or value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode(errors="surrogatepass")
    return value


@overload
def untext(value: Text) -> str: ...
@overload
def untext(value: Text | None) -> str | None: ...
def untext(value: Text | None) -> str | None:
    """Give back a text."""
    return value.decode(errors="surrogatepass") if isinstance(value, bytes) else value


def casefold(value: Text | None) -> Text | None:
    """Make a text comparable; usable as a function in SQL."""
    return None if value is None else text(untext(value).casefold())


def fingerprint_of(handler: Text, error: Text | None, reason: Text | None) -> str:
    """Give what joins dead letters of one cause; usable as a function in SQL."""
    return fingerprint(untext(handler), untext(error) or "", untext(reason) or "")


def document(event: Event) -> bytes:
    """Give an event as it is stored.

    Raises:
        ValueError: it could not be read again.
    """
    if not event.id:
        raise ValueError("an event without an id can't be journalled")
    return event.to_json_bytes()


def event_of(stored: bytes | None) -> Event | None:
    """Give back an event; None for what never was one, or can't be read any more."""
    if stored is None:
        return None
    try:
        return Event.from_json(stored)
    except EventFormatError:
        return None


def to_json(value: Mapping[str, Any]) -> str:
    """Give what somebody said, as JSON; what is no JSON, as its text."""
    return json.dumps(value, separators=(",", ":"), default=str)


def attempt(at: int, error: str, reason: str) -> str:
    """Give a try that failed as it is stored."""
    return json.dumps((at, error, reason), separators=(",", ":"))


def replay(at: int) -> str:
    """Give a replay as it is stored."""
    return f"[{at}]"


def passed_of(stored: Sequence[Any]) -> Passed:
    """Give back what a delivery came through, from one document of its history."""
    at = moment(stored[0])
    match stored[1:]:
        case []:
            return Replay(at)
        case [error, reason]:
            return Attempt(at, error, reason)
        case [error, reason, _, times, last, freed]:
            return Parking(at, error, reason, times, moment(last), None if freed is None else moment(freed))
    raise ValueError(f"the history of a delivery can't be read: {stored}")


def history_of(stored: str | None) -> tuple[Passed, ...]:
    """Give back what a delivery came through."""
    return tuple(map(passed_of, json.loads(stored))) if stored else ()


def history(stored: str | None, more: str | None, *parking: Any) -> str:
    """Give the history, as it is stored, with what has followed. Usable as a function in SQL.

    Args:
        stored: the history so far.
        more: what is to stand at its end.
        parking: what is to stand before that, if the first is not None: how often it was left alone, since
            when, the last time, until when, and why (error and reason).
    """
    over: tuple[str, ...] = ()
    if parking and parking[0]:
        times, since, last, freed, error, reason = parking
        told = (since, untext(error), untext(reason), PARKED, times, last, freed)
        over = (json.dumps(told, separators=(",", ":")),)
    before = (stored[1:-1],) if stored else ()
    return f"[{','.join((*before, *over, *((more,) if more else ())))}]"
