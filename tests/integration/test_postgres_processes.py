"""Several processes on one journal in PostgreSQL: they are killed, and so is the server."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from brokers.postgres import PostgreSQL

from pywats_events import Event, EventType
from pywats_events.journal import DeliveryState, JournalError, Query, Receipt, Routed
from pywats_events.journal.postgres import PostgresJournal

pytestmark = pytest.mark.timeout(120)

WORKER = Path(__file__).with_name("postgres_worker.py")
PATIENCE = 60.0
UNITS = 15


def receipt(number: int) -> Receipt:
    event = Event(
        EventType.TEST_RESULT, {"unit_id": f"U{number % UNITS}"}, source="//Acme/ICT1", id=f"e{number:04}"
    )
    return Receipt(None, (Routed(event, ("reports",)),))


class Worker:
    """One of the processes."""

    #: Is set with each line of any of them.
    news = asyncio.Event()

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.closed: list[str] = []
        self._reading = asyncio.create_task(self._read())
        self._open = asyncio.Event()

    @classmethod
    async def started(cls, url: str, name: str) -> Worker:
        """Start one and wait until its journal is open."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(WORKER), url, name),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        worker = cls(process)
        async with asyncio.timeout(PATIENCE):
            await worker._open.wait()
        return worker

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            word, _, event_id = line.decode().strip().partition(" ")
            self._open.set()
            self.news.set()
            if word == "closed":
                self.closed.append(event_id)

    async def kill(self) -> None:
        """End it without a word."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._reading


@asynccontextmanager
async def workers(url: str, number: int) -> AsyncIterator[list[Worker]]:
    """Give so many, started at once on an empty schema; those that still run at the end are killed."""
    Worker.news = asyncio.Event()  # one for this test's loop
    async with AsyncExitStack() as stack:
        team = await asyncio.gather(*(Worker.started(url, f"worker {n}") for n in range(number)))
        for one in team:
            stack.push_async_callback(one.kill)
        yield list(team)


async def progress(journal: PostgresJournal, done: int) -> None:
    """Wait until so many deliveries are done, looking whenever a worker has said something."""
    async with asyncio.timeout(PATIENCE):
        while await _done(journal) < done:
            Worker.news.clear()
            with contextlib.suppress(TimeoutError):  # what a killed one did it told nobody
                async with asyncio.timeout(1):
                    await Worker.news.wait()


async def _done(journal: PostgresJournal) -> int:
    try:
        return (await journal.stats()).count(DeliveryState.DONE)
    except JournalError:  # the server is away
        return 0


async def append_all(journal: PostgresJournal, numbers: range) -> None:
    """Write events one by one, each again until it is written: a broker would send it again."""
    for number in numbers:
        while True:
            try:
                await journal.append([receipt(number)])
                break
            except JournalError:
                await asyncio.sleep(0.05)  # the server is away: nothing tells when it is back


def begun(server: PostgreSQL, url: str) -> list[tuple[str, str]]:
    """Give what was begun, in order: key and event."""
    return [
        (key, event_id)
        for key, event_id in server.run("SELECT key, event_id FROM handled ORDER BY n", url=url)
    ]


async def books_are_right(journal: PostgresJournal, server: PostgreSQL, url: str, number: int) -> None:
    """Everything is done, and each unit's events were begun in the order of the journal."""
    entries = await journal.search(Query(limit=10_000))
    assert {entry.state for entry in entries} == {DeliveryState.DONE}
    assert len(entries) == number
    assert (await journal.ledger()).difference == 0
    order = {entry.event.id: (at, entry.event.key) for at, entry in enumerate(entries) if entry.event}
    for unit in {f"U{n}" for n in range(UNITS)}:
        places = [order[event_id][0] for key, event_id in begun(server, url) if key == unit]
        assert places == sorted(places), f"{unit} was handled out of order"
        assert set(places) == {at for at, key in order.values() if key == unit}


def prepared(server: PostgreSQL) -> str:
    """Give an empty schema with the workers' own table."""
    url = server.fresh()
    server.run("CREATE TABLE handled (n serial, key text, event_id text, worker text)", url=url)
    return url


async def test_killed_workers_lose_nothing_and_double_nothing(postgres: PostgreSQL) -> None:
    """Three work, one after the other is killed and replaced: all is settled once and in order."""
    url = await asyncio.to_thread(prepared, postgres)
    async with workers(url, 3) as team:
        journal = PostgresJournal(url)
        await journal.open()
        writing = asyncio.create_task(append_all(journal, range(400)))
        for round_number in range(3):
            await progress(journal, 60 * (round_number + 1))
            await team[round_number].kill()
            team.append(await Worker.started(url, f"replacement {round_number}"))
        await writing
        await progress(journal, 400)
        for worker in team:
            await worker.kill()

        await books_are_right(journal, postgres, url, 400)
        closed = [event_id for worker in team for event_id in worker.closed]
        assert len(closed) == len(set(closed))
        # what a killed one had settled and not told of is all that may be missing
        assert len(closed) >= 400 - 3
        await journal.close()


async def test_a_stopped_worker_holds_nobody_up(postgres: PostgreSQL) -> None:
    """One that is stopped keeps no other waiting; its claims are taken over, its late verdicts are void."""
    url = await asyncio.to_thread(prepared, postgres)
    async with workers(url, 2) as (stopped, other):
        journal = PostgresJournal(url)
        await journal.open()
        writing = asyncio.create_task(append_all(journal, range(300)))
        for round_number in range(1, 6):
            await progress(journal, 40 * round_number)
            stopped.process.send_signal(signal.SIGSTOP)
            await progress(journal, 40 * round_number + 20)
            stopped.process.send_signal(signal.SIGCONT)
        stopped.process.send_signal(signal.SIGSTOP)
        await writing
        await progress(journal, 300)
        stopped.process.send_signal(signal.SIGCONT)
        for worker in (stopped, other):
            await worker.kill()

        closed = [*stopped.closed, *other.closed]
        assert len(closed) == len(set(closed))
        assert (await journal.ledger()).difference == 0
        await journal.close()


@pytest.mark.parametrize("end", ["restart", "kill"])
async def test_a_server_that_goes_and_comes_back_costs_nothing(own_postgres: PostgreSQL, end: str) -> None:
    """The server is stopped, or killed, while all write and work: they go on when it is back."""
    url = await asyncio.to_thread(prepared, own_postgres)
    async with workers(url, 2) as team:
        journal = PostgresJournal(url)
        await journal.open()
        writing = asyncio.create_task(append_all(journal, range(300)))
        await progress(journal, 50)
        if end == "kill":
            await asyncio.to_thread(own_postgres.kill)
            with pytest.raises(JournalError, match=r"check that the server runs and can be reached"):
                await journal.remember([])
            await asyncio.to_thread(own_postgres.start)
        else:
            await asyncio.to_thread(own_postgres.restart)
        await writing
        await progress(journal, 300)
        for worker in team:
            await worker.kill()

        await books_are_right(journal, own_postgres, url, 300)
        closed = [event_id for worker in team for event_id in worker.closed]
        assert len(closed) == len(set(closed))
        await journal.close()


async def test_a_server_that_hangs_keeps_no_journal_from_closing(own_postgres: PostgreSQL) -> None:
    """Who waits for an answer that does not come is told so when the journal is closed, and it does close."""
    url = await asyncio.to_thread(own_postgres.fresh)
    journal = PostgresJournal(url)
    await journal.open()
    with own_postgres.hanging():
        writing = asyncio.create_task(journal.remember([]))
        await asyncio.sleep(0)  # it has asked
        async with asyncio.timeout(PATIENCE):
            await journal.close()
            with pytest.raises(JournalError, match="was closed before the server answered"):
                await writing
    await journal.open()
    await append_all(journal, range(1))
    assert (await journal.stats()).events == 1
    await journal.close()


async def test_an_outage_is_told_once_by_who_listens(own_postgres: PostgreSQL) -> None:
    """A server that is away fills no log with what is tried each second; that it is back is told too."""
    url = await asyncio.to_thread(own_postgres.fresh)
    journal = PostgresJournal(url)
    told: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def note(_: Any, level: str, line: Any) -> Any:
        told.put_nowait((level, line["event"]))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[note])
    try:
        await journal.open()
        async with asyncio.timeout(PATIENCE):
            await asyncio.to_thread(own_postgres.stop)
            lost = "journal's notices are lost; looking now and then"
            assert [await told.get() for _ in range(3)] == [
                ("warning", lost),
                ("debug", lost),
                ("debug", lost),
            ]
            await asyncio.to_thread(own_postgres.start)
            while (line := await told.get()) == ("debug", lost):
                pass
            assert line == ("info", "journal's notices are heard again")
        await journal.close()
    finally:
        structlog.configure(**before)


async def test_notices_are_heard_again_after_a_restart(own_postgres: PostgreSQL) -> None:
    """Who waits is woken by others also when the server was restarted meanwhile."""
    url = await asyncio.to_thread(own_postgres.fresh)
    here, there = PostgresJournal(url), PostgresJournal(url)
    await asyncio.gather(here.open(), there.open())
    now = Event(EventType.CUSTOM).time
    async with asyncio.timeout(PATIENCE):
        await asyncio.to_thread(own_postgres.restart)
        await append_all(here, range(1))
        await there.wait_ready(now=now, timeout=600)
        while not await _claimed(there):
            await there.wait_ready(now=now, timeout=600)
        waiting = asyncio.create_task(there.wait_ready(now=now, timeout=600))
        await append_all(here, range(1, 2))
        await waiting
    assert await _claimed(there)
    await asyncio.gather(here.close(), there.close())


async def _claimed(journal: PostgresJournal) -> list[str]:
    now = Event(EventType.CUSTOM).time
    try:
        claimed = await journal.claim(limit=9, now=now, lease_seconds=60, handlers=("reports",))
    except JournalError:
        return []
    return [one.event.id for one in claimed]
