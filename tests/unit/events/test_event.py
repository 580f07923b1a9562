"""Events, and their CloudEvents form."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pywats_events import Event, EventFormatError, EventMetadata, EventType, RawMessage, Unreadable
from pywats_events.cloudevents import cloudevents_adapter, own_events_adapter

NOW = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
some_text = texts.filter(bool)
maybe_text = st.none() | texts
offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
begin, end = datetime(1990, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001  # zones are drawn beside
moments = st.datetimes(begin, end, timezones=st.just(UTC) | offsets)
json_data = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
events = st.builds(
    Event,
    event_type=st.sampled_from(EventType),
    payload=st.dictionaries(texts, json_data, max_size=4),
    source=texts | st.sampled_from(["/", "//Acme/Line 1/ICT #1?%20", "a%2Fb", "\x00"]),
    id=some_text,
    time=moments,
    key=texts,
    metadata=st.builds(
        EventMetadata,
        correlation_id=maybe_text,
        causation_id=maybe_text,
        message_name=maybe_text,
        transport=maybe_text,
        received_at=st.none() | moments,
        traceparent=maybe_text,
        tracestate=maybe_text,
    ),
)


def document(**changes) -> dict:
    """Give a CloudEvent from elsewhere."""
    whole = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "//Acme/ICT1",
        "type": "test.result",
        "time": "2026-01-05T06:00:00Z",
        "data": {"unit_id": "SN-1"},
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not ...}


def message(body: object, **more) -> RawMessage:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return RawMessage(text, transport="mqtt", received_at=NOW, **more)


# --- events


def test_an_event_has_an_identity_and_a_time():
    """Two events are two; each has a time with zone."""
    first, second = Event(EventType.CUSTOM), Event(EventType.CUSTOM)

    assert first.id != second.id
    assert first.time.tzinfo is not None


def test_the_key_is_the_unit_else_the_source():
    """Order is kept by unit, where there is one, else by who says it."""
    assert Event(EventType.CUSTOM, {"unit_id": "SN-1"}, source="s").key == "SN-1"
    assert Event(EventType.CUSTOM, {"unit_id": ""}, source="s").key == "s"
    assert Event(EventType.CUSTOM, {"unit_id": 7}, source="s").key == "s"
    assert Event(EventType.CUSTOM, {"unit_id": "SN-1"}, key="own").key == "own"


def test_a_naive_time_is_utc():
    """A time without zone is taken as UTC, in events and in messages."""
    naive = datetime(2026, 1, 5, 6, 0)  # noqa: DTZ001  # the point of the test

    assert Event(EventType.CUSTOM, time=naive).time == NOW
    assert RawMessage(b"", received_at=naive).received_at == NOW


def test_a_type_may_be_given_by_its_wire_form():
    """An event type may be written as its value; a wrong one is refused."""
    assert Event("test.result").event_type is EventType.TEST_RESULT
    with pytest.raises(ValueError, match=r"test\.rsult"):
        Event("test.rsult")


def test_system_events_are_known():
    """What the bus says of itself can be told from what the factory says."""
    assert {one.name for one in EventType if one.is_system} == {
        "TRANSPORT_CONNECTED",
        "TRANSPORT_DISCONNECTED",
        "HANDLER_ERROR",
        "EVENT_DEAD_LETTER",
    }


# --- CloudEvents


@given(events)
@settings(max_examples=200, deadline=None)
def test_an_event_survives_its_wire_form(event):
    """An event written as CloudEvents JSON and read again is the same event."""
    assert Event.from_json(event.to_json()) == event


@given(st.datetimes(begin, end, timezones=st.timezones()))
@settings(max_examples=100, deadline=None)
def test_a_moment_survives_its_wire_form(moment):
    """A time keeps its instant in any zone, also in the hours when clocks are set."""
    event = Event(EventType.CUSTOM, time=moment)

    assert Event.from_json(event.to_json()).time.timestamp() == moment.timestamp()


@given(events)
@settings(max_examples=100, deadline=None)
def test_the_wire_form_is_a_cloudevent(event):
    """The required attributes are there, and all names are what CloudEvents allows."""
    written = json.loads(event.to_json())

    assert written["specversion"] == "1.0"
    assert written["id"]
    assert written["source"].isascii()
    assert written["source"]
    assert all(name.isalnum() and name.islower() for name in written)


@given(st.binary(max_size=60) | st.text(max_size=60) | json_data.map(json.dumps))
@settings(max_examples=200, deadline=None)
def test_garbage_is_refused_as_such(text):
    """Whatever is not a CloudEvent raises EventFormatError and nothing else."""
    with pytest.raises(EventFormatError):
        Event.from_json(text)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"id": ...}, '"id"'),
        ({"id": ""}, '"id"'),
        ({"id": 5}, '"id"'),
        ({"source": ...}, '"source"'),
        ({"type": None}, '"type"'),
        ({"specversion": ...}, '"specversion"'),
        ({"specversion": "0.3"}, "0.3"),
        ({"data": [1]}, '"data"'),
        ({"data": "text"}, '"data"'),
        ({"data": ..., "data_base64": "AAAA"}, '"data_base64"'),
        ({"time": "yesterday"}, '"time"'),
        ({"time": 5}, '"time"'),
        ({"receivedat": "x"}, '"receivedat"'),
    ],
)
def test_a_bad_cloudevent_is_refused_with_the_attribute(changes, named):
    """What is wrong with a CloudEvent is said by name."""
    with pytest.raises(EventFormatError, match=named):
        Event.from_cloudevent(document(**changes))


def test_a_cloudevent_may_leave_things_out():
    """Data, time and subject may be missing."""
    event = Event.from_cloudevent(document(data=..., time=...))

    assert (event.payload, event.key) == ({}, "//Acme/ICT1")


def test_an_unknown_type_travels_as_custom():
    """A type of somebody else's is a CUSTOM event that keeps its name."""
    event = Event.from_cloudevent(document(type="com.acme.oven.opened"))

    assert (event.event_type, event.metadata.message_name) == (EventType.CUSTOM, "com.acme.oven.opened")


# --- the adapter


def test_the_adapter_reads_one_and_many():
    """A document gives one event, an array one for each."""
    (one,) = cloudevents_adapter(message(document()))
    many = cloudevents_adapter(message([document(id="1"), document(id="2")]))

    assert isinstance(one, Event)
    assert (one.metadata.transport, one.metadata.received_at) == ("mqtt", NOW)
    assert len(many) == 2
    assert list(cloudevents_adapter(message([]))) == []


def test_equal_ids_of_two_sources_are_two_events():
    """Two testers that both count from 1 do not overwrite each other; a UUID stays what it is."""
    first, second = cloudevents_adapter(message([document(source="a"), document(source="b")]))
    uuid = "6f1c1c5e-3a43-4f0b-9d0a-0a4e7e0f7a11"
    (third,) = cloudevents_adapter(message(document(id=uuid)))

    assert isinstance(first, Event)
    assert isinstance(second, Event)
    assert first.id != second.id
    assert isinstance(third, Event)
    assert third.id == uuid
    (own,) = own_events_adapter(message(document(id="e-1")))
    assert isinstance(own, Event)
    assert own.id == "e-1"


def test_the_adapter_is_pure():
    """The same message gives the same events, also where it does not say its time."""
    same = message(document(time=...))

    assert cloudevents_adapter(same) == cloudevents_adapter(same)
    (event,) = cloudevents_adapter(same)
    assert isinstance(event, Event)
    assert event.time == NOW


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"\xff\xfe\x00", "not JSON"),
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"7", "not a JSON object"),
        (document(id=...), '"id"'),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"x":NaN}}', "JSON"),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"x":1e999}}', "JSON"),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"x":"\\ud800"}}', "JSON"),
        (b'{"specversion":"\\ud800","id":"1","source":"\\ud800","type":"\\ud800"}', "specversion"),
    ],
)
def test_the_adapter_turns_nonsense_into_dead_letters(body, named):
    """What can't be read, or could not be written again, is unreadable with its reason; nothing is raised."""
    (part,) = cloudevents_adapter(message(body))

    assert isinstance(part, Unreadable)
    assert named in part.reason
    assert part.error == "EventFormatError"
    assert f"{part.reason}{part.source}{part.message_name}".encode()


def test_one_bad_event_of_a_batch_costs_itself_only():
    """The good events of a batch are taken, the bad one is named with who sent it."""
    good, bad = cloudevents_adapter(message([document(), document(specversion="9")]))

    assert isinstance(good, Event)
    assert isinstance(bad, Unreadable)
    assert (bad.source, bad.message_name) == ("//Acme/ICT1", "test.result")
    assert bad == cloudevents_adapter(message([document(), document(specversion="9")]))[1]


@given(st.binary(max_size=80) | json_data.map(lambda data: json.dumps(data).encode()))
@settings(max_examples=200, deadline=None)
def test_the_adapter_raises_nothing(body):
    """Whatever arrives, the adapter answers with events or with what is unreadable."""
    assert all(isinstance(part, Event | Unreadable) for part in cloudevents_adapter(message(body)))


def test_a_source_with_half_a_surrogate_survives_its_wire_form():
    """A sender's name that no encoding allows must not make its messages come back for ever."""
    event = Event(EventType.CUSTOM, {}, source="//Acme/\ud800")
    assert Event.from_json(event.to_json()).source == event.source


def test_nothing_is_not_the_same_as_no_number():
    """A payload may hold null and texts that look like it; a number that JSON does not have is refused."""
    payload = {"unit_id": "A", "note": None, "text": "null", "list": [None, 1.5, {"deep": None}]}
    event = Event(EventType.TEST_RESULT, payload, source="s")
    assert Event.from_json(event.to_json_bytes()) == event

    payload["list"][1] = float("nan")
    with pytest.raises(ValueError, match="Out of range float"):
        event.to_json_bytes()


def test_a_document_of_ours_is_read_as_strictly_as_any_other():
    """The fast way to read what was written here refuses what the other one refuses."""
    document = Event(EventType.TEST_RESULT, {"unit_id": "A"}, source="s").to_cloudevent()
    for changes in ({"data_base64": None}, {"time": ""}, {"source": ""}, {"id": ""}, {"receivedat": "noon"}):
        with pytest.raises(EventFormatError, match=next(iter(changes))):
            Event.from_json(json.dumps({**document, **changes}))
