"""Reading what a request carries, and answering what cannot be read."""

import asyncio
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from fastapi import Depends
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse

from pywats_api.server.documents import Refused, parse_json
from pywats_api.server.state import state_of

MAX_BODY_BYTES = 30 * 1024 * 1024
_LONG_BODY_BYTES = 256 * 1024
_P = ParamSpec("_P")
_R = TypeVar("_R")


class TooLarge(Exception):  # noqa: N818  # the sender's doing, not an error of the server
    """The server answers 413."""


class Forbidden(Exception):  # noqa: N818  # the sender's doing, not an error of the server
    """The server answers 403."""


def _from_own_pages(request: Request) -> None:
    if request.headers.get("referer", "").rstrip("/") != str(request.base_url).rstrip("/"):
        raise Forbidden


# For routes below /api/internal: the server's own address has to be the Referer.
INTERNAL = Depends(_from_own_pages)


async def read_body(request: Request) -> bytes:
    """The body, read to its end even if it is too large: who still sends does not hear an answer."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= MAX_BODY_BYTES:
            chunks.append(chunk)
        else:
            chunks.clear()
    if size > MAX_BODY_BYTES:
        raise TooLarge
    return b"".join(chunks)


async def read_object(request: Request) -> dict[str, Any]:
    """The JSON object in the body."""
    body = await read_body(request)
    document = await off_loop_if_long(body, parse_json, body)
    if not isinstance(document, dict):
        raise Refused("The body is not a JSON object.")
    return document


async def off_loop_if_long(
    body: bytes, work: Callable[_P, _R], *arguments: _P.args, **options: _P.kwargs
) -> _R:
    """Do `work` in a thread if the body is long enough to hold the event loop up."""
    if len(body) > _LONG_BODY_BYTES:
        return await asyncio.to_thread(work, *arguments, **options)
    return work(*arguments, **options)


async def answer_refused(request: Request, error: Exception) -> JSONResponse:
    """400 with the reason."""
    state_of(request).refused += 1
    return JSONResponse({"Message": str(error)}, status_code=400)


async def answer_bad_query(request: Request, error: Exception) -> JSONResponse:
    """400 for a path or query that a route's signature does not allow, with the name of what is wrong."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for no other
    first = error.errors()[0]
    place, *name = first["loc"]
    what = ".".join(map(str, name))
    if first["type"] == "missing":
        return await answer_refused(request, Refused(f"{what} is required in the {place}."))
    return await answer_refused(request, Refused(f"{what}: {first['msg']}."))


async def answer_too_large(_: Request, __: Exception) -> JSONResponse:
    """413 with the limit."""
    return JSONResponse(
        {"Message": f"The body is larger than {MAX_BODY_BYTES // 1024 // 1024} MB."}, status_code=413
    )


async def answer_forbidden(_: Request, __: Exception) -> JSONResponse:
    """403: what is internal is for the server's own pages."""
    return JSONResponse({"Message": "Forbidden."}, status_code=403)


def not_found(what: str) -> JSONResponse:
    """404 for a thing."""
    return JSONResponse({"Message": f"{what} does not exist."}, status_code=404)


async def answer_gone(_: Request, __: Exception) -> JSONResponse:
    """Nobody hears it: the sender went away in the middle of its body. Nothing was stored."""
    return JSONResponse({"Message": "The request was not complete."}, status_code=400)
