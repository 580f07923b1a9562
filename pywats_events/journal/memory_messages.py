"""The messages of the journal in memory, and the books that are kept of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pywats_events.journal.fates import Fate, fate_of
from pywats_events.journal.records import DeliveryState, MessageSums, RawRecord

if TYPE_CHECKING:
    from pywats_events.journal.memory_rows import Row


@dataclass(slots=True, eq=False)
class Message:
    """One receipt, with or without a raw message."""

    id: str | None
    transport: str
    raw: RawRecord | None
    rows: list[Row] = field(default_factory=list)
    states: Counter[DeliveryState] = field(default_factory=Counter)

    @property
    def fate(self) -> Fate:
        """What became of it."""
        return fate_of(state for state, number in self.states.items() if number)


class Books:
    """The messages with bytes that are kept, and what became of all of them, by transport."""

    def __init__(self) -> None:
        self.kept: dict[str, Message] = {}  # those that something is still to be read from
        self.bytes = 0
        self._sums: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def receive(self, message: Message, *, is_repeated: bool) -> None:
        """Enter a message, once its rows are there."""
        sums = self._sums[message.transport]
        sums["received"] += 1
        if is_repeated:
            sums["repeated"] += 1
            return
        sums[message.fate] += 1
        if message.id and message.raw and message.rows:
            self.kept[message.id] = message
            self.bytes += len(message.raw.body)

    def move(self, message: Message, before: DeliveryState | None, after: DeliveryState) -> None:
        """Note that a delivery of a message that was received has changed its state, or is new."""
        fate = message.fate
        if before is not None:
            message.states[before] -= 1
        message.states[after] += 1
        if message.fate is not fate:
            self._sums[message.transport][fate] -= 1
            self._sums[message.transport][message.fate] += 1
        if message.fate not in (Fate.WAITING, Fate.DEAD):
            self._let_go(message)

    def _let_go(self, message: Message) -> None:
        if message.id and self.kept.pop(message.id, None) and message.raw:
            self.bytes -= len(message.raw.body)
            message.raw = None

    @property
    def received(self) -> dict[str, int]:
        """Number of messages by transport."""
        return {name: sums["received"] for name, sums in self._sums.items()}

    def sums(self) -> dict[str, MessageSums]:
        """Give the books."""
        return {
            name: MessageSums(**{part: sums[part] for part in _PARTS}) for name, sums in self._sums.items()
        }


_PARTS = ("received", "repeated", *Fate)
