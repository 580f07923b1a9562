"""``pywats-bridge run`` as a service manager runs it: a process, a real broker, a WATS over HTTP, signals."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from bridge_process import PASSWORD, TOKEN, BridgeProcess, configuration
from brokers import Machine, RabbitMQ
from brokers.ports import free_ports

import samples
from pywats_api.server import LocalWATS

pytestmark = pytest.mark.timeout(120)

USER = "bridge"


def units_tested(serial: str) -> bytes:
    """One unit's functional test."""
    document = json.loads(samples.load("units_tested_fct"))
    document["UniqueID"] = str(uuid4())
    document["MessageBody"]["TestedUnits"][0]["UnitIdentifier"] = serial
    return json.dumps(document, ensure_ascii=False).encode()


async def log_in(broker: RabbitMQ) -> None:
    """Let the broker know the bridge's user."""
    if USER not in await asyncio.to_thread(broker.ctl, "list_users"):
        await asyncio.to_thread(broker.ctl, "add_user", USER, PASSWORD)
        await asyncio.to_thread(broker.ctl, "set_permissions", "-p", "/", USER, ".*", ".*", ".*")


@pytest.fixture
async def wats(tmp_path: Path) -> AsyncIterator[LocalWATS]:
    async with LocalWATS(tmp_path / "wats.sqlite", token=TOKEN) as server:
        yield server


async def serials(wats: LocalWATS) -> list[str]:
    async with httpx.AsyncClient(base_url=wats.url) as client:
        return [row["body"]["sn"] for row in (await client.get("/local/reports")).json()]


def no_secret_in(lines: Sequence[str]) -> None:
    for line in lines:
        assert TOKEN not in line
        assert PASSWORD not in line


async def test_a_report_arrives_and_the_end_is_in_order(
    own_broker: RabbitMQ, wats: LocalWATS, tmp_path: Path
) -> None:
    """Logs in a pipe are JSON lines that name events and no secret; SIGTERM ends it with 0."""
    await log_in(own_broker)
    config = configuration(tmp_path, wats=wats.url, port=own_broker.port, unique="arrives")
    async with BridgeProcess.started(config) as bridge, Machine(own_broker.url) as machine:
        await bridge.logged("transport can receive", "bridge-arrives")
        await machine.publish("cfx-arrives", b"garbage", units_tested("SN-Ω"))
        sent = await bridge.logged("report sent")
        bridge.signal(signal.SIGTERM)
        assert await bridge.ended() == 0
        assert await machine.depth("bridge-arrives") == 0
        assert await bridge.printed() == b""

    lines = [json.loads(line) for line in bridge.lines]
    assert sent["unit_id"] == "SN-Ω"
    assert UUID(sent["event_id"])
    (dead,) = (line for line in lines if line["level"] == "error")
    assert UUID(dead["event_id"])
    assert "not JSON" in dead["reason"]
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
    no_secret_in(bridge.lines)
    assert await serials(wats) == ["SN-Ω"]


async def test_what_is_not_delivered_goes_back_to_the_queue(
    own_broker: RabbitMQ, wats: LocalWATS, tmp_path: Path
) -> None:
    """With a journal in memory nothing is acknowledged while WATS is away; the next start delivers it all."""
    await log_in(own_broker)
    config = configuration(tmp_path, wats=wats.url, port=own_broker.port, unique="back", journal="memory")
    bodies = [units_tested(f"SN-{number}") for number in range(5)]
    wats.knobs.outage = "unavailable"
    async with BridgeProcess.started(config) as bridge, Machine(own_broker.url) as machine:
        await bridge.logged("transport can receive")
        await machine.publish("cfx-back", *bodies)
        await bridge.logged("delivery failed", "DestinationUnavailable")
        await machine.until_depth("bridge-back", lambda depth: depth == 0)
        bridge.signal(signal.SIGTERM)
        assert await bridge.ended() == 0
        assert await machine.depth("bridge-back") == 5
    no_secret_in(bridge.lines)

    wats.knobs.outage = None
    async with BridgeProcess.started(config) as bridge, Machine(own_broker.url) as machine:
        for _ in bodies:
            await bridge.logged("report sent")
        bridge.signal(signal.SIGINT)
        assert await bridge.ended() == 0
        assert await machine.depth("bridge-back") == 0
    assert sorted(await serials(wats)) == [f"SN-{number}" for number in range(5)]


async def test_what_is_under_way_is_finished(own_broker: RabbitMQ, wats: LocalWATS, tmp_path: Path) -> None:
    """A report that is being sent when the end is asked for is in WATS and acknowledged, or neither."""
    await log_in(own_broker)
    config = configuration(
        tmp_path, wats=wats.url, port=own_broker.port, unique="finish", stop_timeout=30, journal="memory"
    )
    wats.knobs.latency = 600
    async with BridgeProcess.started(config) as bridge, Machine(own_broker.url) as machine:
        await bridge.logged("transport can receive")
        await machine.publish("cfx-finish", units_tested("SN-1"))
        await bridge.logged("part number found")
        bridge.signal(signal.SIGTERM)
        await bridge.logged("finishing what is in flight")
        wats.knobs.latency = 0
        wats.knobs.close()
        assert await bridge.ended() == 0
        assert len(await serials(wats)) + await machine.depth("bridge-finish") == 1


async def test_a_second_signal_leaves_at_once(own_broker: RabbitMQ, wats: LocalWATS, tmp_path: Path) -> None:
    """Though a report is under way and the end could take ten minutes; its message is in the queue again."""
    await log_in(own_broker)
    config = configuration(
        tmp_path, wats=wats.url, port=own_broker.port, unique="twice", stop_timeout=600, journal="memory"
    )
    wats.knobs.latency = 600
    async with BridgeProcess.started(config) as bridge, Machine(own_broker.url) as machine:
        await bridge.logged("transport can receive")
        await machine.publish("cfx-twice", units_tested("SN-1"))
        await bridge.logged("part number found")
        bridge.signal(signal.SIGTERM)
        await bridge.logged("finishing what is in flight")
        bridge.signal(signal.SIGTERM)
        assert await bridge.ended() == 130
        await machine.until_depth("bridge-twice", lambda depth: depth >= 1)
    assert "leaving at once" in bridge.lines[-1], bridge.lines
    assert not [line for line in bridge.lines if json.loads(line)["level"] == "error"]
    no_secret_in(bridge.lines)


async def test_it_waits_for_a_broker_and_a_wats_that_start_later(
    own_broker: RabbitMQ, tmp_path: Path
) -> None:
    """Started first after a power cut, it says what is missing and works when all are there."""
    await log_in(own_broker)
    (port,) = free_ports(1)
    wats = LocalWATS(tmp_path / "wats.sqlite", token=TOKEN, port=port)
    config = configuration(tmp_path, wats=wats.url, port=own_broker.port, unique="later")
    await asyncio.to_thread(own_broker.stop)
    async with BridgeProcess.started(config) as bridge:
        said = await bridge.logged("transport can't receive for now")
        assert "is the broker running" in said["reason"]
        await asyncio.to_thread(own_broker.start)
        await bridge.logged("transport can receive")
        async with Machine(own_broker.url) as machine:
            await machine.publish("cfx-later", units_tested("SN-1"))
            said = await bridge.logged("delivery failed")
            assert "cannot reach" in said["error"]
            async with wats:
                await bridge.logged("report sent")
                bridge.signal()
                assert await bridge.ended() == 0
                assert await serials(wats) == ["SN-1"]
            assert await machine.depth("bridge-later") == 0
    no_secret_in(bridge.lines)


async def test_it_ends_while_it_waits_for_the_broker(tmp_path: Path) -> None:
    """A bridge that never reached anything ends as quickly as any other."""
    broker, wats = free_ports(2)
    config = configuration(tmp_path, wats=f"http://127.0.0.1:{wats}", port=broker, unique="alone")
    async with BridgeProcess.started(config) as bridge:
        await bridge.logged("transport can't receive for now")
        bridge.signal()
        assert await bridge.ended() == 0
    no_secret_in(bridge.lines)
