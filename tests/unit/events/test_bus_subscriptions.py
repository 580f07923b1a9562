"""What the bus promises to subscribers and to those who listen."""

from __future__ import annotations

import pytest

from pywats_events import (
    AsyncEventBus,
    BaseHandler,
    Dropped,
    Event,
    EventType,
    PermanentError,
    TransientError,
)
from pywats_events.journal import Query
from pywats_events.transports import MockTransport

from .bus_steps import drained, publish, states
from .doubles import Gated, Recorder, Scripted, result_of

# --- subscriptions


async def test_only_the_wanted_types(bus):
    """A handler gets the types that it named and no others."""
    results, faults = Recorder(), Recorder([EventType.ASSET_FAULT], name="faults")
    bus.subscribe(results)
    bus.subscribe(faults)
    await publish(bus, "A")
    await bus.publish(Event(EventType.ASSET_FAULT, source="oven"))
    await bus.publish(Event(EventType.CUSTOM))
    await drained(bus)
    assert (results.units, faults.units) == (["A"], ["oven"])
    assert (await bus.journal.stats()).unwanted == 1


def _with_types(value) -> BaseHandler:
    class Handler(BaseHandler):
        event_types = value

        async def handle(self, event):
            """Do nothing."""

    return Handler()


@pytest.mark.parametrize(
    "types",
    [
        [EventType.TEST_RESULT],
        (EventType.TEST_RESULT,),
        {"test.result"},
        "test.result",
        EventType.TEST_RESULT,
        property(lambda _self: [EventType.TEST_RESULT]),
        lambda _self: [EventType.TEST_RESULT],
        property(lambda _self: (one for one in [EventType.TEST_RESULT])),
    ],
)
async def test_event_types_in_all_forms(bus, types):
    """Types may be a property, a method or a class attribute; members or their values; one or many."""
    assert bus.subscribe(_with_types(types)).types == {EventType.TEST_RESULT}


@pytest.mark.parametrize("types", [None, 5, ["no.such.type"], [None], "TEST_RESULT", lambda _self: 7])
async def test_wrong_event_types_are_refused(bus, types):
    """A handler that does not say properly what it wants is refused when it is subscribed, by name."""
    with pytest.raises(TypeError, match=r"Handler\.event_types"):
        bus.subscribe(_with_types(types))


async def test_a_filter_chooses(bus):
    """Only what passes the filter is due to the handler; the rest is nobody's debt."""
    handler = Recorder()
    bus.subscribe(handler, filter=lambda event: event.payload.get("line") == 1)
    await bus.publish(result_of("A", line=1))
    await bus.publish(result_of("B", line=2))
    await drained(bus)
    assert handler.units == ["A"]
    assert (await bus.journal.stats()).unwanted == 1


async def test_a_filter_that_fails_loses_nothing(bus):
    """When a filter raises, the event is delivered rather than lost, and publishing goes on."""
    handler = Recorder()
    bus.subscribe(handler, filter=lambda event: event.payload["line"] == 1)
    await publish(bus, "A")
    await drained(bus)
    assert handler.units == ["A"]


async def test_middleware_stands_around_each_try(bus):
    """Middleware runs outermost first around each try, sees what came of it, and may change it."""
    trace = []

    def layer(name):
        async def middleware(event, call):
            trace.append(f"{name}>")
            try:
                return await call(event)
            finally:
                trace.append(f"<{name}")

        return middleware

    async def replaces(event, call):
        return Dropped("by middleware") if await call(event) is None else None

    handler = Scripted(TransientError("busy"))
    bus.subscribe(handler, middleware=[layer("a"), layer("b"), replaces])
    await publish(bus, "A")
    await handler.saw(2)
    await drained(bus)
    assert trace == ["a>", "b>", "<b", "<a"] * 2
    (entry,) = await bus.journal.search(Query())
    assert (entry.state, entry.rule) == ("dropped", "by middleware")


async def test_two_handlers_of_one_class_are_two(bus):
    """Each has a name of its own, and each gets every event."""
    one, two = Recorder(), Recorder()
    names = [bus.subscribe(one).name, bus.subscribe(two).name, bus.subscribe(Recorder(), name="own").name]
    await publish(bus, "A")
    await drained(bus)
    assert names == ["Recorder", "Recorder-2", "own"]
    assert (one.units, two.units) == (["A"], ["A"])


async def test_unsubscribed_handlers_get_nothing_more(bus):
    """After it left, a handler gets nothing; what was due to it stays until one of its name is back."""
    handler, gated = Recorder(), Gated(name="gated")
    bus.subscribe(gated)
    bus.subscribe(handler)
    await bus.publish(result_of("A", "a1"))
    await gated.saw(1)
    await bus.publish(result_of("A", "a2"))
    bus.unsubscribe(gated)
    bus.unsubscribe(handler)
    gated.gate.set()
    await drained(bus)
    await bus.publish(result_of("A", "a3"))
    assert [event.id for event in gated.seen] == ["a1"]

    back = Recorder(name="gated")
    subscription = bus.subscribe(back)
    await back.saw(1)
    assert [event.id for event in back.seen] == ["a2"]
    bus.unsubscribe(subscription)
    assert "gated" not in bus._subscriptions


async def test_what_a_handler_that_left_is_owed_does_not_hold_up_the_end(bus):
    """Neither drain nor stop waits for a handler that is not there."""
    gated = Gated()
    bus.subscribe(gated)
    await bus.publish(result_of("A", "a1"))
    await bus.publish(result_of("A", "a2"))
    await gated.saw(1)
    bus.unsubscribe(gated)
    gated.gate.set()
    await drained(bus)
    assert await states(bus) == ["done", "pending"]


# --- hooks and what the bus says of itself


async def test_hooks_are_told(bus):
    """on_event is told of each new event once, on_error of each failed try."""
    events, errors = [], []
    bus.on_event(lambda event: events.append(event.id))

    @bus.on_error
    def note(event, error):
        errors.append((event.id, str(error)))

    handler = Scripted(TransientError("one"), TransientError("two"))
    bus.subscribe(handler)
    await bus.publish(result_of("A", "e1"))
    await bus.publish(result_of("A", "e1"))
    await handler.saw(3)
    await drained(bus)
    assert (events, errors) == (["e1"], [("e1", "one"), ("e1", "two")])


async def test_a_hook_that_raises_hurts_nobody(bus):
    """A hook's own trouble keeps nothing from being handled, nor other hooks from being told."""
    told = []

    def broken(*_):
        raise ZeroDivisionError

    bus.on_event(broken)
    bus.on_error(broken)
    bus.on_event(told.append)
    bus.on_error(lambda _event, error: told.append(error))
    handler = Scripted(TransientError("busy"))
    bus.subscribe(handler)
    await publish(bus, "A")
    await handler.saw(2)
    await drained(bus)
    assert len(told) == 2
    assert await states(bus) == ["done"]


async def test_the_bus_tells_of_failures_and_dead_letters(bus):
    """Failed tries and dead letters are events too, for handlers that want them."""
    system = Recorder([EventType.HANDLER_ERROR, EventType.EVENT_DEAD_LETTER], name="system")
    bus.subscribe(system)
    bus.subscribe(Scripted(TransientError("busy"), PermanentError("no such part")))
    await bus.publish(result_of("SN-1", "e1"))
    await system.saw(3)
    assert [event.event_type.value for event in system.seen] == [
        "handler.error",
        "handler.error",
        "event.dead_letter",
    ]
    last = system.seen[-1]
    assert last.metadata.causation_id == "e1"
    assert last.payload == {
        "event_id": "e1",
        "event_type": "test.result",
        "unit_id": "SN-1",
        "handler": "Scripted",
        "error": "PermanentError",
        "reason": "no such part",
        "outcome": "Bury",
    }


async def test_unreadable_messages_are_told_of_too(station):
    """A message that nobody can read is told of as a dead letter, once."""
    system, transport = Recorder([EventType.EVENT_DEAD_LETTER]), MockTransport()
    bus = AsyncEventBus()
    bus.register_transport(transport)
    bus.subscribe(system)
    async with bus:
        for _ in range(2):
            await transport.inject_message_async(station.message(body=b"\xff"))
        await drained(bus)
    (event,) = system.seen
    assert (event.payload["transport"], event.payload["error"]) == ("mock", "EventFormatError")
    assert event.payload["reason"].startswith("not JSON")


async def test_what_is_said_of_system_events_is_not_said_again(bus):
    """A handler of system events that fails makes no further ones: there is no end to that."""
    types = [EventType.HANDLER_ERROR, EventType.EVENT_DEAD_LETTER]
    failing = Scripted(*(PermanentError("no") for _ in range(50)), types=types, name="system")
    bus.subscribe(failing)
    bus.subscribe(Scripted(PermanentError("no such part")))
    await publish(bus, "A")
    await drained(bus)
    assert len(failing.seen) == 2


async def test_transports_are_told_of():
    """That a transport can receive, or can't, is an event for those who want it."""
    system, transport = (
        Recorder([EventType.TRANSPORT_CONNECTED, EventType.TRANSPORT_DISCONNECTED]),
        MockTransport(),
    )
    bus = AsyncEventBus()
    bus.register_transport(transport)
    bus.subscribe(system)
    async with bus:
        assert transport._intake is not None
        await transport._intake.disconnected("mock", "broker is gone")
        await drained(bus)
    assert [(event.event_type.name, event.payload["detail"]) for event in system.seen] == [
        ("TRANSPORT_CONNECTED", "in process"),
        ("TRANSPORT_DISCONNECTED", "broker is gone"),
    ]
