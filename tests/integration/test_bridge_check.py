"""``pywats-bridge check`` against a real broker and a WATS: what it finds, and that it changes nothing."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import structlog
from aiormq.exceptions import ChannelNotFoundEntity
from brokers import Machine, RabbitMQ
from brokers.ports import free_ports
from typer.testing import CliRunner

from pywats_api.server import LocalWATS
from pywats_bridge.checking import Finding, check
from pywats_bridge.cli import app
from pywats_bridge.settings import settings_of

TOKEN = "factory-t0ken"
PASSWORD = "br0ker-word"
STATIONS = [{"handle": "//Acme/Line1/ICT*", "process": 30}]


@pytest.fixture
async def wats(tmp_path: Path) -> AsyncIterator[LocalWATS]:
    async with LocalWATS(tmp_path / "wats.sqlite", token=TOKEN) as server:
        yield server


@pytest.fixture
def _logs_as_before() -> Iterator[None]:
    """Undo what the command does to the logs of its process."""
    before, handlers = structlog.get_config(), list(logging.getLogger().handlers)
    level = logging.getLogger().level
    yield
    structlog.configure(**before)
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def document(url: str, broker: RabbitMQ | int, amqp: dict[str, Any], **changes: Any) -> dict[str, Any]:
    port = broker if isinstance(broker, int) else broker.port
    unique = uuid4().hex
    names = {"queue": f"bridge-{unique}", "exchange": f"cfx-{unique}"}
    return {
        "wats": {"url": url, "token": TOKEN},
        "cfx": {"amqp": {"host": "127.0.0.1", "port": port, **names, **amqp}},
        "stations": STATIONS,
        **changes,
    }


async def found(url: str, broker: RabbitMQ | int, **changes: Any) -> dict[str, Finding]:
    """Give what check finds, by what was looked at; the broker's is called "broker"."""
    amqp = changes.pop("amqp", {})
    settings = settings_of(document(url, broker, amqp, **changes), base=Path())
    findings = [finding async for finding in check(settings)]
    for finding in findings:
        assert TOKEN not in finding.said
        assert PASSWORD not in finding.said
    return {re.sub(r" \w+://.*", "", finding.what): finding for finding in findings}


def bad(findings: dict[str, Finding]) -> dict[str, str]:
    return {what: finding.said for what, finding in findings.items() if not finding.good}


def toml(wats: str, broker: RabbitMQ, unique: str) -> str:
    return f"""
[wats]
url = "{wats}"
token = "{TOKEN}"
[cfx.amqp]
host = "127.0.0.1"
port = {broker.port}
queue = "bridge-{unique}"
exchange = "cfx-{unique}"
[[stations]]
handle = "//Acme/Line1/ICT*"
process = 30
[[recipes]]
recipe = "A"
part_number = "PN"
"""


@pytest.mark.usefixtures("_logs_as_before")
async def test_a_factory_that_is_ready(broker: RabbitMQ, wats: LocalWATS, tmp_path: Path) -> None:
    """Exit code 0 and one line for each thing that was looked at; nothing is created on the broker."""
    unique = uuid4().hex
    path = tmp_path / "[bridge].toml"
    path.write_text(toml(wats.url, broker, unique))

    shown = await asyncio.to_thread(CliRunner().invoke, app, ["check", "--config", str(path)])

    assert shown.exit_code == 0, shown.output
    address = f"amqp://guest@127.0.0.1:{broker.port}/"
    missing = f'queue "bridge-{unique}" will be created, exchange "cfx-{unique}" will be created'
    lines = shown.stdout.splitlines()
    assert lines[:2] == [
        f"ok    configuration {path}: valid",
        "ok    rules: 1 stations, 1 recipes and work orders",
    ]
    assert lines[2].startswith("ok    handlers: materials, report, ")
    assert lines[2].endswith("; off by configuration: production, assembly, fault-tickets, tool-counts")
    assert lines[3] == f"ok    journal {tmp_path / 'pywats-bridge.journal'}: will be created"
    assert lines[4].startswith(f"ok    WATS {wats.url}: answers, version ")
    assert lines[5:] == [
        "ok    processes: all that the rules name are test operations in WATS",
        f"ok    broker {address}: {missing}",
    ]
    assert shown.stderr == ""
    async with Machine(broker.url) as machine:
        with pytest.raises(ChannelNotFoundEntity):
            await machine.channel.queue_declare(f"bridge-{unique}", passive=True)
    async with Machine(broker.url) as machine:
        with pytest.raises(ChannelNotFoundEntity):
            await machine.channel.exchange_declare(f"cfx-{unique}", passive=True)


@pytest.mark.usefixtures("_logs_as_before")
async def test_a_factory_that_is_not(broker: RabbitMQ, wats: LocalWATS, tmp_path: Path) -> None:
    """Everything is looked at, however much of it is wrong; one line each, exit code 1, no traceback."""
    path = tmp_path / "bridge.toml"
    path.write_text(
        toml(wats.url, broker, uuid4().hex)
        .replace("process = 30", "process = 500")
        .replace("host =", 'username = "nobody"\nhost =')
    )
    shown = await asyncio.to_thread(CliRunner().invoke, app, ["check", "-c", str(path)])
    assert shown.exit_code == 1
    marks = [line.split()[0] for line in shown.stdout.splitlines()]
    assert marks == ["ok", "ok", "ok", "ok", "ok", "wrong", "wrong"]
    assert shown.stderr == ""


async def test_a_queue_that_is_there(broker: RabbitMQ, wats: LocalWATS) -> None:
    """It says how many messages wait, and takes none of them."""
    names = {"queue": f"bridge-{uuid4().hex}", "exchange": f"cfx-{uuid4().hex}"}
    async with Machine(broker.url) as machine:
        await machine.declare(names["queue"], durable=True)
        await machine.channel.exchange_declare(names["exchange"], exchange_type="topic", durable=True)
        await machine.publish("", b"1", b"2", b"3", key=names["queue"])
        findings = await found(wats.url, broker, amqp=names)
        assert findings["broker"].said == (
            f'queue "{names["queue"]}" holds 3 messages, exchange "{names["exchange"]}" is there'
        )
        assert await machine.depth(names["queue"]) == 3
    assert bad(findings) == {}


@pytest.mark.parametrize("amqp", [{"durable": False}, {"queue_arguments": {"x-max-length": 5}}])
async def test_a_queue_with_other_settings(wats: LocalWATS, broker: RabbitMQ, amqp: dict[str, Any]) -> None:
    """What would stop the bridge at its start is found before; with declare_queue = false nothing would."""
    names = {"queue": f"bridge-{uuid4().hex}", "exchange": ""}
    async with Machine(broker.url) as machine:
        await machine.declare(names["queue"], durable=True)
    findings = await found(wats.url, broker, amqp={**names, **amqp})
    assert bad(findings).keys() == {"broker"}
    assert "exists with other settings" in findings["broker"].said
    findings = await found(wats.url, broker, amqp={**names, **amqp, "declare_queue": False})
    assert bad(findings) == {}


async def test_an_exchange_of_another_kind(wats: LocalWATS, broker: RabbitMQ) -> None:
    """The same for the exchange and declare_exchange."""
    names = {"queue": f"bridge-{uuid4().hex}", "exchange": f"cfx-{uuid4().hex}"}
    async with Machine(broker.url) as machine:
        await machine.channel.exchange_declare(names["exchange"], exchange_type="fanout", durable=True)
    findings = await found(wats.url, broker, amqp=names)
    assert bad(findings).keys() == {"broker"}
    assert "exists with other settings" in findings["broker"].said
    for mended in ({"declare_exchange": False}, {"exchange_type": "fanout"}):
        assert bad(await found(wats.url, broker, amqp={**names, **mended})) == {}


async def test_a_queue_that_another_connection_holds(wats: LocalWATS, broker: RabbitMQ) -> None:
    """An exclusive queue is named as such."""
    name = f"bridge-{uuid4().hex}"
    async with Machine(broker.url) as machine:
        await machine.declare(name, exclusive=True)
        findings = await found(wats.url, broker, amqp={"queue": name})
    assert "another connection holds queue" in findings["broker"].said


async def test_wats_down(broker: RabbitMQ) -> None:
    """Nobody listens at its address: said once, and processes are not asked for."""
    (port,) = free_ports(1)
    findings = await found(f"http://127.0.0.1:{port}", broker)
    assert bad(findings).keys() == {"WATS"}
    assert "cannot reach" in findings["WATS"].said
    assert "Check wats.url" in findings["WATS"].said
    assert "processes" not in findings
    assert findings["broker"].good


@pytest.mark.parametrize(
    ("section", "what"),
    [
        ({"mqtt": {"host": "no.such.machine.invalid"}}, "broker mqtt://no.such.machine.invalid:1883"),
        ({"journal": {"kind": "postgres", "url": "postgresql://127.0.0.1:1/x"}}, "journal 127.0.0.1:1/x"),
    ],
)
async def test_each_line_names_its_server_once(wats: LocalWATS, section: dict[str, Any], what: str) -> None:
    """The name stands before the colon; what follows is what is wrong with it."""
    (port,) = free_ports(1)
    settings = settings_of(document(wats.url, port, {}, **section), base=Path())
    (finding,) = [each async for each in check(settings) if each.what == what]
    assert not finding.good
    assert what.split()[1] not in finding.said


async def test_an_address_within_wats(wats: LocalWATS) -> None:
    """As it is copied from a browser: another page's, which has no interface below it."""
    (port,) = free_ports(1)
    findings = await found(f"{wats.url}/dashboard", port)
    said = "something answers, but no WATS (404 for /api/App/Version): is wats.url right?"
    assert findings["WATS"].said == said


async def test_a_wrong_token(wats: LocalWATS, broker: RabbitMQ) -> None:
    """It says that WATS refuses the token, and where a valid one comes from."""
    findings = await found(wats.url, broker, wats={"url": wats.url, "token": "another"})
    assert bad(findings).keys() == {"WATS"}
    assert "token" in findings["WATS"].said
    assert "another" not in findings["WATS"].said


@pytest.mark.parametrize(
    ("rules", "what", "said"),
    [
        (
            {"stations": [{"handle": "A", "process": 4711}]},
            "process 4711",
            'does not exist in WATS; station "A" names it',
        ),
        (
            {"stations": [{"handle": "A", "process_by_method": {"ICT": 500}}]},
            "process 500",
            'is "Repair", not a test operation; station "A" names it',
        ),
        (
            {"recipes": [{"recipe": "R", "part_number": "P", "process": 300}]},
            "process 300",
            'is "Assembly", not a test operation; recipe "R" names it',
        ),
        (
            {"work_orders": [{"work_order": "W", "part_number": "P", "process": 1}]},
            "process 1",
            'does not exist in WATS; work order "W" names it',
        ),
        (
            {"process_by_method": {"AOI": 2}},
            "process 2",
            "does not exist in WATS; process_by_method names it",
        ),
        (
            {"repair": {"process": 30}},
            "process 30",
            'is "ICT", not a repair operation; repair.process names it',
        ),
        (
            {"stations": [{"handle": "A", "unit_process": 4711}]},
            "process 4711",
            'does not exist in WATS; unit_process of station "A" names it',
        ),
        (
            {"assets": {"create": True, "station_type": "Nonsense"}},
            'asset type "Nonsense"',
            "does not exist in WATS; assets.station_type names it",
        ),
        (
            {"handlers": ["no_such_module:Handler"]},
            "handlers",
            "handlers: no_such_module:Handler: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        (
            {"stations": []},
            "rules",
            "no station is configured, so no report can be made: add [[stations]] with handle and process",
        ),
    ],
)
async def test_rules_that_wats_does_not_know(
    wats: LocalWATS, broker: RabbitMQ, rules: dict[str, Any], what: str, said: str
) -> None:
    """A process code that can't be used is named together with the rule that holds it."""
    assert bad(await found(wats.url, broker, **rules)) == {what: said}


async def test_the_broker_down(wats: LocalWATS) -> None:
    """The address is named, and what to look at."""
    (port,) = free_ports(1)
    findings = await found(wats.url, port)
    assert bad(findings) == {
        "broker": "refuses the connection: is the broker running, and is the port right?"
    }
    assert findings["broker"].what == f"broker amqp://guest@127.0.0.1:{port}/"


async def test_a_program_that_ends_the_connection_at_the_brokers_port(wats: LocalWATS) -> None:
    """A broker of another protocol: the line says what to look at, not only that the connection is gone."""

    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as other:
        findings = await found(wats.url, other.sockets[0].getsockname()[1])
    assert bad(findings).keys() == {"broker"}
    assert findings["broker"].said.endswith("is it such a broker, and is the port right?")


async def test_something_else_at_the_brokers_port(wats: LocalWATS) -> None:
    """A web server, for instance, as when the port of the broker's own pages was taken."""
    port = int(wats.url.rsplit(":", 1)[1])
    findings = await found(wats.url, port, amqp={"connect_timeout": 0.5})
    assert bad(findings).keys() == {"broker"}
    assert "\n" not in findings["broker"].said


@pytest.mark.parametrize(
    ("amqp", "said"),
    [
        ({"password": PASSWORD}, 'refuses user "guest": check username and password'),
        ({"virtual_host": "nowhere"}, 'refuses virtual host "nowhere" to user "guest"'),
        ({"declare_queue": False}, "queue or exchange is missing"),
        ({"declare_exchange": False}, "queue or exchange is missing"),
        ({"host": "no.such.machine.invalid"}, 'no machine is called "no.such.machine.invalid"'),
        ({"tls": True, "connect_timeout": 5}, "TLS"),
    ],
)
async def test_a_broker_that_is_not_as_configured(
    wats: LocalWATS, broker: RabbitMQ, amqp: dict[str, Any], said: str
) -> None:
    """One line that says what is wrong and what to do."""
    findings = await found(wats.url, broker, amqp=amqp)
    assert bad(findings).keys() == {"broker"}
    assert said in findings["broker"].said
    assert "\n" not in findings["broker"].said
