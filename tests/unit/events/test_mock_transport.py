"""The transport for tests."""

from __future__ import annotations

import json

import pytest

from pywats_events import (
    AsyncEventBus,
    BaseHandler,
    Event,
    EventBus,
    EventType,
    PermanentError,
    RawMessage,
    TransientError,
)
from pywats_events.journal import DeliveryState, Query
from pywats_events.transports import MockTransport

from .doubles import Gated, Recorder, Scripted, result_of


class Plain(BaseHandler):
    """Notes what it gets, without a loop."""

    event_types = (EventType.TEST_RESULT,)

    def __init__(self, error: Exception | None = None) -> None:
        self.seen: list[Event] = []
        self.error = error

    def handle(self, event):
        """Note it."""
        self.seen.append(event)
        if self.error is not None:
            raise self.error


def test_inject_event_returns_when_every_handler_has_run():
    """A plain test can assert on the line after."""
    transport, one, other = MockTransport(), Plain(), Plain()
    bus = EventBus()
    bus.register_transport(transport)
    bus.subscribe(one)
    bus.subscribe(other)
    with bus:
        for number in range(20):
            transport.inject_event(result_of(str(number)))
            assert (len(one.seen), len(other.seen)) == (number + 1, number + 1)


def test_inject_event_returns_though_a_handler_fails():
    """What comes of the event makes no difference to who injected it."""
    transport, failing = MockTransport(), Plain(PermanentError("no"))
    bus = EventBus()
    bus.register_transport(transport)
    bus.subscribe(failing)
    with bus:
        transport.inject_event(result_of())
        assert len(failing.seen) == 1


def test_inject_event_returns_when_nobody_wants_it():
    """An event without handlers holds nobody up, nor does a repeat."""
    transport = MockTransport()
    bus = EventBus()
    bus.register_transport(transport)
    bus.subscribe(Plain())
    with bus:
        transport.inject_event(Event(EventType.CUSTOM))
        transport.inject_event(result_of("A", "same"))
        transport.inject_event(result_of("A", "same"))


def test_an_injected_event_arrives_whole():
    """It goes the way of all messages and is the same event at the end, with its transport noted."""
    transport, handler = MockTransport(name="bench"), Plain()
    bus = EventBus()
    bus.register_transport(transport)
    bus.subscribe(handler)
    event = Event(EventType.TEST_RESULT, {"unit_id": "Prüfling 1"}, source="//A/1", id="short")
    with bus:
        transport.inject_event(event)

    (seen,) = handler.seen
    assert (seen.id, seen.payload, seen.source, seen.time) == ("short", event.payload, "//A/1", event.time)
    assert seen.metadata.transport == "bench"


async def test_inject_on_a_loop():
    """Async tests await the methods that end in _async; the others say so."""
    transport, handler = MockTransport(), Recorder()
    bus = AsyncEventBus()
    bus.register_transport(transport)
    bus.subscribe(handler)
    async with bus:
        await transport.inject_event_async(result_of("A"))
        assert handler.units == ["A"]
        with pytest.raises(RuntimeError, match="_async"):
            transport.inject_event(result_of("B"))


async def test_inject_gives_up_after_its_time(quick):
    """A handler that does not end is reported; the event stays with the bus."""
    transport = MockTransport()
    bus = AsyncEventBus(retry_policy=quick)
    bus.register_transport(transport)
    gated = Gated()
    bus.subscribe(gated)
    async with bus:
        with pytest.raises(TimeoutError):
            await transport.inject_event_async(result_of("A"), timeout=0.01)
        gated.gate.set()
        assert await bus.drain(timeout=10)
    assert gated.ended == ["A"]


async def test_waiting_leaves_nothing_behind():
    """Waiting for many events keeps nothing of them."""
    transport = MockTransport()
    bus = AsyncEventBus()
    bus.register_transport(transport)
    bus.subscribe(Recorder())
    async with bus:
        for number in range(10):
            await transport.inject_event_async(result_of(str(number)))
        assert not bus._watches


def test_a_transport_that_does_not_run_says_so():
    """Injecting before the start or after the stop says what to do."""
    transport = MockTransport()
    bus = EventBus()
    bus.register_transport(transport)
    with pytest.raises(RuntimeError, match="start the bus"):
        transport.inject_event(result_of())
    with bus:
        pass
    with pytest.raises(RuntimeError, match="start the bus"):
        transport.inject_event(result_of())


async def test_messages_go_through_the_adapter(station):
    """A raw message is read by the transport's adapter and acknowledged."""
    transport = MockTransport(adapter=lambda raw: [Event(EventType.TEST_RESULT, json.loads(raw.body))])
    bus, handler = AsyncEventBus(), Recorder()
    bus.register_transport(transport)
    bus.subscribe(handler)
    async with bus:
        await transport.inject_message_async(station.message(body=b'{"unit_id": "A"}'))
        await station.told()
    assert (handler.units, station.acknowledged) == (["A"], ["message"])


def test_messages_from_plain_code():
    """A raw message can be injected from plain code, and is journalled when that returns."""
    transport = MockTransport()
    bus = EventBus()
    bus.register_transport(transport)
    with bus:
        transport.inject_message(RawMessage(b"garbage"))
        (entry,) = bus._await(bus.journal.search(Query()))
    assert entry.state is DeliveryState.DEAD


async def test_a_retry_is_not_waited_for():
    """Each handler has run once when inject returns; retries come later."""
    transport, handler = MockTransport(), Scripted(TransientError("busy", retry_after=3600))
    bus = AsyncEventBus()
    bus.register_transport(transport)
    bus.subscribe(handler)
    async with bus:
        await transport.inject_event_async(result_of())
        assert len(handler.seen) == 1
