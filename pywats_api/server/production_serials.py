"""Pools of serial numbers in the database, and the files they are told in."""

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

from pywats_api.server.documents import Refused
from pywats_api.server.rules import parse_moment

_TABLES = (
    """CREATE TABLE IF NOT EXISTS serial_number_types (
        name TEXT PRIMARY KEY, counter INTEGER NOT NULL, body TEXT NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS serial_numbers (
        type TEXT NOT NULL, number TEXT NOT NULL, taken TEXT, ref_sn TEXT, ref_pn TEXT, station TEXT,
        PRIMARY KEY (type, number)
    )""",
)
_IDENTIFIERS = ("Serial number", "MAC address", "IMEI")
_HEXADECIMAL = 1
_DEFAULT_TYPES: tuple[dict[str, Any], ...] = (
    {"name": "Production_SN", "description": "Serial numbers", "format": "SN########", "identifier": 0},
    {"name": "MAC", "description": "MAC addresses", "format": "02000000####", "identifier": 1},
)
_MAX_NUMBER = 100
_MAX_NUMBERS = 100_000


class SerialNumberStore:
    """SQL on the tables of serial numbers. Every method runs on the database's thread."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Make the tables that are missing, with the types of a new account."""
        for statement in _TABLES:
            connection.execute(statement)
        if connection.execute("SELECT 1 FROM serial_number_types").fetchone() is None:
            for entry in _DEFAULT_TYPES:
                self.put_type(connection, entry)

    @staticmethod
    def types(connection: sqlite3.Connection) -> list[dict[str, Any]]:
        """All types, in the order they were made."""
        rows = connection.execute("SELECT body FROM serial_number_types ORDER BY rowid")
        return [json.loads(row["body"]) for row in rows]

    @staticmethod
    def put_type(connection: sqlite3.Connection, wanted: Mapping[str, Any]) -> None:
        """Make a pool, as an administrator does. Its counter goes on where it is."""
        identifier = wanted.get("identifier", 0)
        digits = wanted["format"].count("#")
        if digits == 0 or "#" * digits not in wanted["format"]:
            raise Refused("format: one row of # has to stand for the counter.")
        body = {
            "description": None,
            "regEx": None,
            **wanted,
            "identifier": identifier,
            "identifierName": _IDENTIFIERS[identifier],
        }
        connection.execute(
            "INSERT INTO serial_number_types VALUES (?, 0, ?)"
            " ON CONFLICT (name) DO UPDATE SET body = excluded.body",
            (wanted["name"], json.dumps(body)),
        )

    def take(
        self, connection: sqlite3.Connection, type_name: str, quantity: int, **reference: str
    ) -> list[str]:
        """Hand numbers out: those that were uploaded first, then new ones."""
        in_sequence = reference.pop("only_in_sequence", "") == "true"
        self._type(connection, type_name)
        numbers: list[str] = []
        if not in_sequence:
            rows = connection.execute(
                "SELECT number FROM serial_numbers WHERE type = ? AND taken IS NULL ORDER BY number LIMIT ?",
                (type_name, quantity),
            )
            numbers += [row["number"] for row in rows]
        numbers += self._new(connection, type_name, quantity - len(numbers))
        values = (self._now().isoformat(), reference["ref_sn"], reference["ref_pn"], reference["station"])
        connection.executemany(
            "INSERT INTO serial_numbers VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " taken = excluded.taken, ref_sn = excluded.ref_sn, ref_pn = excluded.ref_pn,"
            " station = excluded.station",
            [(type_name, number, *values) for number in numbers],
        )
        return numbers

    def _new(self, connection: sqlite3.Connection, type_name: str, count: int) -> list[str]:
        row = self._type(connection, type_name)
        body = json.loads(row["body"])
        digits = body["format"].count("#")
        base = 16 if body["identifier"] == _HEXADECIMAL else 10
        numbers: list[str] = []
        counter = row["counter"]
        while len(numbers) < count and counter + 1 < base**digits:
            counter += 1
            text = f"{counter:0{digits}X}" if base == 16 else f"{counter:0{digits}d}"  # noqa: PLR2004
            number = body["format"].replace("#" * digits, text)
            known = connection.execute(
                "SELECT 1 FROM serial_numbers WHERE type = ? AND number = ?", (type_name, number)
            )
            if known.fetchone() is None:
                numbers.append(number)
        connection.execute("UPDATE serial_number_types SET counter = ? WHERE name = ?", (counter, type_name))
        return numbers

    def upload(self, connection: sqlite3.Connection, type_name: str, numbers: Iterable[str]) -> int:
        """Put numbers into a pool; those that it has already stay as they are."""
        self._type(connection, type_name)
        before = connection.total_changes
        connection.executemany(
            "INSERT OR IGNORE INTO serial_numbers (type, number) VALUES (?, ?)",
            [(type_name, number) for number in numbers],
        )
        return connection.total_changes - before

    def taken(
        self, connection: sqlite3.Connection, type_name: str, options: Mapping[str, str | None]
    ) -> list[str]:
        """Numbers that were handed out, as far as the options let them through."""
        self._type(connection, type_name)
        conditions = {
            "number >= ?": options.get("start_address"),
            "number <= ?": options.get("end_address"),
            "julianday(taken) >= julianday(?)": _moment("startDate", options.get("start_date")),
            "julianday(taken) <= julianday(?)": _moment("endDate", options.get("end_date")),
            "ref_sn = ?": options.get("ref_sn"),
            "ref_pn = ?": options.get("ref_pn"),
        }
        given = {sql: value for sql, value in conditions.items() if value}
        where = " AND ".join(["type = ?", "taken IS NOT NULL", *given])
        rows = connection.execute(
            f"SELECT number FROM serial_numbers WHERE {where} ORDER BY number LIMIT ?",  # noqa: S608  # own SQL, values bound
            (type_name, *given.values(), _MAX_NUMBERS),
        )
        return [row["number"] for row in rows]

    @staticmethod
    def _type(connection: sqlite3.Connection, name: str) -> sqlite3.Row:
        row: sqlite3.Row | None = connection.execute(
            "SELECT * FROM serial_number_types WHERE name = ?", (name,)
        ).fetchone()
        if row is None:
            raise Refused(f"serialNumberType: there is no type {name!r}.")
        return row


def as_file(numbers: Iterable[str], file_format: str) -> tuple[str, str]:
    """Numbers as a file, and its media type."""
    if file_format == "CSV":
        return "".join(f"{number}\r\n" for number in numbers), "text/csv"
    lines = "".join(f"<SN id={quoteattr(number)}/>" for number in numbers)
    return f"<SerialNumbers>{lines}</SerialNumbers>", "application/xml"


def in_file(content: bytes, file_format: str) -> list[str]:
    """The numbers in a file that was sent."""
    try:
        text = content.decode("utf-8-sig")
        if file_format == "CSV":
            found = [row[0].strip() for row in csv.reader(io.StringIO(text)) if row]
        elif "<!DOCTYPE" in text:
            raise Refused("file: a document type is not allowed.")
        else:
            root = ET.fromstring(text)  # noqa: S314  # no document type, so no entities
            found = [node.get("id", "").strip() for node in root.iter() if node.tag == "SN"]
    except (UnicodeDecodeError, ET.ParseError, csv.Error) as error:
        raise Refused(f"file: cannot be read as {file_format}: {error}.") from None
    if not found or len(found) > _MAX_NUMBERS:
        raise Refused(f"file: holds {len(found)} numbers, 1 to {_MAX_NUMBERS} are allowed.")
    if any(not number or len(number) > _MAX_NUMBER for number in found):
        raise Refused(f"file: a number is empty or longer than {_MAX_NUMBER} characters.")
    return found


def _moment(name: str, text: str | None) -> str | None:
    if not text:
        return None
    try:
        return parse_moment(text).isoformat()
    except (ValueError, OverflowError):
        raise Refused(f"{name}: {text[:50]!r} is no date and time.") from None
