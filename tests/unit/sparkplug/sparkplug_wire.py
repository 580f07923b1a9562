"""Payloads written field by field, from the numbers in the specification; not by the bridge's own writer."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

from pywats_events import RawMessage

#: 4 February 2017, the time of the specification's examples.
T0 = 1486144502122
#: When the bridge received what the tests give it, unless they say so.
RECEIVED = datetime(2026, 3, 1, 12, tzinfo=UTC)


def varint(number: int) -> bytes:
    """Write a number, seven bits to a byte, the lowest first."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


def number(field: int, value: int) -> bytes:
    """Write a field of wire type 0."""
    return varint(field << 3) + varint(value)


def chunk(field: int, value: bytes | str) -> bytes:
    """Write a field of wire type 2: text, bytes or a message."""
    body = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(body)) + body


def single(field: int, value: float) -> bytes:
    """Write a field of wire type 5."""
    return varint(field << 3 | 5) + struct.pack("<f", value)


def double(field: int, value: float) -> bytes:
    """Write a field of wire type 1."""
    return varint(field << 3 | 1) + struct.pack("<d", value)


def metric(
    *value: bytes,
    name: str | None = None,
    alias: int | None = None,
    at: int | None = T0,
    kind: int | None = None,
    historical: bool = False,
) -> bytes:
    """Write a metric (field 2 of a payload); ``value`` are its further fields."""
    fields = [
        b"" if name is None else chunk(1, name),
        b"" if alias is None else number(2, alias),
        b"" if at is None else number(3, at),
        b"" if kind is None else number(4, kind),
        number(5, 1) if historical else b"",
    ]
    return chunk(2, b"".join([*fields, *value]))


def payload(*metrics: bytes, at: int | None = T0, seq: int | None = None) -> bytes:
    """Write a payload."""
    head = b"" if at is None else number(1, at)
    return head + b"".join(metrics) + (b"" if seq is None else number(3, seq))


def bdseq(session: int) -> bytes:
    """Write the metric that joins births and deaths."""
    return metric(number(11, session), name="bdSeq", kind=4)


def message(
    kind: str, body: bytes, *, node: str = "Press", device: str | None = None, **properties: object
) -> RawMessage:
    """Give a message as a transport gives it."""
    tail = f"/{device}" if device else ""
    return RawMessage(
        body,
        transport="mqtt",
        address=f"spBv1.0/Line1/{kind}/{node}{tail}",
        properties=dict(properties),
        received_at=RECEIVED,
    )
