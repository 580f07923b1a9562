"""Traffic of MQTT and of webhooks taken home, and brought in again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from brokers.mosquitto import Mosquitto, Publisher
from brokers.ports import free_ports
from recording_program import TOKEN, Program, call

from pywats_api.server import LocalWATS

pytestmark = [pytest.mark.timeout(120)]

HOOK_TOKEN = "the-callers-own-token"
PASS_FAIL = b'{"serial": "%s", "result": "PASS", "program": "leak-test", "time": "2026-03-02T09:15:27+01:00"}'
REST = """
[wats]
url = "{wats}"
token_file = "token"
[delivery]
initial_delay = 0.05
max_retries = 1
[[stations]]
handle = "*"
process = 60
part_number = "PCB-100"
revision = "A"
"""


def configuration(folder: Path, sources: str, *, wats: str = "http://127.0.0.1:9") -> Path:
    (folder / "token").write_text(TOKEN)
    path = folder / "bridge.toml"
    path.write_text(sources + REST.format(wats=wats))
    return path


@pytest.fixture
async def wats(tmp_path: Path) -> AsyncIterator[LocalWATS]:
    async with LocalWATS(tmp_path / "wats.sqlite", token=TOKEN) as server:
        yield server


async def serials(wats: LocalWATS) -> list[str]:
    async with httpx.AsyncClient(base_url=wats.url) as client:
        return sorted(row["body"]["sn"] for row in (await client.get("/local/reports")).json())


@pytest.mark.broker
@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_mqtt_traffic_becomes_reports(
    mosquitto: Mosquitto, wats: LocalWATS, tmp_path: Path, version: str
) -> None:
    """Recorded beside whoever else is subscribed; brought in again twice, each unit has one report."""
    line, path = uuid4().hex, tmp_path / "line.jsonl"
    config = configuration(
        tmp_path,
        f"""
[mqtt]
host = "{mosquitto.host}"
port = {mosquitto.port}
client_id = "bridge-{line}"
protocol = "{version}"
[[mqtt.subscriptions]]
topic = "{line}/{{station}}/result"
profile = "pass-fail"
[[outgoing]]
name = "board"
events = ["test.result"]
topic = "{line}-board/{{key}}"
retain = true
""",
        wats=wats.url,
    )
    async with Program.started(
        "record", "--from", "mqtt", "--to", path, "--config", config, "--count", "3"
    ) as program:
        await program.says("mqtt: records from")
        with await asyncio.to_thread(Publisher, mosquitto, topic=f"{line}/#") as machine:
            for unit in (b"SN1", b"SN2", b"SN3"):
                await asyncio.to_thread(machine.publish, f"{line}/T1/result", PASS_FAIL % unit)
            await asyncio.to_thread(machine.until, lambda: len(machine.received) == 3)
        code, printed, said = await program.ended()
    assert (code, printed.startswith("3 messages in ")) == (0, True), said
    assert f"bridge-{line}-record-" in mosquitto.log()
    for _ in range(2):
        code, printed, said = await call("replay", path, "--config", config, "--speed", "max")
        assert (code, printed.startswith("3 of 3 messages, 3 events; ")) == (0, True), (printed, said)
        assert await serials(wats) == ["SN1", "SN2", "SN3"]
    with await asyncio.to_thread(Publisher, mosquitto, topic=f"{line}-board/#") as board:
        await asyncio.to_thread(board.until, lambda: len(board.received) == 3)


async def test_calls_of_a_hook_become_reports(wats: LocalWATS, tmp_path: Path) -> None:
    """The recorder takes the calls, with the hook's own token, and answers as the bridge does."""
    (port,), path = free_ports(1), tmp_path / "calls.jsonl"
    config = configuration(
        tmp_path,
        f"""
[webhook]
listen = "http://127.0.0.1:1"
[[webhook.hooks]]
name = "testers"
token = "{HOOK_TOKEN}"
profile = "pass-fail"
""",
        wats=wats.url,
    )
    place = f"http://127.0.0.1:{port}"
    async with Program.started(
        *("record", "--from", "hook", "--to", path, "--config", config, "--count", "2", "--listen", place)
    ) as program:
        await program.says("webhook: records from")
        async with httpx.AsyncClient(base_url=place) as caller:
            answers = [
                await caller.post("/hooks/testers", content=PASS_FAIL % unit, headers=headers)
                for unit, headers in (
                    (b"SN0", {"content-type": "application/json"}),
                    (
                        b"SN1",
                        {"content-type": "application/json", "authorization": "Bearer the-callers-own-token"},
                    ),
                    (
                        b"SN2",
                        {"content-type": "application/json", "authorization": "Bearer the-callers-own-token"},
                    ),
                )
            ]
        code, printed, said = await program.ended()
    assert [answer.status_code for answer in answers] == [401, 202, 202]
    assert answers[1].json() == {"event_ids": []}
    assert (code, printed.startswith("2 messages in ")) == (0, True), said
    assert HOOK_TOKEN.encode() not in path.read_bytes()
    code, printed, said = await call("replay", path, "--config", config, "--speed", "max")
    assert (code, printed) == (0, "2 of 2 messages, 2 events; no dead letter\n"), said
    assert await serials(wats) == ["SN1", "SN2"]
