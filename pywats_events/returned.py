"""Events that went out by a way of ours and come in again: they must not go round for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog

from pywats_events.event import Event
from pywats_events.message import Adapter, RawMessage, Unreadable

log = structlog.get_logger(__name__)

#: Header of HTTP calls, and user property of MQTT 5, that says by which way a message went out.
SENT_BY: Final = "pywats-bridge-sent-by"


def without_returned(adapter: Adapter, marks: Mapping[str, str], *, is_heard: bool) -> Adapter:
    """Give an adapter that makes no events of what went out by a way of ours.

    Args:
        adapter: reads the messages.
        marks: our ways out: the mark of each, and its name.
        is_heard: whether the sender, which is ourselves, hears what is wrong with a message. If so the event
            is refused, and its delivery is a dead letter that says why. Else it is left out: a dead letter
            at this end is an event that may go out, and so come in, itself.
    """
    if not marks:
        return adapter
    told: set[str] = set()

    def others(message: RawMessage) -> Sequence[Event | Unreadable]:
        mark = _mark_of(message.properties)
        name = marks.get(mark) if mark is not None else None
        if mark is None or name is None:
            return adapter(message)
        if is_heard:
            reason = (
                f'went out by outgoing "{name}" and came in again at {message.address}, which would go on '
                "for ever; let it lead to another system"
            )
            return [Unreadable(id=mark, reason=reason, error="Returned", source=message.address)]
        if mark not in told:
            told.add(mark)
            log.warning(
                "events come in again that went out; they are left out",
                outgoing=name,
                transport=message.transport,
                address=message.address,
            )
        return []

    return others


def _mark_of(properties: Mapping[str, Any]) -> str | None:
    added = properties.get("user_properties")
    found = added.get(SENT_BY) if isinstance(added, Mapping) else properties.get(SENT_BY)
    return found if isinstance(found, str) else None
