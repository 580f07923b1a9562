"""What the log promises to who reads it at night: each cause is told, and no cause drowns the others."""

from __future__ import annotations

from structlog.testing import capture_logs

from pywats_events import (
    AsyncEventBus,
    DestinationUnavailable,
    NotReady,
    PermanentError,
    RawMessage,
    Unreadable,
)
from pywats_events.bus.telling import TELL_EVERY, TOLD_AT_ONCE, Telling
from pywats_events.journal import DeliveryState
from pywats_events.policies import CircuitBreaker, ErrorPolicy
from pywats_events.transports import MockTransport

from .bus_steps import drained, publish, states
from .doubles import Clock, Scripted

NUMBER = 40


def lines(logs, text):
    """Give the lines that are seen at level info."""
    return [line for line in logs if line["event"] == text and line["log_level"] != "debug"]


async def test_one_cause_is_few_lines_and_all_its_dead_letters(quick):
    """A field that WATS refuses makes as many dead letters as there are events, but not as many lines."""
    causes = [PermanentError(f"unit {number}: process {number} is not known") for number in range(NUMBER)]
    async with AsyncEventBus(retry_policy=quick) as bus:
        bus.subscribe(Scripted(*causes, PermanentError("the disk is on fire")))
        with capture_logs() as logs:
            await publish(bus, *(f"U{number}" for number in range(NUMBER + 1)))
            await drained(bus)
        assert await states(bus, states=(DeliveryState.DEAD,)) == [DeliveryState.DEAD] * (NUMBER + 1)
    told = lines(logs, "delivery failed")
    assert len(told) == TOLD_AT_ONCE + 1
    assert "fire" in told[-1]["error"]
    assert "debug" in told[-2]["more_like_it"]
    assert len([line for line in logs if line["event"] == "delivery failed"]) == NUMBER + 1


async def test_an_outage_is_not_told_of_each_delivery_that_met_it(quick):
    """However many deliveries were on their way when WATS went down, the log stays readable."""
    policy = ErrorPolicy(circuit_breaker=CircuitBreaker(failure_threshold=2, reset_timeout=3600))
    async with AsyncEventBus(retry_policy=quick, error_policy=policy, concurrency=NUMBER) as bus:
        bus.subscribe(
            Scripted(*(DestinationUnavailable("WATS", "down") for _ in range(NUMBER)), destination="WATS")
        )
        with capture_logs() as logs:
            await publish(bus, *(f"U{number}" for number in range(NUMBER)))
            await drained(bus)
    assert len(lines(logs, "delivery failed")) <= TOLD_AT_ONCE


async def test_what_waits_for_a_fact_is_told_a_few_times(quick):
    """A station that is not configured makes hundreds of events wait, each looked at again and again."""
    waiting = (NotReady(f'unit "U{number}": no product', facts=("x",)) for number in range(NUMBER))
    async with AsyncEventBus(retry_policy=quick) as bus:
        bus.subscribe(Scripted(*waiting))
        with capture_logs() as logs:
            await publish(bus, *(f"U{number}" for number in range(NUMBER)))
            await drained(bus)
    assert len(lines(logs, "delivery waits for something that is not known yet")) == TOLD_AT_ONCE


async def test_garbage_is_told_a_few_times(quick):
    """A machine that sends nothing but garbage, as fast as it can, does not fill the log."""
    transport = MockTransport()
    transport.adapter = lambda raw: [Unreadable(raw.body.decode(), "no such field", "KeyError")]
    bus = AsyncEventBus(retry_policy=quick)
    bus.register_transport(transport)
    async with bus:
        with capture_logs() as logs:
            for number in range(NUMBER):
                await transport.inject_message_async(RawMessage(f"p{number}".encode(), transport="mock"))
        assert await states(bus, states=(DeliveryState.DEAD,)) == [DeliveryState.DEAD] * NUMBER
    assert len(lines(logs, "message could not be read; it is a dead letter")) == TOLD_AT_ONCE


def test_a_cause_that_lasts_is_told_now_and_then_with_what_was_left_out():
    """An outage of a night is a line every five minutes; one that comes back later is told anew."""
    clock = Clock()
    telling = Telling(clock)
    said: list[dict] = []

    def say(_text, **facts):
        said.append(facts)

    def fail():
        telling.tell(say, lambda *_, **__: None, "failed", reason="down")

    for _ in range(10):
        fail()
    assert len(said) == TOLD_AT_ONCE
    clock.now += TELL_EVERY
    fail()
    fail()
    assert len(said) == TOLD_AT_ONCE + 1
    assert said[-1]["left_out_before"] == 10 - TOLD_AT_ONCE
    clock.now += TELL_EVERY
    fail()
    assert said[-1]["left_out_before"] == 1
    clock.now += TELL_EVERY
    fail()
    assert "left_out_before" not in said[-1]
