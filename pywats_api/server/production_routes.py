"""``/api/Production``: units, and what is internal beside it."""

import sqlite3
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pywats_api.server.bodies import checked, read_many, read_one, takes
from pywats_api.server.documents import Refused
from pywats_api.server.production_bodies import BatchBody, RuleBody, UnitBody
from pywats_api.server.production_verification import verify
from pywats_api.server.requests import INTERNAL, not_found
from pywats_api.server.state import state_of
from pywats_api.unit_phases import PHASE_NAMES

router = APIRouter()

Serial = Annotated[str, Query(alias="serialNumber", min_length=1, max_length=100)]
# Required by WATS, though it may be empty where serial numbers are unique over all products.
Part = Annotated[str, Query(alias="partNumber", max_length=100)]
ParentSerial = Annotated[str, Query(alias="parentSerialNumber", min_length=1, max_length=100)]
ParentPart = Annotated[str, Query(alias="parentPartNumber", max_length=100)]
ChildSerial = Annotated[str, Query(alias="childSerialNumber", min_length=1, max_length=100)]
ChildPart = Annotated[str, Query(alias="childPartNumber", max_length=100)]


@router.get("/api/Production/Unit/{serial}")
@router.get("/api/Production/Unit/{serial}/{part}")
async def get_unit(request: Request, serial: str, part: str = "") -> Response:
    """A unit with the units built into it."""
    return await _unit(request, serial, part)


@router.get("/api/internal/Production/GetUnit", dependencies=[INTERNAL])
async def get_unit_internal(request: Request, serial: Serial, part: Part) -> Response:
    """The same for keys that cannot travel in a path."""
    return await _unit(request, serial, part)


@router.put("/api/Production/Units", openapi_extra=takes(UnitBody, many=True))
async def put_units(request: Request) -> Response:
    """Create or update units: the units, or how many were not taken."""
    state = state_of(request)
    wanted = await read_many(request)

    def work(connection: sqlite3.Connection) -> tuple[list[dict[str, Any]], list[str]]:
        stored: list[dict[str, Any]] = []
        reasons: list[str] = []
        for number, unit in enumerate(wanted):
            try:
                stored.append(state.production.put(connection, checked(unit, UnitBody).members()))
            except Refused as error:
                reasons.append(f"[{number}].{error}")
        return stored, reasons

    stored, reasons = await state.run(work)
    if reasons:
        counters = {"updateCount": len(stored), "errorCount": len(reasons), "messages": reasons[:10]}
        return JSONResponse(counters)
    return JSONResponse(stored)


@router.get("/api/Production/UnitVerification")
async def get_verification(request: Request, serial: Serial, part: Part) -> Response:
    """How a unit stands against the rule of its product."""
    state = state_of(request)

    def work(connection: sqlite3.Connection) -> dict[str, Any]:
        known_part = part or state.production.only_part(connection, serial)
        return verify(connection, serial, known_part, state.rules.of(connection, known_part))

    return JSONResponse(await state.run(work))


@router.put("/api/Production/SetUnitPhase")
async def set_phase(
    request: Request, serial: Serial, part: Part, phase: Annotated[int, Query(ge=0, le=2**31 - 1)]
) -> Response:
    """Put a unit into a phase."""
    state = state_of(request)
    return await _changed(
        request, serial, lambda connection: state.production.set_phase(connection, serial, part, phase)
    )


@router.put("/api/Production/SetUnitProcess")
async def set_process(
    request: Request,
    serial: Serial,
    part: Part,
    name: Annotated[str, Query(alias="processName", max_length=100)],
) -> Response:
    """Put a unit into an operation, by name. An empty one takes it out of any; WATS may not do that."""
    state = state_of(request)
    return await _changed(
        request, serial, lambda connection: state.production.set_process(connection, serial, part, name)
    )


@router.post("/api/Production/AddChildUnit")
async def add_child(
    request: Request,
    *,
    parent_serial: ParentSerial,
    parent_part: ParentPart,
    child_serial: ChildSerial,
    child_part: ChildPart,
    check_part: Annotated[str, Query(alias="checkPartNumber", max_length=100)],
    check_revision: Annotated[str, Query(alias="checkRevision", max_length=100)],
) -> Response:
    """Build a unit into another."""
    assembler = state_of(request).assembler

    def work(connection: sqlite3.Connection, parent: dict[str, Any], child: dict[str, Any]) -> None:
        assembler.add(connection, parent, child, check_part=check_part, check_revision=check_revision)

    return await _with_both(request, (parent_serial, parent_part), (child_serial, child_part), work)


@router.post("/api/Production/RemoveChildUnit")
async def remove_child(
    request: Request,
    parent_serial: ParentSerial,
    parent_part: ParentPart,
    child_serial: ChildSerial,
    child_part: ChildPart,
) -> Response:
    """Take a unit out of another."""
    assembler = state_of(request).assembler
    return await _with_both(
        request, (parent_serial, parent_part), (child_serial, child_part), assembler.remove
    )


@router.get("/api/Production/CheckChildUnits")
async def check_children(request: Request, serial: ParentSerial, part: ParentPart) -> Response:
    """How the children of a unit stand against its box build. The shape is made up: nobody wrote it down."""
    state = state_of(request)

    def work(connection: sqlite3.Connection) -> dict[str, Any] | None:
        parent = state.production.find(connection, serial, part)
        return None if parent is None else state.assembler.check(connection, parent)

    found = await state.run(work)
    return not_found(f"Unit {serial}") if found is None else JSONResponse(found)


@router.get("/api/Production/Units/Changes")
async def get_changes(
    request: Request, count: Annotated[int, Query(alias="maxCount", ge=1, le=10_000)]
) -> Response:
    """Changes of units that nobody acknowledged, the oldest first."""
    state = state_of(request)
    return JSONResponse(await state.run(lambda connection: state.production.changes(connection, count)))


@router.delete("/api/Production/Units/Changes/{change_id}")
async def acknowledge(request: Request, change_id: str) -> Response:
    """Take a change out of the queue."""
    state = state_of(request)
    number = int(change_id) if change_id.isdecimal() and len(change_id) < 19 else -1  # noqa: PLR2004  # what SQLite can hold
    known = await state.run(lambda connection: state.production.acknowledge(connection, number))
    return Response(status_code=200) if known else not_found(f"Change {change_id[:50]}")


@router.put("/api/Production/Batches", openapi_extra=takes(BatchBody, many=True))
async def put_batches(request: Request) -> Response:
    """Create or update batches."""
    state = state_of(request)
    wanted = [checked(one, BatchBody).members() for one in await read_many(request)]
    await state.run(lambda connection: state.production.put_batches(connection, wanted))
    return Response(status_code=200)


@router.get("/api/internal/Mes/GetUnitPhases", dependencies=[INTERNAL])
async def get_phases() -> Response:
    """All phases."""
    return JSONResponse(
        [
            {
                "UnitPhaseId": int(phase),
                "Code": name.replace(" ", "_"),
                "Name": name,
                "Description": "",
                "PhaseFlags": int(phase),
            }
            for phase, name in PHASE_NAMES.items()
        ]
    )


@router.get("/local/batches")
async def get_batches(request: Request) -> Response:
    """All batches, which WATS itself does not give back."""
    state = state_of(request)
    return JSONResponse(await state.run(state.production.batches))


@router.get("/local/verification-rules")
async def get_rules(request: Request) -> Response:
    """All verification rules: part number -> codes of test operations, in order."""
    state = state_of(request)
    return JSONResponse(await state.run(state.rules.all))


@router.put("/local/verification-rules", openapi_extra=takes(RuleBody))
async def put_rule(request: Request) -> Response:
    """Set the rule of one product: ``{"partNumber": "P1", "processes": [30, 60]}``."""
    state = state_of(request)
    rule = await read_one(request, RuleBody)
    await state.run(lambda connection: state.rules.put(connection, rule.part_number, rule.processes))
    return Response(status_code=204)


@router.delete("/local/verification-rules")
async def forget_rules(request: Request) -> Response:
    """Forget all verification rules."""
    state = state_of(request)
    await state.run(state.rules.forget)
    return Response(status_code=204)


async def _unit(request: Request, serial: str, part: str) -> Response:
    state = state_of(request)
    unit = await state.run(lambda connection: state.production.tree(connection, serial, part))
    return not_found(f"Unit {serial}") if unit is None else JSONResponse(unit)


async def _changed(request: Request, serial: str, job: Callable[[sqlite3.Connection], bool]) -> Response:
    known = await state_of(request).run(job)
    return Response(status_code=200) if known else not_found(f"Unit {serial}")


async def _with_both(
    request: Request,
    parent: tuple[str, str],
    child: tuple[str, str],
    job: Callable[[sqlite3.Connection, dict[str, Any], dict[str, Any]], None],
) -> Response:
    state = state_of(request)

    def work(connection: sqlite3.Connection) -> str | None:
        found = [state.production.find(connection, *keys) for keys in (parent, child)]
        if found[0] is None or found[1] is None:
            return parent[0] if found[0] is None else child[0]
        job(connection, found[0], found[1])
        return None

    unknown = await state.run(work)
    return Response(status_code=200) if unknown is None else not_found(f"Unit {unknown}")
