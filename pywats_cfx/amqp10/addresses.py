"""What brokers call the place that is read or published to. AMQP 1.0 leaves that to each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from pywats_cfx.config import AMQPConfig

#: The first RabbitMQ with the second form of addresses.
_SECOND_FORM: Final = 4


@dataclass(frozen=True, slots=True)
class Product:
    """What a broker is, by the properties of its ``open``.

    Attributes:
        name: ``RabbitMQ`` for instance; empty when it does not say.
        version: as it writes it.
    """

    name: str = ""
    version: str = ""

    @classmethod
    def of(cls, properties: Mapping[str, Any]) -> Product:
        """Read the properties of its ``open``."""
        return cls(str(properties.get("product", "")), str(properties.get("version", "")))

    @property
    def is_rabbitmq(self) -> bool:
        """True for RabbitMQ, which has queues, exchanges and bindings, and AMQP 0-9-1 on the same port."""
        return self.name.lower() == "rabbitmq"

    @property
    def second_form(self) -> bool:
        """True for RabbitMQ 4 and later."""
        major = self.version.partition(".")[0]
        return self.is_rabbitmq and major.isdecimal() and int(major) >= _SECOND_FORM

    def source(self, config: AMQPConfig) -> str:
        """Give the address to read from."""
        if config.address is not None:
            return config.address
        if self.second_form:
            return f"/queues/{_escaped(config.queue)}"
        if self.is_rabbitmq:
            return f"/amq/queue/{_without_slash(config.queue)}"
        return config.queue

    def makes_queue(self, source: str) -> bool:
        """True for an address at which each link that reads gets a new queue; RabbitMQ 3 keeps them all."""
        return self.is_rabbitmq and source.startswith(("/exchange/", "/topic/"))

    def target(self, config: AMQPConfig, subject: str) -> str | None:
        """Give the address to publish to; None where the configuration names neither address nor exchange.

        Args:
            config: the broker.
            subject: of the message. RabbitMQ 4 takes the key from the address, others from the message.
        """
        if config.publish_address is not None:
            return config.publish_address
        if not config.exchange:
            return None
        if self.second_form:
            return f"/exchanges/{_escaped(config.exchange)}/{_escaped(subject)}"
        if self.is_rabbitmq:
            return f"/exchange/{_without_slash(config.exchange)}"
        return config.exchange


def _without_slash(name: str) -> str:
    """Escape as RabbitMQ 3 wants it: it takes every other letter, and ``%`` too, as it stands."""
    return name.replace("/", "%2F")


def _escaped(name: str) -> str:
    return quote(name, safe="")
