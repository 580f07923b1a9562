"""Every journal does what a simple model of it does, whatever is asked in whatever order."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pywats_events import Event, EventType, RawMessage
from pywats_events.journal import (
    Attempt,
    Bury,
    Completed,
    Delivery,
    DeliveryState,
    Fact,
    MessageSums,
    Park,
    Parking,
    Passed,
    Query,
    RawRecord,
    Receipt,
    Release,
    Replay,
    RetryAt,
    Routed,
)
from pywats_events.journal.fates import fate_of

from .conftest import JOURNALS, OpenJournal

S = DeliveryState
START = datetime(2026, 1, 5, tzinfo=UTC)
HANDLERS = ("reports", "assets")
NAMES = ("destination:WATS", "unit:0")
LEASE = 30


@dataclass(eq=False)
class Row:
    """What the model knows of a delivery."""

    seq: int
    event_id: str
    unit: str
    handler: str
    message: int
    seen: int
    changed: int
    kind: str = "test.result"
    state: S = S.PENDING
    due: int | None = None
    parked_on: tuple[str, ...] = ()
    tries: int = 0
    held: Delivery | None = None
    history: list[tuple[str, ...]] = field(default_factory=list)

    def park(self, reason: str, now: int) -> None:
        """Note that it is left alone: again, or anew."""
        last = self.history[-1] if self.history else ("",)
        if last[0] == "parked" and last[1] == reason:
            self.history[-1] = ("parked", reason, last[2], str(int(last[3]) + 1), str(now), "not freed")
        else:
            self.history.append(("parked", reason, str(now), "1", str(now), "not freed"))

    @property
    def lane(self) -> tuple[str, str]:
        """Give what its order is kept by."""
        return (self.handler, self.unit)


@dataclass
class Model:
    """What a journal is, without any haste."""

    rows: list[Row] = field(default_factory=list)
    pruned: list[Row] = field(default_factory=list)
    superseded: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    received: int = 0
    repeated: int = 0
    duplicates: int = 0

    def claimable(
        self, now: int, limit: int, handlers: tuple[str, ...], since: int, coalesce: tuple[str, ...]
    ) -> list[Row]:
        """Give what may be claimed, oldest first; drop what is superseded at its turn."""
        for row in self.rows:
            if row.state in (S.WAITING, S.PARKED, S.IN_FLIGHT) and row.due is not None and row.due <= now:
                self.free(row)
        found: list[Row] = []
        while len(found) < limit:
            heads = self.heads(handlers, since, found)
            if not heads:
                break
            head = heads[0]
            if head.handler in coalesce and any(
                row.lane == head.lane
                and row.kind == head.kind
                and row.state is S.PENDING
                and row.seq > head.seq
                for row in self.rows
            ):
                head.state, head.changed = S.DROPPED, now
                if not self.is_open(head.event_id):
                    self.superseded.add(head.event_id)
            else:
                found.append(head)
        return found

    def heads(self, handlers: tuple[str, ...], since: int, taken: list[Row]) -> list[Row]:
        """Give the pending deliveries whose turn it is, oldest first."""
        busy = {row.lane for row in (*self.rows, *taken) if row.state is S.IN_FLIGHT or row in taken}
        found: list[Row] = []
        for row in self.rows:
            if row.state.is_settled:
                continue
            if row.lane not in busy and row.state is S.PENDING and row.handler in handlers:
                found.append(row)
            busy.add(row.lane)
        return sorted((row for row in found if row.seen >= since), key=lambda row: (row.seen, row.seq))

    def is_open(self, event_id: str) -> bool:
        """Tell whether an event has a delivery that is not settled."""
        return any(row.event_id == event_id and not row.state.is_settled for row in self.rows)

    def fates(self) -> Counter[str]:
        """Count what became of messages with deliveries."""
        by_message: defaultdict[int, list[S]] = defaultdict(list)
        for row in (*self.rows, *self.pruned):
            by_message[row.message].append(row.state)
        return Counter(fate_of(states).value for states in by_message.values())

    @staticmethod
    def free(row: Row) -> None:
        """Make a delivery pending."""
        if row.state is S.PARKED:
            row.history[-1] = (*row.history[-1][:-1], "freed")
        row.state, row.due, row.parked_on, row.held = S.PENDING, None, (), None


class JournalMachine(RuleBasedStateMachine):
    """Asks a journal and the model the same, and compares."""

    def __init__(self, make: OpenJournal) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.make = make
        self.model = Model()
        self.now = 0
        self.written = 0
        self.lost: list[Delivery] = []

    @initialize()
    def open(self) -> None:
        """Begin with an empty journal."""
        self.journal = self.runner.run(self.make())
        self.runner.run(self.journal.open())

    def teardown(self) -> None:
        """End."""
        if hasattr(self, "journal"):
            self.runner.run(self.journal.close())
        self.runner.close()

    def moment(self) -> datetime:
        """Give the time now."""
        return START + timedelta(seconds=self.now)

    @rule(
        numbers=st.lists(st.integers(0, 30), min_size=1, max_size=3),
        handlers=st.sampled_from([HANDLERS, HANDLERS[:1], ()]),
        fact=st.booleans(),
    )
    def append(self, numbers: list[int], handlers: tuple[str, ...], fact: bool) -> None:
        """A message comes, with events old and new."""
        events = [
            Event(
                EventType.TEST_RESULT if number % 2 else EventType.TEST_STARTED,
                {"unit_id": str(number % 3)},
                source="station",
                id=f"e{number}",
            )
            for number in numbers
        ]
        facts = (Fact("unit:0", {}, self.moment()),) if fact else ()
        record = RawRecord.of(RawMessage(b"x", transport="amqp", received_at=self.moment()))
        new: list[str] = []
        known: list[str] = []
        for event in events:
            (known if event.id in self.model.known else new).append(event.id)
            if event.id not in self.model.known:
                self.model.known.add(event.id)
                for handler in handlers:
                    row = Row(
                        self.written, event.id, event.key, handler, self.model.received, self.now, self.now
                    )
                    row.kind = event.event_type.value
                    self.model.rows.append(row)
                    self.written += 1
        self.model.received += 1
        self.model.repeated += not new
        self.model.duplicates += len(known)
        if new and fact:
            self._model_unpark("unit:0")

        (answer,) = self.runner.run(
            self.journal.append(
                [Receipt(record, tuple(Routed(event, handlers) for event in events), (), facts)]
            )
        )

        open_now = {row.event_id for row in self.model.rows if not row.state.is_settled}
        assert list(answer.new) == new
        assert list(answer.duplicates) == known
        assert set(answer.open) == {event.id for event in events} & open_now

    @rule(
        limit=st.integers(1, 4),
        handlers=st.sampled_from([HANDLERS, HANDLERS[:1], HANDLERS[1:]]),
        fresh=st.sampled_from([None, None, 0, 20]),
        coalesce=st.sampled_from([(), (), HANDLERS[1:]]),
    )
    def claim(
        self, limit: int, handlers: tuple[str, ...], fresh: int | None, coalesce: tuple[str, ...]
    ) -> None:
        """A worker asks for work: for all of it or for what is fresh, sometimes only for the newest."""
        held = [(row, row.held) for row in self.model.rows if row.held]
        since = -1 if fresh is None else self.now - fresh
        expected = self.model.claimable(self.now, limit, handlers, since, coalesce)
        self.lost += [one for row, one in held if row.held is None and one]

        claimed = self.runner.run(
            self.journal.claim(
                limit=limit,
                now=self.moment(),
                lease_seconds=LEASE,
                handlers=handlers,
                since=None if fresh is None else START + timedelta(seconds=since),
                coalesce=coalesce,
            )
        )

        assert [(one.event.id, one.handler, one.attempts) for one in claimed] == [
            (row.event_id, row.handler, row.tries) for row in expected
        ]
        for row, delivery in zip(expected, claimed, strict=True):
            row.state, row.held, row.due = S.IN_FLIGHT, delivery, self.now + LEASE

    @precondition(lambda self: any(row.held for row in self.model.rows))
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """A worker says what became of a delivery."""
        row = data.draw(st.sampled_from([row for row in self.model.rows if row.held]), label="row")
        delivery, row.held, row.due = row.held, None, None
        assert delivery is not None
        soon = data.draw(st.integers(1, 40), label="seconds")
        later = START + timedelta(seconds=self.now + soon)
        match data.draw(
            st.sampled_from(["done", "dropped", "dead", "retry", "park", "park timed", "release"])
        ):
            case "done":
                verdict, row.state = Completed(delivery), S.DONE
            case "dropped":
                verdict, row.state = Completed(delivery, rule="ours no more"), S.DROPPED
            case "dead":
                verdict, row.state, row.tries = Bury(delivery, "E", "why"), S.DEAD, row.tries + 1
                row.history.append(("failed", "why", str(self.now)))
            case "retry":
                verdict, row.state, row.tries = RetryAt(delivery, later, "E", "why"), S.WAITING, row.tries + 1
                row.due = self.now + soon
                row.history.append(("failed", "why", str(self.now)))
            case "park":
                on = tuple(data.draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True)))
                verdict, row.state, row.parked_on = Park(delivery, on, None, "E", "why"), S.PARKED, on
                row.park("why", self.now)
            case "park timed":
                reason = data.draw(st.sampled_from(["why", "why not"]), label="reason")
                verdict = Park(delivery, NAMES[:1], later, "E", reason)
                row.park(reason, self.now)
                row.state, row.parked_on, row.due = S.PARKED, NAMES[:1], self.now + soon
            case _:
                verdict = Release(delivery)
                self.model.free(row)
        row.changed = self.now
        expected = self.model.superseded | (set() if self.model.is_open(row.event_id) else {row.event_id})
        self.model.superseded = set()

        closed = self.runner.run(self.journal.settle([verdict], now=self.moment()))

        assert set(closed) == expected

    @precondition(lambda self: self.lost)
    @rule(data=st.data())
    def settle_what_was_lost(self, data: st.DataObject) -> None:
        """A worker that lost its lease says something all the same: nothing happens."""
        delivery = data.draw(st.sampled_from(self.lost), label="lost")
        closed = self.runner.run(self.journal.settle([Bury(delivery, "E", "late")], now=self.moment()))
        assert set(closed) == self.model.superseded
        self.model.superseded = set()

    @rule(seconds=st.integers(1, 40))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.now += seconds

    @rule(name=st.sampled_from(NAMES))
    def unpark(self, name: str) -> None:
        """What was waited for is there."""
        freed = self._model_unpark(name)
        assert self.runner.run(self.journal.unpark(name)) == freed

    def _model_unpark(self, name: str) -> int:
        rows = [row for row in self.model.rows if row.state is S.PARKED and name in row.parked_on]
        for row in rows:
            self.model.free(row)
        return len(rows)

    @precondition(lambda self: any(row.state is S.DEAD for row in self.model.rows))
    @rule(data=st.data(), discard=st.booleans())
    def raise_or_put_away(self, data: st.DataObject, discard: bool) -> None:
        """A person decides about the dead letters of an event."""
        dead = [row for row in self.model.rows if row.state is S.DEAD]
        event_id = data.draw(st.sampled_from(sorted({row.event_id for row in dead})), label="event")
        query = Query(event_id=event_id)
        if discard:
            number = self.runner.run(self.journal.discard(query, reason="scrap", now=self.moment()))
        else:
            number = self.runner.run(self.journal.replay(query, now=self.moment()))
        chosen = [row for row in dead if row.event_id == event_id]
        for row in chosen:
            if not discard:
                row.tries = 0
                row.history.append(("replayed", str(self.now)))
            row.state = S.DISCARDED if discard else S.PENDING
            row.changed = self.now
        assert number == len(chosen)

    @rule(age=st.integers(0, 40))
    def prune(self, age: int) -> None:
        """What is done for so long goes, as far as its whole message is."""
        before = self.now - age
        kept = {
            row.message
            for row in self.model.rows
            if row.state not in (S.DONE, S.DROPPED, S.DISCARDED) or row.changed >= before
        }
        gone = [row for row in self.model.rows if row.message not in kept]
        self.model.rows = [row for row in self.model.rows if row.message in kept]
        self.model.pruned += gone
        done_before = START + timedelta(seconds=before)
        assert self.runner.run(self.journal.prune(done_before=done_before)) == len(gone)

    @invariant()
    def states_agree(self) -> None:
        """Each delivery is what the model says, in the same order."""
        if not hasattr(self, "journal"):
            return
        entries = self.runner.run(self.journal.search(Query(limit=1000)))
        seen = [(one.event.id if one.event else None, one.handler, one.state) for one in entries]
        assert seen == [(row.event_id, row.handler, row.state) for row in self.model.rows]
        histories = [[in_words(passed) for passed in one.history] for one in entries]
        assert histories == [row.history for row in self.model.rows]

    @invariant()
    def books_balance(self) -> None:
        """The sums are those of the model."""
        if not hasattr(self, "journal"):
            return
        stats = self.runner.run(self.journal.stats())
        assert sum(stats.received.values()) == self.model.received
        assert sum(stats.duplicates.values()) == self.model.duplicates
        assert stats.events == len(self.model.known)
        everything = (*self.model.rows, *self.model.pruned)
        for state in S:
            assert stats.count(state) == sum(row.state is state for row in everything)
        ledger = self.runner.run(self.journal.ledger())
        assert ledger.difference == 0
        assert ledger.deliveries == stats.deliveries
        fates = self.model.fates()
        unwanted = self.model.received - self.model.repeated - fates.total()
        expected = MessageSums(
            received=self.model.received,
            repeated=self.model.repeated,
            **{**fates, "dropped": fates["dropped"] + unwanted},
        )
        assert ledger.messages.get("amqp", MessageSums()) == expected


def in_words(passed: Passed) -> tuple[str, ...]:
    """Give what a delivery came through as the model notes it: times of ours in seconds."""
    at = f"{(passed.at - START).total_seconds():.0f}"
    match passed:
        case Attempt(reason=reason):
            return ("failed", reason, at)
        case Parking(reason=reason, times=times, last=last, freed=freed):
            last_at = f"{(last - START).total_seconds():.0f}"
            return ("parked", reason, at, str(times), last_at, "freed" if freed else "not freed")
        case Replay():
            return ("replayed", at)


@pytest.mark.parametrize("kind", JOURNALS)
def test_a_journal_does_what_its_model_does(kind):
    """Whatever is asked in whatever order, a journal answers as the model of it."""
    run_state_machine_as_test(
        lambda: JournalMachine(JOURNALS[kind]),
        settings=settings(
            max_examples=30,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
