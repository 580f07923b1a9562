"""The local server as an ASGI application."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from pywats_api.server import (
    asset_files,
    asset_pages,
    asset_routes,
    local_routes,
    pages,
    process_routes,
    product_pages,
    product_routes,
    production_pages,
    production_routes,
    production_serial_routes,
    report_routes,
    root_cause_pages,
    root_cause_routes,
)
from pywats_api.server.documents import Refused
from pywats_api.server.gate import Gate
from pywats_api.server.knobs import Knobs
from pywats_api.server.processes import DEFAULT_PROCESSES, FAIL_CODES
from pywats_api.server.requests import (
    Forbidden,
    TooLarge,
    answer_bad_query,
    answer_forbidden,
    answer_gone,
    answer_refused,
    answer_too_large,
)
from pywats_api.server.state import State

_ROUTERS = tuple(
    module.router
    for module in (
        report_routes,
        root_cause_routes,
        product_pages,
        production_pages,
        root_cause_pages,
        asset_routes,
        asset_files,
        process_routes,
        product_routes,
        production_routes,
        production_serial_routes,
        local_routes,
        pages,
        asset_pages,
    )
)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(
    db_path: Path | str,
    *,
    token: str | None = None,
    knobs: Knobs | None = None,
    processes: Iterable[Mapping[str, Any]] = DEFAULT_PROCESSES,
    fail_codes: Mapping[str, frozenset[str]] = FAIL_CODES,
    now: Callable[[], datetime] = _utc_now,
) -> FastAPI:
    """Make a local WATS.

    Args:
        db_path: SQLite file, made if it is missing.
        token: the only one that is accepted; None accepts any.
        knobs: how it shall misbehave.
        processes: the account's operations, made by `process`.
        fail_codes: category -> codes that repairs may use.
        now: the server's clock, which decides what lies in the future.
    """
    state = State(db_path, knobs=knobs or Knobs(), processes=processes, fail_codes=fail_codes, now=now)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await state.open()
        try:
            yield
        finally:
            await state.close()

    app = FastAPI(title="Local WATS", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.wats = state
    app.add_middleware(Gate, knobs=state.knobs, token=token, routes=_fixed_parts())
    app.add_exception_handler(Refused, answer_refused)
    app.add_exception_handler(RequestValidationError, answer_bad_query)
    app.add_exception_handler(Forbidden, answer_forbidden)
    app.add_exception_handler(TooLarge, answer_too_large)
    app.add_exception_handler(ClientDisconnect, answer_gone)
    app.add_exception_handler(Exception, _answer_failed)
    for router in _ROUTERS:
        app.include_router(router)
    return app


def _fixed_parts() -> list[str]:
    """The paths of all routes, as far as they are the same in each request."""
    return [
        route.path.partition("/{")[0]
        for router in _ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
    ]


async def _answer_failed(_: Request, __: Exception) -> JSONResponse:
    return JSONResponse({"Message": "An error has occurred."}, status_code=500)
