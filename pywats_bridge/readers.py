"""What reads the messages of each transport, as the configuration says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pywats_bridge.settings import BridgeSettings, ConfigurationError, MQTTSettings
from pywats_cfx import cfx_adapter
from pywats_cfx.endpoint.presence import without_own
from pywats_events.mapping import Reading, TopicPattern, adapter_of
from pywats_events.message import Adapter
from pywats_events.returned import without_returned
from pywats_events.sparkplug import SparkplugHost, SparkplugSettings, SparkplugTransport
from pywats_events.transports.base import BaseTransport
from pywats_events.transports.webhook.config import HookConfig
from pywats_events.transports.webhook.reading import HookAdapter

#: Names of the transports, by which dead letters and captures find who reads them again.
CFX: Final = "cfx"
CFX_LISTENER: Final = "cfx-listener"
MQTT: Final = "mqtt"
WEBHOOK: Final = "webhook"

_SPARKPLUG: Final = "sparkplug"


@dataclass(frozen=True, slots=True)
class Readers:
    """What reads messages.

    Attributes:
        adapters: by the names of the transports that the messages come by, as the transports take them.
        sparkplug: follows the nodes of Sparkplug B; None: nothing is configured that speaks it.
        hooks: the webhooks; what their transport does before it reads is ``of_kept``'s.
    """

    adapters: Mapping[str, Adapter]
    sparkplug: SparkplugHost | None = None
    hooks: tuple[HookConfig, ...] = ()

    @property
    def of_kept(self) -> dict[str, Adapter]:
        """The adapters for messages that were kept as they came: in a capture, for instance."""
        adapters = dict(self.adapters)
        if WEBHOOK in adapters:
            adapters[WEBHOOK] = HookAdapter(self.hooks, adapters[WEBHOOK])
        return adapters

    def before(self, transport: BaseTransport) -> BaseTransport:
        """Let the Sparkplug host, where there is one, see a transport's messages first."""
        return transport if self.sparkplug is None else SparkplugTransport(transport, self.sparkplug)


def formats(sparkplug: SparkplugHost | None = None) -> dict[str, Adapter]:
    """Give the adapters of the formats that subscriptions and hooks may name beside those of mappings.

    Args:
        sparkplug: follows the nodes whose messages are read; None: nothing is known of births.
    """
    host = sparkplug or SparkplugHost(SparkplugSettings())
    return {"cfx": cfx_adapter, _SPARKPLUG: host.adapter}


def readers_of(settings: BridgeSettings) -> Readers:
    """Make what reads messages.

    Raises:
        ConfigurationError: a mapping can't be used.
    """
    adapters: dict[str, Adapter] = {}
    host: SparkplugHost | None = None
    hooks: tuple[HookConfig, ...] = ()
    marks = {rule.mark: rule.name for rule in settings.outgoing}
    if settings.cfx is not None:
        own = settings.cfx.endpoint.cfx_handle
        adapters[CFX] = without_own(cfx_adapter, own) if own else cfx_adapter
        adapters[CFX_LISTENER] = cfx_adapter
    if settings.mqtt is not None:
        host = _host_of(settings.mqtt)
        readings = [(one.pattern, one) for one in settings.mqtt.subscriptions]
        mqtt = _adapter("mqtt.subscriptions", readings, host)
        adapters[MQTT] = without_returned(mqtt, marks, is_heard=False)
    if settings.webhook is not None:
        called = _adapter("webhook.hooks", settings.webhook.readings, None)
        adapters[WEBHOOK] = without_returned(called, marks, is_heard=True)
        hooks = settings.webhook.hooks
    return Readers(adapters, host, hooks)


def _host_of(settings: MQTTSettings) -> SparkplugHost | None:
    if all(one.format != _SPARKPLUG for one in settings.subscriptions):
        return None
    return SparkplugHost(settings.sparkplug)


def _adapter(
    key: str, readings: Sequence[tuple[TopicPattern, Reading]], host: SparkplugHost | None
) -> Adapter:
    try:
        return adapter_of(readings, formats=formats(host))
    except ValueError as error:
        raise ConfigurationError([f"{key}: {error}"]) from None
