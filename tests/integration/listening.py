"""A bus that listens to machines, with journals that do as a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pywats_cfx.amqp10.listener import CFXListener
from pywats_cfx.config import CFXConfig
from pywats_cfx.endpoint.endpoint import Endpoint
from pywats_events import AsyncEventBus, Event, EventType
from pywats_events.journal import Appended, JournalError, Receipt
from pywats_events.journal.memory import MemoryJournal
from pywats_events.questions import UnitValidator

HANDLE = "Acme.MES.1"
SECONDS = 20.0


class Durable(MemoryJournal):
    """Says that it survives, so that messages are acknowledged as soon as they are written."""

    durable = True


class Refusing(Durable):
    """Takes nothing while it is told to refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses = True

    async def append(self, receipts: Sequence[Receipt]) -> list[Appended]:
        """Append, or not."""
        if self.refuses and any(receipt.raw is not None for receipt in receipts):
            raise JournalError("disk is full; free some space")
        return await super().append(receipts)


class HeldUp(Durable):
    """Lets the test decide when messages are written."""

    def __init__(self) -> None:
        super().__init__()
        self.commit = asyncio.Event()
        self.asked = asyncio.Event()

    async def append(self, receipts: Sequence[Receipt]) -> list[Appended]:
        """Append when it may."""
        if any(receipt.raw is not None for receipt in receipts):
            self.asked.set()
            await self.commit.wait()
        return await super().append(receipts)


@dataclass
class Listening:
    """A bus with a listener.

    Attributes:
        events: what came in, without what the bus says of itself.
    """

    bus: AsyncEventBus
    listener: CFXListener
    events: list[Event]
    came: asyncio.Event

    @property
    def uri(self) -> str:
        """Where it listens."""
        assert self.listener.uri is not None
        return self.listener.uri

    async def saw(self, number: int) -> list[Event]:
        """Wait until so many events came in."""
        async with asyncio.timeout(SECONDS):
            while len(self.events) < number:
                self.came.clear()
                await self.came.wait()
        return self.events


@asynccontextmanager
async def listening(
    *,
    journal: MemoryJournal | None = None,
    validator: UnitValidator | None = None,
    options: dict[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[Listening]:
    """Listen on a free port.

    Args:
        journal: default: one that says it survives.
        validator: answers questions about units.
        options: of the listener.
        settings: of the endpoint.
    """
    config = CFXConfig.model_validate(
        {"endpoint": {"cfx_handle": HANDLE, "listen": "amqp://127.0.0.1:0", **settings}}
    )
    endpoint = Endpoint(config.endpoint, validator=validator)
    listener = CFXListener(config, endpoint=endpoint, **(options or {}))
    bus = AsyncEventBus(journal=journal or Durable())
    bus.register_transport(listener)
    events: list[Event] = []
    came = asyncio.Event()

    @bus.on_event
    def note(event: Event) -> None:
        if event.event_type not in (EventType.TRANSPORT_CONNECTED, EventType.TRANSPORT_DISCONNECTED):
            events.append(event)
            came.set()

    async with bus:
        async with asyncio.timeout(SECONDS):
            await listener.listening()
        yield Listening(bus, listener, events, came)
