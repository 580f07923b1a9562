"""Copies of what is published to an exchange of RabbitMQ, over AMQP 0-9-1."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final

from aiormq.abc import AbstractChannel, DeliveredMessage
from aiormq.exceptions import AMQPError, ChannelInvalidStateError, ChannelNotFoundEntity

from pywats_cfx.amqp.content import Content
from pywats_cfx.amqp.troubles import BrokerGone
from pywats_cfx.amqp091.connection import open_channel, open_connection
from pywats_cfx.amqp091.delivery import read_delivery
from pywats_cfx.amqp091.troubles import (
    ConsumerCancelled,
    UnreadableFrame,
    VirtualHostRefused,
    explain,
    of_connection,
)
from pywats_cfx.config import AMQPConfig
from pywats_cfx.explorer.refusal import RefusedError
from pywats_cfx.explorer.way import explained

_WINDOW: Final = 200
#: What the broker keeps for us at most while we are slow; the oldest is dropped then.
_BACKLOG: Final = {"x-max-length": 5_000, "x-max-length-bytes": 64 * 1024 * 1024}
_TROUBLES: Final = (
    AMQPError,
    BrokerGone,
    ChannelInvalidStateError,
    ConsumerCancelled,
    UnreadableFrame,
    VirtualHostRefused,
)


async def copies(config: AMQPConfig, ready: Callable[[str], None]) -> AsyncGenerator[tuple[Content, str]]:
    """Give a copy of each message, with its routing key, until whoever asks has enough.

    They come through a queue of our own, which is gone with the connection: the messages of all other queues
    stay where they are.

    Args:
        config: the broker and the exchange.
        ready: hears what is watched, once nothing is missed any more.

    Raises:
        RefusedError: there is no such exchange, or no connection, or it ended.
    """
    with explained(explain, config, *_TROUBLES):
        connection = await open_connection(config, name="CFX explorer")
        try:
            arrived: asyncio.Queue[DeliveredMessage | None] = asyncio.Queue()  # bounded by the window
            async with asyncio.timeout(config.connect_timeout):
                channel = await open_channel(connection)
                channel.on_consumer_cancel_callbacks.add(lambda _: arrived.put_nowait(None))
                queue = await _own_queue(channel, config)
                await channel.basic_qos(prefetch_count=_WINDOW)
                await channel.basic_consume(queue, arrived.put)
            ready(f'exchange "{config.exchange}"')
            while True:
                delivered = await _next(arrived, connection.closing, channel.closing, config)
                if delivered.delivery_tag is not None:
                    await channel.basic_ack(delivered.delivery_tag)
                yield read_delivery(delivered), delivered.routing_key or ""
        finally:
            await connection.close()


async def _own_queue(channel: AbstractChannel, config: AMQPConfig) -> str:
    try:
        await channel.exchange_declare(config.exchange, passive=True)
    except ChannelNotFoundEntity as error:
        raise RefusedError(
            f'{config.broker} has no exchange "{config.exchange}": name the one that machines publish to '
            "with --exchange"
        ) from error
    declared = await channel.queue_declare("", exclusive=True, auto_delete=True, arguments=dict(_BACKLOG))
    queue = declared.queue or ""
    await channel.queue_bind(queue, config.exchange, "#")
    return queue


async def _next(
    arrived: asyncio.Queue[DeliveredMessage | None],
    connection_closing: asyncio.Future[None],
    channel_closing: asyncio.Future[None],
    config: AMQPConfig,
) -> DeliveredMessage:
    getting = asyncio.ensure_future(arrived.get())
    try:
        closing = (connection_closing, channel_closing)
        await asyncio.wait((getting, *closing), return_when=asyncio.FIRST_COMPLETED)
        if getting.done():
            delivered = getting.result()
            if delivered is None:
                raise BrokerGone("it ended our consumer: our queue was deleted")
            return delivered
        ended = next(each for each in closing if each.done())
        raise of_connection(None if ended.cancelled() else ended.exception(), config)
    finally:
        getting.cancel()
