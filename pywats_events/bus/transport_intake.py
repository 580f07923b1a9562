"""The bus as one transport sees it."""

from __future__ import annotations

from typing import Protocol

import structlog

from pywats_events.event import EventType
from pywats_events.journal import Appended
from pywats_events.message import Adapter, RawMessage
from pywats_events.transports.base import BaseTransport

log = structlog.get_logger(__name__)


class _Bus(Protocol):
    async def receive(self, message: RawMessage, adapter: Adapter) -> Appended: ...

    async def handled(self, event_id: str) -> None: ...

    def tell_of_transport(self, event_type: EventType, transport: str, said: str) -> None: ...


class TransportIntake:
    """The bus as one transport sees it (see ``transports.Intake``)."""

    def __init__(self, bus: _Bus, transport: BaseTransport) -> None:
        self._bus = bus
        self._transport = transport

    async def receive(self, message: RawMessage, *, adapter: Adapter | None = None) -> None:
        """Take a message in."""
        await self._bus.receive(message, adapter or self._transport.adapter)

    async def handled(self, event_id: str) -> None:
        """Return when each handler of an event has run."""
        await self._bus.handled(event_id)

    async def connected(self, transport: str, detail: str) -> None:
        """Say that the transport can receive."""
        log.info("transport can receive", transport=transport, detail=detail)
        self._bus.tell_of_transport(EventType.TRANSPORT_CONNECTED, transport, detail)

    async def disconnected(self, transport: str, reason: str) -> None:
        """Say that the transport can't receive, and why."""
        log.warning("transport can't receive for now", transport=transport, reason=reason)
        self._bus.tell_of_transport(EventType.TRANSPORT_DISCONNECTED, transport, reason)
