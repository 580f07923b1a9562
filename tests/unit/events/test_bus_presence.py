"""What buses on one journal know of each other: the rate is one for all, and so is the forecast."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack

import pytest
import structlog

from pywats_events import AsyncEventBus
from pywats_events.bus.presence import GONE_AFTER, NOTES, TELL_EVERY, Presence, forecasts_of
from pywats_events.bus.telling import TOLD_AT_ONCE
from pywats_events.errors import DestinationUnavailable
from pywats_events.journal import JournalError
from pywats_events.journal.memory import MemoryJournal
from pywats_events.policies import RateLimit

from .bus_steps import publish
from .doubles import Clock, Gated, Scripted, Shared

LIMIT = RateLimit(per_minute=600, burst=20)


def bus_on(journal, clock) -> AsyncEventBus:
    """Give a bus with one handler of a destination that takes ten deliveries in a second."""
    bus = AsyncEventBus(journal=Shared(journal), rate_limits={"WATS": LIMIT}, clock=clock)
    bus.subscribe(Gated(destination="WATS", name="h"), name="h")
    return bus


class Unsteady(MemoryJournal):
    """Is away while told so: notes can be neither written nor read."""

    away = False

    async def put_note(self, name, value):
        """Write it, or not."""
        self._there()
        await super().put_note(name, value)

    async def notes(self, prefix=""):
        """Give them, or not."""
        self._there()
        return await super().notes(prefix)

    def _there(self):
        if self.away:
            raise JournalError("the server does not answer; check that it runs")


def presence_of(bus, steady) -> Presence:
    """Give a bus another presence, with a clock that the test sets; its own one is gone."""
    return Presence(bus.journal, bus._destinations, bus._drains, bus._backlog, steady=steady)


async def listen(presence: Presence, steady: Clock, seconds: float) -> None:
    """Have it tell and hear for so many seconds."""
    for _ in range(round(seconds / TELL_EVERY)):
        steady.now += TELL_EVERY
        await presence.tell()


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
        presence = presence_of(bus, steady)
        pace = {"handlers": ["h"], "allowed": 10.0, "measured": None}
        note = {"told": 7, "at": "1999-01-01T00:00:00+00:00", "destinations": {"WATS": pace}}
        await journal.put_note(f"{NOTES}dead", note)
        await bus._presence.stop()
        await presence.tell()
        assert permits_in_a_minute(bus, clock) == pytest.approx(300, abs=2)
        await listen(presence, steady, GONE_AFTER + TELL_EVERY)
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


# --- a journal that fails now and then ----------------------------------------------------------------------


async def test_an_outage_of_the_journal_makes_nobody_dead(clock):
    """When the journal is back all notes are old; nobody takes the rate of those who could not tell."""
    steady, journal = Clock(), Unsteady()
    async with bus_on(journal, clock) as bus, bus_on(journal, clock) as other:
        await bus._presence.stop()
        presence = presence_of(bus, steady)
        await presence.tell()
        journal.away = True
        for _ in range(100):
            steady.now += TELL_EVERY
            await presence._tell_or_say()
        journal.away = False
        await presence.tell()  # the other one has not come to tell anything yet
        assert permits_in_a_minute(bus, clock) == pytest.approx(300, abs=2)
        assert other._presence._name in await journal.notes(NOTES)
        await listen(presence, steady, GONE_AFTER + TELL_EVERY)
        assert permits_in_a_minute(bus, clock) == pytest.approx(600, abs=2)


async def test_who_joins_while_the_journal_is_away_has_no_burst_either(clock):
    """A bus that could not hear of the others at its start begins without a burst when it does."""
    journal = Unsteady()
    async with bus_on(journal, clock) as one:
        journal.away = True
        async with bus_on(journal, clock) as other:
            journal.away = False
            await other._presence.tell()
            assert other._destinations.permits("WATS", 100) == 0
            assert permits_in_a_minute(other, clock) == pytest.approx(300, abs=2)
            await one._presence.tell()
            assert permits_in_a_minute(one, clock) == pytest.approx(300, abs=2)


async def test_an_outage_of_the_journal_does_not_fill_the_log(clock):
    """What fails every few seconds is told a few times, and then now and then."""
    journal = Unsteady()
    async with bus_on(journal, clock) as bus:
        journal.away = True
        with structlog.testing.capture_logs() as lines:
            for _ in range(50):
                await bus._presence._tell_or_say()
        journal.away = False
    assert [line["log_level"] for line in lines].count("warning") == TOLD_AT_ONCE


async def test_a_bus_that_can_not_start_lets_its_journal_go(clock):
    """The file or the connections are free again when the journal fails while a bus starts."""

    class Failing(MemoryJournal):
        closed = False

        async def holds(self):
            """Fail."""
            raise JournalError("the server does not answer; check that it runs")

        async def close(self):
            """Note it."""
            self.closed = True

    journal = Failing()
    bus = AsyncEventBus(journal=journal, clock=clock)
    with pytest.raises(JournalError, match="does not answer"):
        await bus.start()
    assert journal.closed


# --- buses with different handlers --------------------------------------------------------------------------


async def test_only_those_who_ask_a_destination_share_its_rate(journal, clock):
    """A bus whose handlers ask something else takes nothing of a rate, until it has one that does."""
    limits = {"WATS": LIMIT, "MES": LIMIT}
    async with bus_on(journal, clock) as one:
        other = AsyncEventBus(journal=Shared(journal), rate_limits=limits, clock=clock)
        other.subscribe(Gated(destination="MES", name="m"), name="m")
        async with other:
            await one._presence.tell()
            assert permits_in_a_minute(one, clock) == pytest.approx(600, abs=2)
            assert other._destinations._buckets["MES"].limit.per_minute == LIMIT.per_minute

            other.subscribe(Gated(destination="WATS", name="w"), name="w")
            await other._presence.tell()
            await one._presence.tell()
            for bus in (one, other):
                assert permits_in_a_minute(bus, clock) == pytest.approx(300, abs=2)


async def test_who_reads_the_journal_is_told_of_the_handlers_of_all(journal, clock):
    """What waits for a destination is what waits for any bus's handlers of it; what they manage adds up."""
    async with bus_on(journal, clock) as one:
        other = AsyncEventBus(journal=Shared(journal), rate_limits={"WATS": LIMIT}, clock=clock)
        other.subscribe(Gated(destination="WATS", name="w"), name="w")
        async with other:
            await publish(one, *(f"A{number}" for number in range(100)))
            await publish(other, *(f"B{number}" for number in range(200)))
            for bus, rate in ((one, 3), (other, 4)):
                bus._drains.note_settled("WATS", 0)
                clock.now += 10
                bus._drains.note_settled("WATS", rate * 10)
                await bus._presence.tell()
            (forecast,) = await forecasts_of(journal)
            assert (forecast.waiting, forecast.allowed) == (300, 10.0)
            assert forecast.measured == pytest.approx(7)
            await one._presence.tell()
            assert one._drains.forecast("WATS", 300, limit=LIMIT, held=None).measured == pytest.approx(5.5)
            await one.stop(timeout=0)
            await other.stop(timeout=0)


async def test_a_bus_whose_one_handler_is_refused_keeps_to_its_part(journal, clock):
    """While all that a bus asks of a destination is refused, it still shares the rate with the others."""
    refused = [
        DestinationUnavailable("WATS", "403", needs_attention=True, only_for_handler=True) for _ in range(9)
    ]
    async with bus_on(journal, clock) as one:
        other = AsyncEventBus(journal=Shared(journal), rate_limits={"WATS": LIMIT}, clock=clock)
        handler = Scripted(*refused, destination="WATS", name="w")
        other.subscribe(handler, name="w")
        async with other:
            clock.now += 60
            await publish(other, "U1")
            await handler.saw(1)
            await other.drain(timeout=5)
            assert "WATS/w" in other.breakers
            await other._presence.tell()
            await one._presence.tell()
            assert permits_in_a_minute(one, clock) == pytest.approx(300, abs=2)
            await one.stop(timeout=0)
            await other.stop(timeout=0)
