"""Ready-made mappings, whatever testers send."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samples
from pywats_events.event import Event
from pywats_events.mapping import Reading, TopicPattern, adapter_of, profile_names
from pywats_events.mapping.conversions import VERDICTS
from pywats_events.message import RawMessage, Unreadable
from pywats_events.payloads import Outcome, parse

SAMPLES = {
    each.name.removesuffix(".json"): each.read_bytes()
    for folder in ("mqtt", "webhook")
    for each in files(samples).joinpath(folder).iterdir()
}
ADAPTERS = {
    name: adapter_of([(TopicPattern.parse("{line}/{station}"), Reading(profile=name))], formats={})
    for name in profile_names()
}


def read(name, body, address="L1/A"):
    return ADAPTERS[name](RawMessage(body=body, address=address))


@pytest.mark.parametrize("name", profile_names())
def test_a_sample_is_read_with_nothing_left_unread(name):
    """One event, whose payload fits its model."""
    (event,) = read(name, SAMPLES[name])
    assert isinstance(event, Event)
    parse(event)


@pytest.mark.parametrize("name", profile_names())
@pytest.mark.parametrize(
    ("topic", "address", "source"),
    [
        ("{line}/{station}/x", "L1/A/x", "L1/A"),
        ("{station}/x", "A/x", "A"),
        ("x", "x", "x"),
        ("/hooks/mes", "/hooks/mes", "/hooks/mes"),
    ],
)
def test_a_profile_fits_topics_with_and_without_parts(name, topic, address, source):
    """The station is said by the message, else by the topic's parts, else by the address."""
    adapter = adapter_of([(TopicPattern.parse(topic), Reading(profile=name))], formats={})
    document = json.loads(SAMPLES[name])
    for station, wanted in ((None, source), ("S-9", "S-9")):
        body = json.dumps({**document, "station": station}).encode()
        (event,) = adapter(RawMessage(body=body, address=address))
        assert isinstance(event, Event)
        assert event.source == wanted


def test_what_stands_beside_a_profile_wins():
    """Single fields too; the others stay the profile's."""
    reading = Reading.model_validate(
        {
            "profile": "pass-fail",
            "source": {"constant": "LT-1"},
            "fields": {"unit_id": "payload.code", "method": {"constant": "Leak"}},
        }
    )
    adapter = adapter_of([(TopicPattern.parse("x"), reading)], formats={})
    (event,) = adapter(RawMessage(body=b'{"code": "1", "serial": "2", "result": "OK"}', address="x"))
    assert isinstance(event, Event)
    assert event.source == "LT-1"
    assert event.payload == {"unit_id": "1", "result": "passed", "method": "Leak"}


def test_the_same_state_later_is_another_event():
    """A station that runs, stops and runs again says the same twice."""
    bodies = [b'{"state": "running"}', b'{"state": "down"}', b'{"state": "running"}']
    first = RawMessage(body=b"").received_at
    events = [
        ADAPTERS["status"](RawMessage(body=body, address="L1/A", received_at=first.replace(hour=hour)))[0]
        for hour, body in enumerate(bodies)
    ]
    assert len({event.id for event in events}) == 3


_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["PASS", "ok", "NOK", "1,5", "2026-03-02T09:15:27+01:00", "running", "1100"]),
)
_NAMES = """
serial sn result status state steps name value low high unit expected error time id station operator position
asset assets count readings work_order panel program started
"""
_members = st.sampled_from(_NAMES.split())
_documents = st.recursive(
    _leaves,
    lambda below: st.one_of(st.lists(below, max_size=4), st.dictionaries(_members, below, max_size=8)),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(profile_names()), _documents)
def test_whatever_comes_is_an_event_that_fits_or_a_reason(name, document):
    """And no unit or step passes that was not said to."""
    for part in read(name, json.dumps(document).encode()):
        assert isinstance(part, Event | Unreadable)
        if isinstance(part, Unreadable):
            assert part.reason.startswith("{line}/{station}: ")
            continue
        payload = parse(part)
        part.to_json_bytes().decode()
        if getattr(payload, "result", None) is Outcome.PASSED:
            assert VERDICTS[str(document["result"]).strip().lower()] == "passed"
