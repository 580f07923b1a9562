"""What the tests of the MQTT transport share."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from brokers.mosquitto import Mosquitto, Publisher
from brokers.recorder import Recorder

from pywats_events import AsyncEventBus, BaseHandler, Event, EventType, RawMessage
from pywats_events.journal import Ledger, Query
from pywats_events.journal.sqlite import SQLiteJournal
from pywats_events.transports.mqtt import MQTTConfig, MQTTTransport

VERSIONS = ("5", "3.1.1")


def settings(broker: Mosquitto, **changes: Any) -> MQTTConfig:
    """Give a configuration for a test alone: ``topic`` and ``qos`` make its one subscription."""
    unique = uuid4().hex[:12]
    topic, qos = changes.pop("topic", f"{unique}/{{station}}"), changes.pop("qos", 1)
    one = {"topic": topic, "qos": qos, "format": "events", "retained": changes.pop("retained", "ignore")}
    return MQTTConfig.model_validate(
        {
            "host": broker.host,
            "port": broker.port,
            "client_id": f"bridge-{unique}",
            "subscriptions": [one],
            "reconnect_initial_delay": 0.02,
            "reconnect_max_delay": 0.1,
            **changes,
        }
    )


def topic_in(config: MQTTConfig, station: str = "T1") -> str:
    """Give a topic that the subscription of a configuration matches."""
    return config.subscriptions[0].topic.replace("{station}", station)


def one_event(message: RawMessage) -> list[Event]:
    """Read a message: whatever it is, it is one event, known by what the transport knows it by."""
    return [
        Event(
            EventType.CUSTOM,
            {"body": message.body.decode()},
            source=message.address,
            id=message.properties["identity"],
        )
    ]


class WatchedTransport(MQTTTransport):
    """A transport of which a test can wait for what it says."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._told = asyncio.Event()
        self._errors: list[str] = []
        super().__init__(*arguments, **named)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "last_error" and value:
            self._errors.append(value)
            self._told.set()

    async def until_error(self, text: str) -> str:
        """Wait until a reason with this text was given; give it."""
        async with asyncio.timeout(60):
            while not (found := [error for error in self._errors if text in error]):
                self._told.clear()
                await self._told.wait()
        return found[0]


@asynccontextmanager
async def running(
    config: MQTTConfig, intake: Recorder, *, name: str = "mqtt", journal: SQLiteJournal | None = None
) -> AsyncIterator[WatchedTransport]:
    """Run a transport that tells a recorder."""
    transport = WatchedTransport(config, adapter=one_event, name=name, journal=journal)
    await transport.start(intake)
    try:
        yield transport
    finally:
        await transport.stop()
        await transport.close()


@asynccontextmanager
async def publisher(broker: Mosquitto, **settings: Any) -> AsyncIterator[Publisher]:
    """Connect a machine; its methods block, so call them through ``asyncio.to_thread``."""
    machine = await asyncio.to_thread(Publisher, broker, **settings)
    try:
        yield machine
    finally:
        await asyncio.to_thread(machine.__exit__)


async def publish(broker: Mosquitto, topic: str, *bodies: bytes, **how: Any) -> None:
    """Publish messages and wait until the broker has them."""
    async with publisher(broker) as machine:
        await asyncio.to_thread(machine.publish, topic, *bodies, **how)


def numbered(count: int, start: int = 0) -> list[bytes]:
    """Give bodies that differ."""
    return [b"%d" % number for number in range(start, start + count)]


class Taker(BaseHandler):
    """Wants every event, and has nothing to do with it."""

    event_types = (EventType.CUSTOM,)

    async def handle(self, event: Event) -> None:
        """Do nothing."""


@asynccontextmanager
async def bridge(path: Path, config: MQTTConfig, *handlers: BaseHandler) -> AsyncIterator[Bridge]:
    """Run a bus that reads MQTT into a journal in a file."""
    journal = SQLiteJournal(path)
    bus = AsyncEventBus(journal=journal)
    transport = MQTTTransport(config, adapter=one_event, journal=journal)
    one = Bridge(bus, transport)
    bus.register_transport(transport)
    for handler in (Announcer(one), *handlers):
        bus.subscribe(handler)
    bus.on_event(one.note)
    async with bus:
        yield one


class Announcer(BaseHandler):
    """Hears when messages can come."""

    event_types = (EventType.TRANSPORT_CONNECTED,)

    def __init__(self, listener: Bridge) -> None:
        self._listener = listener

    async def handle(self, event: Event) -> None:
        """Tell of it."""
        self._listener.note(event)


class Bridge:
    """A bus with an MQTT transport.

    Attributes:
        bodies: how often each body became an event, here and now.
    """

    def __init__(self, bus: AsyncEventBus, transport: MQTTTransport) -> None:
        self.bus = bus
        self.transport = transport
        self.bodies: Counter[str] = Counter()
        self._came = asyncio.Event()

    def note(self, event: Event) -> None:
        """Count an event."""
        if event.event_type is EventType.CUSTOM:
            self.bodies[event.payload["body"]] += 1
        self._came.set()

    async def until_connected(self) -> None:
        """Wait until messages can come."""
        await self._until(lambda: self.transport.connected)

    async def until_any(self, count: int) -> None:
        """Wait until so many different bodies have become events."""
        await self._until(lambda: len(self.bodies) >= count)

    async def until(self, bodies: Sequence[bytes], *, seconds: float = 60.0) -> None:
        """Wait until each of these has become an event."""
        wanted = {body.decode() for body in bodies}
        await self._until(lambda: len(self.bodies) >= len(wanted) and wanted <= self.bodies.keys(), seconds)

    async def _until(self, is_so: Callable[[], bool], seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not is_so():
                self._came.clear()
                await self._came.wait()


async def kept_in(path: Path) -> tuple[Counter[str], Ledger]:
    """Open the journal of a bridge that has ended; give how many events each body has, and the books."""
    journal = SQLiteJournal(path)
    await journal.open()
    try:
        assert await journal.check() == []
        ledger = await journal.ledger()
        assert ledger.difference == 0
        bodies: Counter[str] = Counter()
        after: str | None = None
        while entries := await journal.search(Query(limit=5000, after=after)):
            after = entries[-1].id
            events = [entry.event for entry in entries if entry.event is not None]
            bodies.update(one.payload["body"] for one in events if one.event_type is EventType.CUSTOM)
        return bodies, ledger
    finally:
        await journal.close()
