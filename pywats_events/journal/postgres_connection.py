"""Connections to the PostgreSQL server of a journal, and what its errors mean for people."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool

from pywats_events.journal.interface import JournalError, JournalFull

Connection: TypeAlias = AsyncConnection[tuple[Any, ...]]

#: Seconds that a statement may take; the journal's own take milliseconds.
STATEMENT_TIMEOUT: Final = 30

#: How connections behave where the URL does not say otherwise: a server that is away is noticed in seconds.
_DEFAULTS: Final = {
    "application_name": "pywats-bridge",
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
#: Settings of sessions. Plans are made once: each statement looks rows up by index, whatever the tables hold.
_SESSION: Final = (
    f"-c statement_timeout={STATEMENT_TIMEOUT}s -c idle_in_transaction_session_timeout=10s "
    "-c plan_cache_mode=force_generic_plan -c jit=off -c client_encoding=UTF8"
)

#: libpq gives no code for what fails while connecting.
_NO_CONNECTION: Final = (
    "check that the server runs and can be reached, and host, port, user, password and database in the URL"
)
#: What to do, by SQLSTATE or its first two characters.
_ADVICE: Final = {
    "08": _NO_CONNECTION,
    "25006": "the server takes no changes: the URL leads to a standby; add target_session_attrs=read-write",
    "28": _NO_CONNECTION,
    "3F000": "create the schema",
    "42501": "give its user the right to, or let an administrator start the bridge once to make the tables",
    "42": "its tables or functions were changed by somebody else, or by a newer version of the bridge; "
    "restart this one",
    "53100": "the server's disk is full; make room there",
    "53300": "the server has no connection left; raise its max_connections, or end other programs",
    "53": "the server has no room left; see its log",
    "57014": f"a statement took more than {STATEMENT_TIMEOUT} s; see what the server is busy with",
    "57": "the server is being stopped or started; it is tried again",
    "58": "the server can't read or write its files; see its log",
    "XX": "the server's files are damaged; see its log",
}
_DISK_FULL: Final = "53100"
#: First two characters of codes that speak of what was to be written, not of the server.
_OF_THE_DATA: Final = ("22", "23", "54")


class Server:
    """Where a journal is, and how to get there.

    Args:
        url: ``postgresql://user:password@host:port/database``, or any other connection string of libpq.

    Attributes:
        where: host, port and database, for people. It holds no secret.

    Raises:
        JournalError: the URL can't be read.
    """

    def __init__(self, url: str) -> None:
        try:
            given = conninfo_to_dict(url)
        except psycopg.ProgrammingError:  # its text may hold the password
            raise JournalError(
                "journal: the URL can't be read; it should look like "
                "postgresql://user:password@host/database (signs such as @ / % in a password are written as "
                "%40 %2F %25)"
            ) from None
        options = f"{_SESSION} {given.pop('options', None) or ''}".strip()
        self._conninfo = make_conninfo("", **(_DEFAULTS | given | {"options": options}))
        host, port = given.get("host") or "local socket", given.get("port") or "5432"
        self.where = f"{host}:{port}/{given.get('dbname') or given.get('user') or ''}"

    def __repr__(self) -> str:
        return f"Server({self.where})"

    async def connect(self) -> Connection:
        """Open a connection on which every statement is a transaction.

        Raises:
            JournalError: that is not possible now.
        """
        try:
            return await AsyncConnection.connect(self._conninfo, autocommit=True)
        except psycopg.Error as error:
            raise self.explain(error) from error

    def pool(self, most: int, patience: float) -> AsyncConnectionPool[Connection]:
        """Make a pool, closed as yet, of at most so many connections; others wait so many seconds for one."""
        return AsyncConnectionPool(
            self._conninfo,
            kwargs={"autocommit": True},
            min_size=0,
            max_size=most,
            timeout=patience,
            max_idle=60,
            check=AsyncConnectionPool.check_connection,
            open=False,
            name=f"journal {self.where}",
        )

    def explain(self, error: psycopg.Error) -> Exception:
        """Turn an error of the server into a ``JournalError``; give one of the data back as it is."""
        code = error.sqlstate or ""
        if code[:2] in _OF_THE_DATA:
            return error
        if not code and isinstance(
            error, (psycopg.DataError, psycopg.ProgrammingError, psycopg.NotSupportedError)
        ):
            return error
        advice = _ADVICE.get(code) or _ADVICE.get(code[:2] or "08") or "see the server's log"
        said = " ".join(str(error).split()) or type(error).__name__
        kind = JournalFull if code == _DISK_FULL else JournalError
        explained = kind(f"journal {self.where}: {said}: {advice}")
        explained.__cause__ = error
        return explained
