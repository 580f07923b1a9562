"""The pages of units: the list, and one unit with its assembly, verification, reports and changes."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from pywats_api.server.pages import page_of, shown
from pywats_api.server.production_verification import verify
from pywats_api.server.state import State, state_of
from pywats_api.server.tables import facts, further, link, table, tags_of
from pywats_api.unit_phases import phase_name

_PER_PAGE = 100
_REPORTS = 100
_CHANGES = 10_000

router = APIRouter(include_in_schema=False)


@router.get("/units")
async def list_page(request: Request, skip: Annotated[int, Query(ge=0, le=10**9)] = 0) -> Response:
    """All units, by serial number."""
    state = state_of(request)
    units = await state.run(lambda connection: state.production.known(connection, _PER_PAGE, skip))
    body = _units(units, "No unit is known yet.") + further("/units", len(units), _PER_PAGE, skip)
    return page_of("Units", f"<p>{link('/', 'Reports')}</p>{body}")


@router.get("/units/unit")
async def unit_page(request: Request, serial: str, part: str = "") -> Response:
    """One unit."""
    state = state_of(request)
    found = await state.run(lambda connection: _read(state, connection, serial, part))
    if found is None:
        return page_of("No such unit", f"<p>{link('/units', 'All units')}</p>", status=404)
    unit, verification, assembly, reports, changes = found
    parent = unit.get("parentSerialNumber")
    part = unit["partNumber"]
    listing = facts(
        {
            "Product": link("/products/product", part, part=part),
            "Revision": shown(unit.get("revision") or ""),
            "Phase": shown(unit["unitPhase"]),
            "Operation": shown(unit.get("processCode") or ""),
            "Batch": shown(unit.get("batchNumber") or ""),
            "Location": shown(unit.get("currentLocation") or ""),
            "Built into": link("/units/unit", parent, serial=parent) if parent else "",
            "Tags": tags_of(unit.get("tags")),
            "Verification": shown(f"{verification['status']} ({verification['grade']})")
            if verification["results"]
            else "no rule",
        }
    )
    return page_of(
        f"Unit {unit['serialNumber']}",
        f"<p>{link('/units', 'All units')}</p>{listing}"
        f"{_results(verification['results'])}"
        f"<h2>Built in</h2>{_units(unit['subUnits'], 'Nothing is built in.')}{_assembly(assembly)}"
        f"<h2>Reports</h2>{_reports(reports)}"
        f"<h2>Changes that nobody acknowledged</h2>{_changes(changes)}",
    )


def _read(
    state: State, connection: sqlite3.Connection, serial: str, part: str
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]] | None:
    unit = state.production.tree(connection, serial, part)
    if unit is None:
        return None
    part = unit["partNumber"]
    rows = connection.execute(
        "SELECT uuid, type, body FROM reports WHERE sn = ? AND pn = ? ORDER BY start_us DESC LIMIT ?",
        (serial, part, _REPORTS),
    )
    reports = [{"uuid": row["uuid"], "type": row["type"], **_head(row["body"])} for row in rows]
    changes = [
        change
        for change in state.production.changes(connection, _CHANGES)
        if (change["unitSerialNumber"], change["partNumber"]) == (serial, part)
    ]
    verification = verify(connection, serial, part, state.rules.of(connection, part))
    return unit, verification, state.assembler.check(connection, unit), reports, changes


def _head(body: str) -> dict[str, Any]:
    report = json.loads(body)
    return {name: report.get(name) for name in ("start", "result", "processCode", "machineName")}


def _units(units: Iterable[Mapping[str, Any]], empty: str) -> str:
    rows = [
        (
            link("/units/unit", unit["serialNumber"], serial=unit["serialNumber"], part=unit["partNumber"]),
            shown(f"{unit['partNumber']} {unit.get('revision') or ''}"),
            shown(unit["unitPhase"]),
            shown(unit.get("processCode") or ""),
        )
        for unit in units
    ]
    return table(("Serial number", "Part number", "Phase", "Operation"), rows, empty)


def _results(results: Iterable[Mapping[str, Any]]) -> str:
    rows = [
        (
            shown(result["processName"]),
            f'<span class="{shown(result["status"][:1])}">{shown(result["status"])}</span>',
            shown(result["totalCount"]),
            shown(result["nonPassedCount"]),
            shown(result["repairCount"]),
            shown(result["stationName"] or ""),
        )
        for result in results
    ]
    heads = ("Operation", "Last run", "Runs", "Not passed", "Repairs", "Station")
    return table(heads, rows, "") if rows else ""


def _assembly(verdict: Mapping[str, Any]) -> str:
    missing = [
        f"{line['quantity']} of {line['partNumber']} {line['revisionMask'] or line['revision']} missing"
        for line in verdict["missingParts"]
    ]
    problems = [*missing, *verdict["problems"]]
    if not problems:
        return "<p>As its box build asks for.</p>"
    return f"<ul>{''.join(f'<li>{shown(problem)}</li>' for problem in problems)}</ul>"


def _reports(reports: Iterable[Mapping[str, Any]]) -> str:
    rows = [
        (
            link(f"/reports/{report['uuid']}", report["start"]),
            "Repair" if report["type"] == "R" else shown(report["result"]),
            shown(report["processCode"]),
            shown(report["machineName"]),
        )
        for report in reports
    ]
    return table(("Start", "Result", "Operation", "Station"), rows, "It has no report.")


def _changes(changes: Iterable[Mapping[str, Any]]) -> str:
    rows = [
        (
            shown(change["changed"]),
            shown(change["changeType"]),
            shown("" if change["newUnitPhaseId"] is None else phase_name(change["newUnitPhaseId"])),
            shown(change["processName"] or ""),
            shown(change["newParentSerialNumber"] or ""),
        )
        for change in changes
    ]
    return table(("When", "What", "Phase", "Operation", "Built into"), rows, "None.")
