"""Dead letters of a real bridge: looked at, mended, put through again and put away while it runs."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bridge_process import PASSWORD, TOKEN, BridgeProcess, configuration
from brokers import Machine, RabbitMQ
from test_bridge_run import log_in, serials, units_tested

from pywats_api.server import LocalWATS

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def wats(tmp_path: Path) -> AsyncIterator[LocalWATS]:
    async with LocalWATS(tmp_path / "wats.sqlite", token=TOKEN) as server:
        yield server


async def call(config: Path, *arguments: str, code: int = 0) -> list[dict]:
    """Run a command as a program does that reads its JSON."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pywats_bridge", *arguments, "--json", "--config", str(config)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(90):
        out, err = await process.communicate()
    shown = out.decode() + err.decode()
    assert process.returncode == code, shown
    assert TOKEN not in shown
    assert PASSWORD not in shown
    return [json.loads(line) for line in out.splitlines()]


async def test_what_wats_refused_is_put_through_when_it_takes_it(
    own_broker: RabbitMQ, wats: LocalWATS, tmp_path: Path
) -> None:
    """Seen, told, replayed and discarded beside the running bridge; each report is in WATS once."""
    await log_in(own_broker)
    config = configuration(tmp_path, wats=wats.url, port=own_broker.port, unique="refused")
    wats.knobs.reject_next(3, status=400, text="The process code is not known.")
    async with BridgeProcess.started(config) as bridge, Machine(own_broker.url) as machine:
        await bridge.logged("transport can receive", "bridge-refused")
        bodies = [units_tested(f"SN-Ω{number}") for number in range(3)]
        await machine.publish("cfx-refused", b"garbage", *bodies)
        for _ in bodies:
            await bridge.logged("delivery failed", "Bury")

        refused, garbage = await call(config, "dead-letters", "list")
        assert (refused["letters"], refused["handler"]) == (3, "report")
        assert "The process code is not known." in refused["reason"]
        assert garbage["letters"] == 1

        (job,) = await call(config, "dead-letters", "replay", "--cause", refused["cause"][:8])
        assert (job["state"], job["put_through"], job["died_again"]) == ("done", 3, 0)
        story = await call(config, "trace", "SN-Ω1")
        assert [chapter["what"] for chapter in story] == [
            *("received", "event", "failed", "replayed", "done")
        ]
        (done,) = await call(
            config, "dead-letters", "discard", "--all", "--reason", "a broken tester", "--yes"
        )
        assert done == {"discarded": 1}
        (books,) = await call(config, "ledger")
        assert books["difference"] == 0
        assert (books["messages"]["cfx"]["dead"], books["messages"]["cfx"]["discarded"]) == (0, 1)
        assert (await call(config, "journal", "check")) == [{"sound": True, "wrong": []}]

        bridge.signal(signal.SIGTERM)
        assert await bridge.ended() == 0
    assert sorted(await serials(wats)) == ["SN-Ω0", "SN-Ω1", "SN-Ω2"]


async def test_a_job_outlives_the_bridge(own_broker: RabbitMQ, wats: LocalWATS, tmp_path: Path) -> None:
    """The bridge is killed in the middle of it; the next one goes on, and nothing is sent twice."""
    await log_in(own_broker)
    config = configuration(tmp_path, wats=wats.url, port=own_broker.port, unique="outlives")
    numbers = range(8)
    wats.knobs.reject_next(len(numbers), status=400, text="Not known.")
    async with BridgeProcess.started(config) as bridge, Machine(own_broker.url) as machine:
        await bridge.logged("transport can receive", "bridge-outlives")
        await machine.publish("cfx-outlives", *(units_tested(f"SN-{number}") for number in numbers))
        for _ in numbers:
            await bridge.logged("delivery failed", "Bury")
        (job,) = await call(config, "dead-letters", "replay", "--all", "--rate", "1", "--detach")
        await bridge.logged("report sent")
        bridge.signal(signal.SIGKILL)
        await bridge.ended()

    (kept,) = await call(config, "dead-letters", "jobs", "list")
    assert (kept["id"], kept["state"]) == (job["id"], "running")
    async with BridgeProcess.started(config) as bridge:
        (followed,) = await call(config, "dead-letters", "jobs", "follow", job["id"])
        assert (followed["state"], followed["died_again"]) == ("done", 0)
        bridge.signal(signal.SIGTERM)
        assert await bridge.ended() == 0
    assert sorted(await serials(wats)) == [f"SN-{number}" for number in numbers]
