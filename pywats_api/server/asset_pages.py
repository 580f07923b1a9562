"""The pages of assets: the list, and one asset with its counts, due dates, log and what lies below it."""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from pywats_api.server.asset_files import files_of
from pywats_api.server.asset_status import status_of
from pywats_api.server.asset_store import AssetStore
from pywats_api.server.headers import whole_number
from pywats_api.server.pages import page_of, shown
from pywats_api.server.state import state_of

_PER_PAGE = 100
_LOG_LINES = 200
_REPORTS = 20
_STATES = (
    "Unknown",
    "In operation",
    "In transit",
    "In maintenance",
    "In calibration",
    "In storage",
    "Scrapped",
)
_LOG_TYPES = (
    "Message",
    "Registered",
    "Updated",
    "Count reset",
    "Calibration",
    "Maintenance",
    "State changed",
)
# The colours of reports: passed, terminated, failed.
_COLOURS = {"OK": "P", "Warning": "T", "Alarm": "F"}

router = APIRouter(include_in_schema=False)


@router.get("/assets")
async def list_page(request: Request) -> Response:
    """All assets, by serial number."""
    state = state_of(request)
    skip = whole_number(request.query_params, "skip", 0)

    def read(connection: sqlite3.Connection) -> list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
        found = state.assets.query(
            connection, "assets", {"$orderby": "serialNumber", "$top": str(_PER_PAGE), "$skip": str(skip)}
        )
        return [(asset, *_judged(state.assets, connection, asset)) for asset in found]

    rows = await state.run(read)
    older = f'<p><a href="/assets?skip={skip + _PER_PAGE}">more</a></p>' if len(rows) == _PER_PAGE else ""
    table = _table(
        ["Serial number", "Name", "Type", "Status", "State", "Location", "Total", "Running", "Part of"],
        (
            [
                _link(asset),
                shown(asset.get("assetName") or ""),
                shown(asset_type.get("typeName", "")),
                _coloured(status),
                _state(asset),
                shown(asset.get("location") or ""),
                _number(asset["totalCount"]),
                _number(asset["runningCount"]),
                shown(asset.get("parentSerialNumber") or ""),
            ]
            for asset, asset_type, status in rows
        ),
    )
    home = '<p><a href="/">Reports</a></p>'
    return page_of("Assets", f"{home}{table}{older}" if rows else f"{home}<p>No asset is registered yet.</p>")


@router.get("/assets/{asset_id:path}")
async def asset_page(request: Request, asset_id: str) -> Response:
    """One asset."""
    state = state_of(request)
    back = '<p><a href="/assets">All assets</a></p>'

    def read(connection: sqlite3.Connection) -> tuple[str, str] | None:
        asset = state.assets.named(connection, asset_id, by_id=True)
        return None if asset is None else (asset["serialNumber"], _asset(state.assets, connection, asset))

    found = await state.run(read)
    if found is None:
        return page_of("No such asset", back, status=404)
    serial, body = found
    return page_of(f"Asset {serial}", back + body)


def _asset(store: AssetStore, connection: sqlite3.Connection, asset: Mapping[str, Any]) -> str:
    asset_type, status = _judged(store, connection, asset)
    above = store.get(connection, asset["parentAssetId"]) if asset.get("parentAssetId") else None
    facts = {
        "Name": shown(asset.get("assetName") or ""),
        "Type": shown(asset_type.get("typeName", "")),
        "Status": f"{_coloured(status)} {shown(status['message'])}",
        "State": _state(asset),
        "Location": shown(asset.get("location") or ""),
        "Part": shown(f"{asset.get('partNumber') or ''} {asset.get('revision') or ''}"),
        "Description": shown(asset.get("description") or ""),
        "Part of": _link(above) if above else "",
        "Total count": shown(_of(asset["totalCount"], asset_type.get("totalCountLimit"))),
        "Running count": shown(_of(asset["runningCount"], asset_type.get("runningCountLimit"))),
        "Last calibration": _when(asset.get("lastCalibrationDate")),
        "Next calibration": _when(asset.get("nextCalibrationDate")),
        "Last maintenance": _when(asset.get("lastMaintenanceDate")),
        "Next maintenance": _when(asset.get("nextMaintenanceDate")),
        "First seen": _when(asset.get("firstSeenDate")),
        "Last seen": _when(asset.get("lastSeenDate")),
        "Asset id": shown(asset["assetId"]),
    }
    facts |= {f"Tag {shown(tag['key'])}": shown(tag["value"]) for tag in asset.get("tags", ())}
    listing = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts.items() if value.strip())
    return (
        f"<dl>{listing}</dl>"
        f"{_children(store, connection, asset)}{_files(connection, asset)}"
        f"{_reports(connection, asset)}{_log(connection, asset)}"
    )


def _children(store: AssetStore, connection: sqlite3.Connection, asset: Mapping[str, Any]) -> str:
    rows = []
    for child in store.below(connection, asset["assetId"], level=1):
        asset_type, status = _judged(store, connection, child)
        rows.append(
            [
                _link(child),
                shown(child.get("assetName") or ""),
                shown(asset_type.get("typeName", "")),
                _coloured(status),
                _state(child),
            ]
        )
    return _section("Below it", ["Serial number", "Name", "Type", "Status", "State"], rows)


def _files(connection: sqlite3.Connection, asset: Mapping[str, Any]) -> str:
    return _section(
        "Files",
        ["Name", "Bytes", "Uploaded (UTC)"],
        [
            [shown(file["FileName"]), _number(file["Size"]), _when(file["Uploaded"])]
            for file in files_of(connection, asset["assetId"])
        ],
    )


def _reports(connection: sqlite3.Connection, asset: Mapping[str, Any]) -> str:
    rows = connection.execute(
        "SELECT uuid, sn, usage_count, received_at FROM asset_uses JOIN reports ON uuid = report_uuid"
        " WHERE asset_id = ? ORDER BY sequence DESC LIMIT ?",
        (asset["assetId"], _REPORTS),
    ).fetchall()
    return _section(
        "Counted by reports, the latest",
        ["Received (UTC)", "Unit", "Uses"],
        [
            [
                _when(row["received_at"]),
                f'<a href="/reports/{shown(row["uuid"])}">{shown(row["sn"])}</a>',
                _number(row["usage_count"]),
            ]
            for row in rows
        ],
    )


def _log(connection: sqlite3.Connection, asset: Mapping[str, Any]) -> str:
    serial = asset["serialNumber"].replace("'", "''")
    lines = AssetStore.query(
        connection, "asset_log", {"$filter": f"serialNumber eq '{serial}'", "$top": str(_LOG_LINES)}
    )
    return _section(
        "Log",
        ["When (UTC)", "What", "Property", "Value", "Text"],
        [
            [
                _when(line["date"]),
                shown(_LOG_TYPES[line["type"]]),
                shown(line.get("property") or ""),
                shown(line.get("value") or ""),
                shown(line["comment"]),
            ]
            for line in lines
        ],
    )


def _judged(
    store: AssetStore, connection: sqlite3.Connection, asset: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The type of an asset, and how the asset stands against its limits."""
    asset_type = store.type_of(connection, asset["typeId"]) or {}
    return asset_type, status_of(asset, asset_type, store.now(), translate=True)


def _section(title: str, names: Iterable[str], rows: list[list[str]]) -> str:
    return f"<h2>{shown(title)}</h2>{_table(names, rows)}" if rows else ""


def _table(names: Iterable[str], rows: Iterable[list[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f"<th>{shown(name)}</th>" for name in names)
    lines = "".join(_line(row) for row in rows)
    return f"<table><tr>{head}</tr>{lines}</table>"


def _line(cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f'<td class="said">{cell}</td>' for cell in cells) + "</tr>"


def _link(asset: Mapping[str, Any]) -> str:
    return f'<a href="/assets/{quote(asset["assetId"], safe="")}">{shown(asset["serialNumber"])}</a>'


def _coloured(status: Mapping[str, Any]) -> str:
    word = status["status"]
    return f'<span class="{_COLOURS.get(word, "S")}">{shown(word)}</span>'


def _state(asset: Mapping[str, Any]) -> str:
    return shown(_STATES[asset["state"]])


def _of(count: int, limit: int | None) -> str:
    return f"{count} of {limit}" if limit and limit > 0 else str(count)


def _when(moment: str | None) -> str:
    return shown(moment[:16].replace("T", " ")) if moment else ""


def _number(value: int) -> str:
    return shown(f"{value}")
