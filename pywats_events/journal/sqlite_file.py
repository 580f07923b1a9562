"""The file of the journal in SQLite as a file: its room, its soundness, copies of it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final

from pywats_events.journal.interface import JournalError, JournalFull
from pywats_events.journal.records import Health
from pywats_events.journal.sqlite_errors import explain
from pywats_events.journal.sqlite_schema import connect, reader

#: Bytes that stay free on the disk, so that what is inside can still be delivered when it is full.
KEEP_FREE: Final = 64 * 1024 * 1024
#: Bytes that no program writes to a disk in a second; most seconds that one with much room is not looked at.
_FILLED_A_SECOND: Final = 16 * 1024**3
_LONGEST: Final = 0.25

#: Sums that stand in the file, against what its rows say. What was pruned is counted no more by its rows, so
#: only open and dead ones can be recounted.
_RECOUNTS: Final = {
    "deliveries by handler and state": """
        SELECT handler, state, sum(number) FROM (
            SELECT handler, state, number FROM tally WHERE state < 4 OR state = 6
            UNION ALL
            SELECT handler, state, -count(*) FROM deliveries WHERE state < 4 OR state = 6 GROUP BY 1, 2
        ) GROUP BY 1, 2 HAVING sum(number) <> 0
    """,
    "messages by transport and fate": """
        SELECT transport, name, sum(number) FROM (
            SELECT transport, name, number FROM counters WHERE name IN ('waiting', 'dead')
            UNION ALL
            SELECT transport, CASE WHEN is_open THEN 'waiting' ELSE 'dead' END, -count(*) FROM (
                SELECT transport, max(state < 4) AS is_open, max(state = 6) AS is_dead
                FROM deliveries JOIN messages ON messages.id = message GROUP BY message
                UNION ALL
                SELECT '', state < 4, state = 6 FROM deliveries WHERE message IS NULL
            ) WHERE is_open OR is_dead GROUP BY 1, 2
        ) GROUP BY 1, 2 HAVING sum(number) <> 0
    """,
    "deliveries that may be claimed": """
        SELECT handler, key, seq FROM deliveries AS this WHERE state < 4 AND ready <> (state = 0 AND seq = (
            SELECT seq FROM deliveries AS other
            WHERE other.handler = this.handler AND other.key = this.key AND other.state < 4
            ORDER BY seq LIMIT 1
        ))
    """,
}


class Room:
    """How much a journal takes, and may take.

    Args:
        path: its file.
        limit: most bytes of contents.
        keep_free: bytes that the disk is to have left.
    """

    def __init__(self, path: Path, limit: int | None, keep_free: int) -> None:
        self._path = path
        self._limit = limit
        self._keep_free = keep_free
        self._is_enough_until = 0.0

    def check(self, db: sqlite3.Connection) -> None:
        """Look whether something may be taken in.

        A disk with much room is looked at a few times a second only: no other program fills it meanwhile.

        Raises:
            JournalFull: it may not.
        """
        if self._limit is not None and self._used(db) >= self._limit:
            raise JournalFull(
                f"journal {self._path}: its limit of {self._limit} bytes is reached and nothing is taken in; "
                "raise journal.max_bytes, keep what is done for fewer days, or see to what can't be delivered"
            )
        now = time.monotonic()
        if now < self._is_enough_until:
            return
        free = self._free()
        if free is None:
            return
        more = free - max(self._keep_free, 1)
        if more >= 0:
            self._is_enough_until = now + min(more / _FILLED_A_SECOND, _LONGEST)
            return
        room = self._room(db)
        if room is not None and room < max(self._keep_free, 1):
            raise JournalFull(
                f"journal {self._path}: its disk and file have room for {room} bytes, of which "
                f"{self._keep_free} are kept free, and nothing is taken in; make room on the disk"
            )

    def health(
        self,
        db: sqlite3.Connection,
        *,
        oldest_open: datetime | None,
        oldest_dead: datetime | None,
        oldest: datetime | None,
    ) -> Health:
        """Give what it takes and may take, with these times."""
        used, room = self._used(db), self._room(db)
        is_full = (self._limit is not None and used >= self._limit) or (
            room is not None and room < max(self._keep_free, 1)
        )
        return Health(used, self._limit, self._free(), is_full, oldest_open, oldest_dead, oldest)

    def _used(self, db: sqlite3.Connection) -> int:
        pages = _pragma(db, "page_count") - _pragma(db, "freelist_count")
        return pages * _pragma(db, "page_size")

    def _room(self, db: sqlite3.Connection) -> int | None:
        """Give the bytes that the disk has free, with those that pruning has left free in the file."""
        free = self._free()
        return None if free is None else free + _pragma(db, "freelist_count") * _pragma(db, "page_size")

    def _free(self) -> int | None:
        try:
            return shutil.disk_usage(self._path.parent).free
        except OSError:  # a file system that does not say; what does not fit shows when it is written
            return None


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])


def check(path: Path) -> list[str]:
    """Read a whole journal and recount its books; give what is wrong. It blocks.

    Raises:
        JournalError: it can't be read.
    """
    with reader(path) as db:
        db.execute("BEGIN")
        wrong = [line for (line,) in db.execute("PRAGMA integrity_check(20)") if line != "ok"]
        if not wrong:
            for what, sql in _RECOUNTS.items():
                wrong += [f"{what}: {', '.join(map(str, row))}" for row in db.execute(sql).fetchmany(20)]
    return wrong


def _copy(db: sqlite3.Connection, copy: sqlite3.Connection, target: Path) -> None:
    try:
        db.backup(copy)  # all at once: one moment of the journal, however busy it is
        copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise explain(error, target) from error


def backup(path: Path, target: Path) -> None:
    """Copy a journal as it is now. It blocks.

    Raises:
        JournalError: the copy can't be written, or is there already.
    """
    if target.exists():
        raise JournalError(f"journal backup {target}: there is such a file already; name another one")
    partial = target.with_name(f"{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        with closing(connect(partial)) as copy, reader(path) as db:
            _copy(db, copy, target)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(target)
    except sqlite3.Error as error:
        raise explain(error, target) from error
    except OSError as error:
        raise JournalError(
            f"journal backup {target}: {error}; check its folder, its rights and its disk"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
