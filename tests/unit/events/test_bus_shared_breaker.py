"""What all bridges on one journal know of a destination: parked for one is parked for all, also later."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from pywats_events import AsyncEventBus, DestinationUnavailable
from pywats_events.journal import DeliveryState, Query
from pywats_events.policies import BreakerState, CircuitBreaker, ErrorPolicy, RetryPolicy

from .bus_steps import drained, let_others_run, publish
from .doubles import PATIENCE, Clock, Gated, Recorder, Scripted, Shared


def down(reason: str = "down", **more) -> DestinationUnavailable:
    return DestinationUnavailable("WATS", reason, **more)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def bridge(journal, clock, quick):
    """Give what makes running buses on one journal, with breakers that open at the first failure."""

    @asynccontextmanager
    async def running(*handlers):
        breaker = CircuitBreaker(failure_threshold=1, reset_timeout=60, clock=clock)
        bus = AsyncEventBus(
            journal=Shared(journal),
            retry_policy=quick,
            error_policy=ErrorPolicy(circuit_breaker=breaker),
            clock=clock,
        )
        for handler in handlers:
            bus.subscribe(handler, name=handler.name)
        async with bus:
            yield bus

    return running


async def look(*buses: AsyncEventBus) -> None:
    """Let each bus look at the journal as often as it wants."""
    for bus in buses:
        await drained(bus)


async def test_parked_for_one_is_parked_for_all(bridge):
    """A destination that one bridge finds down is left alone by the others, and they say why."""
    first = Scripted(down("503"), destination="WATS", name="h")
    second = Recorder(destination="WATS", name="h")
    async with bridge(first) as one:
        await publish(one, "A")
        await drained(one)
        async with bridge(second) as other:
            await publish(one, "B", "C")
            await look(one, other)
            assert second.seen == []
            assert other.breakers["WATS"].state is BreakerState.OPEN
            assert "503" in other.breakers["WATS"].reason


async def test_a_restart_does_not_forget_the_outage(bridge, clock):
    """A bridge that starts again leaves a destination alone until its probe is due, then all is done."""
    async with bridge(Scripted(down(), destination="WATS", name="h")) as bus:
        await publish(bus, "A")
        await drained(bus)
    handler = Recorder(destination="WATS", name="h")
    async with bridge(handler) as bus:
        await publish(bus, "B")
        await look(bus)
        assert handler.seen == []
        clock.now += 60
        await look(bus)
        await handler.saw(2)
        await drained(bus)
        assert (await bus.journal.holds()) == {}
    assert sorted(handler.units) == ["A", "B"]


async def test_a_clock_set_back_does_not_prolong_the_outage(bridge, clock):
    """The clock is set back by a day while the bridge is stopped: it tries at once, then all is done."""
    async with bridge(Scripted(down(), destination="WATS", name="h")) as bus:
        await publish(bus, "A")
        await drained(bus)
    clock.now -= 86_400
    handler = Recorder(destination="WATS", name="h")
    async with bridge(handler) as bus:
        await look(bus)
        await handler.saw(1)
        await drained(bus)
        assert (await bus.journal.holds()) == {}


async def test_one_probe_over_all_bridges_and_back_for_all(bridge, clock):
    """When the time has come one bridge tries one delivery; when it succeeds the others go on as well."""
    broken = Scripted(*(down() for _ in range(4)), destination="WATS", name="h")
    async with bridge(broken) as bus:
        await publish(bus, "A", "B", "C", "D")
        await drained(bus)
    handlers = [Gated(destination="WATS", name="h") for _ in range(2)]
    async with bridge(handlers[0]) as one, bridge(handlers[1]) as other:
        clock.now += 60
        for _ in range(3):
            one._dispatcher.nudge()
            other._dispatcher.nudge()
            await let_others_run()
        async with asyncio.timeout(PATIENCE):
            await _any_of(*handlers)
        await let_others_run()
        assert sum(len(handler.seen) for handler in handlers) == 1
        for handler in handlers:
            handler.gate.set()
        async with asyncio.timeout(PATIENCE):
            while (await one.journal.ledger()).deliveries["h"].get(DeliveryState.DONE) != 4:
                await look(one, other)
        await look(one, other)
        assert one.breakers["WATS"].state is other.breakers["WATS"].state is BreakerState.CLOSED


async def _any_of(*handlers: Recorder) -> None:
    waits = [asyncio.ensure_future(handler.saw(1)) for handler in handlers]
    _, left = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for one in left:
        one.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def test_refused_credentials_are_one_loud_line_and_no_dead_letters(bridge, clock):
    """401 parks the destination at once, says so once as an error, and probes slowly."""
    refused = (down("401: token expired", needs_attention=True) for _ in range(99))
    handler = Scripted(*refused, destination="WATS", name="h")
    with capture_logs() as logs:
        async with bridge(handler) as bus:
            await publish(bus, *(f"U{number}" for number in range(20)))
            await drained(bus)
            for _ in range(10):  # ten minutes: two probes of five minutes
                clock.now += 60
                await look(bus)
            stats = await bus.journal.stats()
            hold = (await bus.journal.holds())["WATS"]
    assert [line["event"] for line in logs if line["log_level"] == "error"] == [
        "destination refuses us; mend that, and restart the bridge if its configuration was wrong"
    ]
    assert hold.needs_attention
    assert stats.count(DeliveryState.DEAD) == 0
    assert len(handler.seen) <= 20 + 2


async def test_new_credentials_heal_at_the_next_start(bridge):
    """A bridge that starts with other credentials tries them at once, whenever the slow probe were due."""
    refused = Scripted(*(down("401", needs_attention=True) for _ in range(9)), destination="WATS", name="h")
    async with bridge(refused) as bus:
        await publish(bus, "A", "B")
        await drained(bus)
    handler = Recorder(destination="WATS", name="h")
    async with bridge(handler) as bus:
        await handler.saw(2)
        await drained(bus)
        assert await bus.journal.holds() == {}


async def test_who_has_mended_it_need_not_wait(bridge):
    """A destination is probed at once when somebody asks for it."""
    handler = Scripted(down(), destination="WATS", name="h")
    async with bridge(handler) as bus:
        await publish(bus, "A")
        await drained(bus)
        await bus.probe("WATS")
        await bus.probe("ERP")  # is not left alone: nothing to do
        await handler.saw(2)
        await drained(bus)
        assert bus.breakers["WATS"].state is BreakerState.CLOSED


async def test_a_failed_probe_waits_again_for_all(bridge, clock, journal):
    """When the probe fails, the next one is as far away for each bridge, and the outage's begin is kept."""
    async with bridge(Scripted(down(), down("still"), destination="WATS", name="h")) as bus:
        await publish(bus, "A")
        await drained(bus)
        since = (await journal.holds())["WATS"].since
        clock.now += 60
        await look(bus)
        async with asyncio.timeout(PATIENCE):
            while "still" not in (await journal.holds())["WATS"].reason:
                await look(bus)
        hold = (await journal.holds())["WATS"]
        assert (hold.since, hold.probe_at.timestamp()) == (since, clock.now + 60)


async def test_policies_of_a_handler_come_before_the_bus(quick):
    """A handler brings its own retries, dead letters and breaker; at subscribe they can be given as well."""
    policy = ErrorPolicy(circuit_breaker=CircuitBreaker(failure_threshold=7))

    class Own(Scripted):
        retry_policy = RetryPolicy(max_retries=0)
        error_policy = policy

    bus_policy = ErrorPolicy()
    own = Own(OSError("a"), destination="WATS", name="own")
    given = Scripted(OSError("b"), OSError("b"), name="given")
    async with AsyncEventBus(retry_policy=quick, error_policy=bus_policy) as bus:
        bus.subscribe(own)
        other = ErrorPolicy()
        bus.subscribe(given, retry_policy=RetryPolicy(max_retries=0), error_policy=other)
        await publish(bus, "A")
        await drained(bus)
        assert bus.breakers["WATS"].failure_threshold == 7
        assert [one.handler for one in policy.dead_letter_queue.get_entries()] == ["own"]
        assert [one.handler for one in other.dead_letter_queue.get_entries()] == ["given"]
        assert bus_policy.dead_letter_queue.get_entries() == []
        assert await policy.dead_letter_queue.replay() == 1
        await own.saw(2)
        await drained(bus)
        assert policy.dead_letter_queue.get_entries() == []
        assert len(await bus.journal.search(Query(states=(DeliveryState.DEAD,)))) == 1
