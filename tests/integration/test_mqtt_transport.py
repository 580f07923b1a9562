"""The MQTT transport at a real Mosquitto: order, acknowledgement, what is read and how far ahead."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from brokers.mosquitto import Mosquitto, Publisher
from brokers.recorder import Recorder
from mqtt_steps import VERSIONS, numbered, publish, publisher, running, settings, topic_in

from pywats_events.journal import JournalError
from pywats_events.transports.mqtt import BrokerGone, PublishRefused
from pywats_events.transports.mqtt.probe import BrokerUnfit, probe

pytestmark = pytest.mark.broker


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", VERSIONS)
async def test_order_is_kept(mosquitto: Mosquitto, version: str, qos: int):
    """Messages are handed over in the order in which the broker sends them, each once, and acknowledged."""
    config = settings(mosquitto, protocol=version, qos=qos)
    intake = Recorder()
    async with running(config, intake) as transport:
        await intake.until_connected()
        await publish(mosquitto, topic_in(config), *numbered(300), qos=qos)
        await intake.until_taken(300)
        assert transport.tally.acknowledged == (300 if qos else 0)
    assert intake.bodies == numbered(300)
    assert [said for said, _ in intake.states] == ["connected"]


async def test_message_says_what_the_broker_said(mosquitto: Mosquitto):
    """Topic, content type, user properties and the rest of MQTT 5 reach the adapter as plain data."""
    config = settings(mosquitto, qos=2, topic="Wrocław/{line}/検査/#")
    intake = Recorder()
    async with running(config, intake):
        await intake.until_connected()
        await publish(
            mosquitto,
            "Wrocław/L1/検査/a/b",
            b"{}",
            qos=2,
            ContentType="application/json",
            CorrelationData=b"\x00\xff",
            ResponseTopic="answers/1",
            MessageExpiryInterval=600,
            PayloadFormatIndicator=1,
            UserProperty=[("serial", "7"), ("tag", "a"), ("tag", "b")],
        )
        await intake.until_taken(1)
    (message,) = intake.messages
    assert (message.address, message.content_type) == ("Wrocław/L1/検査/a/b", "application/json")
    said = dict(message.properties)
    assert said.pop("identity")
    assert said.pop("packet_id") > 0
    assert said.pop("message_expiry") <= 600
    assert said == {
        "qos": 2,
        "retain": False,
        "dup": False,
        "subscription": "Wrocław/{line}/検査/#",
        "client_id": config.client_id,
        "correlation_data": "00ff",
        "response_topic": "answers/1",
        "payload_format": 1,
        "user_properties": {"serial": "7", "tag": ["a", "b"]},
    }


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("version", VERSIONS)
async def test_unacknowledged_comes_back_as_the_same(mosquitto: Mosquitto, version: str, qos: int):
    """What was not acknowledged comes again over the next connection, and is known by the same identity."""
    config = settings(mosquitto, protocol=version, qos=qos, duplicate_window=0)
    intake = Recorder(acknowledges=False)
    async with running(config, intake) as transport:
        await intake.until_connected()
        await publish(mosquitto, topic_in(config), *numbered(3), qos=qos)
        await intake.until_taken(3)
        await intake.messages[0].ack()
        await publish(mosquitto, topic_in(config), b"the broker has read the acknowledgement", qos=0)
        await intake.until_taken(4)
        transport._connection._wire.abort()
        await intake.until_taken(6)
        assert intake.bodies[4:] == [b"1", b"2"]
        identities = [message.properties["identity"] for message in intake.messages]
        assert identities[1:3] == identities[4:6]
        assert intake.messages[4].properties["dup"] is True
        await intake.messages[1].ack()
        assert transport.tally.late == 1
        await intake.until_connected(2)
        for message in intake.messages[4:]:
            await message.ack()
    assert [said for said, _ in intake.states] == ["connected", "disconnected", "connected"]
    again = Recorder()
    async with running(config, again):
        await again.until_connected()
        await publish(mosquitto, topic_in(config), b"last", qos=qos)
        await again.until_taken(1)
    assert again.bodies == [b"last"]


async def test_acknowledgements_go_out_in_order(mosquitto: Mosquitto):
    """An acknowledgement waits for those of the messages before it."""
    config = settings(mosquitto)
    intake = Recorder(acknowledges=False)
    async with running(config, intake) as transport:
        await intake.until_connected()
        await publish(mosquitto, topic_in(config), *numbered(3))
        await intake.until_taken(3)
        await intake.messages[2].ack()
        await intake.messages[1].ack()
        assert transport.tally.acknowledged == 0
        await intake.messages[0].ack()
        assert transport.tally.acknowledged == 3


@pytest.mark.parametrize("qos", [1, 2])
async def test_receive_maximum_bounds_what_is_taken(mosquitto: Mosquitto, qos: int):
    """No more messages than the maximum are under way while none is acknowledged."""
    config = settings(mosquitto, qos=qos, receive_maximum=7)
    intake = Recorder(acknowledges=False)
    async with running(config, intake):
        await intake.until_connected()
        await publish(mosquitto, topic_in(config), *numbered(20), qos=qos)
        await publish(mosquitto, topic_in(config), b"unbounded", qos=0)
        await intake.until_taken(8)
        assert intake.bodies == [*numbered(7), b"unbounded"]
        await intake.messages[0].ack()
        await intake.until_taken(9)
        assert intake.bodies[8] == b"7"


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", VERSIONS)
async def test_journal_that_refuses_for_a_while(mosquitto: Mosquitto, version: str, qos: int):
    """What the journal refuses is kept and offered again, in order and before what came later."""
    config = settings(mosquitto, protocol=version, qos=qos)
    intake = Recorder()
    intake.error = JournalError("disk full")
    async with running(config, intake) as transport:
        await intake.until_connected()
        intake.hold()
        await publish(mosquitto, topic_in(config), *numbered(10), qos=qos)
        await intake.until(lambda: intake.waiting == 10)
        intake.go_on()
        await transport.until_error("disk full")
        await publish(mosquitto, topic_in(config), *numbered(10, start=10), qos=qos)
        assert intake.messages == []
        intake.error = None
        await intake.until_taken(20)
    assert intake.bodies == numbered(20)
    assert [said for said, _ in intake.states] == ["connected"]


async def test_flood_of_qos_0_is_left_in_the_network(mosquitto: Mosquitto):
    """Messages without acknowledgement are not read without end while the journal is behind."""
    config = settings(mosquitto, qos=0, receive_maximum=50)
    intake = Recorder()
    async with running(config, intake) as transport:
        await intake.until_connected()
        intake.hold()
        await publish(mosquitto, topic_in(config), *numbered(1000), qos=0)
        await intake.until(lambda: intake.waiting > 50)
        await publish(mosquitto, topic_in(config), *numbered(1000, start=1000), qos=0)
        assert intake.waiting < 200
        intake.go_on()
        await intake.until_taken(200)
        await publish(mosquitto, topic_in(config), b"last", qos=1)
        await intake.until(lambda: b"last" in intake.bodies)
        assert transport.connected
    assert len(intake.bodies) == len(set(intake.bodies))
    assert [said for said, _ in intake.states] == ["connected"]


async def test_stop_leaves_what_was_not_taken(mosquitto: Mosquitto):
    """What waited for the intake comes again next time; what the intake has can still be acknowledged."""
    config = settings(mosquitto)
    intake = Recorder(acknowledges=False)
    async with running(config, intake) as transport:
        await intake.until_connected()
        await publish(mosquitto, topic_in(config), b"taken")
        await intake.until_taken(1)
        intake.hold()
        await publish(mosquitto, topic_in(config), *numbered(3))
        await intake.until(lambda: intake.waiting == 3)
        await transport.stop()
        await intake.messages[0].ack()
        await transport.close()
    again = Recorder()
    async with running(config, again):
        await again.until_taken(3)
    assert again.bodies == numbered(3)


@pytest.mark.parametrize("version", VERSIONS)
async def test_retained_messages_are_ignored_unless_wanted(mosquitto: Mosquitto, version: str):
    """A retained message is read where that is configured, and is the same however often it comes."""
    plain = settings(mosquitto, protocol=version)
    await publish(mosquitto, topic_in(plain), b"old", retain=True)
    intake = Recorder()
    async with running(plain, intake) as transport:
        await intake.until_connected()
        await publish(mosquitto, topic_in(plain), b"new", retain=True)
        await intake.until_taken(1)
        assert transport.tally.ignored == (1 if version == "3.1.1" else 0)  # 5 is told not to send them
    assert intake.bodies == [b"new"]
    identities = set()
    for number in range(2):
        using = settings(
            mosquitto,
            protocol=version,
            topic=plain.subscriptions[0].topic,
            retained="use",
            client_id=f"{plain.client_id}-{number}",
        )
        intake = Recorder()
        async with running(using, intake):
            await intake.until_taken(1)
        (message,) = intake.messages
        assert (message.body, message.properties["retain"]) == (b"new", True)
        identities.add(message.properties["identity"])
    assert len(identities) == 1


async def test_identity_from_a_user_property(mosquitto: Mosquitto):
    """Where a machine says what a message is known by, content and time don't matter."""
    config = settings(mosquitto, identity_property="message-id", duplicate_window=0)
    intake = Recorder()
    async with running(config, intake):
        await intake.until_connected()
        for body, known_by in ((b"a", "1"), (b"a again", "1"), (b"a", "2"), (b"a", None), (b"a", None)):
            said = {"UserProperty": [("message-id", known_by)]} if known_by else {}
            await publish(mosquitto, topic_in(config), body, **said)
        await intake.until_taken(5)
    first, repeated, second, unknown, other = (one.properties["identity"] for one in intake.messages)
    assert first == repeated
    assert len({first, second, unknown, other}) == 4


async def test_status_topic_tells_how_the_bridge_is(mosquitto: Mosquitto):
    """Online when it reads, offline when it leaves, and offline by the broker's word when it is lost."""
    config = settings(mosquitto)
    config = config.model_copy(update={"status_topic": f"{config.client_id}/status"})
    intake = Recorder()

    def statuses(watcher: Publisher) -> list[bytes]:
        return [bytes(message.payload) for message in watcher.received]

    async with publisher(mosquitto, topic=config.status_topic) as watcher:
        async with running(config, intake) as transport:
            await asyncio.to_thread(watcher.until, lambda: statuses(watcher) == [b"online"])
            await intake.until_connected()
            transport._connection._wire.abort()
            wanted = [b"online", b"offline", b"online"]
            await asyncio.to_thread(watcher.until, lambda: statuses(watcher) == wanted)
            await intake.until_connected(2)
        await asyncio.to_thread(watcher.until, lambda: statuses(watcher) == [*wanted, b"offline"])


@pytest.mark.parametrize("version", VERSIONS)
async def test_publishing_over_the_connection(
    mosquitto: Mosquitto, own_mosquitto: Callable[..., Mosquitto], tmp_path: Path, version: str
):
    """What is published reaches others, in order and retained as wanted; without a connection it raises."""
    config = settings(mosquitto, protocol=version)
    topic = f"{config.client_id}/Ω"
    intake = Recorder()
    async with publisher(mosquitto, topic=topic) as watcher, running(config, intake) as transport:
        await intake.until_connected()
        sent = [transport.publish(topic, b"%d" % n, qos=n % 3, retain=False) for n in range(30)]
        await asyncio.gather(*sent)
        await transport.publish(topic, b"kept", qos=1, retain=True)
        await asyncio.to_thread(watcher.until, lambda: len(watcher.received) == 31)
        with pytest.raises(ValueError, match="wildcard"):
            await transport.publish("a/+", b"", qos=0, retain=False)
        transport._connection._wire.abort()
        with pytest.raises(BrokerGone, match="connection"):
            await transport.publish(topic, b"lost", qos=1, retain=False)
    with pytest.raises(BrokerGone, match="there is no connection"):
        await transport.publish(topic, b"late", qos=0, retain=False)
    assert sorted(bytes(one.payload) for one in watcher.received[:30]) == sorted(numbered(30))
    async with publisher(mosquitto, topic=topic) as late:
        await asyncio.to_thread(late.until, lambda: late.received)
        assert (bytes(late.received[0].payload), late.received[0].retain) == (b"kept", True)

    (tmp_path / "acl").write_text("topic read #\n")
    picky = own_mosquitto(settings=[f"acl_file {tmp_path / 'acl'}", "max_packet_size 1000"])
    intake = Recorder()
    async with running(settings(picky, protocol=version), intake) as transport:
        await intake.until_connected()
        if version == "5":
            with pytest.raises(PublishRefused, match='"a/b": Not authorized'):
                await transport.publish("a/b", b"", qos=1, retain=False)
            with pytest.raises(PublishRefused, match="2000 bytes; the broker takes packets of 1000"):
                await transport.publish("a/b", b"x" * 2000, qos=1, retain=False)
        assert transport.connected


async def test_shared_subscription_shares(mosquitto: Mosquitto):
    """Two bridges of one group get each message once between them, and both get some."""
    one = settings(mosquitto, shared="bridges")
    other = one.model_copy(update={"client_id": f"{one.client_id}-2"})
    intake = Recorder()
    async with running(one, intake, name="one"), running(other, intake, name="other"):
        await intake.until_connected(2)
        await publish(mosquitto, topic_in(one), *numbered(200))
        await intake.until_taken(200)
        await publish(mosquitto, topic_in(one), b"last")
        await intake.until_taken(201)
    assert sorted(intake.bodies) == sorted([*numbered(200), b"last"])
    assert {message.transport for message in intake.messages} == {"one", "other"}


@pytest.mark.parametrize("version", VERSIONS)
async def test_message_of_absurd_size_costs_itself_only(mosquitto: Mosquitto, version: str):
    """A broker of MQTT 5 keeps it back; else its beginning is a dead letter, and the next one comes."""
    config = settings(mosquitto, protocol=version, max_packet_bytes=10_000)
    intake = Recorder()
    async with running(config, intake) as transport:
        await intake.until_connected()
        await publish(mosquitto, topic_in(config), b"x" * 3_000_000, b"after")
        await intake.until(lambda: b"after" in intake.bodies)
        assert transport.tally.oversized == (1 if version == "3.1.1" else 0)
        assert transport.tally.acknowledged == len(intake.messages)
    if version == "3.1.1":
        message = intake.messages[0]
        assert message.body == b"x" * 1024
        assert message.properties["packet_bytes"] > 3_000_000
    assert [said for said, _ in intake.states] == ["connected"]


async def test_password(own_mosquitto: Callable[..., Mosquitto]):
    """With the right password it reads; with a wrong one it says who is refused, and no password."""
    broker = own_mosquitto(users={"bridge": "s3cret"})
    intake = Recorder()
    async with running(settings(broker, username="bridge", password="s3cret"), intake):
        await intake.until_connected()
    for version in VERSIONS:
        intake = Recorder()
        wrong = settings(broker, username="bridge", password="wr0ng", protocol=version)
        async with running(wrong, intake) as transport:
            reason = await intake.until_disconnected()
            assert not transport.connected
        assert 'refuses user "bridge"' in reason
        assert "check username and password" in reason
        assert "wr0ng" not in reason + repr(transport.config)


@pytest.mark.parametrize("version", VERSIONS)
async def test_looking_at_a_broker_disturbs_nobody(
    mosquitto: Mosquitto, own_mosquitto: Callable[..., Mosquitto], version: str
):
    """A look says whether we would be let in, leaves a bridge that runs alone, and leaves no session."""
    config = settings(mosquitto, protocol=version)
    intake = Recorder()
    async with running(config, intake) as transport:
        await intake.until_connected()
        assert await probe(config) == f"lets us in with MQTT {version}"
        await publish(mosquitto, topic_in(config), b"1")
        await intake.until_taken(1)
        assert transport.tally.connections == 1
    picky = settings(own_mosquitto(users={"bridge": "s3cret"}), protocol=version)
    with pytest.raises(BrokerUnfit, match="refuses a client without a user"):
        await probe(picky)


async def test_tls(mosquitto: Mosquitto, own_mosquitto: Callable[..., Mosquitto]):
    """Over TLS it reads where it trusts the broker, and says why where it does not."""
    theirs = mosquitto.certificates
    tls = {"host": "localhost", "tls": True}
    good = settings(mosquitto, **tls, port=mosquitto.tls_port, ca_file=theirs.authority)
    intake = Recorder()
    async with running(good, intake):
        await intake.until_connected()
        await publish(mosquitto, topic_in(good), *numbered(300))
        await intake.until_taken(300)
    assert intake.bodies == numbered(300)

    picky = own_mosquitto(client_certificates=True)
    certificates = picky.certificates
    base = {**tls, "port": picky.tls_port}
    for changes, reason in (
        ({"ca_file": theirs.authority}, "not trusted"),
        ({"ca_file": certificates.authority}, "certificate"),
        (
            {
                "ca_file": certificates.authority,
                "cert_file": certificates.expired,
                "key_file": certificates.client_key,
            },
            "refuses our certificate",
        ),
        ({"ca_file": certificates.authority, "cert_file": Path("missing.crt")}, "can't be read"),
    ):
        for version in VERSIONS:
            intake = Recorder()
            async with running(settings(picky, **base, **changes, protocol=version), intake):
                assert reason in await intake.until_disconnected()
    ours = {
        "ca_file": certificates.authority,
        "cert_file": certificates.client,
        "key_file": certificates.client_key,
    }
    intake = Recorder()
    async with running(settings(picky, **base, **ours), intake):
        await intake.until_connected()


@pytest.mark.parametrize("version", VERSIONS)
async def test_takeover_is_said_and_starts_no_war(mosquitto: Mosquitto, version: str):
    """A second client with our identity, which comes back each time, is left in peace, and we say why."""
    config = settings(mosquitto, protocol=version)
    intake = Recorder()
    async with running(config, intake) as transport:
        await intake.until_connected()
        stop, in_peace = threading.Event(), threading.Event()
        other = asyncio.create_task(
            asyncio.to_thread(insist_on, mosquitto, config.client_id, topic_in(config), stop, in_peace)
        )
        try:
            reason = await transport.until_error("again and again")
            assert f'another client connects as "{config.client_id}"' in reason
            assert f'"{config.client_id}"' in intake.states[1][1]
            connections = transport.tally.connections
            async with asyncio.timeout(60):
                while not in_peace.is_set():  # each a round trip, in which we could come back
                    await publish(mosquitto, topic_in(config), b"for whoever is there")
            assert transport.tally.connections == connections <= 3
        finally:
            stop.set()
            await other


def insist_on(
    broker: Mosquitto, client_id: str, topic: str, stop: threading.Event, in_peace: threading.Event
) -> None:
    """Connect with an identity, and again each time that the connection is lost; read twenty messages."""
    while not stop.is_set():
        with contextlib.suppress(ConnectionError), Publisher(broker, client_id=client_id, topic=topic) as one:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    one.until(lambda: len(one.received) >= 20, seconds=0.2)
                    in_peace.set()
                    stop.wait()
