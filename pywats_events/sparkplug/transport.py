"""A transport whose Sparkplug messages are followed by a host."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol, runtime_checkable

import structlog

from pywats_events.message import Adapter, RawMessage
from pywats_events.sparkplug.host import SparkplugHost
from pywats_events.sparkplug.topics import NAMESPACE
from pywats_events.transports.base import BaseTransport, Intake

log = structlog.get_logger(__name__)

#: Seconds after which a command that could not be sent is given up.
PATIENCE: Final = 10.0


@runtime_checkable
class Publisher(Protocol):
    """A transport that can publish."""

    async def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """Publish a message; raises what its transport raises when it can't."""


class SparkplugTransport(BaseTransport):
    """Stands before another transport, and lets a host see its Sparkplug messages first.

    All other messages go through untouched. It has the name and the adapter of the other one, which must read
    Sparkplug by ``host.adapter``. Nodes are asked for their births if the other one can publish.

    Args:
        inner: the transport that has the connection. It must call ``receive`` in the order of arrival and for
            several messages at a time, and must have all messages of a node: no shared subscription.
        host: follows births and deaths.
    """

    def __init__(self, inner: BaseTransport, host: SparkplugHost) -> None:
        self.name = inner.name
        self.adapter: Adapter = inner.adapter
        self._inner = inner
        self._host = host
        self._sending: set[asyncio.Task[None]] = set()

    async def start(self, intake: Intake) -> None:
        """Begin to receive."""
        if isinstance(self._inner, Publisher):
            self._host.send = self._send
        await self._inner.start(_HostedIntake(intake, self._host))

    async def stop(self) -> None:
        """Take no more messages. What waits for a birth goes on without."""
        self._host.send = None
        self._host.give_up()
        await self._inner.stop()
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def close(self) -> None:
        """Let the connection go."""
        await self._inner.close()

    def _send(self, topic: str, payload: bytes) -> None:
        task = asyncio.create_task(self._publish(topic, payload), name=f"command to {topic}")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _publish(self, topic: str, payload: bytes) -> None:
        assert isinstance(self._inner, Publisher)  # noqa: S101  # or nothing would be sent
        try:
            async with asyncio.timeout(PATIENCE):
                await self._inner.publish(topic, payload, qos=0, retain=False)
        except Exception as error:  # noqa: BLE001  # whatever a transport raises: the node is asked again later
            said = f"{type(error).__name__}: {error}"
            log.warning("command could not be sent", transport=self.name, topic=topic, error=said)


class _HostedIntake:
    """The bus, with a host before it."""

    def __init__(self, intake: Intake, host: SparkplugHost) -> None:
        self._intake = intake
        self._host = host

    async def receive(self, message: RawMessage, *, adapter: Adapter | None = None) -> None:
        if message.address.startswith(f"{NAMESPACE}/"):
            await self._host.prepare(message)
        await self._intake.receive(message, adapter=adapter)

    async def handled(self, event_id: str) -> None:
        await self._intake.handled(event_id)

    async def connected(self, transport: str, detail: str) -> None:
        await self._intake.connected(transport, detail)
        self._host.connected()

    async def disconnected(self, transport: str, reason: str) -> None:
        self._host.disconnected()
        await self._intake.disconnected(transport, reason)
