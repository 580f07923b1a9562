"""MQTT: messages of small testers, controllers and gateways.

The client is loaded when it is first asked for: reading a configuration needs none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pywats_events.transports.mqtt.config import MQTTBroker, MQTTConfig, Subscription
    from pywats_events.transports.mqtt.transport import MQTTTransport
    from pywats_events.transports.mqtt.troubles import BrokerGone, PublishRefused

_HOME: Final = {
    "BrokerGone": "troubles",
    "MQTTBroker": "config",
    "MQTTConfig": "config",
    "MQTTTransport": "transport",
    "PublishRefused": "troubles",
    "Subscription": "config",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    member = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = member
    return member


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = ["BrokerGone", "MQTTBroker", "MQTTConfig", "MQTTTransport", "PublishRefused", "Subscription"]
