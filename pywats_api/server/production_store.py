"""Units and verification rules in the database."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from pywats_api.server.documents import Refused
from pywats_api.unit_phases import UnitPhaseFlag, phase_name

_TABLES = (
    """CREATE TABLE IF NOT EXISTS units (
        serial_number TEXT NOT NULL, part_number TEXT NOT NULL, parent TEXT, body TEXT NOT NULL,
        PRIMARY KEY (serial_number, part_number)
    )""",
    "CREATE INDEX IF NOT EXISTS units_by_parent ON units (parent)",
    "CREATE TABLE IF NOT EXISTS verification_rules (part_number TEXT PRIMARY KEY, processes TEXT NOT NULL)",
)
_MAX_TEXT = 100
_MAX_LEVELS = 20
_PHASES = frozenset(map(int, UnitPhaseFlag))
_TEXTS = ("revision", "batchNumber", "parentSerialNumber", "currentLocation")


class ProductionStore:
    """SQL on the tables of production. Every method runs on the database's thread.

    A unit need not be put here: a processed report of it makes it known, as on a real server.
    """

    def __init__(self, processes: Iterable[Mapping[str, Any]]) -> None:
        self._processes = {entry["code"]: entry for entry in processes}

    @staticmethod
    def prepare(connection: sqlite3.Connection) -> None:
        """Make the tables that are missing."""
        for statement in _TABLES:
            connection.execute(statement)

    def find(self, connection: sqlite3.Connection, serial: str, part: str) -> dict[str, Any] | None:
        """One unit; without a part number the only one of its serial number."""
        part = part or self._only_part(connection, serial)
        row = connection.execute(
            "SELECT body FROM units WHERE serial_number = ? AND part_number = ?", (serial, part)
        ).fetchone()
        if row is not None:
            unit: dict[str, Any] = json.loads(row["body"])
            return unit
        report = connection.execute(
            "SELECT json_extract(body, '$.rev') AS rev FROM reports"
            " WHERE sn = ? AND pn = ? AND quarantined IS NULL ORDER BY sequence DESC LIMIT 1",
            (serial, part),
        ).fetchone()
        if report is None:
            return None
        return _with_phase(
            {"serialNumber": serial, "partNumber": part, "revision": report["rev"]}, UnitPhaseFlag.UNKNOWN
        )

    @staticmethod
    def _only_part(connection: sqlite3.Connection, serial: str) -> str:
        parts = connection.execute(
            "SELECT part_number FROM units WHERE serial_number = ?"
            " UNION SELECT pn FROM reports WHERE sn = ? AND quarantined IS NULL LIMIT 2",
            (serial, serial),
        ).fetchall()
        if len(parts) > 1:
            raise Refused(f"partNumber: required, units of several products have the serial {serial!r}.")
        return parts[0]["part_number"] if parts else ""

    def tree(self, connection: sqlite3.Connection, serial: str, part: str) -> dict[str, Any] | None:
        """A unit with the units built into it."""
        unit = self.find(connection, serial, part)
        if unit is None:
            return None
        level = [unit]
        for _ in range(_MAX_LEVELS):
            for parent in level:
                rows = connection.execute(
                    "SELECT body FROM units WHERE parent = ? ORDER BY rowid", (parent["serialNumber"],)
                )
                parent["subUnits"] = [json.loads(row["body"]) for row in rows]
            level = [child for parent in level for child in parent["subUnits"]]
        return unit

    def put(self, connection: sqlite3.Connection, wanted: Any) -> dict[str, Any]:
        """Create or update a unit."""
        if not isinstance(wanted, dict):
            raise Refused("a unit is no JSON object.")
        serial, part = (_text(wanted, name, required=True) for name in ("serialNumber", "partNumber"))
        for name in _TEXTS:
            _text(wanted, name)
        phase = wanted.get("unitPhaseId")
        if phase is not None and (type(phase) is not int or phase not in _PHASES):
            raise Refused(f"unitPhaseId: {phase!r} is no phase.")
        parent = wanted.get("parentSerialNumber")
        self._check_parent(connection, serial, parent)
        known = self.find(connection, serial, part) or {}
        changes = {name: value for name, value in wanted.items() if name not in {"unitPhase", "subUnits"}}
        unit = _with_phase(known | changes, phase or known.get("unitPhaseId") or UnitPhaseFlag.UNKNOWN)
        self._write(connection, unit)
        return unit

    def _check_parent(self, connection: sqlite3.Connection, serial: str, parent: str | None) -> None:
        for _ in range(_MAX_LEVELS):
            if not parent:
                return
            if parent == serial:
                raise Refused(f"parentSerialNumber: unit {serial!r} would be part of itself.")
            above = self.find(connection, parent, "")
            if above is None:
                raise Refused(f"parentSerialNumber: there is no unit {parent!r}.")
            parent = above.get("parentSerialNumber")
        raise Refused(f"parentSerialNumber: more than {_MAX_LEVELS} levels.")

    def set_phase(self, connection: sqlite3.Connection, serial: str, part: str, phase: int) -> bool:
        """Put a unit into a phase; False if there is no such unit."""
        if phase not in _PHASES:
            raise Refused(f"phase: {phase} is no phase.")
        unit = self.find(connection, serial, part)
        if unit is not None:
            self._write(connection, _with_phase(unit, phase))
        return unit is not None

    def set_process(self, connection: sqlite3.Connection, serial: str, part: str, name: str) -> bool:
        """Put a unit into an operation; False if there is no such unit."""
        code = next((code for code, entry in self._processes.items() if entry["name"] == name), None)
        if code is None:
            raise Refused(f"processName: there is no process {name[:50]!r}.")
        unit = self.find(connection, serial, part)
        if unit is not None:
            self._write(connection, unit | {"processCode": str(code)})
        return unit is not None

    @staticmethod
    def _write(connection: sqlite3.Connection, unit: Mapping[str, Any]) -> None:
        connection.execute(
            "INSERT INTO units VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET parent = excluded.parent, body = excluded.body",
            (unit["serialNumber"], unit["partNumber"], unit.get("parentSerialNumber"), json.dumps(unit)),
        )

    def set_rule(self, connection: sqlite3.Connection, part: str, codes: list[int]) -> None:
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
    def rules(connection: sqlite3.Connection) -> dict[str, list[int]]:
        """All verification rules: part number -> codes."""
        rows = connection.execute("SELECT * FROM verification_rules ORDER BY part_number")
        return {row["part_number"]: json.loads(row["processes"]) for row in rows}

    @staticmethod
    def forget_rules(connection: sqlite3.Connection) -> None:
        """Forget all verification rules."""
        connection.execute("DELETE FROM verification_rules")

    def rule_of(
        self, connection: sqlite3.Connection, serial: str, part: str
    ) -> tuple[str, list[Mapping[str, Any]]]:
        """The part number of a unit and the operations that its product must have passed."""
        part = part or self._only_part(connection, serial)
        row = connection.execute(
            "SELECT processes FROM verification_rules WHERE part_number = ?", (part,)
        ).fetchone()
        return part, [self._processes[code] for code in json.loads(row["processes"])] if row else []


def _with_phase(unit: Mapping[str, Any], phase: int) -> dict[str, Any]:
    return {**unit, "unitPhaseId": int(phase), "unitPhase": phase_name(phase)}


def _text(document: Mapping[str, Any], name: str, *, required: bool = False) -> str:
    value = document.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value.strip()) or len(value) > _MAX_TEXT:
        raise Refused(f"{name}: {'required, and ' if required else ''}a text of {_MAX_TEXT} characters.")
    return value
