"""The pages a person looks at: what came in, and one report with its steps."""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from pywats_api.server.headers import whole_number
from pywats_api.server.report_files import StoredFile, files_of
from pywats_api.server.report_page import WORDS, Around, report_body, shown, status_of
from pywats_api.server.report_routes import file_response
from pywats_api.server.report_store import as_received, report_conditions
from pywats_api.server.requests import not_found
from pywats_api.server.state import State, state_of

__all__ = ["page_of", "router", "shown"]

_PER_PAGE = 100
_FIELDS = {"serial": "Serial number", "part": "Part number", "station": "Station"}
_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff; }
table { border-collapse: collapse; }
td, th { padding: .2rem .8rem; text-align: left; border-bottom: 1px solid #ddd; }
td { vertical-align: top; min-width: 5.5rem; overflow-wrap: anywhere; unicode-bidi: isolate; }
td.said { white-space: pre-line; max-width: 60rem; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number, td.limits { white-space: nowrap; }
.P, .D { color: #0a6b2d; } .F { color: #b00020; font-weight: 600; }
.E, .T { color: #8a4b00; font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.2rem; }
dd { margin: 0; min-width: 0; } dd, h1 { overflow-wrap: anywhere; unicode-bidi: isolate; }
svg { display: block; max-width: 100%; } figure { margin: .3rem 0; }
.picture { max-width: 30rem; max-height: 20rem; }
form { margin: 1rem 0; } input, select { margin-right: .6rem; width: 9rem; } tr:target { background: #8884; }
.U { color: #8a4b00; } .S, .quarantined { color: #666; }
.quarantined { font-style: italic; } dt { font-weight: 600; }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #181818; } td, th { border-color: #444; } a { color: #8ab4f8; }
  .P, .D { color: #6fcf8e; } .F { color: #ff7b8a; }
  .E, .T { color: #f0b060; } .S, .quarantined { color: #999; }
}
"""

router = APIRouter(include_in_schema=False)


@router.get("/")
async def list_page(request: Request) -> Response:
    """Reports, newest first; all, or those that fit the filters."""
    state = state_of(request)
    skip = whole_number(request.query_params, "skip", 0)
    filters = {name: value for name, value in request.query_params.items() if name != "skip" and value}
    conditions = report_conditions(filters)
    counts = await state.run(state.reports.counts)
    rows = await state.run(
        lambda connection: state.reports.newest(connection, _PER_PAGE, skip, conditions=conditions)
    )
    names = {entry["code"]: entry["name"] for entry in state.processes}
    lines = "".join(_list_row(as_received(row), names) for row in rows)
    more = urlencode({**filters, "skip": skip + _PER_PAGE})
    older = f'<p><a href="/?{shown(more)}">older</a></p>' if len(rows) == _PER_PAGE else ""
    body = (
        '<p><a href="/units">Units</a> <a href="/products">Products</a> <a href="/assets">Assets</a>'
        ' <a href="/tickets">Tickets</a></p>'
        f"<p>{counts['stored']} reports, {counts['quarantined']} of them in quarantine; received"
        f" {counts['received']} times, {counts['overwrites']} times over another id.</p>"
        f"{_form(filters, state.processes)}"
        "<table><tr><th>Received (UTC)</th><th>Result</th><th>Serial number</th><th>Part number</th>"
        "<th>Operation</th><th>Station</th><th>Start</th><th>Times received</th><th></th></tr>"
        f"{lines}</table>{older}"
    )
    none = "<p>No report fits these filters.</p>" if filters else "<p>Nothing was received yet.</p>"
    return page_of("Reports received", body if rows else body + none)


@router.get("/reports/{report_id}")
async def report_page(request: Request, report_id: str) -> Response:
    """One report with its steps."""
    state = state_of(request)

    def read(connection: sqlite3.Connection) -> tuple[dict[str, Any], Around] | None:
        row = state.reports.get(connection, report_id.lower(), also_quarantined=True)
        return None if row is None else (as_received(row), _around(state, connection, row))

    found = await state.run(read)
    if found is None:
        return page_of("No such report", '<p><a href="/">All reports</a></p>', status=404)
    received, around = found
    body = report_body(received, around)
    return page_of(f"Report of {received['body']['sn']}", f'<p><a href="/">All reports</a></p>{body}')


@router.get("/reports/{report_id}/files/{number}")
async def report_file(request: Request, report_id: str, number: int) -> Response:
    """One file of a report, by its place in it."""
    state = state_of(request)
    row = await state.run(
        lambda connection: state.reports.get(connection, report_id.lower(), also_quarantined=True)
    )
    files: list[StoredFile] = [] if row is None else list(files_of(as_received(row)["body"], row["uuid"]))
    if not 0 <= number < len(files):
        return not_found(f"File {number} of report {report_id}")
    return file_response(files[number].content, files[number].content_type, files[number].name)


def _around(state: State, connection: sqlite3.Connection, row: sqlite3.Row) -> Around:
    reports = state.reports
    referred = (as_received(row)["body"].get("uur") or {}).get("refUUT")
    failed = reports.get(connection, str(UUID(referred))) if referred else None
    others = [
        other for other in reports.of_unit(connection, row["sn"], row["pn"]) if other["uuid"] != row["uuid"]
    ]
    return Around(
        process_names={entry["code"]: entry["name"] for entry in state.processes},
        failed=None if failed is None else as_received(failed),
        repairs=[as_received(repair) for repair in reports.repairs_of(connection, row["uuid"])],
        others=[as_received(other) for other in others],
    )


def _form(filters: Mapping[str, str], processes: Iterable[Mapping[str, Any]]) -> str:
    fields = "".join(
        f'<label>{label} <input name="{name}" value="{shown(filters.get(name, ""))}"></label>'
        for name, label in _FIELDS.items()
    )
    results = {letter: word for letter, word in WORDS.items() if letter in "PFET"} | {"R": "Repair"}
    operations = {str(entry["code"]): entry["name"] for entry in processes}
    return (
        f'<form method="get" action="/">{fields}{_choice("result", "Result", results, filters)}'
        f"{_choice('process', 'Operation', operations, filters)}<button>Show</button></form>"
    )


def _choice(name: str, label: str, options: Mapping[str, str], filters: Mapping[str, str]) -> str:
    chosen = filters.get(name)
    listed = "".join(
        f'<option value="{shown(value)}"{" selected" if value == chosen else ""}>{shown(text)}</option>'
        for value, text in {"": "any", **options}.items()
    )
    return f'<label>{label} <select name="{name}">{listed}</select></label>'


def _list_row(received: Mapping[str, Any], process_names: Mapping[int, str]) -> str:
    report = received["body"]
    cells = [
        f"<td>{shown(received['receivedAt'][:19].replace('T', ' '))}</td>",
        f"<td>{status_of(report)}</td>",
        f'<td><a href="/reports/{shown(received["uuid"])}">{shown(report["sn"])}</a></td>',
        f"<td>{shown(report['pn'])} {shown(report['rev'])}</td>",
        f"<td>{shown(process_names.get(report['processCode'], report['processCode']))}</td>",
        f"<td>{shown(report['machineName'])}</td>",
        f"<td>{shown(report['start'].replace('T', ' '))}</td>",
        f'<td class="number">{shown(received["receiveCount"])}</td>',
        f'<td class="quarantined">{shown(received["quarantined"] or "")}</td>',
    ]
    return f"<tr>{''.join(cells)}</tr>"


def page_of(title: str, body: str, *, status: int = 200) -> HTMLResponse:
    """A whole page, `body` being HTML already."""
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{shown(title)} - local WATS</title><style>{_STYLE}</style></head>"
        f"<body><h1>{shown(title)}</h1>{body}</body></html>",
        status_code=status,
        headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'"},
    )
