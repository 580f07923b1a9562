"""``pywats-bridge run`` without CFX: MQTT and a webhook come in, an andon light hears of failures."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from bridge_process import TOKEN, BridgeProcess
from brokers.mosquitto import Mosquitto, Publisher
from brokers.ports import free_ports
from standardwebhooks import Webhook

import samples
from pywats_api.server import LocalWATS
from pywats_bridge.checking import check
from pywats_bridge.settings import load

pytestmark = [pytest.mark.timeout(120), pytest.mark.broker]

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATIENCE = 30.0


@pytest.fixture
async def wats(tmp_path: Path) -> AsyncIterator[LocalWATS]:
    async with LocalWATS(tmp_path / "wats.sqlite", token=TOKEN) as server:
        yield server


def configured(folder: Path, wats: LocalWATS, mosquitto: Mosquitto, port: int) -> Path:
    (folder / "token").write_text(TOKEN)
    (folder / "mes").write_text(SECRET)
    path = folder / "bridge.toml"
    path.write_text(
        f"""
log_level = "debug"

[wats]
url = "{wats.url}"
token_file = "token"

[mqtt]
host = "{mosquitto.host}"
port = {mosquitto.port}
client_id = "bridge-{port}"

[[mqtt.subscriptions]]
topic = "line-{port}/{{station}}/result"
profile = "steps"

[webhook]
listen = "http://127.0.0.1:{port}"
[[webhook.hooks]]
name = "mes"
secret_file = "mes"
profile = "pass-fail"

[[outgoing]]
name = "andon"
events = ["test.result"]
where = {{ result = "failed" }}
topic = "andon-{port}/{{source}}"

[[stations]]
handle = "*"
process = 60
part_number = "PCB-100"
""",
        encoding="utf-8",
    )
    return path


async def reports(wats: LocalWATS) -> dict[str, str]:
    """Give the result of each unit that is reported."""
    async with httpx.AsyncClient(base_url=wats.url) as client:
        rows = (await client.get("/local/reports")).json()
    return {row["body"]["sn"]: row["body"]["result"] for row in rows}


def sample(folder: str, name: str, **changes: object) -> bytes:
    document = json.loads((Path(samples.__file__).parent / folder / f"{name}.json").read_bytes())
    return json.dumps(document | changes).encode()


def signed(body: bytes, message_id: str) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(message_id, now, body.decode()),
    }


async def test_testers_and_an_mes_become_reports_and_failures_light_the_andon(
    mosquitto: Mosquitto, wats: LocalWATS, tmp_path: Path
) -> None:
    """One program, one file of configuration, no CFX; twice the same is once, also after a restart."""
    (port,) = free_ports(1)
    config = configured(tmp_path, wats, mosquitto, port)
    by_mqtt = sample("mqtt", "steps", serial="SN-Ω-mqtt")
    by_hook = sample("mqtt", "pass-fail", serial="SN-hook", station="T9")
    andon = await asyncio.to_thread(lambda: Publisher(mosquitto, topic=f"andon-{port}/#"))
    machine = await asyncio.to_thread(lambda: Publisher(mosquitto))
    with andon, machine:
        async with BridgeProcess.started(config) as bridge, httpx.AsyncClient() as mes:
            ways = [await bridge.logged("transport can receive") for _ in range(2)]
            assert {way["transport"] for way in ways} == {"mqtt", "webhook"}
            await asyncio.to_thread(machine.publish, f"line-{port}/FCT-1/result", by_mqtt)
            url = f"http://127.0.0.1:{port}/hooks/mes"
            answers = [
                await mes.post(url, content=by_hook, headers=signed(by_hook, "msg-1")) for _ in range(2)
            ]
            refused = await mes.post(url, content=by_hook + b" ", headers=signed(by_hook, "msg-2"))
            sent = [await bridge.logged("report sent") for _ in range(2)]
            await asyncio.to_thread(andon.until, lambda: andon.received, seconds=PATIENCE)
            bridge.signal(signal.SIGTERM)
            assert await bridge.ended() == 0

        async with BridgeProcess.started(config) as bridge, httpx.AsyncClient() as mes:
            await bridge.logged("transport can receive", '"webhook"')
            answers.append(await mes.post(url, content=by_hook, headers=signed(by_hook, "msg-1")))
            bridge.signal(signal.SIGTERM)
            assert await bridge.ended() == 0

    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert len({answer.text for answer in answers}) == 1
    assert refused.status_code == 401
    assert {line["unit_id"] for line in sent} == {"SN-Ω-mqtt", "SN-hook"}
    assert await reports(wats) == {"SN-Ω-mqtt": "F", "SN-hook": "P"}
    (light,) = andon.received
    assert light.topic == f"andon-{port}/FCT-1"
    assert json.loads(light.payload)["data"]["unit_id"] == "SN-Ω-mqtt"
    for line in bridge.lines:
        assert SECRET.removeprefix("whsec_") not in line
        assert TOKEN not in line


async def test_check_tries_the_broker_the_hooks_and_the_mappings(
    mosquitto: Mosquitto, wats: LocalWATS, tmp_path: Path
) -> None:
    """One line each; a broker that is not there is wrong, and nothing is subscribed to or left behind."""
    port, closed = free_ports(2)
    config = configured(tmp_path, wats, mosquitto, port)
    found = {finding.what: finding async for finding in check(load(config), base=tmp_path)}
    broker = found[f"broker mqtt://{mosquitto.host}:{mosquitto.port}"]
    assert (broker.good, broker.said) == (
        True,
        f"lets us in with MQTT 5; topics line-{port}/{{station}}/result",
    )
    assert found[f"webhooks http://127.0.0.1:{port}"].said == "can be listened to; hooks mes (standard)"
    assert found[f"mapping line-{port}/{{station}}/result"].good
    assert found["outgoing andon"].said == "test.result to the MQTT broker"

    config.write_text(config.read_text().replace(f"port = {mosquitto.port}", f"port = {closed}"))
    found = {finding.what: finding async for finding in check(load(config), base=tmp_path)}
    (wrong,) = (finding for finding in found.values() if not finding.good)
    assert wrong.said == "refuses the connection: is the broker running, and is the port right?"
