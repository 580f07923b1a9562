"""What the bus promises while a destination is down, or something is not known yet."""

from __future__ import annotations

import asyncio

import pytest

from pywats_events import (
    AsyncEventBus,
    DestinationUnavailable,
    Dropped,
    Event,
    EventType,
    NotReady,
    PermanentError,
)
from pywats_events.journal import Fact, Query
from pywats_events.journal.memory import MemoryJournal
from pywats_events.policies import BreakerState, CircuitBreaker, ErrorPolicy, RetryPolicy

from .bus_steps import drained, let_others_run, publish, states
from .doubles import Clock, Gated, Recorder, Scripted, result_of

# --- destinations that are down


def down(reason: str = "down", **more) -> DestinationUnavailable:
    return DestinationUnavailable("WATS", reason, **more)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def outage(quick, clock):
    """Give a running bus whose breakers open at the second failure, for an hour of a clock of their own."""
    breaker = CircuitBreaker(failure_threshold=2, reset_timeout=3600, clock=clock)
    async with AsyncEventBus(retry_policy=quick, error_policy=ErrorPolicy(circuit_breaker=breaker)) as bus:
        yield bus


async def test_an_outage_parks_without_spending_tries(outage):
    """What meets a destination that is down is parked, however often; the rest is not even tried."""
    handler = Scripted(*(down() for _ in range(20)), destination="WATS")
    outage.subscribe(handler)
    for number in range(10):
        await publish(outage, f"U{number}")
        await drained(outage)
    breaker = outage.breakers["WATS"]
    assert (breaker.state, breaker.reason) == (BreakerState.OPEN, "WATS is unavailable: down")
    assert len(handler.seen) < 6
    entries = await outage.journal.search(Query())
    assert {entry.state for entry in entries} == {"parked", "pending"}
    assert all(entry.attempts == () for entry in entries)


async def test_what_is_refused_to_one_handler_stops_no_other(outage, clock):
    """A missing permission holds up only who lacks it, until a probe says that it was granted."""
    no_access = [down("403", needs_attention=True, only_for_handler=True) for _ in range(2)]
    refused = Scripted(*no_access, destination="WATS", name="refused")
    welcome = Recorder(destination="WATS", name="welcome")
    outage.subscribe(refused)
    outage.subscribe(welcome)
    await publish(outage, "A", "B", "C", "D")
    await welcome.saw(4)
    await drained(outage)
    assert len(refused.seen) <= 2
    assert outage.breakers["WATS"].state is BreakerState.CLOSED
    hold = outage.breakers["WATS/refused"].hold
    assert hold is not None
    assert hold.needs_attention
    assert "403" in hold.reason
    forecast = await outage.forecast()
    assert (forecast["WATS"].waiting, forecast["WATS/refused"].waiting) == (0, 4)
    assert "403" in forecast["WATS/refused"].held
    for _ in range(2):
        clock.now += 7200
        outage._dispatcher.nudge()
        await drained(outage)
    assert outage.breakers["WATS/refused"].state is BreakerState.CLOSED
    assert sorted(refused.units[-4:]) == ["A", "B", "C", "D"]


async def test_a_refusal_shows_that_the_destination_is_back(outage, clock):
    """Who refuses one handler is there for the others; while it is away, nobody asks it for either."""
    refused = Scripted(
        down("403", needs_attention=True, only_for_handler=True),
        down("gone", needs_attention=True),
        destination="WATS",
        name="refused",
    )
    outage.subscribe(refused)
    await publish(outage, "A")
    await drained(outage)
    clock.now += 7200
    outage._dispatcher.nudge()
    await drained(outage)
    assert outage.breakers["WATS"].state is BreakerState.OPEN
    assert len(refused.seen) == 2
    clock.now += 7200
    outage._dispatcher.nudge()
    await drained(outage)
    assert {breaker.state for breaker in outage.breakers.values()} == {BreakerState.CLOSED}
    assert len(refused.seen) == 3


class DownAtFirst(Gated):
    """Finds its destination down in the first call, and waits at its gate in all others."""

    async def handle(self, event):
        """Raise, or wait."""
        if not self.seen:
            self._note(event)
            raise down(needs_attention=True)
        await super().handle(event)


async def test_one_probe_then_all_in_order(outage, clock):
    """After the outage the oldest goes ahead; when it succeeds all others follow, in order per key."""
    handler = DownAtFirst(destination="WATS")
    outage.subscribe(handler)
    await publish(outage, "X")
    await drained(outage)
    assert outage.breakers["WATS"].state is BreakerState.OPEN
    for number in range(6):
        await outage.publish(result_of("AB"[number % 2], f"e{number}"))
    await drained(outage)
    assert handler.units == ["X"]

    clock.now += 3600
    outage._dispatcher.nudge()
    await handler.saw(2)
    await let_others_run()
    assert handler.units == ["X", "X"]  # the one before the outage, and the probe
    handler.gate.set()
    await drained(outage)
    assert outage.breakers["WATS"].state is BreakerState.CLOSED
    assert [event.id for event in handler.seen if event.key == "A"] == ["e0", "e2", "e4"]
    assert [event.id for event in handler.seen if event.key == "B"] == ["e1", "e3", "e5"]
    assert set(await states(outage)) == {"done"}


async def test_a_failed_probe_means_another_wait(outage, clock):
    """When the probe fails, the rest stays where it is until the next one."""
    handler = Scripted(down(needs_attention=True), down("still"), destination="WATS")
    outage.subscribe(handler)
    await publish(outage, "A")
    await drained(outage)
    await publish(outage, "B", "C")
    clock.now += 3600
    await drained(outage)
    assert len(handler.seen) == 2
    assert outage.breakers["WATS"].state is BreakerState.OPEN
    clock.now += 3600
    await drained(outage)
    assert sorted(handler.units[2:]) == ["A", "B", "C"]


async def test_an_outage_of_one_destination_is_not_anothers(outage):
    """Handlers of other destinations go on."""
    handler, other = Scripted(*(down() for _ in range(9)), destination="WATS"), Recorder(destination="ERP")
    outage.subscribe(handler)
    outage.subscribe(other)
    await publish(outage, "A", "B", "C", "D")
    await other.saw(4)
    await drained(outage)
    assert len(handler.seen) < 4 + 1


class CountingJournal(MemoryJournal):
    """Counts how often it is asked whether something is ready."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def wait_ready(self, *, now, timeout):  # noqa: ASYNC109, D102
        self.asked += 1
        await super().wait_ready(now=now, timeout=timeout)


async def test_an_outage_of_the_only_destination_costs_no_processor_time(clock, quick):
    """While all that waits is for a destination that is down, the bus sleeps and does not spin."""
    journal = CountingJournal()
    breaker = CircuitBreaker(failure_threshold=1, reset_timeout=3600, clock=clock)
    policy = ErrorPolicy(circuit_breaker=breaker)
    down = Scripted(DestinationUnavailable("WATS", "down"), destination="WATS")
    async with AsyncEventBus(journal=journal, retry_policy=quick, error_policy=policy) as bus:
        bus.subscribe(down)
        for number in range(5):
            await bus.publish(result_of(f"U{number}"))
        await bus.drain()
        asked = journal.asked
        for _ in range(200):  # as many turns of the loop; a bus that spins asks in each
            await asyncio.sleep(0)
        assert journal.asked - asked < 10


async def test_a_bad_event_does_not_open_the_breaker(outage):
    """Errors of the event or of the handler's code say nothing of the destination."""
    errors = [KeyError("x"), ValueError("x"), TypeError("x"), PermanentError("x"), AttributeError("x")]
    handler = Scripted(*errors, destination="WATS")
    outage.subscribe(handler, retry_policy=RetryPolicy(max_retries=0))
    await publish(outage, "A", "B", "C", "D", "E", "F")
    await drained(outage)
    assert outage.breakers["WATS"].state is BreakerState.CLOSED
    assert handler.units[-1] == "F"


@pytest.mark.parametrize(
    "says_nothing",
    [Dropped("ours no more"), NotReady("no recipe"), PermanentError("bad"), DestinationUnavailable("ERP")],
    ids=repr,
)
async def test_a_probe_that_says_nothing_is_followed_by_another(outage, clock, says_nothing):
    """A probe that ends without asking the destination does not leave it shut for ever."""
    handler = Scripted(down(needs_attention=True), says_nothing, destination="WATS")
    outage.subscribe(handler)
    await publish(outage, "A")
    await drained(outage)
    await publish(outage, "B", "C", "D")
    clock.now += 3600
    await drained(outage)
    assert outage.breakers["WATS"].state is BreakerState.CLOSED
    assert {"C", "D"} <= set(handler.units)


async def test_a_probe_whose_handler_left_is_followed_by_another(quick, clock):
    """A handler that is unsubscribed as its probe begins does not leave its destination shut."""

    class SlowClaim(MemoryJournal):
        between = None

        async def claim(self, **options):
            claimed = await super().claim(**options)
            if claimed and self.between is not None:
                self.between()
            return claimed

    journal = SlowClaim()
    breaker = CircuitBreaker(failure_threshold=1, reset_timeout=10, clock=clock)
    policy = ErrorPolicy(circuit_breaker=breaker)
    async with AsyncEventBus(journal=journal, retry_policy=quick, error_policy=policy) as bus:
        leaving = Scripted(down(), destination="WATS", name="leaving")
        staying = Recorder(destination="WATS", name="staying", types=[EventType.CUSTOM])
        bus.subscribe(leaving)
        bus.subscribe(staying)
        await publish(bus, "A")
        await drained(bus)
        await publish(bus, "B")
        await bus.publish(Event(EventType.CUSTOM, source="s"))
        journal.between = lambda: bus.unsubscribe(leaving)
        clock.now += 10
        await drained(bus)
        assert len(staying.seen) == 1
        assert bus.breakers["WATS"].state is BreakerState.CLOSED


async def test_an_undeclared_destination_costs_no_tries(bus):
    """A handler may name a destination that it did not declare: it is parked, and tried again later."""
    handler = Scripted(down(retry_after=0.0), down(retry_after=0.0))
    bus.subscribe(handler)
    await publish(bus, "A")
    await handler.saw(3)
    await drained(bus)
    (entry,) = await bus.journal.search(Query())
    assert (entry.state, entry.attempts) == ("done", ())


# --- what is not known yet


async def test_not_ready_waits_for_a_fact(bus):
    """A delivery that lacks a fact runs again when an event teaches it, with no try spent."""
    handler = Scripted(NotReady("no recipe", facts=("recipe",)))
    bus.subscribe(handler)
    bus.observe(
        lambda event: [Fact("recipe", {}, event.time)] if event.event_type is EventType.WORK_STARTED else []
    )
    failures = []
    bus.on_error(lambda _event, error: failures.append(error))
    await publish(bus, "A")
    await drained(bus)
    (entry,) = await bus.journal.search(Query())
    assert (entry.state, entry.parked_on, entry.reason) == ("parked", ("recipe",), "no recipe")
    await bus.publish(Event(EventType.WORK_STARTED, source="s"))
    await handler.saw(2)
    await drained(bus)
    (entry,) = await bus.journal.search(Query(event_type="test.result"))
    assert (entry.state, entry.attempts, failures) == ("done", (), [])


async def test_not_ready_gives_up_with_its_reason(bus):
    """What never becomes known makes a dead letter that says what was missing."""
    bus.subscribe(Scripted(NotReady("no recipe", give_up_after=0.0)))
    failures = []
    bus.on_error(lambda _event, error: failures.append(str(error)))
    await publish(bus, "A")
    await drained(bus)
    (entry,) = await bus.journal.search(Query())
    assert (entry.state, entry.reason, failures) == ("dead", "no recipe", ["no recipe"])


async def test_an_observer_that_fails_costs_only_its_facts(bus):
    """An observer that raises keeps neither the event nor other observers from their work."""
    handler = Recorder()
    bus.subscribe(handler)

    def broken(event):
        raise KeyError(event.id)

    bus.observe(broken)
    bus.observe(lambda event: [Fact("seen", {"unit": event.key}, event.time)])
    await publish(bus, "A")
    await handler.saw(1)
    assert await bus.journal.recall(["seen"]) == {"seen": {"unit": "A"}}
