"""What buses on one journal know of each other: the rate is one for all, and so is the forecast."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack

import pytest

from pywats_events import AsyncEventBus
from pywats_events.bus.presence import GONE_AFTER, NOTES, Presence, forecasts_of
from pywats_events.journal.memory import MemoryJournal
from pywats_events.policies import RateLimit

from .bus_steps import publish
from .doubles import Clock, Gated, Shared

LIMIT = RateLimit(per_minute=600, burst=20)


def bus_on(journal, clock) -> AsyncEventBus:
    """Give a bus with one handler of a destination that takes ten deliveries in a second."""
    bus = AsyncEventBus(journal=Shared(journal), rate_limits={"WATS": LIMIT}, clock=clock)
    bus.subscribe(Gated(destination="WATS", name="h"), name="h")
    return bus


def permits_in_a_minute(bus: AsyncEventBus, clock: Clock) -> int:
    """Count the permits that come in a minute, once none has gathered."""
    destinations, given = bus._destinations, 0
    destinations._buckets["WATS"].take(destinations.permits("WATS", 10_000))
    for _ in range(600):
        clock.now += 0.1
        number = destinations.permits("WATS", 10_000)
        destinations._buckets["WATS"].take(number)
        given += number
    return given


@pytest.fixture
def clock():
    return Clock(time.time())


async def test_buses_share_the_rate_of_a_destination(journal, clock):
    """Two bridges together ask no more than one may, and who stays has the whole rate again."""
    async with bus_on(journal, clock) as one:
        assert permits_in_a_minute(one, clock) == pytest.approx(600, abs=2)
        async with bus_on(journal, clock) as other:
            await one._presence.tell()
            assert other._destinations.permits("WATS", 100) == 0
            for bus in (one, other):
                assert permits_in_a_minute(bus, clock) == pytest.approx(300, abs=2)
        await one._presence.tell()
        assert permits_in_a_minute(one, clock) == pytest.approx(600, abs=2)


async def test_a_bus_that_died_without_a_word_is_found_out(journal, clock):
    """What a killed bridge had of the rate goes to the others, whatever its clock said."""
    steady = Clock()
    async with bus_on(journal, clock) as bus:
        presence = Presence(bus.journal, bus._destinations, bus._drains, bus._backlog, steady=steady)
        pace = {"handlers": ["h"], "allowed": 10.0, "measured": None}
        note = {"told": 7, "at": "1999-01-01T00:00:00+00:00", "destinations": {"WATS": pace}}
        await journal.put_note(f"{NOTES}dead", note)
        await bus._presence.stop()
        await presence.tell()
        assert permits_in_a_minute(bus, clock) == pytest.approx(300, abs=2)
        steady.now += GONE_AFTER + 1
        await presence.tell()
        assert permits_in_a_minute(bus, clock) == pytest.approx(600, abs=2)
        assert f"{NOTES}dead" not in await journal.notes(NOTES)


async def test_a_journal_that_is_not_shared_has_one_bus(clock):
    """Who comes back after a crash need not wait for its own ghost."""
    journal = MemoryJournal()
    await journal.put_note(
        f"{NOTES}ghost", {"told": 1, "at": "2026-01-01T00:00:00+00:00", "destinations": {}}
    )
    async with AsyncEventBus(journal=journal, rate_limits={"WATS": LIMIT}, clock=clock) as bus:
        bus.subscribe(Gated(destination="WATS", name="h"), name="h")
        assert list(await journal.notes(NOTES)) == [bus._presence._name]
        assert bus._destinations.permits("WATS", 100) == 20


async def test_who_only_reads_the_journal_is_told_when_the_backlog_is_gone(journal, clock):
    """The forecast is there for other programs as well: what waits, how fast it may go, when it is gone."""
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(bus_on(journal, clock))
        await publish(bus, *(f"U{number}" for number in range(300)))
        await bus._presence.tell()
        (forecast,) = await forecasts_of(journal)
        assert (forecast.destination, forecast.waiting, forecast.allowed) == ("WATS", 300, 10.0)
        assert forecast.empty_at is not None
        assert "300 waiting, 10.0/s allowed, empty at " in str(forecast)
        await bus.stop(timeout=0)
    assert await forecasts_of(journal) == []
