"""``pywats-bridge run`` beside an edge node of Sparkplug B, into the local WATS, killed in the middle."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from bridge_process import TOKEN, BridgeProcess
from brokers.mosquitto import Mosquitto, Publisher
from sparkplug_machine import Machine

from pywats_api import AsyncWATS
from pywats_api.asset import AssetState
from pywats_api.server import LocalWATS
from pywats_events.journal import DeliveryState, Query
from pywats_events.journal.sqlite import SQLiteJournal

pytestmark = [pytest.mark.timeout(120), pytest.mark.broker]


@pytest.fixture
async def wats(tmp_path: Path) -> AsyncIterator[LocalWATS]:
    async with LocalWATS(tmp_path / "wats.sqlite", token=TOKEN) as server:
        yield server


def configured(folder: Path, wats: LocalWATS, mosquitto: Mosquitto, group: str) -> Path:
    (folder / "token").write_text(TOKEN)
    path = folder / "bridge.toml"
    path.write_text(
        f"""
log_level = "debug"
[wats]
url = "{wats.url}"
token_file = "token"
[journal]
path = "journal.sqlite"
[mqtt]
host = "{mosquitto.host}"
port = {mosquitto.port}
client_id = "bridge-{group}"
[[mqtt.subscriptions]]
topic = "spBv1.0/{group}/{{rest...}}"
format = "sparkplug"
[mqtt.sparkplug]
device = "{{group}}/{{device}}"
node = "{{group}}/{{node}}"
[[mqtt.sparkplug.metrics]]
name = "Status/State"
becomes = "state"
values = {{ "1" = 1100, "3" = 5100 }}
[[mqtt.sparkplug.metrics]]
name = "Zone */Temperature"
becomes = "reading"
of_unit = true
[[mqtt.sparkplug.metrics]]
name = "Scanner/Code"
becomes = "unit"
[states]
debounce = 0
[report]
readings = true
unjudged = "passed"
[[outgoing]]
name = "board"
events = ["asset.disconnected"]
topic = "lost-{group}/{{source}}"
[[stations]]
handle = "*"
process = 60
part_number = "PCB-100"
"""
    )
    return path


async def until_in_state(api: AsyncWATS, asset: str, state: AssetState) -> None:
    """Ask WATS until it has an asset in a state: each a round trip."""
    async with asyncio.timeout(60):
        while (await api.asset.get_asset(serial_number=asset)).state != state:
            pass


async def readings(wats: LocalWATS) -> dict[str, float]:
    """Give what was measured of each unit that is reported."""
    async with httpx.AsyncClient(base_url=wats.url) as client:
        rows = (await client.get("/local/reports")).json()
    return {
        row["body"]["sn"]: row["body"]["root"]["steps"][0]["steps"][0]["numericMeas"][0]["value"]
        for row in rows
    }


async def test_a_node_becomes_states_and_reports_through_a_kill(
    mosquitto: Mosquitto, wats: LocalWATS, tmp_path: Path
) -> None:
    """Births, data by alias, a death; a bridge that missed the births asks for them, also after a crash."""
    group = uuid4().hex
    config = configured(tmp_path, wats, mosquitto, group)
    oven = f"{group}-Oven"
    board = await asyncio.to_thread(lambda: Publisher(mosquitto, topic=f"lost-{group}/#"))
    machine = await asyncio.to_thread(Machine, mosquitto, group)
    await asyncio.to_thread(machine.be_born)
    async with AsyncWATS(base_url=wats.url, token=TOKEN) as api:
        kind = await api.asset.create_asset_type("Oven")
        await api.asset.create_asset(oven, type_id=kind.type_id)
        async with BridgeProcess.started(config) as bridge:
            await bridge.logged("transport can receive")
            await asyncio.to_thread(machine.tell, state=3, temperature=181.25, code="SN-1")
            await bridge.logged("report sent", "SN-1")
            await until_in_state(api, oven, AssetState.IN_MAINTENANCE)
            assert machine.asked == 1
            await asyncio.to_thread(machine.tell, temperature=182.5, code="SN-2")
            await bridge.logged("report sent", "SN-2")
            bridge.signal(signal.SIGKILL)
            await bridge.ended()
        await asyncio.to_thread(machine.tell, state=1)  # nobody hears it: its QoS is 0
        async with BridgeProcess.started(config) as bridge:
            await bridge.logged("transport can receive", "session resumed")
            await asyncio.to_thread(machine.tell, temperature=183.75, code="SN-3")
            await bridge.logged("report sent", "SN-3")
            await until_in_state(api, oven, AssetState.IN_OPERATION)
            assert machine.asked == 2
            await asyncio.to_thread(machine.die)
            await asyncio.to_thread(board.until, lambda: len(board.received) == 2)
            bridge.signal(signal.SIGTERM)
            assert await bridge.ended() == 0
    with board:
        assert sorted(message.topic.rpartition("/")[2] for message in board.received) == ["Edge1", "Oven"]
    assert await readings(wats) == {"SN-1": 181.25, "SN-2": 182.5, "SN-3": 183.75}

    journal = SQLiteJournal(tmp_path / "journal.sqlite")
    await journal.open()
    try:
        entries = await journal.search(Query(limit=1000))
        assert not [entry for entry in entries if entry.state is DeliveryState.DEAD]
        ledger = await journal.ledger()
        assert ledger.difference == 0
    finally:
        await journal.close()
