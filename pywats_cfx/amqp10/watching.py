"""Notices that a link is dead although its connection lives.

The standard has a broker say so when it ends a link or a session. RabbitMQ 3 sometimes does not: when a queue
is deleted while the session waits for the queue's word on credit, the session hangs, and the connection goes
on with its signs of life. So in a quiet moment the broker is asked by a link beside ours that takes no
message: the standard wants an answer to each attach. (A flow with ``echo`` wants one too, but Proton has no
way to send it, and does not answer it on the other side.)

No answer alone proves nothing: a busy broker is slow. Another session of the same connection is asked then,
and only when that one answers, and ours still does not, our link is dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from pywats_cfx.amqp10.connection import Connection
from pywats_cfx.amqp10.errors import Amqp10Error, RemoteError
from pywats_cfx.amqp10.links import Link

#: Most seconds that our session gets to answer before another one is asked.
_PATIENCE: Final = 5.0
#: What a link is refused with when there is nothing to read from any more.
_GONE: Final = frozenset({"amqp:not-found", "amqp:resource-deleted"})


class LinkDead(Amqp10Error):  # noqa: N818  # says what happened
    """The broker answers elsewhere, and not in the session of our link."""


class BrokerDeaf(Amqp10Error):  # noqa: N818  # says what happened
    """The broker answers nothing on the connection, though it gives signs of life."""


class Watch:
    """Asks after a link whenever nothing was heard of it for a while.

    Args:
        connection: with the link.
        link: what to ask after.
        address: what it is attached to.
        durable: as the link asked for it.
        heard: counts the messages that came over the link: none has to be asked after that brings some.
        quiet: seconds without a message before it is asked.
        deaf_after: seconds that the broker gets to answer anything on the connection.
    """

    def __init__(
        self,
        connection: Connection,
        link: Link,
        *,
        address: str,
        durable: bool,
        heard: Callable[[], int],
        quiet: float,
        deaf_after: float,
    ) -> None:
        self._look = partial(connection.look, address, durable=durable)
        self._link = link
        self._heard = heard
        self._quiet = quiet
        self._patience = min(_PATIENCE, quiet)
        self._deaf_after = deaf_after

    async def until_dead(self) -> Amqp10Error:
        """Watch, and return why the link is of no use any more."""
        while True:
            before = self._heard()
            await asyncio.sleep(self._quiet)
            if self._heard() != before:
                continue
            try:
                await self._ask()
            except RemoteError as error:
                if error.condition in _GONE:
                    return error
                # refused for another reason: that is an answer
            except Amqp10Error as error:
                return error

    async def _ask(self) -> None:
        """Ask beside the link. Returns when that was answered, or messages came meanwhile.

        Raises:
            RemoteError: the broker refused.
            LinkDead: it answers elsewhere, but not there.
            BrokerDeaf: it answers nowhere.
            ConnectionLost: the connection ended.
        """
        asking = asyncio.create_task(self._look(beside=self._link), name="asking after a link")
        try:
            while not await self._answered(asking):
                before = self._heard()
                await self._ask_elsewhere()
                if not await self._answered(asking) and self._heard() == before:
                    raise LinkDead("no answer in the session of our link")
            await asking
        finally:
            asking.cancel()
            await asyncio.wait([asking])
            if not asking.cancelled():
                asking.exception()  # what ended the connection is told once

    async def _answered(self, asking: asyncio.Task[None]) -> bool:
        done, _ = await asyncio.wait([asking], timeout=self._patience)
        return bool(done)

    async def _ask_elsewhere(self) -> None:
        try:
            async with asyncio.timeout(self._deaf_after):
                await self._look()
        except TimeoutError:
            raise BrokerDeaf(f"no answer within {self._deaf_after:g} s") from None
        except RemoteError as error:
            if error.condition in _GONE:
                raise LinkDead(str(error)) from error
