"""Policies: when to try again, how fast to ask, when to leave alone, where dead letters are shown."""

from pywats_events.policies.breaker import BreakerState, CircuitBreaker
from pywats_events.policies.dead_letters import DeadLetter, DeadLetterQueue
from pywats_events.policies.error_policy import ErrorPolicy
from pywats_events.policies.rate_limit import RateLimit, TokenBucket
from pywats_events.policies.retry import RetryPolicy

__all__ = [
    "BreakerState",
    "CircuitBreaker",
    "DeadLetter",
    "DeadLetterQueue",
    "ErrorPolicy",
    "RateLimit",
    "RetryPolicy",
    "TokenBucket",
]
