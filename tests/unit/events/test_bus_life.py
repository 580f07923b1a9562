"""What the bus promises when the journal fails, when it is full, and at its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import pytest

from pywats_events import (
    AsyncEventBus,
    BaseHandler,
    Event,
    EventType,
    PermanentError,
    RawMessage,
)
from pywats_events.journal import DeliveryState, JournalError, Query
from pywats_events.journal.memory import MemoryJournal
from pywats_events.transports import MockTransport

from .bus_steps import drained, let_others_run, publish, states
from .doubles import PATIENCE, Gated, HeldUp, Recorder, Refusing, Scripted, result_of

# --- the journal fails


async def test_a_journal_that_refuses_and_works_again():
    """Publishing says why it failed; afterwards everything goes on."""
    journal, handler = Refusing(), Recorder()
    async with AsyncEventBus(journal=journal) as bus:
        bus.subscribe(handler)
        journal.refuses = True
        with pytest.raises(JournalError, match="free some space"):
            await publish(bus, "A")
        journal.refuses = False
        await publish(bus, "B")
        await handler.saw(1)
    assert handler.units == ["B"]


async def test_an_event_that_breaks_the_journal_hurts_nobody_else():
    """When one event of a batch can't be written, it alone is refused."""

    class Picky(HeldUp):
        async def append(self, receipts):
            await super().append([])
            if any(routed.event.key == "poison" for receipt in receipts for routed in receipt.events):
                raise TypeError("not JSON")
            return await super().append(receipts)

    journal, handler = Picky(), Recorder()
    async with AsyncEventBus(journal=journal) as bus:
        bus.subscribe(handler)
        units = ["first", "A", "poison", "B"]
        waiting = [asyncio.ensure_future(bus.publish(result_of(unit))) for unit in units]
        await journal.asked.wait()
        await let_others_run()
        journal.commit.set()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        await handler.saw(3)
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "NoneType",
        "NoneType",
        "JournalError",
        "NoneType",
    ]
    assert handler.units == ["first", "A", "B"]


class Forgetful(MemoryJournal):
    """Can't write down some outcomes."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = list(errors)
        self.poison: str | None = None

    async def settle(self, verdicts: Sequence, *, now):
        """Settle, or not."""
        if self.errors:
            raise self.errors.pop(0)
        if any(
            verdict.delivery.event.key == self.poison and type(verdict).__name__ == "Completed"
            for verdict in verdicts
        ):
            raise TypeError("detail is not JSON")
        return await super().settle(verdicts, now=now)


async def test_an_outcome_that_can_not_be_written_is_written_later():
    """When the journal is away for a moment, outcomes are kept and the handler is not called again."""
    journal, handler = Forgetful(JournalError("away")), Recorder()
    async with AsyncEventBus(journal=journal) as bus:
        bus.subscribe(handler)
        await publish(bus, "A")
        await drained(bus)
        assert await states(bus) == ["done"]
    assert handler.units == ["A"]


async def test_an_outcome_that_breaks_the_journal_hurts_nobody_else():
    """An outcome that can't be written makes its delivery a dead letter; the others are done."""
    journal, gated = Forgetful(), Gated()
    journal.poison = "B"
    async with AsyncEventBus(journal=journal) as bus:
        bus.subscribe(gated)
        await publish(bus, "A", "B", "C")
        await gated.saw(3)
        gated.gate.set()
        await drained(bus)
        assert await states(bus) == ["done", "dead", "done"]
        (entry,) = await bus.journal.search(Query(key="B"))
    assert "detail is not JSON" in (entry.reason or "")


async def test_a_machine_that_slept_runs_nothing_twice():
    """When all leases ended at once, what this process still works on is not begun a second time."""

    class ShortLeases(MemoryJournal):
        short = 5

        async def claim(self, *, lease_seconds, **options):
            self.short -= 1
            lease = 0.0 if self.short >= 0 else lease_seconds
            return await super().claim(lease_seconds=lease, **options)

    gated = Gated()
    async with AsyncEventBus(journal=ShortLeases()) as bus:
        bus.subscribe(gated)
        await publish(bus, "A")
        await gated.saw(1)
        await publish(bus, "B")
        await gated.saw(2)
        gated.gate.set()
        await drained(bus)
        assert await states(bus) == ["done", "done"]
    assert sorted(gated.units) == ["A", "B"]


# --- back-pressure


async def test_sources_wait_when_the_backlog_is_full():
    """At the limit messages wait, in their order; when half of it is worked off they come."""
    gated = Gated()
    async with AsyncEventBus(high_water=4, concurrency=1) as bus:
        bus.subscribe(gated)
        await publish(bus, "1", "2", "3", "4")
        later = [asyncio.ensure_future(publish(bus, str(number))) for number in range(5, 9)]
        await let_others_run()
        assert not any(one.done() for one in later)
        assert (await bus.journal.stats()).open == 4
        gated.gate.set()
        await asyncio.wait_for(asyncio.gather(*later), PATIENCE)
        await drained(bus)
    assert gated.units == [str(number) for number in range(1, 9)]


async def test_a_full_backlog_does_not_lock_handlers_out():
    """What a handler publishes does not wait for a backlog that waits for the handler."""
    seen = Recorder([EventType.CUSTOM], name="follow-up")

    class Publishes(BaseHandler):
        event_types = (EventType.TEST_RESULT,)

        async def handle(self, event):
            await bus.publish(Event(EventType.CUSTOM, source=event.key))

    async with AsyncEventBus(high_water=1, concurrency=1) as bus:
        bus.subscribe(Publishes())
        bus.subscribe(seen)
        async with asyncio.timeout(PATIENCE):
            await publish(bus, "A", "B", "C")
        await drained(bus)
    assert seen.units == ["A", "B", "C"]


async def test_the_backlog_of_before_counts():
    """A bus that starts with a full journal takes nothing in before some of it is worked off."""
    journal = MemoryJournal()
    gated = Gated()
    async with AsyncEventBus(journal=journal) as bus:
        bus.subscribe(gated)
        await publish(bus, "A", "B")
        await gated.saw(2)
        await bus.stop(timeout=0.0)
    async with AsyncEventBus(journal=journal, high_water=2) as bus:
        waiting = asyncio.ensure_future(publish(bus, "C"))
        await let_others_run()
        assert not waiting.done()
        gated.gate.set()
        bus.subscribe(gated)
        await asyncio.wait_for(waiting, PATIENCE)
        await drained(bus)
    assert sorted(gated.ended) == ["A", "B", "C"]


async def test_what_waits_for_room_is_turned_away_at_the_end():
    """Who waits for room when the bus stops is told so, and does not wait for ever."""
    gated = Gated()
    bus = AsyncEventBus(high_water=1)
    await bus.start()
    bus.subscribe(gated)
    await publish(bus, "A")
    waiting = asyncio.ensure_future(publish(bus, "B"))
    await let_others_run()
    await bus.stop(timeout=0.0)
    with pytest.raises(JournalError, match="stopped"):
        await asyncio.wait_for(waiting, PATIENCE)


# --- life


async def test_publish_before_start_and_after_stop():
    """A bus that does not run says so, and what to do."""
    bus = AsyncEventBus()
    with pytest.raises(RuntimeError, match="start the bus first"):
        await publish(bus, "A")
    async with bus:
        pass
    with pytest.raises(RuntimeError, match="has stopped"):
        await publish(bus, "A")
    with pytest.raises(RuntimeError, match="make a new one"):
        await bus.start()


async def test_start_and_stop_twice():
    """Starting a bus that runs, and stopping one that does not, is harmless; so are two stops at once."""
    bus, handler = AsyncEventBus(), Recorder()
    await bus.stop()
    await bus.start()
    await bus.start()
    bus.subscribe(handler)
    await publish(bus, "A")
    await asyncio.gather(bus.stop(), bus.stop())
    await bus.stop()
    assert handler.units == ["A"]


async def test_leaving_finishes_what_is_ready():
    """Work that is ready when the bus stops is done first, also what handlers and the bus add to it."""
    seen = Recorder([EventType.EVENT_DEAD_LETTER], name="letters")
    async with AsyncEventBus() as bus:
        bus.subscribe(seen)
        bus.subscribe(Scripted(PermanentError("no")))
        await publish(bus, "A")
    assert len(seen.seen) == 1


async def test_a_new_bus_goes_on_where_the_old_one_stopped(quick):
    """What one bus left in its journal the next one handles, and drain waits for that too."""
    journal, gated = MemoryJournal(), Gated()
    async with AsyncEventBus(journal=journal) as bus:
        bus.subscribe(gated)
        await publish(bus, "A", "B")
        await gated.saw(2)
        await bus.stop(timeout=0.0)
    handler = Recorder(name="Gated")
    bus = AsyncEventBus(journal=journal, retry_policy=quick)
    bus.subscribe(handler)
    async with bus:
        await drained(bus)
        assert sorted(handler.units) == ["A", "B"]


async def test_drain_gives_up_after_its_time(bus):
    """Drain says when not everything was done in time."""
    gated = Gated()
    bus.subscribe(gated)
    await publish(bus, "A")
    assert await bus.drain(timeout=0.01) is False
    gated.gate.set()
    assert await bus.drain() is True


async def test_a_handler_that_will_not_end_does_not_hold_up_the_stop(monkeypatch):
    """A handler that ignores its cancellation is left behind."""
    monkeypatch.setattr("pywats_events.bus.dispatcher.LAST_WORDS", 0.01)
    started, leave = asyncio.Event(), asyncio.Event()

    class Stubborn(Recorder):
        async def handle(self, _event):
            started.set()
            while not leave.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await leave.wait()

    bus = AsyncEventBus()
    bus.subscribe(Stubborn())
    await bus.start()
    await publish(bus, "A")
    await started.wait()
    await asyncio.wait_for(bus.stop(timeout=0.0), PATIENCE)
    assert await states(bus) == ["pending"]
    leave.set()
    await let_others_run()


class Brittle(MockTransport):
    """Fails where it is told to."""

    def __init__(self, name: str, *steps: str) -> None:
        super().__init__(name=name)
        self.steps = steps
        self.ended: list[str] = []

    async def start(self, intake) -> None:
        """Start, or not."""
        if "start" in self.steps:
            raise ValueError("queue name is empty")
        await super().start(intake)

    async def stop(self) -> None:
        """Stop, or not."""
        self.ended.append("stop")
        if "stop" in self.steps:
            raise OSError("socket is gone")

    async def close(self) -> None:
        """Close, or not."""
        self.ended.append("close")
        if "close" in self.steps:
            raise OSError("socket is gone")


async def test_a_transport_that_can_not_start_stops_the_bus():
    """A setting that can never work is raised, and nothing is left running."""
    good, bad, later = Brittle("good"), Brittle("bad", "start"), Brittle("later")
    bus = AsyncEventBus()
    for transport in (good, bad, later):
        bus.register_transport(transport)
    with pytest.raises(ValueError, match="queue name"):
        await bus.start()
    assert (good.ended, later.ended) == (["stop", "close"], [])
    assert all(task.done() for task in bus._tasks)


async def test_a_transport_that_fails_to_end_hurts_nobody():
    """Each transport is stopped and closed, whatever the others do."""
    transports = [Brittle("a", "stop", "close"), Brittle("b")]
    bus = AsyncEventBus()
    for transport in transports:
        bus.register_transport(transport)
    async with bus:
        pass
    assert [transport.ended for transport in transports] == [["stop", "close"]] * 2


async def test_transports_have_names_of_their_own():
    """Two transports of one name, or one that comes too late, are refused."""
    bus = AsyncEventBus()
    bus.register_transport(MockTransport())
    with pytest.raises(ValueError, match="another name"):
        bus.register_transport(MockTransport())
    async with bus:
        with pytest.raises(RuntimeError, match="before the bus is started"):
            bus.register_transport(MockTransport(name="late"))


async def test_concurrency_of_none_is_refused():
    """A bus that could handle nothing is refused when it is made."""
    with pytest.raises(ValueError, match="concurrency"):
        AsyncEventBus(concurrency=0)


async def test_a_cancelled_publish_leaves_the_bus_well():
    """Who gives up waiting for a commit harms nobody; the event is there as a whole or not at all."""
    journal, handler = HeldUp(), Recorder()
    async with AsyncEventBus(journal=journal) as bus:
        bus.subscribe(handler)
        gone = asyncio.ensure_future(publish(bus, "A"))
        await journal.asked.wait()
        gone.cancel()
        await asyncio.wait([gone])
        journal.commit.set()
        await publish(bus, "B")
        await handler.saw(2)
    assert handler.units == ["A", "B"]


async def test_publishing_from_inside_a_handler(bus):
    """A handler may publish: drain waits for what follows from it, as far as it goes."""

    class Countdown(BaseHandler):
        event_types = (EventType.CUSTOM,)

        async def handle(self, event):
            if event.payload["n"]:
                await bus.publish(Event(EventType.CUSTOM, {"n": event.payload["n"] - 1}, source="s"))

    bus.subscribe(Countdown())
    await bus.publish(Event(EventType.CUSTOM, {"n": 20}, source="s"))
    await drained(bus)
    assert (await bus.journal.stats()).count(DeliveryState.DONE) == 21


async def test_a_part_that_fails_is_started_again(monkeypatch):
    """A fault inside the bus does not end the intake or the delivery of everything."""
    handler = Recorder()
    naps = []

    class Faulty(MemoryJournal):
        faults = 1

        async def claim(self, **options):
            if self.faults:
                self.faults -= 1
                raise ZeroDivisionError
            return await super().claim(**options)

    real = asyncio.sleep

    async def nap(seconds):
        naps.append(seconds)
        await real(0)

    async with AsyncEventBus(journal=Faulty()) as bus:
        monkeypatch.setattr("pywats_events.bus.async_bus.asyncio.sleep", nap)
        bus.subscribe(handler)
        await publish(bus, "A")
        await handler.saw(1)
        monkeypatch.undo()
    assert 1.0 in naps


class Stubborn(Recorder):
    """Does not end when it is cancelled the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.cancelled = asyncio.Event()

    async def handle(self, event: Event) -> None:
        """Hold on."""
        self._note(event)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            await asyncio.Event().wait()


async def test_an_end_that_was_interrupted_is_brought_to_its_end():
    """Who stops a bus a second time, because the first took too long, finds nothing left running."""
    released = asyncio.Event()

    async def release() -> None:
        released.set()

    transport, stubborn = Brittle("line"), Stubborn()
    bus = AsyncEventBus()
    bus.register_transport(transport)
    bus.subscribe(stubborn)
    await bus.start()
    body = result_of("A").to_json().encode()
    await transport.inject_message_async(RawMessage(body=body, release=release))
    await stubborn.saw(1)
    first = asyncio.create_task(bus.stop(timeout=0))
    await stubborn.cancelled.wait()
    first.cancel()
    await asyncio.wait([first])
    assert not released.is_set()
    await bus.stop(timeout=0)
    assert released.is_set()
    assert transport.ended == ["stop", "close"]
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("deliver")]
