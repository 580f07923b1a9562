"""Publishes to a broker, or straight to a machine that listens, over AMQP 1.0."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final
from uuid import uuid4

from pywats_cfx.amqp.outgoing import Outgoing
from pywats_cfx.amqp.tls import HandshakeWasted
from pywats_cfx.amqp10.addresses import Product
from pywats_cfx.amqp10.connection import Connection
from pywats_cfx.amqp10.errors import Amqp10Error, NotAmqp10
from pywats_cfx.amqp10.links import Sender
from pywats_cfx.amqp10.message import encode_message
from pywats_cfx.amqp10.opening import open_broker
from pywats_cfx.amqp10.troubles import explain
from pywats_cfx.explorer.refusal import RefusedError
from pywats_cfx.explorer.way import HANDLE, Way, explained

#: What endpoints listen to, unless they say otherwise.
LISTENER: Final = "CFXListener"
_TROUBLES: Final = (Amqp10Error, HandshakeWasted)


class OnlyOlderAmqp(Exception):  # noqa: N818  # says a state
    """The broker speaks AMQP 0-9-1 only."""


@asynccontextmanager
async def outlet(way: Way) -> AsyncIterator[Callable[[Outgoing], Awaitable[str]]]:
    """Connect; give what publishes a message and says what became of it.

    Raises:
        OnlyOlderAmqp: another protocol would do.
        RefusedError: there is no connection, or a message was not accepted.
    """
    config = way.config10
    with explained(explain, config, *_TROUBLES):
        try:
            connection = await open_broker(config, container=f"{HANDLE}-{uuid4()}")
        except NotAmqp10 as error:
            if error.speaks_091:
                raise OnlyOlderAmqp from error
            raise
    try:
        yield _Putting(way, connection).put
    finally:
        await connection.close()


class _Putting:
    def __init__(self, way: Way, connection: Connection) -> None:
        self._way = way
        self._connection = connection
        self._product = Product.of(connection.properties)
        self._sender: Sender | None = None

    async def put(self, outgoing: Outgoing) -> str:
        """Publish a message, and wait until the other side has accepted it."""
        address, config = self._address(outgoing.subject), self._way.config10
        with explained(explain, config, *_TROUBLES):
            try:
                async with asyncio.timeout(config.connect_timeout):
                    sender = await self._sender_to(address)
                    await sender.send(encode_message(outgoing))
            except TimeoutError:
                raise RefusedError(
                    f'"{address}" at {config.broker} neither took nor refused a message within '
                    f"{config.connect_timeout:g} s"
                ) from None
        return f'accepted by "{address}"'

    async def _sender_to(self, address: str) -> Sender:
        """Give the link to an address. RabbitMQ 4 wants one for each kind of message; we hold the latest."""
        if self._sender is None or self._sender.address != address:
            if self._sender is not None:
                self._sender.close()
            self._sender = await self._connection.sender(address)
        return self._sender

    def _address(self, subject: str) -> str:
        way = self._way
        if way.address is not None:
            return way.address
        if self._product.is_rabbitmq or way.exchange is not None:
            return self._product.target(way.config, subject) or way.config.exchange
        return LISTENER
