"""The webhooks as an ASGI application."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pywats_events.transports.webhook.config import WebhookConfig
from pywats_events.transports.webhook.openapi import openapi_document
from pywats_events.transports.webhook.problems import Problem
from pywats_events.transports.webhook.receiver import Receiver


def app_of(config: WebhookConfig, receiver: Receiver) -> ASGIApp:
    """Make the application. It has no lifespan: the transport says when calls are taken."""
    routes = [Route("/hooks/{name}", receiver.answer, methods=["POST"])]
    if config.openapi:
        document = openapi_document(config)

        async def describe(_: Request) -> Response:
            return JSONResponse(document)

        routes.append(Route("/openapi.json", describe, methods=["GET"]))
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refused})
    app.router.redirect_slashes = False
    return _ClosingUnread(app)


async def _refused(_: Request, error: Exception) -> Response:
    """Answer what no route takes."""
    if not isinstance(error, HTTPException):
        raise error
    details = {404: "there is no such page", 405: "hooks are called with POST"}
    headers = dict(error.headers or {})
    return Problem(error.status_code, details.get(error.status_code, ""), headers=headers).response()


class _ClosingUnread:
    """Closes connections whose caller asked whether to send its body, and was answered instead.

    Whether a body follows then, only the caller knows: it must not be taken for the next request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not any(name == b"expect" for name, _ in scope.get("headers", ())):
            await self._app(scope, receive, send)
            return
        is_asked = False

        async def receiving() -> Message:
            nonlocal is_asked
            is_asked = True
            return await receive()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and not is_asked:
                headers: list[Any] = list(message.get("headers", ()))
                message = {**message, "headers": [*headers, (b"connection", b"close")]}
            await send(message)

        await self._app(scope, receiving, sending)
