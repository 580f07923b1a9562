"""What the bus promises of destinations that may be asked only so fast."""

from __future__ import annotations

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from pywats_events import AsyncEventBus, Dropped, Event, EventType
from pywats_events.journal import SUPERSEDED, DeliveryState, Query
from pywats_events.policies import RateLimit, TokenBucket

from .bus_steps import publish
from .doubles import PATIENCE, Clock, Gated, Recorder, Scripted, Shared, result_of

ONE_A_SECOND = RateLimit(per_minute=60, burst=1)


@pytest.fixture
def clock():
    return Clock(time.time())


@pytest.fixture
async def bus(journal, clock):
    """Give a running bus whose destination takes one delivery in a second of the test's clock."""
    async with AsyncEventBus(journal=Shared(journal), rate_limits={"WATS": ONE_A_SECOND}, clock=clock) as bus:
        yield bus


async def seconds(bus: AsyncEventBus, clock: Clock, number: int, *handlers: Recorder) -> None:
    """Let so many seconds pass; in each of them the handlers get one delivery together."""
    for _ in range(number):
        before = sum(len(handler.seen) for handler in handlers)
        clock.now += 1.0
        await let_it_settle(bus)
        assert sum(len(handler.seen) for handler in handlers) == before + 1


async def let_it_settle(bus: AsyncEventBus) -> None:
    """Wait until all is done that there are permits for."""
    async with asyncio.timeout(PATIENCE):
        await bus._dispatcher.come_to_rest(without_permits=True)


# --- the bucket


def test_permits_come_evenly():
    """A bucket gives its burst at once, then one permit after the other, never more in a minute than said."""
    clock = Clock()
    bucket = TokenBucket(RateLimit(per_minute=480, burst=20), clock)
    given = 0
    for _ in range(60_000):
        number = bucket.available
        bucket.take(number)
        given += number
        clock.now += 0.001
    assert 498 <= given <= 500


def test_a_permit_has_a_time():
    """While there is none, the wait for the next one is known; what is given back is there at once."""
    clock = Clock()
    bucket = TokenBucket(ONE_A_SECOND, clock)
    bucket.take(3)
    assert (bucket.available, bucket.seconds_to_next) == (0, pytest.approx(3.0))
    clock.now += bucket.seconds_to_next
    assert bucket.available == 1
    bucket.take()
    bucket.give_back()
    assert bucket.seconds_to_next == 0.0


def test_a_clock_that_is_set_back_gives_nothing_and_takes_nothing():
    """Permits do not come twice, nor for ever not at all, when the machine's clock is corrected."""
    clock = Clock()
    bucket = TokenBucket(ONE_A_SECOND, clock)
    bucket.take()
    clock.now -= 3600
    assert bucket.available == 0
    clock.now += 1
    assert bucket.available == 1


@pytest.mark.parametrize("wrong", [{"per_minute": 0}, {"per_minute": 1, "burst": 0}])
def test_a_limit_of_nothing_is_refused(wrong):
    """A rate that lets nothing through is refused when it is written down."""
    with pytest.raises(ValueError, match="RateLimit"):
        RateLimit(**wrong)


# --- deliveries


async def test_no_more_is_claimed_than_may_go(bus, clock):
    """What has to wait for its permit waits in the journal, for anybody to take."""
    handler = Gated(destination="WATS")
    handler.gate.set()
    bus.subscribe(handler)
    await publish(bus, "A", "B", "C", "D")
    await handler.saw(1)
    await let_it_settle(bus)
    assert (await bus.journal.stats()).count(DeliveryState.PENDING) == 3
    await seconds(bus, clock, 2, handler)
    assert handler.units == ["A", "B", "C"]


async def test_a_drain_waits_for_permits(bus, clock):
    """What is ready and waits for a permit only is not at rest."""
    handler = Recorder(destination="WATS")
    bus.subscribe(handler)
    await publish(bus, "A", "B")
    await handler.saw(1)
    waiting = asyncio.ensure_future(bus.drain())
    assert not (await asyncio.wait([waiting], timeout=0.01))[0]
    await seconds(bus, clock, 1, handler)
    clock.now += 1.0
    bus._dispatcher.nudge()
    assert await asyncio.wait_for(waiting, PATIENCE)


async def test_handlers_share_the_rate_of_their_destination(bus, clock):
    """Two handlers of one destination have one rate together; one without a destination has none."""
    first, second = Recorder(destination="WATS", name="1"), Recorder(destination="WATS", name="2")
    free = Recorder(name="free")
    for handler in (first, second, free):
        bus.subscribe(handler)
    await publish(bus, "A", "B", "C")
    await free.saw(3)
    await seconds(bus, clock, 3, first, second)
    assert len(first.seen) + len(second.seen) == 4


async def test_what_asks_nothing_uses_no_permit(bus):
    """A delivery that a rule drops leaves its permit to the next one."""
    handler = Scripted(*(Dropped("not ours") for _ in range(5)), destination="WATS")
    bus.subscribe(handler)
    await publish(bus, "A", "B", "C", "D", "E", "F")
    await handler.saw(6)


async def test_requests_are_what_counts_where_they_are_told(journal, clock):
    """A delivery of three requests uses three permits, one without a request none; others' count as well."""
    limit = RateLimit(per_minute=60, burst=4, counts_requests=True)

    class Asks(Recorder):
        async def handle(self, event):
            for _ in range(event.payload["requests"]):
                bus.note_request("WATS")
            self._note(event)

    handler = Asks(destination="WATS")
    async with AsyncEventBus(journal=Shared(journal), rate_limits={"WATS": limit}, clock=clock) as bus:
        bus.subscribe(handler)
        for unit, requests in (("A", 0), ("B", 3)):
            await bus.publish(result_of(unit, requests=requests))
            await handler.saw(1 if unit == "A" else 2)
            await let_it_settle(bus)
        bus.note_request("WATS")  # somebody else's, outside any delivery
        bus.note_request("ERP")  # has no limit
        await bus.publish(result_of("C", requests=1))
        await bus.publish(result_of("D", requests=1))
        await let_it_settle(bus)
        assert handler.units == ["A", "B"]
        await seconds(bus, clock, 2, handler)
    assert handler.units == ["A", "B", "C", "D"]


# --- who goes first


def line_of(unit: str) -> Event:
    return Event(EventType.ASSET_FAULT, {"asset_id": unit}, source=unit)


async def test_the_important_first_and_the_others_not_never(bus, clock):
    """Of twenty permits eighteen go to the handler of higher priority, two to the other."""
    reports = Recorder(destination="WATS", name="reports")
    reports.priority = 10
    lines = Recorder([EventType.ASSET_FAULT], destination="WATS", name="lines")
    bus.subscribe(lines)
    for number in range(25):
        await bus.publish(line_of(f"L{number}"))
    await lines.saw(1)
    await let_it_settle(bus)
    bus.subscribe(reports)
    for number in range(25):
        await publish(bus, f"R{number}")
    await seconds(bus, clock, 20, reports, lines)
    assert (len(reports.seen), len(lines.seen) - 1) == (18, 2)


async def test_the_less_important_have_all_when_nobody_else_wants(bus, clock):
    """A permit that the more important handler has no use for is not wasted."""
    reports = Recorder(destination="WATS", name="reports")
    reports.priority = 10
    lines = Recorder([EventType.ASSET_FAULT], destination="WATS", name="lines")
    bus.subscribe(reports)
    bus.subscribe(lines)
    for number in range(5):
        await bus.publish(line_of(f"L{number}"))
    await seconds(bus, clock, 4, lines)
    await publish(bus, "R")
    await seconds(bus, clock, 1, reports)


# --- backlogs


async def backlog_of(bus: AsyncEventBus, clock: Clock, handler: Recorder, *units: str) -> None:
    """Publish these while a backlog has begun to drain; one of them is done."""
    await publish(bus, *units)
    await handler.saw(1)
    await let_it_settle(bus)
    clock.now = time.time()
    await bus._backlog.count()


async def test_todays_failures_are_seen_today(bus, clock):
    """While a backlog drains, a quarter of the permits goes to what has come since; the oldest go on too."""
    handler = Recorder(destination="WATS")
    bus.subscribe(handler)
    await backlog_of(bus, clock, handler, *(f"old{number}" for number in range(40)))
    await publish(bus, *(f"new{number}" for number in range(10)))
    await seconds(bus, clock, 12, handler)
    units = handler.units[1:]
    assert [unit for unit in units if unit.startswith("new")] == ["new0", "new1", "new2"]
    assert [unit for unit in units if unit.startswith("old")] == [f"old{number}" for number in range(1, 10)]


async def test_the_fresh_lane_keeps_the_order_of_a_unit(bus, clock):
    """A fresh event of a unit waits for the older ones of that unit; those of others pass."""
    handler = Recorder(destination="WATS")
    bus.subscribe(handler)
    units = [f"old{number}" for number in range(40)]
    await backlog_of(bus, clock, handler, *units)
    await publish(bus, "old39", "new")
    await seconds(bus, clock, 10, handler)
    assert "new" in handler.units
    assert "old39" not in handler.units


async def test_without_a_backlog_nothing_changes(bus, clock):
    """As long as little waits, there is one lane, oldest first."""
    handler = Recorder(destination="WATS")
    bus.subscribe(handler)
    await backlog_of(bus, clock, handler, *(f"U{number}" for number in range(10)))
    await publish(bus, "new")
    await seconds(bus, clock, 10, handler)
    assert handler.units == [*(f"U{number}" for number in range(10)), "new"]


def state_of(asset: str, state: str) -> Event:
    return Event(EventType.ASSET_STATE_CHANGED, {"asset_id": asset, "state": state}, source=asset)


async def test_superseded_states_are_left_out_while_a_backlog_drains(bus, clock):
    """Of an asset's states that have gathered only the newest is sent; results are all sent."""
    handler = Recorder([EventType.ASSET_STATE_CHANGED], destination="WATS", name="states")
    handler.coalesces = True
    results = Recorder(destination="WATS", name="results")
    bus.subscribe(handler)
    bus.subscribe(results)
    await bus.publish(state_of("first", "on"))
    await handler.saw(1)
    for number in range(40):
        await bus.publish(state_of("S1", str(number)))
    clock.now = time.time()
    await bus._backlog.count()
    await seconds(bus, clock, 1, handler)
    assert handler.seen[-1].payload["state"] == "39"
    dropped = await bus.journal.search(Query(states=(DeliveryState.DROPPED,)))
    assert {entry.rule for entry in dropped} == {SUPERSEDED}
    assert len(dropped) == 39
    for _ in range(3):
        await publish(bus, "U")
    await seconds(bus, clock, 3, results)
    assert len(results.seen) == 3
    assert (await bus.journal.ledger()).difference == 0


async def test_a_forecast_says_when_it_is_over(bus, clock):
    """A backlog has a number, a rate and an end, which stand in the log when it begins and later again."""
    handler = Recorder(destination="WATS")
    bus.subscribe(handler)
    with capture_logs() as logs:
        await backlog_of(bus, clock, handler, *(f"U{number}" for number in range(61)))
        forecast = (await bus.forecast())["WATS"]
        clock.now += 299
        await bus._backlog.count()
        clock.now += 1
        await bus._backlog.count()
    assert (forecast.waiting, forecast.allowed, forecast.held) == (60, 1.0, None)
    assert forecast.empty_at.timestamp() == pytest.approx(forecast.draining_since.timestamp() + 60, abs=0.01)
    local = forecast.empty_at.astimezone()
    assert str(forecast) == f"60 waiting, 1.0/s allowed, empty at {local:%H:%M}"
    told = [line["forecast"] for line in logs if line["event"] == "backlog drains"]
    assert len(told) == 2
    assert told[0] == str(forecast)


async def test_a_forecast_goes_by_what_is_measured(bus, clock):
    """When the destination takes less than it allows, the end is later; when all is done the drain ends."""
    handler = Recorder(destination="WATS")
    bus.subscribe(handler)
    await backlog_of(bus, clock, handler, *(f"U{number}" for number in range(41)))
    for _ in range(5):
        clock.now += 3
        await seconds(bus, clock, 1, handler)
    forecast = (await bus.forecast())["WATS"]
    assert forecast.measured == pytest.approx(6 / 20, rel=0.1)
    assert forecast.empty_at.timestamp() - clock.now == pytest.approx(35 / forecast.measured, rel=0.01)
