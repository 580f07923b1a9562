"""The network under the library: whole packets in, bytes out, on asyncio's own transport.

The library reads from something like a socket. Here that is a buffer: asyncio connects, encrypts and receives
(so neither a name look-up nor a handshake blocks the loop), and a packet is shown to the library when all of
it is there. What the library can't bound is bounded here: the size of a packet, and that of its properties,
whose reading takes it time that grows with their square. The payload passes the library by.

So does the receipt of a message of QoS 2: the library sends it (PUBREC) as soon as the message is there, and
then the broker forgets the message. We send it when the journal has the message, as with QoS 1; the library
is shown such a message as one of QoS 1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

CONNACK: Final = 0x20
PUBLISH: Final = 0x30
_PUBREL: Final = 0x60
_PUBREC: Final = b"\x50\x02"
_PUBCOMP: Final = b"\x70\x02"
_QOS: Final = 0x06
_QOS_1, _QOS_2 = 0x02, 0x04
_PINGREQ: Final = b"\xc0\x00"
_KIND: Final = 0xF0
_CONTINUES: Final = 0x80
_LENGTH_BYTES: Final = 4
_ID_BYTES: Final = 2
#: Packets that are read before others on the loop get their turn.
_TURN: Final = 64
#: Most bytes of properties that a message may have.
MOST_PROPERTIES: Final = 16 * 1024
#: Holds the longest topic and a packet identifier.
_HEAD_BYTES: Final = 66_000
#: Bytes of a message too large to be taken that are kept, so that people can see what it is.
_KEPT: Final = 1024


class NotMQTT(ConnectionError):  # noqa: N818  # says what the other side is
    """What came is no MQTT."""


@dataclass(frozen=True, slots=True)
class Oversized:
    """A message that was not taken for its size; its bytes were passed over.

    Attributes:
        beginning: of its payload, or what there is before it.
        size: of its packet, in bytes.
        reason: which limit it passed.
    """

    topic: str
    packet_id: int
    qos: int
    retain: bool
    dup: bool
    beginning: bytes
    size: int
    reason: str


class Wire(asyncio.Protocol):
    """A connection that looks like a socket to the library.

    Args:
        limit: largest packet in bytes.
        has_properties: the packets are of MQTT 5.

    Attributes:
        on_packet: a packet can be read.
        on_oversized: a message was passed over.
        on_lost: the connection is gone.
        payload: of the message that is being read.
        qos: of that message.
    """

    def __init__(self, *, limit: int, has_properties: bool) -> None:
        self._limit = limit
        self._has_properties = has_properties
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._packet = b""
        self._at = 0
        self._passing = 0  # bytes still to come of a message that is passed over
        self._oversized: Oversized | None = None
        self._is_first = True
        self._is_busy = False
        self._is_held = False
        self._out = bytearray()
        self.is_closed = False
        self.gone: asyncio.Future[None] = self._loop.create_future()
        self.payload = b""
        self.qos = 0
        self.on_packet: Callable[[], None] = _nothing
        self.on_oversized: Callable[[Oversized], None] = _ignore
        self.on_lost: Callable[[Exception | None], None] = _ignore

    # --- asyncio's side ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # no instance of it on uvloop

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._buffer += data
        if not self._is_busy:
            self._turn()

    def connection_lost(self, error: Exception | None) -> None:
        """Note that nothing comes any more."""
        self.is_closed = True
        if not self.gone.done():
            self.gone.set_result(None)
        self.on_lost(error)

    def hold(self, is_held: bool) -> None:
        """Read no further for now, or go on: what is not read stays with the broker, or in the network."""
        if is_held != self._is_held:
            self._is_held = is_held
            self._steer()
            if not is_held and not self._is_busy:
                self._loop.call_soon(self._turn)

    @property
    def is_held(self) -> bool:
        """True while nothing is read."""
        return self._is_held

    def send_receipt(self, packet_id: int) -> None:
        """Say that a message of QoS 2 is safe; ``flush`` sends it."""
        self.send(_PUBREC + packet_id.to_bytes(_ID_BYTES, "big"))

    @property
    def was_connected(self) -> bool:
        """True once there was a connection."""
        return self._transport is not None

    def ping(self) -> None:
        """Say that we are there, while the library hears no answers."""
        self.send(_PINGREQ)
        self.flush()

    def flush(self) -> None:
        """Send what the library has written, in one piece."""
        if self._out and self._transport is not None and not self._transport.is_closing():
            self._transport.write(bytes(self._out))
        self._out.clear()

    def abort(self) -> None:
        """Let the connection go at once."""
        self.is_closed = True
        if self._transport is not None:
            self._transport.abort()

    def _turn(self) -> None:
        """Give the library what is there, packet by packet, and let others on the loop have their turn."""
        self._is_busy = False
        try:
            for _ in range(_TURN):
                if self.is_closed or self._is_held or not self._next():
                    break
            else:
                self._is_busy = True
                self._loop.call_soon(self._turn)
        except ConnectionError as error:
            self.abort()
            self.on_lost(error)
        self._steer()

    def _steer(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._is_held or self._is_busy:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _next(self) -> bool:
        """Pass one packet on. False: there is no whole one."""
        if self._passing:
            return self._pass_over()
        return self._next_packet()

    def _next_packet(self) -> bool:
        found = self._length()
        if found is None:
            return False
        start, length = found
        kind = self._buffer[0] & _KIND
        if self._is_first and kind != CONNACK:
            raise NotMQTT(f"began with {bytes(self._buffer[:16])!r}")
        self._is_first = False
        end = start + length
        if end > self._limit:
            return self._begin_to_pass(start, end, f"of {end} bytes is larger than max_packet_bytes")
        if len(self._buffer) < end:
            return False
        if kind == PUBLISH:
            return self._next_message(start, end)
        if kind == _PUBREL:
            self._complete(start, end)
        else:
            self._show(bytes(self._buffer[:end]), b"", end)
        return True

    def _next_message(self, start: int, end: int) -> bool:
        head = self._head_of_message(start, end)
        if head is None:
            return self._begin_to_pass(start, end, f"has more than {MOST_PROPERTIES} bytes of properties")
        first = self._buffer[0]
        self.qos = (first & _QOS) >> 1
        if first & _QOS == _QOS_2:
            first = first & ~_QOS | _QOS_1
        self._show(
            bytes((first,)) + _varint(head - start) + bytes(self._buffer[start:head]),
            bytes(memoryview(self._buffer)[head:end]),
            end,
        )
        return True

    def _complete(self, start: int, end: int) -> None:
        """Answer the end of a message of QoS 2, also of one that an earlier connection brought."""
        if end - start < _ID_BYTES:
            raise NotMQTT("a PUBREL came that names no message")
        self.send(_PUBCOMP + self._buffer[start : start + _ID_BYTES])
        self._loop.call_soon(self.flush)
        del self._buffer[:end]

    def _show(self, packet: bytes, payload: bytes, end: int) -> None:
        self._packet, self._at, self.payload = packet, 0, payload
        del self._buffer[:end]
        self.on_packet()

    def _length(self) -> tuple[int, int] | None:
        """Give where a packet's contents begin and how long they are; None: too little is there."""
        length = 0
        for place, byte in enumerate(self._buffer[1 : 1 + _LENGTH_BYTES]):
            length |= (byte & ~_CONTINUES) << (7 * place)
            if not byte & _CONTINUES:
                return place + 2, length
        if len(self._buffer) > _LENGTH_BYTES:
            raise NotMQTT("a packet came whose length is none")
        return None

    def _head_of_message(self, start: int, end: int) -> int | None:
        """Give where a message's payload begins; None where it has too many properties."""
        head = self._past_topic(start)
        if head > end or not self._has_properties:
            return min(head, end)  # the library finds what is malformed
        length = 0
        for place, byte in enumerate(self._buffer[head : min(head + _LENGTH_BYTES, end)]):
            length |= (byte & ~_CONTINUES) << (7 * place)
            if not byte & _CONTINUES:
                return None if length > MOST_PROPERTIES else min(head + place + 1 + length, end)
        return min(head + _LENGTH_BYTES, end)

    def _past_topic(self, start: int) -> int:
        topic = int.from_bytes(self._buffer[start : start + 2], "big")
        return start + 2 + topic + (_ID_BYTES if self._buffer[0] & _QOS else 0)

    def _begin_to_pass(self, start: int, end: int, reason: str) -> bool:
        if self._buffer[0] & _KIND != PUBLISH:
            raise NotMQTT(f"a packet {reason}")
        if len(self._buffer) < min(end, _HEAD_BYTES):
            return False
        flags, head = self._buffer[0], self._past_topic(start)
        if head > end:
            raise NotMQTT("a message came that ends before its topic does")
        qos = (flags & _QOS) >> 1
        topic_end = head - (_ID_BYTES if qos else 0)
        self._oversized = Oversized(
            topic=bytes(self._buffer[start + 2 : topic_end]).decode(errors="backslashreplace"),
            packet_id=int.from_bytes(self._buffer[topic_end:head], "big"),
            qos=qos,
            retain=bool(flags & 0x01),
            dup=bool(flags & 0x08),
            beginning=bytes(self._buffer[head : min(head + _KEPT, end)]),
            size=end,
            reason=reason,
        )
        self._passing = end
        return self._pass_over()

    def _pass_over(self) -> bool:
        passed = min(self._passing, len(self._buffer))
        del self._buffer[:passed]
        self._passing -= passed
        if self._passing:
            return False
        oversized, self._oversized = self._oversized, None
        if oversized is not None:
            self.on_oversized(oversized)
        return True

    # --- the library's side ------------------------------------------------------------------------------

    def recv(self, size: int) -> bytes:
        """Give up to so many bytes of the packet that is shown."""
        data = self._packet[self._at : self._at + size]
        if not data:
            raise BlockingIOError
        self._at += len(data)
        return data

    def send(self, data: bytes | bytearray) -> int:
        """Keep what is to be sent; ``flush`` sends it."""
        self._out += data
        return len(data)

    def close(self) -> None:
        """Send what is left, and leave."""
        if self.is_closed:
            return
        self.flush()
        self.is_closed = True
        if self._transport is not None:
            self._transport.close()

    def fileno(self) -> int:
        """There is none: nothing waits on this by its number."""
        return -1

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number >= _CONTINUES:
        digits.append(number & 0x7F | _CONTINUES)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def _nothing() -> None:
    """Hear of a packet before anybody reads any."""


def _ignore(_: object) -> None:
    """Hear of an end before anybody waits for one."""
