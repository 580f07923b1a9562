"""The CFX transport against a real RabbitMQ: order, acknowledgement, what is read and how far ahead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
import structlog
from brokers import Machine, RabbitMQ, encoded_headers
from brokers.recorder import Recorder

from pywats_cfx.amqp.transport import CFXTransport
from pywats_cfx.config import AMQPConfig, CFXConfig
from pywats_events.journal import JournalError
from pywats_events.message import RawMessage

pytestmark = pytest.mark.broker


def nothing(_: RawMessage) -> list[Any]:
    return []


@pytest.fixture(params=["1.0", "0-9-1"])
def config(broker: RabbitMQ, request: pytest.FixtureRequest) -> AMQPConfig:
    unique = uuid4().hex
    return AMQPConfig(
        protocol=request.param,
        host=broker.host,
        port=broker.port,
        queue=f"q-{unique}",
        exchange=f"x-{unique}",
        reconnect_initial_delay=0.05,
        reconnect_max_delay=0.2,
    )


@pytest.fixture
async def machine(broker: RabbitMQ) -> AsyncIterator[Machine]:
    async with Machine(broker.url) as connected:
        yield connected


@asynccontextmanager
async def running(config: AMQPConfig, intake: Recorder) -> AsyncIterator[CFXTransport]:
    transport = CFXTransport(CFXConfig(amqp=config), adapter=nothing)
    await transport.start(intake)
    try:
        yield transport
    finally:
        await transport.stop()
        await transport.close()


def numbered(count: int) -> list[bytes]:
    return [str(number).encode() for number in range(count)]


async def test_order_is_kept(config: AMQPConfig, machine: Machine):
    """Messages are handed over in the order in which the broker delivers them."""
    intake = Recorder()
    async with running(config, intake):
        await intake.until_connected()
        await machine.publish(config.exchange, *numbered(500))
        await intake.until_taken(500)
    assert intake.bodies == numbered(500)
    assert await machine.depth(config.queue) == 0


async def test_message_says_what_the_broker_said(config: AMQPConfig, machine: Machine):
    """Routing key, content type, encoding and headers reach the adapter."""
    intake = Recorder()
    async with running(config, intake):
        await intake.until_connected()
        await machine.publish(
            config.exchange,
            b"{}",
            key="Acme.T1.CFX.Heartbeat",
            content_type="application/json",
            content_encoding="gzip",
            message_id="m-1",
            headers={"cfx-topic": "CFX"},
        )
        await intake.until_taken(1)
    (message,) = intake.messages
    assert (message.content_type, message.content_encoding) == ("application/json", "gzip")
    assert (message.transport, message.address) == ("cfx", "Acme.T1.CFX.Heartbeat")
    assert message.properties["message_id"] == "m-1"
    if config.protocol == "0-9-1":  # RabbitMQ 3 does not hand headers on to AMQP 1.0
        assert message.properties["application_properties"] == {"cfx-topic": "CFX"}
    assert message.received_at.tzinfo is not None


async def test_unacknowledged_comes_back(config: AMQPConfig, machine: Machine):
    """Only ``ack`` takes a message from the queue: taking it in does not."""
    intake = Recorder(acknowledges=False)
    async with running(config, intake):
        await intake.until_connected()
        await machine.publish(config.exchange, *numbered(3))
        await intake.until_taken(3)
        await intake.messages[1].ack()
    assert await machine.until_depth(config.queue, lambda depth: depth >= 2) == 2
    again = Recorder()
    async with running(config, again):
        await again.until_taken(2)
    assert again.bodies == [b"0", b"2"]
    assert again.messages[0].properties["redelivered"] is True
    assert await machine.depth(config.queue) == 0


async def test_acknowledgements_in_any_order(config: AMQPConfig, machine: Machine):
    """An acknowledgement settles its own message and no other, in whatever order they come."""
    intake = Recorder(acknowledges=False)
    async with running(config, intake):
        await intake.until_connected()
        await machine.publish(config.exchange, *numbered(100))
        await intake.until_taken(100)
        for number in [*range(50, 100), *range(0, 50, 2)]:
            await intake.messages[number].ack()
            if number % 7 == 0:
                await asyncio.sleep(0)
        await intake.messages[1].release()
        await intake.until_taken(101)
    assert intake.bodies[100] == b"1"
    assert await machine.until_depth(config.queue, lambda depth: depth >= 25) == 25


async def test_prefetch_bounds_what_is_taken(config: AMQPConfig, machine: Machine):
    """No more messages than the prefetch are out of the queue while none is acknowledged."""
    narrow = config.model_copy(update={"prefetch": 7})
    intake = Recorder(acknowledges=False)
    async with running(narrow, intake):
        await intake.until_connected()
        await machine.publish(config.exchange, *numbered(20))
        await intake.until_taken(7)
        assert await machine.depth(config.queue) == 13
        await intake.messages[0].ack()
        await intake.until_taken(8)
        assert await machine.depth(config.queue) == 12


async def test_stop_releases_what_was_not_taken(config: AMQPConfig, machine: Machine):
    """What waited for the intake goes back at once; what the intake has can still be acknowledged."""
    intake = Recorder(acknowledges=False)
    async with running(config, intake) as transport:
        await intake.until_connected()
        await machine.publish(config.exchange, b"taken")
        await intake.until_taken(1)
        intake.hold()
        await machine.publish(config.exchange, *numbered(3))
        await intake.until(lambda: intake.waiting == 3)
        await transport.stop()
        async with asyncio.timeout(10):
            await machine.until_depth(config.queue, lambda depth: depth == 3)
        await intake.messages[0].ack()
        await transport.close()
    assert await machine.depth(config.queue) == 3
    assert transport.tally.acknowledged == 1


async def test_journal_that_refuses_leaves_messages_with_the_broker(config: AMQPConfig, machine: Machine):
    """A refused message goes back, reading pauses, and all comes again, in order, when the journal works."""
    intake = Recorder()
    intake.error = JournalError("disk full")
    async with running(config, intake) as transport:
        await intake.until_connected()
        intake.hold()
        await machine.publish(config.exchange, *numbered(30))
        await intake.until(lambda: intake.waiting == 30)
        intake.go_on()
        await intake.until(lambda: transport.tally.released >= 30)
        assert "disk full" in (transport.last_error or "")
        assert transport.connected
        intake.error = None
        await intake.until_taken(30)
    assert intake.bodies == numbered(30)
    assert await machine.depth(config.queue) == 0


async def test_existing_queue_is_read_as_it_is(config: AMQPConfig, machine: Machine):
    """With ``declare_queue`` off a queue of any settings is read, and nothing else is touched."""
    arguments = {"x-queue-type": "quorum"}
    await machine.declare(config.queue, durable=True, arguments=arguments)
    await machine.publish("", b"1", key=config.queue)
    passive = config.model_copy(update={"declare_queue": False})
    intake = Recorder()
    async with running(passive, intake):
        await intake.until_taken(1)
    assert intake.bodies == [b"1"]


async def test_quorum_queue_tells_how_often_it_delivered(config: AMQPConfig, machine: Machine):
    """A quorum queue of our own is declared, and its count of deliveries is passed on."""
    quorum = config.model_copy(update={"queue_arguments": {"x-queue-type": "quorum"}})
    intake = Recorder(acknowledges=False)
    async with running(quorum, intake):
        await intake.until_connected()
        await machine.publish(config.exchange, b"1")
        await intake.until_taken(1)
        await intake.messages[0].release()
        await intake.until_taken(2)
        await intake.messages[1].ack()
    again = intake.messages[1].properties
    assert again["redelivered"] is True
    if config.protocol == "0-9-1":  # RabbitMQ 3 does not tell it to AMQP 1.0
        assert again["delivery_count"] == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        pytest.param(
            {"queue_arguments": {"x-max-length": 5}}, ["x-max-length", "declare_queue = false"], id="406"
        ),
        pytest.param(
            {"declare_exchange": False, "exchange": "nobody-made-this"},
            ["nobody-made-this", "declare_exchange = true"],
            id="404-exchange",
        ),
        pytest.param({"declare_queue": False, "queue": "no-such"}, ["no-such", "create it"], id="404-queue"),
        pytest.param({"password": "hidden-word"}, ["guest", "check username and password"], id="password"),
        pytest.param({"virtual_host": "nowhere"}, ["nowhere", "check virtual_host"], id="vhost"),
        pytest.param({"port": 1}, ["is the broker running"], id="port"),
        pytest.param({"host": "no-such-host.invalid"}, ["no-such-host.invalid", "check host"], id="host"),
        pytest.param({"tls": True}, ["TLS", "check port"], id="tls"),
    ],
)
async def test_trouble_says_what_to_do(
    config: AMQPConfig, machine: Machine, wrong: dict[str, Any], words: list[str]
):
    """What keeps us from reading is told once, in one line that names the remedy and no password."""
    await machine.declare(config.queue, durable=True)
    fields = config.model_dump(exclude={"url"}) | wrong
    intake = Recorder()
    async with running(AMQPConfig(**fields), intake) as transport:
        reason = await intake.until_disconnected()
        assert all(word in reason for word in words), reason
        assert "\n" not in reason
        assert "hidden-word" not in reason
        assert transport.last_error == reason
        assert not transport.connected
    assert [state for state, _ in intake.states] == ["disconnected"]


async def test_deleted_queue_is_made_again(config: AMQPConfig, machine: Machine):
    """A consumer that the broker ended comes back, with queue and bindings.

    The AMQP 1.0 of RabbitMQ 3 says nothing: mostly it cuts the connection; in the midst of an answer about
    credit, as here, it may leave it as it is.
    """
    intake = Recorder()
    async with running(config.model_copy(update={"heartbeat": 1}), intake):
        await intake.until_connected()
        await machine.channel.queue_delete(config.queue)
        reason = await intake.until_disconnected()
        if config.protocol == "0-9-1":
            assert "was deleted or moved" in reason
        await intake.until_connected(times=2)
        await machine.publish(config.exchange, b"after")
        await intake.until_taken(1)


async def test_encoded_amqp10_body_is_unwrapped(config: AMQPConfig, machine: Machine):
    """A text that was sent as an AMQP 1.0 value arrives as its bytes, with its application properties."""
    intake = Recorder()
    async with running(config, intake):
        await intake.until_connected()
        await machine.publish(
            config.exchange,
            b"\x00\x53\x77\xa1\x02{}",
            message_type="amqp-1.0",
            headers=encoded_headers(
                properties=b"\x00\x53\x73\xc0\x09\x04\x40\x40\xa1\x01T\xa1\x01S",
                app_properties=b"\x00\x53\x74\xc1\x11\x02\xa1\x09cfx-topic\xa1\x03CFX",
            ),
        )
        await intake.until_taken(1)
    (message,) = intake.messages
    assert message.body == b"{}"
    assert (message.properties["to"], message.properties["subject"]) == ("T", "S")
    assert message.properties["application_properties"] == {"cfx-topic": "CFX"}
    assert "unread" not in message.properties


async def test_five_thousand_messages(config: AMQPConfig, machine: Machine):
    """A backlog is read without gaps; how fast is in the captured output."""
    intake = Recorder()
    async with running(config, intake):
        await intake.until_connected()
    bodies = [b'{"n":%d,"fill":"%s"}' % (number, b"x" * 1000) for number in range(5000)]
    for start in range(0, len(bodies), 500):
        async with asyncio.TaskGroup() as group:
            for body in bodies[start : start + 500]:
                group.create_task(machine.publish(config.exchange, body))
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with running(config, intake):
        await intake.until_taken(5000)
        seconds = loop.time() - began
    assert sorted(intake.bodies) == sorted(bodies)
    assert await machine.depth(config.queue) == 0
    structlog.get_logger().info("throughput", messages_per_second=round(5000 / seconds))
