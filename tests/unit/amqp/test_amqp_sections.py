"""AMQP 1.0 sections: what real senders wrote is read, and nothing that is malformed does harm."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from uuid import UUID

import pytest
from captured_heartbeat import APPLICATION_PROPERTIES, BODY, MESSAGE, PROPERTIES
from hypothesis import given
from hypothesis import strategies as st

from pywats_cfx.amqp.encoding import MalformedError, Reader
from pywats_cfx.amqp.sections import read_annotations, read_application_properties, read_body, read_properties


def test_body_of_a_captured_message():
    """The data section of a whole encoded message is its body."""
    assert read_body(MESSAGE) == BODY
    assert BODY.startswith(b'{"MessageName":"CFX.Heartbeat"')


def test_properties_of_a_captured_message():
    """Fields come by name, those that are not set are left out, times have their zone."""
    assert read_properties(PROPERTIES) == {
        "message_id": "3141933d-6a6c-47f5-930b-e55042e0bf1a",
        "subject": "Acme.Tester.T1.CFX.Heartbeat",
        "reply_to": "Acme.Tester.T1",
        "content_type": 'application/json; charset="utf-8"',
        "creation_time": datetime(2026, 11, 21, 0, 10, 45, 195000, tzinfo=UTC),
    }


def test_application_properties_of_a_captured_message():
    """The CFX properties are there, null included."""
    assert read_application_properties(APPLICATION_PROPERTIES) == {
        "cfx-topic": "CFX",
        "cfx-message": "CFX.Heartbeat",
        "cfx-handle": "Acme.Tester.T1",
        "cfx-target": None,
    }


@pytest.mark.parametrize(
    ("encoded", "body"),
    [
        pytest.param(b"\x00\x53\x77\xa1\x02{}", b"{}", id="short text"),
        pytest.param(b"\x00\x53\x77\xb1\x00\x00\x00\x02{}", b"{}", id="long text"),
        pytest.param(b"\x00\x53\x77\xa0\x02{}", b"{}", id="binary value"),
        pytest.param(b"\x00\x80\x00\x00\x00\x00\x00\x00\x00\x77\xa0\x02{}", b"{}", id="long descriptor"),
        pytest.param(b"\x00\xa3\x10amqp:data:binary\xa0\x02{}", b"{}", id="descriptor by name"),
        pytest.param(b"\x00\x53\x75\xa0\x01{" + b"\x00\x53\x75\xa0\x01}", b"{}", id="two data sections"),
        pytest.param(b"\x00\x53\x75\xa0\x00", b"", id="empty data"),
        pytest.param(b"\x00\x53\x76\xc0\x05\x01\xa1\x02{}", b"{}", id="sequence of one"),
        pytest.param(
            b"\x00\x53\x70\x45\x00\x53\x77\xa1\x02{}\x00\x53\x78\xc1\x01\x00", b"{}", id="among others"
        ),
    ],
)
def test_body_sections(encoded: bytes, body: bytes):
    """Text and bytes come out of every form in which a sender may wrap them."""
    assert read_body(encoded) == body


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{}", id="plain"),
        pytest.param(b"\x00\x53\x77", id="cut off"),
        pytest.param(b"\x00\x53\x77\xa1\x09{}", id="length beyond the end"),
        pytest.param(b"\x00\x53\x77\xa1\x01\xff", id="text that is not UTF-8"),
        pytest.param(b"\x00\x53\x77\xc1\x01\x00", id="a map"),
        pytest.param(b"\x00\x53\x76\xc0\x05\x02\xa1\x00\xa1\x00", id="sequence of two"),
        pytest.param(b"\x00\x53\x77\xa1\x00\x00\x53\x77\xa1\x00", id="two values"),
        pytest.param(b"\x00\x53\x79\xa1\x02{}", id="no such section"),
        pytest.param(b"\x00\x53\x77\x01", id="no such type"),
        pytest.param(b"\x00\x53\x73\x45", id="no body"),
        pytest.param(b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40", id="four billion nulls"),
        pytest.param(b"\x00\x53\x77" + b"\x00\x40" * 10_000, id="deeper than any sender"),
        pytest.param(b"\x00\x53\x77" + b"\xc0\xff\x01" * 1000, id="lists that announce too much"),
        pytest.param(
            b"\x00\x53\x77\xd0\x00\x00\x00\x00\x00\x00\x00\x00", id="list without room for its count"
        ),
    ],
)
def test_malformed_body_is_refused(encoded: bytes):
    """What is no text in sections is refused, quickly and in words."""
    with pytest.raises(MalformedError) as refusal:
        read_body(encoded)
    assert str(refusal.value)


def test_all_types_are_read():
    """Each type of the standard's table that a property may have comes out as what it means."""
    items = [
        (b"\x40", None),
        (b"\x41", True),
        (b"\x56\x00", False),
        (b"\x50\xff", 255),
        (b"\x51\xff", -1),
        (b"\x52\x07", 7),
        (b"\x43", 0),
        (b"\x44", 0),
        (b"\x53\x07", 7),
        (b"\x54\xff", -1),
        (b"\x55\xff", -1),
        (b"\x60\x01\x00", 256),
        (b"\x61\xff\xff", -1),
        (b"\x70\x00\x00\x00\x01", 1),
        (b"\x71\xff\xff\xff\xff", -1),
        (b"\x80" + b"\xff" * 8, 2**64 - 1),
        (b"\x81" + b"\xff" * 8, -1),
        (b"\x72" + struct.pack(">f", 1.5), 1.5),
        (b"\x82" + struct.pack(">d", 2.5), 2.5),
        (b"\x73\x00\x00\x00A", "A"),
        (b"\x74\x01\x02\x03\x04", b"\x01\x02\x03\x04"),
        (b"\x83" + struct.pack(">q", 1000), datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        (b"\x83" + struct.pack(">q", -62_135_596_800_000), datetime(1, 1, 1, tzinfo=UTC)),
        (b"\x83" + struct.pack(">q", 2**62), 2**62),
        (b"\x98" + b"\x00" * 15 + b"\x01", UUID(int=1)),
        (b"\xa0\x01\xff", b"\xff"),
        (b"\xa3\x01s", "s"),
        (b"\x45", []),
        (b"\xe0\x04\x02\x50\x01\x02", [1, 2]),
        (b"\xc1\x05\x02\xa1\x01k\x41", {"k": True}),
    ]
    reader = Reader(b"".join(encoded for encoded, _ in items))
    assert [reader.read() for _ in items] == [value for _, value in items]
    assert reader.exhausted


@pytest.mark.parametrize("code", [b"\x73\xff\xff\xff\xff", b"\xc1\x03\x01\x41", b"\xc1\x03\x02\x45\x41"])
def test_impossible_values(code: bytes):
    """A character beyond all characters, a key without a value and a list for a key are refused."""
    with pytest.raises(MalformedError):
        Reader(code).read()


def test_header_sections_are_of_one_kind_and_size():
    """A header that holds another section, two of them, or far too much is refused."""
    for wrong in (APPLICATION_PROPERTIES, PROPERTIES * 2, PROPERTIES + b"\x00" * 300_000):
        with pytest.raises(MalformedError):
            read_properties(wrong)
    assert read_annotations(b"\x00\x53\x72\xc1\x05\x02\xa3\x01x\x41") == {"x": True}


@given(
    st.binary(max_size=200)
    | st.builds(lambda cut, tail: MESSAGE[:cut] + tail, st.integers(0, 600), st.binary())
)
def test_any_bytes(encoded: bytes):
    """Any bytes are either read or refused, never anything else."""
    for read in (read_body, read_properties, read_application_properties, read_annotations):
        try:
            read(encoded)
        except MalformedError:
            continue
