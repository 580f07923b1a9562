"""The explorer at real brokers and listeners: what it watches and what it sends."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import aiormq
import pytest
from brokers import RabbitMQ
from brokers.ports import free_ports
from listening import HANDLE, listening
from proton import Event, Message
from proton.handlers import MessagingHandler
from proton.reactor import Container

import samples

SECONDS = 30.0
TEMP = json.loads(samples.load("fault_temp"))
PROGRAM = (sys.executable, "-m", "pywats_cfx.explorer")
#: The same where AMQP 1.0's library is not installed.
WITHOUT_PROTON = (
    sys.executable,
    "-c",
    """
import sys
sys.modules["proton"] = None
from pywats_cfx.explorer import main
sys.exit(main(sys.argv[1:]))
""",
)


async def explore(*arguments: str, program: tuple[str, ...] = PROGRAM) -> tuple[int, str, str]:
    """Run the explorer to its end; give its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        *program, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@asynccontextmanager
async def watching(url: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Watch, from the moment when nothing is missed."""
    process = await asyncio.create_subprocess_exec(
        *PROGRAM,
        "--watch",
        url,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS):
            line = await process.stderr.readline()
            assert line.startswith(b"watching "), line
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Exchange:
    """An exchange with a queue that somebody else reads.

    Attributes:
        name: of the exchange.
        queue: of the queue.
    """

    def __init__(self, channel: aiormq.abc.AbstractChannel) -> None:
        self._channel = channel
        self.name = f"explored-{uuid4().hex[:8]}"
        self.queue = f"{self.name}-others"

    async def declare(self) -> None:
        """Make both."""
        await self._channel.exchange_declare(self.name, exchange_type="topic", durable=True)
        await self._channel.queue_declare(self.queue, durable=True)
        await self._channel.queue_bind(self.queue, self.name, "#")

    async def take(self) -> list[bytes]:
        """Take all messages that the others have."""
        bodies = []
        while (got := await self._channel.basic_get(self.queue, no_ack=True)).delivery_tag:
            bodies.append(got.body)
        return bodies


@pytest.fixture
async def exchange(broker: RabbitMQ) -> AsyncIterator[Exchange]:
    connection = await aiormq.connect(broker.url)
    made = Exchange(await connection.channel())
    await made.declare()
    yield made
    await connection.close()


async def test_watching_shows_what_is_published_and_takes_nothing_away(broker, exchange):
    """A row for each message, also packed; the others have all of them, and no queue of ours stays."""
    async with watching(broker.url, "--exchange", exchange.name, "--count", "2") as watched:
        for arguments in (["units_tested_ict", "--gzip"], ["fault_temp", "--protocol", "0-9-1"]):
            to = ["--to", broker.url, "--exchange", exchange.name]
            code, out, err = await explore("--send", *arguments, *to)
            assert (code, err) == (0, "")
            assert "accepted by" in out
        first, second = (await watched.stdout.read()).decode().splitlines()
        assert await watched.wait() == 0
    assert "//Acme/Line1/ICT01" in first
    assert "UnitsTested" in first
    assert "PNL26-00417 #1 #2" in first
    assert "1 Passed, 1 Failed" in first
    assert "FaultOccurred" in second
    assert len(await exchange.take()) == 2
    queues = await asyncio.to_thread(broker.ctl, "list_queues", "name")
    assert not [name for name in queues.split() if name.startswith(("amq.gen", "amq.ctag"))]


async def test_ctrl_c_ends_watching_well(broker, exchange):
    """Exit code 0, and no traceback."""
    async with watching(broker.url, "--exchange", exchange.name) as watched:
        watched.send_signal(signal.SIGINT)
        assert await watched.wait() == 0
        assert await watched.stderr.read() == b""


async def test_watching_can_be_narrowed_and_raw(broker, exchange):
    """Words that a message must have or not have; in a pipe whole messages are one JSON a line."""
    options = ["--filter", "!FaultCleared", "--filter", "resourceperformance", "--raw", "--count", "1"]
    async with watching(broker.url, "--exchange", exchange.name, *options) as watched:
        for name in ("work_started", "fault_cleared", "fault_temp"):
            await explore("--send", name, "--to", broker.url, "--exchange", exchange.name)
        (line,) = (await watched.stdout.read()).splitlines()
    assert json.loads(line)["MessageBody"] == TEMP["MessageBody"]


async def test_what_cannot_be_read_is_a_row_too(broker, exchange, tmp_path):
    """Sent as it is, down to the byte; shown with the reason, without what it could do to a terminal."""
    path = tmp_path / "garbage"
    path.write_bytes(b"\x1b[2Jgarbage")
    async with watching(broker.url, "--exchange", exchange.name, "--count", "1") as watched:
        to = ["--to", broker.url, "--exchange", exchange.name]
        assert (await explore("--send", str(path), *to))[0] == 1
        assert (await explore("--send", str(path), *to, "--as-is"))[0] == 0
        row = (await watched.stdout.read()).decode()
    assert "can't be read: not JSON" in row
    assert "\x1b" not in row
    assert await exchange.take() == [path.read_bytes()]


async def test_each_message_that_is_sent_is_a_new_one(broker, exchange):
    """Its own UniqueID and the present time, unless it is sent as it is."""
    to = ["--to", broker.url, "--exchange", exchange.name]
    code, out, _ = await explore("--send", "fault_temp", *to, "--repeat", "3")
    assert (code, out.splitlines()[-1].startswith("3 messages accepted")) == (0, True)
    sent = [json.loads(body) for body in await exchange.take()]
    assert len({each["UniqueID"] for each in sent} | {TEMP["UniqueID"]}) == 4
    assert all(each["TimeStamp"] > TEMP["TimeStamp"] for each in sent)
    assert all(each["MessageBody"] == TEMP["MessageBody"] for each in sent)
    await explore("--send", "fault_temp", *to, "--as-is")
    assert await exchange.take() == [samples.load("fault_temp")]


async def test_a_message_that_no_queue_gets_is_told(broker, exchange):
    """RabbitMQ drops it; over AMQP 0-9-1 it says so."""
    connection = await aiormq.connect(broker.url)
    channel = await connection.channel()
    await channel.queue_delete(exchange.queue)
    await connection.close()
    to = ["--to", broker.url, "--exchange", exchange.name, "--protocol", "0-9-1"]
    code, out, _ = await explore("--send", "fault_temp", *to)
    assert code == 0
    assert "dropped" in out


async def test_sending_straight_to_a_listener():
    """The bridge's listener takes it by its handle or as CFXListener; another address is refused."""
    async with listening() as bridge:
        for arguments in ([], ["--address", HANDLE, "--gzip"]):
            code, out, err = await explore("--send", "fault_temp", "--to", bridge.uri, *arguments)
            assert (code, err) == (0, "")
            assert "accepted" in out
        first, second = await bridge.saw(2)
        assert first.event_type.value == "asset.fault"
        assert first.id != second.id
        code, out, err = await explore("--send", "fault_temp", "--to", bridge.uri, "--address", "nobody")
        assert (code, out, err.count("\n")) == (1, "", 1)


@pytest.mark.parametrize("action", ["watch", "send"])
async def test_what_goes_wrong_is_one_line_without_the_password(broker, action):
    """Wrong password, no broker, no exchange, a broker whose certificate nobody vouches for."""
    wrong = f"127.0.0.1:{broker.port}"
    (silent,) = free_ports(1)
    for url, said in (
        (f"amqp://guest:geheim@{wrong}/", 'refuses user "guest"'),
        (f"amqp://guest:geheim@127.0.0.1:{silent}/", "refuses the connection"),
        (f"amqp://guest:guest@{wrong}/none", "none"),
        (f"amqp://guest:guest@{wrong}/", "no exchange"),
        (f"amqps://guest:geheim@localhost:{broker.tls_port}/", "--ca-file"),
    ):
        arguments = ["--watch", url] if action == "watch" else ["--send", "fault_temp", "--to", url]
        code, out, err = await explore(*arguments, "--exchange", "there-is-none")
        assert (code, out, err.count("\n")) == (1, "", 1), err
        assert said in err
        assert "geheim" not in err
        assert "guest:guest" not in err


@pytest.mark.parametrize("way", [["--address", "/exchange/amq.topic/#"], ["--protocol", "1.0"]])
async def test_rabbitmq_is_not_watched_over_amqp_10(broker, way):
    """It would give away messages of a queue, or keep a queue that nobody reads."""
    before = await asyncio.to_thread(broker.ctl, "list_queues", "name")
    code, _, err = await explore("--watch", broker.url, *way)
    assert code == 1
    assert "--exchange NAME" in err
    assert await asyncio.to_thread(broker.ctl, "list_queues", "name") == before


class Topic(MessagingHandler):
    """A broker of another make, with one topic whose last message it keeps.

    Args:
        copies: it gives copies where it is asked for them.
    """

    def __init__(self, *, copies: bool) -> None:
        super().__init__()
        self.port: int = free_ports(1)[0]
        self._copies = copies
        self.outcomes: list[str] = []

    def on_start(self, event: Event) -> None:
        """Listen."""
        self._acceptor = event.container.listen(f"127.0.0.1:{self.port}")

    def on_link_opening(self, event: Event) -> None:
        """Say what the link gives."""
        event.link.source.address = event.link.remote_source.address
        if self._copies:
            event.link.source.distribution_mode = event.link.remote_source.distribution_mode

    def on_sendable(self, event: Event) -> None:
        """Give the one message."""
        if not self.outcomes:
            self.outcomes.append("sent")
            event.sender.send(Message(body=samples.load("fault_temp"), inferred=True, subject="s"))

    def on_connection_closed(self, _event: Event) -> None:
        """End with the first guest."""
        self._acceptor.close()


@pytest.mark.parametrize("copies", [True, False])
async def test_other_brokers_are_watched_over_amqp_10(copies):
    """By an address of theirs, if they give copies; from one that does not nothing is taken."""
    topic = Topic(copies=copies)
    serving = asyncio.create_task(asyncio.to_thread(Container(topic).run))
    url = f"amqp://127.0.0.1:{topic.port}"
    code, out, err = await explore("--watch", url, "--address", "topic://cfx", "--count", "1")
    async with asyncio.timeout(SECONDS):
        await serving
    if copies:
        assert (code, "FaultOccurred" in out) == (0, True)
    else:
        assert (code, out, topic.outcomes) == (1, "", [])
        assert "does not promise copies" in err


async def test_over_tls(broker, exchange):
    """With the certificate of the authority that signed the broker's."""
    url = f"amqps://guest:guest@localhost:{broker.tls_port}/"
    more = ["--exchange", exchange.name, "--ca-file", str(broker.certificates.authority)]
    async with watching(url, *more, "--count", "1") as watched:
        assert (await explore("--send", "work_started", "--to", url, *more))[0] == 0
        assert b"WorkStarted" in await watched.stdout.read()


async def test_without_the_library_of_amqp_10(broker, exchange):
    """What needs it says how to get it; the rest goes over AMQP 0-9-1."""
    to = ["--to", broker.url, "--exchange", exchange.name]
    code, out, _ = await explore("--send", "fault_temp", *to, program=WITHOUT_PROTON)
    assert code == 0
    assert "accepted by exchange" in out
    for arguments in (
        ["--send", "fault_temp", "--to", "amqp://h:5690", "--address", "a"],
        ["--watch", "amqp://h", "--protocol", "1.0"],
    ):
        code, _, err = await explore(*arguments, program=WITHOUT_PROTON)
        assert (code, err.count("\n")) == (1, 1)
        assert "pywats-bridge[amqp10]" in err


async def test_a_broker_that_dies_ends_watching(own_broker: RabbitMQ):
    """With one line that says so, and exit code 1."""
    async with watching(own_broker.url, "--exchange", "amq.topic") as watched:
        await asyncio.to_thread(own_broker.kill)
        assert await watched.wait() == 1
        assert (await watched.stderr.read()).count(b"\n") == 1
