"""The CFX transport over AMQP 1.0 against a real RabbitMQ: what this protocol carries, and publishing."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from brokers import Machine, RabbitMQ
from brokers.machine10 import Encoded, data, publish10
from brokers.recorder import Recorder
from proton import Message, ulong

from pywats_cfx import CFXEnvelope, decode
from pywats_cfx.adapter import cfx_adapter
from pywats_cfx.amqp.transport import CFXTransport
from pywats_cfx.amqp.troubles import PublishFailed
from pywats_cfx.config import AMQPConfig, CFXConfig, EndpointConfig
from pywats_events.journal import JournalError
from pywats_events.message import RawMessage, Unreadable

pytestmark = pytest.mark.broker

WIRE = Path(__file__).parents[3] / "shared" / "cfx" / "wire"


def nothing(_: RawMessage) -> list[Any]:
    return []


@pytest.fixture
def config(broker: RabbitMQ) -> AMQPConfig:
    unique = uuid4().hex
    return AMQPConfig(
        host=broker.host,
        port=broker.port,
        queue=f"q-{unique}",
        exchange=f"x-{unique}",
        reconnect_initial_delay=0.05,
        reconnect_max_delay=0.2,
    )


@asynccontextmanager
async def running(
    config: AMQPConfig, intake: Recorder, handle: str = "Acme.Bridge"
) -> AsyncIterator[CFXTransport]:
    whole = CFXConfig(amqp=config, endpoint=EndpointConfig(cfx_handle=handle))
    transport = CFXTransport(whole, adapter=nothing)
    await transport.start(intake)
    try:
        yield transport
    finally:
        await transport.stop()
        await transport.close()


def captured(name: str) -> dict[str, Any]:
    """Give what was recorded of the standard's own SDK."""
    path = WIRE / f"{name}.json"
    assert path.exists(), f"{path} is missing: the recorded traffic belongs beside the checkout"
    told: dict[str, Any] = json.loads(path.read_text())
    return told


@pytest.mark.parametrize("name", ["publish-raw-single", "publish-gzip-batch"])
async def test_recorded_traffic_arrives_as_it_was_sent(config: AMQPConfig, broker: RabbitMQ, name: str):
    """The SDK's own bytes, sent again, are handed over with the body and properties that were recorded."""
    recorded = captured(f"{name}.amqp10")["messages"]
    intake = Recorder()
    async with running(config, intake):
        await intake.until_connected()
        replayed = [Encoded(b64decode(one["transfer_b64"])) for one in recorded]
        await asyncio.to_thread(publish10, broker.port, f"/exchange/{config.exchange}", *replayed)
        await intake.until_taken(len(recorded))
    for message, one in zip(intake.messages, recorded, strict=True):
        told = one["properties"]
        assert message.body == b64decode(one["body_b64"])
        assert message.content_type == told["content-type"]
        assert message.content_encoding == told["content-encoding"]
        assert message.address == told["subject"]
        assert message.properties["message_id"] == told["message-id"]
        assert message.properties["reply_to"] == told["reply-to"]
        created = datetime.fromisoformat(message.properties["creation_time"])
        assert round(created.timestamp() * 1000) == told["creation-time-ms"]
        assert message.properties["application_properties"] == one["application-properties"]
        assert "unread" not in message.properties
        assert message.properties["delivery_mode"] == 2
        assert not [event for event in cfx_adapter(message) if isinstance(event, Unreadable)]


ODD = {
    "uuid": (data(b"1", id=UUID(int=7)), "urn:uuid:00000000-0000-0000-0000-000000000007"),
    "ulong": (data(b"1", id=ulong(2**63 + 1)), 2**63 + 1),
    "binary": (data(b"1", id=b"\xff\xfe"), {"base64": "//4="}),
    "text": (data(b"1", id="m-1"), "m-1"),
}


@pytest.mark.parametrize("kind", ODD)
async def test_message_ids_of_every_type(config: AMQPConfig, broker: RabbitMQ, kind: str):
    """An id keeps what it is: a uuid, a number and bytes can be told from a text."""
    message, expected = ODD[kind]
    intake = Recorder()
    async with running(config, intake):
        await intake.until_connected()
        await asyncio.to_thread(publish10, broker.port, f"/amq/queue/{config.queue}", message)
        await intake.until_taken(1)
    assert intake.messages[0].properties["message_id"] == expected
    json.dumps(dict(intake.messages[0].properties), allow_nan=False)


async def test_times_and_texts_beyond_the_usual(config: AMQPConfig, broker: RabbitMQ):
    """A creation time of year 1 and a reply-to of a thousand letters are read like any other."""
    message = data(b"1", reply_to="r" * 1000)
    message.creation_time = datetime(1, 1, 1, tzinfo=UTC).timestamp()
    intake = Recorder()
    async with running(config, intake):
        await intake.until_connected()
        await asyncio.to_thread(publish10, broker.port, f"/amq/queue/{config.queue}", message)
        await intake.until_taken(1)
    (taken,) = intake.messages
    assert taken.properties["creation_time"] == "0001-01-01T00:00:00+00:00"
    assert taken.properties["reply_to"] == "r" * 1000
    assert taken.address == f"/amq/queue/{config.queue}", "without a subject the source is the address"


@pytest.mark.parametrize(
    ("message", "body"),
    [
        pytest.param(Message(body="{}"), b"{}", id="text value"),
        pytest.param(Message(body=b"{}"), b"{}", id="binary value"),
        pytest.param(Message(body=["{}"], inferred=True), b"{}", id="sequence"),
        pytest.param(Message(body=b"x" * 700_000, inferred=True), b"x" * 700_000, id="several frames"),
        pytest.param(Message(body=b"", inferred=True), b"", id="empty"),
    ],
)
async def test_bodies_of_every_kind(
    config: AMQPConfig, broker: RabbitMQ, message: Message | Encoded, body: bytes
):
    """However a sender puts its content into AMQP, the content is what is handed over."""
    intake = Recorder()
    async with running(config, intake):
        await intake.until_connected()
        await asyncio.to_thread(publish10, broker.port, f"/amq/queue/{config.queue}", message)
        await intake.until_taken(1)
    assert intake.bodies == [body]


async def test_malformed_body_is_taken_in(config: AMQPConfig, broker: RabbitMQ):
    """A value that is neither text nor bytes is handed over as it came, with the reason; the next is read."""
    intake = Recorder()
    async with running(config, intake) as transport:
        await intake.until_connected()
        bad = Message(body={"a": 1})
        await asyncio.to_thread(publish10, broker.port, f"/amq/queue/{config.queue}", bad, b"next")
        await intake.until_taken(2)
        assert transport.tally.connections == 1
    assert "amqp-value holds dict" in intake.messages[0].properties["unread"][0]
    assert isinstance(cfx_adapter(intake.messages[0])[0], Unreadable)
    assert intake.bodies[1] == b"next"


async def test_queue_with_a_name_of_odd_letters(config: AMQPConfig, broker: RabbitMQ):
    """A queue's name is escaped where it becomes part of an address."""
    odd = config.model_copy(
        update={"queue": f"line 1/#:{config.queue}", "exchange": f"a b/,:{config.exchange}"}
    )
    intake = Recorder()
    async with running(odd, intake) as transport, Machine(broker.url) as machine:
        await intake.until_connected()
        await machine.publish(odd.exchange, b"1")
        await intake.until_taken(1)
        await transport.publish(CFXEnvelope("CFX.Heartbeat"))
        await intake.until_taken(2)


async def test_address_wins_over_queue(config: AMQPConfig, broker: RabbitMQ):
    """An address is read as it stands; neither queue nor exchange is made then."""
    async with Machine(broker.url) as machine:
        await machine.declare(config.queue, durable=True)
        await machine.publish("", b"1", key=config.queue)
    plain = config.model_copy(update={"address": f"/queue/{config.queue}", "queue": f"no-{config.queue}"})
    intake = Recorder()
    async with running(plain, intake):
        await intake.until_taken(1)
    assert intake.states[0][1].startswith(f'address "/queue/{config.queue}" at ')
    assert f"no-{config.queue}" not in await asyncio.to_thread(broker.ctl, "list_queues", "name")


async def test_publishing(config: AMQPConfig):
    """What we publish carries what the SDK gives its messages, and goes by topic to whoever listens."""
    when = datetime(2026, 3, 4, 5, 6, 7, 123000, tzinfo=UTC)
    envelope = CFXEnvelope(
        "CFX.Heartbeat",
        body={"CFXHandle": "Acme.Bridge"},
        source="Acme.Bridge",
        target="Acme.Other",
        request_id="R-1",
        unique_id=str(uuid4()),
        time_stamp=when,
        version="2.1",
    )
    intake = Recorder()
    async with running(config, intake) as transport:
        await intake.until_connected()
        await transport.publish(envelope, CFXEnvelope("CFX.EndpointConnected", unique_id="second"))
        await intake.until_taken(2)
    first, second = intake.messages
    sdk = captured("publish-gzip-batch.amqp10")["messages"][0]
    assert (first.content_type, first.content_encoding) == (sdk["properties"]["content-type"], "gzip")
    assert first.address == first.properties["subject"] == "Acme.Bridge.CFX.Heartbeat"
    assert first.properties["message_id"] == envelope.unique_id
    assert (first.properties["to"], first.properties["reply_to"]) == ("Acme.Other", "Acme.Bridge")
    assert first.properties["correlation_id"] == "R-1"
    assert datetime.fromisoformat(first.properties["creation_time"]) == when
    assert first.properties["delivery_mode"] == 2
    assert first.properties["application_properties"] == {
        "cfx-topic": "CFX",
        "cfx-message": "CFX.Heartbeat",
        "cfx-handle": "Acme.Bridge",
        "cfx-target": "Acme.Other",
    }
    assert sdk["application-properties"].keys() == first.properties["application_properties"].keys()
    (read,) = decode(first.body, content_encoding=first.content_encoding)
    assert read == envelope
    assert second.address == "Acme.Bridge.CFX.EndpointConnected", "our handle stands in for a missing source"
    assert second.properties["application_properties"]["cfx-target"] is None


async def test_publishing_over_amqp_091(config: AMQPConfig):
    """Over AMQP 0-9-1 the same is said as far as it has words for it."""
    older = config.model_copy(update={"protocol": "0-9-1"})
    envelope = CFXEnvelope("CFX.Heartbeat", unique_id="u-1", request_id="R-1", time_stamp=datetime.now(UTC))
    intake = Recorder()
    async with running(older, intake) as transport:
        await intake.until_connected()
        await transport.publish(envelope)
        await intake.until_taken(1)
    (message,) = intake.messages
    assert message.address == "Acme.Bridge.CFX.Heartbeat"
    assert message.content_encoding == "gzip"
    assert message.properties["message_id"] == "u-1"
    assert (message.properties["correlation_id"], message.properties["reply_to"]) == ("R-1", "Acme.Bridge")
    assert message.properties["application_properties"]["cfx-topic"] == "CFX"


@pytest.mark.parametrize("protocol", ["1.0", "0-9-1"])
async def test_publishing_that_fails(config: AMQPConfig, broker: RabbitMQ, protocol: str):
    """Nobody waits for a message that can't be published, and reading goes on all the same."""
    config = config.model_copy(update={"protocol": protocol})
    heartbeat = CFXEnvelope("CFX.Heartbeat")
    transport = CFXTransport(CFXConfig(amqp=config), adapter=nothing)
    with pytest.raises(PublishFailed, match="is not connected"):
        await transport.publish(heartbeat)
    intake = Recorder()
    async with running(config, intake) as transport, Machine(broker.url) as machine:
        await intake.until_connected()
        await machine.channel.exchange_delete(config.exchange)
        with pytest.raises(PublishFailed, match="is missing"):
            await transport.publish(heartbeat)
        await machine.publish("", b"1", key=config.queue)
        await intake.until_taken(1)
        await machine.channel.exchange_declare(config.exchange, exchange_type="topic", durable=True)
        await machine.channel.queue_bind(config.queue, config.exchange, "#")
        await transport.publish(heartbeat)
        await intake.until_taken(2)
    with pytest.raises(PublishFailed, match="is not connected"):
        await transport.publish(heartbeat)


async def test_credit_follows_the_intake(config: AMQPConfig, broker: RabbitMQ):
    """Behind an intake that waits no more messages than the window leave the queue; all arrive in order."""
    narrow = config.model_copy(update={"prefetch": 10})
    intake = Recorder()
    async with running(narrow, intake), Machine(broker.url) as machine:
        await intake.until_connected()
        intake.hold()
        bodies = [str(number).encode() for number in range(100)]
        await machine.publish(config.exchange, *bodies)
        await intake.until(lambda: intake.waiting == 10)
        assert await machine.depth(config.queue) == 90
        intake.go_on()
        await intake.until_taken(100)
    assert intake.bodies == bodies


async def test_journal_that_refuses_for_a_while(config: AMQPConfig, broker: RabbitMQ):
    """One line says that reading pauses; nothing circulates meanwhile, nothing is lost or doubled after."""
    intake = Recorder()
    intake.error = JournalError("disk full")
    with structlog.testing.capture_logs() as lines:
        async with running(config, intake) as transport, Machine(broker.url) as machine:
            await intake.until_connected()
            await machine.publish(config.exchange, *[str(number).encode() for number in range(50)])
            await intake.until(lambda: transport.tally.released >= 2)
            assert transport.tally.received < 200, "released messages must not come back at once"
            intake.error = None
            await intake.until_taken(50)
            assert transport.tally.connections == 1
    assert sorted(map(int, intake.bodies)) == list(range(50))
    assert {line["event"] for line in lines} == {"reading pauses: the journal refuses messages"}


async def test_close_settles_what_was_acknowledged_last(config: AMQPConfig, broker: RabbitMQ):
    """Leaving right after an acknowledgement, the broker has it; what was not acknowledged goes back."""
    for turn in range(10):
        intake = Recorder(acknowledges=False)
        async with Machine(broker.url) as machine:
            async with running(config, intake):
                await intake.until_connected(1)
                await machine.publish(config.exchange, *[str(number).encode() for number in range(20)])
                await intake.until_taken(20)
                for message in intake.messages[:10]:
                    await message.ack()
            await machine.until_depth(config.queue, lambda depth: depth >= 10)
            assert await machine.depth(config.queue) == 10, f"in turn {turn}"
            await machine.channel.queue_purge(config.queue)
