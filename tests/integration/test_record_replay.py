"""A factory's traffic taken home: recorded beside a running bridge, brought in again elsewhere."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from brokers import Machine, RabbitMQ
from recording_program import TOKEN, Program, call, in_file

import samples
from pywats_api.server import LocalWATS
from pywats_bridge.journal_access import opened
from pywats_events.journal import DeliveryState
from pywats_events.journal.sqlite import SQLiteJournal
from pywats_events.transports.capture import survey

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]


def units_tested(serial: str) -> bytes:
    """One unit's functional test."""
    document = json.loads(samples.load("units_tested_fct"))
    document["UniqueID"] = str(uuid4())
    document["MessageBody"]["TestedUnits"][0]["UnitIdentifier"] = serial
    return json.dumps(document, ensure_ascii=False).encode()


def configuration(
    folder: Path, *, port: int, unique: str, wats: str = "http://127.0.0.1:9", protocol: str = "1.0"
) -> Path:
    (folder / "token").write_text(TOKEN)
    path = folder / "bridge.toml"
    path.write_text(
        f"""
[wats]
url = "{wats}"
token_file = "token"
[cfx.amqp]
host = "127.0.0.1"
port = {port}
protocol = "{protocol}"
queue = "bridge-{unique}"
exchange = "cfx-{unique}"
reconnect_initial_delay = 0.1
[delivery]
initial_delay = 0.05
max_retries = 1
[[stations]]
handle = "*"
process = 60
part_number = "PCB-100"
revision = "A"
"""
    )
    return path


@pytest.fixture
async def wats(tmp_path: Path) -> AsyncIterator[LocalWATS]:
    async with LocalWATS(tmp_path / "wats.sqlite", token=TOKEN) as server:
        yield server


async def serials(wats: LocalWATS) -> list[str]:
    async with httpx.AsyncClient(base_url=wats.url) as client:
        return sorted(row["body"]["sn"] for row in (await client.get("/local/reports")).json())


@pytest.mark.parametrize("protocol", ["1.0", "0-9-1"])
async def test_what_is_recorded_stays_with_the_bridge(
    broker: RabbitMQ, tmp_path: Path, protocol: str
) -> None:
    """Each message is in the file and in the bridge's queue; Ctrl-C ends it, and no queue stays behind."""
    unique = uuid4().hex
    config = configuration(tmp_path, port=broker.port, unique=unique, protocol=protocol)
    path = tmp_path / "line.jsonl"
    async with Machine(broker.url) as machine:
        await machine.channel.exchange_declare(exchange=f"cfx-{unique}", exchange_type="topic", durable=True)
        await machine.declare(f"bridge-{unique}", durable=True)
        await machine.channel.queue_bind(f"bridge-{unique}", f"cfx-{unique}", "#")
        async with Program.started("record", "--from", "amqp", "--to", path, "--config", config) as program:
            await program.says("cfx: records from queue")
            bodies = [units_tested("SN1"), gzip.compress(units_tested("SN2"))]
            await machine.publish(
                f"cfx-{unique}", bodies[0], headers={"x-line": "1", "Authorization": "hush"}
            )
            await machine.publish(f"cfx-{unique}", bodies[1], content_encoding="gzip")
            await in_file(path, 2)
            program.process.send_signal(signal.SIGINT)
            code, printed, _ = await program.ended()
        assert await machine.depth(f"bridge-{unique}") == 2
    assert (code, printed.startswith(f"2 messages in {path} (")) == (0, True)
    assert f"bridge-{unique}.record-" not in await asyncio.to_thread(broker.ctl, "list_queues", "name")
    assert b"hush" not in path.read_bytes()
    first, second = [json.loads(line) for line in path.read_bytes().splitlines()[1:]]
    assert first["text"].encode() == bodies[0]
    assert (first["transport"], second["content_encoding"]) == ("cfx", "gzip")
    assert first["address"] == "Acme.Tester.T1.CFX.Heartbeat"


async def test_a_count_ends_it_and_more_is_added(broker: RabbitMQ, tmp_path: Path) -> None:
    """Exactly so many; a file that is there is written on only when that is said."""
    unique, path = uuid4().hex, tmp_path / "line.jsonl"
    config = configuration(tmp_path, port=broker.port, unique=unique, protocol="0-9-1")
    arguments = ("record", "--from", "amqp", "--to", path, "--config", config, "--count", "2")
    async with Machine(broker.url) as machine:
        for more in ((), ("--append",)):
            async with Program.started(*arguments, *more) as program:
                await program.says("records from queue")
                await machine.publish(f"cfx-{unique}", *(units_tested(f"SN{number}") for number in range(5)))
                code, printed, _ = await program.ended()
            assert (code, printed.startswith("2 messages in ")) == (0, True)
    assert survey(path).messages["cfx"] == 4
    code, _, said = await call(*arguments)
    assert (code, said) == (1, f"{path}: is there already; name another file, or add to it with --append\n")


async def test_a_queue_that_was_made_for_it_is_read_as_it_is(broker: RabbitMQ, tmp_path: Path) -> None:
    """Where the bridge may not bind: what is read is gone from that queue, which stays."""
    unique, path = uuid4().hex, tmp_path / "line.jsonl"
    config = configuration(tmp_path, port=broker.port, unique=unique, protocol="0-9-1")
    async with Machine(broker.url) as machine:
        await machine.declare(f"spare-{unique}", durable=True)
        await machine.publish("", units_tested("SN1"), units_tested("SN2"), key=f"spare-{unique}")
        code, printed, said = await call(
            *("record", "--from", "amqp", "--to", path, "--config", config, "--count", "2"),
            *("--queue", f"spare-{unique}"),
        )
        assert (code, printed.startswith("2 messages in ")) == (0, True), said
        assert await machine.depth(f"spare-{unique}") == 0


async def test_a_time_ends_it(broker: RabbitMQ, tmp_path: Path) -> None:
    """Nothing came: the file is a capture without messages, which is no failure."""
    path = tmp_path / "line.jsonl"
    config = configuration(tmp_path, port=broker.port, unique=uuid4().hex)
    code, printed, _ = await call(
        "record", "--from", "amqp", "--to", path, "--config", config, "--for", "0.2s"
    )
    assert (code, printed.startswith("0 messages in ")) == (0, True)
    assert not survey(path).messages


async def test_a_capture_becomes_reports_once(broker: RabbitMQ, wats: LocalWATS, tmp_path: Path) -> None:
    """Recorded at one place, brought in at another: each unit has one report, however often it is done."""
    unique, path = uuid4().hex, tmp_path / "line.jsonl"
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    recording = configuration(there, port=broker.port, unique=unique)
    async with (
        Program.started(
            "record", "--from", "amqp", "--to", path, "--config", recording, "--count", "4"
        ) as program,
        Machine(broker.url) as machine,
    ):
        await program.says("records from queue")
        await machine.publish(f"cfx-{unique}", units_tested("SN1"), b"garbage", units_tested("SN2"))
        await machine.publish(f"cfx-{unique}", gzip.compress(units_tested("SN3")), content_encoding="gzip")
        assert (await program.ended())[0] == 0
    packed = tmp_path / "line.jsonl.gz"
    with gzip.open(packed, "wb") as file, path.open("rb") as plain:
        shutil.copyfileobj(plain, file)

    config = configuration(here, port=1, unique="nobody", wats=wats.url)
    code, printed, said = await call("replay", packed, "--config", config, "--speed", "max")
    assert (code, printed) == (
        1,
        "4 of 4 messages, 3 events; 1 part could not be read; 1 dead letter\n",
    ), said
    assert await serials(wats) == ["SN1", "SN2", "SN3"]

    code, printed, said = await call("replay", path, "--config", config, "--speed", "max")
    assert (code, printed) == (
        0,
        "4 of 4 messages, 3 events; 3 were here before; 1 part could not be read; no dead letter\n",
    ), said
    assert await serials(wats) == ["SN1", "SN2", "SN3"]
    async with opened(config) as journal:
        stats = await journal.journal.stats()
        assert (stats.received, stats.count(DeliveryState.DEAD)) == ({"cfx": 8}, 1)


async def test_a_running_bridge_keeps_its_journal(tmp_path: Path, wats: LocalWATS) -> None:
    """One line says who has it and what to do; nothing is brought in."""
    path = tmp_path / "line.jsonl"
    path.write_text(
        '{"capture": 1}\n{"received": "2026-03-02T08:00:00Z", "transport": "cfx", "text": "{}"}\n'
    )
    config = configuration(tmp_path, port=1, unique="x", wats=wats.url)
    journal = SQLiteJournal(tmp_path / "pywats-bridge.journal")
    await journal.open()
    try:
        code, printed, said = await call("replay", path, "--config", config)
        assert (code, printed) == (1, "")
        assert said.startswith(f"{tmp_path / 'pywats-bridge.journal'}: a bridge runs on this journal; end it")
        assert (await journal.stats()).received == {}
    finally:
        await journal.close()


async def test_ctrl_c_ends_a_replay_with_its_summary(tmp_path: Path, wats: LocalWATS) -> None:
    """What was brought in stays; the exit code says that it was not all."""
    path = tmp_path / "line.jsonl"
    lines = [
        json.dumps(
            {
                "received": f"2026-03-02T{hour:02d}:00:00Z",
                "transport": "cfx",
                "text": units_tested(f"SN{hour}").decode(),
            }
        )
        for hour in (8, 9)
    ]
    path.write_text("\n".join(['{"capture": 1}', *lines, ""]))
    config = configuration(tmp_path, port=1, unique="x", wats=wats.url)
    async with Program.started("replay", path, "--config", config) as program:
        while await serials(wats) != ["SN8"]:
            pass
        program.process.send_signal(signal.SIGINT)
        code, printed, said = await program.ended()
    assert (code, printed) == (130, "1 of 2 messages, 1 event; no dead letter\n"), said
