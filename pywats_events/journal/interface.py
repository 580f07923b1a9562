"""The journal: the record of events and of what became of each one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from pywats_events.journal.records import (
    Appended,
    Delivery,
    Entry,
    Fact,
    Query,
    RawRecord,
    Receipt,
    Stats,
    Verdict,
)


class JournalError(Exception):
    """The journal can't do its work; nothing may be acknowledged. The text says what to do."""


class Journal(Protocol):
    """What every journal does. All methods are called on the bus's loop and must not block it.

    Each call is atomic: it happened as a whole or not at all, also when the caller is cancelled. Each
    raises ``JournalError`` when the record can't be written or read.

    Attributes:
        durable: True when what ``append`` returned from survives a crash. The messages of a journal that is
            not durable are acknowledged only when their deliveries are settled.
    """

    durable: bool

    async def open(self) -> None:
        """Make it ready. What a dead process had in flight becomes pending when its lease ends."""

    async def close(self) -> None:
        """Let go of files and connections. Calling it twice is harmless."""

    async def append(self, receipts: Sequence[Receipt]) -> list[Appended]:
        """Write received messages down in one commit, in order.

        An event whose id is known already is a duplicate: it makes no new deliveries and teaches no facts.
        New facts set free the deliveries that are parked on their keys.

        Returns:
            One answer for each receipt.
        """

    async def claim(
        self, *, limit: int, now: datetime, lease_seconds: float, handlers: Collection[str]
    ) -> list[Delivery]:
        """Take ready deliveries, oldest first, for this worker alone.

        Ready are pending ones and those whose time has come. Of one (handler, key) at most one is given,
        the oldest, and none while an older one is unsettled.

        Args:
            limit: most deliveries to give.
            now: the time by which "has come" is judged.
            lease_seconds: after so long without ``extend`` or ``settle`` others may take them.
            handlers: names of the handlers that can work now; deliveries of others are left alone.
        """

    async def extend(self, deliveries: Sequence[Delivery], *, now: datetime, lease_seconds: float) -> None:
        """Keep claimed deliveries for longer."""

    async def settle(self, verdicts: Sequence[Verdict], *, now: datetime) -> list[str]:
        """Write down what became of claimed deliveries, in one commit.

        Returns:
            Ids of the events all of whose deliveries are settled now.
        """

    async def unpark(self, on: str) -> int:
        """Set free the deliveries that are parked on this; give their number."""

    async def replay(self, query: Query, *, now: datetime) -> int:
        """Make dead letters that fit the query pending again, with no tries spent; give their number."""

    async def discard(self, query: Query, *, reason: str, now: datetime) -> int:
        """Put dead letters that fit the query away for good, keeping the reason; give their number."""

    async def search(self, query: Query) -> list[Entry]:
        """Find deliveries and unreadable messages, in the order in which they were journalled."""

    async def raw(self, message_id: str) -> RawRecord | None:
        """Give the bytes of a message back, if they are still kept."""

    async def stats(self) -> Stats:
        """Count."""

    async def remember(self, facts: Sequence[Fact]) -> None:
        """Write facts down that no event taught (decisions that must hold for later tries)."""

    async def recall(self, keys: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """Give the values of the facts that are known, by key."""

    async def wait_ready(self, *, now: datetime, timeout: float) -> None:  # noqa: ASYNC109  # part of the contract
        """Return when something may be ready to claim, at the latest after ``timeout`` seconds."""
