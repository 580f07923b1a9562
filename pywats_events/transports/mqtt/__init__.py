"""MQTT: messages of small testers, controllers and gateways."""

from __future__ import annotations

from pywats_events.transports.mqtt.config import MQTTBroker, MQTTConfig, Subscription
from pywats_events.transports.mqtt.transport import MQTTTransport
from pywats_events.transports.mqtt.troubles import BrokerGone, PublishRefused

__all__ = ["BrokerGone", "MQTTBroker", "MQTTConfig", "MQTTTransport", "PublishRefused", "Subscription"]
