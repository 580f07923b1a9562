"""Real brokers of the suite's own: private, throw-away, on loopback."""

from brokers.rabbitmq import BrokerUnavailable, RabbitMQ

__all__ = ["BrokerUnavailable", "RabbitMQ"]
