"""What is claimed in the journal in SQLite.

The file belongs to one process, so a claim need not be written down: when the process ends its claims end,
and what was claimed is pending, as the file says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from itertools import count
from operator import attrgetter
from typing import Any, Final

import msgspec

from pywats_events.event import Event
from pywats_events.journal.records import Delivery
from pywats_events.journal.sqlite_fresh import FreshOnes
from pywats_events.journal.stored_values import Text, event_of, moment, untext

#: Brackets of a document that is nested less deep than any reader can go.
_SHALLOW: Final = 256

_handler: Final = attrgetter("handler")


class Unread(Delivery):
    """A delivery whose event is made when it is first asked for: of the document, as it was committed.

    Many are only settled, extended or given back, and making the event takes longer than that.
    """

    __slots__ = ("_document", "_held")

    def __init__(self, held: Held, document: bytes) -> None:
        self.id = str(held.seq)
        self.claim = held.claim
        self.attempts = held.tries
        self._held = held
        self._document = document

    def __getattr__(self, name: str) -> Any:
        # called for what is missing only, which is what nobody has asked for yet
        if name == "handler":
            self.handler = untext(self._held.handler)
        elif name == "first_seen":
            self.first_seen = moment(self._held.first_seen)
        elif name == "event":
            self.event = Event.from_json(self._document)
            del self._document
        else:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self, name)


class Held(msgspec.Struct, eq=False):
    """A delivery that is in flight, with what its verdict needs.

    Attributes:
        name: id of its event.
        until: end of the lease.
        is_alone: its message brought nothing else, so its fate is the message's.
        document: its event as it is stored, or read already, until the claim is given away.
        is_fresh: this process has written it just now, so that it can be read.
    """

    seq: int
    handler: Text
    key: Text | None
    event: int
    name: Text
    message: int | None
    transport: Text
    is_alone: bool
    first_seen: int
    document: bytes | Event | None
    tries: int = 0
    claim: int = 0
    until: int = 0
    is_fresh: bool = False

    @property
    def size(self) -> int:
        """Bytes of its event."""
        return len(self.document) if isinstance(self.document, bytes) else 0

    def delivery(self) -> Delivery | None:
        """Give what a worker gets; None when its event can't be read any more."""
        stored, self.document = self.document, None
        if self.is_fresh and isinstance(stored, bytes) and _is_shallow(stored):
            return Unread(self, stored)
        event = stored if isinstance(stored, Event) else event_of(stored)
        if event is None:
            return None
        first_seen = moment(self.first_seen)
        return Delivery(str(self.seq), event, untext(self.handler), self.tries, first_seen, self.claim)


def _is_shallow(document: bytes) -> bool:
    # counting by leaving them out is twice as fast as bytes.count
    return 2 * len(document) - len(document.replace(b"{", b"")) - len(document.replace(b"[", b"")) < _SHALLOW


class InFlight:
    """The claims that hold. Changes can be taken back until ``commit``, as those of the file.

    Attributes:
        fresh: what was just written and may be claimed next.
    """

    def __init__(self) -> None:
        self.fresh = FreshOnes()
        self._claims = count(1)
        self._held: dict[int, Held] = {}
        self._lanes: set[tuple[Text, Text | None]] = set()
        self._numbers: Counter[Text] = Counter()
        self._undo: list[tuple[Callable[[Collection[Held]], None], Collection[Held]]] = []
        self._next_due: tuple[int | None] | None = None

    def get(self, seq: int) -> Held | None:
        """Give the claim of a delivery."""
        return self._held.get(seq)

    def is_busy(self, handler: Text, key: Text | None) -> bool:
        """Tell whether a delivery of this lane is in flight."""
        return (handler, key) in self._lanes

    def count(self, handler: Text) -> int:
        """Give the number of a handler's deliveries in flight."""
        return self._numbers[handler]

    def without(self, seqs: Iterable[int]) -> list[int]:
        """Give those of these deliveries that are not in flight."""
        flying = self._held
        return [seq for seq in seqs if seq not in flying]

    def not_busy(self, ready: Iterable[Held]) -> list[Held]:
        """Give those of these deliveries whose lane has nothing in flight."""
        lanes = self._lanes
        return [held for held in ready if (held.handler, held.key) not in lanes]

    def take(self, chosen: Collection[Held], until: int) -> None:
        """Note claims, under a number that none had."""
        claim = next(self._claims)
        for held in chosen:
            held.claim, held.until = claim, until
        self._put(chosen)
        self._undo.append((self._remove, chosen))

    def drop(self, over: Collection[Held]) -> None:
        """Note that claims are over."""
        self._remove(over)
        self._undo.append((self._put, over))

    def _put(self, some: Collection[Held]) -> None:
        flying, lanes = self._held, self._lanes
        for held in some:
            flying[held.seq] = held
            lanes.add((held.handler, held.key))
        self._numbers.update(map(_handler, some))

    def _remove(self, some: Collection[Held]) -> None:
        flying, lanes = self._held, self._lanes
        for held in some:
            del flying[held.seq]
            lanes.remove((held.handler, held.key))
        for handler, number in Counter(map(_handler, some)).items():
            self._numbers[handler] -= number

    def expired(self, now: int) -> list[Held]:
        """Give the claims whose lease has ended."""
        return [held for held in self._held.values() if held.until <= now]

    def note_company(self, message: int) -> None:
        """Note that a message has more deliveries than it had."""
        self.fresh.clear()
        for held in self._held.values():
            if held.message == message:
                held.is_alone = False

    @property
    def next_end(self) -> int | None:
        """When the next lease ends."""
        return min((held.until for held in self._held.values()), default=None)

    def next_due(self, ask: Callable[[], int | None]) -> int | None:
        """Give the next time at which something is due; ask the file if that may have changed."""
        if self._next_due is None:
            self._next_due = (ask(),)
        return self._next_due[0]

    def forget_due(self) -> None:
        """Note that something else may be due next."""
        self._next_due = None

    def seqs(self) -> dict[int, Text]:
        """Give what is in flight, with its handler. Safe to call from every thread."""
        return {seq: held.handler for seq, held in self._held.copy().items()}

    # --- together with the transactions of the file ------------------------------------------------------

    def rollback(self) -> None:
        """Take back what was noted since the last commit."""
        while self._undo:
            undo, some = self._undo.pop()
            undo(some)

    def commit(self) -> None:
        """Keep what was noted."""
        self._undo.clear()

    def clear(self) -> None:
        """Forget every claim; numbers go on, so that verdicts under them stay void."""
        self._held.clear()
        self._lanes.clear()
        self._numbers.clear()
        self._undo.clear()
        self.fresh.clear()
        self.forget_due()
