"""The adapter for our own events in CloudEvents JSON, one or a batch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from pywats_events.event import Event, EventFormatError
from pywats_events.message import RawMessage, Unreadable


def cloudevents_adapter(message: RawMessage) -> Sequence[Event | Unreadable]:
    """Read a CloudEvents 1.0 JSON document, or an array of them."""
    digest = hashlib.sha256(message.body).hexdigest()[:32]
    try:
        document = json.loads(message.body)
    except (ValueError, RecursionError) as error:
        return [Unreadable(id=digest, reason=f"not JSON: {error}", error=EventFormatError.__name__)]
    batch = document if isinstance(document, list) else [document]
    return [_read(one, f"{digest}/{index}", message) for index, one in enumerate(batch)]


def _read(document: object, identity: str, message: RawMessage) -> Event | Unreadable:
    if not isinstance(document, dict):
        return Unreadable(
            id=identity, reason="CloudEvent: not a JSON object", error=EventFormatError.__name__
        )
    try:
        event = Event.from_cloudevent(document)
    except EventFormatError as error:
        return Unreadable(id=identity, reason=str(error), error=type(error).__name__)
    event.metadata.transport = event.metadata.transport or message.transport
    event.metadata.received_at = event.metadata.received_at or message.received_at
    return event
