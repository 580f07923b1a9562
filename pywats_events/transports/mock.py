"""A transport without a network, for tests and demonstrations."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from pywats_events.cloudevents import cloudevents_adapter, own_events_adapter
from pywats_events.event import Event
from pywats_events.message import Adapter, RawMessage
from pywats_events.transports.base import BaseTransport, Intake


class MockTransport(BaseTransport):
    """Takes events and messages from the program itself and sends them the way that all others go.

    Args:
        name: identity among the transports of a bus.
        adapter: reads the injected messages. Default: CloudEvents JSON.
    """

    def __init__(self, *, name: str = "mock", adapter: Adapter = cloudevents_adapter) -> None:
        self.name = name
        self.adapter = adapter
        self._intake: Intake | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self, intake: Intake) -> None:
        """Begin to take injected events."""
        self._intake, self._loop = intake, asyncio.get_running_loop()
        await intake.connected(self.name, "in process")

    async def stop(self) -> None:
        """Take no more."""
        self._intake = None

    def inject_event(self, event: Event, *, timeout: float = 30.0) -> None:
        """Send an event from plain synchronous code; return when every handler has run.

        Args:
            event: what to send; its payload must be JSON data.
            timeout: seconds to wait for the handlers.

        Raises:
            RuntimeError: the bus is not started, or this is called on the bus's own loop.
            TimeoutError: the handlers did not finish in time; the event stays with the bus.
        """
        self._from_outside(self.inject_event_async(event, timeout=timeout))

    async def inject_event_async(self, event: Event, *, timeout: float = 30.0) -> None:  # noqa: ASYNC109  # as the sync one
        """Send an event on the bus's loop; return when every handler has run."""
        intake = self._started()
        message = RawMessage(
            body=event.to_json().encode(),
            content_type="application/cloudevents+json",
            transport=self.name,
            address=event.source,
        )
        # an event has one meaning whatever this transport's messages are, so it is never read by its adapter
        await intake.receive(message, adapter=own_events_adapter)
        async with asyncio.timeout(timeout):
            await intake.handled(event.id)

    def inject_message(self, message: RawMessage) -> None:
        """Send a raw message from plain synchronous code; return when the journal has it."""
        self._from_outside(self.inject_message_async(message))

    async def inject_message_async(self, message: RawMessage) -> None:
        """Send a raw message on the bus's loop; return when the journal has it."""
        message.transport = self.name
        await self._started().receive(message)

    def _started(self) -> Intake:
        if self._intake is None:
            raise RuntimeError(
                f'transport "{self.name}" is not running: register it with a bus and start the bus'
            )
        return self._intake

    def _from_outside(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if self._loop is None or self._intake is None or here is self._loop:
            work.close()
            self._started()
            raise RuntimeError("on the bus's own loop, await the method that ends in _async instead")
        asyncio.run_coroutine_threadsafe(work, self._loop).result()
