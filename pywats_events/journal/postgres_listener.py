"""Hears from the other processes that share a journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import psycopg
import structlog

from pywats_events.journal.interface import JournalError
from pywats_events.journal.postgres_connection import Connection, Server

log = structlog.get_logger(__name__)

#: Seconds before a lost connection is tried again. Whoever waits looks by himself meanwhile.
_PAUSE: Final = 1.0


class Listener:
    """A task with a connection of its own.

    Args:
        server: where the journal is.
        heard: is called when another process says that something may be ready, and after each pause in
            which nothing could be heard; with the server's number of the process that said it, if one did.
    """

    def __init__(self, server: Server, heard: Callable[[int | None], None]) -> None:
        self._server = server
        self._heard = heard
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen; what is said from now on is heard.

        Raises:
            JournalError: the server can't be reached.
        """
        self._connection = await self._listening()
        self._task = asyncio.create_task(self._run(), name="journal listener")

    async def stop(self) -> None:
        """Listen no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        await self._disconnect()  # the task may never have begun

    async def _listening(self) -> Connection:
        connection = await self._server.connect()
        try:
            found = await connection.execute("SELECT channel()")
            ((channel,),) = await found.fetchall()
            await connection.execute(f"LISTEN {channel}".encode())
        except psycopg.Error as error:
            await connection.close()
            raise self._server.explain(error) from error
        return connection

    async def _run(self) -> None:
        is_told = False  # one line for an outage: it is tried again each second
        while True:
            try:
                if self._connection is None:
                    self._connection = await self._listening()
                    log.info("journal's notices are heard again")
                    is_told = False
                    self._heard(None)
                async for notice in self._connection.notifies():
                    self._heard(notice.pid)
            except (psycopg.Error, JournalError) as error:
                say = log.debug if is_told else log.warning
                say("journal's notices are lost; looking now and then", error=str(error).strip())
                is_told = True
            await self._disconnect()
            await asyncio.sleep(_PAUSE)

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
