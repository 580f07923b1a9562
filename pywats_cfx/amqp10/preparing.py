"""Makes exchange, queue and bindings on a RabbitMQ before AMQP 1.0 reads from it.

AMQP 1.0 has no words for any of them. RabbitMQ speaks AMQP 0-9-1 on the same port, with the same users.
"""

from __future__ import annotations

from pywats_cfx.amqp10.troubles import NotPrepared
from pywats_cfx.config import AMQPConfig


async def prepare(config: AMQPConfig) -> str | None:
    """Create, or check, what the configuration says of exchange, queue and bindings.

    Returns:
        Why that could not be tried, if it could not: all has to be there already then.

    Raises:
        NotPrepared: something is missing, different or forbidden.
    """
    # the other protocol's library, for those only who let us create things
    from aiormq.exceptions import (  # noqa: PLC0415
        AMQPError,
        AuthenticationError,
        ChannelClosed,
        IncompatibleProtocolError,
    )

    from pywats_cfx.amqp091 import connection as amqp091  # noqa: PLC0415
    from pywats_cfx.amqp091.troubles import VirtualHostRefused, explain  # noqa: PLC0415

    if (reason := cannot_prepare(config)) is not None:
        return reason
    try:
        connection = await amqp091.open_connection(config, name="pywats-bridge prepares")
    except (AuthenticationError, IncompatibleProtocolError) as error:
        return _impossible(config, explain(error, config))
    except (AMQPError, VirtualHostRefused, OSError) as error:
        raise NotPrepared(explain(error, config)) from error
    try:
        await amqp091.prepare(await amqp091.open_channel(connection), config)
    except ChannelClosed as error:
        raise NotPrepared(explain(error, config)) from error
    except ValueError as error:  # the library's own rules for names are narrower than RabbitMQ's
        raise NotPrepared(
            f"exchange, queue and bindings can't be prepared over AMQP 0-9-1 ({error}): "
            "use plain letters in their names, or create them and set declare_queue = false"
        ) from error
    finally:
        await connection.close()
    return None


def cannot_prepare(config: AMQPConfig) -> str | None:
    """Say why there is no use in trying, if there is none."""
    if config.mechanism == "ANONYMOUS":
        return _impossible(config, "it has no login without a user")
    return None


def nothing_to_prepare(config: AMQPConfig) -> str:
    """Say that a broker which is no RabbitMQ has its queues from somebody else."""
    return (
        f'{config.broker} is no RabbitMQ, so nothing is created there: queue "{config.queue}" must exist '
        "and get the messages; say so with declare_queue = false"
    )


def _impossible(config: AMQPConfig, reason: str) -> str:
    return (
        f"exchange, queue and bindings can't be prepared over AMQP 0-9-1 ({reason}): "
        f'queue "{config.queue}" must exist and get the messages; say so with declare_queue = false'
    )
