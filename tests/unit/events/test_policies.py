"""When a delivery is tried again, when a destination is left alone, where dead letters are shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pywats_events import DestinationUnavailable, NotReady, PermanentError, TransientError
from pywats_events.bus.judge import judge
from pywats_events.journal import Bury, Delivery, JournalFull, Park, RetryAt
from pywats_events.policies import BreakerState, CircuitBreaker, DeadLetter, DeadLetterQueue, RetryPolicy

from .doubles import Clock, result_of

NOW = datetime(2026, 1, 5, tzinfo=UTC)
DAY = 86_400.0


def delivery(attempts: int = 0, *, seen: datetime = NOW) -> Delivery:
    return Delivery("1", result_of("A", "a"), "h", attempts, seen)


def verdict_on(error: Exception, *, attempts: int = 0, seen: datetime = NOW, breaker=None, **policy):
    policy.setdefault("jitter", False)
    return judge(
        error, delivery(attempts, seen=seen), retries=RetryPolicy(**policy), breaker=breaker, now=NOW
    )


# --- retries


def test_delays_grow_up_to_the_longest():
    """Each delay is the one before times the base, up to the longest."""
    policy = RetryPolicy(initial_delay=1.0, max_delay=10.0, exponential_base=2.0, jitter=False)

    assert [policy.delay(attempt) for attempt in range(1, 7)] == [1, 2, 4, 8, 10, 10]


@pytest.mark.parametrize("base", [1.0, 1.01, 2.0, 10_000_000.0])
def test_delays_stay_within_bounds_for_ever(base):
    """However often something is tried, its delay neither overflows nor shrinks."""
    policy = RetryPolicy(initial_delay=0.5, max_delay=60.0, exponential_base=base, jitter=False)
    delays = [policy.delay(attempt) for attempt in (1, 10, 1000, 100_000)]

    assert delays == sorted(delays)
    assert delays[-1] == (0.5 if base == 1.0 else 60.0)


def test_jitter_takes_between_half_and_all():
    """A random part is taken off, so that many do not come back at once."""
    policy = RetryPolicy(initial_delay=8.0, jitter=True)
    delays = {policy.delay(1) for _ in range(200)}

    assert len(delays) > 100
    assert min(delays) >= 4.0
    assert max(delays) <= 8.0


@pytest.mark.parametrize(
    ("asked", "given"), [(120.0, 120.0), (0.0, 0.0), (-5.0, 0.0), (1e18, DAY), (float("inf"), DAY)]
)
def test_what_the_destination_asks_for_wins(asked, given):
    """Retry-After is obeyed beyond the longest delay, and never upsets the bus."""
    assert RetryPolicy(max_delay=10.0).delay(1, retry_after=asked) == given


def test_retries_end():
    """After so many retries a delivery is dead."""
    policy = RetryPolicy(max_retries=2)

    assert [policy.allows(ValueError(), attempt=attempt) for attempt in (1, 2, 3)] == [True, True, False]
    assert not RetryPolicy(max_retries=0).allows(ValueError(), attempt=1)


def test_permanent_is_never_retried():
    """A permanent error is final at once."""
    assert not RetryPolicy().allows(PermanentError(), attempt=1)


def test_retry_on_names_all_that_is_retried():
    """Once errors are named, only those are retried, and what a handler calls transient."""
    policy = RetryPolicy().retry_on(ConnectionError).retry_on(TimeoutError)

    assert policy.allows(ConnectionResetError(), attempt=1)
    assert policy.allows(TimeoutError(), attempt=1)
    assert policy.allows(TransientError(), attempt=1)
    assert not policy.allows(KeyError(), attempt=1)


def test_no_retry_on_wins():
    """What is never to be retried isn't, even if a wider class is."""
    policy = RetryPolicy().retry_on(OSError).no_retry_on(ConnectionRefusedError)

    assert policy.allows(OSError(), attempt=1)
    assert not policy.allows(ConnectionRefusedError(), attempt=1)


def test_policies_do_not_share_their_lists():
    """Naming errors in one policy changes no other."""
    RetryPolicy().no_retry_on(KeyError)

    assert RetryPolicy().allows(KeyError(), attempt=1)


@pytest.mark.parametrize(
    "wrong",
    [{"max_retries": -1}, {"initial_delay": -1}, {"max_delay": -1}, {"exponential_base": 0.5}],
)
def test_nonsense_is_refused(wrong):
    """A policy that makes no sense is refused when it is written down."""
    with pytest.raises(ValueError, match="RetryPolicy"):
        RetryPolicy(**wrong)


# --- what a failure means


def test_an_unknown_error_is_tried_again():
    """An error that says nothing of itself counts as transient, until the tries are spent."""
    again = verdict_on(KeyError("x"), initial_delay=4.0)
    assert isinstance(again, RetryAt)
    assert (again.at, again.error, again.reason) == (NOW + timedelta(seconds=4), "KeyError", "'x'")

    dead = verdict_on(KeyError("x"), attempts=3, max_retries=3)
    assert isinstance(dead, Bury)


def test_an_error_without_words_is_named():
    """A reason is never empty."""
    assert verdict_on(RuntimeError()).reason == "RuntimeError"


def test_retry_after_is_obeyed():
    """The time that a transient error brings is when it is tried again."""
    again = verdict_on(TransientError("busy", retry_after=90), max_delay=10.0)

    assert isinstance(again, RetryAt)
    assert again.at == NOW + timedelta(seconds=90)


def test_a_permanent_error_is_dead_at_once():
    """A permanent error spends no further tries."""
    assert isinstance(verdict_on(PermanentError("no such part")), Bury)


def test_an_outage_parks_until_the_probe():
    """What meets a destination that is down is parked on it, at least until the next probe."""
    breaker = CircuitBreaker(failure_threshold=1, reset_timeout=30.0, clock=Clock())
    breaker.record_failure("down")

    parked = verdict_on(DestinationUnavailable("WATS", "down"), attempts=99, breaker=breaker)

    assert isinstance(parked, Park)
    assert (parked.on, parked.until) == (("destination:WATS",), NOW + timedelta(seconds=30))
    assert parked.reason == "WATS is unavailable: down"


@pytest.mark.parametrize("wait", [1e18, float("inf")])
def test_no_wait_is_too_long_to_be_written_down(wait):
    """A destination or handler that asks for ages costs nothing but a long wait."""
    assert isinstance(verdict_on(DestinationUnavailable("WATS", retry_after=wait)), Park)
    assert isinstance(verdict_on(TransientError(retry_after=wait)), RetryAt)
    assert isinstance(verdict_on(NotReady("no recipe", give_up_after=wait)), Park)


def test_what_the_journal_refuses_spends_no_try():
    """A journal that is full or away is not the event's fault: it is parked for a moment, however often."""
    parked = verdict_on(JournalFull("disk is full"), attempts=99)
    assert isinstance(parked, Park)
    assert (parked.on, parked.until) == ((), NOW + timedelta(seconds=5))


def test_not_ready_waits_and_gives_up():
    """What waits for a fact looks again soon, until its time is over; then it is dead with its reason."""
    error = NotReady("no recipe known", facts=("transaction:1",), give_up_after=60)

    early = verdict_on(error)
    assert isinstance(early, Park)
    assert early.on == ("transaction:1",)
    assert early.until == NOW + timedelta(seconds=5)
    last = verdict_on(error, seen=NOW - timedelta(seconds=58))
    assert isinstance(last, Park)
    assert last.until == NOW + timedelta(seconds=2)
    late = verdict_on(error, seen=NOW - timedelta(seconds=60))
    assert isinstance(late, Bury)
    assert late.reason == "no recipe known"


# --- the breaker


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return CircuitBreaker(failure_threshold=3, reset_timeout=30.0, clock=clock)


def test_the_breaker_opens_after_failures_in_a_row(breaker):
    """It opens at the threshold and says so once; a success in between starts the count again."""
    assert [breaker.record_failure() for _ in range(2)] == [False, False]
    assert breaker.record_success() is False
    assert [breaker.record_failure("down") for _ in range(4)] == [False, False, True, False]
    assert (breaker.state, breaker.room(10), breaker.reason) == (BreakerState.OPEN, 0, "down")
    assert breaker.seconds_to_probe == 30.0


def test_the_breaker_lets_one_probe_through(breaker, clock):
    """When its time is over it lets one call through, and no second one meanwhile."""
    breaker.trip("down")
    clock.now += 30

    assert (breaker.state, breaker.room(10)) == (BreakerState.HALF_OPEN, 1)
    breaker.probe_begins()
    assert breaker.room(10) == 0
    breaker.probe_abandoned()
    assert breaker.room(10) == 1


def test_the_breaker_closes_when_the_probe_succeeds(breaker, clock):
    """One success closes it and says that it was open."""
    breaker.trip("down")
    clock.now += 30
    breaker.probe_begins()

    assert breaker.record_success() is True
    assert (breaker.state, breaker.room(10), breaker.reason) == (BreakerState.CLOSED, 10, "")
    assert breaker.record_success() is False


def test_the_breaker_opens_again_when_the_probe_fails(breaker, clock):
    """A failed probe means another wait of the same length."""
    breaker.trip("down")
    clock.now += 30
    breaker.probe_begins()
    breaker.record_failure("still down")

    assert (breaker.state, breaker.seconds_to_probe) == (BreakerState.OPEN, 30.0)
    assert breaker.reason == "still down"


def test_late_failures_do_not_prolong_the_outage(breaker, clock):
    """What was under way when it opened and fails later moves nothing."""
    breaker.trip("down")
    clock.now += 20
    breaker.record_failure("down")

    assert breaker.seconds_to_probe == 10.0


def test_a_destination_that_asks_for_time_gets_it(breaker):
    """Retry-After opens the breaker at once, for as long as was asked."""
    assert breaker.record_failure("throttled", retry_after=7) is True
    assert breaker.seconds_to_probe == 7.0
    breaker.trip("ages", retry_after=float("inf"))
    assert breaker.seconds_to_probe == DAY


def test_refused_credentials_are_probed_slowly(breaker, clock):
    """Who refuses our credentials may lock out who asks too often, so the next probe is minutes away."""
    breaker.trip("401", needs_attention=True)
    assert breaker.seconds_to_probe == 300.0
    assert breaker.hold.needs_attention
    clock.now += 300
    breaker.probe_begins()
    breaker.record_failure("503")
    assert (breaker.hold.needs_attention, breaker.seconds_to_probe) == (False, 30.0)


def test_a_hold_of_another_bridge_is_as_good_as_its_own(breaker):
    """What another bridge found opens a breaker until the same moment, and what it found mended closes it."""
    other = breaker.fresh()
    other.trip("down")
    breaker.adopt(other.hold)
    assert (breaker.state, breaker.reason, breaker.seconds_to_probe) == (BreakerState.OPEN, "down", 30.0)
    breaker.adopt(None)
    assert (breaker.state, breaker.hold) == (BreakerState.CLOSED, None)


def test_an_outage_has_one_beginning(breaker, clock):
    """However many probes fail, the outage goes back to the first failure."""
    breaker.trip("down")
    since = breaker.hold.since
    clock.now += 30
    breaker.probe_begins()
    breaker.record_failure("still down")
    assert breaker.hold.since == since


def test_a_hold_from_a_time_to_come_holds_nothing_back(breaker, clock):
    """A clock that was set back while the bridge was down does not leave a destination alone for longer."""
    breaker.trip("down", retry_after=20)
    clock.now -= 3600
    assert (breaker.state, breaker.seconds_to_probe) == (BreakerState.HALF_OPEN, 0.0)
    breaker.probe_begins()
    breaker.record_failure("still down")
    assert breaker.seconds_to_probe == 30.0


def test_a_fresh_breaker_shares_only_the_settings(breaker, clock):
    """Each destination has a breaker of its own."""
    breaker.trip("down")
    other = breaker.fresh()

    assert (other.state, other.failure_threshold, other.clock) == (BreakerState.CLOSED, 3, clock)


@pytest.mark.parametrize("wrong", [{"failure_threshold": 0}, {"reset_timeout": -1}])
def test_a_breaker_of_nonsense_is_refused(wrong):
    """A breaker that could never work is refused when it is made."""
    with pytest.raises(ValueError, match="CircuitBreaker"):
        CircuitBreaker(**wrong)


# --- the window onto the dead letters


def letter(number: int) -> DeadLetter:
    return DeadLetter(str(number), result_of("A", f"e{number}"), "h", "why", "PermanentError", 1)


def test_the_queue_shows_the_newest():
    """Only the newest dead letters are shown, oldest first, each once."""
    queue = DeadLetterQueue(max_size=3)
    for number in (1, 2, 3, 4, 3):
        queue.add(letter(number))

    assert [entry.id for entry in queue.get_entries()] == ["2", "4", "3"]
    assert len(queue) == 3


def test_a_queue_without_a_bus_can_not_replay():
    """Replay says what is missing."""
    with pytest.raises(RuntimeError, match="give it to a bus first"):
        DeadLetterQueue().replay()


def test_a_queue_of_nothing_is_refused():
    """A queue that shows nothing is refused when it is made."""
    with pytest.raises(ValueError, match="max_size"):
        DeadLetterQueue(max_size=0)
