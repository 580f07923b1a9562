"""Writes a CFX message as AMQP 1.0 carries it: header, properties of both kinds, one data section."""

from __future__ import annotations

from typing import Any

from proton import Message

from pywats_cfx.amqp.outgoing import CONTENT_TYPE, Outgoing


def encode_message(outgoing: Outgoing) -> bytes:
    """Give all sections of a message, encoded; durable, so that it outlives its broker."""
    message: Any = Message(body=outgoing.body, inferred=True, durable=True)
    message.id = outgoing.message_id
    message.address = outgoing.to
    message.subject = outgoing.subject
    message.reply_to = outgoing.reply_to
    message.correlation_id = outgoing.correlation_id
    message.content_type = CONTENT_TYPE
    message.content_encoding = outgoing.content_encoding
    if outgoing.time is not None:
        message.creation_time = outgoing.time.timestamp()
    message.properties = outgoing.application_properties
    encoded: bytes = message.encode()
    return encoded
