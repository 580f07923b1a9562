"""What was just written to the journal in SQLite and is claimed next: it need not be read again."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pywats_events.journal.sqlite_in_flight import Held

#: Most deliveries, and bytes of their events, that are kept.
_MOST: Final = 1024
_MOST_BYTES: Final = 8 * 1024 * 1024


class FreshOnes:
    """The newest deliveries, as many as is good for speed: what is not here is read from the file.

    One that a rollback has taken back does no harm: its number is never given again.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[int, Held] = OrderedDict()
        self._bytes = 0

    def note(self, held: Held) -> None:
        """Keep a delivery that is written now, and forget the oldest."""
        self._kept[held.seq] = held
        self._bytes += held.size
        while len(self._kept) > _MOST or self._bytes > _MOST_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.size

    def get(self, seq: int) -> Held | None:
        """Give a delivery; None when it has to be read."""
        return self._kept.get(seq)

    def take(self, seq: int) -> Held | None:
        """Give a delivery that is claimed now; None when it has to be read."""
        held = self._kept.pop(seq, None)
        if held is not None:
            self._bytes -= held.size
        return held

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
        self._bytes = 0
