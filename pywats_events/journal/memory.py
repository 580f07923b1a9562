"""The journal in memory: for tests, and where losing the process may lose nothing but work to repeat."""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from pywats_events.event import Event
from pywats_events.journal.memory_rows import TIMED, Lane, Row, fits
from pywats_events.journal.records import (
    Appended,
    Attempt,
    Bury,
    Completed,
    Delivery,
    DeliveryState,
    Entry,
    Fact,
    Park,
    Query,
    RawRecord,
    Receipt,
    Release,
    RetryAt,
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
        self._keep_facts = keep_facts
        self._seq = count(1)
        self._rows: dict[str, Row] = {}
        self._of_event: defaultdict[str, list[Row]] = defaultdict(list)
        self._open_of: dict[str, set[str]] = {}  # event id -> ids of its unsettled deliveries
        self._known: OrderedDict[str, None] = OrderedDict()  # event ids, oldest first
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._in_flight: dict[str, Row] = {}
        self._ready: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)  # handler -> heap
        self._timers: list[tuple[datetime, int, str]] = []  # heap
        self._parked: defaultdict[str, set[str]] = defaultdict(set)
        self._raw: dict[str, RawRecord] = {}
        self._raw_users: Counter[str] = Counter()
        self._settled: deque[str] = deque()
        self._dead: OrderedDict[str, None] = OrderedDict()
        self._facts: OrderedDict[str, Fact] = OrderedDict()
        self._received: Counter[str] = Counter()
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
        message_id = str(next(self._seq)) if receipt.raw else None
        self._received[transport] += 1
        new: list[str] = []
        duplicates: list[str] = []
        for routed in receipt.events:
            event = routed.event
            if event.id in self._known:
                duplicates.append(event.id)
                continue
            self._know(event.id)
            new.append(event.id)
            self._events += 1
            self._unwanted += not routed.handlers
            for handler in routed.handlers:
                self._enqueue(self._row(event, handler, message_id, now), event)
        for broken in receipt.unreadable:
            if broken.id in self._known:
                duplicates.append(broken.id)
                continue
            self._know(broken.id)
            self._add_unreadable(broken, message_id, now)
        self._duplicates[transport] += len(duplicates)
        if message_id and receipt.raw and self._raw_users[message_id]:
            self._raw[message_id] = receipt.raw
        if new:
            self._learn(receipt.facts)
        named = [routed.event.id for routed in receipt.events]
        still_open = tuple(event_id for event_id in named if event_id in self._open_of)
        return Appended(new=tuple(new), duplicates=tuple(duplicates), open=still_open)

    def _know(self, event_id: str) -> None:
        self._known[event_id] = None
        for _ in range(len(self._known) - self._keep_ids):
            oldest, _nothing = self._known.popitem(last=False)
            if oldest in self._open_of:  # what is open is known whatever its age
                self._known[oldest] = None

    def _row(self, event: Event, handler: str, message_id: str | None, now: datetime) -> Row:
        seq = next(self._seq)
        row = Row(
            seq=seq,
            id=str(seq),
            state=DeliveryState.PENDING,
            event=event,
            handler=handler,
            source=event.source,
            message_name=event.metadata.message_name,
            message_id=message_id,
            first_seen=now,
            changed=now,
        )
        self._rows[row.id] = row
        self._of_event[event.id].append(row)
        self._counts[handler][row.state] += 1
        self._open_of.setdefault(event.id, set()).add(row.id)
        if message_id:
            self._raw_users[message_id] += 1
        return row

    def _add_unreadable(self, broken: Unreadable, message_id: str | None, now: datetime) -> None:
        seq = next(self._seq)
        row = Row(
            seq=seq,
            id=str(seq),
            state=DeliveryState.DEAD,
            event=None,
            handler="",
            source=broken.source,
            message_name=broken.message_name,
            message_id=message_id,
            first_seen=now,
            changed=now,
            error=broken.error,
            reason=broken.reason,
            attempts=(Attempt(now, broken.error, broken.reason),),
        )
        self._rows[row.id] = row
        self._counts[""][row.state] += 1
        if message_id:
            self._raw_users[message_id] += 1
        self._note_dead(row, now)

    # --- lanes: the order of one handler and key ---------------------------------------------------------

    def _enqueue(self, row: Row, event: Event) -> None:
        key = (row.handler, event.key)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key)
        row.lane = lane
        lane.insert(row)
        if lane.rows[0] is row:
            self._offer(lane)

    def _offer(self, lane: Lane) -> None:
        row = lane.ready
        if row is not None:
            heapq.heappush(self._ready[row.handler], (row.seq, row.id))

    def _leave_lane(self, row: Row) -> None:
        lane, row.lane = row.lane, None
        if lane is None:
            return
        lane.rows.remove(row)
        if lane.rows:
            self._offer(lane)
        else:
            del self._lanes[lane.key]

    def _land(self, row: Row) -> None:
        """Note that a delivery is in flight no more."""
        row.due = None
        self._in_flight.pop(row.id, None)
        if row.lane is not None and row.lane.in_flight is row:
            row.lane.in_flight = None

    def _set_state(self, row: Row, state: DeliveryState, now: datetime) -> None:
        self._counts[row.handler][row.state] -= 1
        self._counts[row.handler][state] += 1
        row.state, row.changed = state, now

    def _free(self, row: Row, now: datetime) -> None:
        self._unpark_row(row)
        self._land(row)
        self._set_state(row, DeliveryState.PENDING, now)
        if row.lane is not None:
            self._offer(row.lane)

    # --- claim and settle --------------------------------------------------------------------------------

    async def claim(
        self, *, limit: int, now: datetime, lease_seconds: float, handlers: Collection[str]
    ) -> list[Delivery]:
        """Take ready deliveries; see ``Journal.claim``."""
        self._changed.clear()
        self._free_what_is_due(now)
        claimed: list[Delivery] = []
        heaps = [self._ready[name] for name in handlers if name in self._ready]
        while len(claimed) < limit:
            heap = min((heap for heap in heaps if heap), key=lambda heap: heap[0], default=None)
            if heap is None:
                break
            _, row_id = heapq.heappop(heap)
            row = self._rows.get(row_id)
            # a heap may hold what was taken, settled or overtaken meanwhile
            if row is None or row.event is None or row.lane is None or row.lane.ready is not row:
                continue
            row.claim += 1
            row.due = now + timedelta(seconds=lease_seconds)
            row.lane.in_flight = self._in_flight[row.id] = row
            self._set_state(row, DeliveryState.IN_FLIGHT, now)
            claimed.append(Delivery(row.id, row.event, row.handler, row.tries, row.first_seen, row.claim))
        return claimed

    def _free_what_is_due(self, now: datetime) -> None:
        for row in [row for row in self._in_flight.values() if row.due and row.due <= now]:
            self._free(row, now)
        while self._timers and self._timers[0][0] <= now:
            due, _, row_id = heapq.heappop(self._timers)
            timed = self._rows.get(row_id)
            if timed and timed.due == due and timed.state in TIMED:
                self._free(timed, now)

    def _wake_at(self, row: Row, due: datetime) -> None:
        row.due = due
        heapq.heappush(self._timers, (due, row.seq, row.id))

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
        closed: list[str] = []
        for verdict in verdicts:
            row = self._held(verdict.delivery)
            if row is None:
                continue  # its lease ended and another worker has it, or had it
            self._apply(row, verdict, now)
            if row.state.is_settled:
                if self._close(row, now):
                    closed.append(verdict.delivery.event.id)
            elif row.lane is not None:
                self._offer(row.lane)  # an older one may have been replayed meanwhile
        self._changed.set()
        return closed

    def _apply(self, row: Row, verdict: Verdict, now: datetime) -> None:
        self._land(row)
        match verdict:
            case Completed(detail=detail, rule=rule):
                row.detail, row.rule = detail, rule
                self._set_state(row, DeliveryState.DROPPED if rule else DeliveryState.DONE, now)
            case RetryAt(at=at, error=error, reason=reason):
                self._note_failure(row, error, reason, now)
                self._set_state(row, DeliveryState.WAITING, now)
                self._wake_at(row, at)
            case Park(on=on, until=until, error=error, reason=reason):
                row.error, row.reason, row.parked_on = error, reason, on
                self._set_state(row, DeliveryState.PARKED, now)
                for name in on:
                    self._parked[name].add(row.id)
                if until is not None:
                    self._wake_at(row, until)
            case Bury(error=error, reason=reason):
                self._note_failure(row, error, reason, now)
                self._set_state(row, DeliveryState.DEAD, now)
            case Release():
                self._set_state(row, DeliveryState.PENDING, now)

    @staticmethod
    def _note_failure(row: Row, error: str, reason: str, now: datetime) -> None:
        row.tries += 1
        row.error, row.reason = error, reason
        row.attempts = (*row.attempts, Attempt(now, error, reason))

    def _close(self, row: Row, now: datetime) -> bool:
        """Take a settled delivery off the open ones; tell whether its event has no other open one."""
        self._leave_lane(row)
        if row.state is DeliveryState.DEAD:
            self._note_dead(row, now)
        else:
            self._retire(row)
        event_id = row.event.id if row.event else ""
        others = self._open_of[event_id]
        others.discard(row.id)
        if others:
            return False
        del self._open_of[event_id]
        return True

    def _retire(self, row: Row) -> None:
        """Keep a settled delivery to be looked at, and forget the oldest such ones."""
        self._drop_raw(row)
        self._settled.append(row.id)
        while len(self._settled) > self._keep_settled:
            self._forget(self._rows.pop(self._settled.popleft()))

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

    def _drop_raw(self, row: Row) -> None:
        if row.message_id is None:
            return
        self._raw_users[row.message_id] -= 1
        if not self._raw_users[row.message_id]:
            del self._raw_users[row.message_id]
            self._raw.pop(row.message_id, None)

    def _forget(self, row: Row) -> None:
        if row.event is None:
            return
        others = self._of_event[row.event.id]
        others.remove(row)
        if not others:
            del self._of_event[row.event.id]

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
            known = self._facts.get(fact.key)
            if known is not None and known.time > fact.time:
                continue
            self._facts[fact.key] = fact
            self._facts.move_to_end(fact.key)
            if fact.key in self._parked:
                self._unpark(fact.key, datetime.now(UTC))
        while len(self._facts) > self._keep_facts:
            self._facts.popitem(last=False)

    async def recall(self, keys: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """Give the facts that are known."""
        return {key: self._facts[key].value for key in keys if key in self._facts}

    # --- people ------------------------------------------------------------------------------------------

    async def replay(self, query: Query, *, now: datetime) -> int:
        """Make dead letters pending again; those without an event stay (see ``Journal.replay``)."""
        number = 0
        for row in self._found(replace(query, states=(DeliveryState.DEAD,))):
            if row.event is None:
                continue
            number += 1
            self._dead.pop(row.id, None)
            row.tries, row.error, row.reason = 0, None, None
            self._set_state(row, DeliveryState.PENDING, now)
            self._open_of.setdefault(row.event.id, set()).add(row.id)
            self._enqueue(row, row.event)
        self._changed.set()
        return number

    async def discard(self, query: Query, *, reason: str, now: datetime) -> int:
        """Put dead letters away for good."""
        rows = self._found(replace(query, states=(DeliveryState.DEAD,)))
        for row in rows:
            self._put_away(row, reason, now)
        return len(rows)

    async def search(self, query: Query) -> list[Entry]:
        """Find deliveries and unreadable messages, oldest first."""
        return [row.to_entry() for row in self._found(query)]

    def _found(self, query: Query) -> list[Row]:
        found: list[Row] = []
        for row in self._candidates(query):
            if len(found) >= query.limit:
                break
            if fits(row, query):
                found.append(row)
        return found

    def _candidates(self, query: Query) -> Iterator[Row]:
        after = int(query.after) if query.after else 0
        rows: Iterable[Row]
        if query.ids:
            chosen = (self._rows[row_id] for row_id in set(query.ids) if row_id in self._rows)
            rows = sorted(chosen, key=lambda row: row.seq)
        elif query.event_id is not None:
            rows = self._of_event.get(query.event_id, ())
        else:
            rows = list(self._rows.values())
        return (row for row in rows if row.seq > after)

    async def raw(self, message_id: str) -> RawRecord | None:
        """Give the bytes of a message that is not done yet, or that is dead."""
        return self._raw.get(message_id)

    async def stats(self) -> Stats:
        """Count."""
        heads = [lane.rows[0].first_seen for lane in self._lanes.values()]
        return Stats(
            received=dict(self._received),
            duplicates={name: number for name, number in self._duplicates.items() if number},
            events=self._events,
            unwanted=self._unwanted,
            deliveries={
                name: {state: number for state, number in by_state.items() if number}
                for name, by_state in self._counts.items()
            },
            oldest_open=min(heads, default=None),
        )

    async def wait_ready(self, *, now: datetime, timeout: float) -> None:  # noqa: ASYNC109  # part of the contract
        """Wait for a change or for the next time that comes."""
        times = [row.due for row in self._in_flight.values() if row.due]
        times += [self._timers[0][0]] if self._timers else []
        timeout = min([timeout, *((due - now).total_seconds() for due in times)])
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            return
