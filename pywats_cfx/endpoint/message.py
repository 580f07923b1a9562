"""Requests and answers as AMQP 1.0 messages, with the properties that the SDK sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from proton import int32

from pywats_cfx.amqp.outgoing import Outgoing
from pywats_cfx.amqp10.message import encode_message
from pywats_cfx.envelope import CFXEnvelope

#: The AMQP message id of every request: a constant. What pairs request and answer is ``RequestID``.
REQUEST_ID: Final = "command-request"


def encode_request(envelope: CFXEnvelope, *, reply_to: str) -> bytes:
    """Write a request, uncompressed.

    Args:
        envelope: the request, with ``request_id``.
        reply_to: address that the answer finds us by.
    """
    outgoing = Outgoing.of(envelope, handle="", compress=False)
    only: dict[str, Any] = {"offset": int32(1)}
    return encode_message(
        replace(outgoing, message_id=REQUEST_ID, reply_to=reply_to, application_properties=only)
    )


def encode_response(envelope: CFXEnvelope, *, correlation_id: Any) -> bytes:
    """Write the answer to a request. It is never compressed.

    Args:
        envelope: the answer.
        correlation_id: the AMQP message id of the request.
    """
    outgoing = Outgoing.of(envelope, handle="", compress=False)
    return encode_message(replace(outgoing, correlation_id=correlation_id))
