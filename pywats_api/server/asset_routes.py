"""``/api/Asset``. Fixed paths come before the one that takes any key."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pywats_api.server.documents import Refused
from pywats_api.server.requests import not_found, read_object
from pywats_api.server.state import state_of

router = APIRouter()


@router.get("/api/Asset")
async def query_assets(request: Request) -> Response:
    """Look assets up."""
    return await _query(request, "assets")


@router.put("/api/Asset")
async def put_asset(request: Request) -> Response:
    """Create or update an asset."""
    state = state_of(request)
    asset = await read_object(request)
    return JSONResponse(await state.run(lambda connection: state.assets.put(connection, asset)))


@router.get("/api/Asset/Types")
async def query_types(request: Request) -> Response:
    """Look asset types up."""
    return await _query(request, "asset_types")


@router.put("/api/Asset/Types")
async def put_type(request: Request) -> Response:
    """Create or update an asset type."""
    state = state_of(request)
    asset_type = await read_object(request)
    return JSONResponse(await state.run(lambda connection: state.assets.put_type(connection, asset_type)))


@router.get("/api/Asset/Log")
async def query_log(request: Request) -> Response:
    """Look log lines up, newest first."""
    return await _query(request, "asset_log")


@router.post("/api/Asset/Message")
async def post_message(request: Request) -> Response:
    """Write a line into an asset's log: the asset in the query, the text in the body."""
    state = state_of(request)
    options = request.query_params
    keys = [value for name in ("id", "serialNumber") if (value := options.get(name))]
    if not keys:
        raise Refused("id or serialNumber is required in the query.")
    text = (await read_object(request)).get("content")
    if not isinstance(text, str) or not text.strip():
        raise Refused("content: required, and a text.")
    entry = await state.run(lambda connection: state.assets.post_message(connection, keys[0], text))
    return not_found(f"Asset {keys[0]}") if entry is None else Response(status_code=200)


@router.get("/api/Asset/{key}")
async def get_asset(request: Request, key: str) -> Response:
    """The asset with this id or serial number."""
    state = state_of(request)
    asset = await state.run(lambda connection: state.assets.get(connection, key))
    return not_found(f"Asset {key}") if asset is None else JSONResponse(asset)


async def _query(request: Request, what: str) -> Response:
    state = state_of(request)
    options = dict(request.query_params)
    return JSONResponse(await state.run(lambda connection: state.assets.query(connection, what, options)))
