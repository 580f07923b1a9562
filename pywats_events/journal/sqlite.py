"""The journal in one SQLite file: what was appended is on the disk, whatever happens to the process."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from pywats_events.journal import sqlite_amending as amending
from pywats_events.journal import sqlite_claiming as claiming
from pywats_events.journal import sqlite_people as people
from pywats_events.journal import sqlite_pruning as pruning
from pywats_events.journal import sqlite_reading as reading
from pywats_events.journal import sqlite_writing as writing
from pywats_events.journal.housekeeping import Retention, end, keep_house
from pywats_events.journal.interface import JournalError
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
from pywats_events.journal.sqlite_file import KEEP_FREE, Room, backup, check
from pywats_events.journal.sqlite_in_flight import Held, InFlight
from pywats_events.journal.sqlite_lanes import Lanes
from pywats_events.journal.sqlite_one_statement import Draft, OneStatement, draft, execute, make_ready
from pywats_events.journal.sqlite_schema import reader, sole_writer
from pywats_events.journal.sqlite_thread import DatabaseThread, Group, Job, Work
from pywats_events.journal.sqlite_writing import Numbers
from pywats_events.journal.stored_values import moment, stamp, text

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
        max_bytes: from so many bytes on nothing is taken in, until something was pruned. None: as the disk
            allows.
        keep_free: nothing is taken in either while the disk has less than so many bytes free, not counting
            what pruning has left free in the file: it never shrinks, and is used again.
        retention: how long what is done is kept; None: for ever.
    """

    durable = True
    shared = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int | None = None,
        keep_free: int = KEEP_FREE,
        retention: Retention | None = None,
    ) -> None:
        self._path = Path(path)
        self._room = Room(self._path, max_bytes, keep_free)
        self._retention = retention
        self._housekeeping: asyncio.Task[None] | None = None
        self._writer: DatabaseThread | None = None
        self._reader: DatabaseThread | None = None
        self._in_flight = InFlight()
        self._numbers: Numbers | None = None
        self._append = Group(self._append_all)
        self._claim = Group(self._claim_all, self._glance, self._give_back)
        self._settle = Group(self._settle_all)
        self._superseded: list[str] = []  # events closed by claims, which nobody was told of yet
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
        self._seen, self._next_due, self._superseded = {}, None, []
        self._in_flight.clear()
        try:
            self._writer = self._thread(
                "writer",
                _session,
                self._in_flight,
                begin="BEGIN IMMEDIATE",
                most=GROUP,
                shortcut=self._do_simple_things,
            )
            await self._writer.start()
            self._reader = self._thread("reader", reader, InFlight())
            await self._reader.start()
            self._numbers = await self._write(Numbers)
        except BaseException:
            await self.close()
            raise
        if self._retention is not None:
            self._housekeeping = asyncio.create_task(keep_house(self, self._retention), name="housekeeping")

    def _thread(self, name: str, session: Any, memory: InFlight, **options: Any) -> DatabaseThread:
        return DatabaseThread(
            partial(session, self._path),
            path=self._path,
            name=f"journal {name}",
            changed=self._note_change,
            memory=memory,
            **options,
        )

    async def close(self) -> None:
        """Finish what is asked for already, and let go of the file."""
        if self._housekeeping is not None:
            await end(self._housekeeping)
            self._housekeeping = None
        if self._reader is not None:
            await self._reader.stop()
            self._reader = None
        if self._writer is not None:
            await self._writer.stop()
            self._writer = None
        self._note_change()

    def _do_simple_things(self, connection: sqlite3.Connection, jobs: Sequence[Job]) -> list[Any] | None:
        """Append and settle for several callers in one statement; None when they are not simple."""
        statement = OneStatement(Lanes(connection, self._in_flight), self._known_numbers)
        answers: list[Any] = []
        is_checked = False
        for job in jobs:
            answer: Any = None
            if job.group is self._append:
                if not is_checked:
                    self._room.check(connection)
                    is_checked = True
                answer = statement.append(job.brought)
            elif job.group is self._settle:
                _verdicts, done, now = job.brought
                answer = None if done is None else statement.settle(done, now)
            if answer is None:
                return None
            answers.append(answer)
        values = statement.finish()
        if values is None:
            return None
        execute(connection, values)
        return answers

    async def _write(self, work: Callable[[Lanes], T], *, changes: bool = False) -> T:
        if self._writer is None:
            raise self._closed()
        return await self._writer.ask(self._job(work), changes=changes)

    def _job(self, work: Callable[[Lanes], T]) -> Work[T]:
        """Make a job of something that is done with lanes."""

        def job(connection: sqlite3.Connection) -> T:
            lanes = Lanes(connection, self._in_flight)
            self._in_flight.forget_due()
            result = work(lanes)
            lanes.finish()
            return result

        return job

    async def _read(self, work: Work[T]) -> T:
        if self._reader is None:
            raise self._closed()
        return await self._reader.ask(work)

    def _closed(self) -> JournalError:
        return JournalError(f"journal {self._path}: it is closed; open it first")

    # --- the way in --------------------------------------------------------------------------------------

    async def append(self, receipts: Sequence[Receipt]) -> list[Appended]:
        """Write received messages down; see ``Journal.append``."""
        if self._writer is None:
            raise self._closed()
        return await self._writer.ask_together(self._append, [draft(one) for one in receipts])

    def _append_all(
        self, connection: sqlite3.Connection, brought: Sequence[list[Draft]]
    ) -> list[list[Appended]]:
        """Write down what several callers brought, for each its answers."""
        self._room.check(connection)
        receipts = [one.prepared for several in brought for one in several]
        answers = iter(
            self._job(partial(writing.append, numbers=self._known_numbers, receipts=receipts))(connection)
        )
        return [[next(answers) for _ in several] for several in brought]

    @property
    def _known_numbers(self) -> Numbers:
        if self._numbers is None:
            raise self._closed()
        return self._numbers

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
        self,
        *,
        limit: int,
        now: datetime,
        lease_seconds: float,
        handlers: Collection[str],
        since: datetime | None = None,
        coalesce: Collection[str] = (),
    ) -> list[Delivery]:
        """Take ready deliveries; see ``Journal.claim``."""
        if self._writer is None:
            raise self._closed()
        names = frozenset(handlers)
        options = {
            "now": stamp(now),
            "until": stamp(now + timedelta(seconds=lease_seconds)),
            "handlers": names,
            "since": -(2**62) if since is None else stamp(since),
            "coalesce": frozenset(coalesce),
        }
        kept: list[Held] = []
        deliveries: list[Delivery] = []
        try:
            while True:
                self._note_claim(names)
                claimed, next_due, closed = await self._writer.ask_together(
                    self._claim, {**options, "limit": limit - len(kept)}, changes=False
                )
                self._next_due = None if next_due is None else moment(next_due)
                self._superseded += closed
                kept += claimed
                broken: list[Held] = []
                for one in claimed:
                    delivery = one.delivery()
                    if delivery is None:
                        broken.append(one)
                    else:
                        deliveries.append(delivery)
                if not broken:
                    return deliveries
                await self._write(
                    partial(claiming.bury_what_cannot_be_read, claims=broken, now=stamp(now)), changes=True
                )
        except BaseException:
            if kept:
                self._writer.leave(self._give_back((kept, None, [])))
            raise

    def _glance(self, connection: sqlite3.Connection, options: Mapping[str, Any]) -> claiming.Claim | None:
        return claiming.claim_fresh(Lanes(connection, self._in_flight), **options)

    def _claim_all(
        self, connection: sqlite3.Connection, brought: Sequence[Mapping[str, Any]]
    ) -> list[claiming.Claim]:
        return [self._job(partial(claiming.claim, **options))(connection) for options in brought]

    def _give_back(self, claim: claiming.Claim) -> Work[None]:
        return self._job(partial(claiming.release, claims=claim[0]))

    async def extend(self, deliveries: Sequence[Delivery], *, now: datetime, lease_seconds: float) -> None:
        """Keep claimed deliveries for longer."""
        until = stamp(now + timedelta(seconds=lease_seconds))
        await self._write(partial(claiming.extend, deliveries=tuple(deliveries), until=until))

    async def settle(self, verdicts: Sequence[Verdict], *, now: datetime) -> list[str]:
        """Write down what became of claimed deliveries; see ``Journal.settle``."""
        if self._writer is None:
            raise self._closed()
        brought = (tuple(verdicts), claiming.plainly_done(verdicts), stamp(now))
        closed = await self._writer.ask_together(self._settle, brought)
        superseded, self._superseded = self._superseded, []
        return [*superseded, *closed]

    def _settle_all(
        self, connection: sqlite3.Connection, brought: Sequence[tuple[tuple[Verdict, ...], Any, int]]
    ) -> list[list[str]]:
        return [
            self._job(partial(self._settle_and_tell, verdicts=verdicts, now=now))(connection)
            for verdicts, _done, now in brought
        ]

    def _settle_and_tell(self, lanes: Lanes, verdicts: Sequence[Verdict], now: int) -> list[str]:
        closed, told = claiming.settle(lanes, verdicts, now)
        if told:
            writing.append(lanes, self._known_numbers, [draft(one).prepared for one in told])
        return closed

    async def unpark(self, on: str) -> int:
        """Set free what is parked on this."""
        return await self._write(lambda lanes: lanes.free_parked(text(on), _now()), changes=True)

    # --- people ------------------------------------------------------------------------------------------

    async def replay(self, query: Query, *, now: datetime) -> int:
        """Make dead letters pending again; see ``Journal.replay``."""
        return await self._write(partial(people.replay, query=query, now=stamp(now)), changes=True)

    async def discard(self, query: Query, *, reason: str, now: datetime) -> int:
        """Put dead letters away for good."""
        return await self._write(partial(people.discard, query=query, reason=reason, now=stamp(now)))

    async def amend(self, message_id: str, reading: Receipt, *, now: datetime) -> Amended:
        """Put a message's new reading in the place of the old one; see ``Journal.amend``."""
        work = partial(
            amending.amend,
            numbers=self._known_numbers,
            message_id=message_id,
            one=draft(reading).prepared,
            now=stamp(now),
        )
        return await self._write(work, changes=True)

    async def search(self, query: Query) -> list[Entry]:
        """Find deliveries and unreadable messages; see ``Journal.search``."""
        return await self._read(partial(reading.search, query=query, flying=self._in_flight.seqs()))

    async def groups(self, query: Query) -> list[DeadGroup]:
        """Give the dead letters by their cause; see ``Journal.groups``."""
        return await self._read(partial(reading.groups, query=query))

    async def raw(self, message_id: str) -> RawRecord | None:
        """Give the bytes of a message that was not pruned yet."""
        return await self._read(partial(reading.raw, message_id=message_id))

    async def recent_messages(
        self, transport: str, *, limit: int, having: Mapping[str, str]
    ) -> list[MessageHead]:
        """Give the messages that were taken in last; see ``Journal.recent_messages``."""
        return await self._read(
            partial(reading.recent_messages, transport=transport, limit=limit, having=having)
        )

    async def stats(self) -> Stats:
        """Give the sums."""
        return await self._read(partial(reading.stats, flying=self._in_flight.seqs()))

    async def ledger(self) -> Ledger:
        """Give the books; see ``Journal.ledger``."""
        return await self._read(partial(reading.ledger, flying=self._in_flight.seqs()))

    # --- notes and holds ---------------------------------------------------------------------------------

    async def put_note(self, name: str, value: Any) -> None:
        """Keep a small note; None removes it."""
        stored = None if value is None else json.dumps(value)
        await self._write(partial(people.put_note, name=name, value=stored))

    async def notes(self, prefix: str = "") -> Mapping[str, Any]:
        """Give the notes whose names begin so."""
        return await self._write(partial(people.notes, prefix=prefix))

    async def holds(self) -> Mapping[str, Hold]:
        """Give the destinations that are left alone."""
        return await self._write(people.holds)

    async def hold(self, destination: str, hold: Hold | None) -> None:
        """Leave a destination alone, or not any more."""
        await self._write(partial(people.hold, destination=destination, hold=hold), changes=True)

    async def try_probe(self, destination: str, *, now: datetime, lease_seconds: float) -> bool:
        """Ask to be the one that probes; see ``Journal.try_probe``."""
        until = stamp(now + timedelta(seconds=lease_seconds))
        return await self._write(
            partial(people.try_probe, destination=destination, now=stamp(now), until=until)
        )

    # --- the file ----------------------------------------------------------------------------------------

    async def prune(
        self,
        *,
        done_before: datetime,
        facts_before: datetime | None = None,
        ids_before: datetime | None = None,
    ) -> int:
        """Remove what is done, slice by slice; see ``Journal.prune``."""
        number = await self._prune(pruning.prune_done, done_before)
        if facts_before is not None:
            await self._write(partial(pruning.prune_facts, before=stamp(facts_before)))
        if ids_before is not None:
            await self._prune(pruning.prune_ids, ids_before)
        return number

    async def _prune(self, work: Callable[..., pruning.Slice], before: datetime) -> int:
        number, after = 0, 0
        while True:
            removed, last = await self._write(partial(work, after=after, before=stamp(before)))
            number += removed
            if last is None:
                return number
            after = last

    async def health(self) -> Health:
        """Give what the file takes, what it may take, and how far back it goes."""
        open_since, dead_since, since = await self._read(reading.oldest)
        return await self._read(
            partial(self._room.health, oldest_open=open_since, oldest_dead=dead_since, oldest=since)
        )

    async def check(self) -> list[str]:
        """Read the whole file and recount the books, beside the work of others.

        Returns:
            What is wrong, a line for each; nothing when all is well.

        Raises:
            JournalError: the file can't be read.
        """
        return await asyncio.to_thread(check, self._path)

    async def backup(self, target: str | os.PathLike[str]) -> None:
        """Copy the journal as it is now into another file, beside the work of others.

        Args:
            target: where to; there must be no such file yet. It appears when it is complete.

        Raises:
            JournalError: it can't be written, or is there already.
        """
        await asyncio.to_thread(backup, self._path, Path(target))

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


@contextmanager
def _session(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file for writing."""
    with sole_writer(path) as connection:
        make_ready(connection)
        yield connection


def _now() -> int:
    return stamp(datetime.now(UTC))
