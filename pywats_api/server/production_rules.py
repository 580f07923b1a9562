"""Verification rules in the database: which test operations units of a product must have passed.

An administrator sets them on a real server; here the ``/local`` routes do.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from pywats_api.server.documents import Refused

_TABLE = (
    "CREATE TABLE IF NOT EXISTS verification_rules (part_number TEXT PRIMARY KEY, processes TEXT NOT NULL)"
)


class RuleStore:
    """SQL on the table of rules. Every method runs on the database's thread."""

    def __init__(self, processes: Iterable[Mapping[str, Any]]) -> None:
        self._processes = {entry["code"]: entry for entry in processes}

    @staticmethod
    def prepare(connection: sqlite3.Connection) -> None:
        """Make the table if it is missing."""
        connection.execute(_TABLE)

    def put(self, connection: sqlite3.Connection, part: str, codes: list[int]) -> None:
        """Say which test operations units of a product must have passed, in their order."""
        entries = [self._processes.get(code) for code in codes]
        for code, entry in zip(codes, entries, strict=True):
            if entry is None or not entry["isTestOperation"]:
                raise Refused(f"processes: {code} is no test operation.")
        indexes = [entry["processIndex"] for entry in entries if entry]
        if not codes or any(first >= second for first, second in pairwise(indexes)):
            raise Refused(f"processes: at least one, in the order of their processIndex, not {indexes}.")
        connection.execute(
            "INSERT OR REPLACE INTO verification_rules VALUES (?, ?)", (part, json.dumps(codes))
        )

    @staticmethod
    def all(connection: sqlite3.Connection) -> dict[str, list[int]]:
        """All rules: part number -> codes."""
        rows = connection.execute("SELECT * FROM verification_rules ORDER BY part_number")
        return {row["part_number"]: json.loads(row["processes"]) for row in rows}

    @staticmethod
    def forget(connection: sqlite3.Connection) -> None:
        """Forget all rules."""
        connection.execute("DELETE FROM verification_rules")

    def of(self, connection: sqlite3.Connection, part: str) -> list[Mapping[str, Any]]:
        """The operations that units of a product must have passed; none without a rule."""
        row = connection.execute(
            "SELECT processes FROM verification_rules WHERE part_number = ?", (part,)
        ).fetchone()
        return [self._processes[code] for code in json.loads(row["processes"])] if row else []
