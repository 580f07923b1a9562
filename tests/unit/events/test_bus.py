"""What the bus promises to handlers, and to those who publish."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Sequence

import pytest

from pywats_events import (
    AsyncEventBus,
    BaseHandler,
    DestinationUnavailable,
    Done,
    Dropped,
    Event,
    EventType,
    NotReady,
    PermanentError,
    TransientError,
)
from pywats_events.journal import DeliveryState, Fact, JournalError, Query
from pywats_events.journal.memory import MemoryJournal
from pywats_events.policies import BreakerState, CircuitBreaker, DeadLetterQueue, ErrorPolicy, RetryPolicy
from pywats_events.transports import MockTransport

from .doubles import PATIENCE, Clock, Gated, HeldUp, Recorder, Refusing, Scripted, result_of


async def publish(bus: AsyncEventBus, *units: str) -> None:
    for unit in units:
        await bus.publish(result_of(unit))


async def drained(bus: AsyncEventBus) -> None:
    assert await bus.drain(timeout=PATIENCE)


async def states(bus: AsyncEventBus, **query) -> list[DeliveryState]:
    return [entry.state for entry in await bus.journal.search(Query(**query))]


async def let_others_run() -> None:
    for _ in range(20):
        await asyncio.sleep(0)  # not a wait: lets others run up to where they wait


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


async def test_one_probe_then_all_in_order(outage, clock):
    """After the outage one delivery goes ahead; when it succeeds all others follow, in order per key."""
    handler = Gated(destination="WATS")
    broken = Scripted(down(needs_attention=True), destination="WATS", name="first")
    outage.subscribe(broken, filter=lambda event: event.key == "X")
    outage.subscribe(handler, filter=lambda event: event.key != "X")
    await publish(outage, "X")
    await drained(outage)
    assert outage.breakers["WATS"].state is BreakerState.OPEN
    for number in range(6):
        await outage.publish(result_of("AB"[number % 2], f"e{number}"))
    await drained(outage)
    assert handler.seen == []

    clock.now += 3600
    outage._dispatcher.nudge()
    await asyncio.wait_for(_one_of(handler, broken), PATIENCE)
    await let_others_run()
    assert len(handler.seen) + len(broken.seen) == 2  # the one before the outage, and the probe
    handler.gate.set()
    await drained(outage)
    assert outage.breakers["WATS"].state is BreakerState.CLOSED
    assert [event.id for event in handler.seen if event.key == "A"] == ["e0", "e2", "e4"]
    assert [event.id for event in handler.seen if event.key == "B"] == ["e1", "e3", "e5"]
    assert set(await states(outage)) == {"done"}


async def _one_of(handler: Recorder, broken: Recorder) -> None:
    waits = {asyncio.ensure_future(handler.saw(1)), asyncio.ensure_future(broken.saw(2))}
    _, left = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for one in left:
        one.cancel()
    await asyncio.gather(*left, return_exceptions=True)


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


# --- the journal fails


async def test_a_journal_that_refuses_and_works_again():
    """Publishing says why it failed; afterwards everything goes on."""
    journal, handler = Refusing(), Recorder()
    async with AsyncEventBus(journal=journal) as bus:
        bus.subscribe(handler)
        journal.refuses = True
        with pytest.raises(JournalError, match="free some space"):
            await publish(bus, "A")
        journal.refuses = False
        await publish(bus, "B")
        await handler.saw(1)
    assert handler.units == ["B"]


async def test_an_event_that_breaks_the_journal_hurts_nobody_else():
    """When one event of a batch can't be written, it alone is refused."""

    class Picky(HeldUp):
        async def append(self, receipts):
            await super().append([])
            if any(routed.event.key == "poison" for receipt in receipts for routed in receipt.events):
                raise TypeError("not JSON")
            return await super().append(receipts)

    journal, handler = Picky(), Recorder()
    async with AsyncEventBus(journal=journal) as bus:
        bus.subscribe(handler)
        units = ["first", "A", "poison", "B"]
        waiting = [asyncio.ensure_future(bus.publish(result_of(unit))) for unit in units]
        await journal.asked.wait()
        await let_others_run()
        journal.commit.set()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        await handler.saw(3)
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "NoneType",
        "NoneType",
        "JournalError",
        "NoneType",
    ]
    assert handler.units == ["first", "A", "B"]


class Forgetful(MemoryJournal):
    """Can't write down some outcomes."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = list(errors)
        self.poison: str | None = None

    async def settle(self, verdicts: Sequence, *, now):
        """Settle, or not."""
        if self.errors:
            raise self.errors.pop(0)
        if any(
            verdict.delivery.event.key == self.poison and type(verdict).__name__ == "Completed"
            for verdict in verdicts
        ):
            raise TypeError("detail is not JSON")
        return await super().settle(verdicts, now=now)


async def test_an_outcome_that_can_not_be_written_is_written_later():
    """When the journal is away for a moment, outcomes are kept and the handler is not called again."""
    journal, handler = Forgetful(JournalError("away")), Recorder()
    async with AsyncEventBus(journal=journal) as bus:
        bus.subscribe(handler)
        await publish(bus, "A")
        await drained(bus)
        assert await states(bus) == ["done"]
    assert handler.units == ["A"]


async def test_an_outcome_that_breaks_the_journal_hurts_nobody_else():
    """An outcome that can't be written makes its delivery a dead letter; the others are done."""
    journal, gated = Forgetful(), Gated()
    journal.poison = "B"
    async with AsyncEventBus(journal=journal) as bus:
        bus.subscribe(gated)
        await publish(bus, "A", "B", "C")
        await gated.saw(3)
        gated.gate.set()
        await drained(bus)
        assert await states(bus) == ["done", "dead", "done"]
        (entry,) = await bus.journal.search(Query(key="B"))
    assert "detail is not JSON" in (entry.reason or "")


async def test_a_machine_that_slept_runs_nothing_twice():
    """When all leases ended at once, what this process still works on is not begun a second time."""

    class ShortLeases(MemoryJournal):
        short = 5

        async def claim(self, *, limit, now, lease_seconds, handlers):
            self.short -= 1
            lease = 0.0 if self.short >= 0 else lease_seconds
            return await super().claim(limit=limit, now=now, lease_seconds=lease, handlers=handlers)

    gated = Gated()
    async with AsyncEventBus(journal=ShortLeases()) as bus:
        bus.subscribe(gated)
        await publish(bus, "A")
        await gated.saw(1)
        await publish(bus, "B")
        await gated.saw(2)
        gated.gate.set()
        await drained(bus)
        assert await states(bus) == ["done", "done"]
    assert sorted(gated.units) == ["A", "B"]


# --- back-pressure


async def test_sources_wait_when_the_backlog_is_full():
    """At the limit messages wait, in their order; when half of it is worked off they come."""
    gated = Gated()
    async with AsyncEventBus(high_water=4, concurrency=1) as bus:
        bus.subscribe(gated)
        await publish(bus, "1", "2", "3", "4")
        later = [asyncio.ensure_future(publish(bus, str(number))) for number in range(5, 9)]
        await let_others_run()
        assert not any(one.done() for one in later)
        assert (await bus.journal.stats()).open == 4
        gated.gate.set()
        await asyncio.wait_for(asyncio.gather(*later), PATIENCE)
        await drained(bus)
    assert gated.units == [str(number) for number in range(1, 9)]


async def test_a_full_backlog_does_not_lock_handlers_out():
    """What a handler publishes does not wait for a backlog that waits for the handler."""
    seen = Recorder([EventType.CUSTOM], name="follow-up")

    class Publishes(BaseHandler):
        event_types = (EventType.TEST_RESULT,)

        async def handle(self, event):
            await bus.publish(Event(EventType.CUSTOM, source=event.key))

    async with AsyncEventBus(high_water=1, concurrency=1) as bus:
        bus.subscribe(Publishes())
        bus.subscribe(seen)
        async with asyncio.timeout(PATIENCE):
            await publish(bus, "A", "B", "C")
        await drained(bus)
    assert seen.units == ["A", "B", "C"]


async def test_the_backlog_of_before_counts():
    """A bus that starts with a full journal takes nothing in before some of it is worked off."""
    journal = MemoryJournal()
    gated = Gated()
    async with AsyncEventBus(journal=journal) as bus:
        bus.subscribe(gated)
        await publish(bus, "A", "B")
        await gated.saw(2)
        await bus.stop(timeout=0.0)
    async with AsyncEventBus(journal=journal, high_water=2) as bus:
        waiting = asyncio.ensure_future(publish(bus, "C"))
        await let_others_run()
        assert not waiting.done()
        gated.gate.set()
        bus.subscribe(gated)
        await asyncio.wait_for(waiting, PATIENCE)
        await drained(bus)
    assert sorted(gated.ended) == ["A", "B", "C"]


async def test_what_waits_for_room_is_turned_away_at_the_end():
    """Who waits for room when the bus stops is told so, and does not wait for ever."""
    gated = Gated()
    bus = AsyncEventBus(high_water=1)
    await bus.start()
    bus.subscribe(gated)
    await publish(bus, "A")
    waiting = asyncio.ensure_future(publish(bus, "B"))
    await let_others_run()
    await bus.stop(timeout=0.0)
    with pytest.raises(JournalError, match="stopped"):
        await asyncio.wait_for(waiting, PATIENCE)


# --- life


async def test_publish_before_start_and_after_stop():
    """A bus that does not run says so, and what to do."""
    bus = AsyncEventBus()
    with pytest.raises(RuntimeError, match="start the bus first"):
        await publish(bus, "A")
    async with bus:
        pass
    with pytest.raises(RuntimeError, match="has stopped"):
        await publish(bus, "A")
    with pytest.raises(RuntimeError, match="make a new one"):
        await bus.start()


async def test_start_and_stop_twice():
    """Starting a bus that runs, and stopping one that does not, is harmless; so are two stops at once."""
    bus, handler = AsyncEventBus(), Recorder()
    await bus.stop()
    await bus.start()
    await bus.start()
    bus.subscribe(handler)
    await publish(bus, "A")
    await asyncio.gather(bus.stop(), bus.stop())
    await bus.stop()
    assert handler.units == ["A"]


async def test_leaving_finishes_what_is_ready():
    """Work that is ready when the bus stops is done first, also what handlers and the bus add to it."""
    seen = Recorder([EventType.EVENT_DEAD_LETTER], name="letters")
    async with AsyncEventBus() as bus:
        bus.subscribe(seen)
        bus.subscribe(Scripted(PermanentError("no")))
        await publish(bus, "A")
    assert len(seen.seen) == 1


async def test_a_new_bus_goes_on_where_the_old_one_stopped(quick):
    """What one bus left in its journal the next one handles, and drain waits for that too."""
    journal, gated = MemoryJournal(), Gated()
    async with AsyncEventBus(journal=journal) as bus:
        bus.subscribe(gated)
        await publish(bus, "A", "B")
        await gated.saw(2)
        await bus.stop(timeout=0.0)
    handler = Recorder(name="Gated")
    bus = AsyncEventBus(journal=journal, retry_policy=quick)
    bus.subscribe(handler)
    async with bus:
        await drained(bus)
        assert sorted(handler.units) == ["A", "B"]


async def test_drain_gives_up_after_its_time(bus):
    """Drain says when not everything was done in time."""
    gated = Gated()
    bus.subscribe(gated)
    await publish(bus, "A")
    assert await bus.drain(timeout=0.01) is False
    gated.gate.set()
    assert await bus.drain() is True


async def test_a_handler_that_will_not_end_does_not_hold_up_the_stop(monkeypatch):
    """A handler that ignores its cancellation is left behind."""
    monkeypatch.setattr("pywats_events.bus.dispatcher.LAST_WORDS", 0.01)
    started, leave = asyncio.Event(), asyncio.Event()

    class Stubborn(Recorder):
        async def handle(self, _event):
            started.set()
            while not leave.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await leave.wait()

    bus = AsyncEventBus()
    bus.subscribe(Stubborn())
    await bus.start()
    await publish(bus, "A")
    await started.wait()
    await asyncio.wait_for(bus.stop(timeout=0.0), PATIENCE)
    assert await states(bus) == ["pending"]
    leave.set()
    await let_others_run()


class Brittle(MockTransport):
    """Fails where it is told to."""

    def __init__(self, name: str, *steps: str) -> None:
        super().__init__(name=name)
        self.steps = steps
        self.ended: list[str] = []

    async def start(self, intake) -> None:
        """Start, or not."""
        if "start" in self.steps:
            raise ValueError("queue name is empty")
        await super().start(intake)

    async def stop(self) -> None:
        """Stop, or not."""
        self.ended.append("stop")
        if "stop" in self.steps:
            raise OSError("socket is gone")

    async def close(self) -> None:
        """Close, or not."""
        self.ended.append("close")
        if "close" in self.steps:
            raise OSError("socket is gone")


async def test_a_transport_that_can_not_start_stops_the_bus():
    """A setting that can never work is raised, and nothing is left running."""
    good, bad, later = Brittle("good"), Brittle("bad", "start"), Brittle("later")
    bus = AsyncEventBus()
    for transport in (good, bad, later):
        bus.register_transport(transport)
    with pytest.raises(ValueError, match="queue name"):
        await bus.start()
    assert (good.ended, later.ended) == (["stop", "close"], [])
    assert all(task.done() for task in bus._tasks)


async def test_a_transport_that_fails_to_end_hurts_nobody():
    """Each transport is stopped and closed, whatever the others do."""
    transports = [Brittle("a", "stop", "close"), Brittle("b")]
    bus = AsyncEventBus()
    for transport in transports:
        bus.register_transport(transport)
    async with bus:
        pass
    assert [transport.ended for transport in transports] == [["stop", "close"]] * 2


async def test_transports_have_names_of_their_own():
    """Two transports of one name, or one that comes too late, are refused."""
    bus = AsyncEventBus()
    bus.register_transport(MockTransport())
    with pytest.raises(ValueError, match="another name"):
        bus.register_transport(MockTransport())
    async with bus:
        with pytest.raises(RuntimeError, match="before the bus is started"):
            bus.register_transport(MockTransport(name="late"))


async def test_concurrency_of_none_is_refused():
    """A bus that could handle nothing is refused when it is made."""
    with pytest.raises(ValueError, match="concurrency"):
        AsyncEventBus(concurrency=0)


async def test_a_cancelled_publish_leaves_the_bus_well():
    """Who gives up waiting for a commit harms nobody; the event is there as a whole or not at all."""
    journal, handler = HeldUp(), Recorder()
    async with AsyncEventBus(journal=journal) as bus:
        bus.subscribe(handler)
        gone = asyncio.ensure_future(publish(bus, "A"))
        await journal.asked.wait()
        gone.cancel()
        await asyncio.wait([gone])
        journal.commit.set()
        await publish(bus, "B")
        await handler.saw(2)
    assert handler.units == ["A", "B"]


async def test_publishing_from_inside_a_handler(bus):
    """A handler may publish: drain waits for what follows from it, as far as it goes."""

    class Countdown(BaseHandler):
        event_types = (EventType.CUSTOM,)

        async def handle(self, event):
            if event.payload["n"]:
                await bus.publish(Event(EventType.CUSTOM, {"n": event.payload["n"] - 1}, source="s"))

    bus.subscribe(Countdown())
    await bus.publish(Event(EventType.CUSTOM, {"n": 20}, source="s"))
    await drained(bus)
    assert (await bus.journal.stats()).count(DeliveryState.DONE) == 21


async def test_a_part_that_fails_is_started_again(monkeypatch):
    """A fault inside the bus does not end the intake or the delivery of everything."""
    handler = Recorder()
    naps = []

    class Faulty(MemoryJournal):
        faults = 1

        async def claim(self, **options):
            if self.faults:
                self.faults -= 1
                raise ZeroDivisionError
            return await super().claim(**options)

    real = asyncio.sleep

    async def nap(seconds):
        naps.append(seconds)
        await real(0)

    async with AsyncEventBus(journal=Faulty()) as bus:
        monkeypatch.setattr("pywats_events.bus.async_bus.asyncio.sleep", nap)
        bus.subscribe(handler)
        await publish(bus, "A")
        await handler.saw(1)
        monkeypatch.undo()
    assert 1.0 in naps
