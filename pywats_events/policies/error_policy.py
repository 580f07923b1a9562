"""What happens around failures."""

from __future__ import annotations

from dataclasses import dataclass, field

from pywats_events.policies.breaker import CircuitBreaker
from pywats_events.policies.dead_letters import DeadLetterQueue


@dataclass(slots=True)
class ErrorPolicy:
    """Where dead letters are shown, and when a destination is left alone.

    Args:
        dead_letter_queue: shows the newest dead letters.
        circuit_breaker: settings; each destination gets a breaker of its own with them. A handler without
            a destination has none.
    """

    dead_letter_queue: DeadLetterQueue = field(default_factory=DeadLetterQueue)
    circuit_breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
