"""``/local``: what a test needs to see and turn, and no WATS offers."""

from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pywats_api.server.documents import Refused
from pywats_api.server.headers import whole_number
from pywats_api.server.knobs import Knobs
from pywats_api.server.report_store import as_received
from pywats_api.server.requests import not_found, read_object
from pywats_api.server.state import state_of

_DEFAULT_TOP = 1000

router = APIRouter(prefix="/local")


@router.get("/counts")
async def counts(request: Request) -> Response:
    """Reports stored, quarantined, received in all, overwritten under another id; requests refused."""
    state = state_of(request)
    found: dict[str, Any] = await state.run(state.reports.counts)
    return JSONResponse(found | {"refused": state.refused})


@router.get("/reports")
async def reports(request: Request) -> Response:
    """Reports as they came, newest first, quarantined ones included."""
    return await _received(request, quarantined=None)


@router.get("/quarantine")
async def quarantine(request: Request) -> Response:
    """Reports that were accepted and never processed."""
    return await _received(request, quarantined=True)


@router.get("/reports/{report_id}")
async def report(request: Request, report_id: str) -> Response:
    """One report as it came."""
    state = state_of(request)
    row = await state.run(
        lambda connection: state.reports.get(connection, report_id.lower(), also_quarantined=True)
    )
    return not_found(f"Report {report_id}") if row is None else JSONResponse(as_received(row))


@router.delete("/reports")
async def forget_reports(request: Request) -> Response:
    """Forget all reports and counts."""
    state = state_of(request)
    await state.run(state.reports.clear)
    state.refused = 0
    return Response(status_code=204)


@router.get("/fail-codes")
async def fail_codes(request: Request) -> Response:
    """Categories and codes that a repair report may use."""
    return JSONResponse({category: sorted(codes) for category, codes in state_of(request).fail_codes.items()})


@router.get("/knobs")
async def get_knobs(request: Request) -> Response:
    """All knobs."""
    return JSONResponse(state_of(request).knobs.model_dump(mode="json"))


@router.patch("/knobs")
async def turn_knobs(request: Request) -> Response:
    """Turn the knobs named in the body, leave the others."""
    knobs = state_of(request).knobs
    wanted = await read_object(request)
    try:
        checked = Knobs.model_validate(knobs.model_dump() | wanted)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Refused(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    for name in wanted:
        setattr(knobs, name, getattr(checked, name))
    return JSONResponse(knobs.model_dump(mode="json"))


@router.delete("/knobs")
async def reset_knobs(request: Request) -> Response:
    """Turn all knobs back."""
    state_of(request).knobs.reset()
    return Response(status_code=204)


async def _received(request: Request, *, quarantined: bool | None) -> Response:
    state = state_of(request)
    top = whole_number(request.query_params, "top", _DEFAULT_TOP)
    skip = whole_number(request.query_params, "skip", 0)
    rows = await state.run(
        lambda connection: state.reports.newest(connection, top, skip, quarantined=quarantined)
    )
    return JSONResponse([as_received(row) for row in rows])
