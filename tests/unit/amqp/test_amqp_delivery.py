"""What the adapter gets of a delivery, for the brokers that hand AMQP 1.0 on in different ways."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from aiormq import spec
from aiormq.abc import DeliveredMessage
from captured_heartbeat import APPLICATION_PROPERTIES, BODY, PROPERTIES
from hypothesis import given
from hypothesis import strategies as st
from pamqp.header import ContentHeader

from pywats_cfx.amqp091.delivery import Content, read_delivery


def delivered(body: bytes, **properties: Any) -> Content:
    deliver = spec.Basic.Deliver("consumer", 1, redelivered=True, exchange="cfx", routing_key="Acme.T1")
    header = ContentHeader(body_size=len(body), properties=spec.Basic.Properties(**properties))
    return read_delivery(DeliveredMessage(deliver, header, body, None))  # type: ignore[arg-type]


def sections(properties: bytes, application: bytes) -> dict[str, Any]:
    return {
        "x-amqp-1.0-properties": bytearray(properties),
        "x-amqp-1.0-app-properties": bytearray(application),
    }


def test_captured_message_through_rabbitmq_3():
    """Properties and application properties come out of the encoded headers; the body is already plain."""
    content = delivered(
        BODY,
        message_type="binary",
        content_type="application/json",
        headers=sections(PROPERTIES, APPLICATION_PROPERTIES),
        message_id="3141933d-6a6c-47f5-930b-e55042e0bf1a",
    )
    assert content.body == BODY
    assert content.content_type == "application/json"
    assert content.properties == {
        "exchange": "cfx",
        "redelivered": True,
        "type": "binary",
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


def test_application_properties_through_rabbitmq_4():
    """Without encoded headers the plain headers are the application properties; the broker's own are not."""
    content = delivered(b"{}", headers={"cfx-topic": "CFX", "x-death": [{"count": 2}], "x-delivery-count": 3})
    assert content.properties["application_properties"] == {"cfx-topic": "CFX"}
    assert content.properties["headers"]["x-death"] == [{"count": 2}]
    assert content.properties["delivery_count"] == 3


def test_encoded_body_by_type_only():
    """A body is unwrapped when the broker says that it is encoded, and left alone otherwise."""
    encoded = b"\x00\x53\x77\xa1\x02{}"
    assert delivered(encoded, message_type="amqp-1.0").body == b"{}"
    assert delivered(encoded).body == encoded


def test_malformed_is_handed_on_and_said():
    """What can't be unwrapped goes on as it came, with the reason beside it."""
    content = delivered(b"{}", message_type="amqp-1.0", headers=sections(b"\xff", b"\x00\x53\x74\x40"))
    assert content.body == b"{}"
    assert [line.partition(":")[0] for line in content.properties["unread"]] == [
        "body",
        "x-amqp-1.0-properties",
        "x-amqp-1.0-app-properties",
    ]


def test_section_that_is_valid_text():
    """A section that the client library took for text is read all the same."""
    content = delivered(b"", headers={"x-amqp-1.0-properties": "\x00\x53\x73\x45"})
    assert "unread" not in content.properties


def test_content_type_from_the_section():
    """Where AMQP 0-9-1 lost content type and encoding, those of the section count."""
    content = delivered(BODY, headers=sections(PROPERTIES, APPLICATION_PROPERTIES))
    assert content.content_type == 'application/json; charset="utf-8"'
    assert content.content_encoding is None


def test_headers_of_every_type_become_json():
    """Times, bytes, decimals and not-a-number have a form in JSON."""
    headers = {
        "t": datetime(2026, 1, 2, tzinfo=UTC),
        "b": bytearray(b"\xff"),
        "d": Decimal("1.5"),
        "n": float("nan"),
        "list": [1, None, {"deep": True}],
    }
    told = delivered(b"", headers=headers).properties["headers"]
    assert told == {
        "t": "2026-01-02T00:00:00+00:00",
        "b": {"base64": "/w=="},
        "d": "1.5",
        "n": "nan",
        "list": [1, None, {"deep": True}],
    }


@given(body=st.binary(max_size=100), first=st.binary(max_size=100), second=st.binary(max_size=100))
def test_nothing_is_raised(body: bytes, first: bytes, second: bytes):
    """Whatever the broker hands on, there is a message to take in, and its properties are JSON."""
    content = delivered(body, message_type="amqp-1.0", headers=sections(first, second))
    json.dumps(content.properties, allow_nan=False)
