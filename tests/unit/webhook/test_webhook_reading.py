"""Bytes of a call to what adapters read, the same each time."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pywats_events import Event
from pywats_events.cloudevents import cloudevents_adapter
from pywats_events.event import EventFormatError
from pywats_events.message import RawMessage, Unreadable
from pywats_events.transports.webhook.binary_mode import structured
from pywats_events.transports.webhook.config import HookConfig
from pywats_events.transports.webhook.reading import HookAdapter

HOOK = HookConfig(name="open", auth="none", max_bytes=1000)
ADAPTER = HookAdapter([HOOK], cloudevents_adapter)
ATTRIBUTES = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": "test.result"}


def read(body, properties=None, **more):
    """Read a message of the hook."""
    return ADAPTER(RawMessage(body, address="/hooks/open", properties=properties or {}, **more))


def test_examples_of_the_binding():
    """Header values of the CloudEvents HTTP binding (3.1.3.2) mean what it says."""
    for given_text, meant in (
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ('"Euro%20%E2%82%AC"', "Euro €"),
        ('"a \\"b\\" \\\\"', 'a "b" \\'),
        ("%C3%BC", "ü"),
        ("%2541", "%41"),
    ):
        assert json.loads(structured({"ce-subject": given_text}, b""))["subject"] == meant


@pytest.mark.parametrize("text", ["%", "%4", "%4x", "%ff", "é"])
def test_values_that_mean_nothing(text):
    """A header value that is no percent-encoding of UTF-8 is refused by the header's name."""
    with pytest.raises(EventFormatError, match="ce-subject"):
        structured({"ce-subject": text}, b"")


def test_data_can_not_pass_for_attributes():
    """What stands in the body never becomes an attribute."""
    (event,) = read(b'{"id": "2", "type": "unit.arrived", "unit_id": "1", "result": "pass"}', ATTRIBUTES)
    assert (event.id, event.event_type.value, event.payload["id"]) == ("/x#1", "test.result", "2")
    (broken,) = read(b'{}, "id": "2"', ATTRIBUTES)
    assert isinstance(broken, Unreadable)


def test_what_the_journal_kept_is_read_again():
    """Packed bodies and headers of binary mode give the same events from what the journal keeps."""
    packed = gzip.compress(b'{"unit_id": "SN-1"}')
    again = [read(packed, ATTRIBUTES, content_encoding="gzip") for _ in range(2)]
    assert again[0][0].id == again[1][0].id == "/x#1"
    assert again[0][0].payload == {"unit_id": "SN-1"}


def test_hook_that_is_gone():
    """What came by a hook that the configuration no longer has is told by its path."""
    (broken,) = ADAPTER(RawMessage(b"{}", address="/hooks/gone"))
    assert "/hooks/gone" in broken.reason


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.binary(max_size=200), st.binary(max_size=100).map(gzip.compress)),
    st.dictionaries(
        st.sampled_from([*ATTRIBUTES, "ce-time", "ce-data", "ce-x-y"]),
        st.text(st.characters(max_codepoint=255), max_size=20),
    ),
)
def test_nothing_breaks_the_reading(body, properties):
    """Whatever comes, the answer is events or reasons, the same each time."""
    first, second = read(body, properties), read(body, properties)
    assert all(isinstance(part, Event | Unreadable) for part in first)
    assert [part.id for part in first] == [part.id for part in second]
