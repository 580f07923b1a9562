"""``/api/Asset``. Fixed paths come before the one that takes any key."""

import sqlite3
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pywats_api.server import asset_documents as documents
from pywats_api.server import asset_upkeep as upkeep
from pywats_api.server.asset_fields import MAX_TEXT, flag_of, text_of
from pywats_api.server.asset_store import MESSAGE, shown
from pywats_api.server.documents import Refused
from pywats_api.server.headers import whole_number
from pywats_api.server.requests import not_found, read_object
from pywats_api.server.state import state_of

router = APIRouter()


@router.get("/api/Asset", openapi_extra=documents.described(*documents.ODATA))
async def query_assets(request: Request) -> Response:
    """Look assets up."""
    return await _query(request, "assets")


@router.put("/api/Asset", openapi_extra=documents.described(body=documents.ASSET))
async def put_asset(request: Request) -> Response:
    """Create or update an asset. Counts and dates are not taken here."""
    state = state_of(request)
    asset = await read_object(request)
    return JSONResponse(await state.run(lambda connection: shown(state.assets.put(connection, asset))))


@router.delete("/api/Asset", openapi_extra=documents.described(*documents.KEY))
async def delete_asset(request: Request) -> Response:
    """Delete an asset with its log; what lies below it moves up."""

    def delete(connection: sqlite3.Connection, asset: dict[str, Any]) -> None:
        state_of(request).assets.delete(connection, asset)

    return await _with_asset(request, delete)


@router.get("/api/Asset/Types", openapi_extra=documents.described(*documents.ODATA))
async def query_types(request: Request) -> Response:
    """Look asset types up."""
    return await _query(request, "asset_types")


@router.put("/api/Asset/Types", openapi_extra=documents.described(body=documents.ASSET_TYPE))
async def put_type(request: Request) -> Response:
    """Create or update an asset type."""
    state = state_of(request)
    asset_type = await read_object(request)
    return JSONResponse(await state.run(lambda connection: state.assets.put_type(connection, asset_type)))


@router.get("/api/Asset/Log", openapi_extra=documents.described(*documents.ODATA))
async def query_log(request: Request) -> Response:
    """Look log lines up, newest first."""
    return await _query(request, "asset_log")


@router.post(
    "/api/Asset/Message",
    openapi_extra=documents.described(*documents.KEY, documents.CULTURE, body=documents.MESSAGE),
)
async def post_message(request: Request) -> Response:
    """Write a line into an asset's log: the asset in the query, the text in the body."""
    text = text_of(await read_object(request), "content", MAX_TEXT, required=True)

    def write(connection: sqlite3.Connection, asset: dict[str, Any]) -> None:
        state_of(request).assets.log(connection, asset, MESSAGE, str(text))

    return await _with_asset(request, write)


@router.get(
    "/api/Asset/Status",
    openapi_extra=documents.described(*documents.KEY, documents.TRANSLATE, documents.CULTURE),
)
async def get_status(request: Request) -> Response:
    """How an asset stands against the limits of its type."""
    state = state_of(request)
    key, by_id = _named(request)
    translate = flag_of(request.query_params, "translate", default=True)

    def evaluate(connection: sqlite3.Connection) -> dict[str, Any]:
        asset = state.assets.named(connection, key, by_id=by_id)
        return upkeep.evaluate(state.assets, connection, asset, key, translate=translate)

    return JSONResponse(await state.run(evaluate))


@router.put("/api/Asset/State", openapi_extra=documents.described(*documents.KEY, documents.STATE))
async def set_state(request: Request) -> Response:
    """Put an asset into a state."""
    return await _change(request, upkeep.set_state)


@router.put(
    "/api/Asset/Count",
    openapi_extra=documents.described(*documents.KEY, *documents.COUNT, documents.CULTURE),
)
async def count(request: Request) -> Response:
    """Raise running and total count."""
    return await _change(request, upkeep.count)


@router.post(
    "/api/Asset/ResetRunningCount", openapi_extra=documents.described(*documents.KEY, documents.COMMENT)
)
async def reset_running_count(request: Request) -> Response:
    """Set the running count to 0."""
    return await _change(request, upkeep.reset_running_count)


@router.put(
    "/api/Asset/SetRunningCount", openapi_extra=documents.described(*documents.KEY, documents.RUNNING_COUNT)
)
async def set_running_count(request: Request) -> Response:
    """Set the running count."""
    return await _change(request, upkeep.set_count("runningCount"))


@router.put(
    "/api/Asset/SetTotalCount", openapi_extra=documents.described(*documents.KEY, documents.TOTAL_COUNT)
)
async def set_total_count(request: Request) -> Response:
    """Set the total count."""
    return await _change(request, upkeep.set_count("totalCount"))


@router.post(
    "/api/Asset/Calibration",
    openapi_extra=documents.described(*documents.KEY, documents.MOMENT, documents.COMMENT),
)
async def calibrated(request: Request) -> Response:
    """Record a calibration; the next one is due after the interval of the type."""
    return await _change(request, upkeep.serviced("Calibration", external=False))


@router.post(
    "/api/Asset/Calibration/External",
    openapi_extra=documents.described(*documents.KEY, *documents.SPAN, documents.COMMENT),
)
async def calibrated_elsewhere(request: Request) -> Response:
    """Record a calibration that another system keeps."""
    return await _change(request, upkeep.serviced("Calibration", external=True))


@router.post(
    "/api/Asset/Maintenance",
    openapi_extra=documents.described(*documents.KEY, documents.MOMENT, documents.COMMENT),
)
async def maintained(request: Request) -> Response:
    """Record a maintenance; the next one is due after the interval of the type."""
    return await _change(request, upkeep.serviced("Maintenance", external=False))


@router.post(
    "/api/Asset/Maintenance/External",
    openapi_extra=documents.described(*documents.KEY, *documents.SPAN, documents.COMMENT),
)
async def maintained_elsewhere(request: Request) -> Response:
    """Record a maintenance that another system keeps."""
    return await _change(request, upkeep.serviced("Maintenance", external=True))


@router.get("/api/Asset/SubAssets", openapi_extra=documents.described(*documents.KEY, documents.LEVEL))
async def sub_assets(request: Request) -> Response:
    """Assets below an asset."""
    state = state_of(request)
    level = whole_number(request.query_params, "level", 0)

    def below(connection: sqlite3.Connection, asset: dict[str, Any]) -> list[dict[str, Any]]:
        return [shown(child) for child in state.assets.below(connection, asset["assetId"], level=level)]

    return await _with_asset(request, below)


@router.get("/api/Asset/{key}", openapi_extra={"responses": documents.described()["responses"]})
async def get_asset(request: Request, key: str) -> Response:
    """The asset with this id or serial number."""
    state = state_of(request)
    asset = await state.run(lambda connection: state.assets.get(connection, key))
    return not_found(f"Asset {key}") if asset is None else JSONResponse(shown(asset))


async def _query(request: Request, table: str) -> Response:
    state = state_of(request)
    options = dict(request.query_params)
    return JSONResponse(await state.run(lambda connection: state.assets.query(connection, table, options)))


async def _change(request: Request, change: upkeep.Change) -> Response:
    """Make a change of an asset's condition that the query describes; the answer is the asset after it."""
    state = state_of(request)
    options = dict(request.query_params)

    def apply(connection: sqlite3.Connection, asset: dict[str, Any]) -> dict[str, Any]:
        change(state.assets, connection, asset, options)
        return shown(asset)

    return await _with_asset(request, apply)


async def _with_asset(
    request: Request, work: Callable[[sqlite3.Connection, dict[str, Any]], Any]
) -> Response:
    """Do `work` with the asset that the query names; 404 if there is none."""
    state = state_of(request)
    key, by_id = _named(request)

    def run(connection: sqlite3.Connection) -> tuple[bool, Any]:
        asset = state.assets.named(connection, key, by_id=by_id)
        return (False, None) if asset is None else (True, work(connection, asset))

    found, answer = await state.run(run)
    if not found:
        return not_found(f"Asset {key}")
    return Response(status_code=200) if answer is None else JSONResponse(answer)


def _named(request: Request) -> tuple[str, bool]:
    """The key in the query, and whether it is the id."""
    options = request.query_params
    given = [(key, name == "id") for name in ("id", "serialNumber") if (key := options.get(name))]
    if len(given) != 1:
        raise Refused("id or serialNumber: one of the two is required in the query.")
    return given[0]
