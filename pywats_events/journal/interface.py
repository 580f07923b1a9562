"""The journal: the record of events and of what became of each one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from pywats_events.journal.records import (
    Amended,
    Appended,
    DeadGroup,
    Delivery,
    Entry,
    Fact,
    Health,
    Hold,
    Ledger,
    MessageHead,
    Query,
    RawRecord,
    Receipt,
    Stats,
    Verdict,
)


class JournalError(Exception):
    """The journal can't do its work; nothing may be acknowledged. The text says what to do."""


class JournalFull(JournalError):  # noqa: N818  # a state, which ends by itself, more than a fault
    """The journal's limit or its disk is reached: nothing was taken in. What is inside is still delivered.

    It ends by itself when there is room again: the source keeps its messages and tries later.
    """


class Journal(Protocol):
    """What every journal does. All methods are called on the bus's loop and must not block it.

    Each call is atomic: it happened as a whole or not at all, also when the caller is cancelled. Each
    raises ``JournalError`` when the record can't be written or read.

    Attributes:
        durable: True when what ``append`` returned from survives a crash. The messages of a journal that is
            not durable are acknowledged only when their deliveries are settled.
        shared: True when several processes may work on it at one time.
    """

    durable: bool
    shared: bool

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

        Raises:
            JournalFull: there is no room for them; nothing of them was written.
        """

    async def claim(
        self,
        *,
        limit: int,
        now: datetime,
        lease_seconds: float,
        handlers: Collection[str],
        since: datetime | None = None,
        coalesce: Collection[str] = (),
    ) -> list[Delivery]:
        """Take ready deliveries, oldest first, for this worker alone.

        Ready are pending ones and those whose time has come. Of one (handler, key) at most one is given,
        the oldest, and none while an older one is unsettled. Oldest means ``first_seen``, and of those that
        came at one time the order in which they were written down; within one (handler, key) it is always the
        order in which they were written down.

        Args:
            limit: most deliveries to give.
            now: the time by which "has come" is judged.
            lease_seconds: after so long without ``extend`` or ``settle`` others may take them.
            handlers: names of the handlers that can work now; deliveries of others are left alone.
            since: only what was journalled at or after this time, past the backlog of other keys. The order
                of a key holds all the same: nothing is given past an older unsettled one of it.
            coalesce: names of handlers for which only the newest counts. A delivery of theirs whose turn it
                is, while a later one of the same (handler, key, event type) is pending, is not given: it
                becomes dropped with the rule ``SUPERSEDED``, and the turn is the next one's.
        """

    async def extend(self, deliveries: Sequence[Delivery], *, now: datetime, lease_seconds: float) -> None:
        """Keep claimed deliveries for longer."""

    async def settle(self, verdicts: Sequence[Verdict], *, now: datetime) -> list[str]:
        """Write down what became of claimed deliveries, in one commit.

        Tries that failed and times of being left alone stay in their history, see ``Entry``. What tells of a
        dead letter (``Bury.tell``) is taken in with it, whether or not there is room for messages.

        Returns:
            Ids of the events all of whose deliveries are settled now, with those that this journal's claims
            have superseded since the last call.
        """

    async def unpark(self, on: str) -> int:
        """Set free the deliveries that are parked on this; give their number."""

    async def replay(self, query: Query, *, now: datetime) -> int:
        """Make dead letters that fit the query pending again, with no tries spent; give their number.

        What they came through before stays in their history, and that they were replayed.
        """

    async def discard(self, query: Query, *, reason: str, now: datetime) -> int:
        """Put dead letters that fit the query away for good, keeping the reason; give their number."""

    async def amend(self, message_id: str, reading: Receipt, *, now: datetime) -> Amended:
        """Put a message's new reading in the place of the old one, after a mapping was mended.

        Event ids are made from the message, so they are the same in both readings. A known event with no open
        delivery, of which one is dead, gets the new document (and its dead deliveries the new key); they stay
        dead until they are replayed. A handler that a known event was not due to gets a delivery, as does
        every handler of an event that is new; they belong to the old message, which is not counted again.
        Parts that nobody could read, and that are not among the reading's unreadable ones, are discarded with
        the rule ``READ_AGAIN``. If anything changed, the reading's facts are learnt.

        Args:
            message_id: the message that was read again.
            reading: what was made of it; ``raw`` is not looked at.
            now: when.

        Raises:
            LookupError: there is no such message, or it is kept no more.
        """

    async def groups(self, query: Query) -> list[DeadGroup]:
        """Give the dead letters that fit the query by fingerprint, the largest group first.

        ``limit`` is that of the groups; ``states``, ``after`` and ``newest_first`` are not looked at.
        """

    async def search(self, query: Query) -> list[Entry]:
        """Find deliveries and unreadable messages, in the order in which they were journalled."""

    async def raw(self, message_id: str) -> RawRecord | None:
        """Give the bytes of a message back, if they are still kept."""

    async def recent_messages(
        self, transport: str, *, limit: int, having: Mapping[str, str]
    ) -> list[MessageHead]:
        """Give what is known of the messages that were taken in last and are still kept, the newest first.

        However many others have come since: for who has to find its own again at its start, not for every
        message.

        Args:
            transport: which brought them.
            limit: most messages to give.
            having: properties that they have.
        """

    async def stats(self) -> Stats:
        """Count."""

    async def ledger(self) -> Ledger:
        """Give the books: what became of every message. As cheap for a million as for one."""

    async def health(self) -> Health:
        """Give what the journal takes, what it may take, and how far back it goes."""

    async def prune(
        self,
        *,
        done_before: datetime,
        facts_before: datetime | None = None,
        ids_before: datetime | None = None,
    ) -> int:
        """Remove what is done. The sums keep counting it; dead letters are never removed.

        Args:
            done_before: messages with their bytes, events and deliveries go when all their deliveries are
                done, dropped or discarded, the last one before this time.
            facts_before: facts that were learnt before this time go, unless a delivery is open that was
                journalled before it, or one is parked on them. None: all stay.
            ids_before: ids of removed events are forgotten that were journalled before this time; until then
                repeats of them are recognised. None: all stay known.

        Returns:
            How many deliveries and unreadable parts were removed.
        """

    async def remember(self, facts: Sequence[Fact]) -> None:
        """Write facts down that no event taught (decisions that must hold for later tries)."""

    async def recall(self, keys: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """Give the values of the facts that are known, by key."""

    async def put_note(self, name: str, value: Any) -> None:
        """Keep a small note across restarts (a running job's place, for instance). None removes it.

        Args:
            name: its name; by its beginning notes are found.
            value: plain JSON data.
        """

    async def notes(self, prefix: str = "") -> Mapping[str, Any]:
        """Give the notes whose names begin so, by name."""

    async def holds(self) -> Mapping[str, Hold]:
        """Give the destinations that are left alone, for all bridges that share this journal."""

    async def hold(self, destination: str, hold: Hold | None) -> None:
        """Leave a destination alone, for all bridges; None: it is back. The probe under way is over."""

    async def try_probe(self, destination: str, *, now: datetime, lease_seconds: float) -> bool:
        """Ask to be the one, over all bridges, that tries whether a destination is back.

        Returns:
            True when its time has come and nobody else probes: then nobody else may for ``lease_seconds`` or
            until ``hold`` is called. False also when there is no hold.
        """

    async def wait_ready(self, *, now: datetime, timeout: float) -> None:  # noqa: ASYNC109  # part of the contract
        """Return when something may be ready to claim, at the latest after ``timeout`` seconds."""
