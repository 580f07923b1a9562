"""The journal in SQLite as a second process sees it, beside the one that works with it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from pywats_events.journal import sqlite_people as people
from pywats_events.journal import sqlite_reading as reading
from pywats_events.journal.interface import JournalError
from pywats_events.journal.records import Hold
from pywats_events.journal.sqlite import SQLiteJournal
from pywats_events.journal.sqlite_errors import explain, primary_code
from pywats_events.journal.sqlite_in_flight import InFlight
from pywats_events.journal.sqlite_lanes import Lanes
from pywats_events.journal.sqlite_schema import (
    APPLICATION_ID,
    MIGRATIONS,
    connect,
    reader,
    refuse_other_files,
)

T = TypeVar("T")

#: What only the process that has the journal may do.
_NOT_HERE: Final = "is open for looking only; let the bridge that runs on it do that"


class JournalBeside(SQLiteJournal):
    """A journal in one file that another process may be working with. Any number of them do no harm.

    It looks things up, and it keeps notes: they are rows of a table that nothing in memory depends on, so
    SQLite's own locks are enough for them. All other writing raises ``JournalError``. What is in flight shows
    as pending, for only the process that works on it knows.
    """

    async def open(self) -> None:
        """Open the file for looking. It is not made, and not brought up to date.

        Raises:
            JournalError: there is none, it is no journal, or it is of another version.
        """
        if self._reader is None:
            self._reader = self._thread("beside", _session, InFlight())
            await self._reader.start()

    def _closed(self) -> JournalError:
        return JournalError(f"journal {self._path}: {_NOT_HERE}")

    async def recall(self, keys: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """Give the facts that are known."""
        return await self._read(partial(reading.recall, keys=tuple(keys)))

    async def put_note(self, name: str, value: Any) -> None:
        """Keep a small note; None removes it."""
        stored = None if value is None else json.dumps(value)
        await self._read(self._writing(partial(people.put_note, name=name, value=stored)))

    async def notes(self, prefix: str = "") -> Mapping[str, Any]:
        """Give the notes whose names begin so."""
        return await self._read(lambda db: people.notes(Lanes(db, InFlight()), prefix))

    async def holds(self) -> Mapping[str, Hold]:
        """Give the destinations that are left alone."""
        return await self._read(lambda db: people.holds(Lanes(db, InFlight())))

    def _writing(self, work: Callable[[Lanes], T]) -> Callable[[sqlite3.Connection], T]:
        """Make a job that writes, in a transaction of its own on a connection of its own."""

        def job(_: sqlite3.Connection) -> T:
            try:
                with closing(connect(self._path)) as db:
                    db.execute("PRAGMA synchronous = FULL")
                    db.execute("BEGIN IMMEDIATE")
                    result = work(Lanes(db, InFlight()))
                    db.execute("COMMIT")
                    return result
            except sqlite3.Error as error:
                raise explain(error, self._path) from error

        return job


@contextmanager
def _session(path: Path) -> Iterator[sqlite3.Connection]:
    refuse_other_files(path)
    if not path.is_file():
        raise JournalError(f"journal {path}: there is none yet; the bridge makes it when it first runs")
    empty = JournalError(f"journal {path}: the file is empty; the bridge fills it when it first runs")
    if not path.stat().st_size and not Path(f"{path}-wal").exists():
        raise empty
    with reader(path) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall():
            raise empty  # whoever began to make it found no room, or was killed
        application, version = (
            int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])
            for pragma in ("application_id", "user_version")
        )
        if application != APPLICATION_ID:
            raise JournalError(
                f"journal {path}: the file is no journal; name another path in the configuration"
            )
        if version != len(MIGRATIONS):
            what = (
                "an older version; start the bridge once, which brings it up to date"
                if version < len(MIGRATIONS)
                else "a newer version; use that one"
            )
            raise JournalError(f"journal {path}: written by {what}")
        yield connection


def is_in_use(path: Path) -> bool:
    """Tell whether a process works with the journal in this file.

    Raises:
        JournalError: that can't be told.
    """
    lock = Path(f"{path}.lock")
    if not lock.exists():
        return False
    try:
        # looks, and asks for nothing that could keep a bridge from starting for longer than this takes
        with closing(
            sqlite3.connect(lock.resolve().as_uri() + "?mode=ro", uri=True, timeout=0)
        ) as connection:
            connection.execute("SELECT 1 FROM sqlite_schema").fetchall()
    except sqlite3.Error as error:
        if primary_code(error) == sqlite3.SQLITE_BUSY:
            return True
        raise explain(error, path) from error
    return False
