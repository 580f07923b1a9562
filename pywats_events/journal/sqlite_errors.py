"""What SQLite's errors mean for the people who run the bridge."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Final

from pywats_events.journal.interface import JournalError, JournalFull

_DAMAGED: Final = (
    "the file is damaged; stop the bridge, keep a copy of it, and put a backup in its place or move it away "
    "to begin with an empty one"
)
_LOCKED: Final = "another program holds the file (a database browser, a backup?); close that program"

#: By SQLite's primary result code.
_ADVICE: Final = {
    sqlite3.SQLITE_FULL: "the disk, or what the file may take of it, is full; make room",
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: "the file is not a journal; name another path, or move this file away",
    sqlite3.SQLITE_IOERR: "the disk can't be read or written; check it and its quota, and that it is local",
    sqlite3.SQLITE_CANTOPEN: "the file can't be opened; check that its folder is there and may be written",
    sqlite3.SQLITE_READONLY: "the file can't be written; check the rights of the file and of its folder",
    sqlite3.SQLITE_PERM: "access was refused; check the rights of the file and of its folder",
}

#: What SQLite calls it as well when there is no room for its log, or for one file more.
_MAY_BE_FULL: Final = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
#: Bytes that SQLite takes at once for the index of its log.
_LEAST_ROOM: Final = 32 * 1024
#: A journal's files, those for a moment included: those of one that could not be opened are gone by now.
_FILES: Final = 5

#: Errors that speak of what was to be written, not of the journal.
_OF_THE_DATA: Final = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.NotSupportedError,
    sqlite3.ProgrammingError,
)


def primary_code(error: sqlite3.Error) -> int:
    """Give the primary result code; 0 when the error did not come from SQLite itself."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _has_no_room(folder: Path) -> bool:
    try:
        if shutil.disk_usage(folder).free < _LEAST_ROOM:
            return True
        if sys.platform == "win32":
            return False
        about = os.statvfs(folder)
    except OSError:  # no such folder, or a file system that does not say
        return False
    return about.f_files > 0 and about.f_favail < _FILES


def explain(error: Exception, path: Path) -> Exception:
    """Turn an error of the file into a ``JournalError``; give one of the data back as it is."""
    if not isinstance(error, sqlite3.Error) or isinstance(error, _OF_THE_DATA):
        return error
    code = primary_code(error)
    if code in _MAY_BE_FULL and _has_no_room(path.parent):
        code = sqlite3.SQLITE_FULL
    advice = _ADVICE.get(code, "see what SQLite says, and the disk that the file is on")
    kind = JournalFull if code == sqlite3.SQLITE_FULL else JournalError
    explained = kind(f"journal {path}: {error}: {advice}")
    explained.__cause__ = error
    return explained
