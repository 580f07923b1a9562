"""The journal in PostgreSQL: any number of bridges, on any number of hosts, share it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

import psycopg
import structlog
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from pywats_events.clock import forward
from pywats_events.event import Event, EventType
from pywats_events.journal import postgres_reading as reading
from pywats_events.journal import postgres_tending as tending
from pywats_events.journal.housekeeping import Retention, end, keep_house
from pywats_events.journal.interface import JournalError
from pywats_events.journal.postgres_connection import Connection, Server
from pywats_events.journal.postgres_listener import Listener
from pywats_events.journal.postgres_questions import (
    APPEND,
    CLAIM,
    EXTEND,
    LEARN,
    RECALL,
    SETTLE,
    UNPARK,
    AppendRequest,
    Claimed,
    ClaimRequest,
    ExtendRequest,
    LearnRequest,
    Ruling,
    SettleRequest,
    UnparkRequest,
    ruling,
)
from pywats_events.journal.postgres_schema import NEWEST, OLDEST_SERVER, bring_up_to_date, version_of
from pywats_events.journal.postgres_values import text, untext
from pywats_events.journal.postgres_writer import Work, Writer
from pywats_events.journal.records import (
    Amended,
    Appended,
    Bury,
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
    Release,
    Stats,
    Verdict,
)
from pywats_events.journal.stored_values import moment, stamp

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: Most connections that look things up at one time, and seconds that others wait for one of them.
LOOKERS: Final = 4
LOOK_TIMEOUT: Final = 10.0
#: Bytes of messages that are prepared on a thread.
MUCH: Final = 100_000
#: Clocks that differ by less are taken as the same.
SAME_TIME: Final = timedelta(seconds=1)


class PostgresJournal:
    """A journal that many processes share; ``postgres_functions`` says how they keep out of each other's way.

    A task does all the writing over one connection: those that call while a commit is under way share the
    next one. What people look up goes over a few connections beside it. When the server is away, calls raise
    ``JournalError`` until it is back; whoever was writing then does not know whether that was written, asks
    again, and is told of what is there already. Times that others act by (leases, retries) are kept by the
    server's clock, so clocks of hosts may differ.

    Args:
        url: ``postgresql://user:password@host:port/database``, or another connection string of libpq. The
            tables stand in the first schema of its search_path. It must lead to the server itself, not to a
            pool that gives each transaction another connection.
        retention: how long what is done is kept; None: for ever. Each process that has one removes.
        clock: gives the time of this host.

    Raises:
        JournalError: the URL can't be read.
    """

    durable = True
    shared = True

    def __init__(
        self,
        url: str,
        *,
        retention: Retention | None = None,
        clock: Callable[[], datetime] = forward.now,
    ) -> None:
        self._server = Server(url)
        self._retention = retention
        self._housekeeping: asyncio.Task[None] | None = None
        self._clock = clock
        self._skew = 0  # microseconds by which the server's clock is before ours
        self._writer: Writer | None = None
        self._listener: Listener | None = None
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._superseded: list[str] = []  # events closed by claims, which nobody was told of yet
        self._version = 0  # grows with every change that may make something ready
        self._seen: dict[Any, int] = {}  # the version that each claim since the last wait has seen
        self._round_over = False
        self._next_due: datetime | None = None
        self._changed = asyncio.Event()

    def __repr__(self) -> str:
        return f"PostgresJournal({self.where})"

    @property
    def where(self) -> str:
        """Host, port and database, for people."""
        return self._server.where

    # --- life --------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, and make the tables or bring them up to date.

        What a process that is gone had in flight is pending again when its leases end.

        Raises:
            JournalError: the server can't be reached, does not keep what it has said to be written, or the
                schema holds something else.
        """
        if self._writer is not None:
            return
        self._changed = asyncio.Event()
        self._seen, self._next_due = {}, None
        try:
            self._writer = Writer(self._server, self._prepare)
            await self._writer.start()
            self._listener = Listener(self._server, self._heard)
            await self._listener.start()
            self._pool = self._server.pool(LOOKERS, LOOK_TIMEOUT)
            await self._pool.open()
            if self._retention is not None:
                self._housekeeping = asyncio.create_task(
                    keep_house(self, self._retention), name="housekeeping"
                )
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish what is asked for already, and let go of the connections."""
        housekeeping, self._housekeeping = self._housekeeping, None
        if housekeeping is not None:
            await end(housekeeping)
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.stop()
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.stop()
        self._note_change()

    async def inspect(self) -> str:
        """Look whether it could be opened, without changing anything; give what was found, for people.

        Raises:
            JournalError: it could not; the text says what to do.
        """
        connection = await self._server.connect()
        try:
            await self._examine(connection)
            version = await version_of(connection, self._server.where)
        except psycopg.Error as error:
            raise self._server.explain(error) from error
        finally:
            await connection.close()
        tables = "its tables are there" if version == NEWEST else "its tables will be brought up to date"
        return f"answers; {tables if version else 'its tables will be made'}"

    async def _prepare(self, connection: Connection) -> None:
        await self._examine(connection)
        await bring_up_to_date(connection, self._server.where)

    async def _examine(self, connection: Connection) -> None:
        """Look at a new connection's server before anything is written there."""
        if connection.info.server_version < OLDEST_SERVER * 10_000:
            raise JournalError(f"journal {self._server.where}: needs PostgreSQL {OLDEST_SERVER} or later")
        before = self._clock()
        found = await connection.execute(
            "SELECT current_setting('synchronous_commit'), current_setting('fsync'), clock_timestamp()"
        )
        ((commit, fsync, there),) = await found.fetchall()
        if commit == "off":
            raise JournalError(
                f"journal {self._server.where}: synchronous_commit is off there, so a crash would lose what "
                "was acknowledged; switch it on for this user and database (ALTER ROLE ... RESET "
                "synchronous_commit)"
            )
        if fsync == "off":
            log.warning("journal's server runs with fsync off: a power cut can lose everything in it")
        took = self._clock() - before
        apart = there - before - took / 2
        self._skew = 0 if abs(apart) < SAME_TIME + took else apart // timedelta(microseconds=1)

    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise JournalError(f"journal {self._server.where}: it is closed; open it first")
        return self._writer

    async def _do(self, work: Work[T], *, changes: bool = False) -> T:
        result = await self._open_writer().do(work)
        if changes:
            self._note_change()
        return result

    async def _look(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        if self._pool is None:
            raise JournalError(f"journal {self._server.where}: it is closed; open it first")
        try:
            async with self._pool.connection() as connection:
                return await work(connection)
        except PoolTimeout as error:
            raise JournalError(
                f"journal {self._server.where}: no connection within {LOOK_TIMEOUT:.0f} s; the server is "
                "away, or too many look things up at one time"
            ) from error
        except psycopg.Error as error:
            raise self._server.explain(error) from error

    def _now(self) -> int:
        return stamp(self._clock())

    # --- the way in --------------------------------------------------------------------------------------

    async def append(self, receipts: Sequence[Receipt]) -> list[Appended]:
        """Write received messages down; see ``Journal.append``."""
        writer = self._open_writer()
        make = partial(AppendRequest.of, tuple(receipts), self._now())
        # to compress and to spell much takes time in which others would wait
        much = sum(len(one.raw.body) for one in receipts if one.raw) > MUCH
        answers = await writer.ask(APPEND, await asyncio.to_thread(make) if much else make())
        self._note_change()
        return answers

    async def remember(self, facts: Sequence[Fact]) -> None:
        """Write facts down; see ``Journal.remember``."""
        await self._open_writer().ask(LEARN, LearnRequest(tuple(facts), self._now()))
        self._note_change()

    async def recall(self, keys: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """Give the facts that are known."""
        # not beside the writer: a handler must not wait for what people look up
        return await self._open_writer().ask(RECALL, tuple(keys))

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
        names = frozenset(handlers)
        self._note_claim((names, since))
        here = stamp(now) + self._skew
        claimed = await self._open_writer().ask(
            CLAIM,
            ClaimRequest(
                limit,
                here,
                here + int(lease_seconds * 1_000_000),
                names,
                names.intersection(coalesce),
                stamp(since) if since else -(2**63),
            ),
            undo=self._give_back,
        )
        self._superseded += claimed.closed
        self._next_due = None if claimed.next_due is None else moment(claimed.next_due - self._skew)
        if claimed.unreadable:
            await self._bury_unreadable(claimed, now)
        return claimed.deliveries

    def _give_back(self, claimed: Claimed) -> None:
        """Give back what was claimed for somebody who is gone."""
        self._superseded += claimed.closed
        if claimed.deliveries and self._writer is not None:
            rulings = [ruling(Release(delivery)) for delivery in claimed.deliveries]
            self._writer.leave(SETTLE, SettleRequest(rulings, self._now(), self._skew))
            self._note_change()

    async def _bury_unreadable(self, claimed: Claimed, now: datetime) -> None:
        why = "its event can't be read from the journal any more"
        rulings = []
        for seq, _, handler, tries, first_seen, claim, *_rest in claimed.unreadable:
            event = Event(EventType.CUSTOM)
            lost = Delivery(str(seq), event, untext(handler), tries, moment(first_seen), claim)
            rulings.append(Ruling(seq, claim, lost.handler, "", Bury(lost, "EventFormatError", why)))
        await self._open_writer().ask(SETTLE, SettleRequest(rulings, stamp(now), self._skew))
        self._note_change()

    async def extend(self, deliveries: Sequence[Delivery], *, now: datetime, lease_seconds: float) -> None:
        """Keep claimed deliveries for longer."""
        until = stamp(now) + self._skew + int(lease_seconds * 1_000_000)
        await self._open_writer().ask(EXTEND, ExtendRequest(tuple(deliveries), until))

    async def settle(self, verdicts: Sequence[Verdict], *, now: datetime) -> list[str]:
        """Write down what became of claimed deliveries; see ``Journal.settle``."""
        request = SettleRequest([ruling(verdict) for verdict in verdicts], stamp(now), self._skew)
        if any(isinstance(verdict, Bury) and verdict.tell is not None for verdict in verdicts):
            closed = await self._do(partial(tending.settle_and_tell, request=request, now=self._now()))
        else:
            closed = await self._open_writer().ask(SETTLE, request)
        superseded, self._superseded = self._superseded, []
        self._note_change()
        return superseded + closed

    async def unpark(self, on: str) -> int:
        """Set free what is parked on this."""
        number = await self._open_writer().ask(UNPARK, UnparkRequest(on, self._now()))
        self._note_change()
        return number

    # --- people ------------------------------------------------------------------------------------------

    async def replay(self, query: Query, *, now: datetime) -> int:
        """Make dead letters pending again; see ``Journal.replay``."""
        return await self._do(partial(tending.replay, query=query, now=stamp(now)), changes=True)

    async def discard(self, query: Query, *, reason: str, now: datetime) -> int:
        """Put dead letters away for good."""
        return await self._do(partial(tending.discard, query=query, reason=reason, now=stamp(now)))

    async def amend(self, message_id: str, reading: Receipt, *, now: datetime) -> Amended:
        """Put a message's new reading in the place of the old one; see ``Journal.amend``."""
        work = partial(tending.amend, message_id=message_id, reading=reading, now=stamp(now))
        return await self._do(work, changes=True)

    async def groups(self, query: Query) -> list[DeadGroup]:
        """Give the dead letters by their cause; see ``Journal.groups``."""
        return await self._look(partial(reading.groups, query=query))

    async def search(self, query: Query) -> list[Entry]:
        """Find deliveries and unreadable messages, in the order in which they were journalled."""
        return await self._look(partial(reading.search, query=query, skew=self._skew))

    async def raw(self, message_id: str) -> RawRecord | None:
        """Give the bytes of a message that was not removed yet."""
        return await self._look(partial(reading.raw, message_id=message_id))

    async def recent_messages(
        self, transport: str, *, limit: int, having: Mapping[str, str]
    ) -> list[MessageHead]:
        """Give the messages that were taken in last; see ``Journal.recent_messages``."""
        return await self._look(
            partial(reading.recent_messages, transport=transport, limit=limit, having=having)
        )

    async def stats(self) -> Stats:
        """Give the sums."""
        return await self._look(reading.stats)

    async def ledger(self) -> Ledger:
        """Give the books; see ``Journal.ledger``."""
        return await self._look(reading.ledger)

    async def health(self) -> Health:
        """Give what the journal's tables take, with the room in them that can be used again."""
        return await self._look(reading.health)

    async def prune(
        self,
        *,
        done_before: datetime,
        facts_before: datetime | None = None,
        ids_before: datetime | None = None,
    ) -> int:
        """Remove what is done; see ``Journal.prune``."""
        number, more = 0, True
        while more:
            gone, more = await self._do(partial(tending.prune_messages, before=stamp(done_before)))
            number += gone
        if facts_before is not None:
            await self._do(partial(tending.prune_facts, before=stamp(facts_before)))
        if ids_before is not None:
            await self._do(partial(tending.prune_ids, before=stamp(ids_before)))
        return number

    # --- notes and holds ---------------------------------------------------------------------------------

    async def put_note(self, name: str, value: Any) -> None:
        """Keep a small note across restarts; None removes it."""
        await self._do(partial(tending.put_note, name=name, value=value))

    async def notes(self, prefix: str = "") -> Mapping[str, Any]:
        """Give the notes whose names begin so."""

        async def look(connection: Connection) -> dict[str, Any]:
            found = await connection.execute(
                'SELECT name, value FROM notes WHERE starts_with(name, %s) ORDER BY name COLLATE "C"',
                (text(prefix),),
            )
            return {untext(name): json.loads(value) for name, value in await found.fetchall()}

        return await self._look(look)

    async def holds(self) -> Mapping[str, Hold]:
        """Give the destinations that are left alone, by all bridges."""
        return await self._look(partial(reading.holds, skew=self._skew))

    async def hold(self, destination: str, hold: Hold | None) -> None:
        """Leave a destination alone, for all bridges; None: it is back."""
        work = partial(tending.hold, destination=destination, hold=hold, skew=self._skew)
        await self._do(work, changes=True)

    async def try_probe(self, destination: str, *, now: datetime, lease_seconds: float) -> bool:
        """Ask to be the one that probes; see ``Journal.try_probe``."""
        here = stamp(now) + self._skew
        until = here + int(lease_seconds * 1_000_000)
        return await self._do(partial(tending.try_probe, destination=destination, now=here, until=until))

    # --- waiting -----------------------------------------------------------------------------------------

    def _heard(self, backend: int | None) -> None:
        if backend is None or self._writer is None or backend != self._writer.backend:
            self._note_change()

    def _note_change(self) -> None:
        self._version += 1
        self._changed.set()

    def _note_claim(self, names: Any) -> None:
        """Keep what each claim has seen: a change between the claims of one round is new to the first."""
        if self._round_over:
            self._seen.clear()
            self._round_over = False
        self._seen[names] = self._version

    async def wait_ready(self, *, now: datetime, timeout: float) -> None:  # noqa: ASYNC109  # the contract's
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
