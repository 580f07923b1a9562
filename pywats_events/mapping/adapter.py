"""The adapter that reads each message as its address wants it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from pywats_events.cloudevents import cloudevents_adapter, own_events_adapter
from pywats_events.event import Event
from pywats_events.mapping.fitting import fitting
from pywats_events.mapping.mapping import MessageMapping
from pywats_events.mapping.reading import Reading
from pywats_events.mapping.topics import TopicPattern
from pywats_events.message import Adapter, RawMessage, Unreadable

#: Formats that need no other package.
FORMATS: Final[Mapping[str, Adapter]] = {
    "cloudevents": fitting(cloudevents_adapter),
    "events": fitting(own_events_adapter),
}

#: Addresses whose reading is remembered: those of a factory are few, and each comes again and again.
_MOST_REMEMBERED: Final = 4096
_LONGEST_REMEMBERED: Final = 512

_Way: TypeAlias = tuple[
    Callable[[RawMessage, Mapping[str, str]], Sequence[Event | Unreadable]], dict[str, str]
]


def adapter_of(
    readings: Sequence[tuple[TopicPattern, Reading]], *, formats: Mapping[str, Adapter]
) -> Adapter:
    """Make the adapter that reads a message by the first pattern that matches its address.

    Args:
        readings: patterns, each with how its messages are read.
        formats: adapters of formats that are not known here (``cfx``, ``sparkplug``).

    Raises:
        ValueError: a reading can't be used; the text names its pattern and the field.
    """
    known = {**FORMATS, **formats}
    ways = [(pattern, _way_of(pattern, reading, known)) for pattern, reading in readings]
    remembered: dict[str, _Way | None] = {}

    def find(address: str) -> _Way | None:
        for pattern, way in ways:
            parts = pattern.match(address)
            if parts is not None:
                return way, parts
        return None

    def read(message: RawMessage) -> Sequence[Event | Unreadable]:
        address = message.address
        try:
            found = remembered[address]
        except KeyError:
            found = find(address)
            if len(remembered) >= _MOST_REMEMBERED:
                remembered.clear()
            if len(address) <= _LONGEST_REMEMBERED:
                remembered[address] = found
        if found is None:
            return [_unread(message)]
        way, parts = found
        return way(message, parts)

    return read


def _way_of(
    pattern: TopicPattern, reading: Reading, known: Mapping[str, Adapter]
) -> Callable[[RawMessage, Mapping[str, str]], Sequence[Event | Unreadable]]:
    if reading.is_mapped:
        return MessageMapping.of(reading, rule=pattern.text, parts=pattern.parts)
    adapter = known.get(reading.format or "")
    if adapter is None:
        names = ", ".join(["json", *sorted(known)])
        raise ValueError(f'{pattern.text}: there is no format "{reading.format}"; there are {names}')
    return lambda message, _parts: adapter(message)


def _unread(message: RawMessage) -> Unreadable:
    digest = hashlib.sha256(f"{message.address}\0".encode(errors="surrogatepass") + message.body).hexdigest()
    shown = message.address[:200].encode(errors="replace").decode()
    return Unreadable(
        id=f"{digest[:32]}/unreadable",
        reason=f'nothing is configured to read messages from "{shown}": add a subscription or hook for it',
        error="NoMapping",
        source=message.address or message.transport,
    )
