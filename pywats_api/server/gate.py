"""What stands before every ``/api`` request: the knobs, then the token."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from starlette.responses import JSONResponse

from pywats_api.server.knobs import Knobs

_Scope = MutableMapping[str, Any]
_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


class Gate:
    """ASGI middleware: lets a request through, fails it as the knobs say, or refuses its token."""

    def __init__(self, app: _App, *, knobs: Knobs, token: str | None, routes: Iterable[str]) -> None:
        self._app = app
        # Matched in any case, as the real server does; values in a path keep theirs. Longest first.
        self._routes = sorted(set(routes), key=len, reverse=True)
        self._knobs = knobs
        self._token = token

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].lower().startswith("/api/"):
            await self._app(scope, receive, send)
            return
        scope["path"] = self._canonical(scope["path"])
        if self._knobs.outage == "drop":
            await _drop(scope, receive)
            return
        await self._knobs.wait()
        refusal = self._refusal(scope)
        if refusal is not None:
            await _drain(receive)
            await refusal(scope, receive, send)
        elif not self._knobs.strikes():
            await self._app(scope, receive, send)
        else:
            await self._fail(scope, receive, send)

    def _canonical(self, path: str) -> str:
        lower = path.lower()
        for route in self._routes:
            if lower == route.lower() or lower.startswith(f"{route.lower()}/"):
                return route + path[len(route) :]
        return path

    def _refusal(self, scope: _Scope) -> JSONResponse | None:
        knobs = self._knobs
        if knobs.outage == "unavailable":
            after = knobs.outage_retry_after
            return _error(503, "Out of service.", {} if after is None else {"Retry-After": f"{after:g}"})
        headers = knobs.retry_after()
        if headers is not None:
            return _error(429, "Too many requests.", headers)
        if not self._is_authorized(scope):
            return _error(
                401, "Authorization has been denied for this request.", {"WWW-Authenticate": "Basic"}
            )
        reject = knobs.take_rejection(scope["path"])
        return None if reject is None else _error(reject.status, reject.text)

    def _is_authorized(self, scope: _Scope) -> bool:
        header = dict(scope["headers"]).get(b"authorization", b"")
        scheme, _, token = header.partition(b" ")
        if scheme.lower() != b"basic" or not token.strip():
            return False
        return self._token is None or secrets.compare_digest(token.strip(), self._token.encode())

    async def _fail(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if self._knobs.errors_after_work:
            await self._app(scope, receive, _ignore)
        else:
            await _drain(receive)
        if self._knobs.error_status == 0:
            await _drop(scope, receive)
        else:
            await _error(self._knobs.error_status, "Failed on request of the test.")(scope, receive, send)


def _error(status: int, text: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"Message": text}, status_code=status, headers=headers)


async def _ignore(_: _Message) -> None:
    """Take an answer that nobody shall see."""


async def _drain(receive: _Receive) -> None:
    """Read the body to its end: a client that still sends may miss an answer given before."""
    while (await receive()).get("more_body"):
        pass


async def _drop(scope: _Scope, receive: _Receive) -> None:
    """Cut the connection without an answer; only servers of `pywats_api.server.local` hand it over."""
    transport: asyncio.Transport | None = scope.get("state", {}).get("transport")
    if transport is None:
        raise RuntimeError("only the server of pywats_api.server.local can drop connections")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
