"""A window onto the dead letters, for code that wants to look at them without the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pywats_events.event import Event


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery that is not tried again by itself.

    Attributes:
        id: its id in the journal.
        event: the event.
        handler: the handler that could not deal with it.
        error: why, for people.
        error_type: class of the error.
        attempts: how many tries were made.
    """

    id: str
    event: Event
    handler: str
    error: str
    error_type: str
    attempts: int


class DeadLetterQueue:
    """The newest dead letters of a bus.

    The journal keeps all of them; this queue only shows the last ``max_size``.

    Args:
        max_size: most entries that are shown.
    """

    def __init__(self, max_size: int = 1000) -> None:
        if max_size < 1:
            raise ValueError("DeadLetterQueue: max_size must be at least 1")
        self.max_size = max_size
        self._entries: dict[str, DeadLetter] = {}
        self._replay: Callable[[tuple[str, ...]], Any] | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def get_entries(self) -> list[DeadLetter]:
        """Give the dead letters, oldest first."""
        return list(self._entries.values())

    def add(self, entry: DeadLetter) -> None:
        """Show one more; the bus calls this."""
        self._entries.pop(entry.id, None)
        self._entries[entry.id] = entry
        while len(self._entries) > self.max_size:
            del self._entries[next(iter(self._entries))]

    def forget(self, ids: Iterable[str]) -> None:
        """Show these no more; the bus calls this when they live again."""
        for one in ids:
            self._entries.pop(one, None)

    def bind(self, replay: Callable[[tuple[str, ...]], Any]) -> None:
        """Tell the queue how its bus replays; the bus calls this."""
        self._replay = replay

    def replay(self, *entries: DeadLetter) -> Any:
        """Put the given entries, or all, through again.

        Returns:
            Their number; on an ``AsyncEventBus`` something to await that gives it.

        Raises:
            RuntimeError: no bus has this queue.
        """
        if self._replay is None:
            raise RuntimeError(
                "DeadLetterQueue: give it to a bus first: EventBus(error_policy=ErrorPolicy(...))"
            )
        return self._replay(tuple(entry.id for entry in entries or self.get_entries()))
