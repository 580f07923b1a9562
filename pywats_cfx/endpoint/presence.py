"""Our presence at a broker: that we are there, alive, leaving, and who we are when all are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final, Protocol, TypeAlias

import structlog

from pywats_cfx import messages as cfx
from pywats_cfx.amqp.troubles import PublishFailed
from pywats_cfx.codec import decode_each
from pywats_cfx.endpoint.endpoint import Endpoint
from pywats_cfx.envelope import CFXEnvelope
from pywats_cfx.errors import CFXDecodeError
from pywats_events.event import Event
from pywats_events.message import Adapter, RawMessage, Unreadable
from pywats_events.transports.base import BaseTransport, Intake

log = structlog.get_logger(__name__)

#: Gives our own faults, those that are active now.
Faults: TypeAlias = Callable[[], Awaitable[Sequence[cfx.Fault]]]

_WHO: Final = "CFX.WhoIsThereRequest"
#: Questions to all that are answered at one time; who asks more often hears nothing.
_MOST_ANSWERS: Final = 8
#: Seconds that our goodbye may take.
_GOODBYE: Final = 2.0


class Publisher(Protocol):
    """A transport that also publishes, ``CFXTransport`` for instance."""

    name: str
    adapter: Adapter

    async def start(self, intake: Intake) -> None:
        """Begin to receive."""

    async def stop(self) -> None:
        """Take no more."""

    async def close(self) -> None:
        """Let the connection go."""

    async def publish(self, *envelopes: CFXEnvelope) -> None:
        """Publish, and return when the broker has it. Raises ``PublishFailed``."""


class Presence(BaseTransport):
    """A transport with us present at its broker.

    Says EndpointConnected and the first Heartbeat at each connection, beats from then on, says
    EndpointShuttingDown at the end, and answers WhoIsThereRequest. What it publishes comes back through a
    queue that gets everything: messages whose Source is our handle are dropped, they are no events.
    A broker that is away holds up nothing.

    Args:
        transport: receives, and publishes for us.
        endpoint: who we are.
        faults: gives our active faults for each Heartbeat. Default: none.
    """

    def __init__(self, transport: Publisher, endpoint: Endpoint, *, faults: Faults | None = None) -> None:
        self.name = transport.name
        self.adapter = without_own(transport.adapter, endpoint.handle)
        self.endpoint = endpoint
        self._transport = transport
        self._faults = faults
        self._beating: asyncio.Task[None] | None = None
        self._answers: set[asyncio.Task[None]] = set()

    async def start(self, intake: Intake) -> None:
        """Begin to receive."""
        await self._transport.start(_Hearing(intake, self))

    async def stop(self) -> None:
        """Say goodbye where somebody can hear it, and take no more."""
        present = self._beating is not None
        tasks = {*self._answers, *([self._beating] if self._beating else [])}
        self._beating = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if present:
            leaving = cfx.EndpointShuttingDown(cfx_handle=self.endpoint.handle)
            try:
                async with asyncio.timeout(_GOODBYE):
                    await self._publish(leaving)
            except TimeoutError:
                log.debug("goodbye not published", transport=self.name, reason="no answer in time")
        await self._transport.stop()

    async def close(self) -> None:
        """Let the connection go."""
        await self._transport.close()

    def connected(self) -> None:
        """Begin to show signs of life."""
        self.disconnected()
        self._beating = asyncio.create_task(self._beat(), name=f"presence at {self.name}")
        self._beating.add_done_callback(self._told)

    def disconnected(self) -> None:
        """Show none while nobody can see them."""
        if self._beating is not None:
            self._beating.cancel()
            self._beating = None

    def hear(self, message: RawMessage) -> None:
        """Answer if this asks who is there."""
        if not _may_ask(message):
            return
        for envelope in _envelopes(message):
            if envelope.message_name != _WHO or envelope.source == self.endpoint.handle:
                continue
            if len(self._answers) >= _MOST_ANSWERS:
                log.debug("question to all left unanswered: too many", transport=self.name)
                return
            task = asyncio.create_task(self._introduce(envelope), name=f"answer at {self.name}")
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)
            task.add_done_callback(self._told)

    async def _beat(self) -> None:
        await self._publish(self.endpoint.introduction.connected())
        interval = self.endpoint.config.heartbeat
        while interval:
            faults = await self._faults() if self._faults is not None else ()
            await self._publish(
                cfx.Heartbeat(
                    cfx_handle=self.endpoint.handle,
                    heartbeat_frequency=timedelta(seconds=interval),
                    active_faults=list(faults),
                )
            )
            await asyncio.sleep(interval)

    async def _introduce(self, request: CFXEnvelope) -> None:
        answer = await self.endpoint.answer(request)
        if answer.message_name == cfx.WhoIsThereResponse.CFX_NAME:  # others are not among those asked
            await self._send(answer)

    async def _publish(self, message: cfx.CFXMessage) -> None:
        await self._send(CFXEnvelope.of(message, source=self.endpoint.handle))

    async def _send(self, envelope: CFXEnvelope) -> None:
        try:
            await self._transport.publish(envelope)
        except PublishFailed as error:
            log.debug(
                "not published", transport=self.name, published=envelope.message_name, reason=str(error)
            )

    def _told(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("presence at the broker failed", transport=self.name, exc_info=error)


class _Hearing:
    """The intake, with an ear for what concerns our presence."""

    def __init__(self, intake: Intake, presence: Presence) -> None:
        self._intake = intake
        self._presence = presence

    async def receive(self, message: RawMessage, *, adapter: Adapter | None = None) -> None:
        await self._intake.receive(message, adapter=adapter)
        self._presence.hear(message)

    async def handled(self, event_id: str) -> None:
        await self._intake.handled(event_id)

    async def connected(self, transport: str, detail: str) -> None:
        await self._intake.connected(transport, detail)
        self._presence.connected()

    async def disconnected(self, transport: str, reason: str) -> None:
        self._presence.disconnected()
        await self._intake.disconnected(transport, reason)


def without_own(adapter: Adapter, handle: str) -> Adapter:
    """Give an adapter that makes no events of what we said ourselves.

    Args:
        adapter: reads the messages.
        handle: our handle; messages whose Source it is are dropped.
    """

    def others(message: RawMessage) -> Sequence[Event | Unreadable]:
        return [part for part in adapter(message) if part.source != handle]

    return others


def _may_ask(message: RawMessage) -> bool:
    """Tell without reading the body whether this may be the request; most messages are not."""
    application = message.properties.get("application_properties")
    named = application.get("cfx-message") if isinstance(application, dict) else None
    return named == _WHO or (named is None and _WHO.encode() in message.body)


def _envelopes(message: RawMessage) -> list[CFXEnvelope]:
    try:
        read = decode_each(message.body, content_encoding=message.content_encoding)
    except CFXDecodeError:
        return []  # the adapter has told
    return [envelope for envelope in read if isinstance(envelope, CFXEnvelope)]
