"""The adapter that reads each message as its address wants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pywats_events.event import Event
from pywats_events.mapping.reading import Reading
from pywats_events.mapping.topics import TopicPattern
from pywats_events.message import Adapter, RawMessage, Unreadable


def adapter_of(
    readings: Sequence[tuple[TopicPattern, Reading]], *, formats: Mapping[str, Adapter]
) -> Adapter:
    """Make the adapter that reads a message by the first pattern that matches its address.

    Args:
        readings: patterns, each with how its messages are read.
        formats: adapters of formats that are not known here.

    Raises:
        ValueError: a reading can't be used.
    """

    def read(message: RawMessage) -> Sequence[Event | Unreadable]:
        for pattern, reading in readings:
            if pattern.match(message.address) is not None:
                return formats[reading.format or "events"](message)
        return [Unreadable(id=message.address, reason="nothing reads it", error="NoMapping")]

    return read
