"""What was just written to the journal in SQLite and is claimed next: it need not be read again."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from pywats_events.journal.stored_values import Text

#: Most deliveries, and bytes of their events, that are kept.
_MOST: Final = 1024
_MOST_BYTES: Final = 8 * 1024 * 1024


class Fresh(NamedTuple):
    """A delivery that nobody has claimed yet, with what its claim reads of the file.

    Attributes:
        is_alone: its message brought nothing else.
        document: its event.
    """

    event: int
    message: int | None
    transport: Text
    is_alone: bool
    document: bytes


class FreshOnes:
    """The newest deliveries, as many as is good for speed: what is not here is read from the file.

    One that a rollback has taken back does no harm: its number is never given again.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[int, Fresh] = OrderedDict()
        self._bytes = 0

    def note(self, seq: int, fresh: Fresh) -> None:
        """Keep a delivery that is written now, and forget the oldest."""
        self._kept[seq] = fresh
        self._bytes += len(fresh.document)
        while len(self._kept) > _MOST or self._bytes > _MOST_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.document)

    def take(self, seq: int) -> Fresh | None:
        """Give a delivery that is claimed now; None when it has to be read."""
        fresh = self._kept.pop(seq, None)
        if fresh is not None:
            self._bytes -= len(fresh.document)
        return fresh

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
        self._bytes = 0
