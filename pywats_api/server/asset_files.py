"""``/api/internal/Blob``: files kept with assets."""

import sqlite3
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pywats_api.server import asset_documents as documents
from pywats_api.server.documents import Refused, parse_json
from pywats_api.server.requests import INTERNAL, not_found, read_body
from pywats_api.server.state import state_of

_MAX_NAME = 255
_BYTES = "application/octet-stream"

router = APIRouter(dependencies=[INTERNAL])


@router.post(
    "/api/internal/Blob/Asset",
    openapi_extra=documents.described(
        documents.BLOB_OWNER,
        documents.BLOB_NAME,
        body={"type": "string", "format": "binary"},
        content_type=_BYTES,
    ),
)
async def upload(request: Request) -> Response:
    """Keep a file, in place of one with the same name."""
    content = await read_body(request)
    name = _file_name(request)

    def keep(connection: sqlite3.Connection, asset: dict[str, Any]) -> Response:
        connection.execute(
            "INSERT OR REPLACE INTO asset_files VALUES (?, ?, ?, ?)",
            (asset["assetId"], name, content, state_of(request).now().isoformat()),
        )
        return Response(status_code=200)

    return await _with_owner(request, request.query_params.get("assetId"), keep)


@router.get(
    "/api/internal/Blob/Asset", openapi_extra=documents.described(documents.BLOB_OWNER, documents.BLOB_NAME)
)
async def download(request: Request) -> Response:
    """The content of a file."""
    name = _file_name(request)

    def find(connection: sqlite3.Connection, asset: dict[str, Any]) -> Response:
        row = connection.execute(
            "SELECT content FROM asset_files WHERE asset_id = ? AND filename = ?", (asset["assetId"], name)
        ).fetchone()
        if row is None:
            return not_found(f"File {name[:100]!r} of asset {asset['assetId']}")
        # Whatever was uploaded is handed out as bytes to save, never as a page of this server.
        headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
        return Response(row["content"], media_type=_BYTES, headers=headers)

    return await _with_owner(request, request.query_params.get("assetId"), find)


@router.get(
    "/api/internal/Blob/Asset/List/{asset_id}",
    openapi_extra={"responses": documents.described()["responses"]},
)
async def list_files(request: Request, asset_id: str) -> Response:
    """Names, sizes and dates of the files of an asset."""

    def find(connection: sqlite3.Connection, asset: dict[str, Any]) -> Response:
        return JSONResponse(files_of(connection, asset["assetId"]))

    return await _with_owner(request, asset_id, find)


@router.delete(
    "/api/internal/Blob/Assets",
    openapi_extra=documents.described(documents.BLOB_OWNER, body=documents.FILE_NAMES),
)
async def delete(request: Request) -> Response:
    """Delete the files that the body names; names of no file are passed over."""
    names = parse_json(await read_body(request))
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refused("The body is not a JSON array of file names.")

    def forget(connection: sqlite3.Connection, asset: dict[str, Any]) -> Response:
        connection.executemany(
            "DELETE FROM asset_files WHERE asset_id = ? AND filename = ?",
            [(asset["assetId"], name) for name in names],
        )
        return Response(status_code=200)

    return await _with_owner(request, request.query_params.get("assetId"), forget)


def files_of(connection: sqlite3.Connection, asset_id: str) -> list[dict[str, Any]]:
    """Names, sizes and dates of the files of an asset, by name."""
    rows = connection.execute(
        "SELECT filename AS FileName, length(content) AS Size, uploaded AS Uploaded FROM asset_files"
        " WHERE asset_id = ? ORDER BY filename",
        (asset_id,),
    )
    return [dict(row) for row in rows]


async def _with_owner(
    request: Request, asset_id: str | None, work: Callable[[sqlite3.Connection, dict[str, Any]], Response]
) -> Response:
    """Do `work` with the asset that owns the files; 404 if there is none."""
    if not asset_id:
        raise Refused("assetId: required in the query.")
    state = state_of(request)

    def run(connection: sqlite3.Connection) -> Response:
        asset = state.assets.named(connection, asset_id, by_id=True)
        return not_found(f"Asset {asset_id[:100]}") if asset is None else work(connection, asset)

    return await state.run(run)


def _file_name(request: Request) -> str:
    name = request.query_params.get("filename", "")
    if not name.strip() or "/" in name or "\\" in name or len(name) > _MAX_NAME:
        raise Refused(f"filename: required in the query, without a folder, {_MAX_NAME} characters.")
    return name
