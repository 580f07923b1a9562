"""Looking at a RabbitMQ over AMQP 0-9-1."""

from __future__ import annotations

from aiormq import Connection
from aiormq.exceptions import AMQPError, ChannelNotFoundEntity

from pywats_cfx.amqp.troubles import BrokerUnfit
from pywats_cfx.amqp091.connection import open_channel, open_connection
from pywats_cfx.amqp091.troubles import VirtualHostRefused, explain
from pywats_cfx.config import AMQPConfig


async def probe(config: AMQPConfig) -> str:
    """Connect, log in and look for queue and exchange.

    Returns:
        What is there, in one line.

    Raises:
        BrokerUnfit: it can't be used as configured.
    """
    try:
        connection = await open_connection(config, name="pywats-bridge check")
        try:
            return await _look(connection, config)
        finally:
            await connection.close()
    except (AMQPError, OSError, TimeoutError, VirtualHostRefused) as error:
        raise BrokerUnfit(explain(error, config)) from error


async def _look(connection: Connection, config: AMQPConfig) -> str:
    """Look passively, then declare as configured what exists: that changes nothing of it, and compares."""
    channel = await open_channel(connection)
    try:
        found = await channel.queue_declare(config.queue, passive=True)
    except ChannelNotFoundEntity as error:
        if not config.declare_queue:
            raise BrokerUnfit(explain(error, config)) from error
        queue = f'queue "{config.queue}" will be created'
        channel = await open_channel(connection)  # the broker closed the first one
    else:
        queue = f'queue "{config.queue}" holds {found.message_count} messages'
        if config.declare_queue:
            await channel.queue_declare(
                config.queue, durable=config.durable, arguments=dict(config.declared_arguments) or None
            )
    if not config.declare_queue or not config.exchange:
        return queue
    try:
        await channel.exchange_declare(config.exchange, passive=True)
    except ChannelNotFoundEntity as error:
        if not config.declare_exchange:
            raise BrokerUnfit(explain(error, config)) from error
        return f'{queue}, exchange "{config.exchange}" will be created'
    if config.declare_exchange:
        await channel.exchange_declare(config.exchange, exchange_type=config.exchange_type, durable=True)
    return f'{queue}, exchange "{config.exchange}" is there'
