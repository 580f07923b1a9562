"""``/api/Production``, what is internal beside it, and the rules that an administrator sets elsewhere."""

import sqlite3
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pywats_api.server.documents import Refused, parse_json
from pywats_api.server.headers import whole_number
from pywats_api.server.production_verification import verify
from pywats_api.server.requests import not_found, off_loop_if_long, read_body, read_object
from pywats_api.server.state import state_of
from pywats_api.unit_phases import PHASE_NAMES

router = APIRouter()


@router.get("/api/Production/Unit/{serial}")
@router.get("/api/Production/Unit/{serial}/{part}")
async def get_unit(request: Request, serial: str, part: str = "") -> Response:
    """A unit with the units built into it."""
    return await _unit(request, serial, part)


@router.get("/api/internal/Production/GetUnit")
async def get_unit_internal(request: Request) -> Response:
    """The same for keys that cannot travel in a path."""
    return _shut(request) or await _unit(request, *_unit_keys(request))


@router.put("/api/Production/Units")
async def put_units(request: Request) -> Response:
    """Create or update units: the units, or how many were not taken."""
    state = state_of(request)
    body = await read_body(request)
    wanted = await off_loop_if_long(body, parse_json, body)
    if not isinstance(wanted, list):
        raise Refused("The body is not a JSON array of units.")

    def work(connection: sqlite3.Connection) -> tuple[list[dict[str, Any]], list[str]]:
        stored: list[dict[str, Any]] = []
        reasons: list[str] = []
        for number, unit in enumerate(wanted):
            try:
                stored.append(state.production.put(connection, unit))
            except Refused as error:
                reasons.append(f"[{number}].{error}")
        return stored, reasons

    stored, reasons = await state.run(work)
    if reasons:
        counters = {"updateCount": len(stored), "errorCount": len(reasons), "messages": reasons[:10]}
        return JSONResponse(counters)
    return JSONResponse(stored)


@router.get("/api/Production/UnitVerification")
async def get_verification(request: Request) -> Response:
    """How a unit stands against the rule of its product."""
    state = state_of(request)
    serial, part = _unit_keys(request)

    def work(connection: sqlite3.Connection) -> dict[str, Any]:
        known_part, operations = state.production.rule_of(connection, serial, part)
        return verify(connection, serial, known_part, operations)

    return JSONResponse(await state.run(work))


@router.put("/api/Production/SetUnitPhase")
async def set_phase(request: Request) -> Response:
    """Put a unit into a phase."""
    state = state_of(request)
    serial, part = _unit_keys(request)
    if "phase" not in request.query_params:
        raise Refused("phase is required in the query.")
    phase = whole_number(request.query_params, "phase", 0)
    return await _changed(
        request, serial, lambda connection: state.production.set_phase(connection, serial, part, phase)
    )


@router.put("/api/Production/SetUnitProcess")
async def set_process(request: Request) -> Response:
    """Put a unit into an operation, by name."""
    state = state_of(request)
    serial, part = _unit_keys(request)
    name = request.query_params.get("processName")
    if not name:
        raise Refused("processName is required in the query.")
    return await _changed(
        request, serial, lambda connection: state.production.set_process(connection, serial, part, name)
    )


@router.get("/api/internal/Mes/GetUnitPhases")
async def get_phases(request: Request) -> Response:
    """All phases."""
    return _shut(request) or JSONResponse(
        [
            {"UnitPhaseId": int(phase), "Code": name.replace(" ", "_"), "Name": name, "Description": ""}
            for phase, name in PHASE_NAMES.items()
        ]
    )


@router.get("/local/verification-rules")
async def get_rules(request: Request) -> Response:
    """All verification rules: part number -> codes of test operations, in order."""
    state = state_of(request)
    return JSONResponse(await state.run(state.production.rules))


@router.put("/local/verification-rules")
async def put_rule(request: Request) -> Response:
    """Set the rule of one product: ``{"partNumber": "P1", "processes": [30, 60]}``."""
    state = state_of(request)
    rule = await read_object(request)
    part, codes = rule.get("partNumber"), rule.get("processes")
    if not isinstance(part, str) or not part.strip():
        raise Refused("partNumber: required, and a text.")
    if not isinstance(codes, list) or any(type(code) is not int for code in codes):
        raise Refused("processes: required, and a list of codes.")
    await state.run(lambda connection: state.production.set_rule(connection, part, codes))
    return Response(status_code=204)


@router.delete("/local/verification-rules")
async def forget_rules(request: Request) -> Response:
    """Forget all verification rules."""
    state = state_of(request)
    await state.run(state.production.forget_rules)
    return Response(status_code=204)


async def _unit(request: Request, serial: str, part: str) -> Response:
    state = state_of(request)
    unit = await state.run(lambda connection: state.production.tree(connection, serial, part))
    return not_found(f"Unit {serial}") if unit is None else JSONResponse(unit)


async def _changed(request: Request, serial: str, job: Callable[[sqlite3.Connection], bool]) -> Response:
    known = await state_of(request).run(job)
    return Response(status_code=200) if known else not_found(f"Unit {serial}")


def _unit_keys(request: Request) -> tuple[str, str]:
    """The serial number, and the part number, which may be empty but not left out."""
    serial, part = (request.query_params.get(name) for name in ("serialNumber", "partNumber"))
    if not serial:
        raise Refused("serialNumber is required in the query.")
    if part is None:
        raise Refused("partNumber is required in the query; it may be empty.")
    return serial, part


def _shut(request: Request) -> Response | None:
    """403 unless the server's own address is the Referer: internal routes are for its own pages."""
    if request.headers.get("referer", "").rstrip("/") == str(request.base_url).rstrip("/"):
        return None
    return JSONResponse({"Message": "Forbidden."}, status_code=403)
