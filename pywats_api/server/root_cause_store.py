"""Tickets and their attachments in the database."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pywats_api.server.documents import Refused

_TABLES = (
    """CREATE TABLE IF NOT EXISTS tickets (
        number INTEGER PRIMARY KEY AUTOINCREMENT, ticket_id TEXT NOT NULL UNIQUE, status INTEGER NOT NULL,
        body TEXT NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS ticket_files (
        attachment_id TEXT PRIMARY KEY, filename TEXT NOT NULL, content BLOB NOT NULL
    )""",
)
# The user of each token here. WATS would look the token's owner up.
USER = "local"
_NEW, _SOLVED, _ARCHIVED = 1, 8, 32
_ASSIGNED, _FOLLOWING = 0, 1
_MAX_TICKETS = 10_000
_SERVER_OWNED = frozenset(
    {"ticketId", "ticketNumber", "history", "createdUtc", "updatedUtc", "owner", "update", "assignee"}
)


class RootCauseStore:
    """SQL on the tables of tickets. Every method runs on the database's thread."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    @staticmethod
    def prepare(connection: sqlite3.Connection) -> None:
        """Make the tables that are missing."""
        for statement in _TABLES:
            connection.execute(statement)

    def create(self, connection: sqlite3.Connection, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Open a ticket."""
        now = self._moment()
        ticket = {
            "ticketId": str(uuid4()),
            "owner": USER,
            "createdUtc": now,
            "priority": 1,
            "status": _NEW,
            "tags": [],
            "history": [],
        }
        return self._change(connection, ticket, wanted)

    def change(self, connection: sqlite3.Connection, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
        """Change a ticket; None if there is no such ticket."""
        ticket = self.get(connection, wanted["ticketId"])
        return None if ticket is None else self._change(connection, ticket, wanted)

    def _change(
        self, connection: sqlite3.Connection, ticket: dict[str, Any], wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        changes = {name: value for name, value in wanted.items() if name not in _SERVER_OWNED}
        ticket = ticket | changes | {"updatedUtc": self._moment(), "assignee": wanted.get("assignee") or None}
        if ticket["assignee"] is None and ticket["status"] != _NEW:
            raise Refused("Unassigned tickets must have status new.")
        update = wanted.get("update")
        if update is not None:
            ticket["history"] = [*ticket["history"], self._entry(connection, update)]
        return self._write(connection, ticket)

    def _entry(self, connection: sqlite3.Connection, update: Mapping[str, Any]) -> dict[str, Any]:
        for number, attachment in enumerate(update.get("attachments") or ()):
            if self.file(connection, attachment["attachmentId"]) is None:
                raise Refused(f"update.attachments.{number}: no attachment has this id.")
        return {
            "updateType": 0,
            "attachments": [],
            **update,
            "updateId": str(uuid4()),
            "updateUtc": self._moment(),
            "updateUser": USER,
        }

    @staticmethod
    def _write(connection: sqlite3.Connection, ticket: dict[str, Any]) -> dict[str, Any]:
        row = connection.execute(
            "INSERT INTO tickets (ticket_id, status, body) VALUES (?, ?, ?) ON CONFLICT (ticket_id)"
            " DO UPDATE SET status = excluded.status, body = excluded.body RETURNING number",
            (ticket["ticketId"], ticket["status"], json.dumps(ticket)),
        ).fetchone()
        return ticket | {"ticketNumber": row["number"]}

    @staticmethod
    def get(connection: sqlite3.Connection, ticket_id: str) -> dict[str, Any] | None:
        """A ticket with all that is known of it."""
        row = connection.execute(
            "SELECT number, body FROM tickets WHERE ticket_id = ?", (ticket_id.lower(),)
        ).fetchone()
        return None if row is None else json.loads(row["body"]) | {"ticketNumber": row["number"]}

    @staticmethod
    def query(
        connection: sqlite3.Connection, *, status: int | None, view: int, search: str
    ) -> list[dict[str, Any]]:
        """Tickets, the newest first."""
        rows = connection.execute(
            "SELECT number, body FROM tickets WHERE status & ? ORDER BY number DESC LIMIT ?",
            (-1 if status is None else status, _MAX_TICKETS),
        )
        tickets = (json.loads(row["body"]) | {"ticketNumber": row["number"]} for row in rows)
        return [ticket for ticket in tickets if _is_in_view(ticket, view) and _holds(ticket, search)]

    def archive(self, connection: sqlite3.Connection, ticket_ids: Iterable[str]) -> None:
        """Put solved tickets away: all of them, or none."""
        for ticket_id in ticket_ids:
            ticket = self.get(connection, ticket_id)
            if ticket is None:
                raise Refused(f"No ticket has the id {ticket_id}.")
            if ticket["status"] != _SOLVED:
                raise Refused(f"Only solved tickets can be archived: {ticket['ticketNumber']} is not.")
            self._write(connection, ticket | {"status": _ARCHIVED, "updatedUtc": self._moment()})

    @staticmethod
    def add_file(connection: sqlite3.Connection, filename: str, content: bytes) -> str:
        """Store a file."""
        attachment_id = str(uuid4())
        connection.execute("INSERT INTO ticket_files VALUES (?, ?, ?)", (attachment_id, filename, content))
        return attachment_id

    @staticmethod
    def file(connection: sqlite3.Connection, attachment_id: str) -> sqlite3.Row | None:
        """A file by its id."""
        row: sqlite3.Row | None = connection.execute(
            "SELECT * FROM ticket_files WHERE attachment_id = ?", (attachment_id.lower(),)
        ).fetchone()
        return row

    def _moment(self) -> str:
        return self._now().astimezone(UTC).replace(tzinfo=None).isoformat()


def _is_in_view(ticket: Mapping[str, Any], view: int) -> bool:
    if view == _ASSIGNED:
        return bool(ticket["assignee"] == USER)
    if view == _FOLLOWING:
        return any(entry["updateUser"] == USER for entry in ticket["history"])
    return True


def _holds(ticket: Mapping[str, Any], search: str) -> bool:
    texts = [
        ticket["subject"],
        *(text or "" for tag in ticket["tags"] for text in (tag["key"], tag.get("value"))),
    ]
    return not search or any(search.lower() in text.lower() for text in texts)
