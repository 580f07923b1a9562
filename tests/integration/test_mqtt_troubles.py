"""What an MQTT transport says of a broker that does not behave, in one line, and what that costs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
import structlog
from brokers.ports import free_ports
from brokers.recorder import Recorder
from mqtt_steps import running

from pywats_events import Event, RawMessage, Unreadable
from pywats_events.message import Adapter
from pywats_events.transports.mqtt import MQTTConfig

CONNACK = bytes.fromhex("2003000000")
SUBACK = bytes.fromhex("9004000100") + b"\x01"
#: A message of QoS 1 on the topic "t/1", with packet identifier 7.
MESSAGE = b"\x32\x0a\x00\x03t/1\x00\x07\x00ok"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def peer(*said: bytes, then: Script | None = None) -> AsyncIterator[MQTTConfig]:
    """Listen, answer each thing that is heard with the next of these, then go on as told, or hang up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for one in said:
                await reader.read(10_000)
                writer.write(one)
                await writer.drain()
            if then is not None:
                await then(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield config(port=server.sockets[0].getsockname()[1])


def config(**changes: object) -> MQTTConfig:
    return MQTTConfig.model_validate(
        {
            "host": "127.0.0.1",
            "client_id": "bridge-7",
            "subscriptions": [{"topic": "t/{station}", "format": "events"}],
            "reconnect_initial_delay": 30,
            "connect_timeout": 30,
            **changes,
        }
    )


async def stay(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Listen until the other side leaves."""
    while await reader.read(10_000):
        pass


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            [b"HTTP/1.1 400 Bad Request\r\n\r\n"],
            "does not speak MQTT as it should (began with b'HTTP/1.1 400",
        ),
        ([b"\x20\xff\xff\xff\xff\xff"], "a packet came whose length is none"),
        ([b"\x20\xff\xff\xff\x7f"], "a packet of 268435460 bytes is larger than max_packet_bytes"),
        ([b""], "cut the connection at the login"),
        (
            [b"\x20\x03\x00\x86\x00"],
            "refuses a client without a user (Bad user name or password): check user",
        ),
        (
            [b"\x20\x03\x00\x87\x00"],
            '(Not authorized): check username and password, and that it may connect as "bridge-7"',
        ),
        ([b"\x20\x03\x00\x84\x00"], 'does not speak MQTT 5: set protocol = "3.1.1"'),
        ([b"\x20\x02\x00\x01"], 'does not speak MQTT 5: set protocol = "3.1.1"'),
        ([b"\x20\x03\x00\x85\x00"], 'does not let "bridge-7" in'),
        ([b"\x20\x03\x00\x88\x00"], "does not let us in: Server unavailable"),
        ([CONNACK, b"\x90\x04\x00\x01\x00\x87"], 'nothing can be subscribed to: "t/+" (Not authorized)'),
        ([CONNACK, SUBACK + b"\xe0\x02\x8e\x00"], 'another client has connected as "bridge-7"'),
        ([CONNACK, SUBACK + b"\xe0\x02\x8b\x00"], "shuts down"),
        ([CONNACK, SUBACK + b"\xe0\x02\x98\x00"], "ended the connection: Administrative action"),
        ([CONNACK, SUBACK + b"\xf7\x00"], "a packet that it sent can't be read"),
        ([CONNACK, SUBACK + b"\x32\x02\x00\xff"], "a packet that it sent can't be read"),
        ([CONNACK, SUBACK + b"\x62\x01\x00"], "a PUBREL came that names no message"),
        ([CONNACK, SUBACK], "closed the connection without a word, as it does when another client"),
    ],
)
async def test_reason_is_one_line(said: list[bytes], reason: str):
    """Whatever the other side says or sends, the reason is told once, in words, with what to do."""
    async with peer(*said) as settings:
        intake = Recorder()
        async with running(settings, intake) as transport:
            told = await intake.until_disconnected()
            assert not transport.connected
    assert reason in told
    assert "\n" not in told
    assert [state for state, _ in intake.states].count("disconnected") == 1


async def test_nobody_there():
    """No listener, no such machine, and a silent one each have their reason."""
    (nowhere,) = free_ports(1)
    for changes, reason in (
        ({"port": nowhere}, "refuses the connection: is the broker running"),
        ({"host": "no-such-machine.invalid"}, 'no machine is called "no-such-machine.invalid"'),
    ):
        intake = Recorder()
        async with running(config(**changes), intake):
            assert reason in await intake.until_disconnected()
    async with peer(b"", then=stay) as silent:
        intake = Recorder()
        async with running(silent.model_copy(update={"connect_timeout": 0.2}), intake):
            assert "does not answer within 0.2 s" in await intake.until_disconnected()


async def test_silence_after_the_login():
    """A broker that lets us in and says nothing more is not waited for without end."""
    async with peer(CONNACK, then=stay) as silent:
        intake = Recorder()
        async with running(silent.model_copy(update={"connect_timeout": 0.2}), intake) as transport:
            assert "does not answer within 0.2 s" in await intake.until_disconnected()
            assert not transport.connected


@pytest.mark.parametrize(("version", "refusal"), [("5", b"\x87"), ("3.1.1", b"\x80")])
async def test_one_of_several_subscriptions_refused(version: str, refusal: bytes):
    """The others are read, and which one is refused is said."""
    connack, empty = (CONNACK, b"\x00") if version == "5" else (b"\x20\x02\x00\x00", b"")
    body = b"\x00\x01" + empty + b"\x01" + refusal
    async with peer(connack, b"\x90" + bytes((len(body),)) + body, then=stay) as settings:
        both = MQTTConfig.model_validate(
            {
                **settings.model_dump(exclude_unset=True),
                "protocol": version,
                "subscriptions": [{"topic": topic, "format": "events"} for topic in ("open/1", "shut/1")],
            }
        )
        intake = Recorder()
        with structlog.testing.capture_logs() as logged:
            async with running(both, intake):
                await intake.until_connected()
    (said,) = [line["event"] for line in logged if "refuses a subscription" in line["event"]]
    assert '"shut/1" (' in said
    assert "open/1" not in said


async def test_no_more_is_published_at_a_time_than_the_broker_takes():
    """A broker that takes one unacknowledged message gets one: a second would end the connection."""
    heard: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(10_000):
            heard.append(data)
            for at in (
                place for place in range(len(data)) if data[place : place + 7] == b"\x32\x0a\x00\x03a/b"
            ):
                writer.write(b"\x40\x02" + data[at + 7 : at + 9])

    receive_maximum_1 = b"\x20\x06\x00\x00\x03\x21\x00\x01"
    async with peer(receive_maximum_1, SUBACK, then=take) as settings:
        intake = Recorder()
        async with running(settings, intake) as transport:
            await intake.until_connected()
            await asyncio.gather(
                *(transport.publish("a/b", b"%02d" % n, qos=1, retain=False) for n in range(5))
            )
    assert [data[-2:] for data in heard[:5]] == [b"%02d" % n for n in range(5)]


async def test_oversized_message_is_passed_over():
    """A message of a quarter of a gigabyte is not kept in memory: its beginning is a dead letter."""
    size = 200 * 1024 * 1024
    head = b"\x00\x03t/1\x00\x07\x00"
    length, digits = size, bytearray()
    while length:
        digits.append(length & 0x7F | (0x80 if length > 0x7F else 0))
        length >>= 7
    heard = bytearray()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x32" + digits + head)
        chunk = b"x" * (1024 * 1024)
        left = size - len(head)
        while left:
            writer.write(chunk[: min(left, len(chunk))])
            left -= min(left, len(chunk))
            await writer.drain()
        writer.write(MESSAGE.replace(b"\x00\x07", b"\x00\x08"))
        while data := await reader.read(1000):
            heard.extend(data)

    reasons: list[str] = []

    class Reading(Recorder):
        async def receive(self, message: RawMessage, *, adapter: Adapter | None = None) -> None:
            parts: Sequence[Event | Unreadable] = adapter(message) if adapter else ()
            reasons.extend(part.reason for part in parts if isinstance(part, Unreadable))
            await super().receive(message)

    async with peer(CONNACK, SUBACK, then=flood) as settings:
        intake = Reading()
        async with running(settings, intake) as transport:
            await intake.until_taken(2)
            assert transport.tally.acknowledged == 2
    assert [len(body) for body in intake.bodies] == [1024, 2]
    (reason,) = reasons
    assert 'the message on "t/1" of 209715' in reason
    assert "raise max_packet_bytes" in reason


async def test_properties_without_end_cost_little():
    """Half a million user properties, which the library would read for hours, make a dead letter."""
    properties = b"\x26\x00\x01a\x00\x01b" * 500_000
    body = b"\x00\x03t/1\x00\x07" + _varint(len(properties)) + properties
    async with peer(CONNACK, SUBACK + b"\x32" + _varint(len(body)) + body + MESSAGE, then=stay) as settings:
        intake = Recorder()
        async with running(settings, intake) as transport:
            await intake.until_taken(2)
            assert transport.tally.oversized == 1
    assert intake.bodies[1] == b"ok"


async def test_failure_of_the_intake_is_told_and_the_message_comes_again():
    """An error that nobody expected ends the connection with its name; nothing is acknowledged."""
    heard = bytearray()

    async def listen(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            heard.extend(data)

    async with peer(CONNACK, SUBACK + MESSAGE, then=listen) as settings:
        intake = Recorder()
        intake.error = ZeroDivisionError("a fault")
        async with running(settings, intake) as transport:
            told = await intake.until_disconnected()
            assert transport.tally.acknowledged == 0
    assert "ZeroDivisionError: a fault; this is a fault of the program" in told
    assert b"\x40\x02\x00\x07" not in heard


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number >= 0x80:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)
