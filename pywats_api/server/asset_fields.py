"""The fields of assets, types and log lines: which are stored, how long they may be, how they are queried."""

from collections.abc import Mapping
from typing import Any

from pywats_api.server.documents import Refused
from pywats_api.server.headers import whole_number
from pywats_api.server.odata import Column, Condition, parse_filter

_DEFAULT_TOP = 1000
_MAX_TOP = 10_000
_MAX_NAME = 100
MAX_TEXT = 5000
_OPTIONS = {"$filter", "$top", "$skip", "$orderby"}
ASSET_TEXTS = {
    "serialNumber": _MAX_NAME,
    "assetName": _MAX_NAME,
    "partNumber": _MAX_NAME,
    "revision": _MAX_NAME,
    "location": _MAX_NAME,
    "description": MAX_TEXT,
}
# Microseconds since 1970, as far as SQLite computes them: to the millisecond.
_INSTANT = "CAST(round((julianday({0}) - 2440587.5) * 86400000) * 1000 AS INTEGER)"


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


_TABLES: dict[str, tuple[dict[str, Column], str]] = {
    "assets": (
        _fields(
            "assetId serialNumber assetName partNumber revision description location"
            " parentAssetId parentSerialNumber",
            "state totalCount runningCount ClientId",
            "firstSeenDate lastSeenDate lastCalibrationDate nextCalibrationDate"
            " lastMaintenanceDate nextMaintenanceDate",
        )
        | {"typeId": Column("lower(json_extract(body, '$.typeId'))", "guid")},
        "asset_id",
    ),
    "asset_types": (
        _fields(
            "typeName icon",
            "runningCountLimit totalCountLimit calibrationInterval maintenanceInterval"
            " warningThreshold alarmThreshold",
        )
        | {"typeId": Column("type_id", "guid")},
        "name",
    ),
    "asset_log": (
        _fields("assetId serialNumber user property value comment", "logId type", "date"),
        "log_id DESC",
    ),
}


class AssetQuery:
    """A checked OData query over `assets`, `asset_types` or `asset_log`: SQL with values to bind."""

    def __init__(self, table: str, options: Mapping[str, str]) -> None:
        """Read the options.

        Raises:
            Refused: an option is unknown or says what it cannot.
        """
        unknown = [name for name in options if name.startswith("$") and name not in _OPTIONS]
        if unknown:
            raise Refused(f"{unknown[0]} is not supported here.")
        columns, order = _TABLES[table]
        condition = parse_filter(options["$filter"], columns) if options.get("$filter") else Condition("1")
        top = whole_number(options, "$top", _DEFAULT_TOP)
        if top > _MAX_TOP:
            raise Refused(f"$top: {top} is more than {_MAX_TOP}.")
        wanted = _order(options.get("$orderby") or "", columns)
        self.sql = (
            f"SELECT body FROM {table} WHERE {condition.sql}"  # noqa: S608  # own SQL, values bound
            f" ORDER BY {', '.join([*wanted, order])} LIMIT ? OFFSET ?"
        )
        self.values = (*condition.values, top, whole_number(options, "$skip", 0))


def _order(text: str, columns: Mapping[str, Column]) -> list[str]:
    parts = []
    for item in filter(None, text.split(",")):
        name, _, direction = item.strip().partition(" ")
        direction = direction.strip() or "asc"
        if name not in columns or direction not in {"asc", "desc"}:
            raise Refused(f"$orderby: cannot order by {item.strip()[:50]!r}.")
        parts.append(f"{columns[name].sql} {direction}")
    return parts


def text_of(document: Mapping[str, Any], name: str, length: int, *, required: bool = False) -> str | None:
    """A text member, checked."""
    value = document.get(name)
    if value is None and not required:
        return None
    if not isinstance(value, str) or (required and not value.strip()):
        raise Refused(f"{name}: {'required, and ' if required else ''}a text.")
    if len(value) > length:
        raise Refused(f"{name}: {len(value)} characters, {length} are allowed.")
    return value


def number_of(document: Mapping[str, Any], name: str, kind: type[int] | tuple[type, ...]) -> Any:
    """A number member, checked; a truth value is none."""
    value = document.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, kind)):
        raise Refused(f"{name}: {str(value)[:50]!r} is no number of its kind.")
    return value


def flag_of(options: Mapping[str, str], name: str, *, default: bool) -> bool:
    """An option that is true or false."""
    text = options.get(name, str(default)).lower()
    if text not in {"true", "false"}:
        raise Refused(f"{name}: {text[:50]!r} is neither true nor false.")
    return text == "true"
