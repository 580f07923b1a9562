"""The journal in one SQLite file: what was appended is on the disk, whatever happens to the process."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from pywats_events.journal import sqlite_claiming as claiming
from pywats_events.journal import sqlite_reading as reading
from pywats_events.journal import sqlite_writing as writing
from pywats_events.journal.interface import JournalError
from pywats_events.journal.records import (
    Appended,
    Delivery,
    Entry,
    Fact,
    Query,
    RawRecord,
    Receipt,
    Release,
    Stats,
    Verdict,
)
from pywats_events.journal.sqlite_lanes import Lanes
from pywats_events.journal.sqlite_schema import reader, sole_writer
from pywats_events.journal.sqlite_thread import DatabaseThread, Work
from pywats_events.journal.sqlite_values import moment, stamp, text

T = TypeVar("T")

#: Most jobs of different callers in one commit.
GROUP: Final = 256


class SQLiteJournal:
    """A journal in one file, for one process at a time.

    A thread of its own does all the writing: whoever calls while a commit is on its way to the disk shares
    the next one. What people look up is read by a second thread, beside it.

    Args:
        path: the file; its folder must be there, on a local disk. Beside it SQLite keeps its log (``-wal``,
            ``-shm``), and the journal an empty file (``.lock``) that tells other processes to stay away.
    """

    durable = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._writer: DatabaseThread | None = None
        self._reader: DatabaseThread | None = None
        self._version = 0  # grows with every change that may make something ready
        self._seen: dict[frozenset[str], int] = {}  # the version that each claim since the last wait has seen
        self._round_over = False
        self._next_due: datetime | None = None
        self._changed = asyncio.Event()

    # --- life --------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the file, or make it. What a process that is gone had in flight is pending again.

        Raises:
            JournalError: another process uses it, it is no journal, or it can't be read.
        """
        if self._writer is not None:
            return
        self._changed = asyncio.Event()
        self._seen, self._next_due = {}, None
        try:
            self._writer = self._thread("writer", sole_writer, "BEGIN IMMEDIATE", GROUP)
            await self._writer.start()
            self._reader = self._thread("reader", reader, "BEGIN", 1)
            await self._reader.start()
            await self._write(partial(claiming.resume, now=_now()))
        except BaseException:
            await self.close()
            raise

    def _thread(self, name: str, session: Any, begin: str, most: int) -> DatabaseThread:
        return DatabaseThread(
            partial(session, self._path),
            path=self._path,
            name=f"journal {name}",
            begin=begin,
            most=most,
            changed=self._note_change,
        )

    async def close(self) -> None:
        """Finish what is asked for already, and let go of the file."""
        if self._reader is not None:
            await self._reader.stop()
            self._reader = None
        if self._writer is not None:
            await self._writer.stop()
            self._writer = None
        self._note_change()

    async def _write(
        self,
        work: Callable[[Lanes], T],
        *,
        changes: bool = False,
        undo: Callable[[T], Work[Any]] | None = None,
    ) -> T:
        if self._writer is None:
            raise self._closed()
        return await self._writer.ask(_job(work), changes=changes, undo=undo)

    async def _read(self, work: Work[T]) -> T:
        if self._reader is None:
            raise self._closed()
        return await self._reader.ask(work)

    def _closed(self) -> JournalError:
        return JournalError(f"journal {self._path}: it is closed; open it first")

    # --- the way in --------------------------------------------------------------------------------------

    async def append(self, receipts: Sequence[Receipt]) -> list[Appended]:
        """Write received messages down; see ``Journal.append``."""
        return await self._write(partial(writing.append, receipts=tuple(receipts)), changes=True)

    async def remember(self, facts: Sequence[Fact]) -> None:
        """Write facts down; see ``Journal.remember``."""
        await self._write(partial(writing.learn, facts=tuple(facts)), changes=True)

    async def recall(self, keys: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """Give the facts that are known."""
        wanted = tuple(keys)
        # not by the reader: a handler must not wait for what a person looks up
        return await self._write(lambda lanes: reading.recall(lanes.db, wanted))

    # --- the way out -------------------------------------------------------------------------------------

    async def claim(
        self, *, limit: int, now: datetime, lease_seconds: float, handlers: Collection[str]
    ) -> list[Delivery]:
        """Take ready deliveries; see ``Journal.claim``."""
        names = frozenset(handlers)
        self._note_claim(names)
        work = partial(
            claiming.claim,
            limit=limit,
            now=stamp(now),
            until=stamp(now + timedelta(seconds=lease_seconds)),
            handlers=names,
        )
        answer: tuple[list[Delivery], int | None]
        answer = await self._write(work, undo=partial(_release, now=stamp(now)))
        claimed, next_due = answer
        self._next_due = None if next_due is None else moment(next_due)
        return claimed

    async def extend(self, deliveries: Sequence[Delivery], *, now: datetime, lease_seconds: float) -> None:
        """Keep claimed deliveries for longer."""
        until = stamp(now + timedelta(seconds=lease_seconds))
        await self._write(partial(claiming.extend, deliveries=tuple(deliveries), until=until))

    async def settle(self, verdicts: Sequence[Verdict], *, now: datetime) -> list[str]:
        """Write down what became of claimed deliveries; see ``Journal.settle``."""
        work = partial(claiming.settle, verdicts=tuple(verdicts), now=stamp(now))
        return await self._write(work, changes=True)

    async def unpark(self, on: str) -> int:
        """Set free what is parked on this."""
        return await self._write(lambda lanes: lanes.free_parked(text(on), _now()), changes=True)

    # --- people ------------------------------------------------------------------------------------------

    async def replay(self, query: Query, *, now: datetime) -> int:
        """Make dead letters pending again; see ``Journal.replay``."""
        return await self._write(partial(claiming.replay, query=query, now=stamp(now)), changes=True)

    async def discard(self, query: Query, *, reason: str, now: datetime) -> int:
        """Put dead letters away for good."""
        return await self._write(partial(claiming.discard, query=query, reason=reason, now=stamp(now)))

    async def search(self, query: Query) -> list[Entry]:
        """Find deliveries and unreadable messages, oldest first."""
        return await self._read(partial(reading.search, query=query))

    async def raw(self, message_id: str) -> RawRecord | None:
        """Give the bytes of a message that is not done yet, or that is dead."""
        return await self._read(partial(reading.raw, message_id=message_id))

    async def stats(self) -> Stats:
        """Give the sums."""
        return await self._read(reading.stats)

    # --- waiting -----------------------------------------------------------------------------------------

    def _note_change(self) -> None:
        self._version += 1
        self._changed.set()

    def _note_claim(self, names: frozenset[str]) -> None:
        """Keep what each claim has seen: a change between the claims of one round is new to the first."""
        if self._round_over:
            self._seen.clear()
            self._round_over = False
        self._seen[names] = self._version

    async def wait_ready(self, *, now: datetime, timeout: float) -> None:  # noqa: ASYNC109  # part of the contract
        """Wait for a change that the last claims have not seen, or for the next time that comes."""
        if self._next_due is not None:
            timeout = min(timeout, (self._next_due - now).total_seconds())
        try:
            async with asyncio.timeout(timeout):
                while self._version <= min(self._seen.values(), default=-1):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return
        finally:
            self._round_over = True


def _job(work: Callable[[Lanes], T]) -> Work[T]:
    """Make a job of something that is done with lanes."""

    def job(connection: sqlite3.Connection) -> T:
        lanes = Lanes(connection)
        result = work(lanes)
        lanes.finish()
        return result

    return job


def _release(claimed: tuple[list[Delivery], int | None], now: int) -> Work[Any]:
    """Give back what was claimed for somebody who is gone."""
    verdicts = [Release(delivery) for delivery in claimed[0]]
    return _job(partial(claiming.settle, verdicts=verdicts, now=now))


def _now() -> int:
    return stamp(datetime.now(UTC))
