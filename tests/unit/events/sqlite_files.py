"""How the tests of the journal in SQLite open a file, and what they do to it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pywats_events.journal import (
    Receipt,
)
from pywats_events.journal.sqlite import SQLiteJournal

from .doubles import PATIENCE, result_of
from .test_journal import receipt


@asynccontextmanager
async def opened(path) -> AsyncIterator[SQLiteJournal]:
    journal = SQLiteJournal(path)
    await journal.open()
    try:
        yield journal
    finally:
        await journal.close()


@asynccontextmanager
async def held_up(journal: SQLiteJournal) -> AsyncIterator[None]:
    """Keep the writer busy, so that what is asked meanwhile comes to it together."""
    loop, busy, gate = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def wait(_connection: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(busy.set)
        gate.wait(PATIENCE)

    waiting = asyncio.ensure_future(journal._writer.ask(wait))
    await busy.wait()
    try:
        yield
    finally:
        gate.set()
        await waiting


async def on_file(journal: SQLiteJournal, sql: str):
    """Do something to the file that no journal would."""
    return await journal._writer.ask(lambda connection: connection.execute(sql).fetchall())


def one(name: str, **more) -> Receipt:
    return receipt(result_of(name, name), **more)
