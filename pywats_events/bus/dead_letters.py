"""Dead letters as people work with them: find, group, look at, export, put through again, put away."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from pywats_events.bus.replay_jobs import RAMP, ReplayJob, ReplayJobs
from pywats_events.journal import (
    Amended,
    Attempt,
    DeadGroup,
    DeliveryState,
    Entry,
    Journal,
    Parking,
    Passed,
    Query,
    RawRecord,
    Replay,
)

#: Entries that are read at one time where all are wanted.
PAGE: Final = 200

#: Reads a message again and amends the journal, see ``Rereading.read_again``.
Reread: TypeAlias = Callable[[str | None], Awaitable[Amended]]
#: Told of the ids of deliveries that are pending again.
Revived: TypeAlias = Callable[[Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter with all that is known of it.

    Attributes:
        entry: the delivery or unreadable part, with event, attempts and the answers that they got.
        raw: the message it came in; None when it was published without one, or its bytes are kept no more.
        others: what else became of the same message, for other units and handlers.
    """

    entry: Entry
    raw: RawRecord | None
    others: tuple[Entry, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON data, for an export. The body of the message is in base64."""
        entry = self.entry
        return {
            "id": entry.id,
            "state": entry.state.value,
            "handler": entry.handler,
            "fingerprint": entry.fingerprint,
            "error": entry.error,
            "reason": entry.reason,
            "attempts": [
                {"at": one.at.isoformat(), "error": one.error, "reason": one.reason} for one in entry.attempts
            ],
            "history": [_passed(one) for one in entry.history],
            "first_seen": entry.first_seen.isoformat(),
            "changed": entry.changed.isoformat(),
            "source": entry.source,
            "message_name": entry.message_name,
            "message_id": entry.message_id,
            "part_id": entry.part_id,
            "event": None if entry.event is None else json.loads(entry.event.to_json()),
            "raw": None if self.raw is None else _raw(self.raw),
        }


def _passed(one: Passed) -> dict[str, Any]:
    match one:
        case Replay(at=at):
            return {"what": "replayed", "at": at.isoformat()}
        case Attempt(at=at, error=error, reason=reason):
            return {"what": "failed", "at": at.isoformat(), "error": error, "reason": reason}
        case Parking(at=at, error=error, reason=reason, times=times, last=last, freed=freed):
            return {
                "what": "parked",
                "at": at.isoformat(),
                "error": error,
                "reason": reason,
                "times": times,
                "last": last.isoformat(),
                "freed": freed and freed.isoformat(),
            }


def _raw(record: RawRecord) -> dict[str, Any]:
    return {
        "transport": record.transport,
        "address": record.address,
        "content_type": record.content_type,
        "content_encoding": record.content_encoding,
        "properties": dict(record.properties),
        "received_at": record.received_at.isoformat(),
        "body_base64": b64encode(record.body).decode("ascii"),
    }


class DeadLetters:
    """The dead letters of a journal.

    A bus has one as ``bus.dead_letters``. Made of a journal alone it serves as well, without a bus: only what
    needs the adapters (reading messages again) is left to a running bus then, and jobs wait for one.

    Every query means dead letters only, whatever ``states`` it has.

    Args:
        journal: an open journal.
        reread: reads a message again; None: not possible here.
        revived: is told of what was put through again.
        jobs: the replay jobs of a bus.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        reread: Reread | None = None,
        revived: Revived | None = None,
        jobs: ReplayJobs | None = None,
    ) -> None:
        self._journal = journal
        self._reread = reread
        self._revived = revived
        self.jobs = jobs or ReplayJobs(journal)

    # --- looking -----------------------------------------------------------------------------------------

    async def find(self, query: Query | None = None) -> list[Entry]:
        """Give the dead letters that fit the query, at most ``limit``; oldest first unless it says else.

        Raises:
            JournalError: the journal can't be read.
        """
        return await self._journal.search(_dead(query or Query()))

    async def each(self, query: Query | None = None) -> AsyncIterator[Entry]:
        """Give all dead letters that fit the query, page by page; its ``limit`` is not looked at."""
        page = replace(_dead(query or Query()), limit=PAGE)
        while entries := await self._journal.search(page):
            for entry in entries:
                yield entry
            page = replace(page, after=entries[-1].id)

    async def groups(self, query: Query | None = None) -> list[DeadGroup]:
        """Give the causes of death, the one with most letters first. See ``Query.fingerprint``."""
        return await self._journal.groups(query or Query())

    async def show(self, entry_id: str) -> Letter:
        """Give a dead letter with its message, event, attempts and answers.

        Args:
            entry_id: its id, as ``find`` gives it. Discarded and revived ones can be looked at too.

        Raises:
            LookupError: nothing in the journal has this id.
        """
        found = await self._journal.search(Query(ids=(entry_id,)))
        if not found:
            raise LookupError(
                f"dead letter {entry_id}: the journal has none of this id; list them to see those it has"
            )
        return await self._letter(found[0])

    async def _letter(self, entry: Entry) -> Letter:
        if entry.message_id is None:
            return Letter(entry, None, ())
        raw = await self._journal.raw(entry.message_id)
        related = await self._journal.search(Query(message_id=entry.message_id, limit=PAGE))
        return Letter(entry, raw, tuple(one for one in related if one.id != entry.id))

    async def export(self, query: Query | None = None) -> AsyncIterator[str]:
        """Give all dead letters that fit the query as JSON, one line each, with message and event.

        They come one by one: the export of many needs no more memory than that of one.
        """
        async for entry in self.each(query):
            raw = None if entry.message_id is None else await self._journal.raw(entry.message_id)
            yield json.dumps(Letter(entry, raw, ()).to_dict(), ensure_ascii=False)

    # --- deciding ----------------------------------------------------------------------------------------

    async def replay(self, query: Query, *, from_raw: bool = False) -> int:
        """Put dead letters through again, at most ``limit``, all at once. For many use ``replay_job``.

        What could not be read is read again from its bytes in any case, where a bus is at hand.

        Args:
            query: which.
            from_raw: read their messages again first, with the mapping of today.

        Returns:
            How many live again.

        Raises:
            RuntimeError: ``from_raw``, and there is no bus here that could read.
            JournalError: the journal can't be written.
        """
        if from_raw and self._reread is None:
            raise RuntimeError(
                "dead letters can be read again only by a bus with their transports; start a replay job, "
                "which waits for one"
            )
        dead = await self.find(query)
        read_again = [entry for entry in dead if from_raw or entry.event is None]
        number = await self._read_again(read_again)
        ids = tuple(entry.id for entry in dead if entry.event is not None)
        if ids:
            number += await self._journal.replay(Query(ids=ids, limit=len(ids)), now=datetime.now(UTC))
            if self._revived is not None:
                self._revived(ids)
        return number

    async def _read_again(self, dead: Sequence[Entry]) -> int:
        """Read the messages of these again; give how many parts could be read that could not before."""
        if self._reread is None:
            return 0
        number = 0
        for message_id in dict.fromkeys(entry.message_id for entry in dead):
            try:
                amended = await self._reread(message_id)
            except LookupError:
                continue  # it stays what it is: a dead letter
            number += len(amended.read)
        if number and self._revived is not None:
            self._revived(())
        return number

    async def discard(self, query: Query, *, reason: str) -> int:
        """Put dead letters away for good, at most ``limit``; the ledger keeps counting them, with the reason.

        Returns:
            How many.

        Raises:
            ValueError: the reason is empty.
            JournalError: the journal can't be written.
        """
        if not reason.strip():
            raise ValueError("dead letters are discarded with a reason; say why nobody will miss them")
        return await self._journal.discard(query, reason=reason.strip(), now=datetime.now(UTC))

    async def replay_job(
        self,
        query: Query,
        *,
        rate: float | None = None,
        ramp: Sequence[int] = RAMP,
        stop_after: float = 0.5,
        from_raw: bool = False,
    ) -> ReplayJob:
        """Put all dead letters that fit the query through again, step by step; see ``ReplayJobs.start``."""
        return await self.jobs.start(query, rate=rate, ramp=ramp, stop_after=stop_after, from_raw=from_raw)


def _dead(query: Query) -> Query:
    return replace(query, states=(DeliveryState.DEAD,))
