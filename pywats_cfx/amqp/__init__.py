"""CFX over AMQP: the transport, and what both versions of the protocol share."""

from pywats_cfx.amqp.tally import Tally
from pywats_cfx.amqp.transport import CFXTransport

__all__ = ["CFXTransport", "Tally"]
