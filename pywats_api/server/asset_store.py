"""Assets in the database: the things themselves, their types, their order below each other, and their log."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

from pywats_api.server.asset_fields import (
    ASSET_TEXTS,
    MAX_TEXT,
    AssetQuery,
    number_of,
    text_of,
)
from pywats_api.server.asset_status import EXTERNAL, due_dates
from pywats_api.server.asset_tags import as_row, changed_tags
from pywats_api.server.documents import Refused

_NAMESPACE = UUID("5f0d3a52-9a3e-4b53-8d0c-0c9f3b1f6a10")
# Fixed ids, so that a configuration that names them fits every local server.
DEFAULT_TYPES = {
    name: str(uuid5(_NAMESPACE, name))
    for name in ("Station", "Fixture", "Instrument", "Feeder", "Nozzle", "Stencil")
}
_TABLES = (
    "CREATE INDEX IF NOT EXISTS assets_by_parent ON assets (json_extract(body, '$.parentAssetId'))",
    "CREATE INDEX IF NOT EXISTS assets_by_type ON assets (lower(json_extract(body, '$.typeId')))",
    "CREATE INDEX IF NOT EXISTS asset_log_by_asset ON asset_log (json_extract(body, '$.assetId'))",
    # What each report counted, so that no report counts an asset twice.
    """CREATE TABLE IF NOT EXISTS asset_uses (
        report_uuid TEXT NOT NULL, asset_id TEXT NOT NULL, usage_count INTEGER NOT NULL,
        PRIMARY KEY (report_uuid, asset_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS asset_uses_by_asset ON asset_uses (asset_id)",
    """CREATE TABLE IF NOT EXISTS asset_files (
        asset_id TEXT NOT NULL, filename TEXT NOT NULL, content BLOB NOT NULL, uploaded TEXT NOT NULL,
        PRIMARY KEY (asset_id, filename)
    )""",
)
_STATES = range(7)
_MAX_COUNT = 2**31 - 1
_MAX_LEVELS = 20
_TYPE_COUNTS = ("runningCountLimit", "totalCountLimit")
_TYPE_INTERVALS = ("calibrationInterval", "maintenanceInterval")
_TYPE_THRESHOLDS = ("warningThreshold", "alarmThreshold")
MESSAGE, REGISTERED, UPDATED, COUNT_RESET, CALIBRATED, MAINTAINED, STATE_CHANGED = range(7)


class AssetStore:
    """SQL on the tables of assets. Every method runs on the database's thread."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now

    @staticmethod
    def prepare(connection: sqlite3.Connection) -> None:
        """Make the tables that are missing, and put in the types that every account has."""
        for statement in _TABLES:
            connection.execute(statement)
        for name, type_id in DEFAULT_TYPES.items():
            body = {"typeId": type_id, "typeName": name, "isReadonly": True}
            connection.execute(
                "INSERT OR IGNORE INTO asset_types VALUES (?, ?, ?)", (type_id, name, json.dumps(body))
            )

    @staticmethod
    def get(connection: sqlite3.Connection, key: str) -> dict[str, Any] | None:
        """The asset with this id, else with this serial number."""
        row = connection.execute(
            "SELECT body FROM assets WHERE asset_id = ? OR serial_number = ?"
            " ORDER BY asset_id = ? DESC LIMIT 1",
            (key, key, key),
        ).fetchone()
        return json.loads(row["body"]) if row else None

    @staticmethod
    def named(connection: sqlite3.Connection, key: str, *, by_id: bool) -> dict[str, Any] | None:
        """The asset with this id, or with this serial number."""
        column = "asset_id" if by_id else "serial_number"
        row = connection.execute(f"SELECT body FROM assets WHERE {column} = ?", (key,)).fetchone()  # noqa: S608  # one of two constants
        return json.loads(row["body"]) if row else None

    def put(self, connection: sqlite3.Connection, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Create the asset, or update the one with its id or serial number; what is left out stays."""
        for name, length in ASSET_TEXTS.items():
            text_of(wanted, name, length, required=name == "serialNumber")
        type_id = text_of(wanted, "typeId", MAX_TEXT, required=True)
        asset_type = self.type_of(connection, str(type_id))
        if asset_type is None:
            raise Refused(f"typeId: no asset type has the id {str(type_id)[:50]}.")
        if wanted.get("state") is not None:
            check_state(wanted["state"])
        asset_id = text_of(wanted, "assetId", MAX_TEXT)
        if wanted.get("ClientId") is not None and not isinstance(wanted["ClientId"], int | str):
            raise Refused("ClientId: a number or a text.")
        known = self.named(connection, asset_id or wanted["serialNumber"], by_id=bool(asset_id))
        base = self._new(asset_id) if known is None else known
        names = (*ASSET_TEXTS, "typeId", "state", "ClientId")
        asset: dict[str, Any] = base | {n: wanted[n] for n in names if wanted.get(n) is not None}
        asset |= self._parent(connection, base, wanted)
        if wanted.get("tags") is not None:
            asset["tags"] = changed_tags(base.get("tags", []), wanted["tags"])
        self.write(connection, asset, asset_type)
        self._note_changes(connection, known, asset)
        return asset

    def _new(self, asset_id: str | None) -> dict[str, Any]:
        now = self.now().isoformat()
        return {
            "assetId": asset_id or str(uuid4()),
            "state": 1,
            "totalCount": 0,
            "runningCount": 0,
            "firstSeenDate": now,
            "lastSeenDate": now,
        }

    def _parent(
        self, connection: sqlite3.Connection, base: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> dict[str, str | None]:
        """The parent's two keys. Of two that disagree the one counts that is not the stored one."""
        names = ("parentAssetId", "parentSerialNumber")
        given = {name: text_of(wanted, name, MAX_TEXT) for name in names if wanted.get(name) is not None}
        changed = {name: key for name, key in given.items() if key != (base.get(name) or "")}
        parents = {name: self._named_parent(connection, name, key) for name, key in changed.items() if key}
        if not changed:
            return {}
        if not parents:
            return dict.fromkeys(names)
        first, *others = parents.values()
        if any(other["assetId"] != first["assetId"] for other in others):
            raise Refused("parentAssetId and parentSerialNumber name two different assets.")
        self._check_no_loop(connection, base["assetId"], first)
        return {"parentAssetId": first["assetId"], "parentSerialNumber": first["serialNumber"]}

    def _named_parent(self, connection: sqlite3.Connection, name: str, key: str) -> dict[str, Any]:
        parent = self.named(connection, key, by_id=name == "parentAssetId")
        if parent is None:
            raise Refused(f"{name}: no asset has the key {key[:100]!r}.")
        return parent

    def _check_no_loop(self, connection: sqlite3.Connection, asset_id: str, above: Mapping[str, Any]) -> None:
        for _ in range(_MAX_LEVELS):
            if above["assetId"] == asset_id:
                raise Refused(f"parentSerialNumber: {above['serialNumber']!r} would lie below itself.")
            parent = self.get(connection, above["parentAssetId"]) if above.get("parentAssetId") else None
            if parent is None:
                return
            above = parent
        raise Refused(f"parentSerialNumber: more than {_MAX_LEVELS} levels.")

    def write(
        self,
        connection: sqlite3.Connection,
        asset: dict[str, Any],
        asset_type: Mapping[str, Any] | None = None,
    ) -> None:
        """Store an asset with its due dates worked out anew."""
        asset |= due_dates(asset, asset_type or self.type_of(connection, asset["typeId"]) or {})
        try:
            connection.execute(
                "INSERT INTO assets VALUES (?, ?, ?) ON CONFLICT (asset_id)"
                " DO UPDATE SET serial_number = excluded.serial_number, body = excluded.body",
                (asset["assetId"], asset["serialNumber"], json.dumps(asset)),
            )
        except sqlite3.IntegrityError:
            raise Refused(
                f"serialNumber: another asset has the serial number {asset['serialNumber']!r}."
            ) from None

    def _note_changes(
        self, connection: sqlite3.Connection, known: Mapping[str, Any] | None, asset: Mapping[str, Any]
    ) -> None:
        if known is None:
            self.log(connection, asset, REGISTERED)
            return
        if asset["serialNumber"] != known["serialNumber"]:
            self._rename(connection, asset)
        names = (*ASSET_TEXTS, "typeId", "state", "ClientId", "parentSerialNumber", "tags")
        for name in names:
            if asset.get(name) != known.get(name):
                log_type = STATE_CHANGED if name == "state" else UPDATED
                value = asset.get(name)
                if name == "tags":
                    value = "; ".join(f"{tag['key']}={tag['value']}" for tag in asset["tags"])
                self.log(connection, asset, log_type, changed=name, value="" if value is None else str(value))

    @staticmethod
    def _rename(connection: sqlite3.Connection, asset: Mapping[str, Any]) -> None:
        """The new serial number, wherever the old one was written beside the id."""
        for table, name, member in (
            ("assets", "parentAssetId", "parentSerialNumber"),
            ("asset_log", "assetId", "serialNumber"),
        ):
            connection.execute(
                f"UPDATE {table} SET body = json_set(body, '$.{member}', ?)"  # noqa: S608  # constants
                f" WHERE json_extract(body, '$.{name}') = ?",
                (asset["serialNumber"], asset["assetId"]),
            )

    def delete(self, connection: sqlite3.Connection, asset: Mapping[str, Any]) -> None:
        """Delete an asset with its log and files; what lies below it moves up to its parent."""
        asset_id = asset["assetId"]
        for child in self.below(connection, asset_id, level=1):
            self.write(
                connection,
                child | {name: asset.get(name) for name in ("parentAssetId", "parentSerialNumber")},
            )
        connection.execute("DELETE FROM assets WHERE asset_id = ?", (asset_id,))
        connection.execute("DELETE FROM asset_log WHERE json_extract(body, '$.assetId') = ?", (asset_id,))
        connection.execute("DELETE FROM asset_uses WHERE asset_id = ?", (asset_id,))
        connection.execute("DELETE FROM asset_files WHERE asset_id = ?", (asset_id,))

    @staticmethod
    def below(connection: sqlite3.Connection, asset_id: str, *, level: int = 0) -> list[dict[str, Any]]:
        """Assets below an asset, the nearest first; `level` says how far down, 0 all the way."""
        found: list[dict[str, Any]] = []
        above = [asset_id]
        for _ in range(min(level or _MAX_LEVELS, _MAX_LEVELS)):
            rows = [
                json.loads(row["body"])
                for parent in above
                for row in connection.execute(
                    "SELECT body FROM assets WHERE json_extract(body, '$.parentAssetId') = ?"
                    " ORDER BY serial_number",
                    (parent,),
                )
            ]
            found += rows
            above = [row["assetId"] for row in rows]
        return found

    @staticmethod
    def type_of(connection: sqlite3.Connection, type_id: str) -> dict[str, Any] | None:
        """The asset type with this id."""
        row = connection.execute(
            "SELECT body FROM asset_types WHERE type_id = ?", (type_id.lower(),)
        ).fetchone()
        return json.loads(row["body"]) if row else None

    def put_type(self, connection: sqlite3.Connection, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Create an asset type, or update the one with its id or name."""
        name = str(text_of(wanted, "typeName", ASSET_TEXTS["assetName"], required=True))
        text_of(wanted, "icon", MAX_TEXT)
        given_id = (text_of(wanted, "typeId", MAX_TEXT) or "").lower()
        row = connection.execute(
            "SELECT body FROM asset_types WHERE type_id = ? OR name = ? ORDER BY type_id = ? DESC LIMIT 1",
            (given_id, name, given_id),
        ).fetchone()
        known = json.loads(row["body"]) if row else {"isReadonly": False}
        type_id = str(known.get("typeId") or given_id or uuid4()).lower()
        members = ("typeName", "icon", *_TYPE_COUNTS, *_TYPE_INTERVALS, *_TYPE_THRESHOLDS)
        entry: dict[str, Any] = known | {member: wanted[member] for member in members if member in wanted}
        entry |= {"typeId": type_id, "typeName": name}
        _check_limits(entry)
        try:
            connection.execute(
                "INSERT INTO asset_types VALUES (?, ?, ?) ON CONFLICT (type_id)"
                " DO UPDATE SET name = excluded.name, body = excluded.body",
                (type_id, name, json.dumps(entry)),
            )
        except sqlite3.IntegrityError:
            raise Refused(f"typeName: another asset type has the name {name!r}.") from None
        rows = connection.execute(
            "SELECT body FROM assets WHERE lower(json_extract(body, '$.typeId')) = ?", (type_id,)
        ).fetchall()
        for asset in rows:
            self.write(connection, json.loads(asset["body"]), entry)
        return entry

    @staticmethod
    def query(connection: sqlite3.Connection, table: str, options: Mapping[str, str]) -> list[dict[str, Any]]:
        """Rows of `assets`, `asset_types` or `asset_log` that an OData query asks for."""
        query = AssetQuery(table, options)
        rows = [json.loads(row["body"]) for row in connection.execute(query.sql, query.values)]
        return [as_row(shown(row)) for row in rows] if table == "assets" else rows

    def log(
        self,
        connection: sqlite3.Connection,
        asset: Mapping[str, Any],
        log_type: int,
        comment: str = "",
        *,
        changed: str | None = None,
        value: str | None = None,
    ) -> None:
        """Write a line into an asset's log."""
        entry = {
            "assetId": asset["assetId"],
            "serialNumber": asset["serialNumber"],
            "date": self.now().isoformat(),
            "user": "local",
            "type": log_type,
            "property": changed,
            "value": value,
            "comment": comment,
        }
        cursor = connection.execute("INSERT INTO asset_log (body) VALUES (?)", (json.dumps(entry),))
        entry["logId"] = cursor.lastrowid
        connection.execute(
            "UPDATE asset_log SET body = ? WHERE log_id = ?", (json.dumps(entry), cursor.lastrowid)
        )

    def count_report(
        self, connection: sqlite3.Connection, report_uuid: str, uses: Iterable[Mapping[str, Any]]
    ) -> None:
        """Raise the counts of the assets that a report names; each counts once for one report.

        Whether a report that is sent again counts again on a real server nobody knows; here it does not,
        whatever number the second one gives. One in quarantine is not processed, so it counts nothing yet. A
        serial number that nobody registered counts nothing.
        """
        report = connection.execute(
            "SELECT receive_count, quarantined FROM reports WHERE uuid = ?", (report_uuid,)
        ).fetchone()
        if report is None or report["quarantined"]:
            return
        if report["receive_count"] == 1:  # what an earlier report of this id counted, which was forgotten
            connection.execute("DELETE FROM asset_uses WHERE report_uuid = ?", (report_uuid,))
        for use in uses:
            asset = self.named(connection, use["assetSN"], by_id=False)
            if asset is None:
                continue
            fresh = connection.execute(
                "INSERT OR IGNORE INTO asset_uses VALUES (?, ?, ?)",
                (report_uuid, asset["assetId"], use["usageCount"]),
            )
            if fresh.rowcount:
                raise_counts(asset, use["usageCount"])
                asset["lastSeenDate"] = self.now().isoformat()
                self.write(connection, asset)


def raise_counts(asset: dict[str, Any], amount: int) -> None:
    """Raise total and running count, as far as the numbers go."""
    for member in ("totalCount", "runningCount"):
        asset[member] = min((asset.get(member) or 0) + amount, _MAX_COUNT)


def check_state(state: Any) -> int:
    """The number of a state, checked."""
    if type(state) is not int or state not in _STATES:
        raise Refused(f"state: {str(state)[:50]!r} is not one of 0 to 6.")
    return state


def shown(asset: Mapping[str, Any]) -> dict[str, Any]:
    """An asset without what only this server keeps."""
    return {name: value for name, value in asset.items() if not name.startswith("external")}


def _check_limits(asset_type: dict[str, Any]) -> None:
    for name in _TYPE_COUNTS:
        limit = number_of(asset_type, name, int)
        if limit is not None and not -1 <= limit <= _MAX_COUNT:
            raise Refused(f"{name}: {str(limit)[:50]} is no limit; -1 stands for none.")
    for name in _TYPE_INTERVALS:
        days = number_of(asset_type, name, (int, float))
        if days is not None and days < 0 and days not in {-1, EXTERNAL}:
            raise Refused(f"{name}: {str(days)[:50]} is no number of days; -1 is unlimited, -2 external.")
    for name in _TYPE_THRESHOLDS:
        percent = number_of(asset_type, name, (int, float))
        if percent is not None and percent < 0:
            raise Refused(f"{name}: {str(percent)[:50]} is no percentage.")
    running, total = (asset_type.get(name) or 0 for name in _TYPE_COUNTS)
    if 0 < total < running:
        asset_type["totalCountLimit"] = running
    warning, alarm = (asset_type.get(name) for name in _TYPE_THRESHOLDS)
    if warning is not None and alarm is not None and alarm < warning:
        asset_type["alarmThreshold"] = warning
