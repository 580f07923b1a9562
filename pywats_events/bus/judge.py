"""What a failed try means: the one place where errors become states of the journal."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from pywats_events.errors import DestinationUnavailable, NotReady, TransientError
from pywats_events.journal import Bury, Delivery, JournalError, Park, RetryAt
from pywats_events.policies import CircuitBreaker, RetryPolicy

#: A fact may be learnt between a handler's look and its verdict, so what is parked looks again after so many
#: seconds by itself.
LOOK_AGAIN: Final = 5.0
#: Seconds after which is tried again what our own journal has refused to the handler.
JOURNAL_PAUSE: Final = 5.0


def destination_key(name: str) -> str:
    """Give the name under which deliveries are parked that wait for a destination."""
    return f"destination:{name}"


def judge(
    error: Exception,
    delivery: Delivery,
    *,
    retries: RetryPolicy,
    breaker: CircuitBreaker | None,
    now: datetime,
    refused_part: str | None = None,
) -> RetryAt | Park | Bury:
    """Decide what becomes of a delivery whose try failed.

    Args:
        error: what the handler raised.
        delivery: the delivery; ``attempts`` counts the tries before this one.
        retries: the handler's retry policy.
        breaker: breaker of the handler's destination, which has taken note of the failure already.
        now: the time of the failure.
        refused_part: the part of the destination that it waits for, where the rest of it is not down.
    """
    kind = type(error).__name__
    reason = str(error) or kind
    if isinstance(error, NotReady):
        return _wait_for_facts(error, delivery, reason, now)
    if isinstance(error, DestinationUnavailable):
        wait = retries.delay(1, retry_after=error.retry_after)
        if breaker is not None:
            wait = max(wait, breaker.seconds_to_probe)
        until = now + timedelta(seconds=wait)
        return Park(delivery, (destination_key(refused_part or error.destination),), until, kind, reason)
    if isinstance(error, JournalError):  # our own trouble, not the event's: it spends no try
        return Park(delivery, (), now + timedelta(seconds=JOURNAL_PAUSE), kind, reason)
    attempt = delivery.attempts + 1
    if not retries.allows(error, attempt=attempt):
        return Bury(delivery, kind, reason)
    asked = error.retry_after if isinstance(error, TransientError) else None
    at = now + timedelta(seconds=retries.delay(attempt, retry_after=asked))
    return RetryAt(delivery, at, kind, reason)


def _wait_for_facts(error: NotReady, delivery: Delivery, reason: str, now: datetime) -> Park | Bury:
    """Park until a fact is learnt; bury when the time that it may wait is over.

    The time counts from the event's first sight, so a replay of an old dead letter gets one try.
    """
    left = error.give_up_after - (now - delivery.first_seen).total_seconds()
    if left <= 0:
        return Bury(delivery, type(error).__name__, reason)
    until = now + timedelta(seconds=min(left, LOOK_AGAIN))
    return Park(delivery, error.facts, until, type(error).__name__, reason)
