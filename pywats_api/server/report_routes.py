"""``/api/Report`` and ``/api/App``."""

import sqlite3
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pywats_api.server.documents import Refused, parse_json
from pywats_api.server.headers import HeaderQuery, whole_number
from pywats_api.server.report_store import Taken, as_wsjf
from pywats_api.server.requests import not_found, off_loop_if_long, read_body
from pywats_api.server.state import state_of
from pywats_api.server.validation import validate_report

_KINDS = {
    "includeTestOperations": "isTestOperation",
    "includeRepairOperations": "isRepairOperation",
    "includeWipOperations": "isWipOperation",
}

router = APIRouter()


@router.post("/api/Report/WSJF")
async def submit(request: Request) -> Response:
    """Take a report in."""
    state = state_of(request)
    sent = await read_body(request)

    def read() -> dict[str, Any]:
        report: dict[str, Any] = parse_json(sent)
        validate_report(report, state.processes, state.fail_codes)
        return report

    report = await off_loop_if_long(sent, read)
    body = sent.decode("utf-8-sig")

    def take(connection: sqlite3.Connection) -> Taken:
        taken = state.reports.take(connection, report, body)
        if report.get("assets"):
            state.assets.count_report(connection, taken.uuid, report["assets"])
        return taken

    taken = await state.run(take)
    return JSONResponse([{"ID": report["id"], "uuid": taken.uuid, "Report_ID": taken.report_id}])


@router.get("/api/Report/Query/Header")
async def query_headers(request: Request) -> Response:
    """Look headers up."""
    state = state_of(request)
    query = HeaderQuery(dict(request.query_params), state.processes)
    return JSONResponse(await state.run(query.run))


@router.get("/api/Report/WSJF/{report_id}")
async def get_report(request: Request, report_id: str) -> Response:
    """Give a processed report back."""
    state = state_of(request)
    try:
        uuid = str(UUID(report_id))
    except ValueError:
        raise Refused(f"{report_id[:50]!r} is no report id.") from None
    row = await state.run(lambda connection: state.reports.get(connection, uuid))
    if row is None:
        return not_found(f"Report {uuid}")
    options = request.query_params
    report = as_wsjf(
        row,
        state.processes,
        detail_level=whole_number(options, "detailLevel", 7),
        include_chartdata=_flag(options.get("includeChartdata"), default=True),
        include_attachments=_flag(options.get("includeAttachments"), default=True),
    )
    return JSONResponse(report)


@router.get("/api/App/Processes")
async def processes(request: Request) -> Response:
    """The operations; with filters those of the kinds asked for, else all active ones."""
    options = request.query_params
    kinds = [kind for option, kind in _KINDS.items() if _flag(options.get(option), default=False)]
    inactive = _flag(options.get("includeInactiveProcesses"), default=False)
    return JSONResponse(
        [
            entry
            for entry in state_of(request).processes
            if (inactive or entry["state"] == 1) and (not kinds or any(entry[kind] for kind in kinds))
        ]
    )


@router.get("/api/App/Version")
async def server_version() -> Response:
    """The server's version."""
    try:
        return JSONResponse(f"local {version('pywats-bridge')}")
    except PackageNotFoundError:
        return JSONResponse("local")


def _flag(text: str | None, *, default: bool) -> bool:
    if text is None:
        return default
    if text.lower() not in {"true", "false"}:
        raise Refused(f"{text[:50]!r} is neither true nor false.")
    return text.lower() == "true"
