"""Publishes over AMQP 0-9-1, on a channel of its own where the broker confirms each message."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiormq import AMQPError, ChannelInvalidStateError, Connection, spec
from aiormq.abc import AbstractChannel

from pywats_cfx.amqp.outgoing import CONTENT_TYPE, Outgoing
from pywats_cfx.amqp.session import is_cancelled
from pywats_cfx.amqp.troubles import PublishFailed
from pywats_cfx.amqp091.troubles import explain
from pywats_cfx.config import AMQPConfig
from pywats_cfx.envelope import CFXEnvelope

_DURABLE = 2


class Publisher:
    """Publishes envelopes to the exchange.

    Args:
        connection: where to.
        config: names the exchange.
        handle: our handle, the sender of messages that name none.
    """

    def __init__(self, connection: Connection, config: AMQPConfig, *, handle: str) -> None:
        self._connection = connection
        self._config = config
        self._handle = handle
        self._channel: AbstractChannel | None = None
        self._order = asyncio.Lock()

    async def publish(self, envelopes: Sequence[CFXEnvelope]) -> None:
        """Publish each envelope as one message, in order, and wait until all are confirmed.

        Raises:
            PublishFailed: one was not, or no word came of it.
        """
        if not self._config.exchange:
            raise PublishFailed(f"{self._config.broker}: nowhere to publish to: set exchange")
        try:
            async with asyncio.timeout(self._config.connect_timeout), self._order:
                for envelope in envelopes:
                    await self._send(Outgoing.of(envelope, handle=self._handle))
        except (AMQPError, ChannelInvalidStateError, OSError) as error:  # TimeoutError is an OSError
            raise PublishFailed(f"a message was not published: {explain(error, self._config)}") from error
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            raise PublishFailed(f"{self._config.broker}: the connection ended meanwhile") from error

    async def _send(self, outgoing: Outgoing) -> None:
        if self._channel is None or self._channel.is_closed:
            self._channel = await self._connection.channel(publisher_confirms=True)
        properties = spec.Basic.Properties(
            content_type=CONTENT_TYPE,
            content_encoding=outgoing.content_encoding,
            delivery_mode=_DURABLE,
            message_id=outgoing.message_id,
            correlation_id=outgoing.correlation_id,
            reply_to=outgoing.reply_to,
            timestamp=outgoing.time,
            headers=dict(outgoing.application_properties),
        )
        await self._channel.basic_publish(
            outgoing.body,
            exchange=self._config.exchange,
            routing_key=outgoing.subject,
            properties=properties,
        )
