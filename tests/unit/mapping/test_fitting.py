"""Events that others made are taken by topics and hooks only with data of their type."""

from __future__ import annotations

import json

import pytest

from pywats_events import Event, RawMessage, Unreadable
from pywats_events.mapping import Reading, TopicPattern, adapter_of

PATTERN = TopicPattern.parse("line/{station}/events")


def read(format_name, data, kind="test.result"):
    adapter = adapter_of([(PATTERN, Reading(format=format_name))], formats={})
    document = {"specversion": "1.0", "id": "1", "source": "/x", "type": kind, "data": data}
    (part,) = adapter(RawMessage(json.dumps(document).encode(), address="line/1/events"))
    return part


@pytest.mark.parametrize("format_name", ["cloudevents", "events"])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "data.unit_id: Field required"),
        ({"unit_id": 7}, "data.unit_id: Input should be a valid string, not 7"),
        ({"unit_id": "SN-1", "tests": [{}, {"name": 1}]}, "data.tests.1.name"),
    ],
)
def test_data_that_are_not_those_of_their_type(format_name, data, words):
    """Whoever sends them, or looks at the dead letter, is told which field is wrong."""
    part = read(format_name, data)
    assert isinstance(part, Unreadable)
    assert part.reason.startswith("test.result ")
    assert words in part.reason


@pytest.mark.parametrize("kind", ["com.acme.anything", "custom"])
def test_types_that_are_not_ours_may_hold_anything(kind):
    """They are for handlers of one's own."""
    assert isinstance(read("cloudevents", {"unit_id": 7}, kind), Event)
