"""Publishes over a connection that reads: a link for each address, and an outcome for each message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from pywats_cfx.amqp.outgoing import Outgoing
from pywats_cfx.amqp.troubles import PublishFailed
from pywats_cfx.amqp10.addresses import Product
from pywats_cfx.amqp10.connection import Connection
from pywats_cfx.amqp10.errors import Amqp10Error
from pywats_cfx.amqp10.links import Sender
from pywats_cfx.amqp10.message import encode_message
from pywats_cfx.config import AMQPConfig
from pywats_cfx.envelope import CFXEnvelope

#: RabbitMQ 4 wants a link for each routing key; a few kinds of messages is what we send.
_MOST_LINKS: Final = 16


class Publisher:
    """Publishes envelopes.

    Args:
        connection: where to.
        product: what the broker is.
        config: exchange or address.
        handle: our handle, the sender of messages that name none.
        explain: says in words why a link or message was refused.
    """

    def __init__(
        self,
        connection: Connection,
        product: Product,
        config: AMQPConfig,
        *,
        handle: str,
        explain: Callable[[BaseException], str],
    ) -> None:
        self._connection = connection
        self._product = product
        self._config = config
        self._handle = handle
        self._explain = explain
        self._senders: dict[str, Sender] = {}
        self._order = asyncio.Lock()

    async def publish(self, envelopes: Sequence[CFXEnvelope]) -> None:
        """Publish each envelope as one message, in order, and wait until all are accepted.

        Raises:
            PublishFailed: one was not, or no word came of it.
        """
        try:
            async with asyncio.timeout(self._config.connect_timeout), self._order:
                for envelope in envelopes:
                    await self._publish(Outgoing.of(envelope, handle=self._handle))
        except TimeoutError:
            raise PublishFailed(
                f"{self._config.broker} neither took nor refused a message within "
                f"{self._config.connect_timeout:g} s: is a queue behind its exchange full?"
            ) from None
        except Amqp10Error as error:
            raise PublishFailed(f"a message was not published: {self._explain(error)}") from error

    async def _publish(self, outgoing: Outgoing) -> None:
        address = self._product.target(self._config, outgoing.subject)
        if address is None:
            raise PublishFailed(
                f"{self._config.broker}: nowhere to publish to: set exchange or publish_address"
            )
        sender = await self._sender(address)
        try:
            await sender.send(encode_message(outgoing))
        except asyncio.CancelledError:
            # no word came: a session can hang on a connection that lives, and the next message gets another
            self._leave(address)
            raise

    async def _sender(self, address: str) -> Sender:
        sender = self._senders.get(address)
        if sender is not None and sender.ended.done():
            self._leave(address)
            sender = None
        if sender is None:
            sender = await self._connection.sender(address)
        self._senders.pop(address, None)
        self._senders[address] = sender  # the last one is the one that was used last
        if len(self._senders) > _MOST_LINKS:
            self._leave(next(iter(self._senders)))
        return sender

    def _leave(self, address: str) -> None:
        """Give a link up, with its session: a connection has few of them."""
        self._connection.leave(self._senders.pop(address))
