"""What a transport hands over, and what an adapter makes of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from pywats_events.event import Event


async def _nothing() -> None:
    """Acknowledge to a source that waits for nothing."""


@dataclass(slots=True)
class RawMessage:
    """One message as it came, before anybody read it.

    Attributes:
        body: the bytes, still encoded.
        content_type: media type that the sender gave, if any.
        content_encoding: ``gzip`` or such, if any.
        transport: name of the receiving transport.
        address: routing key, topic or path.
        properties: what the broker or server said besides, as JSON data.
        received_at: when it arrived, with time zone. A naive time is taken as UTC.
        ack: tells the source that the message is safe. Called at most once, never before the journal has it.
        release: gives the message back to the source unharmed (shutdown, full journal). Called at most once,
            and never after ``ack``.
    """

    body: bytes
    content_type: str | None = None
    content_encoding: str | None = None
    transport: str = ""
    address: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ack: Callable[[], Awaitable[None]] = _nothing
    release: Callable[[], Awaitable[None]] = _nothing

    def __post_init__(self) -> None:
        if self.received_at.tzinfo is None:
            self.received_at = self.received_at.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message, or one part of a batch, that no event could be made of. It becomes a dead letter.

    Attributes:
        id: identity, the same each time the same bytes arrive.
        reason: what is wrong and in which field, for people.
        error: name of the error's class, by which dead letters are grouped.
        source: who sent it, as far as that could be read.
        message_name: what it called itself, as far as that could be read.
    """

    id: str
    reason: str
    error: str
    source: str = ""
    message_name: str | None = None


#: A pure function: no I/O, no clock, the same answer for the same message. It raises nothing.
Adapter: TypeAlias = Callable[[RawMessage], Sequence[Event | Unreadable]]
