"""The end of a bridge whose journal is a file: however often it was told, the next start has it all."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from bridge_process import TOKEN, BridgeProcess, configuration
from brokers import Machine, RabbitMQ
from test_bridge_run import log_in, serials, units_tested

from pywats_api.server import LocalWATS

pytestmark = pytest.mark.timeout(120)

UNITS = [f"SN-{number}" for number in range(5)]


@pytest.mark.parametrize(
    ("signals", "codes"),
    [("one", {0}), ("two", {130}), ("two-at-once", {0, 130})],
)
async def test_what_was_acknowledged_is_delivered_after_the_end(
    own_broker: RabbitMQ, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signals: str, codes: set[int]
) -> None:
    """Reports under way at SIGTERM are given back to the file within the limit, or at once at the second.

    Two signals at once may count as one: the system does not queue them.
    """
    monkeypatch.setenv("PYWATS_BRIDGE_JOURNAL__KIND", "sqlite")
    await log_in(own_broker)
    name = f"file-{signals}"
    limit = 600 if signals == "two" else 0.5
    async with LocalWATS(tmp_path / "wats.sqlite", token=TOKEN) as wats:
        config = configuration(tmp_path, wats=wats.url, port=own_broker.port, unique=name, stop_timeout=limit)
        wats.knobs.latency = 600
        async with BridgeProcess.started(config) as bridge, Machine(own_broker.url) as machine:
            await bridge.logged("transport can receive")
            await machine.publish(f"cfx-{name}", *map(units_tested, UNITS))
            for _ in UNITS:
                await bridge.logged("part number found")
            while await asyncio.to_thread(own_broker.unsettled, f"bridge-{name}"):
                pass  # what was not acknowledged yet may come again
            bridge.signal(signal.SIGTERM)
            if signals == "two-at-once":
                bridge.signal(signal.SIGTERM)
            else:
                await bridge.logged("finishing what is in flight")
            if signals == "two":
                bridge.signal(signal.SIGTERM)
            assert await bridge.ended() in codes
            # WATS was also asked at the start whether it is there; that question may have run out of time
            given_up = [line for line in bridge.lines if "no complete answer" in line]
            assert [line for line in given_up if "can't be used for now" not in line] == []
            assert await machine.depth(f"bridge-{name}") == 0
        assert await serials(wats) == []

        wats.knobs.latency = 0
        wats.knobs.close()
        async with BridgeProcess.started(config) as bridge:
            for _ in UNITS:
                await bridge.logged("report sent")
            bridge.signal(signal.SIGTERM)
            assert await bridge.ended() == 0
        assert sorted(await serials(wats)) == UNITS
    assert not await asyncio.to_thread((tmp_path / "pywats-bridge.journal-wal").exists)
