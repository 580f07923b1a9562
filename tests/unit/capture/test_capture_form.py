"""The form of a capture: exact both ways, readable, and free of secrets."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pywats_events.message import RawMessage
from pywats_events.transports.capture.form import message_line, read_message

AT = datetime(2026, 3, 2, 8, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


def again(message: RawMessage) -> RawMessage:
    return read_message(message_line(message))


def facts(message: RawMessage) -> tuple:
    return (
        message.body,
        message.content_type,
        message.content_encoding,
        message.transport,
        message.address,
        dict(message.properties),
        message.received_at,
    )


@given(
    body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode),
    address=st.text(st.characters(), max_size=20),
    properties=st.dictionaries(st.sampled_from(["qos", "reply_to", "x"]), JSON_VALUES, max_size=3),
    content_type=st.none() | st.text(max_size=10),
)
def test_a_line_gives_back_what_was_written(body, address, properties, content_type):
    """Whatever the bytes, the address and the properties are; and it is one line."""
    message = RawMessage(
        body=body,
        address=address,
        transport="t",
        properties=properties,
        content_type=content_type,
        received_at=AT,
    )
    line = message_line(message)
    assert line.count(b"\n") == 1
    assert facts(read_message(line)) == facts(message)


def test_text_stands_as_text_and_all_else_in_base64():
    """What a person can read they see; a capture can be compared line by line."""
    line = json.loads(message_line(RawMessage(body='{"sn": "Zoë\n"}'.encode(), received_at=AT)))
    assert line["text"] == '{"sn": "Zoë\n"}'
    for body in (b"\xff\xfe", b"\x1f\x8b\x08", b"\x00\x01", b"esc \x1b[2J"):
        document = json.loads(message_line(RawMessage(body=body, received_at=AT)))
        assert ("text" in document, "base64" in document) == (False, True)


def test_an_address_of_half_a_character_is_kept():
    """MQTT clients may send what is no text; it comes back as it was."""
    message = RawMessage(body=b"x", address="a\ud800", received_at=AT)
    assert again(message).address == "a\ud800"


def test_secrets_in_properties_are_left_out_and_named():
    """Whoever gets the file sees that something was there, not what."""
    message = RawMessage(
        body=b"x",
        received_at=datetime.now(UTC),
        properties={
            "headers": {"Authorization": "Bearer hush", "X-Line": "1", "Cookie": "hush"},
            "user_properties": [{"api-key": "hush", "unit": "SN1"}],
            "webhook-signature": "v1,hush",
        },
    )
    line = message_line(message)
    assert b"hush" not in line
    assert read_message(line).properties == {
        "headers": {"X-Line": "1"},
        "user_properties": [{"unit": "SN1"}],
    }
    assert json.loads(line)["left_out"] == [
        "headers.Authorization",
        "headers.Cookie",
        "user_properties[0].api-key",
        "webhook-signature",
    ]


def test_properties_without_a_bottom_cost_little():
    """They are cut at a depth; nothing is thrown."""
    deep: dict = {}
    for _ in range(5000):
        deep = {"a": deep}
    assert again(RawMessage(body=b"x", properties=deep, received_at=AT)).body == b"x"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"received": "2026-03-02T08:00:00+00:00", "transport": "t", "te', "is cut off"),
        (b"nonsense\n", "is not JSON"),
        (b"[" * 100_000 + b"\n", "is not JSON"),
        (b"[]\n", "Expected `object`, got `array`"),
        (b'{"transport": "t", "text": ""}\n', "missing required field `received`"),
        (b'{"received": "x", "transport": "t", "text": ""}\n', "received: no time"),
        (b'{"received": "2026-03-02", "transport": "t"}\n', "needs a body, either text or base64"),
        (
            b'{"received": "2026-03-02", "transport": "t", "text": "a", "base64": ""}\n',
            "needs a body, either",
        ),
        (b'{"received": "2026-03-02", "transport": "t", "base64": "!"}\n', "base64:"),
        (b'{"received": "2026-03-02", "transport": "t", "text": "", "bodi": 1}\n', "unknown field `bodi`"),
        (
            b'{"received": "2026-03-02", "transport": 5, "text": ""}\n',
            "Expected `str`, got `int` - at `$.transport`",
        ),
    ],
)
def test_a_damaged_line_says_what_is_wrong(line, reason):
    """A person mends a capture by hand: the reason names the field."""
    with pytest.raises(ValueError, match=re.escape(reason)):
        read_message(line)
