"""Dead letters for plain synchronous code."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from pywats_events.bus.dead_letters import DeadLetters, Letter
from pywats_events.bus.replay_jobs import ReplayJob
from pywats_events.journal import DeadGroup, Entry, Query

T = TypeVar("T")


class _Wait(Protocol):
    def __call__(self, work: Coroutine[Any, Any, T]) -> T: ...


class SyncDeadLetters:
    """The dead letters of an ``EventBus``; see ``DeadLetters`` for what each method does and raises.

    Args:
        letters: the dead letters of the bus.
        wait: runs a coroutine on the bus's loop and gives its result.
    """

    def __init__(self, letters: DeadLetters, wait: _Wait) -> None:
        self._letters = letters
        self._wait = wait

    def find(self, query: Query | None = None) -> list[Entry]:
        """Give the dead letters that fit the query."""
        return self._wait(self._letters.find(query))

    def groups(self, query: Query | None = None) -> list[DeadGroup]:
        """Give the causes of death."""
        return self._wait(self._letters.groups(query))

    def show(self, entry_id: str) -> Letter:
        """Give a dead letter with all that is known of it."""
        return self._wait(self._letters.show(entry_id))

    def export(self, query: Query | None = None) -> list[str]:
        """Give all dead letters that fit the query as JSON, one line each."""

        async def lines() -> list[str]:
            return [line async for line in self._letters.export(query)]

        return self._wait(lines())

    def discard(self, query: Query, *, reason: str) -> int:
        """Put dead letters away for good."""
        return self._wait(self._letters.discard(query, reason=reason))

    def jobs(self) -> list[ReplayJob]:
        """Give all replay jobs; ``EventBus.replay_job`` makes one."""
        return self._wait(self._letters.jobs.all())

    def pause(self, job_id: str) -> None:
        """Pause a replay job."""
        self._wait(self._letters.jobs.pause(job_id))

    def resume(self, job_id: str) -> None:
        """Go on with a replay job."""
        self._wait(self._letters.jobs.resume(job_id))

    def cancel(self, job_id: str) -> None:
        """End a replay job."""
        self._wait(self._letters.jobs.cancel(job_id))
