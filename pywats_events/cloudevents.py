"""The adapters for events in CloudEvents JSON, one or a batch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pywats_events.event import Event, EventFormatError, loads
from pywats_events.message import RawMessage, Unreadable


def cloudevents_adapter(message: RawMessage) -> Sequence[Event | Unreadable]:
    """Read a CloudEvents 1.0 JSON document, or an array of them.

    CloudEvents are identified by source and id together: two testers may both count from 1. So an id that is
    not a UUID is given its source.
    """
    parts = own_events_adapter(message)
    for part in parts:
        if isinstance(part, Event) and not _is_uuid(part.id):
            # one that has it came from a bridge: the event that goes from bridge to bridge stays the same
            prefix = f"{part.source}#"
            part.id = part.id if part.id.startswith(prefix) else prefix + part.id
    return parts


def own_events_adapter(message: RawMessage) -> Sequence[Event | Unreadable]:
    """Read what ``Event.to_json`` wrote, one or an array; ids stay as they are."""
    digest = hashlib.sha256(message.body).hexdigest()[:32]
    try:
        document = loads(message.body)
    except EventFormatError as error:
        return [Unreadable(id=digest, reason=str(error), error=EventFormatError.__name__)]
    batch = document if isinstance(document, list) else [document]
    return [_read(one, f"{digest}/{index}", message) for index, one in enumerate(batch)]


def _read(document: Any, identity: str, message: RawMessage) -> Event | Unreadable:
    if not isinstance(document, dict):
        return Unreadable(identity, "CloudEvent: not a JSON object", EventFormatError.__name__)
    try:
        event = Event.from_cloudevent(document)
        _check_writable(event)
    except EventFormatError as error:
        return Unreadable(
            id=identity,
            reason=_plain(error),
            error=type(error).__name__,
            source=_plain(document.get("source") or ""),
            message_name=_plain(document["type"]) if document.get("type") else None,
        )
    if document.get("time") is None:
        event.time = message.received_at
    event.metadata.transport = event.metadata.transport or message.transport
    event.metadata.received_at = event.metadata.received_at or message.received_at
    return event


def _check_writable(event: Event) -> None:
    """Refuse at the door what no journal can write: NaN, numbers without end, half characters."""
    try:
        event.to_json_bytes().decode()
    except (ValueError, RecursionError) as error:
        raise EventFormatError(f"CloudEvent: holds what JSON can't: {error}") from error


def _plain(said: object) -> str:
    """Give a text that can be written wherever a journal keeps it."""
    return str(said).encode(errors="replace").decode()


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
