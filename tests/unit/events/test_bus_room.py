"""What the bus promises when there is no room: sources wait, nothing is lost, and people are told in time."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from pywats_events import AsyncEventBus, Event, EventType
from pywats_events.bus.health_watch import HealthWatch
from pywats_events.journal import Health, JournalError, Ledger, MessageSums, Query
from pywats_events.journal.memory import MemoryJournal
from pywats_events.transports import MockTransport

from .bus_steps import drained, let_others_run, publish
from .doubles import PATIENCE, Full, Gated, Recorder, result_of


@pytest.fixture(autouse=True)
def asks_often(monkeypatch):
    monkeypatch.setattr("pywats_events.bus.intake.ASK_FOR_ROOM", 0.001)


@pytest.fixture
async def bus(quick):
    """Give a running bus with a journal that can be full, and a transport."""
    bus = AsyncEventBus(journal=Full(), retry_policy=quick)
    bus.register_transport(MockTransport())
    async with bus:
        yield bus
        bus.journal.is_full = False


async def test_a_full_journal_makes_sources_wait(bus, station):
    """Messages wait, unacknowledged and in order, until there is room; one line says each of both."""
    handler, transport = Recorder(), bus._transports["mock"]
    bus.subscribe(handler)
    with capture_logs() as logs:
        bus.journal.is_full = True
        units = [str(number) for number in range(8)]
        messages = [station.message(result_of(unit), name=unit) for unit in units]
        waiting = [asyncio.ensure_future(transport.inject_message_async(one)) for one in messages]
        await let_others_run()
        assert (station.acknowledged, station.released, handler.seen) == ([], [], [])
        bus.journal.is_full = False
        await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)
        await station.told(8)
    assert handler.units == units
    said = [line["event"] for line in logs if line["event"].startswith("journal")]
    assert said == ["journal is full; transports wait", "journal has room again; transports go on"]


async def test_what_is_inside_is_delivered_while_it_is_full(bus, station):
    """A full journal takes nothing in, and goes on giving out."""
    handler, transport = Gated(), bus._transports["mock"]
    bus.subscribe(handler)
    await publish(bus, "A", "B")
    bus.journal.is_full = True
    waiting = asyncio.ensure_future(transport.inject_message_async(station.message(result_of("C"))))
    await let_others_run()
    handler.gate.set()
    async with asyncio.timeout(PATIENCE):
        await bus._dispatcher.come_to_rest()
    assert sorted(handler.ended) == ["A", "B"]
    assert not waiting.done()
    bus.journal.is_full = False
    await asyncio.wait_for(waiting, PATIENCE)
    await handler.saw(3)


async def test_what_gave_up_waiting_is_not_taken_in(bus, station):
    """A source that went away while it waited for room has its message back, and it is not kept here."""
    handler, transport = Recorder(), bus._transports["mock"]
    bus.subscribe(handler)
    bus.journal.is_full = True
    gone = asyncio.ensure_future(transport.inject_message_async(station.message(result_of("gone"))))
    stays = asyncio.ensure_future(transport.inject_message_async(station.message(result_of("stays"))))
    await let_others_run()
    gone.cancel()
    await asyncio.wait([gone])
    bus.journal.is_full = False
    await asyncio.wait_for(stays, PATIENCE)
    await drained(bus)
    assert handler.units == ["stays"]


async def test_an_end_while_it_is_full(quick, station):
    """A bus that stops while its journal is full refuses what waits; the source keeps it."""
    transport = MockTransport()
    bus = AsyncEventBus(journal=Full(), retry_policy=quick)
    bus.register_transport(transport)
    await bus.start()
    bus.journal.is_full = True
    waiting = asyncio.ensure_future(transport.inject_message_async(station.message(result_of("A"))))
    await let_others_run()
    with capture_logs() as logs:
        await bus.stop(timeout=0)
    assert isinstance((await asyncio.gather(waiting, return_exceptions=True))[0], JournalError)
    assert station.acknowledged == []
    assert "journal has room again; transports go on" not in [line["event"] for line in logs]


async def test_a_handler_that_publishes_into_a_full_journal_spends_no_tries(bus, station, monkeypatch):
    """What our own journal refuses to a handler is not the event's fault: it is parked, and tried later."""
    monkeypatch.setattr("pywats_events.bus.judge.JOURNAL_PAUSE", 0.0)

    class Publishes(Gated):
        async def handle(self, event):
            await super().handle(event)
            await bus.publish(Event(EventType.CUSTOM, source=event.key))

    handler = Publishes()
    bus.subscribe(handler)
    await publish(bus, "A")
    await handler.saw(1)
    bus.journal.is_full = True
    message = station.message(Event(EventType.CUSTOM, source="B"))
    waiting = asyncio.ensure_future(bus._transports["mock"].inject_message_async(message))
    await let_others_run()
    handler.gate.set()
    await handler.saw(3)  # refused twice, at once and not after its time
    bus.journal.is_full = False
    await asyncio.wait_for(waiting, PATIENCE)
    async with asyncio.timeout(PATIENCE):
        while (await bus.journal.stats()).open:
            await drained(bus)
    (entry,) = await bus.journal.search(Query(event_type="test.result"))
    assert (entry.state, entry.attempts, entry.error) == ("done", (), "JournalFull")


class Measured(MemoryJournal):
    """Has the room and the books that the test says."""

    room = Health(used=0)
    lost = 0

    async def health(self) -> Health:
        """Give the room."""
        return self.room

    async def ledger(self) -> Ledger:
        """Give the books."""
        return Ledger({"mqtt": MessageSums(received=self.lost)}, {})


GB = 1024**3


@pytest.mark.parametrize(
    ("scarce", "between", "well"),
    [
        (Health(used=80, limit=100), Health(used=75, limit=100), Health(used=60, limit=100)),
        (Health(used=1, free=GB // 4), Health(used=1, free=GB * 6 // 10), Health(used=1, free=GB)),
    ],
)
async def test_little_room_is_told_once_with_its_number(scarce, between, well):
    """Before the limit is reached there is one warning; when there is room again one line takes it back."""
    journal = Measured()
    watch = HealthWatch(journal)
    with capture_logs() as logs:
        for journal.room in (well, scarce, scarce, between, scarce, well, well, scarce):
            await watch.look()
    assert [line["log_level"] for line in logs] == ["warning", "info", "warning"]
    assert (logs[0]["used_bytes"], logs[0]["free_disk_bytes"]) == (scarce.used, scarce.free)


async def test_books_that_do_not_balance_are_told_once():
    """A message that is nowhere is a fault of ours, and said so loudly, once."""
    journal = Measured()
    watch = HealthWatch(journal)
    with capture_logs() as logs:
        for journal.lost in (0, 1, 1, 2):
            await watch.look()
    assert [(line["log_level"], line["messages"]) for line in logs] == [("error", 1), ("error", 2)]


async def test_the_watch_is_kept_by_the_bus():
    """A bus looks at its journal's room by itself, from its start."""
    journal = Measured()
    journal.room = Health(used=95, limit=100)
    with capture_logs() as logs:
        async with AsyncEventBus(journal=journal):
            await let_others_run()
    assert [line["used_percent"] for line in logs if "used_percent" in line] == [95]
