"""The pages a person looks at: what came in, and one report with its steps."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from pywats_api.server.headers import whole_number
from pywats_api.server.report_store import as_received
from pywats_api.server.state import state_of

_PER_PAGE = 100
_WORDS = {"P": "Passed", "F": "Failed", "S": "Skipped", "E": "Error", "T": "Terminated", "D": "Done"}
_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff; }
table { border-collapse: collapse; }
td, th { padding: .2rem .8rem; text-align: left; border-bottom: 1px solid #ddd; }
td { white-space: nowrap; vertical-align: top; } td.said { white-space: pre-line; max-width: 60rem; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.P, .D { color: #0a6b2d; } .F { color: #b00020; font-weight: 600; }
.E, .T { color: #8a4b00; font-weight: 600; }
.S, .quarantined { color: #666; } .quarantined { font-style: italic; } dt { font-weight: 600; }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #181818; } td, th { border-color: #444; } a { color: #8ab4f8; }
  .P, .D { color: #6fcf8e; } .F { color: #ff7b8a; }
  .E, .T { color: #f0b060; } .S, .quarantined { color: #999; }
}
"""

router = APIRouter()


@router.get("/")
async def list_page(request: Request) -> Response:
    """All reports, newest first."""
    state = state_of(request)
    skip = whole_number(request.query_params, "skip", 0)
    counts = await state.run(state.reports.counts)
    rows = await state.run(
        lambda connection: state.reports.newest(connection, _PER_PAGE, skip, quarantined=None)
    )
    names = {entry["code"]: entry["name"] for entry in state.processes}
    lines = "".join(_list_row(as_received(row), names) for row in rows)
    older = f'<p><a href="/?skip={skip + _PER_PAGE}">older</a></p>' if len(rows) == _PER_PAGE else ""
    body = (
        '<p><a href="/assets">Assets</a></p>'
        f"<p>{counts['stored']} reports, {counts['quarantined']} of them in quarantine; received"
        f" {counts['received']} times, {counts['overwrites']} times over another id.</p>"
        "<table><tr><th>Received (UTC)</th><th>Result</th><th>Serial number</th><th>Part number</th>"
        "<th>Operation</th><th>Station</th><th>Start</th><th>Times received</th><th></th></tr>"
        f"{lines}</table>{older}"
    )
    return page_of("Reports received", body if rows else body + "<p>Nothing was received yet.</p>")


@router.get("/reports/{report_id}")
async def report_page(request: Request, report_id: str) -> Response:
    """One report with its steps."""
    state = state_of(request)
    row = await state.run(
        lambda connection: state.reports.get(connection, report_id.lower(), also_quarantined=True)
    )
    if row is None:
        return page_of("No such report", '<p><a href="/">All reports</a></p>', status=404)
    received = as_received(row)
    report = received["body"]
    facts = {
        "Result": _WORDS.get(report["result"], report["result"]),
        "Part": f"{report['pn']} rev. {report['rev']}",
        "Operation": report["processCode"],
        "Station": f"{report['machineName']}, {report['location']}, {report['purpose']}",
        "Start": report["start"],
        "Report id": received["uuid"],
        "Times received": received["receiveCount"],
    }
    if received["quarantined"]:
        facts["Quarantined"] = received["quarantined"]
    listing = "".join(f"<dt>{shown(name)}</dt><dd>{shown(value)}</dd>" for name, value in facts.items())
    steps = "".join(_step_rows(report["root"])) if report.get("root") else ""
    tree = (
        "<table><tr><th>Step</th><th>Status</th><th>Value</th><th>Limits</th><th>Text</th></tr>"
        f"{steps}</table>"
        if steps
        else ""
    )
    rest = {name: value for name, value in report.items() if name != "root" and value not in (None, [], {})}
    raw = f"<h2>Members</h2><pre>{shown(json.dumps(rest, indent=1, ensure_ascii=False))}</pre>"
    return page_of(
        f"Report of {report['sn']}", f'<p><a href="/">All reports</a></p><dl>{listing}</dl>{tree}{raw}'
    )


def _list_row(received: Mapping[str, Any], process_names: Mapping[int, str]) -> str:
    report = received["body"]
    result = report["result"]
    cells = [
        f"<td>{shown(received['receivedAt'][:19].replace('T', ' '))}</td>",
        f'<td class="{shown(result)}">{shown("Repair" if report["type"] == "R" else _WORDS[result])}</td>',
        f'<td><a href="/reports/{shown(received["uuid"])}">{shown(report["sn"])}</a></td>',
        f"<td>{shown(report['pn'])} {shown(report['rev'])}</td>",
        f"<td>{shown(process_names.get(report['processCode'], report['processCode']))}</td>",
        f"<td>{shown(report['machineName'])}</td>",
        f"<td>{shown(report['start'].replace('T', ' '))}</td>",
        f'<td class="number">{shown(received["receiveCount"])}</td>',
        f'<td class="quarantined">{shown(received["quarantined"] or "")}</td>',
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _step_rows(root: Mapping[str, Any]) -> Iterator[str]:
    waiting = [(root, 0)]
    while waiting:
        step, depth = waiting.pop()
        measurements = [
            measurement
            for kind in ("numericMeas", "stringMeas", "booleanMeas")
            for measurement in step.get(kind) or ()
        ]
        single = measurements[0] if len(measurements) == 1 else {}
        text = "\n".join(filter(None, [step.get("errorMessage"), step.get("reportText")]))
        yield _row(step["name"], step["status"], single, text, depth)
        if not single:
            for measurement in measurements:
                yield _row(measurement["name"], measurement["status"], measurement, "", depth + 1)
        waiting.extend((child, depth + 1) for child in reversed(step.get("steps") or ()))


def _row(name: str, status: str, measurement: Mapping[str, Any], text: str, depth: int) -> str:
    value = " ".join(
        str(part) for part in (measurement.get("value"), measurement.get("unit")) if part is not None
    )
    limits = [measurement.get(member) for member in ("lowLimit", "highLimit", "limit")]
    between = " … ".join(str(limit) for limit in limits if limit is not None)
    operator = measurement.get("compOp") or ""
    return (
        f'<tr><td style="padding-left:{depth * 1.5 + 0.8:g}rem">{shown(name)}</td>'
        f'<td class="{shown(status)}">{shown(_WORDS.get(status, status))}</td><td>{shown(value)}</td>'
        f'<td>{shown(operator)} {shown(between)}</td><td class="said">{shown(text)}</td></tr>'
    )


def shown(value: object) -> str:
    """A value as text of a page."""
    return escape(str(value), quote=True)


def page_of(title: str, body: str, *, status: int = 200) -> HTMLResponse:
    """A whole page, `body` being HTML already."""
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{shown(title)} - local WATS</title><style>{_STYLE}</style></head>"
        f"<body><h1>{shown(title)}</h1>{body}</body></html>",
        status_code=status,
        headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
    )
