"""What the bus promises of deliveries: order, failures, dead letters."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pywats_events import (
    AsyncEventBus,
    BaseHandler,
    Done,
    Dropped,
    EventType,
    PermanentError,
    TransientError,
)
from pywats_events.journal import DeliveryState, Query
from pywats_events.policies import DeadLetterQueue, ErrorPolicy, RetryPolicy

from .bus_steps import drained, let_others_run, publish, states
from .doubles import PATIENCE, Gated, Recorder, Scripted, result_of

# --- order and concurrency


async def test_one_key_in_order_one_at_a_time(bus):
    """Events of one key are handled in the order of their arrival, never two at once."""
    gated = Gated()
    bus.subscribe(gated)
    for number in range(5):
        await bus.publish(result_of("A", f"e{number}"))
    await gated.saw(1)
    await let_others_run()
    assert gated.running == ["A"]
    gated.gate.set()
    await drained(bus)
    assert [event.id for event in gated.seen] == [f"e{number}" for number in range(5)]
    assert gated.most == 1


async def test_different_keys_run_together(bus):
    """Events of different keys do not wait for each other."""
    gated = Gated()
    bus.subscribe(gated)
    await publish(bus, "A", "B", "C")
    await gated.saw(3)
    assert sorted(gated.running) == ["A", "B", "C"]
    gated.gate.set()


async def test_handlers_of_one_event_run_together(bus):
    """A slow handler holds no other handler up."""
    slow, quick = Gated(), Recorder()
    bus.subscribe(slow)
    bus.subscribe(quick)
    await publish(bus, "A", "A")
    await quick.saw(2)
    assert slow.running == ["A"]
    slow.gate.set()


async def test_concurrency_is_bounded():
    """No more handlers run at once than was said."""
    gated = Gated()
    async with AsyncEventBus(concurrency=2) as bus:
        bus.subscribe(gated)
        await publish(bus, "A", "B", "C", "D")
        await gated.saw(2)
        await let_others_run()
        assert gated.most == 2
        gated.gate.set()
        await drained(bus)
    assert len(gated.ended) == 4


async def test_a_poison_message_hurts_nobody_else(bus):
    """While one event fails again and again, the others are handled."""
    handler = Recorder()
    poison = Scripted(*(KeyError("x") for _ in range(50)))
    bus.subscribe(poison, filter=lambda event: event.key == "bad")
    bus.subscribe(handler)
    await publish(bus, "bad", "A", "B")
    await handler.saw(3)
    await drained(bus)


# --- failures


async def test_a_failed_try_is_retried_until_it_works(bus):
    """A transient failure is tried again, and the try after it may succeed."""
    handler = Scripted(TransientError("busy"), ValueError("odd"))
    bus.subscribe(handler)
    await publish(bus, "A")
    await handler.saw(3)
    await drained(bus)
    (entry,) = await bus.journal.search(Query())
    assert (entry.state, [one.error for one in entry.attempts]) == ("done", ["TransientError", "ValueError"])


async def test_after_the_last_retry_it_is_dead(bus):
    """When the retries are spent, the delivery is a dead letter with its reason."""
    handler = Scripted(*(TransientError("busy") for _ in range(9)))
    bus.subscribe(handler)
    await publish(bus, "A")
    await handler.saw(4)
    await drained(bus)
    (entry,) = await bus.journal.search(Query())
    assert (entry.state, entry.reason, len(handler.seen)) == ("dead", "busy", 4)


async def test_a_retry_keeps_the_order_of_its_key(bus):
    """While an event waits for its retry, later ones of its key wait too, and others go on."""
    handler = Scripted(TransientError("busy"))
    bus.subscribe(handler)
    await bus.publish(result_of("A", "a1"))
    await bus.publish(result_of("A", "a2"))
    await bus.publish(result_of("B", "b1"))
    await handler.saw(4)
    assert [event.id for event in handler.seen if event.key == "A"] == ["a1", "a1", "a2"]


async def test_retry_after_is_obeyed(bus):
    """A destination that asks for time gets it; drain does not wait for that."""
    handler = Scripted(TransientError("busy", retry_after=3600))
    bus.subscribe(handler)
    await publish(bus, "A")
    await drained(bus)
    (entry,) = await bus.journal.search(Query())
    assert entry.state == "waiting"
    assert entry.retry_at is not None
    assert (entry.retry_at - entry.changed).total_seconds() == pytest.approx(3600, abs=5)


async def test_a_handler_may_have_its_own_policy(bus):
    """A subscription's retry policy wins over the bus's."""
    handler = Scripted(TransientError("busy"), TransientError("busy"))
    bus.subscribe(handler, retry_policy=RetryPolicy(max_retries=0))
    await publish(bus, "A")
    await drained(bus)
    assert await states(bus) == ["dead"]
    assert len(handler.seen) == 1


async def test_dropped_counts_with_its_rule(bus):
    """What a rule drops is counted as dropped, and the rule can be read; a detail of done likewise."""
    bus.subscribe(Scripted(Dropped("station is not ours"), Done({"report": "r-1"}), Dropped("")))
    await publish(bus, "A", "B", "C")
    await drained(bus)
    first, second, third = await bus.journal.search(Query())
    assert (first.state, first.rule) == ("dropped", "station is not ours")
    assert (second.state, dict(second.detail)) == ("done", {"report": "r-1"})
    assert third.rule == "no rule named"
    assert (await bus.journal.stats()).count(DeliveryState.DROPPED) == 2


async def test_a_handler_that_takes_too_long_has_failed():
    """A try that does not end in time is over, and counts as failed."""
    gated = Gated()
    async with AsyncEventBus(handler_timeout=0.02, retry_policy=RetryPolicy(max_retries=0)) as bus:
        bus.subscribe(gated)
        await publish(bus, "A")
        await drained(bus)
        (entry,) = await bus.journal.search(Query())
    assert (entry.state, gated.running) == ("dead", [])
    assert entry.reason == "handler did not finish within 0.02 s"


async def test_a_handlers_own_timeout_is_its_own_error(bus):
    """A TimeoutError that a handler raises is not taken for the bus's."""
    bus.subscribe(Scripted(TimeoutError("WATS took 5 s")), retry_policy=RetryPolicy(max_retries=0))
    await publish(bus, "A")
    await drained(bus)
    (entry,) = await bus.journal.search(Query())
    assert (entry.error, entry.reason) == ("TimeoutError", "WATS took 5 s")


async def test_a_handler_that_cancels_itself_has_failed(bus):
    """A cancellation from inside a handler is a failed try like any other, not a lost delivery."""
    handler = Scripted(asyncio.CancelledError())
    bus.subscribe(handler)
    await publish(bus, "A")
    await handler.saw(2)
    await drained(bus)
    (entry,) = await bus.journal.search(Query())
    assert (entry.state, len(entry.attempts)) == ("done", 1)


async def test_sync_handlers_run_beside_the_loop(bus):
    """A plain handler runs in a thread and holds up neither the loop nor other handlers."""
    inside, leave = threading.Event(), threading.Event()
    threads: list[str] = []

    class Plain(BaseHandler):
        event_types = (EventType.TEST_RESULT,)

        def handle(self, _event):
            threads.append(threading.current_thread().name)
            inside.set()
            assert leave.wait(PATIENCE)

    quick = Recorder()
    bus.subscribe(Plain())
    bus.subscribe(quick)
    await publish(bus, "A")
    await asyncio.to_thread(inside.wait, PATIENCE)
    await quick.saw(1)
    leave.set()
    await drained(bus)
    assert threads[0].startswith("handler")
    assert await states(bus) == ["done", "done"]


@pytest.mark.parametrize("error", [StopIteration("empty"), ValueError("odd")])
async def test_a_sync_handler_fails_as_others_do(bus, error):
    """Whatever a plain handler raises, the try has failed with that reason."""

    class Plain(BaseHandler):
        event_types = (EventType.TEST_RESULT,)

        def handle(self, _event):
            raise error

    bus.subscribe(Plain(), retry_policy=RetryPolicy(max_retries=0))
    await publish(bus, "A")
    await drained(bus)
    assert await states(bus) == ["dead"]


async def test_a_sync_handler_may_give_something_to_await(bus):
    """A plain function that gives a coroutine is awaited on the loop."""
    seen = []

    class Lazy(BaseHandler):
        event_types = (EventType.TEST_RESULT,)

        def handle(self, event):
            async def later():
                seen.append(event.key)
                return Done({"n": 1})

            return later()

    bus.subscribe(Lazy())
    await publish(bus, "A")
    await drained(bus)
    (entry,) = await bus.journal.search(Query())
    assert (seen, dict(entry.detail)) == (["A"], {"n": 1})


# --- dead letters


@pytest.fixture
def letters():
    return DeadLetterQueue(max_size=10)


async def test_dead_letters_can_be_seen_and_replayed(quick, letters):
    """A dead letter shows its event and reason, and lives again when it is replayed."""
    handler = Scripted(PermanentError("no such part"), PermanentError("still none"))
    async with AsyncEventBus(retry_policy=quick, error_policy=ErrorPolicy(letters)) as bus:
        bus.subscribe(handler)
        await publish(bus, "A", "B", "C")
        await drained(bus)
        first, second = letters.get_entries()
        assert (first.event.key, first.error, first.error_type) == ("A", "no such part", "PermanentError")
        assert (first.handler, first.attempts) == ("Scripted", 1)

        assert await letters.replay(second) == 1
        await drained(bus)
        assert letters.get_entries() == [first]
        assert await letters.replay() == 1
        await drained(bus)
        assert letters.get_entries() == []
        assert await letters.replay() == 0
    assert handler.units == ["A", "B", "C", "B", "A"]


async def test_a_replay_by_query_leaves_the_queue(quick, letters):
    """What was put through again by other means is shown as dead no more, unless it dies again."""
    handler = Scripted(PermanentError("one"), PermanentError("two"))
    async with AsyncEventBus(retry_policy=quick, error_policy=ErrorPolicy(letters)) as bus:
        bus.subscribe(handler)
        await publish(bus, "A")
        await drained(bus)
        assert await bus.replay(Query(states=(DeliveryState.DEAD,))) == 1
        await drained(bus)
        (entry,) = letters.get_entries()
        assert entry.error == "two"


async def test_replay_of_the_living_does_nothing(bus):
    """Only dead letters are replayed."""
    handler = Recorder()
    bus.subscribe(handler)
    await publish(bus, "A")
    await drained(bus)
    assert await bus.replay(Query()) == 0
    assert handler.units == ["A"]
