"""Ready-made mappings: a tester's message, as its sample has it, arrives in WATS."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

import samples
from handlers import Rules
from pywats_api import AsyncWATS
from pywats_api.asset import AssetState
from pywats_api.server import LocalWATS
from pywats_bridge.composition import Bridge, wats_client
from pywats_bridge.settings import DeliverySettings, WatsSettings
from pywats_events.journal import DeliveryState
from pywats_events.mapping import Reading, TopicPattern, adapter_of, profile_names
from pywats_events.message import RawMessage
from pywats_events.transports import MockTransport

STATION = {"handle": "L1/FCT-1", "process": 60, "part_number": "BOARD-A", "revision": "C"}
TOPIC = TopicPattern.parse("{line}/{station}/{profile}")


@pytest.fixture
async def wats(tmp_path: Path) -> AsyncIterator[LocalWATS]:
    async with LocalWATS(tmp_path / "wats.sqlite") as server:
        yield server


def sample(profile: str, folder: str = "mqtt") -> bytes:
    return files(samples).joinpath(folder, f"{profile}.json").read_bytes()


def message(profile: str, body: bytes) -> RawMessage:
    return RawMessage(body=body, address=f"L1/FCT-1/{profile}", content_type="application/json")


@asynccontextmanager
async def bridge(wats: LocalWATS, **rules: Any) -> AsyncIterator[tuple[Bridge, MockTransport]]:
    """A bridge that reads the messages of each profile on the topic that ends with its name."""
    readings = [
        (TopicPattern.parse(f"{{line}}/{{station}}/{name}"), Reading(profile=name))
        for name in profile_names()
    ]
    hook = (TopicPattern.parse("/hooks/mes"), Reading(profile="unit-scan"))
    transport = MockTransport(name="mqtt", adapter=adapter_of([*readings, hook], formats={}))
    made = Bridge(
        api=wats_client(WatsSettings.model_validate({"url": wats.url, "token": "t0ken"})),
        transports=(transport,),
        rules=Rules.model_validate({"stations": [STATION], **rules}),
        delivery=DeliverySettings(),
    )
    async with made:
        yield made, transport


async def ended(made: Bridge) -> None:
    """Wait until all is delivered, and nothing is dead."""
    await made.bus.drain()
    assert await count(made, DeliveryState.DEAD) == 0


async def count(made: Bridge, state: DeliveryState) -> int:
    return sum(each.get(state, 0) for each in (await made.journal.ledger()).deliveries.values())


async def test_a_result_and_nothing_more(wats):
    """``pass-fail``: unit, verdict, program and operator are in the report."""
    async with bridge(wats) as (made, transport):
        await transport.inject_message_async(message("pass-fail", sample("pass-fail")))
        await ended(made)
        (header,) = await made.api.report.query_uut_headers(top=10)
        report = await made.api.report.get_uut_report(header.uuid)
    assert (report.sn, report.pn, report.rev, report.process_code) == ("SN-1001", "BOARD-A", "C", 60)
    assert report.result == "P"
    assert report.uut.user == "ann"
    assert report.machine_name == "L1-FCT-1"
    assert report.start.isoformat() == "2026-03-02T09:15:27+01:00"


async def test_a_failure_tells_its_error(wats):
    """``pass-fail`` with an error: the report has a step that says it."""
    body = json.dumps({"sn": "SN-9", "result": "NG", "error": "leaks 0.4 mbar/s"}).encode()
    async with bridge(wats) as (made, transport):
        await transport.inject_message_async(message("pass-fail", body))
        await ended(made)
        (header,) = await made.api.report.query_uut_headers(top=10)
        report = await made.api.report.get_uut_report(header.uuid)
    assert report.result == "F"
    assert "leaks 0.4 mbar/s" in report.model_dump_json()


async def test_a_result_with_steps_and_limits(wats):
    """``steps``: each step with what it measured and the limits of that."""
    async with bridge(wats) as (made, transport):
        await transport.inject_message_async(message("steps", sample("steps")))
        await ended(made)
        (header,) = await made.api.report.query_uut_headers(top=10)
        report = await made.api.report.get_uut_report(header.uuid)
    steps = {path.rpartition("/")[2]: step for path, step in report.root.walk()}
    assert report.result == "F"
    assert report.uut.exec_time == 35
    rail = steps["3V3 rail"].numeric_meas[0]
    assert (rail.value, rail.low_limit, rail.high_limit, rail.unit, rail.status) == (3.31, 3.2, 3.4, "V", "P")
    assert steps["Standby current"].status == "F"
    assert steps["Firmware"].string_meas[0].value == "2.4.1"
    assert steps["Watchdog"].boolean_meas[0].status == "P"
    assert steps["Labels"].status == "S"


async def test_a_step_that_failed_lets_no_unit_pass(wats):
    """``steps``: whatever the tester says of the unit."""
    body = json.loads(sample("steps"))
    body["result"] = "PASS"
    async with bridge(wats) as (made, transport):
        await transport.inject_message_async(message("steps", json.dumps(body).encode()))
        await ended(made)
        (header,) = await made.api.report.query_uut_headers(top=10)
    assert header.result == "Failed"


async def test_uses_of_assets_are_counted(wats):
    """``counters``: totals grow by what is told, and by no repeat of it."""
    async with bridge(wats, assets={"cycles": "always"}) as (made, transport):
        await registered(made.api, "FIX-7", "PROBE-3")
        for _ in range(2):
            await transport.inject_message_async(message("counters", sample("counters")))
        later = json.dumps({"asset": "FIX-7", "count": 3}).encode()
        await transport.inject_message_async(message("counters", later))
        await ended(made)
        totals = [
            (await made.api.asset.get_asset(serial_number=name)).total_count for name in ("FIX-7", "PROBE-3")
        ]
    assert totals == [15, 48]


async def test_the_state_of_a_station_is_told(wats):
    """``status``: a word, or a code of SEMI E10, becomes the state of the asset."""
    async with bridge(wats, states={"debounce": 0}) as (made, transport):
        await registered(made.api, "L1-FCT-1")
        await transport.inject_message_async(message("status", sample("status")))
        await ended(made)
        asset = await made.api.asset.get_asset(serial_number="L1-FCT-1")
        assert asset.state == AssetState.IN_MAINTENANCE
        await transport.inject_message_async(message("status", b'{"state": 1100}'))
        await ended(made)
        asset = await made.api.asset.get_asset(serial_number="L1-FCT-1")
        assert asset.state == AssetState.IN_OPERATION


async def test_readings_of_a_unit_become_a_report(wats):
    """``environment``: where reports of readings are wanted; those that name no unit are dropped by rule."""
    async with bridge(wats, report={"readings": True}) as (made, transport):
        await transport.inject_message_async(message("environment", sample("environment")))
        flat = b'{"readings": {"temperature": 23.4, "humidity": "41"}}'
        await transport.inject_message_async(message("environment", flat))
        await ended(made)
        (header,) = await made.api.report.query_uut_headers(top=10)
        report = await made.api.report.get_uut_report(header.uuid)
        dropped = await count(made, DeliveryState.DROPPED)
    assert (report.sn, report.result) == ("SN-1003", "P")
    assert "Humidity" in report.model_dump_json()
    assert dropped == 1


async def test_a_scan_tells_what_the_test_does_not_know(wats):
    """``unit-scan``: the work order that was scanned gives the later report its part number."""
    orders = [{"work_order": "WO-1147", "part_number": "BOARD-B", "revision": "D"}]
    station = {"handle": "FCT-1", "process": 60}
    async with bridge(wats, work_orders=orders, stations=[station]) as (made, transport):
        scan = RawMessage(body=sample("unit-scan", "webhook"), address="/hooks/mes")
        await transport.inject_message_async(scan)
        result = {
            "serial": "SN-1004",
            "result": "PASS",
            "station": "FCT-1",
            "time": "2026-03-02T09:12:00+01:00",
        }
        await transport.inject_message_async(message("pass-fail", json.dumps(result).encode()))
        await ended(made)
        (header,) = await made.api.report.query_uut_headers(top=10)
        report = await made.api.report.get_uut_report(header.uuid)
    assert (report.sn, report.pn, report.rev) == ("SN-1004", "BOARD-B", "D")
    assert report.uut.batch_sn == "B-12"


def test_each_profile_has_a_sample():
    """What is offered can be tried."""
    found = {
        each.name.removesuffix(".json")
        for folder in ("mqtt", "webhook")
        for each in files(samples).joinpath(folder).iterdir()
    }
    assert set(profile_names()) <= found


async def registered(api: AsyncWATS, *serials: str) -> None:
    kind = await api.asset.create_asset_type("Profile test")
    for serial in serials:
        await api.asset.create_asset(serial, type_id=kind.type_id)
