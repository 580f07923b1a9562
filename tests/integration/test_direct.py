"""Machines that publish straight to the bridge, over AMQP 1.0 and without a broker."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest
import structlog
from listening import HANDLE, HeldUp, Listening, Refusing, listening
from proton import Connection, ConnectionException, Delivery, LinkException, Message, Transport
from sdk_machine import Machine, bodies, capture, transfers

from pywats_cfx import cfx_adapter
from pywats_cfx.amqp10.peer import Patience
from pywats_events import RawMessage
from pywats_events.journal import DeliveryState, Query

SECONDS = 20.0


def heartbeat(number: int = 0, *, padding: int = 0, **fields: Any) -> bytes:
    """Give a message by hand, all sections."""
    envelope = {
        "MessageName": "CFX.Heartbeat",
        "UniqueID": f"8674683e-6ed8-4b16-9cdf-{number:012}",
        "Source": "Acme.Tester.T1",
        "MessageBody": {"CFXHandle": "Acme.Tester.T1", "Padding": "x" * padding},
    }
    fields = {"body": json.dumps(envelope).encode(), "inferred": True, **fields}
    return bytes(Message(**fields).encode())


def publish(uri: str, *messages: bytes, target: str = HANDLE, **options: Any) -> list[Any]:
    """Publish as a machine does, one after the other; give the outcomes."""
    with Machine(uri, **options) as machine:
        link = machine.sender(target)
        return [machine.send(link, message) for message in messages]


async def received(bridge: Listening) -> int:
    return sum((await bridge.bus.journal.stats()).received.values())


def lines(logs: list[Any], level: str = "warning") -> list[Any]:
    """Give what the listener logged at a level or above."""
    levels = ["debug", "info", "warning", "error", "critical"]
    return [
        line
        for line in logs
        if levels.index(line["log_level"]) >= levels.index(level) and line.get("transport") == "cfx-listener"
    ]


async def test_what_the_sdk_publishes_directly_becomes_events():
    """The captured bytes, on links attached as they were captured, are accepted and journalled one by one."""
    name = "publish-raw-single-direct"
    (connection,) = capture(name)["connections"]
    (details,) = connection["links"]
    address = details["target"]["address"]

    def play(uri: str) -> list[Any]:
        with Machine(uri, connection["open"]["container-id"]) as machine:
            link = machine.attach(details)
            return [machine.send(link, message) for message in transfers(name)]

    async with listening(addresses=[address]) as bridge:
        outcomes = await asyncio.to_thread(play, bridge.uri)
        assert outcomes == [Delivery.ACCEPTED] * 9
        assert await received(bridge) == 9
        right = [event for body in bodies(name) for event in cfx_adapter(RawMessage(body))]
        assert [event.id for event in bridge.events] == [event.id for event in right]
        assert bridge.listener.tally.acknowledged == 9


async def test_a_packed_batch_is_taken_apart():
    """Nine messages in one, packed with gzip, are nine messages."""
    async with listening() as bridge:
        packed, single = transfers("publish-gzip-batch"), bodies("publish-raw-single")
        assert await asyncio.to_thread(publish, bridge.uri, *packed) == [Delivery.ACCEPTED]
        right = [event for body in single for event in cfx_adapter(RawMessage(body))]
        assert len(bridge.events) == len(right)
        assert [event.event_type for event in bridge.events] == [event.event_type for event in right]


async def test_a_message_of_many_frames_arrives_whole():
    """A message of megabytes, with pictures for instance, comes in several frames."""
    async with listening() as bridge:
        big = heartbeat(padding=3_000_000)
        assert await asyncio.to_thread(publish, bridge.uri, big) == [Delivery.ACCEPTED]
        assert await received(bridge) == 1


async def test_nothing_is_accepted_before_the_journal_has_it():
    """While the journal writes, the machine waits."""
    journal = HeldUp()
    async with listening(journal=journal) as bridge:
        publishing = asyncio.ensure_future(asyncio.to_thread(publish, bridge.uri, heartbeat()))
        await asyncio.wait_for(journal.asked.wait(), SECONDS)
        assert not publishing.done()
        assert bridge.listener.tally.acknowledged == 0
        journal.commit.set()
        assert await publishing == [Delivery.ACCEPTED]


async def test_no_more_is_sent_than_the_journal_keeps_up_with():
    """Credit ends with the window: what waits, waits with the machine, and goes on with the journal."""
    journal, loop, full = HeldUp(), asyncio.get_running_loop(), asyncio.Event()
    async with listening(journal=journal, options={"window": 4}) as bridge:

        def play() -> list[Any]:
            with Machine(bridge.uri) as machine:
                link = machine.sender(HANDLE)
                flying = [machine.transfer(link, heartbeat(number)) for number in range(4)]
                machine.connection.wait(lambda: link.credit == 0)
                loop.call_soon_threadsafe(full.set)
                flying += [machine.transfer(link, heartbeat(number)) for number in range(4, 12)]
                return [machine.outcome(each) for each in flying]

        playing = asyncio.ensure_future(asyncio.to_thread(play))
        await asyncio.wait_for(full.wait(), SECONDS)
        await asyncio.wait_for(journal.asked.wait(), SECONDS)
        assert bridge.listener.tally.received <= 4
        journal.commit.set()
        assert await playing == [Delivery.ACCEPTED] * 12


async def test_what_the_journal_refuses_stays_with_the_machine():
    """It is released, said in one line, and taken when the journal takes messages again."""
    journal = Refusing()
    with structlog.testing.capture_logs() as logs:
        async with listening(journal=journal) as bridge:

            def play() -> tuple[Any, Any]:
                with Machine(bridge.uri) as machine:
                    link = machine.sender(HANDLE)
                    first = machine.send(link, heartbeat())
                    journal.refuses = False
                    again = first
                    while again == Delivery.RELEASED:
                        again = machine.send(link, heartbeat())
                    return first, again

            outcomes = await asyncio.to_thread(play)
            assert outcomes == (Delivery.RELEASED, Delivery.ACCEPTED)
            assert await received(bridge) == 1
    (line,) = lines(logs)
    assert line["event"] == "reading pauses: the journal refuses messages"
    assert "disk is full" in line["reason"]


async def test_a_machine_that_stops_in_the_middle_keeps_its_messages():
    """The listener stops with messages in flight: they are released, and none of them is accepted."""
    journal = HeldUp()
    async with listening(journal=journal) as bridge:

        def play() -> list[Any]:
            machine = Machine(bridge.uri)
            link = machine.sender(HANDLE)
            flying = [machine.transfer(link, heartbeat(number)) for number in range(30)]
            with pytest.raises(ConnectionException, match="ends"):
                machine.connection.wait(lambda: False)
            return [each.remote_state for each in flying]

        playing = asyncio.ensure_future(asyncio.to_thread(play))
        await asyncio.wait_for(journal.asked.wait(), SECONDS)
        async with asyncio.timeout(SECONDS):
            await bridge.listener.stop()
            await bridge.listener.close()
        assert await playing == [Delivery.RELEASED] * 30
        assert bridge.listener.tally.acknowledged == 0
        journal.commit.set()


@pytest.mark.parametrize("target", ["nobody", "", None])
async def test_an_address_that_is_not_ours_is_refused_by_name(target):
    """The machine hears at once that nobody listens there."""
    async with listening() as bridge:
        with pytest.raises(LinkException, match=f'amqp:not-found.*"{target or ""}"'):
            await asyncio.to_thread(publish, bridge.uri, heartbeat(), target=target)


async def test_an_address_that_is_not_ours_is_told_once():
    """A machine that tries the same wrong address for ever fills no log; another address is news."""
    with structlog.testing.capture_logs() as logs:
        async with listening() as bridge:
            for target in ("nobody", "nobody", "somebody", "nobody"):
                with pytest.raises(LinkException):
                    await asyncio.to_thread(publish, bridge.uri, heartbeat(), target=target)
    warned = [line["reason"] for line in lines(logs)]
    assert [reason.partition('"')[2].partition('"')[0] for reason in warned] == ["nobody", "somebody"]


@pytest.mark.parametrize(
    ("addresses", "target"), [((), HANDLE), ((), "CFXListener"), (("*",), "anything"), (("/q",), "/q")]
)
async def test_machines_publish_to_the_addresses_that_are_configured(addresses, target):
    """Our handle and CFXListener by default, any address by a star."""
    async with listening(addresses=addresses) as bridge:
        assert await asyncio.to_thread(publish, bridge.uri, heartbeat(), target=target) == [Delivery.ACCEPTED]


async def test_a_machine_without_any_login_comes_in():
    """SASL may be left out where no user is configured."""
    async with listening() as bridge:
        outcomes = await asyncio.to_thread(publish, bridge.uri, heartbeat(), sasl_enabled=False)
        assert outcomes == [Delivery.ACCEPTED]


async def test_bodies_of_another_kind_are_read_as_well():
    """Text as amqp-value, and one body in several data sections."""
    message = Message()
    message.decode(heartbeat(1))
    body = bytes(message.body)
    value = bytes(Message(body=body.decode()).encode())
    parts = b"".join(b"\0\x53\x75\xa0" + bytes((len(part),)) + part for part in (body[:90], body[90:]))
    async with listening() as bridge:
        assert await asyncio.to_thread(publish, bridge.uri, value, parts) == [Delivery.ACCEPTED] * 2
        stats = await bridge.bus.journal.stats()
        assert (stats.events, sum(stats.duplicates.values())) == (1, 1)


async def test_a_message_that_is_settled_already_is_journalled_all_the_same():
    """Its sender does not wait, and it is not lost for that."""
    async with listening() as bridge:

        def play() -> None:
            with Machine(bridge.uri) as machine:
                link = machine.sender(HANDLE)
                machine.transfer(link, heartbeat(1), settled=True)
                machine.send(link, heartbeat(2))

        await asyncio.to_thread(play)
        assert await received(bridge) == 2


async def test_garbage_becomes_a_dead_letter_that_names_its_sender():
    """What cannot be read is accepted, kept and told; the next message goes on."""
    garbage = bytes(Message(inferred=True, body=b"\x00 no CFX").encode())
    async with listening() as bridge:
        outcomes = await asyncio.to_thread(publish, bridge.uri, garbage, b"no sections", heartbeat())
        assert outcomes == [Delivery.ACCEPTED] * 3
        assert await received(bridge) == 3
        dead = await bridge.bus.journal.search(Query(states=(DeliveryState.DEAD,)))
        assert {entry.source for entry in dead} == {"Acme.Tester.T1"}
        assert len(dead) == 2


async def test_a_message_that_is_too_large_is_rejected_and_the_next_one_taken():
    """The machine hears why, and its link lives on."""
    async with listening(options={"max_bytes": 10_000}) as bridge:

        def play() -> tuple[Any, Any, Any]:
            with Machine(bridge.uri) as machine:
                link = machine.sender(HANDLE)
                large = machine.transfer(link, heartbeat(padding=600_000))
                outcome = machine.outcome(large)
                return outcome, large.remote.condition.name, machine.send(link, heartbeat(1))

        said = await asyncio.to_thread(play)
        assert said == (Delivery.REJECTED, "amqp:link:message-size-exceeded", Delivery.ACCEPTED)


async def test_two_links_of_one_name_and_container_are_one_the_newer_one():
    """As the protocol says: the older link is detached as stolen."""
    async with listening() as bridge:

        def play() -> Any:
            with Machine(bridge.uri) as first, Machine(bridge.uri) as second:
                old = first.sender(HANDLE)
                assert first.send(old, heartbeat(1)) == Delivery.ACCEPTED
                new = second.sender(HANDLE)
                with pytest.raises(LinkException, match="amqp:link:stolen"):
                    first.connection.wait(lambda: False)
                return second.send(new, heartbeat(2))

        assert await asyncio.to_thread(play) == Delivery.ACCEPTED
        assert await received(bridge) == 2


async def test_links_of_one_name_from_machines_of_other_names_do_not_meet():
    """Every SDK publisher calls its link by the address."""
    async with listening() as bridge:

        def play() -> list[Any]:
            with Machine(bridge.uri, "Acme.A") as first, Machine(bridge.uri, "Acme.B") as second:
                links = [(each, each.sender(HANDLE)) for each in (first, second)]
                return [machine.send(link, heartbeat(n)) for n, (machine, link) in enumerate(links)]

        assert await asyncio.to_thread(play) == [Delivery.ACCEPTED] * 2


# --- broken peers


def say(uri: str, *parts: bytes) -> bytes:
    """Connect, say something, and give what comes back until the connection ends."""
    _, _, place = uri.partition("//")
    host, _, port = place.rstrip("/").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
        for part in parts:
            connection.sendall(part)
        heard = b""
        while data := connection.recv(65536):
            heard += data
        return heard


def opened() -> bytes:
    """Give the bytes that open a connection without a login, and attach nothing."""
    connection, transport = Connection(), Transport()
    connection.container = "silent"
    transport.bind(connection)
    connection.open()
    return bytes(transport.peek(transport.pending()))


@pytest.mark.parametrize(
    ("bytes_sent", "word"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "GET / HT"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "no AMQP 1.0"),
        (b"AMQP\x00\x00\x09\x01", "no AMQP 1.0"),
        (b"AMQP\x03\x01\x00\x00\xff\xff\xff\xff\x02\x01\x00\x00", "malformed"),
        (b"AMQP\x00\x01\x00\x00\xff\xff\xff\xff\x02\x00\x00\x00", "framing-error"),
    ],
)
async def test_a_broken_peer_costs_one_line_and_nobody_else_anything(bytes_sent, word):
    """Web browsers, TLS on a plain port, the other AMQP, frames of gigabytes."""
    with structlog.testing.capture_logs() as logs:
        async with listening() as bridge:

            def play() -> list[Any]:
                with Machine(bridge.uri) as machine:
                    link = machine.sender(HANDLE)
                    first = machine.send(link, heartbeat(1))
                    say(bridge.uri, bytes_sent)
                    return [first, machine.send(link, heartbeat(2))]

            assert await asyncio.to_thread(play) == [Delivery.ACCEPTED] * 2
    (line,) = lines(logs)
    assert line["event"] == "connection to a machine ended"
    assert word in line["reason"]


async def test_a_machine_that_vanishes_in_the_middle_of_a_message_costs_one_line():
    """Half a message is no message; others go on."""
    with structlog.testing.capture_logs() as logs:
        async with listening() as bridge:

            def play() -> Any:
                machine = Machine(bridge.uri, "Acme.Vanishing")
                link = machine.sender(HANDLE)
                machine.connection.wait(lambda: link.credit > 0)
                link.delivery("half")
                link.stream(heartbeat(padding=600_000)[:500_000])
                machine.connection.wait(lambda: link.session.outgoing_bytes == 0)
                machine.connection.container.process()
                machine.connection.conn.transport._selectable._delegate.shutdown(socket.SHUT_RDWR)
                return publish(bridge.uri, heartbeat(1))

            assert await asyncio.to_thread(play) == [Delivery.ACCEPTED]
            assert await received(bridge) == 1
    (line,) = lines(logs)
    assert "Acme.Vanishing" in line["peer"]


@pytest.mark.parametrize(
    ("sent", "patience", "word"),
    [
        (b"", Patience(login=0.05), "did not open the connection"),
        (b"AMQP\x03\x01\x00\x00", Patience(login=0.05), "did not open the connection"),
        (None, Patience(idle=0.1), "idle-timeout"),
    ],
)
async def test_a_connection_that_says_nothing_is_ended(sent, patience, word):
    """Before the login, in it, and after the connection was opened."""
    with structlog.testing.capture_logs() as logs:
        async with listening(options={"patience": patience}) as bridge:
            await asyncio.to_thread(say, bridge.uri, opened() if sent is None else sent)
    (line,) = lines(logs)
    assert word in line["reason"]


async def test_who_only_looks_whether_the_port_is_open_leaves_no_line():
    """Load balancers and monitors do it every few seconds."""
    with structlog.testing.capture_logs() as logs:
        async with listening() as bridge:
            _, _, port = bridge.uri.rstrip("/").rpartition(":")
            _, writer = await asyncio.open_connection("127.0.0.1", int(port))
            writer.close()
            await writer.wait_closed()
            await asyncio.to_thread(publish, bridge.uri, heartbeat())
    assert lines(logs) == []


async def test_more_connections_than_allowed_are_turned_away():
    """One line says so; who is in stays in, and there is room again when one leaves."""
    with structlog.testing.capture_logs() as logs:
        async with listening(max_connections=1) as bridge:

            def play() -> list[Any]:
                with Machine(bridge.uri) as machine:
                    link = machine.sender(HANDLE)
                    first = machine.send(link, heartbeat(1))
                    for _ in range(3):
                        with pytest.raises((ConnectionException, OSError)):
                            Machine(bridge.uri, reconnect=False)
                    second = machine.send(link, heartbeat(2))
                return [first, second, *publish(bridge.uri, heartbeat(3))]

            assert await asyncio.to_thread(play) == [Delivery.ACCEPTED] * 3
    (line,) = lines(logs)
    assert "too many connections" in line["event"]


async def test_a_port_that_is_taken_is_waited_for():
    """One line says which; the listener comes up when the port is free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with structlog.testing.capture_logs() as logs:
            waiting = listening(listen=f"amqp://127.0.0.1:{port}")
            coming = asyncio.ensure_future(waiting.__aenter__())
            async with asyncio.timeout(SECONDS):
                while not lines(logs):  # noqa: ASYNC110  # a log line has nothing to wait on
                    await asyncio.sleep(0.01)
            taken.close()
            bridge = await coming
            assert bridge.listener.connected
            await waiting.__aexit__(None, None, None)
    assert f"127.0.0.1:{port}" in lines(logs)[0]["reason"]
