"""``/api/Report`` and ``/api/App``."""

import sqlite3
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pywats_api.server.asset_documents import ODATA, described, parameter
from pywats_api.server.documents import Refused, parse_json
from pywats_api.server.headers import HeaderQuery, MiscInfoQuery
from pywats_api.server.report_certificate import certificate
from pywats_api.server.report_files import StoredFile, files_of, zipped
from pywats_api.server.report_store import Taken, as_wsjf
from pywats_api.server.requests import not_found, off_loop_if_long, read_body
from pywats_api.server.state import State, state_of
from pywats_api.server.validation import SCHEMA, validate_report

_HEADERS = described(
    *ODATA,
    parameter("$select", {"type": "string"}, "Fields, with commas between them."),
    parameter("$expand", {"type": "string"}, "Lists, with commas between them."),
)
_REFUSED: dict[int | str, dict[str, Any]] = {400: {"description": "What is wrong with the request."}}
_MISSING = _REFUSED | {404: {"description": "There is no such report, or it is not processed."}}
# References of the schema lead from its own root; in the OpenAPI document it stands here.
_PLACE = "#/paths/~1api~1Report~1WSJF/post/requestBody/content/application~1json/schema/$defs/"


def _moved(part: Any) -> Any:
    if isinstance(part, list):
        return [_moved(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {
        name: value.replace("#/$defs/", _PLACE)
        if name == "$ref" and isinstance(value, str)
        else _moved(value)
        for name, value in part.items()
    }


_REPORT = _moved({name: part for name, part in SCHEMA.items() if name not in {"$schema", "$id"}})

ReportId = Annotated[UUID, Path(alias="report_id", description="Id the report is stored by.")]
Code = Annotated[int | None, Query(alias="processCode", ge=-(2**15), le=2**15 - 1)]

router = APIRouter()


@router.post("/api/Report/WSJF", openapi_extra=described(body=_REPORT))
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


@router.get("/api/Report/Query/Header", openapi_extra=_HEADERS)
async def query_headers(request: Request) -> Response:
    """Look headers up."""
    state = state_of(request)
    query = HeaderQuery(dict(request.query_params), state.processes)
    return JSONResponse(await state.run(query.run))


@router.get("/api/Report/Query/HeaderByMiscInfo", responses=_REFUSED)
async def query_headers_by_misc_info(
    request: Request,
    description: str | None = None,
    data: str | None = None,
    process_code: Code = None,
    serial_number: Annotated[str | None, Query(alias="serialNumber")] = None,
) -> Response:
    """Look headers up by a misc info."""
    state = state_of(request)
    query = MiscInfoQuery(
        state.processes,
        description=description,
        data=data,
        process_code=process_code,
        serial_number=serial_number,
    )
    return JSONResponse(await state.run(query.run))


@router.get("/api/Report/WSJF/{report_id}", responses=_MISSING)
async def get_report(
    request: Request,
    report_id: ReportId,
    detail_level: Annotated[int, Query(alias="detailLevel", ge=0, le=7)] = 7,
    include_chartdata: Annotated[bool, Query(alias="includeChartdata")] = True,
    include_attachments: Annotated[bool, Query(alias="includeAttachments")] = True,
) -> Response:
    """Give a processed report back."""
    state = state_of(request)
    row = await _row(state, report_id)
    if row is None:
        return not_found(f"Report {report_id}")
    report = as_wsjf(
        row,
        state.processes,
        detail_level=detail_level,
        include_chartdata=include_chartdata,
        include_attachments=include_attachments,
    )
    return JSONResponse(report)


@router.get("/api/Report/Attachment", responses=_MISSING)
async def get_attachment(
    request: Request,
    report_id: Annotated[UUID, Query(alias="reportId")],
    step_id: Annotated[int | None, Query(alias="stepId", ge=-(2**31), le=2**31 - 1)] = None,
    attachment_id: Annotated[UUID | None, Query(alias="attachmentId")] = None,
) -> Response:
    """Give one file of a report: that of a step of a test, or one of a repair by its id."""
    if (step_id is None) is (attachment_id is None):
        raise Refused("stepId or attachmentId is required in the query, and not both.")
    row = await _row(state_of(request), report_id)
    if row is None:
        return not_found(f"Report {report_id}")

    def wanted(file: StoredFile) -> bool:
        return file.step_id == step_id if attachment_id is None else file.attachment_id == str(attachment_id)

    found = next(filter(wanted, files_of(as_wsjf(row, ()), str(report_id))), None)
    if found is None:
        return not_found(f"Attachment of report {report_id}")
    return file_response(found.content, found.content_type, found.name)


@router.get("/api/Report/Attachments/{report_id}", responses=_MISSING)
async def get_attachments(request: Request, report_id: ReportId) -> Response:
    """Give all files of a report as one archive."""
    row = await _row(state_of(request), report_id)
    if row is None:
        return not_found(f"Report {report_id}")
    archive = zipped(files_of(as_wsjf(row, ()), str(report_id)))
    return file_response(archive, "application/zip", f"{report_id}.zip")


@router.get("/api/Report/Certificate/{report_id}", responses=_MISSING)
async def get_certificate(request: Request, report_id: ReportId) -> Response:
    """Give the certificate of a report."""
    state = state_of(request)
    row = await _row(state, report_id)
    if row is None:
        return not_found(f"Report {report_id}")
    report = as_wsjf(row, state.processes)
    return file_response(certificate(report, report["processName"]), "application/pdf", f"{report_id}.pdf")


@router.get("/api/App/Processes")
async def processes(
    request: Request,
    tests: Annotated[bool, Query(alias="includeTestOperations")] = False,
    repairs: Annotated[bool, Query(alias="includeRepairOperations")] = False,
    wip: Annotated[bool, Query(alias="includeWipOperations")] = False,
    inactive: Annotated[bool, Query(alias="includeInactiveProcesses")] = False,
) -> Response:
    """The operations; with filters those of the kinds asked for, else all active ones."""
    asked = {"isTestOperation": tests, "isRepairOperation": repairs, "isWipOperation": wip}
    kinds = [kind for kind, wanted in asked.items() if wanted]
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


async def _row(state: State, report_id: UUID) -> sqlite3.Row | None:
    return await state.run(lambda connection: state.reports.get(connection, str(report_id)))


def file_response(content: bytes, content_type: str, name: str) -> Response:
    """A file to be saved, under its name and never run."""
    # What a stranger called its kind is not put into a header unless it looks like one.
    kind = content_type if _is_media_type(content_type) else "application/octet-stream"
    return Response(
        content,
        media_type=kind,
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _is_media_type(text: str) -> bool:
    return text.isascii() and text.isprintable() and text.count("/") == 1
