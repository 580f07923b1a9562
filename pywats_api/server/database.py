"""One SQLite file and the one thread that touches it."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

_R = TypeVar("_R")
_Job = tuple[Callable[[sqlite3.Connection], Any], "asyncio.Future[Any]"]

_TABLES = """
CREATE TABLE IF NOT EXISTS reports (
    report_id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    sn TEXT NOT NULL,
    pn TEXT NOT NULL,
    process_code INTEGER NOT NULL,
    start_us INTEGER NOT NULL,       -- microseconds since 1970 in UTC, so that instants compare as numbers
    body TEXT NOT NULL,
    body_bytes INTEGER NOT NULL,
    sequence INTEGER NOT NULL,       -- order of processing
    received_at TEXT NOT NULL,
    receive_count INTEGER NOT NULL DEFAULT 1,
    overwrites INTEGER NOT NULL DEFAULT 0,
    quarantined TEXT                 -- the reason, NULL for a processed report
);
CREATE INDEX IF NOT EXISTS reports_natural_key ON reports (sn, pn, process_code, start_us);
CREATE INDEX IF NOT EXISTS reports_by_start ON reports (start_us);
CREATE INDEX IF NOT EXISTS reports_by_sequence ON reports (sequence);
CREATE TABLE IF NOT EXISTS assets (
    asset_id TEXT PRIMARY KEY,
    serial_number TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS asset_types (
    type_id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS asset_log (log_id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
"""


class Database:
    """Runs jobs on the file, one after the other, off the event loop.

    Jobs that wait at the same time share one transaction, so that many small writes cost few syncs. Each
    has its own savepoint: a job that raises undoes its own changes only.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = str(path)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="wats-database", daemon=True)
        self._opened: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Open the file, made if it is missing, and start the thread."""
        self._opened = asyncio.get_running_loop().create_future()
        self._thread.start()
        await self._opened

    async def close(self) -> None:
        """Finish what was asked for and close the file."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    async def run(self, job: Callable[[sqlite3.Connection], _R]) -> _R:
        """Run `job` with the connection; what it wrote is on disk when this returns."""
        future: asyncio.Future[_R] = asyncio.get_running_loop().create_future()
        self._jobs.put((job, future))
        return await future

    def _work(self) -> None:
        assert self._opened is not None  # noqa: S101  # set by the one caller that starts this thread
        try:
            connection = sqlite3.connect(self._path, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.executescript(_TABLES)
        except sqlite3.Error as error:
            _settle(self._opened, None, error)
            return
        _settle(self._opened, None, None)
        try:
            while (batch := self._next_batch()) is not None:
                _run_batch(connection, batch)
        finally:
            connection.close()

    def _next_batch(self) -> list[_Job] | None:
        first = self._jobs.get()
        if first is None:
            return None
        batch = [first]
        while not self._jobs.empty():
            job = self._jobs.get()
            if job is None:
                self._jobs.put(None)  # close after this batch
                break
            batch.append(job)
        return batch


def _run_batch(connection: sqlite3.Connection, batch: list[_Job]) -> None:
    outcomes: list[tuple[asyncio.Future[Any], Any, Exception | None]] = []
    try:
        connection.execute("BEGIN IMMEDIATE")
        for job, future in batch:
            connection.execute("SAVEPOINT job")
            try:
                outcomes.append((future, job(connection), None))
            except Exception as error:  # noqa: BLE001  # it is handed to who asked for the job
                connection.execute("ROLLBACK TO job")
                outcomes.append((future, None, error))
            connection.execute("RELEASE job")
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        outcomes = [(future, None, error) for _, future in batch]
    for future, result, failure in outcomes:
        _settle(future, result, failure)


def _settle(future: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    def settle() -> None:
        if future.done():  # who asked has gone meanwhile
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    try:
        future.get_loop().call_soon_threadsafe(settle)
    except RuntimeError:  # the loop is closed: nobody is left to be told
        return
