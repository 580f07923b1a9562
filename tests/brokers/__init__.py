"""Real brokers of the suite's own, and who talks to them: private, throw-away, on loopback."""

from brokers.machine import Machine, encoded_headers
from brokers.rabbitmq import BrokerUnavailable, RabbitMQ

__all__ = ["BrokerUnavailable", "Machine", "RabbitMQ", "encoded_headers"]
