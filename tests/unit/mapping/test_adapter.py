"""Messages to events, as a configuration says."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pywats_events.event import Event, EventType
from pywats_events.mapping import Reading, TopicPattern, adapter_of
from pywats_events.message import RawMessage, Unreadable
from pywats_events.payloads import Outcome, parse

RECEIVED = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
RESULT = {
    "event": "test.result",
    "source": "'//Acme/' & topic.line & '/' & topic.station",
    "fields": {"unit_id": "payload.sn", "result": "payload.ok ? 'pass' : 'fail'"},
}
TOPIC = "factory/{line}/{station}/result"
ADDRESS = "factory/L1/ICT01/result"


def adapter(reading=RESULT, topic=TOPIC, **formats):
    return adapter_of([(TopicPattern.parse(topic), Reading.model_validate(reading))], formats=formats)


def message(body, address=ADDRESS, *, received=RECEIVED, **properties):
    return RawMessage(
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        transport="mqtt",
        address=address,
        properties=properties,
        received_at=received,
    )


def the_event(parts):
    assert [type(part) for part in parts] == [Event], parts
    return parts[0]


def the_reason(parts):
    assert [type(part) for part in parts] == [Unreadable], parts
    return parts[0].reason


def test_a_message_becomes_the_event_that_its_mapping_says():
    """Source of the topic, payload of the fields, the time it came."""
    event = the_event(adapter()(message({"sn": "SN-1", "ok": True})))
    assert event.event_type is EventType.TEST_RESULT
    assert event.source == "//Acme/L1/ICT01"
    assert event.payload == {"unit_id": "SN-1", "result": "passed"}
    assert event.key == "SN-1"
    assert event.time == RECEIVED
    assert event.metadata.transport == "mqtt"
    assert event.metadata.received_at == RECEIVED


def test_the_same_message_gives_the_same_events():
    """An adapter has no clock and no dice."""
    read = adapter()
    one, other = read(message({"sn": "SN-1", "ok": True})), adapter()(message({"sn": "SN-1", "ok": True}))
    assert one == other == read(message({"sn": "SN-1", "ok": True}))


def test_the_first_pattern_that_matches_reads_a_message():
    """Narrow ones stand above wide ones."""
    wide = {"event": "asset.heartbeat"}
    read = adapter_of(
        [
            (
                TopicPattern.parse("factory/{line}/ICT01/{kind}"),
                Reading.model_validate(RESULT | {"source": None}),
            ),
            (TopicPattern.parse("factory/#"), Reading.model_validate(wide)),
        ],
        formats={},
    )
    assert the_event(read(message({"sn": "1", "ok": True}))).event_type is EventType.TEST_RESULT
    assert (
        the_event(read(message({"sn": "1", "ok": True}, "factory/L1/X/y"))).event_type
        is EventType.ASSET_HEARTBEAT
    )


def test_an_address_that_nothing_reads_is_named():
    """It is a dead letter, which says what to do."""
    reason = the_reason(adapter()(message({}, "office/printer")))
    assert '"office/printer"' in reason
    assert "add a subscription or hook" in reason


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"ok": True}, ["fields.unit_id", "payload.sn"]),
        ({"sn": "", "ok": True}, ["fields.unit_id"]),
        ({"sn": "SN-1"}, ["fields.result", "payload.ok", "not true or false"]),
        ({"sn": "SN-1", "ok": "NOK"}, ["fields.result", "'NOK'"]),
        ({"sn": ["SN-1"], "ok": True}, ["fields.unit_id", "a list", "string"]),
        ({"sn": {"a": 1}, "ok": True}, ["fields.unit_id"]),
        ({"sn": 1.5, "ok": True}, ["fields.unit_id", "1.5"]),
        ({"sn": "\ud800", "ok": True}, ["can't be written as JSON"]),
        ([], ["fields.unit_id"]),
        (None, ["fields.unit_id"]),
        (b"\xff", ["not UTF-8"]),
        (b'{"sn": "a", "sn": "b", "ok": true}', ['"sn" stands twice']),
        (b"[" * 100_000, ["levels deep"]),
    ],
)
def test_what_no_event_can_be_made_of_names_rule_and_field(body, words):
    """So that one knows where to mend it."""
    reason = the_reason(adapter()(message(body)))
    assert reason.startswith(f"{TOPIC}: ")
    for word in words:
        assert word in reason
    assert len(reason) < 600
    reason.encode()


def test_a_number_for_a_serial_number_is_its_digits():
    """Many testers send serial numbers as numbers."""
    assert the_event(adapter()(message({"sn": 4711, "ok": False}))).payload == {
        "unit_id": "4711",
        "result": "failed",
    }


@pytest.mark.parametrize("word", ["GOOD", "passed?", "", "1", "TRUE", "not passed", "unknown!"])
def test_a_word_that_is_no_verdict_is_refused(word):
    """It is neither a pass nor lost: somebody says what it means, and replays."""
    reading = {**RESULT, "fields": {"unit_id": "payload.sn", "result": "payload.word"}}
    assert "fields.result" in the_reason(adapter(reading)(message({"sn": "1", "word": word})))


_words = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["pass", "PASS", "Passed", "ok", "NOK", "fail", "0", "1", "true", "unbestanden"]),
    st.booleans(),
    st.none(),
    st.integers(-2, 2),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.sampled_from(["pass", True]), max_size=2),
    st.dictionaries(st.just("result"), st.just("pass"), max_size=1),
)


@settings(deadline=None)
@given(_words)
def test_only_a_plain_pass_is_a_pass(word):
    """For each way of reading a verdict, whatever a tester sends."""
    plain = {
        "payload.word": {"pass", "passed"},
        "payload.word = 'pass' ? 'pass' : 'fail'": {"pass"},
        "payload.word ? 'pass' : 'fail'": {True},
    }
    table = {"from": "payload.word", "verdict": True}
    for rule in (*plain, table):
        reading = {**RESULT, "fields": {"unit_id": {"constant": "SN-1"}, "result": rule}}
        (part,) = adapter(reading)(message({"word": word}))
        if isinstance(part, Event) and parse(part).result is Outcome.PASSED:
            if isinstance(rule, dict):
                assert str(word).strip().lower() in {"pass", "passed", "ok", "p", "true", "good", "go"}
            else:
                assert (word.strip().lower() if isinstance(word, str) else word) in plain[rule]


def test_several_events_of_one_message_have_ids_of_their_own():
    """``each`` walks the list; the index goes behind the identity."""
    reading = {
        **RESULT,
        "each": "payload.units",
        "as": "unit",
        "fields": {
            "unit_id": "unit.sn",
            "result": {"from": "unit.ok", "verdict": True},
            "position": "index + 1",
        },
    }
    parts = adapter(reading)(
        message(
            {"units": [{"sn": "A", "ok": True}, {"sn": "B", "ok": "?"}, {"sn": "C", "ok": False}]},
            identity="m1",
        )
    )
    assert [part.id for part in parts if isinstance(part, Event)] == ["m1/0", "m1/2"]
    assert [part.payload for part in parts if isinstance(part, Event)] == [
        {"unit_id": "A", "result": "passed", "position": 1},
        {"unit_id": "C", "result": "failed", "position": 3},
    ]
    assert 'unit[1]: fields.result: "?" is none of' in parts[1].reason
    assert adapter(reading)(message({"units": []})) == []
    assert "each" in the_reason(adapter(reading)(message({"unit": []})))
    single = adapter(reading)(message({"units": {"sn": "A", "ok": True}}, identity="m1"))
    assert the_event(single).id == "m1"


def test_lists_within_an_event_are_made_item_by_item():
    """Steps with measurements, with the field named where one is wrong."""
    reading = {
        **RESULT,
        "fields": {
            "unit_id": "payload.sn",
            "result": {"constant": "failed"},
            "tests": {
                "each": "payload.steps",
                "as": "step",
                "fields": {
                    "name": "step.name",
                    "result": {"from": "step.r", "verdict": True},
                    "measurements": [
                        {
                            "kind": {"constant": "numeric"},
                            "value": {"from": "step.v", "number": "comma"},
                            "high": {"from": "step.max", "optional": True},
                        }
                    ],
                    "comments": {"from": "payload.sn & '/' & $string(index)"},
                },
            },
        },
    }
    body = {
        "sn": "1",
        "steps": [{"name": "a", "r": "ok", "v": "1,5"}, {"name": "b", "r": "ng", "v": "2", "max": 1}],
    }
    assert the_event(adapter(reading)(message(body))).payload["tests"] == [
        {
            "name": "a",
            "result": "passed",
            "measurements": [{"kind": "numeric", "value": 1.5}],
            "comments": "1/0",
        },
        {
            "name": "b",
            "result": "failed",
            "measurements": [{"kind": "numeric", "value": 2.0, "high": 1.0}],
            "comments": "1/1",
        },
    ]
    body["steps"][1]["v"] = "2.5"
    assert "fields.tests[1].measurements[0].value: " in the_reason(adapter(reading)(message(body)))
    body["steps"][1] |= {"v": "2", "max": "high"}
    assert "fields.tests[1].measurements[0].high: " in the_reason(adapter(reading)(message(body)))


def test_numbers_that_are_none_do_not_get_lost():
    """Pydantic would read "nan" as a number, and JSON would leave it out."""
    reading = {
        **RESULT,
        "fields": {
            "unit_id": "payload.sn",
            "result": {"constant": "failed"},
            "tests": [{"measurements": [{"kind": "'numeric'", "value": "payload.v"}]}],
        },
    }
    reason = the_reason(adapter(reading)(message({"sn": "1", "v": "nan"})))
    assert "fields.tests[0].measurements[0].value" in reason


def test_a_message_that_asks_for_too_much_is_refused_as_a_whole():
    """Tens of thousands of items hold the loop up for a moment, not for seconds."""
    reading = {**RESULT, "each": "payload", "fields": {"unit_id": "item.s", "result": {"constant": "failed"}}}
    body = b"[" + b",".join([b'{"s":"x"}'] * 40_000) + b"]"
    assert "evaluations" in the_reason(adapter(reading)(message(body)))


@pytest.mark.parametrize(
    ("extra", "properties", "wanted"),
    [
        ({"id": "payload.run"}, {"identity": "t1"}, "//Acme/L1/ICT01#test.result#R7"),
        ({"id": "payload.number"}, {}, "//Acme/L1/ICT01#test.result#7"),
        ({"id_property": "uid"}, {"uid": "u1", "identity": "t1"}, f"{ADDRESS}#u1"),
        ({"id_property": "uid"}, {"user_properties": {"uid": "u1"}}, f"{ADDRESS}#u1"),
        ({"id_property": "uid"}, {"identity": "t1"}, "t1"),
        ({}, {"identity": "t1"}, "t1"),
    ],
)
def test_a_message_is_known_by_the_first_that_tells(extra, properties, wanted):
    """The mapping's id, a configured property, the transport's identity."""
    body = {"sn": "1", "ok": True, "run": "R7", "number": 7}
    assert the_event(adapter({**RESULT, **extra})(message(body, **properties))).id == wanted


def test_without_any_identity_address_and_content_tell():
    """The same content by another topic, or other content, is another message."""
    read = adapter(topic="{line}/{station}")
    body = {"sn": "1", "ok": True}
    ids = [
        the_event(read(each)).id
        for each in (
            message(body, "L1/A"),
            message(body, "L1/A"),
            message(body, "L1/B"),
            message(body | {"x": 1}, "L1/A"),
        )
    ]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_a_window_makes_the_same_content_another_message():
    """Unless the message has a time of its own, which tells."""
    later = RECEIVED.replace(hour=9)
    plain = adapter({**RESULT, "repeat_window": 60})
    timed = adapter({**RESULT, "repeat_window": 60, "time": "payload.at"})
    body = {"sn": "1", "ok": True, "at": "2026-03-02T07:59:00Z"}
    for read, count in ((plain, 2), (timed, 1), (adapter(), 1)):
        ids = {the_event(read(message(body, received=each))).id for each in (RECEIVED, RECEIVED, later)}
        assert len(ids) == count


def test_what_is_read_later_takes_no_id_of_what_was_read_before():
    """A mended mapping makes the events that were missing, and knows the others again."""
    fields = {"unit_id": "item.sn", "result": {"from": "item.r", "values": {"a": "failed"}}}
    mended = {"unit_id": "item.sn", "result": {"from": "item.r", "values": {"a": "failed", "b": "failed"}}}
    body = [{"sn": "1", "r": "b"}, {"sn": "2", "r": "a"}, {"sn": "3", "r": "b"}]
    for extra in ({}, {"id": "'R7'"}, {"id": "item.sn"}, {"id": "'R7-' & index"}):
        before, after = (
            {
                part.payload["unit_id"]: part.id
                for part in adapter({**RESULT, **extra, "each": "payload", "fields": each})(message(body))
                if isinstance(part, Event)
            }
            for each in (fields, mended)
        )
        assert list(before) == ["2"]
        assert len(set(after.values())) == 3
        assert after["2"] == before["2"]


def test_items_with_one_id_are_not_lost():
    """A message that gives two units one id still makes two events."""
    reading = {
        **RESULT,
        "id": "payload.run",
        "each": "payload.u",
        "fields": {"unit_id": "item", "result": "'fail'"},
    }
    parts = adapter(reading)(message({"run": "R1", "u": ["A", "B"]}))
    assert len({part.id for part in parts}) == 2


def test_time_key_and_transaction_are_told():
    """What handlers order and join by."""
    reading = {
        **RESULT,
        "time": {"from": "payload.at", "time": "epoch_ms"},
        "key": "payload.panel",
        "fields": {**RESULT["fields"], "transaction_id": "payload.job"},
    }
    body = {"sn": "1", "ok": True, "at": 1772439327250, "panel": 12, "job": "J1"}
    event = the_event(adapter(reading)(message(body, traceparent="00-a-b-01")))
    assert event.time == datetime(2026, 3, 2, 8, 15, 27, 250000, tzinfo=UTC)
    assert event.key == "12"
    assert event.metadata.correlation_id == "J1"
    assert event.metadata.traceparent == "00-a-b-01"
    body["at"] = "soon"
    assert "time: " in the_reason(adapter(reading)(message(body)))


def test_what_a_station_says_of_itself_names_it():
    """``asset_id`` is the source where the mapping does not give it."""
    reading = {"event": "asset.fault", "source": "topic.station", "fields": {"fault_code": "payload.code"}}
    event = the_event(adapter(reading)(message({"code": 17})))
    assert event.payload == {"asset_id": "ICT01", "fault_code": "17"}


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        ({**RESULT, "source": "topic.lin"}, "source: .*{lin}.* it has line, station"),
        ({**RESULT, "fields": {**RESULT["fields"], "uint_id": "payload.x"}}, "uint_id.*is unit_id meant"),
        ({**RESULT, "fields": {"unit_id": "payload.sn"}}, "need result"),
        ({**RESULT, "fields": {"result": "'fail'"}}, "need unit_id"),
        (
            {**RESULT, "fields": {**RESULT["fields"], "operator": {"nam": "payload.x"}}},
            "fields.operator: .*nam",
        ),
        (
            {
                **RESULT,
                "fields": {**RESULT["fields"], "tests": {"each": "payload.s", "fields": {"nme": "item"}}},
            },
            "fields.tests: .*is name meant",
        ),
        (
            {**RESULT, "fields": {**RESULT["fields"], "tests": {"each": "payload.s"}}},
            "fields.tests: .*needs fields",
        ),
        ({**RESULT, "each": "payload.a", "as": "payload"}, "name of its own"),
        ({**RESULT, "fields": {**RESULT["fields"], "recipe": "item.x"}}, 'begins with "item"'),
        ({**RESULT, "id": "$now()"}, "id: .*received"),
        ({**RESULT, "event": "handler.error"}, "says of itself"),
        ({"format": "smoke"}, 'no format "smoke"; there are json, cloudevents, events'),
    ],
)
def test_mistakes_of_a_mapping_are_told_at_load(reading, words):
    """With the rule and the field."""
    with pytest.raises(ValueError, match=words) as caught:
        adapter(reading)
    assert str(caught.value).startswith(f"{TOPIC}: ")


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        ({}, "says not how it is read"),
        ({"profile": "smoke"}, "no profile"),
        ({"profile": "steps", "event": "test.result"}, "leave event out"),
        ({"format": "cfx", "event": "test.result"}, "is for format json"),
        ({"format": "cfx", "fields": {"a": "b"}}, "belong to a mapping"),
        ({"event": "test.resul"}, "event"),
        ({"event": "test.result", "colour": 1}, "colour"),
        ({**RESULT, "examples": [{"payload": {}}]}, "expect or refused"),
    ],
)
def test_mistakes_of_a_reading_are_told_when_it_is_read(reading, words):
    """Before anything is compiled."""
    with pytest.raises(ValueError, match=words):
        Reading.model_validate(reading)


def test_own_events_and_cloudevents_need_no_mapping():
    """Other formats go to their adapters, as they came."""
    event = Event(EventType.TEST_RESULT, {"unit_id": "1", "result": "passed"}, "s", "e1", RECEIVED)
    body = event.to_json_bytes()
    assert the_event(adapter({"format": "events"})(message(body))).id == "e1"
    assert the_event(adapter({"format": "cloudevents"})(message(body))).id == "s#e1"
    asked = []
    adapter({"format": "cfx"}, cfx=lambda raw: asked.append(raw) or [])(message(b"{}"))
    assert asked[0].address == ADDRESS


def test_readings_with_the_same_content_are_equal():
    """Configurations are compared."""
    assert Reading.model_validate(RESULT) == Reading.model_validate(RESULT)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.text(max_size=30))
def test_an_adapter_raises_nothing(body, address):
    """Whatever comes, from wherever."""
    for part in adapter({**RESULT, "source": "topic.rest"}, "{rest...}")(message(body, address)):
        assert isinstance(part, Event | Unreadable)
