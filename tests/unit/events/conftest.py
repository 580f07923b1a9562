"""What the tests of the event system share."""

from __future__ import annotations

import asyncio
import shutil
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import TypeAlias

import pytest
import structlog

from pywats_events import AsyncEventBus
from pywats_events.journal import Journal
from pywats_events.journal.memory import MemoryJournal
from pywats_events.journal.sqlite import SQLiteJournal
from pywats_events.policies import RetryPolicy

from .doubles import Station

OpenJournal: TypeAlias = Callable[[], Awaitable[Journal]]


async def _memory() -> Journal:
    return MemoryJournal()


async def _sqlite() -> Journal:
    folder = mkdtemp(prefix="journal-")
    journal = SQLiteJournal(Path(folder, "journal.db"))
    weakref.finalize(journal, shutil.rmtree, folder, ignore_errors=True)
    return journal


async def _postgres() -> Journal:
    from brokers.postgres import PostgreSQL  # those without psycopg can run all others

    from pywats_events.journal.postgres import PostgresJournal

    server = await asyncio.to_thread(PostgreSQL.shared)
    return PostgresJournal(await asyncio.to_thread(server.fresh))


#: Every kind of journal that the contract holds for; one more kind is one more line.
JOURNALS = {"memory": _memory, "sqlite": _sqlite, "postgres": _postgres}


@pytest.fixture(autouse=True)
def _plain_log() -> Iterator[None]:
    """Log failures as plain text: the default shows every variable, which takes longer than the tests."""
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    )
    yield
    structlog.configure(**before)


@pytest.fixture(params=JOURNALS)
async def journal(request: pytest.FixtureRequest) -> AsyncIterator[Journal]:
    """Give an empty journal of each kind."""
    journal = await JOURNALS[request.param]()
    await journal.open()
    yield journal
    await journal.close()


@pytest.fixture
def quick() -> RetryPolicy:
    """Give a retry policy that does not wait."""
    return RetryPolicy(max_retries=3, initial_delay=0.0, jitter=False)


@pytest.fixture
async def bus(quick: RetryPolicy) -> AsyncIterator[AsyncEventBus]:
    """Give a running bus with a journal in memory, which retries at once."""
    async with AsyncEventBus(retry_policy=quick) as bus:
        yield bus


@pytest.fixture
async def station() -> Station:
    """Give the other end of raw messages."""
    return Station()
