"""What the adapter gets of a message over AMQP 1.0, however it is encoded, and whatever is wrong with it."""

from __future__ import annotations

import json

import pytest
from captured_heartbeat import BODY, MESSAGE
from hypothesis import given
from hypothesis import strategies as st

from pywats_cfx.amqp10.delivery import read_transfer

DATA = b"\0\x53\x75\xa0\x02{}"


def test_captured_message():
    """The SDK's own bytes give body, content type and the properties that were recorded."""
    content = read_transfer(MESSAGE)
    assert content.body == BODY
    assert content.content_type == 'application/json; charset="utf-8"'
    assert content.content_encoding is None
    assert content.properties == {
        "delivery_mode": 2,
        "redelivered": False,
        "message_id": "3141933d-6a6c-47f5-930b-e55042e0bf1a",
        "subject": "Acme.Tester.T1.CFX.Heartbeat",
        "reply_to": "Acme.Tester.T1",
        "creation_time": "2026-11-21T00:10:45.195000+00:00",
        "application_properties": {
            "cfx-topic": "CFX",
            "cfx-message": "CFX.Heartbeat",
            "cfx-handle": "Acme.Tester.T1",
            "cfx-target": None,
        },
    }


@pytest.mark.parametrize(
    ("encoded", "body"),
    [
        (b"\0\x53\x75\xb0\0\0\0\x02{}", b"{}"),
        (b"\0\x80\0\0\0\0\0\0\0\x75\xa0\x02{}", b"{}"),
        (b"\0\xa3\x10amqp:data:binary\xa0\x02{}", b"{}"),
        (b"\0\x53\x75\xa0\x01{\0\x53\x75\xa0\x01}", b"{}"),
        (b"\0\x53\x77\xa1\x02{}", b"{}"),
        (b"\0\x53\x76\xc0\x05\x01\xa1\x02{}", b"{}"),
        (b"\0\x53\x78\xc1\x01\0" + DATA, b"{}"),
    ],
)
def test_bodies(encoded: bytes, body: bytes):
    """The content is the same in every legal wrapping."""
    content = read_transfer(encoded)
    assert content.body == body
    assert "unread" not in content.properties


def test_a_section_that_is_malformed_costs_only_itself():
    """With broken properties the body is read all the same, and the reason stands beside it."""
    content = read_transfer(b"\0\x53\x73\xc0\x05\x01\xa1\x09ab" + DATA)
    assert content.body == b"{}"
    assert content.properties["unread"][0].startswith("properties: ")
    content = read_transfer(b"\0\x53\x74\xc1\x02\x01\x40" + DATA)
    assert content.body == b"{}"
    assert content.properties["unread"][0].startswith("application-properties: ")


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\0",
        b"\0\x53",
        b"\0\x53\x75",
        b"\0\x53\x75\xa0\x05ab",
        b"\0\x53\x75\xb0\xff\xff\xff\xffab",
        b"\0\x53\x20\x40",
        b"\0\0\0\0\0\0",
        b"no sections at all",
        b"\0\x53\x73\x45",
        b"\0\x53\x75\x40",
        DATA + b"\0\x53\x77\x40",
        b"\0\x53\x75\xa0\x00" * 20_000,
    ],
)
def test_no_message_is_lost_for_its_form(encoded: bytes):
    """What is no message is handed on as it came, and said to be none."""
    content = read_transfer(encoded)
    assert content.body == encoded
    if encoded:
        assert len(content.properties["unread"]) == 1


def test_a_flood_of_sections_costs_little():
    """A million malformed sections give a few complaints, not a million."""
    content = read_transfer((b"\0\x53\x73\xa0\x00" * 9_000) + DATA)
    assert len(content.properties["unread"]) < 10


def test_delivery_count_and_priority():
    """What the broker says of a message is told under the names that AMQP 0-9-1 has for it."""
    header = b"\0\x53\x70\xc0\x09\x05\x41\x50\x07\x52\x64\x42\x52\x03"
    assert read_transfer(header + DATA).properties == {
        "delivery_mode": 2,
        "priority": 7,
        "expiration": "100",
        "redelivered": True,
        "delivery_count": 3,
    }


@given(st.binary(max_size=200), st.integers(min_value=0, max_value=len(MESSAGE)), st.binary(max_size=4))
def test_nothing_is_raised(data: bytes, place: int, patch: bytes):
    """Whatever arrives, there is a message to take in, and its properties are JSON."""
    for encoded in (data, MESSAGE[:place] + patch + MESSAGE[place + len(patch) :], MESSAGE[:place]):
        json.dumps(read_transfer(encoded).properties, allow_nan=False)
