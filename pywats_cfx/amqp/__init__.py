"""CFX over AMQP: the transport, and what both versions of the protocol share."""
