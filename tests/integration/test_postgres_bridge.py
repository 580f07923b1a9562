"""Bridges that share a journal in PostgreSQL: as processes, with a real broker and a WATS over HTTP."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from bridge_process import PASSWORD, SECONDS, TOKEN, BridgeProcess, configuration
from brokers import Machine, RabbitMQ
from brokers.postgres import PostgreSQL

import samples
from pywats_api.server import LocalWATS
from pywats_bridge.checking import Finding, check
from pywats_bridge.settings import ConfigurationError, settings_of
from pywats_events.journal import DeliveryState
from pywats_events.journal.postgres import PostgresJournal

pytestmark = pytest.mark.timeout(120)

UNITS = 60


def units_tested(serial: str) -> bytes:
    """One unit's functional test."""
    document = json.loads(samples.load("units_tested_fct"))
    document["UniqueID"] = str(uuid4())
    document["MessageBody"]["TestedUnits"][0]["UnitIdentifier"] = serial
    return json.dumps(document).encode()


def log_in(broker: RabbitMQ) -> None:
    """Let the broker know the bridges' user."""
    if "bridge" not in broker.ctl("list_users"):
        broker.ctl("add_user", "bridge", PASSWORD)
        broker.ctl("set_permissions", "-p", "/", "bridge", ".*", ".*", ".*")


async def test_two_bridges_share_the_work(own_broker: RabbitMQ, postgres: PostgreSQL, tmp_path: Path) -> None:
    """Two bridges on one queue and one journal send each report once, also when one of them ends midway."""
    await asyncio.to_thread(log_in, own_broker)
    url = await asyncio.to_thread(postgres.fresh)
    async with AsyncExitStack() as stack:
        wats = await stack.enter_async_context(LocalWATS(tmp_path / "wats.sqlite", token=TOKEN))
        config = configuration(tmp_path, wats=wats.url, port=own_broker.port, unique="shared")
        (tmp_path / "journal.url").write_text(url)
        with config.open("a", encoding="utf-8") as file:
            file.write('\n[journal]\nkind = "postgres"\nurl_file = "journal.url"\n')
        one, other = await asyncio.gather(
            *(stack.enter_async_context(BridgeProcess.started(config)) for _ in range(2))
        )
        machine = await stack.enter_async_context(Machine(own_broker.url))
        await one.logged("transport can receive", "bridge-shared")
        await other.logged("transport can receive", "bridge-shared")

        wats.knobs.latency = (
            1.0  # one bridge alone, with 16 deliveries at a time, is not quick enough for all
        )
        wanted = [f"SN-{n:03}" for n in range(UNITS)]
        await machine.publish("cfx-shared", *map(units_tested, wanted[: UNITS // 2]))
        await one.logged("report sent")
        await other.logged("report sent")
        wats.knobs.latency = 0
        one.signal(signal.SIGTERM)
        await machine.publish("cfx-shared", *map(units_tested, wanted[UNITS // 2 :]))
        assert await one.ended() == 0
        journal = PostgresJournal(url)
        await journal.open()
        stack.push_async_callback(journal.close)
        reading = asyncio.create_task(other.ended())  # who logs into a full pipe does nothing else
        async with asyncio.timeout(SECONDS):
            while (await journal.stats()).deliveries.get("report", {}).get(DeliveryState.DONE, 0) < UNITS:
                await journal.wait_ready(now=datetime.now(UTC), timeout=0.2)
        reading.cancel()
        await asyncio.wait([reading])

        async with httpx.AsyncClient(base_url=wats.url) as client:
            sent = [row["body"]["sn"] for row in (await client.get("/local/reports")).json()]
        assert sorted(sent) == wanted
        assert (await journal.ledger()).difference == 0


async def test_check_looks_at_the_database_and_changes_nothing(postgres: PostgreSQL) -> None:
    """Before a bridge runs, check says whether its journal can be opened, and makes no tables."""
    url = await asyncio.to_thread(postgres.fresh)

    async def found(url: str) -> Finding:
        findings = [one async for one in check(settings(url=url))]
        return next(one for one in findings if one.what.startswith("journal"))

    first = await found(url)
    assert (first.good, first.said) == (True, "answers; its tables will be made")
    assert postgres.run("SELECT * FROM pg_tables WHERE schemaname = current_schema()", url=url) == []
    journal = PostgresJournal(url)
    await journal.open()
    await journal.close()
    assert (await found(url)).said == "answers; its tables are there"
    away = await found("postgresql://u:s3cret@127.0.0.1:1/journal")
    assert (away.good, away.what) == (False, "journal 127.0.0.1:1/journal")
    assert "check that the server runs" in away.said
    assert "s3cret" not in away.said


@pytest.mark.parametrize("signals", [1, 2])
async def test_a_bridge_ends_while_its_database_is_away(
    own_broker: RabbitMQ,
    own_postgres: PostgreSQL,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    signals: int,
) -> None:
    """It ends in order, however often it is told, and the next one has what was not written down as done."""
    monkeypatch.setenv("PYWATS_BRIDGE_DELIVERY__LEASE", "2")
    await asyncio.to_thread(log_in, own_broker)
    url = await asyncio.to_thread(own_postgres.fresh)
    name, units = f"away-{signals}", [f"SN-{n}" for n in range(5)]
    async with LocalWATS(tmp_path / "wats.sqlite", token=TOKEN) as wats:
        config = configuration(tmp_path, wats=wats.url, port=own_broker.port, unique=name, stop_timeout=1)
        with config.open("a", encoding="utf-8") as file:
            file.write(f'\n[journal]\nkind = "postgres"\nurl = "{url}"\n')
        wats.knobs.latency = 600
        async with BridgeProcess.started(config) as bridge, Machine(own_broker.url) as machine:
            await bridge.logged("transport can receive")
            await machine.publish(f"cfx-{name}", *map(units_tested, units))
            for _ in units:
                await bridge.logged("part number found")
            await machine.until_depth(f"bridge-{name}", lambda depth: depth == 0)
            await asyncio.to_thread(own_postgres.kill)
            for _ in range(signals):
                bridge.signal()
            assert await bridge.ended() in (0, 130)  # two signals at once may count as one
        assert "are tried again" in "".join(bridge.lines)

        await asyncio.to_thread(own_postgres.start)
        wats.knobs.latency = 0
        wats.knobs.close()
        async with BridgeProcess.started(config) as bridge:
            for _ in units:
                await bridge.logged("report sent")
            bridge.signal()
            assert await bridge.ended() == 0


# --- the configuration --------------------------------------------------------------------------------------


def settings(**journal: str):
    return settings_of(
        {
            "wats": {"url": "http://127.0.0.1:1", "token": "t"},
            "cfx": {"amqp": {"host": "127.0.0.1", "port": 1}},
            "journal": {"kind": "postgres", **journal},
        },
        base=Path(),
    )


def test_a_url_is_needed():
    """Without the URL of the database nothing starts; the line says where it can be given."""
    with pytest.raises(ConfigurationError, match=r"journal\.url: is missing; set PYWATS_BRIDGE_JOURNAL__URL"):
        settings()


def test_the_url_is_a_secret():
    """The password in the URL is shown by nothing."""
    given = settings(url="postgresql://bridge:s3cret@db/journal")

    assert given.journal.url is not None
    assert given.journal.url.get_secret_value().endswith("@db/journal")
    assert "s3cret" not in repr(given) + str(given) + given.model_dump_json()


@pytest.mark.parametrize(
    ("url", "missing", "said"),
    [
        (
            "postgresql://u:s3cret%zz@db/journal",
            "",
            "journal.url: journal: the URL can't be read; it should look",
        ),
        (
            "postgresql://u:s3cret@127.0.0.1:1/journal",
            "",
            "journal.url: journal 127.0.0.1:1/journal: connection failed",
        ),
        (
            "postgresql://db/journal",
            "psycopg",
            "journal.kind: needs psycopg: pip install 'pywats-bridge[postgres]'",
        ),
    ],
)
async def test_what_stops_it_is_one_line(tmp_path, url, missing, said):
    """A URL that is none, a server or psycopg that is not there: the start ends with a line that says so."""
    config = configuration(tmp_path, wats="http://127.0.0.1:9", port=9, unique="none")
    with config.open("a", encoding="utf-8") as file:
        file.write(f'\n[journal]\nkind = "postgres"\nurl = "{url}"\n')
    program = f"""
import sys
if {missing!r}: sys.modules[{missing!r}] = None
from pywats_bridge.cli import main
sys.argv = ["pywats-bridge", "run", "--config", {str(config)!r}]
main()
"""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()

    assert said in errors.decode()
    assert "Traceback" not in errors.decode()
    assert "s3cret" not in errors.decode()
    assert process.returncode != 0
