"""A Sparkplug node at a real Mosquitto: births, data by number, births that were asked for, a death."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from brokers.mosquitto import Mosquitto
from mqtt_steps import settings
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from pywats_events import AsyncEventBus, BaseHandler, Event, EventType
from pywats_events.journal import Query
from pywats_events.journal.memory import MemoryJournal
from pywats_events.sparkplug import SparkplugHost, SparkplugSettings, SparkplugTransport
from pywats_events.transports.mqtt import MQTTTransport
from samples.sparkplug import EdgeNode

pytestmark = pytest.mark.broker

RULES = {
    "device": "{device}",
    "node": "{node}",
    "metrics": [
        {"name": "Scanner/Code", "becomes": "unit"},
        {"name": "Status/State", "becomes": "state", "values": {"1": 1100, "3": 5100}},
    ],
}


class Machine:
    """The sample's node with a connection: it leaves its death with the broker, and is born when asked.

    Its methods block.
    """

    def __init__(self, broker: Mosquitto, group: str) -> None:
        self.node = EdgeNode(group=group)
        self.asked = 0
        self._ready = threading.Event()
        client = self._client = Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        topic, body = self.node.death()
        client.will_set(topic, body, qos=1)
        client.on_connect = lambda *_: client.subscribe(self.node.commands)
        client.on_subscribe = lambda *_: self._ready.set()
        client.on_message = lambda *_: self._be_born_again()
        client.connect(broker.host, broker.port)
        client.loop_start()
        assert self._ready.wait(30)

    def be_born(self) -> None:
        """Publish its births."""
        self._publish(*self.node.births())

    def tell(self, **changed: Any) -> None:
        """Publish data."""
        self._publish(self.node.tell(**changed))

    def die(self) -> None:
        """End without a word, as a power cut would."""
        connection = self._client.socket()
        if connection is not None:
            connection.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()

    def _be_born_again(self) -> None:
        self.asked += 1
        for topic, body in self.node.births():
            self._client.publish(topic, body)

    def _publish(self, *messages: tuple[str, bytes]) -> None:
        for topic, body in messages:
            self._client.publish(topic, body)
        # its QoS is 0, and nobody says when the broker has it; what comes after it is acknowledged
        self._client.publish("done", qos=1).wait_for_publish(30)


class Notes(BaseHandler):
    """Notes what it gets."""

    event_types = (
        EventType.TRANSPORT_CONNECTED,
        EventType.ASSET_CONNECTED,
        EventType.ASSET_DISCONNECTED,
        EventType.ASSET_STATE_CHANGED,
        EventType.UNIT_IDENTIFIED,
    )

    def __init__(self) -> None:
        self.seen: list[Event] = []
        self.connected = asyncio.Event()
        self._more = asyncio.Event()

    async def handle(self, event: Event) -> None:
        """Note it."""
        if event.event_type is EventType.TRANSPORT_CONNECTED:
            self.connected.set()
            return
        self.seen.append(event)
        self._more.set()

    async def until(self, count: int) -> list[tuple[str, str]]:
        """Wait for so many events; give what they are and of whom."""
        async with asyncio.timeout(60):
            while len(self.seen) < count:
                self._more.clear()
                await self._more.wait()
        return sorted((event.event_type.value, event.source) for event in self.seen)


@asynccontextmanager
async def bridge(broker: Mosquitto, group: str) -> AsyncIterator[tuple[AsyncEventBus, Notes]]:
    """Run a bus that reads the nodes of a group."""
    config = settings(broker, topic=f"spBv1.0/{group}/{{rest...}}")
    host = SparkplugHost(SparkplugSettings.model_validate(RULES))
    transport = SparkplugTransport(MQTTTransport(config, adapter=host.adapter), host)
    notes = Notes()
    bus = AsyncEventBus(journal=MemoryJournal())
    bus.register_transport(transport)
    bus.subscribe(notes)
    async with bus:
        async with asyncio.timeout(60):
            await notes.connected.wait()
        yield bus, notes


async def test_life_of_a_node(mosquitto: Mosquitto):
    """A node is born, tells by number and dies without a word: each becomes its event, once."""
    group = uuid4().hex
    machine = await asyncio.to_thread(Machine, mosquitto, group)
    try:
        async with bridge(mosquitto, group) as (bus, notes):
            await asyncio.to_thread(machine.be_born)
            await asyncio.to_thread(machine.tell, state=3, code="SN-1")
            await asyncio.to_thread(machine.die)
            assert await notes.until(7) == [
                ("asset.connected", "Edge1"),
                ("asset.connected", "Oven"),
                ("asset.disconnected", "Edge1"),
                ("asset.disconnected", "Oven"),
                ("asset.state_changed", "Oven"),
                ("asset.state_changed", "Oven"),
                ("unit.identified", "Oven"),
            ]
            assert not await bus.dead_letters.find(Query())
            assert (await bus.journal.ledger()).difference == 0
    finally:
        await asyncio.to_thread(machine.die)
    assert machine.asked == 0


async def test_birth_before_the_bridge(mosquitto: Mosquitto):
    """A node that was born before the bridge came is asked for its births, and its data waits for them."""
    group = uuid4().hex
    machine = await asyncio.to_thread(Machine, mosquitto, group)
    try:
        await asyncio.to_thread(machine.be_born)
        async with bridge(mosquitto, group) as (bus, notes):
            await asyncio.to_thread(machine.tell, code="SN-1")
            assert await notes.until(4) == [
                ("asset.connected", "Edge1"),
                ("asset.connected", "Oven"),
                ("asset.state_changed", "Oven"),
                ("unit.identified", "Oven"),
            ]
            assert not await bus.dead_letters.find(Query())
    finally:
        await asyncio.to_thread(machine.die)
    assert machine.asked == 1
