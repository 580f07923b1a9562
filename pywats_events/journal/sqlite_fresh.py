"""What was just written to the journal in SQLite and is claimed next: it need not be read again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
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

    def note(self, written: Iterable[Held]) -> None:
        """Keep deliveries that are written now, and forget the oldest."""
        kept = self._kept
        for held in written:
            kept[held.seq] = held
            self._bytes += held.size
        while len(kept) > _MOST or self._bytes > _MOST_BYTES:
            _, oldest = kept.popitem(last=False)
            self._bytes -= oldest.size

    def find(self, seqs: Iterable[int]) -> list[Held]:
        """Give deliveries; those that have to be read are missing."""
        return [held for held in map(self._kept.get, seqs) if held is not None]

    def take(self, seqs: Iterable[int]) -> list[Held]:
        """Give deliveries that are claimed now; those that have to be read are missing."""
        kept = self._kept
        taken = [held for seq in seqs if (held := kept.pop(seq, None)) is not None]
        self._bytes -= sum(held.size for held in taken)
        return taken

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
        self._bytes = 0
