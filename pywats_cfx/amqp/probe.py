"""Looking whether a broker is as the configuration says, without changing anything on it."""

from __future__ import annotations

from pywats_cfx.amqp.troubles import BrokerUnfit, without_name
from pywats_cfx.amqp10 import ProtonMissing, require_proton
from pywats_cfx.config import AMQPConfig


async def probe(config: AMQPConfig) -> str:
    """Connect, log in and look for queue and exchange.

    Returns:
        What is there, in one line.

    Raises:
        BrokerUnfit: it can't be used as configured. Its text leaves it to the caller to name the broker.
    """
    # each protocol's library for those only who speak it
    if config.protocol == "0-9-1":
        from pywats_cfx.amqp091.probe import probe as look  # noqa: PLC0415
    else:
        try:
            require_proton()
        except ProtonMissing as error:
            raise BrokerUnfit(str(error)) from error
        from pywats_cfx.amqp10.probe import probe as look  # noqa: PLC0415
    try:
        return await look(config)
    except BrokerUnfit as error:
        raise BrokerUnfit(without_name(str(error), config)) from error.__cause__
