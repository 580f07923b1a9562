"""The bus for plain code: the same promises, from any thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest

from pywats_events import (
    BaseHandler,
    Event,
    EventBus,
    EventType,
    PermanentError,
    TransientError,
)
from pywats_events.journal import DeliveryState, JournalError, Query
from pywats_events.journal.memory import MemoryJournal
from pywats_events.policies import DeadLetterQueue, ErrorPolicy, RetryPolicy
from pywats_events.transports import MockTransport

from .doubles import PATIENCE, Refusing, in_threads, result_of


class Plain(BaseHandler):
    """Notes what it gets, in a thread."""

    event_types = (EventType.TEST_RESULT,)

    def __init__(self, *script: Exception) -> None:
        self.seen: list[Event] = []
        self.script = list(script)
        self.lock = threading.Lock()

    def handle(self, event):
        """Note it, and act the next part."""
        with self.lock:
            self.seen.append(event)
            error = self.script.pop(0) if self.script else None
        if error is not None:
            raise error

    @property
    def units(self) -> list[str]:
        """Give the keys of what it got."""
        return [event.key for event in self.seen]


def test_publish_returns_when_it_is_journalled():
    """After publish the journal has the event, though no handler may have run yet."""
    leave = threading.Event()

    class Slow(Plain):
        def handle(self, event):
            assert leave.wait(PATIENCE)
            super().handle(event)

    handler = Slow()
    with EventBus() as bus:
        bus.subscribe(handler)
        bus.publish(result_of("A"))
        assert bus._await(bus.journal.stats()).open == 1
        assert handler.seen == []
        leave.set()
    assert handler.units == ["A"]


def test_from_several_threads():
    """Any thread may publish, subscribe and look on; nothing is lost, and each thread keeps its order."""
    handler = Plain()
    with EventBus() as bus:
        bus.subscribe(handler)

        def publish(thread: int) -> None:
            for number in range(50):
                bus.publish(result_of(f"T{thread}", f"{thread}/{number}"))

        def come_and_go() -> None:
            for _ in range(50):
                visitor = Plain()
                bus.subscribe(visitor)
                bus.unsubscribe(visitor)

        errors = in_threads(*(lambda thread=thread: publish(thread) for thread in range(4)), come_and_go)
        assert bus.drain(timeout=PATIENCE)
    assert errors == []
    for thread in range(4):
        own = [event.id for event in handler.seen if event.key == f"T{thread}"]
        assert own == [f"{thread}/{number}" for number in range(50)]


def test_stop_while_others_publish():
    """Who publishes while the bus is stopped either has its event journalled or hears of it; nobody hangs."""
    handler = Plain()
    bus = EventBus()
    bus.subscribe(handler)
    bus.start()
    begun = threading.Barrier(5)
    published: list[str] = []

    def publish(thread: int) -> None:
        begun.wait()
        with contextlib.suppress(RuntimeError, JournalError):
            for number in range(10_000):
                event = result_of(f"T{thread}", f"{thread}/{number}")
                bus.publish(event)
                published.append(event.id)

    def stop() -> None:
        begun.wait()
        bus.stop()

    assert in_threads(*(lambda thread=thread: publish(thread) for thread in range(4)), stop) == []
    known = asyncio.run(bus.journal.stats()).events
    assert len(published) <= known <= len(published) + 4


def test_stop_from_several_threads():
    """Any number of threads may stop a bus; it is stopped once."""
    bus = EventBus()
    bus.start()

    assert in_threads(*[bus.stop] * 4) == []
    bus.stop()


def test_start_twice():
    """Starting a bus that runs is harmless, also from two threads."""
    bus = EventBus()
    assert in_threads(bus.start, bus.start) == []
    bus.start()
    bus.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "event bus"]


def test_a_bus_that_does_not_run_says_so():
    """Publishing before the start, after the stop, and starting again are refused with what to do."""
    bus = EventBus()
    with pytest.raises(RuntimeError, match="start the bus first"):
        bus.publish(result_of())
    with bus:
        pass
    with pytest.raises(RuntimeError, match="start the bus first"):
        bus.publish(result_of())
    with pytest.raises(RuntimeError, match="make a new one"):
        bus.start()


def test_a_journal_that_can_not_be_opened():
    """A bus whose journal does not open raises, leaves no thread, and can be started later."""

    class Locked(MemoryJournal):
        locked = True

        async def open(self) -> None:
            if self.locked:
                raise JournalError("another process has the file")
            await super().open()

    journal = Locked()
    bus = EventBus(journal=journal)
    with pytest.raises(JournalError, match="another process"):
        bus.start()
    assert not [thread for thread in threading.enumerate() if thread.name == "event bus"]
    journal.locked = False
    with bus:
        bus.publish(result_of())


def test_a_journal_that_refuses():
    """The reason why nothing can be written reaches who publishes."""
    journal = Refusing()
    with EventBus(journal=journal) as bus:
        journal.refuses = True
        with pytest.raises(JournalError, match="free some space"):
            bus.publish(result_of())
        journal.refuses = False
        bus.publish(result_of())


def test_retries_and_dead_letters():
    """Failed tries are retried; what is dead can be seen and replayed with a plain call."""
    handler = Plain(TransientError("busy"), PermanentError("no such part"))
    letters = DeadLetterQueue()
    bus = EventBus(
        retry_policy=RetryPolicy(initial_delay=0.0),
        error_policy=ErrorPolicy(dead_letter_queue=letters),
    )
    died = threading.Event()
    bus.on_error(lambda _event, error: died.set() if isinstance(error, PermanentError) else None)
    with bus:
        bus.subscribe(handler)
        bus.publish(result_of("A"))
        assert died.wait(PATIENCE)
        assert bus.drain(timeout=PATIENCE)
        (entry,) = letters.get_entries()
        assert (entry.event.key, entry.error, entry.attempts) == ("A", "no such part", 2)
        assert letters.replay(entry) == 1
        assert bus.drain(timeout=PATIENCE)
        assert letters.get_entries() == []
        assert letters.replay() == 0
        assert bus.replay(Query(states=(DeliveryState.DEAD,))) == 0
    assert handler.units == ["A"] * 3
    with pytest.raises(RuntimeError, match="start the bus first"):
        letters.replay(entry)


def test_a_failed_replay_keeps_the_entry():
    """A dead letter that could not be put through again is still shown."""
    letters = DeadLetterQueue()
    bus = EventBus(error_policy=ErrorPolicy(dead_letter_queue=letters))
    bus.subscribe(Plain(PermanentError("no")))
    with bus:
        bus.publish(result_of("A"))
    with pytest.raises(RuntimeError):
        letters.replay()
    assert len(letters) == 1


def test_a_plain_handler_may_publish():
    """What a handler in a thread publishes is handled too, also at the end and with a full backlog."""
    seen = []

    class Follows(BaseHandler):
        event_types = (EventType.CUSTOM,)

        def handle(self, event):
            seen.append(event.key)

    class Publishes(BaseHandler):
        event_types = (EventType.TEST_RESULT,)

        def handle(self, event):
            bus.publish(Event(EventType.CUSTOM, source=event.key))

    with EventBus(high_water=1, concurrency=2) as bus:
        bus.subscribe(Publishes())
        bus.subscribe(Follows())
        for unit in "ABC":
            bus.publish(result_of(unit))
    assert seen == ["A", "B", "C"]


def test_waiting_on_the_buss_own_thread_is_refused():
    """Code on the bus's thread can't wait for the bus; it is told so, and the bus goes on."""
    heard: list[BaseException] = []
    handler = Plain()

    with EventBus() as bus:

        @bus.on_event
        def hook(_event):
            for call in (bus.drain, bus.stop, lambda: bus.publish(result_of("B"))):
                try:
                    call()
                except RuntimeError as error:
                    heard.append(error)

        bus.subscribe(handler)
        bus.publish(result_of("A"))
        assert bus.drain(timeout=PATIENCE)
    assert [str(error)[:24] for error in heard] == ["on the bus's own thread "] * 3
    assert handler.units == ["A"]


def test_subscribing_from_inside_a_handler():
    """A handler may subscribe and unsubscribe others, in a thread or on the loop."""
    late = Plain()

    class Grows(BaseHandler):
        event_types = (EventType.TEST_RESULT,)

        def __init__(self, visitor):
            self.visitor = visitor

        async def handle(self, _event):
            bus.subscribe(self.visitor)

    class GrowsInThread(Grows):
        def handle(self, _event):
            bus.unsubscribe(self.visitor)
            bus.subscribe(self.visitor)

    with EventBus() as bus:
        bus.subscribe(Grows(late))
        bus.publish(result_of("A"))
        bus.drain(timeout=PATIENCE)
        bus.subscribe(GrowsInThread(late))
        bus.publish(result_of("B"))
        bus.drain(timeout=PATIENCE)
        bus.unsubscribe(late)
    assert late.units[0] == "B"


def test_one_journal_after_another_bus():
    """A second bus goes on with the journal of the first, on a thread and loop of its own."""
    journal = MemoryJournal()
    with EventBus(journal=journal) as bus:
        bus.subscribe(Plain(TransientError("busy", retry_after=0.2)), name="reports")
        bus.publish(result_of("A"))
    handler = Plain()
    with EventBus(journal=journal) as bus:
        bus.subscribe(handler, name="reports")
        bus.publish(result_of("B"))
        assert bus.drain(timeout=PATIENCE)
    assert "B" in handler.units


def test_a_sync_drain_says_when_time_is_over():
    """Drain gives False when the handlers did not finish in time."""
    leave = threading.Event()

    class Slow(Plain):
        def handle(self, _event):
            assert leave.wait(PATIENCE)

    with EventBus() as bus:
        bus.subscribe(Slow())
        bus.publish(result_of("A"))
        assert bus.drain(timeout=0.01) is False
        leave.set()
        assert bus.drain(timeout=PATIENCE) is True


def test_observers_and_transports_work_as_on_the_async_bus():
    """Facts are learnt and transports registered through the plain face too."""
    from pywats_events.journal import Fact

    transport, handler = MockTransport(), Plain()
    bus = EventBus()
    bus.register_transport(transport)
    bus.observe(lambda event: [Fact("unit", {"id": event.key}, event.time)])
    bus.subscribe(handler)
    with bus:
        transport.inject_event(result_of("A"))
        assert bus._await(bus.journal.recall(["unit"])) == {"unit": {"id": "A"}}
    assert handler.units == ["A"]
