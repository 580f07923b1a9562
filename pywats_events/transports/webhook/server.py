"""The web server of webhooks that listen by themselves: uvicorn, with the limits that it lacks."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, Final, cast

import h11
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from pywats_events.transports.webhook.config import Place
from pywats_events.transports.webhook.problems import MEDIA_TYPE, Problem
from pywats_events.transports.webhook.receiver import CLIENT_CERTIFICATE

#: Seconds for which a connection may be left idle between two requests.
_KEEP_ALIVE: Final = 60
#: Bytes of a request's head.
_LARGEST_HEAD: Final = 16 * 1024
_BACKLOG: Final = 1024
#: Seconds between two looks at the date.
_TICK: Final = 1.0
_WHEN_CROWDED: Final = 5.0


class HookConnection(H11Protocol):
    """One connection: knows the caller's certificate, and waits only so long for the head of a request.

    It can stand in for uvicorn's own protocol in any server (``uvicorn.Config(http=HookConnection)``).

    Attributes:
        header_timeout: seconds from the first byte of a request to the end of its head, from its answer to
            the end of a body that nobody wants, and for a caller that does not read its answers.
        max_connections: more are answered with 503; of those that are more than twice as many, nothing is
            heard.
        on_gone: called when it is closed.
    """

    header_timeout: float = 10.0
    max_connections: int = 256
    on_gone: Callable[[], None] = staticmethod(lambda: None)
    _timer: asyncio.TimerHandle | None = None
    _unheard: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Look who it is."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections * 2:
            transport.abort()
            return
        if len(self.connections) > self.max_connections:
            self.app = _crowded
        tls = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert() if tls is not None else None
        self.app_state = {**self.app_state, CLIENT_CERTIFICATE: certificate}
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go."""
        self._unwatch()
        self._is_heard()
        super().connection_lost(exc)
        self.on_gone()

    def data_received(self, data: bytes) -> None:
        """Take what came, and see that the rest comes soon."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Go on with the next request, and see that what is left of this one comes soon."""
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """Wait for who does not read our answers, but not for ever."""
        super().pause_writing()
        if self._unheard is None:
            self._unheard = self.loop.call_later(self.header_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self._is_heard()

    def _is_heard(self) -> None:
        if self._unheard is not None:
            self._unheard.cancel()
            self._unheard = None

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # it says no more than ours
        """Answer what is no HTTP."""
        self._refuse(400, "this is no HTTP request, or its head is too large")

    def shutdown(self) -> None:
        """End, after the request under way."""
        if not self.transport.is_closing():
            super().shutdown()

    def _watch(self) -> None:
        """Let the time run while something is expected of the caller outside of a request's own limits."""
        cycle = cast("RequestResponseCycle | None", self.cycle)  # there is none before the first request
        is_answering = cycle is not None and not cycle.response_complete
        is_idle = cycle is not None and self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]
        if is_answering or is_idle or self.transport.is_closing():
            self._unwatch()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.header_timeout, self._give_up)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self.conn.trailing_data[0] and self.conn.their_state is h11.IDLE:
            self._refuse(408, f"the head of the request was not here after {self.header_timeout:g} seconds")
        else:
            self.transport.close()

    def _refuse(self, status: int, detail: str) -> None:
        """Answer without the application, and close."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = Problem(status, detail).response().body
            headers = [
                ("content-type", MEDIA_TYPE),
                ("content-length", str(len(body))),
                ("connection", "close"),
            ]
            head = h11.Response(
                status_code=status, headers=headers, reason=HTTPStatus(status).phrase.encode()
            )
            for event in (head, h11.Data(data=bytes(body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


async def _crowded(scope: Scope, receive: Receive, send: Send) -> None:
    response = Problem(
        503, "too many connections", retry_after=_WHEN_CROWDED, headers={"Connection": "close"}
    ).response()
    await response(scope, receive, send)


class HookServer(uvicorn.Server):
    """A server inside a loop that others own: it leaves the process's signals alone, and ends when told.

    Args:
        app: what it serves.
        header_timeout: seconds for a TLS handshake, and for the head of a request.
        max_connections: most connections at one time.
    """

    def __init__(self, app: ASGIApp, *, header_timeout: float, max_connections: int) -> None:
        class Connection(HookConnection):
            pass

        Connection.header_timeout = header_timeout
        Connection.max_connections = max_connections
        Connection.on_gone = staticmethod(self._note_gone)
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE,
            h11_max_incomplete_event_size=_LARGEST_HEAD,
        )
        super().__init__(config)
        self._connection = Connection
        self._ending = asyncio.Event()
        self._gone = asyncio.Event()
        self._handshake = header_timeout

    async def bind(self, place: Place, tls: ssl.SSLContext | None) -> int:
        """Begin to listen.

        Returns:
            The port.

        Raises:
            OSError: the address can't be had.
        """
        server = await asyncio.get_running_loop().create_server(
            lambda: self._connection(self.config, self.server_state, {}),
            place.host,
            place.port,
            ssl=tls,
            ssl_handshake_timeout=self._handshake if tls is not None else None,
            backlog=_BACKLOG,
        )
        self.servers = [server]
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002  # it listens already
        """Note that it is up."""
        self.started = True

    async def main_loop(self) -> None:
        """Keep the date right that answers carry, until the end."""
        while not self.should_exit:
            await self.on_tick(0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK):
                    await self._ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002  # as above
        """Wait until the requests under way are answered, and their connections closed."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self.server_state.connections:
            self._gone.clear()
            await self._gone.wait()
        if self.server_state.tasks:  # their callers have gone
            await asyncio.wait(self.server_state.tasks)

    def turn_away(self) -> None:
        """Let nobody in from now on, and end when the requests under way are answered."""
        for server in self.servers:
            server.close()
        self.should_exit = True
        self._ending.set()

    def abort(self) -> None:
        """Close what is still open."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()

    def _note_gone(self) -> None:
        self._gone.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever owns the process."""
        yield
