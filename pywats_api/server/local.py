"""Running the local server: inside a test's own event loop, or as a process."""

import asyncio
import contextlib
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from pywats_api.server.app import create_app
from pywats_api.server.knobs import Knobs
from pywats_api.server.state import State


class _Protocol(H11Protocol):
    """Hands each request its transport, so that the knobs can cut the connection."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class _Server(uvicorn.Server):
    """A server that says when it is up and leaves the process's signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.settled.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class LocalWATS:
    """A local WATS in this process, on 127.0.0.1.

    ``async with LocalWATS(db=path) as server`` starts it; `stop` and `start` in between are a restart with
    the same address, the same database and the same knobs.

    Attributes:
        knobs: how it misbehaves.
        url: its address, known once it was started.
    """

    def __init__(
        self,
        db: Path | str,
        *,
        port: int = 0,
        token: str | None = None,
        knobs: Knobs | None = None,
        **account: Any,
    ) -> None:
        """Set a server up without starting it.

        Args:
            db: SQLite file, made if it is missing.
            port: 0 takes a free one.
            token: the only one that is accepted; None accepts any.
            knobs: how it shall misbehave.
            account: `processes`, `fail_codes` and `now` of `create_app`.
        """
        self.knobs = knobs or Knobs()
        self._db = db
        self._port = port
        self._token = token
        self._account = account
        self._server: _Server
        self._state: State
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Address of the server."""
        if self._port == 0:
            raise RuntimeError("the server has no address before it was started")
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start, and return when requests are taken."""
        if self._task is not None:
            return
        app = create_app(self._db, token=self._token, knobs=self.knobs, **self._account)
        self._state = app.state.wats
        listener = _listen(self._port)
        try:
            await self._state.open()
        except sqlite3.Error as error:
            listener.close()
            raise RuntimeError(f"cannot open the database {self._db}: {error}") from error
        except BaseException:
            listener.close()
            raise
        self._port = listener.getsockname()[1]
        self.knobs.open()
        # Its lifespan is led from here: uvicorn ends the whole process where one fails.
        self._server = _Server(_config(app, lifespan="off", timeout_graceful_shutdown=2))
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="local-wats")
        await self._server.settled.wait()

    async def stop(self) -> None:
        """Finish the requests under way, close all connections, and refuse new ones."""
        if self._task is None:
            return
        task, self._task = self._task, None
        self.knobs.close()
        self._server.should_exit = True
        await task
        await self._state.close()


def _listen(port: int) -> socket.socket:
    # The protocol is named because asyncio turns Nagle's algorithm off only where it is: without, each
    # answer takes 40 ms longer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


def serve(app: ASGIApp, *, host: str, port: int) -> None:
    """Run in the foreground until interrupted."""
    config = _config(app, lifespan="on", host=host, port=port)
    with contextlib.suppress(KeyboardInterrupt):  # the usual way to end it
        uvicorn.Server(config).run()


def _config(app: ASGIApp, **options: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        log_config=None,
        access_log=False,
        timeout_keep_alive=75,
        **options,
    )
