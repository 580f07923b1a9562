"""An intake that writes down what a transport gives it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pywats_events.message import Adapter, RawMessage


class Recorder:
    """Takes messages in as the bus does; the test decides when, and what becomes of them.

    Attributes:
        messages: what was taken in, oldest first.
        states: "connected" and "disconnected", with what was said.
        acknowledges: acknowledge each message as it is taken.
        error: raised in place of taking a message.
    """

    def __init__(self, *, acknowledges: bool = True) -> None:
        self.messages: list[RawMessage] = []
        self.states: list[tuple[str, str]] = []
        self.acknowledges = acknowledges
        self.error: Exception | None = None
        self.waiting = 0
        self._open = asyncio.Event()
        self._open.set()
        self._changed = asyncio.Condition()

    @property
    def bodies(self) -> list[bytes]:
        """The bodies of what was taken in."""
        return [message.body for message in self.messages]

    def hold(self) -> None:
        """Let messages wait from now on, as behind a full backlog."""
        self._open.clear()

    def go_on(self) -> None:
        """Take what waits."""
        self._open.set()

    async def receive(self, message: RawMessage, *, adapter: Adapter | None = None) -> None:  # noqa: ARG002
        """Take a message in."""
        self.waiting += 1
        await self._notify()
        try:
            await self._open.wait()
        finally:
            self.waiting -= 1
        if self.error is not None:
            raise self.error
        self.messages.append(message)
        if self.acknowledges:
            await message.ack()
        await self._notify()

    async def handled(self, event_id: str) -> None:
        """Say that all is handled: there are no handlers."""

    async def connected(self, transport: str, detail: str) -> None:  # noqa: ARG002
        """Note that the transport can receive."""
        self.states.append(("connected", detail))
        await self._notify()

    async def disconnected(self, transport: str, reason: str) -> None:  # noqa: ARG002
        """Note that it can't."""
        self.states.append(("disconnected", reason))
        await self._notify()

    async def until(self, condition: Callable[[], bool], *, seconds: float = 60.0) -> None:
        """Wait until something holds; it is looked at after each thing that happens here."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(condition)

    async def until_taken(self, count: int) -> None:
        """Wait for so many messages."""
        await self.until(lambda: len(self.messages) >= count)

    async def until_connected(self, times: int = 1) -> None:
        """Wait until the transport said so many times that it can receive."""
        await self.until(lambda: [state for state, _ in self.states].count("connected") >= times)

    async def until_disconnected(self, times: int = 1) -> str:
        """Wait until the transport said so many times that it can't receive; give the last reason."""
        await self.until(lambda: [state for state, _ in self.states].count("disconnected") >= times)
        return [said for state, said in self.states if state == "disconnected"][-1]

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()
