"""Assets in the database: the things themselves, their types and their log."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

from pywats_api.server.documents import Refused
from pywats_api.server.headers import whole_number
from pywats_api.server.odata import Column, Condition, parse_filter

_DEFAULT_TOP = 1000
_NAMESPACE = UUID("5f0d3a52-9a3e-4b53-8d0c-0c9f3b1f6a10")
# Fixed ids, so that a configuration that names them fits every local server.
DEFAULT_TYPES = {
    name: str(uuid5(_NAMESPACE, name))
    for name in ("Station", "Fixture", "Instrument", "Feeder", "Nozzle", "Stencil")
}
_SERVER_OWNED = ("totalCount", "runningCount", "lastCalibrationDate", "lastMaintenanceDate", "firstSeenDate")
# Microseconds since 1970, as far as SQLite computes them: to the millisecond.
_INSTANT = "CAST(round((julianday({0}) - 2440587.5) * 86400000) * 1000 AS INTEGER)"
_STATES = range(7)
_MESSAGE, _REGISTERED, _UPDATED = 0, 1, 2


def _fields(texts: str, numbers: str = "", moments: str = "") -> dict[str, Column]:
    """Filterable fields of a body."""
    return (
        {name: Column(f"json_extract(body, '$.{name}')") for name in texts.split()}
        | {name: Column(f"json_extract(body, '$.{name}')", "number") for name in numbers.split()}
        | {
            name: Column(_INSTANT.format(f"json_extract(body, '$.{name}')"), "moment")
            for name in moments.split()
        }
    )


_ASSET_FIELDS = _fields(
    "assetId serialNumber assetName partNumber revision description location"
    " parentAssetId parentSerialNumber",
    "state totalCount runningCount",
    "firstSeenDate lastSeenDate",
) | {"typeId": Column("lower(json_extract(body, '$.typeId'))", "guid")}
_TYPE_FIELDS = _fields(
    "typeName", "runningCountLimit totalCountLimit calibrationInterval maintenanceInterval"
) | {"typeId": Column("type_id", "guid")}
_LOG_FIELDS = _fields("assetId serialNumber user property value comment", "logId type", "date")


class AssetStore:
    """SQL on the tables of assets. Every method runs on the database's thread."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    @staticmethod
    def prepare(connection: sqlite3.Connection) -> None:
        """Put in the types that every account has."""
        for name, type_id in DEFAULT_TYPES.items():
            body = {"typeId": type_id, "typeName": name, "isReadonly": True}
            connection.execute(
                "INSERT OR IGNORE INTO asset_types VALUES (?, ?, ?)", (type_id, name, json.dumps(body))
            )

    def put(self, connection: sqlite3.Connection, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Create the asset, or update the one with its id or serial number."""
        serial, type_id = (_required(wanted, name) for name in ("serialNumber", "typeId"))
        known_type = connection.execute("SELECT 1 FROM asset_types WHERE type_id = ?", (type_id.lower(),))
        if known_type.fetchone() is None:
            raise Refused(f"typeId: no asset type has the id {type_id}.")
        if wanted.get("state") is not None and wanted["state"] not in _STATES:
            raise Refused(f"state: {wanted['state']!r} is not one of 0 to 6.")
        known = self.get(connection, str(wanted.get("assetId") or serial))
        changes = {name: value for name, value in wanted.items() if name not in _SERVER_OWNED}
        base = self._new_asset(wanted.get("assetId")) if known is None else known
        asset = base | changes | {"assetId": base["assetId"]}
        parent = asset.get("parentSerialNumber")
        if parent and self.get(connection, parent) is None:
            raise Refused(f"parentSerialNumber: no asset has the serial number {parent!r}.")
        self._write(connection, asset)
        self._log(connection, asset, _REGISTERED if known is None else _UPDATED, "")
        return asset

    def _new_asset(self, asset_id: Any) -> dict[str, Any]:
        now = self._now().isoformat()
        return {
            "assetId": str(asset_id or uuid4()),
            "state": 1,
            "totalCount": 0,
            "runningCount": 0,
            "firstSeenDate": now,
            "lastSeenDate": now,
        }

    @staticmethod
    def get(connection: sqlite3.Connection, key: str) -> dict[str, Any] | None:
        """The asset with this id or serial number."""
        row = connection.execute(
            "SELECT body FROM assets WHERE asset_id = ? OR serial_number = ?", (key, key)
        ).fetchone()
        return json.loads(row["body"]) if row else None

    def count_use(self, connection: sqlite3.Connection, uses: list[Mapping[str, Any]]) -> None:
        """Raise the counts of the assets a report lists; a serial number nobody registered counts nothing."""
        for use in uses:
            asset = self.get(connection, use["assetSN"])
            if asset is None:
                continue
            for member in ("totalCount", "runningCount"):
                asset[member] = (asset.get(member) or 0) + use["usageCount"]
            asset["lastSeenDate"] = self._now().isoformat()
            self._write(connection, asset)

    @staticmethod
    def put_type(connection: sqlite3.Connection, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Create an asset type, or update the one with its id or name."""
        name = _required(wanted, "typeName")
        row = connection.execute(
            "SELECT body FROM asset_types WHERE type_id = ? OR name = ?",
            (str(wanted.get("typeId") or "").lower(), name),
        ).fetchone()
        known = json.loads(row["body"]) if row else {"isReadonly": False}
        type_id = str(known.get("typeId") or wanted.get("typeId") or uuid4()).lower()
        entry: dict[str, Any] = known | dict(wanted) | {"typeId": type_id}
        connection.execute(
            "INSERT OR REPLACE INTO asset_types VALUES (?, ?, ?)", (type_id, name, json.dumps(entry))
        )
        return entry

    def post_message(self, connection: sqlite3.Connection, key: str, text: str) -> dict[str, Any] | None:
        """Write a line into the asset's log; None if there is no such asset."""
        asset = self.get(connection, key)
        return None if asset is None else self._log(connection, asset, _MESSAGE, text)

    @staticmethod
    def query(connection: sqlite3.Connection, what: str, options: Mapping[str, str]) -> list[dict[str, Any]]:
        """Rows of `assets`, `asset_types` or `asset_log` that an OData query asks for."""
        fields, order = {
            "assets": (_ASSET_FIELDS, "asset_id"),
            "asset_types": (_TYPE_FIELDS, "name"),
            "asset_log": (_LOG_FIELDS, "log_id DESC"),
        }[what]
        condition = parse_filter(options["$filter"], fields) if options.get("$filter") else Condition("1")
        rows = connection.execute(
            f"SELECT body FROM {what} WHERE {condition.sql} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608  # own SQL, values bound
            (
                *condition.values,
                whole_number(options, "$top", _DEFAULT_TOP),
                whole_number(options, "$skip", 0),
            ),
        )
        return [json.loads(row["body"]) for row in rows]

    @staticmethod
    def _write(connection: sqlite3.Connection, asset: Mapping[str, Any]) -> None:
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

    def _log(
        self, connection: sqlite3.Connection, asset: Mapping[str, Any], log_type: int, comment: str
    ) -> dict[str, Any]:
        entry = {
            "assetId": asset["assetId"],
            "serialNumber": asset["serialNumber"],
            "date": self._now().isoformat(),
            "user": "local",
            "type": log_type,
            "comment": comment,
        }
        cursor = connection.execute("INSERT INTO asset_log (body) VALUES (?)", (json.dumps(entry),))
        entry["logId"] = cursor.lastrowid
        connection.execute(
            "UPDATE asset_log SET body = ? WHERE log_id = ?", (json.dumps(entry), cursor.lastrowid)
        )
        return entry


def _required(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value.strip():
        raise Refused(f"{name}: required, and a text.")
    return value
