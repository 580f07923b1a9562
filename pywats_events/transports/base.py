"""What every transport is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from pywats_events.message import Adapter, RawMessage


class Intake(Protocol):
    """Where a transport delivers what it received. The bus gives it to ``BaseTransport.start``."""

    async def receive(self, message: RawMessage, *, adapter: Adapter | None = None) -> None:
        """Take a message in; ``adapter`` reads it in place of the transport's own.

        Returns when the journal has it; the message is acknowledged then, or, where the journal is not
        durable, as soon as its deliveries are settled. Waits while the backlog is above its limit: that wait
        is the back-pressure. When it raises ``JournalError`` or is cancelled the message was not taken and
        the transport releases it.

        Messages are journalled in the order in which ``receive`` was called.
        """

    async def handled(self, event_id: str) -> None:
        """Return when each handler of an event has run, whatever came of it."""

    async def connected(self, transport: str, detail: str) -> None:
        """Say that a transport can receive; ``detail`` names the other side, without secrets."""

    async def disconnected(self, transport: str, reason: str) -> None:
        """Say that a transport can't receive for now, and why."""


class BaseTransport(ABC):
    """A source of messages. It owns its connection and its tasks.

    Attributes:
        name: identity among the transports of a bus.
        adapter: makes events of its messages.
    """

    name: str
    adapter: Adapter

    @abstractmethod
    async def start(self, intake: Intake) -> None:
        """Begin to receive.

        Called once, on the bus's loop. Returns without waiting for a first connection: a source that is
        away now is connected to when it comes back, which is told by ``intake.connected``. Raises
        ``ValueError`` only for a setting that can never work.
        """

    @abstractmethod
    async def stop(self) -> None:
        """Take no more messages, release what was received and not taken in, close the connection.

        Messages that the intake has but that are not acknowledged yet may still be acknowledged by the bus
        before it calls ``close``.
        """

    async def close(self) -> None:  # noqa: B027  # nothing to close is a fine answer
        """Let the connection go. Called after ``stop``, when nothing will be acknowledged any more."""
