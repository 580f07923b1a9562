"""Claims and verdicts in the journal in SQLite, and what people decide about dead letters."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from pywats_events.journal.records import (
    Bury,
    Completed,
    Delivery,
    DeliveryState,
    Park,
    Query,
    Release,
    RetryAt,
    Verdict,
)
from pywats_events.journal.sqlite_lanes import DEAD, DISCARDED, IN_FLIGHT, PARKED, PENDING, WAITING, Lanes
from pywats_events.journal.sqlite_reading import found_dead
from pywats_events.journal.sqlite_schema import CODES
from pywats_events.journal.sqlite_values import (
    event_of,
    moment,
    one_more,
    stamp,
    text,
    to_json,
    untext,
)

DONE: Final = CODES[DeliveryState.DONE]
DROPPED: Final = CODES[DeliveryState.DROPPED]


def resume(lanes: Lanes, now: int) -> None:
    """Make pending what a process that is gone had in flight: nobody else can have it."""
    rows = lanes.db.execute("SELECT seq FROM deliveries WHERE state = 1 ORDER BY seq").fetchall()
    lanes.free([seq for (seq,) in rows], now)


def claim(
    lanes: Lanes, *, limit: int, now: int, until: int, handlers: Collection[str]
) -> tuple[list[Delivery], int | None]:
    """Take what is ready; give it, and the next time at which something is due."""
    due = lanes.db.execute("SELECT seq FROM deliveries WHERE due IS NOT NULL AND due <= ?", (now,)).fetchall()
    lanes.free(sorted(seq for (seq,) in due), now)
    claimed: list[Delivery] = []
    while seqs := _ready(lanes, limit - len(claimed), handlers):
        taken = [_take(lanes, seq, now, until) for seq in seqs]
        claimed += [delivery for delivery in taken if delivery is not None]
        if None not in taken:
            break
    ((next_due,),) = lanes.db.execute("SELECT min(due) FROM deliveries WHERE due IS NOT NULL").fetchall()
    return claimed, next_due


def _ready(lanes: Lanes, limit: int, handlers: Collection[str]) -> list[int]:
    seqs: list[int] = []
    for handler in set(handlers):
        rows = lanes.db.execute(
            "SELECT seq FROM deliveries WHERE handler = ? AND ready = 1 ORDER BY seq LIMIT ?",
            (text(handler), limit),
        )
        seqs += [seq for (seq,) in rows.fetchall()]
    return sorted(seqs)[:limit]


def _take(lanes: Lanes, seq: int, now: int, until: int) -> Delivery | None:
    ((handler, key, tries, claim_number, first_seen, stored),) = lanes.db.execute(
        """
        SELECT handler, key, tries, claim, first_seen, document
        FROM deliveries JOIN events ON pk = event WHERE seq = ?
        """,
        (seq,),
    ).fetchall()
    event = event_of(stored)
    if event is None:
        why = "its event can't be read from the journal any more"
        _set(lanes, seq, state=DEAD, ready=0, changed=now, error="EventFormatError", reason=why)
        lanes.move(handler, PENDING, DEAD)
        lanes.offer(handler, key)
        return None
    _set(lanes, seq, state=IN_FLIGHT, ready=0, claim=claim_number + 1, due=until, changed=now)
    lanes.move(handler, PENDING, IN_FLIGHT)
    return Delivery(str(seq), event, untext(handler), tries, moment(first_seen), claim_number + 1)


def _set(lanes: Lanes, seq: int, **columns: Any) -> None:
    names = ", ".join(f"{name} = ?" for name in columns)
    lanes.db.execute(f"UPDATE deliveries SET {names} WHERE seq = ?", (*columns.values(), seq))  # noqa: S608  # names of ours


def extend(lanes: Lanes, deliveries: Iterable[Delivery], until: int) -> None:
    """Keep claims that still hold for longer."""
    lanes.db.executemany(
        "UPDATE deliveries SET due = ? WHERE seq = ? AND state = 1 AND claim = ?",
        [(until, int(delivery.id), delivery.claim) for delivery in deliveries],
    )


def settle(lanes: Lanes, verdicts: Sequence[Verdict], now: int) -> list[str]:
    """Write down what became of claims that still hold; give the events that are closed by it."""
    return [verdict.delivery.event.id for verdict in verdicts if _settle(lanes, verdict, now)]


def _settle(lanes: Lanes, verdict: Verdict, now: int) -> bool:
    seq = int(verdict.delivery.id)
    found = lanes.db.execute(
        """
        SELECT handler, key, event, message, tries, attempts
        FROM deliveries WHERE seq = ? AND state = 1 AND claim = ?
        """,
        (seq, verdict.delivery.claim),
    ).fetchall()
    if not found:
        return False  # its lease ended and another worker has it, or had it
    ((handler, key, event, message, tries, attempts),) = found
    columns = _columns(verdict, now, tries, attempts)
    _set(lanes, seq, **{"due": None, "changed": now, **columns})
    if isinstance(verdict, Park):
        lanes.db.executemany(
            "INSERT OR IGNORE INTO parked (name, delivery, place) VALUES (?, ?, ?)",
            [(text(name), seq, place) for place, name in enumerate(verdict.on)],
        )
    state = columns["state"]
    lanes.move(handler, IN_FLIGHT, state)
    lanes.offer(handler, key)  # the next one, or an older one that was replayed meanwhile
    if state in (DONE, DROPPED):
        lanes.drop_raw(message)
    return state in (DONE, DROPPED, DEAD) and not _is_open(lanes, event)


def _columns(verdict: Verdict, now: int, tries: int, attempts: str | None) -> dict[str, Any]:
    match verdict:
        case Completed(detail=detail, rule=rule):
            said = to_json(detail) if detail else None
            return {"state": DROPPED if rule else DONE, "detail": said, "rule": text(rule)}
        case Release():
            return {"state": PENDING}
        case Park(until=until):
            columns: dict[str, Any] = {"state": PARKED, "due": None if until is None else stamp(until)}
        case RetryAt(at=at):
            columns = {"state": WAITING, "due": stamp(at)}
        case Bury():
            columns = {"state": DEAD}
    if not isinstance(verdict, Park):
        columns["tries"] = tries + 1
        columns["attempts"] = one_more(attempts, now, verdict.error, verdict.reason)
    return {**columns, "error": text(verdict.error), "reason": text(verdict.reason)}


def _is_open(lanes: Lanes, event: int) -> bool:
    found = lanes.db.execute("SELECT 1 FROM deliveries WHERE event = ? AND +state < 4 LIMIT 1", (event,))
    return bool(found.fetchall())


def replay(lanes: Lanes, query: Query, now: int) -> int:
    """Make dead letters pending again, each in its place."""
    rows = [row for row in found_dead(lanes.db, query) if row.has_event]
    for row in rows:
        lanes.withdraw(row.handler, row.key)
        _set(lanes, row.seq, state=PENDING, tries=0, error=None, reason=None, changed=now)
        lanes.move(row.handler, DEAD, PENDING)
        lanes.offer(row.handler, row.key)
    return len(rows)


def discard(lanes: Lanes, query: Query, reason: str, now: int) -> int:
    """Put dead letters away for good."""
    rows = found_dead(lanes.db, query)
    for row in rows:
        _set(lanes, row.seq, state=DISCARDED, rule=text(reason), changed=now)
        lanes.move(row.handler, DEAD, DISCARDED)
        lanes.drop_raw(row.message)
    return len(rows)
