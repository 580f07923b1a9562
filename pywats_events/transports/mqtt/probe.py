"""Looking whether a broker lets us in as the configuration says, without touching our session."""

from __future__ import annotations

import ssl

from paho.mqtt.client import MQTTMessage

from pywats_events.transports.mqtt.config import MQTTConfig
from pywats_events.transports.mqtt.connection import Connection
from pywats_events.transports.mqtt.troubles import BrokerEnds, BrokerGone, BrokerRefuses, explain
from pywats_events.transports.mqtt.wire import Oversized


class BrokerUnfit(Exception):  # noqa: N818  # says a state
    """The broker can't be used; the text says why and what to do."""


async def probe(config: MQTTConfig) -> str:
    """Connect and log in. Nothing is subscribed to: that would bring messages, or take them from others.

    It is done under another client id, ``client_id`` with ``-check``, so that a bridge that runs is not
    thrown out, with a session that ends at once and no word on the status topic.

    Args:
        config: the broker; of those for fail-over each is to be asked by itself (``config.brokers``).

    Returns:
        What is there, in one line.

    Raises:
        BrokerUnfit: it can't be used as configured.
    """
    guest = config.model_copy(
        update={"client_id": f"{config.client_id}-check", "session_expiry": 0, "status_topic": ""}
    )
    connection = Connection(guest, on_message=_ignore, on_oversized=_pass, keeps_session=False)
    try:
        await connection.open()
    except (OSError, ssl.SSLError, TimeoutError, BrokerRefuses, BrokerGone, BrokerEnds) as error:
        raise BrokerUnfit(explain(error, config)) from error
    finally:
        await connection.close()
    return f"lets us in with MQTT {config.protocol}"


def _ignore(_: MQTTMessage, __: bytes, ___: int) -> None:
    """Nothing comes: nothing is subscribed to."""


def _pass(_: Oversized) -> None:
    """Nothing comes: nothing is subscribed to."""
