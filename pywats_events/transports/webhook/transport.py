"""Messages that other systems bring over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import structlog
from starlette.types import ASGIApp

from pywats_events.message import Adapter
from pywats_events.transports.base import BaseTransport, Intake
from pywats_events.transports.webhook.app import app_of
from pywats_events.transports.webhook.config import Place, WebhookConfig, tls_context
from pywats_events.transports.webhook.openapi import openapi_document
from pywats_events.transports.webhook.reading import HookAdapter
from pywats_events.transports.webhook.receiver import Receiver
from pywats_events.transports.webhook.server import HookServer

log = structlog.get_logger(__name__)

#: Seconds between two attempts to listen: the first one, and the most.
_FIRST_DELAY: Final = 1.0
_LONGEST_DELAY: Final = 30.0
#: Seconds for answers that are on their way when everything ends.
_GOODBYE: Final = 2.0


class WebhookTransport(BaseTransport):
    """Receives messages that other systems bring with ``POST /hooks/{name}``.

    A call is answered with 202 and the ids of its events when the journal has them. One that can't be read is
    answered with 400 and the reason, and is neither journalled nor a dead letter: its caller hears it.

    Args:
        config: the hooks, and where they listen.
        adapter: reads what they bring, by ``RawMessage.address`` (``/hooks/{name}``); see ``adapter_of``.
        name: identity among the transports of a bus.
        clock: seconds since 1970, by which the times of signed calls are judged.

    Attributes:
        app: the hooks as an ASGI application, for a server that others run. It answers 503 while the bus is
            not running.
        connected: True while callers can connect.
        last_error: why they could not the last time, and what to do; None when there never was a reason.
        url: where it listens, once it does.
    """

    app: ASGIApp

    def __init__(
        self,
        config: WebhookConfig,
        *,
        adapter: Adapter,
        name: str = "webhook",
        clock: Callable[[], float] = time.time,
    ) -> None:
        hook_adapter = HookAdapter(config.hooks, adapter)
        self.name = name
        self.adapter = hook_adapter
        self.connected = False
        self.last_error: str | None = None
        self.url: str | None = None
        self._config = config
        self._receiver = Receiver(config, adapter=hook_adapter, name=name, clock=clock)
        self.app = app_of(config, self._receiver)
        self._up = asyncio.Event()
        self._server: HookServer | None = None
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def answers(self) -> Counter[tuple[str, int]]:
        """How often each hook gave which HTTP status; hooks that do not exist are counted as ``?``."""
        return self._receiver.answers

    def openapi(self) -> dict[str, Any]:
        """Give the OpenAPI document of the hooks."""
        return openapi_document(self._config)

    async def start(self, intake: Intake) -> None:
        """Begin to take calls. A port that is taken is tried again until it is free."""
        self._receiver.open(intake)
        if not self._config.listen:
            self.connected = True
            self._up.set()
            await intake.connected(self.name, f"takes calls for {self._hooks()} at the bridge's web server")
            return
        self._supervisor = asyncio.create_task(self._supervise(intake), name=f"transport {self.name}")

    async def listening(self) -> str:
        """Wait until callers can connect; give where."""
        await self._up.wait()
        return self.url or ""

    async def stop(self) -> None:
        """Take no more calls. Those that are not in the journal by then are answered with 503."""
        self.connected = False
        if self._server is not None:
            self._server.turn_away()
        elif self._supervisor is not None:
            self._supervisor.cancel()
        await self._receiver.stop()

    async def close(self) -> None:
        """Let callers hear their answers, and close all connections."""
        await self.stop()
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is None:
            return
        if self._server is not None:
            await asyncio.wait([supervisor], timeout=_GOODBYE)
            self._server.abort()
        supervisor.cancel()
        with suppress(asyncio.CancelledError):
            await supervisor

    async def _supervise(self, intake: Intake) -> None:
        """Listen, and do so again when the server fails."""
        while True:
            server = await self._bound(intake)
            try:
                await server.serve()
            except Exception:
                log.exception("web server of the webhooks failed and is started again", transport=self.name)
                self.connected, self._server = False, None
                server.turn_away()
                server.abort()
                await asyncio.sleep(_FIRST_DELAY)
            else:
                return

    async def _bound(self, intake: Intake) -> HookServer:
        config = self._config
        place = Place.of(config.listen)
        delay = _FIRST_DELAY
        while True:
            server = HookServer(
                self.app, header_timeout=config.header_timeout, max_connections=config.max_connections
            )
            try:
                tls = await asyncio.to_thread(tls_context, config) if place.tls else None
                port = await server.bind(place, tls)
            except (OSError, ValueError) as error:
                said = error.strerror or str(error) if isinstance(error, OSError) else str(error)
                reason = f"{place}: {said}; mend it, or change webhook.listen"
                if reason != self.last_error:
                    self.last_error = reason
                    await intake.disconnected(self.name, reason)
                await asyncio.sleep(delay)
                delay = min(_LONGEST_DELAY, delay * 2)
            else:
                break
        self._server = server
        self.url = str(Place(place.host, port, place.tls))
        self.connected = True
        self._up.set()
        await intake.connected(self.name, f"listens at {self.url} for {self._hooks()}")
        return server

    def _hooks(self) -> str:
        names = ", ".join(hook.name for hook in self._config.hooks)
        return f"hooks {names}" if names else "no hooks"
