"""What brokers call queues and exchanges over AMQP 1.0."""

from __future__ import annotations

import pytest

from pywats_cfx.amqp10.addresses import Product
from pywats_cfx.config import AMQPConfig

CONFIG = AMQPConfig(queue="line 1/ü", exchange="cfx/a")
SUBJECT = "Acme.T1.CFX.Heartbeat"


@pytest.mark.parametrize(
    ("product", "source", "target"),
    [
        ({"product": "RabbitMQ", "version": "3.10.8"}, "/amq/queue/line 1%2Fü", "/exchange/cfx%2Fa"),
        (
            {"product": "RabbitMQ", "version": "4.1.0"},
            "/queues/line%201%2F%C3%BC",
            f"/exchanges/cfx%2Fa/{SUBJECT}",
        ),
        (
            {"product": "RabbitMQ", "version": "5"},
            "/queues/line%201%2F%C3%BC",
            f"/exchanges/cfx%2Fa/{SUBJECT}",
        ),
        ({"product": "apache-activemq-artemis", "version": "2.31"}, "line 1/ü", "cfx/a"),
        ({}, "line 1/ü", "cfx/a"),
    ],
)
def test_addresses_by_product(product: dict[str, str], source: str, target: str):
    """Each broker is spoken to in its own form, by what it says of itself."""
    known = Product.of(product)
    assert known.source(CONFIG) == source
    assert known.target(CONFIG, SUBJECT) == target


def test_addresses_of_the_configuration_win():
    """A given address is left as it is, for every product."""
    given = AMQPConfig(address="topic://cfx", publish_address="/anywhere")
    for product in (Product("RabbitMQ", "3.13"), Product("RabbitMQ", "4.0"), Product()):
        assert (product.source(given), product.target(given, SUBJECT)) == ("topic://cfx", "/anywhere")


def test_nowhere_to_publish_to():
    """Without exchange and address there is no target."""
    assert Product("RabbitMQ", "3.13").target(AMQPConfig(exchange=""), SUBJECT) is None
