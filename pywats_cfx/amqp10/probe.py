"""Looking at a broker over AMQP 1.0, and at a RabbitMQ's queue and exchange over AMQP 0-9-1."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from pywats_cfx.amqp.troubles import BrokerUnfit
from pywats_cfx.amqp10.addresses import Product
from pywats_cfx.amqp10.connection import Connection
from pywats_cfx.amqp10.errors import Amqp10Error
from pywats_cfx.amqp10.opening import open_broker
from pywats_cfx.amqp10.preparing import cannot_prepare, nothing_to_prepare
from pywats_cfx.amqp10.troubles import explain
from pywats_cfx.config import AMQPConfig

_GOODBYE_SECONDS = 2.0


async def probe(config: AMQPConfig) -> str:
    """Connect, log in and look for what is to be read. No message is taken: no credit is given.

    Returns:
        What is there, in one line.

    Raises:
        BrokerUnfit: it can't be used as configured.
    """
    try:
        connection = await open_broker(config, container=f"pywats-bridge check {uuid4().hex[:8]}")
        try:
            return await _look(connection, config)
        finally:
            await connection.close(_GOODBYE_SECONDS)
    except (Amqp10Error, OSError) as error:
        raise BrokerUnfit(explain(error, config)) from error


async def _look(connection: Connection, config: AMQPConfig) -> str:
    product = Product.of(connection.properties)
    if config.address is not None:
        await _look_for(connection, config.address, config)
        return f'address "{config.address}" can be read'
    if not product.is_rabbitmq:
        await _look_for(connection, product.source(config), config)
        hint = f"; {nothing_to_prepare(config)}" if config.declare_queue else ""
        return f'queue "{config.queue}" can be read{hint}'
    return await _look_at_rabbitmq(connection, product, config)


async def _look_at_rabbitmq(connection: Connection, product: Product, config: AMQPConfig) -> str:
    """Look over AMQP 0-9-1 at what AMQP 1.0 has no words for."""
    # the other protocol's library, for those only who speak to a RabbitMQ
    from pywats_cfx.amqp091.probe import probe as probe091  # noqa: PLC0415

    reason = cannot_prepare(config)
    if reason is None:
        said = await probe091(config)
        if "will be created" in said.partition(",")[0]:
            return said
        await _look_for(connection, product.source(config), config)
        return said
    await _look_for(connection, product.source(config), config)
    return f'queue "{config.queue}" can be read; {reason}'


async def _look_for(connection: Connection, address: str, config: AMQPConfig) -> None:
    async with asyncio.timeout(config.connect_timeout):
        await connection.look(address, durable=True)
