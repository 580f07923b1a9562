"""A Sparkplug node at a real Mosquitto: births, data by number, births that were asked for, a death."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from brokers.mosquitto import Mosquitto
from mqtt_steps import settings
from sparkplug_machine import Machine

from pywats_events import AsyncEventBus, BaseHandler, Event, EventType
from pywats_events.journal import Query
from pywats_events.journal.memory import MemoryJournal
from pywats_events.sparkplug import SparkplugHost, SparkplugSettings, SparkplugTransport
from pywats_events.transports.mqtt import MQTTTransport

pytestmark = pytest.mark.broker

RULES = {
    "device": "{device}",
    "node": "{node}",
    "metrics": [
        {"name": "Scanner/Code", "becomes": "unit"},
        {"name": "Status/State", "becomes": "state", "values": {"1": 1100, "3": 5100}},
    ],
}


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
