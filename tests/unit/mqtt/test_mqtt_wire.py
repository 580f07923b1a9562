"""Packets out of bytes, however they come, and acknowledgements in order."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pywats_events.transports.mqtt.acknowledgements import Acknowledgements
from pywats_events.transports.mqtt.wire import NotMQTT, Oversized, Wire

CONNACK = bytes.fromhex("2003000000")


class Network:
    """Takes what is sent. As on uvloop it has asyncio's methods, and is no instance of its classes."""

    def __init__(self) -> None:
        self.sent = b""
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep it."""
        self.sent += bytes(data)

    def is_closing(self) -> bool:
        """Tell whether it is over."""
        return self.closing

    def close(self) -> None:
        """End."""
        self.closing = True

    def abort(self) -> None:
        """End at once."""
        self.closing = True

    def pause_reading(self) -> None:
        """Nothing is read here."""

    def resume_reading(self) -> None:
        """Nothing is read here."""


def message(topic: bytes, body: bytes, *, qos: int = 0, properties: bytes = b"\0") -> bytes:
    """Encode a message of MQTT 5."""
    identifier = b"\x00\x07" if qos else b""
    rest = len(topic).to_bytes(2, "big") + topic + identifier + properties + body
    length, digits = len(rest), bytearray()
    while length >= 0x80:
        digits.append(length & 0x7F | 0x80)
        length >>= 7
    digits.append(length)
    return bytes([0x30 | qos << 1, *digits]) + rest


class Reader:
    """Reads packets from a wire as the library does."""

    def __init__(self, *, limit: int = 10_000) -> None:
        self.wire = Wire(limit=limit, has_properties=True)
        self.network = Network()
        self.wire.connection_made(cast("asyncio.Transport", self.network))
        self.wire.on_packet = self._read
        self.wire.on_oversized = self.note
        self.wire.on_lost = self.errors
        self.packets: list[tuple[bytes, bytes, int]] = []
        self.oversized: list[Oversized] = []
        self.lost: list[Exception | None] = []

    def note(self, oversized: Oversized) -> None:
        """Keep what is told of a message too large."""
        self.oversized.append(oversized)

    def errors(self, error: Exception | None) -> None:
        """Keep why it ended."""
        self.lost.append(error)

    def _read(self) -> None:
        packet = b""
        while True:
            try:
                packet += self.wire.recv(3)
            except BlockingIOError:
                break
        self.packets.append((packet, self.wire.payload, self.wire.qos))


async def feed(reader: Reader, data: bytes, cuts: list[int]) -> None:
    """Let bytes come in pieces."""
    start = 0
    for cut in sorted({cut % (len(data) + 1) for cut in cuts} | {len(data)}):
        reader.wire.data_received(data[start:cut])
        start = cut
        while reader.wire._is_busy:  # noqa: ASYNC110  # a turn of the loop is what it waits for
            await asyncio.sleep(0)


@given(
    bodies=st.lists(st.binary(max_size=300), max_size=80),
    qos=st.integers(0, 2),
    cuts=st.lists(st.integers(0, 30_000), max_size=20),
)
def test_pieces_of_any_size_make_the_same_packets(bodies: list[bytes], qos: int, cuts: list[int]):
    """Where the network cuts, and how much comes at a time, makes no difference."""

    async def run() -> None:
        reader = Reader()
        data = CONNACK + b"".join(message(b"a/b", body, qos=qos) for body in bodies)
        await feed(reader, data, cuts)
        assert [payload for _, payload, _ in reader.packets[1:]] == bodies
        assert all(told == qos for _, _, told in reader.packets[1:])
        assert not reader.lost

    asyncio.run(run())


@given(data=st.binary(max_size=2000), cuts=st.lists(st.integers(0, 2000), max_size=5))
def test_garbage_is_refused_or_passed_on_and_never_more(data: bytes, cuts: list[int]):
    """Whatever bytes come, nothing else is raised than what the wire tells of."""

    async def run() -> None:
        reader = Reader(limit=100)
        await feed(reader, CONNACK + data, cuts)
        assert all(isinstance(error, NotMQTT) for error in reader.lost)

    asyncio.run(run())


@pytest.mark.parametrize("step", [1, 7, 100_000])
async def test_oversized_message_is_passed_over(step: int):
    """Its bytes are not kept, what it is is told, and the next packet is read."""
    reader = Reader(limit=1000)
    data = CONNACK + message(b"line/1", b"x" * 80_000, qos=1) + message(b"line/2", b"ok")
    await feed(reader, data, list(range(0, len(data), step)))
    (oversized,) = reader.oversized
    assert (oversized.topic, oversized.packet_id, oversized.qos) == ("line/1", 7, 1)
    assert oversized.size > 80_000
    assert len(oversized.beginning) == 1024
    assert [payload for _, payload, _ in reader.packets[1:]] == [b"ok"]
    assert not reader.wire._buffer


async def test_message_of_qos_2_is_completed_by_us():
    """The library sees QoS 1; its receipt is sent when we say so, and its end is answered at once."""
    reader = Reader()
    await feed(reader, CONNACK + message(b"a", b"x", qos=2) + bytes.fromhex("62020007"), [])
    packet, payload, qos = reader.packets[1]
    assert (packet[0] & 0x06, payload, qos) == (0x02, b"x", 2)
    await asyncio.sleep(0)
    assert reader.network.sent == bytes.fromhex("70020007")
    reader.wire.send_receipt(7)
    reader.wire.flush()
    assert reader.network.sent == bytes.fromhex("7002000750020007")


async def test_held_wire_reads_nothing():
    """While it is held nothing is passed on; then all is."""
    reader = Reader()
    reader.wire.hold(is_held=True)
    await feed(reader, CONNACK + message(b"a", b"x"), [])
    assert reader.packets == []
    reader.wire.hold(is_held=False)
    await asyncio.sleep(0)
    assert len(reader.packets) == 2


@given(st.permutations(list(range(8))))
def test_acknowledgements_keep_the_order_of_receipt(order: list[int]):
    """Whatever is safe first, none is sent before those of the messages before it, and all are in the end."""
    sent: list[int] = []
    acknowledgements = Acknowledgements(lambda packet_id, _: sent.append(packet_id))
    received = [acknowledgements.received(number, 1) for number in range(8)]
    for place, number in enumerate(order):
        acknowledgements.acknowledge(received[number])
        safe = set(order[: place + 1])
        assert sent == list(range(next((n for n in range(8) if n not in safe), 8)))
    assert len(acknowledgements) == 0
