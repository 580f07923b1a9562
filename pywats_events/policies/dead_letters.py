"""A window onto the dead letters, for code that wants to look at them without the journal."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
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
        self._entries: deque[DeadLetter] = deque(maxlen=max_size)
        self._replay: Callable[[tuple[str, ...]], Any] | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def get_entries(self) -> list[DeadLetter]:
        """Give the dead letters, oldest first."""
        return list(self._entries)

    def add(self, entry: DeadLetter) -> None:
        """Show one more; the bus calls this."""
        self._entries.append(entry)

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
        chosen = entries or tuple(self._entries)
        for entry in chosen:
            if entry in self._entries:
                self._entries.remove(entry)
        return self._replay(tuple(entry.id for entry in chosen))
