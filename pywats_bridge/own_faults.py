"""What is wrong with the bridge itself, as faults that its signs of life carry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import uuid4

from pywats_bridge.printing import counted
from pywats_cfx import messages as cfx
from pywats_events.journal import DeliveryState, Journal, JournalError
from pywats_events.policies import CircuitBreaker
from pywats_events.policies.breaker import BreakerState


class OwnFaults:
    """Gives the faults that are active. A fault keeps its id for as long as it lasts.

    Args:
        journal: is asked for dead letters.
        breakers: gives the circuit breakers, by destination.
    """

    def __init__(self, journal: Journal, breakers: Callable[[], Mapping[str, CircuitBreaker]]) -> None:
        self._journal = journal
        self._breakers = breakers
        self._active: dict[str, cfx.Fault] = {}
        self._dead: int | None = None

    async def __call__(self) -> Sequence[cfx.Fault]:
        """Look, and give what is wrong now."""
        said = {
            f"{destination}_UNREACHABLE".upper(): f"{destination} is not reached: {breaker.reason}"
            for destination, breaker in self._breakers().items()
            if breaker.state is not BreakerState.CLOSED
        }
        try:
            dead = (await self._journal.stats()).count(DeliveryState.DEAD)
        except JournalError as error:
            said["JOURNAL"] = f"the journal does not answer: {error}"
        else:
            if self._dead is not None and dead > self._dead:
                said["DEAD_LETTERS"] = f"{counted(dead - self._dead, 'more dead letter')}, {dead:,} in all"
            self._dead = dead
        self._active = {
            code: self._active.get(code) or _fault(code, description) for code, description in said.items()
        }
        return list(self._active.values())


def _fault(code: str, description: str) -> cfx.Fault:
    return cfx.Fault(
        cause=cfx.FaultCause.ServicesFailure,
        severity=cfx.FaultSeverity.Error,
        fault_code=code,
        fault_occurrence_id=str(uuid4()),
        description=description,
        occurred_at=datetime.now(UTC),
    )
