"""Publishes to an exchange of RabbitMQ, over AMQP 0-9-1."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiormq import Connection, spec
from aiormq.abc import AbstractChannel
from aiormq.exceptions import AMQPError, ChannelInvalidStateError, ChannelNotFoundEntity, PublishError

from pywats_cfx.amqp.outgoing import CONTENT_TYPE, Outgoing
from pywats_cfx.amqp091.connection import open_connection
from pywats_cfx.amqp091.troubles import VirtualHostRefused, explain
from pywats_cfx.config import AMQPConfig
from pywats_cfx.explorer.refusal import RefusedError
from pywats_cfx.explorer.way import explained

_DURABLE: Final = 2
_TROUBLES: Final = (AMQPError, ChannelInvalidStateError, VirtualHostRefused)


@asynccontextmanager
async def outlet(config: AMQPConfig) -> AsyncIterator[Callable[[Outgoing], Awaitable[str]]]:
    """Connect; give what publishes a message and says what became of it.

    Raises:
        RefusedError: there is no connection, or no such exchange.
    """
    with explained(explain, config, *_TROUBLES):
        connection = await open_connection(config, name="CFX explorer")
    try:
        with explained(explain, config, *_TROUBLES):
            channel = await _channel(connection, config)

        async def put(outgoing: Outgoing) -> str:
            with explained(explain, config, *_TROUBLES):
                return await _publish(channel, outgoing, config)

        yield put
    finally:
        await connection.close()


async def _channel(connection: Connection, config: AMQPConfig) -> AbstractChannel:
    async with asyncio.timeout(config.connect_timeout):
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        try:
            await channel.exchange_declare(config.exchange, passive=True)
        except ChannelNotFoundEntity as error:
            raise RefusedError(
                f'{config.broker} has no exchange "{config.exchange}": name the one that is read from with '
                "--exchange"
            ) from error
    return channel


async def _publish(channel: AbstractChannel, outgoing: Outgoing, config: AMQPConfig) -> str:
    try:
        async with asyncio.timeout(config.connect_timeout):
            await channel.basic_publish(
                outgoing.body,
                exchange=config.exchange,
                routing_key=outgoing.subject,
                properties=_properties(outgoing),
                mandatory=True,
            )
    except PublishError:
        return f'taken by exchange "{config.exchange}", which has no queue for it: dropped'
    return f'accepted by exchange "{config.exchange}"'


def _properties(outgoing: Outgoing) -> spec.Basic.Properties:
    return spec.Basic.Properties(
        content_type=CONTENT_TYPE,
        content_encoding=outgoing.content_encoding,
        delivery_mode=_DURABLE,
        message_id=outgoing.message_id,
        correlation_id=outgoing.correlation_id,
        reply_to=outgoing.reply_to,
        timestamp=outgoing.time,
        headers=dict(outgoing.application_properties),
    )
