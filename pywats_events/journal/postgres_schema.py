"""The tables of the journal in PostgreSQL, and how a schema is brought up to date."""

from __future__ import annotations

from typing import Any, Final

from psycopg import AsyncConnection

from pywats_events.journal.interface import JournalError
from pywats_events.journal.postgres_functions import FUNCTIONS, LOCKS

#: Oldest server that knows all that is used here.
OLDEST_SERVER: Final = 13

#: Statements that lead from each version to the next. Only ever add to the end; the functions are made anew
#: after each of them, so a change of functions alone is a version without statements.
#:
#: Times are microseconds since 1970, UTC. ``lane``, ``unit`` and ``hash`` are digests of keys, names and ids:
#: those come from machines and may be longer than an index takes. ``deliveries.ready`` is true for what may
#: be claimed: the oldest open one of its handler and lane, when it is pending and none of them is in flight;
#: it is kept exact at every change, so that a claim reads just what it gives. States above 3 are settled.
#: ``messages.since`` is when it was received, or closed. ``sums`` is only ever added to, and folded now and
#: then: a row that everybody changes would grow without end while a backup of the database runs.
#: ``deliveries.attempts`` is the whole history, but for the last time of being left alone: that is ``parks``
#: (how often) to ``freed``, with the error and reason of the row, until something else goes wrong.
MIGRATIONS: Final = (
    (
        "CREATE TABLE journal_version (version integer PRIMARY KEY, since timestamptz NOT NULL)",
        """
        CREATE TABLE messages (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            class smallint NOT NULL,
            since bigint NOT NULL,
            has_raw boolean NOT NULL,
            transport text NOT NULL,
            address text NOT NULL,
            content_type text,
            content_encoding text,
            properties text NOT NULL,
            received_at bigint NOT NULL
        ) WITH (fillfactor = 85)
        """,
        "CREATE INDEX messages_class ON messages (class, since)",
        "CREATE TABLE bodies (message bigint PRIMARY KEY, body bytea NOT NULL)",
        "ALTER TABLE bodies ALTER COLUMN body SET STORAGE EXTERNAL",
        """
        CREATE TABLE events (
            hash bytea PRIMARY KEY,
            seen bigint NOT NULL,
            message bigint,
            id text NOT NULL,
            document bytea
        )
        """,
        "CREATE INDEX events_closed ON events (seen) WHERE message IS NULL",
        """
        CREATE TABLE deliveries (
            seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            event bytea NOT NULL,
            message bigint NOT NULL,
            lane bytea,
            unit bytea,
            state smallint NOT NULL,
            ready boolean NOT NULL,
            tries integer NOT NULL DEFAULT 0,
            due bigint,
            claim bigint NOT NULL DEFAULT 0,
            first_seen bigint NOT NULL,
            changed bigint NOT NULL,
            handler text NOT NULL,
            key text,
            event_type text,
            source text NOT NULL,
            message_name text,
            error text,
            reason text,
            rule text,
            detail text,
            attempts text,
            fingerprint text
        ) WITH (
            fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02
        )
        """,
        "CREATE INDEX deliveries_message ON deliveries (message, event)",
        "CREATE INDEX deliveries_lane ON deliveries (lane, handler, seq) WHERE state < 4",
        "CREATE INDEX deliveries_in_flight ON deliveries (lane, handler) WHERE state = 1",
        "CREATE INDEX deliveries_ready ON deliveries (handler, first_seen, seq) WHERE ready",
        "CREATE INDEX deliveries_due ON deliveries (due) WHERE due IS NOT NULL",
        "CREATE INDEX deliveries_dead ON deliveries (seq) WHERE state = 6",
        "CREATE INDEX deliveries_key ON deliveries (lane)",
        "CREATE INDEX deliveries_unit ON deliveries (unit) WHERE unit IS NOT NULL",
        """
        CREATE TABLE parked (
            hash bytea NOT NULL,
            delivery bigint NOT NULL,
            name text NOT NULL,
            place integer NOT NULL,
            PRIMARY KEY (hash, delivery)
        )
        """,
        "CREATE INDEX parked_delivery ON parked (delivery)",
        """
        CREATE TABLE facts (
            hash bytea PRIMARY KEY,
            key text NOT NULL,
            value text NOT NULL,
            time bigint NOT NULL,
            learnt bigint NOT NULL
        )
        """,
        "CREATE INDEX facts_learnt ON facts (learnt)",
        "CREATE TABLE sums (name text NOT NULL, part text NOT NULL, number bigint NOT NULL)",
        "CREATE TABLE notes (name text PRIMARY KEY, value text NOT NULL)",
        """
        CREATE TABLE holds (
            destination text PRIMARY KEY,
            reason text NOT NULL,
            since bigint NOT NULL,
            probe_at bigint NOT NULL,
            needs_attention boolean NOT NULL,
            probed_until bigint NOT NULL DEFAULT 0
        )
        """,
    ),
    (
        """
        ALTER TABLE deliveries ADD COLUMN parks integer, ADD COLUMN parked_since bigint,
            ADD COLUMN parked_last bigint, ADD COLUMN freed bigint
        """,
        """
        UPDATE deliveries SET parks = 1, parked_since = changed, parked_last = changed
        WHERE state = 3 AND state < 4
        """,
    ),
)

#: Version of the tables that this program works with.
NEWEST: Final = len(MIGRATIONS)


async def bring_up_to_date(connection: AsyncConnection[Any], where: str) -> None:
    """Make the tables, or change those of an older version; of many processes that come at once one does it.

    Raises:
        JournalError: the schema is of a newer version, or holds something else.
    """
    if await version_of(connection, where) == NEWEST:
        return
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0")
        # to the end of the transaction: whoever waits here finds everything done
        await connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(current_schema()))", (LOCKS + 1,))
        version = await version_of(connection, where)
        if version == NEWEST:
            return
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                await connection.execute(statement)
        await connection.execute(FUNCTIONS)
        await connection.execute("INSERT INTO journal_version VALUES (%s, now())", (NEWEST,))


async def version_of(connection: AsyncConnection[Any], where: str) -> int:
    """Give the version of the tables; 0 when there are none.

    Raises:
        JournalError: it is newer than this program, or what is there is no journal.
    """
    found = await connection.execute(
        # to_regclass may answer from a cache of before the lock
        """
        SELECT current_schema(), coalesce(bool_or(tablename = 'journal_version'), false),
            coalesce(bool_or(tablename IN ('events', 'messages', 'deliveries')), false)
        FROM pg_tables WHERE schemaname = current_schema()
        """
    )
    ((schema, is_journal, is_other),) = await found.fetchall()
    if schema is None:
        raise JournalError(f"journal {where}: its search_path names no schema that is there; create it first")
    if not is_journal and is_other:
        raise JournalError(
            f"journal {where}: schema {schema} holds tables of another program; give the journal a database "
            "of its own"
        )
    if not is_journal:
        return 0
    found = await connection.execute("SELECT coalesce(max(version), 0) FROM journal_version")
    ((version,),) = await found.fetchall()
    if version > NEWEST:
        raise JournalError(
            f"journal {where}: written by a newer version (schema {version}, this one reads up to "
            f"{NEWEST}); install that version here too"
        )
    return int(version)
