"""CFX over AMQP 0-9-1."""

from pywats_cfx.amqp.tally import Tally
from pywats_cfx.amqp.transport import CFXTransport

__all__ = ["CFXTransport", "Tally"]
