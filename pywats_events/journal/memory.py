"""The journal in memory: for tests, and where losing the process may lose nothing but work to repeat."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import Any

from pywats_events.event import Event
from pywats_events.journal.fates import Fate
from pywats_events.journal.fingerprint import fingerprint
from pywats_events.journal.memory_facts import Facts
from pywats_events.journal.memory_holds import Holds, Notes
from pywats_events.journal.memory_messages import Books, Message
from pywats_events.journal.memory_rows import Lane, Row
from pywats_events.journal.memory_searching import by_cause, found
from pywats_events.journal.memory_turns import Timers, Turns
from pywats_events.journal.records import (
    READ_AGAIN,
    SUPERSEDED,
    Amended,
    Appended,
    Attempt,
    Bury,
    Completed,
    DeadGroup,
    Delivery,
    DeliveryState,
    Entry,
    Fact,
    Health,
    Hold,
    Ledger,
    MessageHead,
    Park,
    Query,
    RawRecord,
    Receipt,
    Release,
    RetryAt,
    Routed,
    Stats,
    Verdict,
)
from pywats_events.message import Unreadable


class MemoryJournal:
    """A journal that ends with its process. Messages are acknowledged only when their deliveries are settled.

    Args:
        keep_settled: how many settled deliveries stay to be looked at.
        keep_ids: how many event ids are remembered to recognise repeats.
        keep_dead: how many dead letters stay; the oldest beyond that are discarded and counted as such.
        keep_facts: how many facts are remembered; the oldest are forgotten.
    """

    durable = False
    shared = False

    def __init__(
        self,
        *,
        keep_settled: int = 10_000,
        keep_ids: int = 500_000,
        keep_dead: int = 10_000,
        keep_facts: int = 200_000,
    ) -> None:
        self._keep_settled = keep_settled
        self._keep_ids = keep_ids
        self._keep_dead = keep_dead
        self._seq = count(1)
        self._rows: dict[str, Row] = {}
        self._of_event: defaultdict[str, list[Row]] = defaultdict(list)
        self._open_of: dict[str, set[str]] = {}  # event id -> ids of its unsettled deliveries
        self._known: OrderedDict[str, datetime] = OrderedDict()  # event ids, oldest first
        self._turns = Turns(self._rows)
        self._timers = Timers(self._rows)
        self._in_flight: dict[str, Row] = {}
        self._parked: defaultdict[str, set[str]] = defaultdict(set)
        self._books = Books()
        self._settled: deque[str] = deque()
        self._dead: OrderedDict[str, None] = OrderedDict()
        self._facts = Facts(keep_facts)
        self._notes = Notes()
        self._holds = Holds()
        self._superseded: list[str] = []  # events closed by claims, which nobody was told of yet
        self._duplicates: Counter[str] = Counter()
        self._events = 0
        self._unwanted = 0
        self._counts: defaultdict[str, Counter[DeliveryState]] = defaultdict(Counter)
        self._changed = asyncio.Event()

    async def open(self) -> None:
        """Make it ready for the loop that runs now."""
        self._changed = asyncio.Event()

    async def close(self) -> None:
        """Nothing to close."""

    async def append(self, receipts: Sequence[Receipt]) -> list[Appended]:
        """Take receipts in; see ``Journal.append``."""
        answers = [self._append(receipt) for receipt in receipts]
        self._changed.set()
        return answers

    def _append(self, receipt: Receipt) -> Appended:
        now = receipt.raw.received_at if receipt.raw else datetime.now(UTC)
        transport = receipt.raw.transport if receipt.raw else ""
        message = Message(str(next(self._seq)) if receipt.raw else None, transport, receipt.raw)
        new: list[str] = []
        duplicates: list[str] = []
        for routed in receipt.events:
            if routed.event.id in self._known:
                duplicates.append(routed.event.id)
            else:
                new.append(routed.event.id)
                self._add(routed, message, now)
        parts = len(duplicates)
        for broken in receipt.unreadable:
            if broken.id in self._known:
                duplicates.append(broken.id)
            else:
                self._add_unreadable(broken, message, now)
        self._duplicates[transport] += len(duplicates)
        is_repeated = bool(duplicates) and not new and len(duplicates) - parts == len(receipt.unreadable)
        self._books.receive(message, is_repeated=is_repeated)
        for row in message.rows:
            if row.state is DeliveryState.DEAD:
                self._note_dead(row, now)
        if new:
            self._learn(receipt.facts)
        named = [routed.event.id for routed in receipt.events]
        still_open = tuple(event_id for event_id in named if event_id in self._open_of)
        return Appended(new=tuple(new), duplicates=tuple(duplicates), open=still_open)

    def _add(self, routed: Routed, message: Message, now: datetime) -> None:
        self._know(routed.event.id, now)
        self._events += 1
        self._unwanted += not routed.handlers
        for handler in routed.handlers:
            row = self._row(routed.event, handler, message, now)
            message.states[row.state] += 1
            self._turns.enter(row, routed.event.key)

    def _know(self, event_id: str, now: datetime) -> None:
        self._known[event_id] = now
        for _ in range(len(self._known) - self._keep_ids):
            oldest, seen = self._known.popitem(last=False)
            if oldest in self._open_of:  # what is open is known whatever its age
                self._known[oldest] = seen

    def _row(self, event: Event, handler: str, message: Message, now: datetime) -> Row:
        seq = next(self._seq)
        row = Row(
            seq=seq,
            id=str(seq),
            state=DeliveryState.PENDING,
            event=event,
            handler=handler,
            source=event.source,
            message_name=event.metadata.message_name,
            message=message,
            first_seen=now,
            changed=now,
        )
        self._enter(row)
        self._open_of.setdefault(event.id, set()).add(row.id)
        return row

    def _add_unreadable(self, broken: Unreadable, message: Message, now: datetime) -> Row:
        self._know(broken.id, now)
        seq = next(self._seq)
        row = Row(
            seq=seq,
            id=str(seq),
            state=DeliveryState.DEAD,
            event=None,
            handler="",
            source=broken.source,
            message_name=broken.message_name,
            message=message,
            first_seen=now,
            changed=now,
            error=broken.error,
            reason=broken.reason,
            history=(Attempt(now, broken.error, broken.reason),),
            part_id=broken.id,
            fingerprint=fingerprint("", broken.error, broken.reason),
        )
        self._enter(row)
        message.states[row.state] += 1
        return row

    def _enter(self, row: Row) -> None:
        self._rows[row.id] = row
        self._of_event[row.event_id].append(row)
        self._counts[row.handler][row.state] += 1
        row.message.rows.append(row)

    # --- states ------------------------------------------------------------------------------------------

    def _land(self, row: Row) -> None:
        """Note that a delivery is in flight no more."""
        row.due = None
        self._in_flight.pop(row.id, None)
        if row.lane is not None and row.lane.in_flight is row:
            row.lane.in_flight = None

    def _set_state(self, row: Row, state: DeliveryState, now: datetime) -> None:
        self._counts[row.handler][row.state] -= 1
        self._counts[row.handler][state] += 1
        self._books.move(row.message, row.state, state)
        row.state, row.changed = state, now

    def _free(self, row: Row, now: datetime) -> None:
        if row.state is DeliveryState.PARKED:
            row.note_freed(now)
        self._unpark_row(row)
        self._land(row)
        self._set_state(row, DeliveryState.PENDING, now)
        if row.lane is not None:
            self._turns.offer(row.lane)

    # --- claim and settle --------------------------------------------------------------------------------

    async def claim(
        self,
        *,
        limit: int,
        now: datetime,
        lease_seconds: float,
        handlers: Collection[str],
        since: datetime | None = None,
        coalesce: Collection[str] = (),
    ) -> list[Delivery]:
        """Take ready deliveries; see ``Journal.claim``."""
        self._changed.clear()
        self._free_what_is_due(now)
        claimed: list[Delivery] = []
        passed_by: list[Row] = []
        for row, lane in self._turns.ready(handlers if limit > 0 else ()):
            if since is not None and row.first_seen < since:
                passed_by.append(row)
            elif row.handler in coalesce and lane.supersedes(row):
                self._supersede(row, now)
            elif row.event is not None:
                claimed.append(self._take(row, row.event, lane, now, lease_seconds))
                if len(claimed) == limit:
                    break
        for row in passed_by:
            self._turns.put_back(row)
        return claimed

    def _take(self, row: Row, event: Event, lane: Lane, now: datetime, lease_seconds: float) -> Delivery:
        row.claim += 1
        row.due = now + timedelta(seconds=lease_seconds)
        lane.in_flight = self._in_flight[row.id] = row
        self._set_state(row, DeliveryState.IN_FLIGHT, now)
        return Delivery(row.id, event, row.handler, row.tries, row.first_seen, row.claim)

    def _supersede(self, row: Row, now: datetime) -> None:
        row.rule = SUPERSEDED
        self._set_state(row, DeliveryState.DROPPED, now)
        if self._close(row, now):
            self._superseded.append(row.event_id)

    def _free_what_is_due(self, now: datetime) -> None:
        for row in [row for row in self._in_flight.values() if row.due and row.due <= now]:
            self._free(row, now)
        for row in self._timers.over(now):
            self._free(row, now)

    def _held(self, delivery: Delivery) -> Row | None:
        """Give the row of a claim that still holds; None when its lease ended."""
        row = self._in_flight.get(delivery.id)
        return row if row is not None and row.claim == delivery.claim else None

    async def extend(self, deliveries: Sequence[Delivery], *, now: datetime, lease_seconds: float) -> None:
        """Keep claimed deliveries for longer."""
        for delivery in deliveries:
            row = self._held(delivery)
            if row is not None:
                row.due = now + timedelta(seconds=lease_seconds)

    async def settle(self, verdicts: Sequence[Verdict], *, now: datetime) -> list[str]:
        """Write down what became of claimed deliveries; see ``Journal.settle``."""
        closed, self._superseded = self._superseded, []
        for verdict in verdicts:
            row = self._held(verdict.delivery)
            if row is None:
                continue  # its lease ended and another worker has it, or had it
            self._apply(row, verdict, now)
            if isinstance(verdict, Bury) and verdict.tell is not None:
                self._append(verdict.tell)
            if row.state.is_settled:
                if self._close(row, now):
                    closed.append(verdict.delivery.event.id)
            elif row.lane is not None:
                self._turns.offer(row.lane)  # an older one may have been replayed meanwhile
        self._changed.set()
        return closed

    def _apply(self, row: Row, verdict: Verdict, now: datetime) -> None:
        self._land(row)
        match verdict:
            case Completed(detail=detail, rule=rule):
                row.detail, row.rule = detail, rule
                self._set_state(row, DeliveryState.DROPPED if rule else DeliveryState.DONE, now)
            case RetryAt(at=at, error=error, reason=reason):
                row.note_failure(error, reason, now)
                self._set_state(row, DeliveryState.WAITING, now)
                self._timers.wake_at(row, at)
            case Park(on=on, until=until, error=error, reason=reason):
                row.note_parking(error, reason, now)
                row.parked_on = on
                self._set_state(row, DeliveryState.PARKED, now)
                for name in on:
                    self._parked[name].add(row.id)
                if until is not None:
                    self._timers.wake_at(row, until)
            case Bury(error=error, reason=reason):
                row.note_failure(error, reason, now)
                self._set_state(row, DeliveryState.DEAD, now)
            case Release():
                self._set_state(row, DeliveryState.PENDING, now)

    def _close(self, row: Row, now: datetime) -> bool:
        """Take a settled delivery off the open ones; tell whether its event has no other open one."""
        self._turns.leave(row)
        if row.state is DeliveryState.DEAD:
            self._note_dead(row, now)
        else:
            self._retire(row)
        event_id = row.event_id
        others = self._open_of[event_id]
        others.discard(row.id)
        if others:
            return False
        del self._open_of[event_id]
        return True

    def _retire(self, row: Row) -> None:
        """Keep a settled delivery to be looked at, and forget the oldest such ones."""
        self._settled.append(row.id)
        while len(self._settled) > self._keep_settled:
            self._forget(self._rows.get(self._settled.popleft()))

    def _note_dead(self, row: Row, now: datetime) -> None:
        self._dead[row.id] = None
        while len(self._dead) > self._keep_dead:
            oldest = self._rows[next(iter(self._dead))]
            self._put_away(oldest, f"the journal in memory keeps {self._keep_dead} dead letters", now)

    def _put_away(self, row: Row, reason: str, now: datetime) -> None:
        self._dead.pop(row.id, None)
        row.rule = reason
        self._set_state(row, DeliveryState.DISCARDED, now)
        self._retire(row)

    def _forget(self, row: Row | None) -> None:
        if row is None:  # it was pruned
            return
        del self._rows[row.id]
        row.message.rows.remove(row)
        others = self._of_event[row.event_id]
        others.remove(row)
        if not others:
            del self._of_event[row.event_id]

    # --- parking, facts ----------------------------------------------------------------------------------

    def _unpark_row(self, row: Row) -> None:
        for name in row.parked_on:
            waiting = self._parked.get(name)
            if waiting:
                waiting.discard(row.id)
                if not waiting:
                    del self._parked[name]
        row.parked_on = ()

    async def unpark(self, on: str) -> int:
        """Set free what is parked on this."""
        return self._unpark(on, datetime.now(UTC))

    def _unpark(self, on: str, now: datetime) -> int:
        rows = [self._rows[row_id] for row_id in self._parked.get(on, ())]
        for row in rows:
            self._free(row, now)
        if rows:
            self._changed.set()
        return len(rows)

    async def remember(self, facts: Sequence[Fact]) -> None:
        """Write facts down; see ``Journal.remember``."""
        self._learn(facts)

    def _learn(self, facts: Iterable[Fact]) -> None:
        for fact in facts:
            if self._facts.learn(fact) and fact.key in self._parked:
                self._unpark(fact.key, datetime.now(UTC))

    async def recall(self, keys: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """Give the facts that are known."""
        return self._facts.recall(keys)

    # --- people ------------------------------------------------------------------------------------------

    async def replay(self, query: Query, *, now: datetime) -> int:
        """Make dead letters pending again; those without an event stay (see ``Journal.replay``)."""
        number = 0
        for row in self._dead_ones(query):
            if row.event is None:
                continue
            number += 1
            self._dead.pop(row.id, None)
            row.note_replay(now)
            self._set_state(row, DeliveryState.PENDING, now)
            self._open_of.setdefault(row.event.id, set()).add(row.id)
            self._turns.enter(row, row.event.key)
        self._changed.set()
        return number

    async def discard(self, query: Query, *, reason: str, now: datetime) -> int:
        """Put dead letters away for good."""
        rows = self._dead_ones(query)
        for row in rows:
            self._put_away(row, reason, now)
        return len(rows)

    def _dead_ones(self, query: Query) -> list[Row]:
        if query.states and DeliveryState.DEAD not in query.states:
            return []
        return self._found(replace(query, states=(DeliveryState.DEAD,)))

    async def amend(self, message_id: str, reading: Receipt, *, now: datetime) -> Amended:
        """Put a message's new reading in the place of the old one; see ``Journal.amend``."""
        message = self._books.kept.get(message_id)
        if message is None:
            raise LookupError(f"journal: message {message_id} is not there, or is kept no more")
        changed = [routed.event.id for routed in reading.events if self._replace(routed.event)]
        new = [routed.event.id for routed in reading.events if self._add_missing(routed, message, now)]
        still = {part.id for part in reading.unreadable}
        read = [
            row
            for row in message.rows
            if row.part_id and row.state is DeliveryState.DEAD and row.part_id not in still
        ]
        for part in reading.unreadable:
            if part.id not in self._known:
                row = self._add_unreadable(part, message, now)
                self._note_dead(row, now)
        for row in read:
            self._put_away(row, READ_AGAIN, now)
        if changed or new or read:
            self._learn(reading.facts)
            self._changed.set()
        return Amended(tuple(changed), tuple(new), tuple(row.part_id for row in read if row.part_id))

    def _replace(self, event: Event) -> bool:
        rows = self._of_event.get(event.id, ())
        dead = [row for row in rows if row.state is DeliveryState.DEAD]
        if not dead or event.id in self._open_of:
            return False
        for row in rows:
            row.event = event
        for row in dead:
            row.source, row.message_name = event.source, event.metadata.message_name
        return True

    def _add_missing(self, routed: Routed, message: Message, now: datetime) -> bool:
        event = routed.event
        if event.id not in self._known:
            self._know(event.id, now)
            self._events += 1
            self._unwanted += not routed.handlers
        due_to = {row.handler for row in self._of_event.get(event.id, ())}
        missing = [handler for handler in routed.handlers if handler not in due_to]
        for handler in missing:
            row = self._row(event, handler, message, now)
            self._books.move(message, None, row.state)
            self._turns.enter(row, event.key)
        return bool(missing)

    async def groups(self, query: Query) -> list[DeadGroup]:
        """Give the dead letters by their cause; see ``Journal.groups``."""
        everything = replace(query, after=None, newest_first=False, limit=len(self._rows), states=())
        return by_cause(self._dead_ones(everything))[: query.limit]

    async def prune(
        self,
        *,
        done_before: datetime,
        facts_before: datetime | None = None,
        ids_before: datetime | None = None,
    ) -> int:
        """Remove what is done; see ``Journal.prune``."""
        done = {id(row.message): row.message for row in self._rows.values() if row.state.is_settled}
        number = 0
        for message in done.values():
            if message.fate in (Fate.WAITING, Fate.DEAD):
                continue
            if max(row.changed for row in message.rows) >= done_before:
                continue
            for row in list(message.rows):
                self._forget(row)
                number += 1
        if facts_before is not None:
            self._prune_facts(facts_before)
        if ids_before is not None:
            old = [
                one for one, seen in self._known.items() if seen < ids_before and one not in self._of_event
            ]
            for one in old:
                del self._known[one]
        return number

    def _prune_facts(self, before: datetime) -> None:
        if self._turns.any_open_before(before):
            return
        self._facts.forget(before, self._parked)

    async def search(self, query: Query) -> list[Entry]:
        """Find deliveries and unreadable messages, oldest first."""
        return [row.to_entry() for row in self._found(query)]

    def _found(self, query: Query) -> list[Row]:
        return found(query, self._rows, self._of_event)

    async def raw(self, message_id: str) -> RawRecord | None:
        """Give the bytes of a message that is not done yet, or that is dead."""
        message = self._books.kept.get(message_id)
        return message.raw if message else None

    async def recent_messages(
        self, transport: str, *, limit: int, having: Mapping[str, str]
    ) -> list[MessageHead]:
        """Give the messages that are not done yet, or are dead; see ``Journal.recent_messages``."""
        kept = (message.raw for message in reversed(self._books.kept.values()) if message.raw is not None)
        found = (
            MessageHead(raw.address, raw.properties, raw.received_at)
            for raw in kept
            if raw.transport == transport and having.items() <= raw.properties.items()
        )
        return list(islice(found, limit))

    async def stats(self) -> Stats:
        """Count."""
        return Stats(
            received=self._books.received,
            duplicates={name: number for name, number in self._duplicates.items() if number},
            events=self._events,
            unwanted=self._unwanted,
            deliveries=self._deliveries(),
            oldest_open=self._oldest_open(),
        )

    def _deliveries(self) -> dict[str, dict[DeliveryState, int]]:
        return {
            name: {state: number for state, number in by_state.items() if number}
            for name, by_state in self._counts.items()
        }

    def _oldest_open(self) -> datetime | None:
        return min((row.first_seen for row in self._turns.heads()), default=None)

    async def ledger(self) -> Ledger:
        """Give the books; see ``Journal.ledger``."""
        return Ledger(self._books.sums(), self._deliveries())

    async def health(self) -> Health:
        """Give the bytes of the messages that are kept; memory has no other limit here."""
        return Health(
            used=self._books.bytes,
            oldest_open=self._oldest_open(),
            oldest_dead=min((self._rows[one].first_seen for one in self._dead), default=None),
            oldest=min((row.first_seen for row in self._rows.values()), default=None),
        )

    # --- notes and holds ---------------------------------------------------------------------------------

    async def put_note(self, name: str, value: Any) -> None:
        """Keep a note as long as this journal lives; None removes it."""
        self._notes.put(name, value)

    async def notes(self, prefix: str = "") -> Mapping[str, Any]:
        """Give the notes whose names begin so."""
        return self._notes.find(prefix)

    async def holds(self) -> Mapping[str, Hold]:
        """Give the destinations that are left alone."""
        return self._holds.all()

    async def hold(self, destination: str, hold: Hold | None) -> None:
        """Leave a destination alone, or not any more."""
        self._holds.put(destination, hold)
        self._changed.set()

    async def try_probe(self, destination: str, *, now: datetime, lease_seconds: float) -> bool:
        """Ask to be the one that probes; see ``Journal.try_probe``."""
        return self._holds.try_probe(destination, now, lease_seconds)

    async def wait_ready(self, *, now: datetime, timeout: float) -> None:  # noqa: ASYNC109  # part of the contract
        """Wait for a change or for the next time that comes."""
        times = [row.due for row in self._in_flight.values() if row.due]
        times += [self._timers.next] if self._timers.next else []
        timeout = min([timeout, *((due - now).total_seconds() for due in times)])
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            return
