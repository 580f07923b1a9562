"""Claims and verdicts in the journal in SQLite."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import takewhile
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias

from pywats_events.journal.fates import Fate
from pywats_events.journal.records import (
    MOST_PARKINGS,
    SUPERSEDED,
    Bury,
    Completed,
    Delivery,
    Park,
    Receipt,
    Release,
    RetryAt,
    Verdict,
)
from pywats_events.journal.sqlite_in_flight import Held
from pywats_events.journal.sqlite_lanes import DEAD, DONE, DROPPED, PARKED, PENDING, WAITING, Lanes
from pywats_events.journal.sqlite_sets import Row, found_in_sets, in_sets
from pywats_events.journal.stored_values import PARKED as STORED_PARKED
from pywats_events.journal.stored_values import (
    Text,
    attempt,
    event_of,
    fingerprint_of,
    stamp,
    text,
    to_json,
    untext,
)

_READY: Final = """
    SELECT first_seen, seq, handler, key FROM deliveries
    WHERE handler = ? AND ready = 1 AND first_seen >= ? ORDER BY first_seen, seq LIMIT ?
"""
#: The same, in one row: a row costs more than what is in it.
_READY_ONES: Final = """
    SELECT group_concat(seq) FROM (
        SELECT seq FROM deliveries
        WHERE handler = ? AND ready = 1 AND first_seen >= ? ORDER BY first_seen, seq LIMIT ?
    )
"""
_NEXT_DUE: Final = "SELECT min(due) FROM deliveries WHERE due IS NOT NULL"
_CHOSEN: Final = """
    SELECT seq, handler, key, event, events.id, message, coalesce(transport, ''), coalesce(parts, 1) = 1,
        first_seen, document, tries
    FROM deliveries JOIN events ON pk = event LEFT JOIN messages ON messages.id = message
    WHERE seq IN ({rows})
"""
#: Most verdicts: the rest of such a row stands already as ``_SAID`` would leave it.
_DONE: Final = """
    UPDATE deliveries SET state = 4, ready = 0, fingerprint = NULL, changed = ?
    WHERE seq IN (SELECT value FROM json_each(?))
"""
_SAID: Final = """
    UPDATE deliveries SET ready = 0, state = said.column2, rule = said.column3, detail = said.column4,
        fingerprint = NULL, changed = said.column5
    FROM ({rows}) AS said WHERE seq = said.column1
"""
_FAILED: Final = """
    UPDATE deliveries SET ready = 0, state = said.column2, due = said.column3, tries = said.column4,
        attempts = history(
            attempts, said.column5, parks, parked_since, parked_last, freed, error, reason
        ),
        error = said.column6, reason = said.column7, rule = NULL, detail = NULL,
        fingerprint = said.column8, changed = said.column9,
        parks = NULL, parked_since = NULL, parked_last = NULL, freed = NULL
    FROM ({rows}) AS said WHERE seq = said.column1
"""
#: Tells in a stored history how often it was left alone.
_MARK: Final = f',"{STORED_PARKED}",'
#: Whether a time of being left alone counts as one with that before it; see ``MOST_PARKINGS``.
_COUNTS_ON: Final = f"""(
    error IS said.column3 AND reason IS said.column4
    OR length(attempts) - length(replace(attempts, '{_MARK}', '')) >= {MOST_PARKINGS * len(_MARK)}
)"""
_PARKED: Final = f"""
    UPDATE deliveries SET ready = 0, state = 3, due = said.column2, rule = NULL, detail = NULL,
        fingerprint = NULL, attempts = CASE WHEN parks IS NULL OR {_COUNTS_ON} THEN attempts ELSE history(
            attempts, NULL, parks, parked_since, parked_last, freed, error, reason
        ) END,
        parks = CASE WHEN parks IS NOT NULL AND {_COUNTS_ON} THEN parks + 1 ELSE 1 END,
        parked_since = CASE WHEN parks IS NOT NULL AND {_COUNTS_ON} THEN parked_since ELSE said.column5 END,
        parked_last = said.column5, freed = NULL, error = said.column3, reason = said.column4,
        changed = said.column5
    FROM ({{rows}}) AS said WHERE seq = said.column1
"""  # noqa: S608  # words of ours
_NAMES: Final = "INSERT OR IGNORE INTO parked (name, delivery, place) {rows}"
#: Bytes of events of one claim that its caller reads, who has time while the next commit is on its way to the
#: disk. More would keep the loop busy for too long.
_READ_LATER: Final = 512 * 1024
#: Most deliveries of one lane that a claim puts away as superseded in one go.
_PUT_AWAY: Final = 1000


#: What is given, the next time at which something is due, and the events that were closed on the way.
Claim: TypeAlias = tuple[list[Held], int | None, list[str]]


class Ready(NamedTuple):
    """A delivery that may be claimed; they sort oldest first."""

    first_seen: int
    seq: int
    handler: Text
    key: Text | None


def claim(
    lanes: Lanes,
    *,
    limit: int,
    now: int,
    until: int,
    handlers: Collection[str],
    since: int = 0,
    coalesce: Collection[str] = (),
) -> Claim:
    """Take what is ready."""
    for held in lanes.in_flight.expired(now):
        lanes.in_flight.drop([held])
    due = lanes.db.execute("SELECT seq FROM deliveries WHERE due IS NOT NULL AND due <= ?", (now,)).fetchall()
    lanes.free([seq for (seq,) in due], now)
    newest_only = set(map(text, coalesce))
    claimed: list[Held] = []
    closed: list[str] = []
    while chosen := _ready(lanes, limit - len(claimed), handlers, since):
        needless = _needless(lanes, [one for one in chosen if one.handler in newest_only])
        if needless:  # the turn is that of others now
            closed += [name for head, rows in needless for name in _drop(lanes, head, rows, now)]
            continue
        taken = _take(lanes, chosen, now, until)
        claimed += taken
        if len(taken) == len(chosen):
            break
    next_due = _next_due(lanes)
    ends = [at for at in (next_due, lanes.in_flight.next_end) if at is not None]
    return claimed, min(ends, default=None), closed


def _next_due(lanes: Lanes) -> int | None:
    ((found,),) = lanes.db.execute(_NEXT_DUE).fetchall()
    return None if found is None else int(found)


def claim_fresh(
    lanes: Lanes,
    *,
    limit: int,
    now: int,
    until: int,
    handlers: Collection[str],
    since: int = 0,
    coalesce: Collection[str] = (),
) -> Claim | None:
    """Take what is ready where that changes nothing in the file, and all of it was written just now.

    Returns:
        What ``claim`` would give; None when it takes that.
    """
    flying = lanes.in_flight
    next_end = flying.next_end
    next_due = flying.next_due(partial(_next_due, lanes))
    if min(next_end or now + 1, next_due or now + 1) <= now:
        return None
    newest_only = set(map(text, coalesce))
    found: list[Held] = []
    for handler in set(map(text, handlers)):
        most = limit + flying.count(handler)
        ((seqs,),) = lanes.db.execute(_READY_ONES, (handler, since, most)).fetchall()
        ready = flying.without(map(int, seqs.split(",") if seqs else ()))
        known = flying.fresh.find(ready)
        if len(known) < len(ready) or (ready and handler in newest_only):
            return None
        found += flying.not_busy(known)
    if sum(map(_size, found)) > _READ_LATER:
        return None
    if len(handlers) > 1:
        found.sort(key=_age)
    taken = found[:limit]
    flying.fresh.take(held.seq for held in taken)
    flying.take(taken, until)
    ends = [at for at in (next_due, next_end, until if taken else None) if at is not None]
    return taken, min(ends, default=None), []


_size: Final = attrgetter("size")
_age: Final = attrgetter("first_seen", "seq")


def _ready(lanes: Lanes, limit: int, handlers: Collection[str], since: int) -> list[Ready]:
    if limit <= 0:
        return []
    flying = lanes.in_flight
    found: list[Ready] = []
    for handler in set(map(text, handlers)):
        # those in flight stand in the file as ready
        most = limit + flying.count(handler)
        rows = lanes.db.execute(_READY, (handler, since, most)).fetchall()
        found += [Ready(*row) for row in rows if not flying.is_busy(row[2], row[3])]
    found.sort()
    return found[:limit]


def _needless(lanes: Lanes, heads: Sequence[Ready]) -> list[tuple[Ready, list[tuple[int, int, int | None]]]]:
    """Give the first deliveries of these lanes that later ones make needless: number, event, message."""
    found: list[tuple[Ready, list[tuple[int, int, int | None]]]] = []
    for head in heads:
        rows = lanes.db.execute(
            """
            SELECT seq, event, message, event_type, state FROM deliveries
            WHERE handler = ? AND key = ? AND state < 4 ORDER BY seq LIMIT ?
            """,
            (head.handler, head.key, _PUT_AWAY),
        ).fetchall()
        newest = {kind: seq for seq, _event, _message, kind, state in rows if state == PENDING}
        needless = list(
            takewhile(lambda row: row[4] == PENDING and newest[row[3]] != row[0], rows)  # noqa: B023  # used at once
        )
        if needless:
            found.append((head, [(seq, event, message) for seq, event, message, _kind, _state in needless]))
    return found


def _drop(lanes: Lanes, head: Ready, needless: Sequence[tuple[int, int, int | None]], now: int) -> list[str]:
    lanes.db.execute(
        """
        UPDATE deliveries SET state = ?, ready = 0, rule = ?, changed = ?
        WHERE seq IN (SELECT value FROM json_each(?))
        """,
        (DROPPED, SUPERSEDED, now, json.dumps([seq for seq, _event, _message in needless])),
    )
    lanes.move(head.handler, PENDING, DROPPED, len(needless))
    lanes.offer([(head.handler, head.key)])
    messages = [message for _seq, _event, message in needless]
    for _ in range(messages.count(None)):
        lanes.move_fate("", Fate.WAITING, Fate.DROPPED)
    _move_messages(lanes, {message for message in messages if message is not None})
    return _closed(lanes, {event for _seq, event, _message in needless})


def _move_messages(lanes: Lanes, messages: Collection[int]) -> None:
    """Note what became of messages that waited until now."""
    for transport, fate in lanes.fates(messages).values():
        lanes.move_fate(transport, Fate.WAITING, fate)


def _closed(lanes: Lanes, events: Collection[int]) -> list[str]:
    rows = found_in_sets(
        lanes.db,
        """
        SELECT id FROM events WHERE pk IN ({rows})
        AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = pk AND +state < 4)
        """,
        [(event,) for event in events],
    )
    return [untext(name) for (name,) in rows]


def _take(lanes: Lanes, chosen: Sequence[Ready], now: int, until: int) -> list[Held]:
    flying = lanes.in_flight
    known = {held.seq: held for held in flying.fresh.take(one.seq for one in chosen)}
    to_read = [(one.seq,) for one in chosen if one.seq not in known]
    known.update((row[0], Held(*row)) for row in found_in_sets(lanes.db, _CHOSEN, to_read))
    left = _READ_LATER
    taken: list[Held] = []
    for one in chosen:
        held = known[one.seq]
        flying.take([held], until)
        left -= held.size
        if left < 0 and isinstance(held.document, bytes):
            held.document = event_of(held.document)
        if held.document is None:
            bury_what_cannot_be_read(lanes, [held], now)
        else:
            taken.append(held)
    return taken


def bury_what_cannot_be_read(lanes: Lanes, claims: Iterable[Held], now: int) -> None:
    """Make dead letters of claims whose events are no events any more."""
    reason = "its event can't be read from the journal any more"
    error = "EventFormatError"
    for held in claims:
        if lanes.in_flight.get(held.seq) is not held:
            continue
        lanes.in_flight.drop([held])
        in_sets(lanes.db, _FAILED, [_failed(held, error, reason, now)])
        _move(lanes, [(held, DEAD)])


def release(lanes: Lanes, claims: Iterable[Held]) -> None:
    """Give back what was claimed for somebody who is gone."""
    for held in claims:
        if lanes.in_flight.get(held.seq) is held:
            lanes.in_flight.drop([held])


def extend(lanes: Lanes, deliveries: Iterable[Delivery], until: int) -> None:
    """Keep claims that still hold for longer."""
    for delivery in deliveries:
        held = lanes.in_flight.get(int(delivery.id))
        if held is not None and held.claim == delivery.claim:
            held.until = until


def settle(lanes: Lanes, verdicts: Sequence[Verdict], now: int) -> tuple[list[str], list[Receipt]]:
    """Write down what became of claims that still hold.

    Returns:
        The events that are closed by it, and what tells of the dead letters, yet to be written down.
    """
    flying = lanes.in_flight
    settled: list[tuple[Held, int]] = []
    done: list[int] = []
    ruled: defaultdict[str, list[Row]] = defaultdict(list)  # by statement
    told: list[Receipt] = []
    events: dict[int, str] = {}
    unsure: set[int] = set()
    for verdict in verdicts:
        delivery = verdict.delivery
        seq = int(delivery.id)
        held = flying.get(seq)
        if held is None or held.claim != delivery.claim:
            continue  # its lease ended and another worker has it, or had it
        flying.drop([held])
        if isinstance(verdict, Release):
            continue
        if isinstance(verdict, Completed) and not verdict.rule and not verdict.detail:
            state = DONE
            done.append(seq)
        else:
            state = _rule(ruled, verdict, held, now)
        if isinstance(verdict, Bury) and verdict.tell is not None:
            told.append(verdict.tell)
        settled.append((held, state))
        if state >= DONE:
            events[held.event] = untext(held.name)
            if not held.is_alone:
                unsure.add(held.event)
    if done:
        lanes.db.execute(_DONE, (now, json.dumps(done)))
    for sql, rows in ruled.items():
        in_sets(lanes.db, sql, rows)
    _move(lanes, settled)
    over = set(_closed(lanes, unsure)) if unsure else set()
    return [name for event, name in events.items() if event not in unsure or name in over], told


def plainly_done(verdicts: Sequence[Verdict]) -> list[tuple[int, int]] | None:
    """Give the deliveries of verdicts with their claims; None when one says more than that it is done."""
    claims: list[tuple[int, int]] = []
    for verdict in verdicts:
        if type(verdict) is not Completed or verdict.rule or verdict.detail:
            return None
        delivery = verdict.delivery
        claims.append((int(delivery.id), delivery.claim))
    return claims


def settle_done(lanes: Lanes, claims: Sequence[tuple[int, int]]) -> tuple[list[int], list[str]] | None:
    """Note that claims are done which still hold, where each is all that its message brought.

    Returns:
        The deliveries, which are yet to be written down as done, and the events that are closed by it; None
        when one needs more than that.
    """
    flying = lanes.in_flight
    get = flying.get
    # what is missing has ended with its lease, and another worker has it, or had it
    over = {seq: held for seq, claim in claims if (held := get(seq)) is not None and held.claim == claim}
    settled = over.values()
    if not all(map(_is_alone, settled)):
        return None
    flying.drop(settled)
    for (handler, transport), number in Counter(map(_books, settled)).items():
        lanes.move(handler, PENDING, DONE, number)
        lanes.alone(PENDING, DONE, transport, number)
    return list(over), [untext(held.name) for held in settled]


_is_alone: Final = attrgetter("is_alone")
_books: Final = attrgetter("handler", "transport")


def _move(lanes: Lanes, settled: Sequence[tuple[Held, int]]) -> None:
    """Note claims that have come to another state: in the sums, the fates of messages, and their lanes."""
    moved: Counter[tuple[Text, int]] = Counter()
    alone: Counter[tuple[Text, int]] = Counter()
    unsure: set[int] = set()
    left: list[tuple[Text, Text | None]] = []
    for held, state in settled:
        moved[held.handler, state] += 1
        if held.is_alone:
            alone[held.transport, state] += 1
        elif held.message is not None:
            unsure.add(held.message)
        if state >= DONE:
            left.append((held.handler, held.key))
    for (handler, state), number in moved.items():
        lanes.move(handler, PENDING, state, number)
    for (transport, state), number in alone.items():
        lanes.alone(PENDING, state, transport, number)
    _move_messages(lanes, unsure)
    lanes.offer(left)  # the next one of each lane, or an older one that was replayed meanwhile


def _rule(
    ruled: Mapping[str, list[Row]], verdict: Completed | RetryAt | Park | Bury, held: Held, now: int
) -> int:
    """Note the rows of the statements that write a verdict down; give the state after it."""
    match verdict:
        case Completed(rule=rule, detail=detail):
            state = DROPPED if rule else DONE
            said = to_json(detail) if detail else None
            ruled[_SAID].append((held.seq, state, text(rule), said, now))
        case Park(on=on, until=until, error=error, reason=reason):
            state, due = PARKED, None if until is None else stamp(until)
            ruled[_PARKED].append((held.seq, due, text(error), text(reason), now))
            ruled[_NAMES].extend((text(name), held.seq, place) for place, name in enumerate(on))
        case RetryAt(at=at, error=error, reason=reason):
            state = WAITING
            ruled[_FAILED].append(_failed(held, error, reason, now, state=state, due=stamp(at)))
        case Bury(error=error, reason=reason):
            state = DEAD
            ruled[_FAILED].append(_failed(held, error, reason, now))
    return state


def _failed(
    held: Held, error: str, reason: str, now: int, *, state: int = DEAD, due: int | None = None
) -> Row:
    cause = fingerprint_of(held.handler, error, reason)
    failure = attempt(now, error, reason)
    return (held.seq, state, due, held.tries + 1, failure, text(error), text(reason), cause, now)
