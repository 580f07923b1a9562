"""What can go wrong between us and a broker over AMQP 1.0: one line says why, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
import structlog
from brokers import Machine, RabbitMQ
from brokers.certificates import CLIENT
from brokers.peer10 import listening
from brokers.ports import free_ports
from brokers.recorder import Recorder

from pywats_cfx.amqp.probe import probe
from pywats_cfx.amqp.transport import CFXTransport
from pywats_cfx.amqp.troubles import BrokerUnfit
from pywats_cfx.config import AMQPConfig, CFXConfig
from pywats_events.message import RawMessage


def nothing(_: RawMessage) -> list[Any]:
    return []


def config_for(broker: RabbitMQ, **settings: Any) -> AMQPConfig:
    unique = uuid4().hex
    names = {"host": broker.host, "port": broker.port, "queue": f"q-{unique}", "exchange": f"x-{unique}"}
    return AMQPConfig(**(names | {"reconnect_initial_delay": 0.05, "reconnect_max_delay": 0.2} | settings))


def over_tls(broker: RabbitMQ, **settings: Any) -> AMQPConfig:
    trust = {"tls": True, "ca_file": broker.certificates.authority}
    return config_for(broker, **({"host": "localhost", "port": broker.tls_port} | trust | settings))


@asynccontextmanager
async def running(config: AMQPConfig, intake: Recorder) -> AsyncIterator[CFXTransport]:
    transport = CFXTransport(CFXConfig(amqp=config), adapter=nothing)
    await transport.start(intake)
    try:
        yield transport
    finally:
        await transport.stop()
        await transport.close()


@pytest.fixture(scope="module")
def strict_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """Give a RabbitMQ that wants certificates of its clients over TLS, and takes them for a login."""
    with RabbitMQ(tmp_path_factory.mktemp("strict"), client_certificates=True) as node:
        node.ctl("add_user", CLIENT, uuid4().hex)
        node.ctl("set_permissions", CLIENT, ".*", ".*", ".*")
        yield node


async def test_broker_killed_under_load(own_broker: RabbitMQ):
    """What a publisher was told is safe arrives, through two crashes; twice only what the broker repeats."""
    config = config_for(own_broker)
    intake = Recorder()
    safe: list[bytes] = []

    async def publish_all(upto: int) -> None:
        async with Machine(own_broker.url) as machine:
            for number in range(len(safe), upto):
                body = str(number).encode()
                await machine.publish(config.exchange, body)
                safe.append(body)

    with structlog.testing.capture_logs() as lines:
        async with running(config, intake) as transport:
            await intake.until_connected()
            for crash in (1, 2):
                await publish_all(crash * 400)
                intake.hold()
                await publish_all(crash * 400 + 50)
                await intake.until(lambda: intake.waiting > 0)
                await asyncio.to_thread(own_broker.kill)
                await intake.until_disconnected(crash)
                intake.go_on()
                await asyncio.to_thread(own_broker.start)
                await intake.until_connected(times=crash + 1)
            await publish_all(1000)
            await intake.until(lambda: set(safe) <= set(intake.bodies))
            async with Machine(own_broker.url) as machine:
                await machine.until_depth(config.queue, lambda depth: depth == 0)
            assert transport.tally.connections == 3
    assert set(intake.bodies) == set(safe)
    first = {message.body for message in intake.messages if not message.properties["redelivered"]}
    again = [message.body for message in intake.messages if message.properties["redelivered"]]
    seen = len(intake.bodies) - len(set(intake.bodies))
    assert seen <= len(again), "a message came twice without the broker saying so"
    assert first | set(again) == set(safe)
    assert all("refuses the connection" in line["reason"] for line in lines), lines


async def test_shutdown_with_messages_in_flight(broker: RabbitMQ):
    """What the journal does not have at the end is released, and the next reader gets it in order."""
    config = config_for(broker)
    intake = Recorder()
    bodies = [str(number).encode() for number in range(60)]
    async with Machine(broker.url) as machine:
        async with running(config, intake) as transport:
            await intake.until_connected()
            await machine.publish(config.exchange, *bodies[:20])
            await intake.until_taken(20)
            intake.hold()
            await machine.publish(config.exchange, *bodies[20:])
            await intake.until(lambda: intake.waiting == 40)
        assert (transport.tally.acknowledged, transport.tally.released) == (20, 40)
        assert await machine.until_depth(config.queue, lambda depth: depth >= 40) == 40
    again = Recorder()
    async with running(config, again):
        await again.until_taken(40)
    assert again.bodies == bodies[20:]
    assert all(message.properties["redelivered"] for message in again.messages)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param(
            {"password": "hidden-word"}, ["refuses user", "check username and password"], id="password"
        ),
        pytest.param({"username": "nobody"}, ['refuses user "nobody"'], id="user"),
        pytest.param({"virtual_host": "nowhere"}, ["nowhere", "check virtual_host"], id="virtual host"),
        pytest.param({"declare_queue": False}, ["is missing", "create it"], id="queue"),
        pytest.param({"address": "/somewhere/else"}, ["does not understand", "check address"], id="address"),
        pytest.param({"sasl": "external", "tls": True}, ["SASL EXTERNAL", "it offers"], id="mechanism"),
        pytest.param(
            {"public_key_pins": ["00" * 32], "tls": True}, ["is not pinned", "public_key_pins"], id="pin"
        ),
    ],
)
async def test_refusals(broker: RabbitMQ, settings: dict[str, Any], words: list[str]):
    """A refusal is told in one line with its remedy, once however often we try, and check finds the same."""
    certificate = {"cert_file": broker.certificates.client, "key_file": broker.certificates.client_key}
    if settings.get("sasl") == "external":
        settings = settings | certificate
    config = over_tls(broker, **settings) if settings.get("tls") else config_for(broker, **settings)
    intake = Recorder()
    with structlog.testing.capture_logs() as lines:
        async with running(config, intake):
            reason = await intake.until_disconnected()
            with pytest.raises(BrokerUnfit) as unfit:
                await probe(config)
    assert all(word in reason for word in words), reason
    assert "\n" not in reason
    assert "hidden-word" not in reason
    assert all(word in str(unfit.value) for word in words), unfit.value
    assert not str(unfit.value).startswith("amqp"), "who asks has named the broker"
    assert lines == [], "one line, which the intake writes"


async def test_broker_that_speaks_the_older_protocol_only(tmp_path_factory: pytest.TempPathFactory):
    """A RabbitMQ without the plugin is found as such, by the transport and by check."""
    with RabbitMQ(tmp_path_factory.mktemp("plain"), amqp10=False) as plain:
        config = config_for(plain)
        with pytest.raises(BrokerUnfit, match="speaks AMQP 0-9-1 only: enable the plugin rabbitmq_amqp1_0"):
            await probe(config)
        intake = Recorder()
        async with running(config, intake):
            assert 'or set protocol = "0-9-1"' in await intake.until_disconnected()
    async with listening() as peers:
        older = AMQPConfig(protocol="0-9-1", host="127.0.0.1", port=peers.port)
        with pytest.raises(BrokerUnfit, match='set protocol = "1\\.0"'):
            await probe(older)


@pytest.mark.parametrize("protocol", ["1.0", "0-9-1"])
async def test_login_by_certificate(strict_broker: RabbitMQ, protocol: str):
    """With a certificate and no user we are who the certificate says, over both protocols."""
    certificates = strict_broker.certificates
    config = over_tls(
        strict_broker, protocol=protocol, cert_file=certificates.client, key_file=certificates.client_key
    )
    assert config.mechanism == "EXTERNAL"
    intake = Recorder()
    async with running(config, intake), Machine(strict_broker.url) as machine:
        await intake.until_connected()
        await machine.publish(config.exchange, b"1")
        await intake.until_taken(1)
    assert await probe(config)


@pytest.mark.parametrize("protocol", ["1.0", "0-9-1"])
@pytest.mark.parametrize("shown", ["none", "expired"])
async def test_certificate_refused(strict_broker: RabbitMQ, protocol: str, shown: str):
    """A broker that takes no connection without a good certificate is understood as such."""
    certificates = strict_broker.certificates
    ours = (
        {"cert_file": certificates.expired, "key_file": certificates.client_key} if shown == "expired" else {}
    )
    config = over_tls(strict_broker, protocol=protocol, **ours)
    intake = Recorder()
    with structlog.testing.capture_logs() as lines:
        async with running(config, intake):
            assert "refuses our certificate" in await intake.until_disconnected()
    assert lines == []


@pytest.mark.parametrize("protocol", ["1.0", "0-9-1"])
async def test_pinned_key(broker: RabbitMQ, protocol: str):
    """A broker with a pinned key is read, with no authority behind it; another one is told nothing."""
    pins = {"public_key_pins": ["sha256//" + "A" * 43 + "=", broker.certificates.public_key_pin()]}
    trusting = {"verify": False, "ca_file": None, "protocol": protocol}
    intake = Recorder()
    async with running(over_tls(broker, **pins, **trusting), intake):
        await intake.until_connected()
    other = Recorder()
    async with running(over_tls(broker, public_key_pins=["ff" * 32], **trusting), other):
        assert "is not pinned" in await other.until_disconnected()


async def test_peer_of_another_make(broker: RabbitMQ):
    """A broker that is no RabbitMQ is read by the queue's name; one line says that nothing is created."""
    async with listening() as peers:
        config = config_for(broker, port=peers.port, queue="q")
        intake = Recorder()
        with structlog.testing.capture_logs() as lines:
            async with running(config, intake):
                await intake.until_connected()
                (await peers.next()).vanish()
                await intake.until_connected(times=2)
    assert [line["event"] for line in lines if "nothing is created" in line["event"]] == [lines[0]["event"]]
    async with listening(queues=()) as peers:
        with pytest.raises(BrokerUnfit, match="is missing"):
            await probe(config_for(broker, port=peers.port, queue="q"))


@pytest.mark.parametrize(
    ("misbehave", "words"),
    [
        pytest.param(
            lambda peer: peer.detach("amqp:resource-deleted", "queue 'q' deleted"),
            "was deleted",
            id="detached",
        ),
        pytest.param(
            lambda peer: peer.send_bytes(b"\x7f\xff\xff\xff\x02\0\0\0" + b"x" * 100_000),
            "protocol",
            id="oversized",
        ),
        pytest.param(lambda peer: peer.send_bytes(b"GET / HTTP/1.1\r\n\r\n" * 100), "protocol", id="garbage"),
        pytest.param(lambda peer: peer.vanish(), "lost", id="vanished"),
        pytest.param(lambda peer: peer.fall_silent(), "no sign of life (heartbeat 1 s)", id="silent"),
    ],
)
async def test_peer_that_misbehaves(broker: RabbitMQ, misbehave: Any, words: str):
    """Whatever the other side does, one line says what, and we are back by ourselves."""
    async with listening() as peers:
        config = config_for(broker, port=peers.port, queue="q", heartbeat=1, declare_queue=False)
        intake = Recorder()
        with structlog.testing.capture_logs() as lines:
            async with running(config, intake):
                await intake.until_connected()
                misbehave(await peers.next())
                reason = await intake.until_disconnected()
                await intake.until_connected(times=2)
        assert words in reason
        assert "\n" not in reason
        assert lines == []


async def test_fail_over(broker: RabbitMQ, own_broker: RabbitMQ):
    """When a broker is away the next one is read, and named; after that the first one comes first again."""
    others = [f"amqp://{broker.host}:{port}" for port in (*free_ports(1), broker.port)]
    config = config_for(own_broker, failover=others)
    intake = Recorder()
    async with running(config, intake) as transport:
        await intake.until_connected()
        await asyncio.to_thread(own_broker.kill)
        await intake.until_disconnected()
        await intake.until_connected(times=2)
        assert intake.states[-1][1].endswith(f"amqp://guest@{broker.host}:{broker.port}/")
        assert transport.amqp.port == broker.port
        async with Machine(broker.url) as machine:
            await machine.publish(config.exchange, b"1")
        await intake.until_taken(1)
        await asyncio.to_thread(own_broker.start)
        await asyncio.to_thread(broker.ctl, "close_all_connections", "test")
        await intake.until_connected(times=3)
        assert intake.states[-1][1].endswith(f"amqp://guest@{own_broker.host}:{own_broker.port}/")
