"""The tables of the journal in SQLite, and how its file is opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from pywats_events.journal.interface import JournalError
from pywats_events.journal.records import DeliveryState
from pywats_events.journal.sqlite_errors import explain, primary_code
from pywats_events.journal.stored_values import casefold, fingerprint_of, history

#: Says that a SQLite file is a journal, so that no other program's data are taken for one.
APPLICATION_ID: Final = 0x70774A4C
#: Oldest SQLite that knows every statement used here (RETURNING).
OLDEST_SQLITE: Final = (3, 35, 0)
BUSY_TIMEOUT_MS: Final = 5000
#: Bytes of a SQLite file that tell whose it is (application id at 68) and whether it has tables (103).
_HEAD: Final = 105
#: Statements that stay prepared.
_STATEMENTS: Final = 512

#: States as they are stored. The file keeps these numbers for ever; those below 4 are open.
STATES: Final = (
    DeliveryState.PENDING,
    DeliveryState.IN_FLIGHT,
    DeliveryState.WAITING,
    DeliveryState.PARKED,
    DeliveryState.DONE,
    DeliveryState.DROPPED,
    DeliveryState.DEAD,
    DeliveryState.DISCARDED,
)
CODES: Final = {state: code for code, state in enumerate(STATES)}

#: Statements that lead from each version to the next. Only ever add to the end.
#:
#: Times are microseconds since 1970, UTC. ``deliveries.ready`` is 1 for what may be claimed: the oldest open
#: one of its handler and key, when it is pending; it is kept exact at every change, so that a claim reads
#: just what it gives. What is in flight stands as pending. ``deliveries.message`` is no foreign key: it also
#: names messages that version 1 has removed. An event without deliveries is kept as its id alone.
#: ``deliveries.attempts`` is the whole history, but for the last time of being left alone: that is ``parks``
#: (how often) to ``freed``, with the error and reason of the row, until something else goes wrong.
MIGRATIONS: Final = (
    (
        """
        CREATE TABLE events (
            pk INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            document BLOB
        )
        """,
        """
        CREATE TABLE messages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            users INTEGER NOT NULL,
            transport TEXT NOT NULL,
            address TEXT NOT NULL,
            content_type TEXT,
            content_encoding TEXT,
            properties TEXT NOT NULL,
            received_at INTEGER NOT NULL
        )
        """,
        """
        CREATE TABLE bodies (
            message INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
            body BLOB NOT NULL
        )
        """,
        """
        CREATE TABLE deliveries (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            event INTEGER REFERENCES events (pk),
            message INTEGER,
            handler TEXT NOT NULL,
            key TEXT,
            state INTEGER NOT NULL,
            ready INTEGER NOT NULL DEFAULT 0,
            tries INTEGER NOT NULL DEFAULT 0,
            due INTEGER,
            claim INTEGER NOT NULL DEFAULT 0,
            first_seen INTEGER NOT NULL,
            changed INTEGER NOT NULL,
            event_type TEXT,
            source TEXT NOT NULL,
            message_name TEXT,
            error TEXT,
            reason TEXT,
            rule TEXT,
            detail TEXT,
            attempts TEXT
        )
        """,
        "CREATE INDEX deliveries_lane ON deliveries (handler, key, seq) WHERE state < 4",
        "CREATE INDEX deliveries_in_flight ON deliveries (handler, key) WHERE state = 1",
        "CREATE INDEX deliveries_ready ON deliveries (handler, seq) WHERE ready = 1",
        "CREATE INDEX deliveries_due ON deliveries (due) WHERE due IS NOT NULL",
        "CREATE INDEX deliveries_open ON deliveries (seq) WHERE state < 4",
        "CREATE INDEX deliveries_dead ON deliveries (state) WHERE state = 6",
        "CREATE INDEX deliveries_event ON deliveries (event)",
        "CREATE INDEX deliveries_key ON deliveries (key)",
        """
        CREATE TABLE parked (
            name TEXT NOT NULL,
            delivery INTEGER NOT NULL REFERENCES deliveries (seq) ON DELETE CASCADE,
            place INTEGER NOT NULL,
            PRIMARY KEY (name, delivery)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX parked_delivery ON parked (delivery)",
        "CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL, time INTEGER NOT NULL) WITHOUT ROWID",
        """
        CREATE TABLE counters (
            name TEXT NOT NULL,
            transport TEXT NOT NULL,
            number INTEGER NOT NULL,
            PRIMARY KEY (name, transport)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE tally (
            handler TEXT NOT NULL,
            state INTEGER NOT NULL,
            number INTEGER NOT NULL,
            PRIMARY KEY (handler, state)
        ) WITHOUT ROWID
        """,
    ),
    (
        # claims are kept in memory
        "UPDATE deliveries SET state = 0, due = NULL WHERE state = 1",
        """
        INSERT INTO tally SELECT handler, 0, number FROM tally WHERE state = 1
        ON CONFLICT DO UPDATE SET number = number + excluded.number
        """,
        "DELETE FROM tally WHERE state = 1",
        "DROP INDEX deliveries_in_flight",
        "DROP INDEX deliveries_ready",
        "DROP INDEX deliveries_dead",
        "ALTER TABLE deliveries DROP COLUMN claim",
        """
        UPDATE deliveries SET ready = (
            seq = (
                SELECT seq FROM deliveries AS other
                WHERE other.handler = deliveries.handler AND other.key = deliveries.key AND other.state < 4
                ORDER BY seq LIMIT 1
            )
        ) WHERE state = 0 AND state < 4
        """,
        "CREATE INDEX deliveries_ready ON deliveries (handler, first_seen, seq) WHERE ready = 1",
        # what people ask for
        "ALTER TABLE deliveries ADD COLUMN unit TEXT",
        "ALTER TABLE deliveries ADD COLUMN fingerprint TEXT",
        """
        UPDATE deliveries SET fingerprint = fingerprint(handler, error, reason)
        WHERE state IN (6, 7) AND error IS NOT NULL
        """,
        "CREATE INDEX deliveries_dead ON deliveries (seq) WHERE state = 6",
        "CREATE INDEX deliveries_cause ON deliveries (fingerprint) WHERE fingerprint IS NOT NULL",
        "CREATE INDEX deliveries_unit ON deliveries (unit) WHERE unit IS NOT NULL",
        "CREATE INDEX deliveries_message ON deliveries (message) WHERE message IS NOT NULL",
        # a part that nobody could read knows its id: both were written one after the other
        """
        UPDATE deliveries SET event = known.pk
        FROM (SELECT pk, row_number() OVER (ORDER BY pk) AS n FROM events WHERE document IS NULL) AS known
        JOIN (SELECT seq AS part, row_number() OVER (ORDER BY seq) AS n FROM deliveries WHERE event IS NULL)
            AS parts ON parts.n = known.n
        WHERE seq = parts.part
        """,
        # books by message
        "ALTER TABLE events ADD COLUMN seen INTEGER NOT NULL DEFAULT 0",
        """
        UPDATE events SET seen = (SELECT first_seen FROM deliveries WHERE event = pk ORDER BY seq LIMIT 1)
        WHERE EXISTS (SELECT 1 FROM deliveries WHERE event = pk)
        """,
        """
        INSERT INTO messages (users, transport, address, properties, received_at)
        SELECT 0, '', event, '{}', min(first_seen) FROM deliveries
        WHERE message IS NULL AND event IS NOT NULL GROUP BY event HAVING count(*) > 1
        """,
        """
        UPDATE deliveries SET message = several.id
        FROM (SELECT id, CAST(address AS INTEGER) AS its FROM messages
            WHERE NOT EXISTS (SELECT 1 FROM bodies WHERE message = id)) AS several
        WHERE event = several.its AND message IS NULL
        """,
        "UPDATE messages SET address = '' WHERE NOT EXISTS (SELECT 1 FROM bodies WHERE message = id)",
        "ALTER TABLE messages DROP COLUMN users",
        "ALTER TABLE messages ADD COLUMN parts INTEGER NOT NULL DEFAULT 1",
        "UPDATE messages SET parts = (SELECT count(*) FROM deliveries WHERE message = id)",
        """
        INSERT INTO counters (name, transport, number)
        SELECT CASE WHEN is_open THEN 'waiting' ELSE 'dead' END, transport, count(*) FROM (
            SELECT transport, EXISTS (SELECT 1 FROM deliveries WHERE message = id AND +state < 4) AS is_open,
                EXISTS (SELECT 1 FROM deliveries WHERE message = id AND state = 6) AS is_dead
            FROM messages
            UNION ALL
            SELECT '', +state < 4, state = 6 FROM deliveries WHERE message IS NULL
        ) WHERE is_open OR is_dead GROUP BY 1, 2
        """,
        # version 1 did not tell the others apart
        """
        INSERT INTO counters (name, transport, number)
        SELECT 'done', transport, number - coalesce((
            SELECT sum(number) FROM counters AS other
            WHERE other.transport = counters.transport AND other.name IN ('waiting', 'dead')
        ), 0) FROM counters WHERE name = 'received'
        """,
        "ALTER TABLE facts ADD COLUMN learnt INTEGER NOT NULL DEFAULT 0",
        "UPDATE facts SET learnt = time",
        "CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        """
        CREATE TABLE holds (
            destination TEXT PRIMARY KEY,
            reason TEXT NOT NULL,
            since INTEGER NOT NULL,
            probe_at INTEGER NOT NULL,
            needs_attention INTEGER NOT NULL,
            probed_until INTEGER
        ) WITHOUT ROWID
        """,
    ),
    (
        "ALTER TABLE deliveries ADD COLUMN parks INTEGER",
        "ALTER TABLE deliveries ADD COLUMN parked_since INTEGER",
        "ALTER TABLE deliveries ADD COLUMN parked_last INTEGER",
        "ALTER TABLE deliveries ADD COLUMN freed INTEGER",
        """
        UPDATE deliveries SET parks = 1, parked_since = changed, parked_last = changed
        WHERE state = 3 AND state < 4
        """,
    ),
)


@contextmanager
def sole_writer(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file for writing, as the only process that does; bring its tables up to date.

    Raises:
        JournalError: another process has it, or it is not a journal that this version can read.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise JournalError(
            f"journal {path}: needs SQLite {oldest} or later, this Python has {sqlite3.sqlite_version}"
        )
    refuse_other_files(path)
    with _explained(path), _locked(path), closing(connect(path)) as connection:
        _check(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        _migrate(connection)
        _write_once(connection)
        yield connection
        with suppress(sqlite3.Error):  # what is not copied back now stands in the log beside the file
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def reader(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file for looking, beside the writer."""
    with _explained(path), closing(connect(path)) as connection:
        connection.execute("PRAGMA query_only = ON")
        yield connection


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, with the functions that statements use."""
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, cached_statements=_STATEMENTS
    )
    connection.create_function("casefold", 1, casefold, deterministic=True)
    connection.create_function("fingerprint", 3, fingerprint_of, deterministic=True)
    connection.create_function("history", -1, history, deterministic=True)
    return connection


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, path) from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that the operating system takes back when the process ends, however it ends."""
    with closing(sqlite3.connect(f"{path}.lock", timeout=0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY:
                raise
            raise JournalError(
                f"journal {path}: another process uses it; stop that one, or give this one a path of its own"
            ) from error
        yield


def refuse_other_files(path: Path) -> None:
    """Look at a file before anything is made beside it.

    Raises:
        JournalError: it is a folder, or plainly the file of another program.
    """
    if path.is_dir():
        raise JournalError(f"journal {path}: this is a folder; name a file in it: {path / 'journal.db'}")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:  # there is none yet; what else it may be, SQLite says
        return
    if not head:
        return
    if not head.startswith(b"SQLite format 3\0"):
        raise JournalError(
            f"journal {path}: the file is not a journal; name another path, or move this file away"
        )
    is_marked = int.from_bytes(head[68:72], "big") == APPLICATION_ID
    has_tables = any(head[103:105])
    # with a log beside it, the file alone does not say what it is
    if has_tables and not is_marked and not Path(f"{path}-wal").exists():
        raise _of_another_program(path)


def _of_another_program(path: Path) -> JournalError:
    return JournalError(
        f"journal {path}: the file is the database of another program; name another path for the journal"
    )


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Look before anything is changed."""
    version = _number(connection, "user_version")
    application = _number(connection, "application_id")
    is_empty = not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
    if application != APPLICATION_ID and not is_empty:
        raise _of_another_program(path)
    if version > len(MIGRATIONS):
        raise JournalError(
            f"journal {path}: written by a newer version (schema {version}, this one reads up to "
            f"{len(MIGRATIONS)}); install that version, or name another path"
        )


def _write_once(connection: sqlite3.Connection) -> None:
    """Write something that changes nothing: what can't be written shows now, not at the first message."""
    try:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    except sqlite3.OperationalError as error:
        if primary_code(error) != sqlite3.SQLITE_FULL:  # for which a bridge waits, delivering what it can
            raise


def _migrate(connection: sqlite3.Connection) -> None:
    version = _number(connection, "user_version")
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
