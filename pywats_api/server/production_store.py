"""Units, their changes and batches in the database.

A unit need not be put here: a processed report of it makes it known, as on a real server.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pywats_api.server.documents import Refused
from pywats_api.server.product_store import ProductStore
from pywats_api.server.rules import parse_moment
from pywats_api.unit_phases import UnitPhaseFlag, phase_name

_TABLES = (
    """CREATE TABLE IF NOT EXISTS units (
        serial_number TEXT NOT NULL, part_number TEXT NOT NULL, parent TEXT, body TEXT NOT NULL,
        PRIMARY KEY (serial_number, part_number)
    )""",
    "CREATE INDEX IF NOT EXISTS units_by_parent ON units (parent)",
    "CREATE TABLE IF NOT EXISTS unit_changes (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS batches (batch_number TEXT PRIMARY KEY, body TEXT NOT NULL)",
)
MAX_LEVELS = 20
_PHASES = frozenset(map(int, UnitPhaseFlag))
_READ_ONLY = frozenset(
    {"unitPhase", "subUnits", "product", "productRevision", "lastTestDate", "parentPartNumber"}
)
# What a change tells of, and the member by which WATS tells it.
_WATCHED = {
    "parentSerialNumber": "newParentSerialNumber",
    "partNumber": "newPartNumber",
    "revision": "newRevision",
    "unitPhaseId": "newUnitPhaseId",
}


class ProductionStore:
    """SQL on the tables of units. Every method runs on the database's thread."""

    def __init__(
        self,
        processes: Iterable[Mapping[str, Any]],
        products: ProductStore,
        now: Callable[[], datetime],
    ) -> None:
        self._processes = {entry["code"]: entry for entry in processes}
        self._products = products
        self._now = now

    @staticmethod
    def prepare(connection: sqlite3.Connection) -> None:
        """Make the tables that are missing."""
        for statement in _TABLES:
            connection.execute(statement)

    # --- finding

    def find(self, connection: sqlite3.Connection, serial: str, part: str) -> dict[str, Any] | None:
        """One unit; without a part number the only one of its serial number."""
        part = part or self.only_part(connection, serial)
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
    def only_part(connection: sqlite3.Connection, serial: str) -> str:
        """The part number of a serial number, empty if there is no such unit."""
        parts = connection.execute(
            "SELECT part_number FROM units WHERE serial_number = ?"
            " UNION SELECT pn FROM reports WHERE sn = ? AND quarantined IS NULL LIMIT 2",
            (serial, serial),
        ).fetchall()
        if len(parts) > 1:
            raise Refused(f"partNumber: required, units of several products have the serial {serial!r}.")
        return parts[0]["part_number"] if parts else ""

    @staticmethod
    def children(connection: sqlite3.Connection, unit: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The units built into a unit, in the order they were."""
        rows = connection.execute(
            "SELECT body FROM units WHERE parent = ?"
            " AND coalesce(json_extract(body, '$.parentPartNumber'), ?) = ? ORDER BY rowid",
            (unit["serialNumber"], unit["partNumber"], unit["partNumber"]),
        )
        return [json.loads(row["body"]) for row in rows]

    def tree(self, connection: sqlite3.Connection, serial: str, part: str) -> dict[str, Any] | None:
        """A unit with the units built into it, its product and revision, and when it was tested last."""
        unit = self.find(connection, serial, part)
        if unit is None:
            return None
        level = [unit]
        for _ in range(MAX_LEVELS):
            for parent in level:
                parent["subUnits"] = self.children(connection, parent)
            level = [child for parent in level for child in parent["subUnits"]]
        product = self._products.find(connection, unit["partNumber"])
        revision = self._products.find_revision(connection, unit["partNumber"], unit.get("revision") or "")
        return unit | {
            "product": None if product is None else {**product, "revisions": []},
            "productRevision": revision,
            "lastTestDate": self._last_test(connection, unit),
        }

    @staticmethod
    def _last_test(connection: sqlite3.Connection, unit: Mapping[str, Any]) -> str | None:
        (start,) = connection.execute(
            "SELECT max(start_us) FROM reports"
            " WHERE sn = ? AND pn = ? AND type = 'T' AND quarantined IS NULL",
            (unit["serialNumber"], unit["partNumber"]),
        ).fetchone()
        return None if start is None else datetime.fromtimestamp(start / 1e6, UTC).isoformat()

    def known(self, connection: sqlite3.Connection, top: int, skip: int) -> list[dict[str, Any]]:
        """Units by serial number, those that only reports have made known included."""
        rows = connection.execute(
            "SELECT serial_number, part_number FROM units"
            " UNION SELECT sn, pn FROM reports WHERE quarantined IS NULL"
            " ORDER BY serial_number, part_number LIMIT ? OFFSET ?",
            (top, skip),
        ).fetchall()
        found = [self.find(connection, row["serial_number"], row["part_number"]) for row in rows]
        return [unit for unit in found if unit is not None]

    # --- writing

    def put(self, connection: sqlite3.Connection, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Create or update a unit. Its product and revision have to exist."""
        serial, part = wanted["serialNumber"], wanted["partNumber"]
        phase = wanted.get("unitPhaseId")
        if phase is not None and phase not in _PHASES:
            raise Refused(f"unitPhaseId: {phase!r} is no phase.")
        self._check_product(connection, part, wanted.get("revision"))
        changes = {name: value for name, value in wanted.items() if name not in _READ_ONLY}
        if wanted.get("processCode") is not None:
            changes["processCode"] = self._process_code(wanted["processCode"])
        if wanted.get("serialDate") is not None:
            _check_moment("serialDate", wanted["serialDate"])
        parent = wanted.get("parentSerialNumber")
        self._check_parent(connection, serial, parent)
        known = self.find(connection, serial, part) or {}
        unit = _with_phase(known | changes, phase or known.get("unitPhaseId") or UnitPhaseFlag.UNKNOWN)
        if "parentSerialNumber" in wanted and parent != known.get("parentSerialNumber"):
            unit.pop("parentPartNumber", None)  # said by who built the former one in
        self.write(connection, unit, known)
        return unit

    def _check_product(self, connection: sqlite3.Connection, part: str, revision: str | None) -> None:
        if self._products.find(connection, part) is None:
            raise Refused(f"partNumber: there is no product {part!r}; create it first.")
        if revision and self._products.find_revision(connection, part, revision) is None:
            raise Refused(f"revision: product {part!r} has no revision {revision!r}; create it first.")

    def _process_code(self, value: int | str) -> str:
        text = str(value)
        if not text:
            return text
        if not text.isdecimal() or int(text[:9]) not in self._processes:
            raise Refused(f"processCode: there is no process {text[:50]!r}.")
        return text

    def _check_parent(self, connection: sqlite3.Connection, serial: str, parent: str | None) -> None:
        for _ in range(MAX_LEVELS):
            if not parent:
                return
            if parent == serial:
                raise Refused(f"parentSerialNumber: unit {serial!r} would be part of itself.")
            above = self.find(connection, parent, "")
            if above is None:
                raise Refused(f"parentSerialNumber: there is no unit {parent!r}.")
            parent = above.get("parentSerialNumber")
        raise Refused(f"parentSerialNumber: more than {MAX_LEVELS} levels.")

    def set_phase(self, connection: sqlite3.Connection, serial: str, part: str, phase: int) -> bool:
        """Put a unit into a phase; False if there is no such unit."""
        if phase not in _PHASES:
            raise Refused(f"phase: {phase} is no phase.")
        unit = self.find(connection, serial, part)
        if unit is not None:
            self.write(connection, _with_phase(unit, phase), unit)
        return unit is not None

    def set_process(self, connection: sqlite3.Connection, serial: str, part: str, name: str) -> bool:
        """Put a unit into an operation, or out of any; False if there is no such unit."""
        code = next((code for code, entry in self._processes.items() if entry["name"] == name), None)
        if name and code is None:
            raise Refused(f"processName: there is no process {name[:50]!r}.")
        unit = self.find(connection, serial, part)
        if unit is not None:
            changed = unit | {"processCode": None if code is None else str(code)}
            self.write(connection, changed, unit, process_name=name)
        return unit is not None

    def write(
        self,
        connection: sqlite3.Connection,
        unit: Mapping[str, Any],
        before: Mapping[str, Any],
        *,
        process_name: str | None = None,
    ) -> None:
        """Store a unit, and note what changed against `before`, which is empty for a new one."""
        connection.execute(
            "INSERT INTO units VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET parent = excluded.parent, body = excluded.body",
            (unit["serialNumber"], unit["partNumber"], unit.get("parentSerialNumber"), json.dumps(unit)),
        )
        changed = {
            wire: unit.get(name) for name, wire in _WATCHED.items() if unit.get(name) != before.get(name)
        }
        if not changed and process_name is None:
            return
        change = {
            "unitSerialNumber": unit["serialNumber"],
            **dict.fromkeys(_WATCHED.values()),
            **changed,
            # No document of the server names the rest; the client's documents do.
            "partNumber": unit["partNumber"],
            "oldUnitPhaseId": before.get("unitPhaseId"),
            "changed": self._now().isoformat(),
            "changeType": "Process" if process_name is not None else "Changed" if before else "Created",
            "processName": process_name,
            "user": "local",
        }
        connection.execute("INSERT INTO unit_changes (body) VALUES (?)", (json.dumps(change),))

    # --- changes and batches

    @staticmethod
    def changes(connection: sqlite3.Connection, count: int) -> list[dict[str, Any]]:
        """The oldest changes that nobody acknowledged."""
        rows = connection.execute("SELECT id, body FROM unit_changes ORDER BY id LIMIT ?", (count,))
        return [{"id": row["id"], **json.loads(row["body"])} for row in rows]

    @staticmethod
    def acknowledge(connection: sqlite3.Connection, change_id: int) -> bool:
        """Forget a change; False if there is no such change."""
        return connection.execute("DELETE FROM unit_changes WHERE id = ?", (change_id,)).rowcount == 1

    @staticmethod
    def put_batches(connection: sqlite3.Connection, wanted: Iterable[Mapping[str, Any]]) -> None:
        """Create or update batches."""
        rows = [(batch["batchNumber"], json.dumps(batch)) for batch in wanted]
        connection.executemany("INSERT OR REPLACE INTO batches VALUES (?, ?)", rows)

    @staticmethod
    def batches(connection: sqlite3.Connection) -> list[dict[str, Any]]:
        """All batches."""
        rows = connection.execute("SELECT body FROM batches ORDER BY batch_number")
        return [json.loads(row["body"]) for row in rows]


def _with_phase(unit: Mapping[str, Any], phase: int) -> dict[str, Any]:
    return {**unit, "unitPhaseId": int(phase), "unitPhase": phase_name(phase)}


def _check_moment(name: str, text: str) -> None:
    try:
        parse_moment(text)
    except (ValueError, OverflowError):
        raise Refused(f"{name}: {text!r} is no date and time.") from None
