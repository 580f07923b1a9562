"""The CFX transport when its broker dies, comes back, or holds a message that nobody can read over 0-9-1."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
import structlog
from brokers import Machine, RabbitMQ
from brokers.recorder import Recorder

from pywats_cfx.amqp.transport import CFXTransport
from pywats_cfx.config import AMQPConfig, CFXConfig
from pywats_events.message import RawMessage

pytestmark = pytest.mark.broker


def nothing(_: RawMessage) -> list[Any]:
    return []


@pytest.fixture(params=["1.0", "0-9-1"])
def protocol(request: pytest.FixtureRequest) -> str:
    return request.param


def config_for(broker: RabbitMQ, **settings: Any) -> AMQPConfig:
    unique = uuid4().hex
    fast = {"reconnect_initial_delay": 0.05, "reconnect_max_delay": 0.2}
    return AMQPConfig(
        host=broker.host, port=broker.port, queue=f"q-{unique}", exchange=f"x-{unique}", **(fast | settings)
    )


@asynccontextmanager
async def running(config: AMQPConfig, intake: Recorder) -> AsyncIterator[CFXTransport]:
    transport = CFXTransport(CFXConfig(amqp=config), adapter=nothing)
    await transport.start(intake)
    try:
        yield transport
    finally:
        await transport.stop()
        await transport.close()


async def test_broker_killed_and_back(own_broker: RabbitMQ, protocol: str):
    """After a crash of the broker the transport is back by itself, and what was not acknowledged too."""
    config = config_for(own_broker, protocol=protocol)
    intake = Recorder(acknowledges=False)
    async with running(config, intake) as transport:
        await intake.until_connected()
        async with Machine(own_broker.url) as machine:
            await machine.publish(config.exchange, b"0", b"1", b"2")
        await intake.until_taken(3)
        await intake.messages[1].ack()
        async with Machine(own_broker.url) as machine:
            await machine.until_depth(config.queue, lambda depth: depth == 0)
        await asyncio.to_thread(own_broker.kill)
        await intake.until_disconnected()
        assert not transport.connected

        await intake.messages[0].ack()
        await intake.messages[2].release()
        assert transport.tally.late == 1, "the acknowledgement had no connection to go to"

        intake.acknowledges = True
        await asyncio.to_thread(own_broker.start)
        await intake.until_connected(times=2)
        await intake.until(lambda: {b"0", b"2"} <= set(intake.bodies[3:]))
    assert [state for state, _ in intake.states] == ["connected", "disconnected", "connected"]
    async with Machine(own_broker.url) as machine:
        assert await machine.depth(config.queue) == 0


async def test_broker_that_stops_says_so(own_broker: RabbitMQ, protocol: str):
    """An orderly stop of the broker is told in the broker's own words."""
    intake = Recorder()
    async with running(config_for(own_broker, protocol=protocol), intake):
        await intake.until_connected()
        await asyncio.to_thread(own_broker.stop)
        words = {"0-9-1": "CONNECTION_FORCED", "1.0": "shuts down"}
        assert words[protocol] in await intake.until_disconnected()


async def test_broker_that_is_away_at_the_start(own_broker: RabbitMQ, protocol: str):
    """The transport starts without its broker, says once that it is away, and connects when it comes."""
    await asyncio.to_thread(own_broker.stop)
    intake = Recorder()
    with structlog.testing.capture_logs() as lines:
        async with running(config_for(own_broker, protocol=protocol), intake):
            assert "is the broker running" in await intake.until_disconnected()
            await asyncio.to_thread(own_broker.start)
            await intake.until_connected()
    assert [state for state, _ in intake.states] == ["disconnected", "connected"]
    assert lines == [], "the intake was told; the attempts that followed brought no news"


async def test_waiting_messages_come_again_after_a_crash(own_broker: RabbitMQ, protocol: str):
    """Messages that wait for room in the backlog while the broker dies are taken once it is back."""
    config = config_for(own_broker, protocol=protocol)
    intake = Recorder()
    intake.hold()
    bodies = [str(number).encode() for number in range(50)]
    async with running(config, intake):
        await intake.until_connected()
        async with Machine(own_broker.url) as machine:
            await machine.publish(config.exchange, *bodies)
        await intake.until(lambda: intake.waiting == 50)
        await asyncio.to_thread(own_broker.kill)
        await intake.until_disconnected()
        await intake.until(lambda: intake.waiting == 0)
        await asyncio.to_thread(own_broker.start)
        await intake.until(lambda: intake.waiting == 50)
        intake.go_on()
        await intake.until_taken(50)
    assert intake.bodies == bodies


class Unreadable(str):
    """A message-id whose bytes are no text, as those of a uuid mostly are."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:  # type: ignore[override]
        """Give what goes on the wire."""
        return b"\xff\xfe\xfd"


@pytest.fixture(scope="module")
def broker_without_amqp10(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    with RabbitMQ(tmp_path_factory.mktemp("without-amqp10"), amqp10=False) as node:
        yield node


async def test_message_that_nobody_can_read(broker_without_amqp10: RabbitMQ):
    """What ends the connection each time is named once, with the remedy; what stood before it gets through.

    AMQP 1.0, by which it could be read, is not to be had. When it is out of the queue, reading goes on.
    """
    broker = broker_without_amqp10
    config = config_for(broker, protocol="0-9-1")
    intake = Recorder()
    async with Machine(broker.url) as machine, running(config, intake):
        await intake.until_connected()
    with structlog.testing.capture_logs() as lines:
        async with Machine(broker.url) as machine:
            await machine.publish(config.exchange, b"0", b"1", b"2")
            await machine.publish(config.exchange, b"poison", message_id=Unreadable("?"))
            await machine.publish(config.exchange, b"3", b"4")
            async with running(config, intake) as transport:
                async with asyncio.timeout(30):
                    # states, which nobody announces
                    while not transport.blocked or "rabbitmq_amqp1_0" not in (transport.last_error or ""):  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
                assert set(intake.bodies) == {b"0", b"1", b"2"}
                assert not transport.connected
                assert transport.last_error is not None
                assert f"/amq/queue/{config.queue}" in transport.last_error
                assert "rabbitmq_amqp1_0" in transport.last_error
                assert await machine.until_depth(config.queue, lambda depth: depth == 3) == 3

                await machine.channel.queue_purge(config.queue)
                await machine.publish(config.exchange, b"5")
                await intake.until(lambda: b"5" in intake.bodies)
                await intake.until(lambda: transport.connected and not transport.blocked)
    assert len([line for line in lines if "is blocked" in line.get("reason", "")]) == 1


async def test_fault_of_the_intake_is_not_the_broker_s(broker: RabbitMQ, protocol: str):
    """An error that nobody expected ends the connection, is told with its cause, and costs no message."""
    config = config_for(broker, protocol=protocol)
    intake = Recorder()
    intake.error = RuntimeError("out of order")
    async with running(config, intake) as transport, Machine(broker.url) as machine:
        await intake.until_connected()
        await machine.publish(config.exchange, b"1")
        reason = await intake.until_disconnected()
        assert "RuntimeError: out of order" in reason
        assert not transport.blocked
        intake.error = None
        await intake.until_taken(1)


async def test_silent_peer_does_not_hold_us(protocol: str):
    """Something that accepts and never answers is given up after the time allowed; stopping does not wait."""
    accepted = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        config = AMQPConfig(
            protocol=protocol, host="127.0.0.1", port=port, connect_timeout=0.2, reconnect_initial_delay=0.01
        )
        intake = Recorder()
        async with running(config, intake):
            assert "does not answer within 0.2 s" in await intake.until_disconnected()
        patient = config.model_copy(update={"connect_timeout": 60.0})
        accepted.clear()
        async with asyncio.timeout(10), running(patient, Recorder()):
            await accepted.wait()


async def test_tls(broker: RabbitMQ, protocol: str):
    """Over TLS the broker is read when its certificate is trusted."""
    plain = config_for(broker, protocol=protocol).model_dump(exclude={"url", "host", "port"})
    trusting = {"host": "localhost", "port": broker.tls_port, "ca_file": broker.certificates.authority}
    config = AMQPConfig(**plain | trusting | {"tls": True})
    intake = Recorder()
    async with running(config, intake), Machine(broker.url) as machine:
        await intake.until_connected()
        await machine.publish(config.exchange, b"1")
        await intake.until_taken(1)
    assert intake.states[0][1].endswith(f"amqps://guest@localhost:{broker.tls_port}/")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "its certificate is not trusted"),
        ({"ca_file": "/no/such/file.pem"}, "a certificate file can't be read"),
        ({"verify": False}, ""),
    ],
)
async def test_tls_without_trust(broker: RabbitMQ, protocol: str, settings: dict[str, Any], words: str):
    """A certificate of an unknown authority is refused, unless checking is switched off."""
    plain = config_for(broker, protocol=protocol).model_dump(
        exclude={"url", "host", "port", "tls", "verify", "ca_file"}
    )
    config = AMQPConfig(host="localhost", port=broker.tls_port, tls=True, **plain, **settings)
    intake = Recorder()
    async with running(config, intake):
        if not words:
            await intake.until_connected()
        else:
            assert words in await intake.until_disconnected()
