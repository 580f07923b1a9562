"""What a CFX message is sent with, over AMQP of either version: as the standard's own endpoints send it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pywats_cfx.codec import encode
from pywats_cfx.envelope import CFXEnvelope

#: What endpoints call the content of a message.
CONTENT_TYPE: Final = 'application/json; charset="utf-8"'
_GZIP: Final = "gzip"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message ready to be put into AMQP.

    Attributes:
        body: the encoded envelope.
        content_encoding: ``gzip``, or None.
        subject: ``<Source>.<MessageName>``, which brokers route by.
        message_id: the envelope's UniqueID.
        to: the handle that is asked, if any.
        reply_to: the sender's handle.
        correlation_id: the envelope's RequestID, if any.
        time: when the thing happened.
        application_properties: topic, message, handle and target for filters.
    """

    body: bytes
    content_encoding: str | None
    subject: str
    message_id: str | None
    to: str | None
    reply_to: str
    correlation_id: str | None
    time: datetime | None
    application_properties: dict[str, str | None]

    @classmethod
    def of(cls, envelope: CFXEnvelope, *, handle: str, compress: bool = True) -> Outgoing:
        """Make one of an envelope.

        Args:
            envelope: the message.
            handle: its sender where the envelope names none.
            compress: with gzip, as endpoints do by default.

        Raises:
            ValueError: its body holds what JSON can't.
        """
        source = envelope.source or handle
        content_encoding = _GZIP if compress else None
        return cls(
            body=encode(envelope, content_encoding=content_encoding),
            content_encoding=content_encoding,
            subject=f"{source}.{envelope.message_name}",
            message_id=envelope.unique_id,
            to=envelope.target,
            reply_to=source,
            correlation_id=envelope.request_id,
            time=envelope.time_stamp,
            application_properties={
                "cfx-topic": envelope.message_name.rpartition(".")[0],
                "cfx-message": envelope.message_name,
                "cfx-handle": source,
                "cfx-target": envelope.target,
            },
        )
