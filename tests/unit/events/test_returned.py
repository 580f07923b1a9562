"""Events that come in again by the way they went out."""

from __future__ import annotations

from structlog.testing import capture_logs

from pywats_events import Event
from pywats_events.cloudevents import cloudevents_adapter
from pywats_events.message import RawMessage, Unreadable
from pywats_events.returned import SENT_BY, without_returned

BODY = b'{"specversion":"1.0","type":"test.result","source":"T1","id":"%s","data":{"unit_id":"SN1"}}'


def message(identity=b"1", **properties):
    return RawMessage(BODY % identity, transport="mqtt", address="a/b", properties=properties)


def test_what_came_back_over_mqtt_is_left_out_and_told_once():
    """It makes no event, and no dead letter that might go out itself."""
    read = without_returned(cloudevents_adapter, {"mark": "andon"}, is_heard=False)
    with capture_logs() as logs:
        assert [read(message(user_properties={SENT_BY: "mark"})) for _ in range(3)] == [[], [], []]
    assert [entry["outgoing"] for entry in logs] == ["andon"]


def test_who_hears_it_is_told_why():
    """The delivery that brought it dies with the reason, and names the way out."""
    read = without_returned(cloudevents_adapter, {"mark": "andon"}, is_heard=True)
    (part,) = read(message(**{SENT_BY: "mark"}))
    assert isinstance(part, Unreadable)
    assert part.reason.startswith('went out by outgoing "andon" and came in again at a/b')


def test_what_others_sent_is_read():
    """Also what another bridge sent, and what says nonsense of who sent it."""
    read = without_returned(cloudevents_adapter, {"mark": "andon"}, is_heard=True)
    for properties in (
        {},
        {SENT_BY: "another"},
        {SENT_BY: 7},
        {"user_properties": "?"},
        {"user_properties": {SENT_BY: ["mark", "mark"]}},
    ):
        (event,) = read(message(**properties))
        assert isinstance(event, Event)


def test_an_event_that_goes_from_bridge_to_bridge_stays_the_same():
    """Two testers may both count from 1; but round a ring of bridges no id grows."""
    (event,) = cloudevents_adapter(message(b"1"))
    assert event.id == "T1#1"
    (again,) = cloudevents_adapter(RawMessage(event.to_json_bytes(), transport="mqtt", address="a/b"))
    assert again.id == event.id
