"""Births, deaths and metrics of Sparkplug B become events."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sparkplug_wire import RECEIVED, T0, bdseq, chunk, double, message, metric, number, payload, single

from pywats_events import Event, EventType, RawMessage, Unreadable
from pywats_events.payloads import parse
from pywats_events.sparkplug import MetricRule, SparkplugAdapter, SparkplugSettings
from pywats_events.sparkplug.adapter import MAX_TOLD

SENT = datetime.fromtimestamp(T0 / 1000, UTC)
PRESS = "//Line1/Press"
OVEN = "//Line1/Press/Oven"


def settings(*rules: dict[str, Any], **others: Any) -> SparkplugSettings:
    """Give settings with these rules."""
    return SparkplugSettings.model_validate({"metrics": rules, **others})


def read(message: RawMessage, *rules: dict[str, Any], **others: Any) -> list[Event | Unreadable]:
    """Read a message, and see that each event is valid and can be written."""
    parts = list(SparkplugAdapter(settings(*rules, **others))(message))
    for part in parts:
        if isinstance(part, Event):
            json.loads(part.to_json())
            if part.event_type is not EventType.ASSET_CONNECTED:
                parse(part)
    return parts


def ddata(*metrics: bytes, seq: int = 3, **words: Any) -> RawMessage:
    """Give data of a device, with what its birth said."""
    known = {"session": 1, "aliases": {}, "types": {}, **words}
    return message("DDATA", payload(*metrics, seq=seq), device="Oven", sparkplug=known)


TEMPERATURE = {"name": "Temperature", "becomes": "reading"}


def test_births_connect():
    """A birth is an asset that connected; a birth of one who lives is none."""
    (event,) = read(message("NBIRTH", payload(bdseq(1), seq=0)))
    assert isinstance(event, Event)
    assert (event.event_type, event.source, event.time) == (EventType.ASSET_CONNECTED, PRESS, SENT)
    assert event.payload == {"asset_id": PRESS}
    assert event.metadata.message_name == "NBIRTH"
    assert read(message("NBIRTH", payload(bdseq(1), seq=0), sparkplug={"again": True})) == []


def test_death_of_node_is_of_all():
    """A node's death is the end of its devices, when it was received: its own time is that of its connect."""
    known = {"born": T0, "devices": ["Oven"]}
    events = read(message("NDEATH", payload(bdseq(1)), sparkplug=known))
    assert [(event.event_type, event.source, event.time) for event in events] == [
        (EventType.ASSET_DISCONNECTED, PRESS, RECEIVED),
        (EventType.ASSET_DISCONNECTED, OVEN, RECEIVED),
    ]
    assert len({event.id for event in events}) == 2
    assert read(message("NDEATH", payload(bdseq(1)), sparkplug={"late": True})) == []


def test_death_of_device():
    """A device's death is told when it happens, and has its time."""
    (event,) = read(message("DDEATH", payload(seq=4), device="Oven"))
    assert (event.event_type, event.source, event.time) == (EventType.ASSET_DISCONNECTED, OVEN, SENT)


def test_handles():
    """Stations are called as the configuration wants it."""
    (event,) = read(message("DDEATH", payload(seq=4), device="Oven"), device="{device}@{node}.{group}")
    assert event.source == "Oven@Press.Line1"


@pytest.mark.parametrize("template", ["//{line}", "{group", "{group.x}", "{group!r}", "{}", ""])
def test_wrong_handles(template: str):
    """A template that names what no topic has is refused."""
    with pytest.raises(ValidationError):
        SparkplugSettings(device=template)


def test_readings_by_alias():
    """Present readings of one message are one event, with names, types and units from the birth."""
    words = {
        "aliases": {"4": "Zone/Temperature", "5": "Zone/Count"},
        "types": {"Zone/Temperature": [9, "°C"], "Zone/Count": [1, None]},
    }
    (event,) = read(
        ddata(metric(single(12, 21.3), alias=4), metric(number(10, 0xFF), alias=5, at=T0 + 5), **words),
        {"name": "Zone/*", "becomes": "reading"},
    )
    assert (event.event_type, event.source, event.time) == (EventType.READINGS_RECORDED, OVEN, SENT)
    (step,) = event.payload["tests"]
    assert step["measurements"] == [
        {
            "kind": "numeric",
            "value": 21.3,
            "name": "Zone/Temperature",
            "unit": "°C",
            "recorded_at": SENT.isoformat(),
        },
        {
            "kind": "numeric",
            "value": -1,
            "name": "Zone/Count",
            "recorded_at": datetime.fromtimestamp((T0 + 5) / 1000, UTC).isoformat(),
        },
    ]


def test_more_metrics_than_are_told():
    """A message holds nobody up: what rules fit beyond the limit is one dead letter, and the rest is told."""
    metrics = [metric(number(11, n), name=f"C{n}", kind=7) for n in range(MAX_TOLD + 2)]
    parts = read(ddata(*metrics), {"name": "C*", "becomes": "counter"})
    *events, beyond = parts
    assert len(events) == MAX_TOLD
    assert isinstance(beyond, Unreadable)
    assert f"rules fit {MAX_TOLD + 2} metrics, and {MAX_TOLD} of one message are the most" in beyond.reason
    assert read(ddata(*metrics), {"name": "C1", "becomes": "counter"})[0].payload["done"] == 1


def test_readings_of_a_unit():
    """Where its message identifies one unit, a reading is of it if that is wanted; else of the machine."""
    rules = (
        {"name": "Code*", "becomes": "unit"},
        {"name": "Torque", "becomes": "reading", "of_unit": True},
        {"name": "Oil", "becomes": "reading"},
    )
    torque = metric(double(13, 7.5), name="Torque", kind=10)
    oil = metric(double(13, 61.0), name="Oil", kind=10)
    one = metric(chunk(15, "SN-1"), name="Code", kind=12)
    other = metric(chunk(15, "SN-2"), name="Code 2", kind=12)

    def told(kind: str, *metrics: bytes) -> dict[str, str | None]:
        known = {"session": 1, "aliases": {}, "types": {}}
        read_ = read(message(kind, payload(*metrics, seq=3), device="Oven", sparkplug=known), *rules)
        readings = [
            part for part in read_ if isinstance(part, Event) and part.event_type.value.startswith("readings")
        ]
        assert len({event.id for event in readings}) == len(readings)
        return {
            measured["name"]: event.payload.get("unit_id")
            for event in readings
            for measured in event.payload["tests"][0]["measurements"]
        }

    assert told("DDATA", torque, one, oil) == {"Torque": "SN-1", "Oil": None}
    assert told("DDATA", torque, oil) == {"Torque": None, "Oil": None}
    assert told("DDATA", one, torque, other) == {"Torque": None}
    assert told("DBIRTH", one, torque) == {"Torque": None}  # it repeats what was scanned last


def test_kinds_of_readings():
    """Truths, texts, numbers without end and arrays are readings too; bytes are none, and say so."""
    parts = read(
        ddata(
            metric(number(14, 1), name="a", kind=11),
            metric(chunk(15, "x"), name="b", kind=12),
            metric(double(13, float("nan")), name="c", kind=10),
            metric(chunk(16, b"\1\2"), name="d", kind=26),
            metric(chunk(16, b"\1\2"), name="e", kind=17),
        ),
        {"name": "*", "becomes": "reading"},
    )
    broken, event = parts
    said = [
        each.get("value", each.get("value_text", each.get("fields")))
        for each in event.payload["tests"][0]["measurements"]
    ]
    assert said == [True, "x", "NaN", {"values": [1, 2]}]
    assert isinstance(broken, Unreadable)
    assert 'metric "e"' in broken.reason


def test_history_keeps_its_time():
    """Readings that were kept back have their own times, and are events of their own."""
    events = read(
        ddata(
            metric(single(12, 1.0), name="Temperature", kind=9, at=T0 - 9000, historical=True),
            metric(single(12, 2.0), name="Temperature", kind=9, at=T0 - 5000, historical=True),
            metric(single(12, 3.0), name="Temperature", kind=9),
        ),
        TEMPERATURE,
    )
    assert [event.time.timestamp() * 1000 for event in events] == [T0 - 9000, T0 - 5000, T0]
    assert len({event.id for event in events}) == 3


STATE = {"name": "State", "becomes": "state"}


@pytest.mark.parametrize(
    ("value", "kind", "rule", "meant"),
    [
        (number(10, 3), 3, {"values": {"3": 1100}}, {"new_state": 1100}),
        (chunk(15, "Down"), 12, {"values": {"Down": 5000}}, {"new_state": 5000}),
        (number(14, 1), 11, {"values": {"true": 1000}}, {"new_state": 1000}),
        (double(13, 3.0), 10, {"values": {"3": 1100}}, {"new_state": 1100}),
        (number(10, 2200), 3, {}, {"new_state": 2200}),
        (number(10, 7), 3, {}, {"new_state_said": "7"}),
        (number(10, 2200), 3, {"values": {"3": 1100}}, {"new_state_said": "2200"}),
    ],
)
def test_states(value: bytes, kind: int, rule: dict[str, Any], meant: dict[str, Any]):
    """A state is read by the table, or as a code of SEMI E10; other words are told as they are."""
    (event,) = read(ddata(metric(value, name="State", kind=kind)), STATE | rule)
    assert event.event_type is EventType.ASSET_STATE_CHANGED
    assert event.payload == {"asset_id": OVEN, **meant}


def test_counters():
    """A counter is a total that ends when it was read; what is no count is refused."""
    rule = {"name": "Good", "becomes": "counter", "label": "units made"}
    (event,) = read(ddata(metric(number(11, 812), name="Good", kind=8)), rule)
    assert event.event_type is EventType.ASSET_COUNTERS
    assert event.payload == {
        "asset_id": OVEN,
        "counted": "units made",
        "done": 812,
        "ended_at": "2017-02-03T17:55:02.122000Z",
    }
    for value, kind in (
        (number(10, 0xFF), 1),
        (double(13, 1.5), 10),
        (number(14, 1), 11),
        (chunk(15, "1"), 12),
    ):
        (broken,) = read(ddata(metric(value, name="Good", kind=kind)), rule)
        assert isinstance(broken, Unreadable)
        assert "no count" in broken.reason


def test_units():
    """A scan is a unit that was identified; what a birth repeats is none, nor is an empty one."""
    rule = {"name": "Scan", "becomes": "unit"}
    (event,) = read(ddata(metric(chunk(15, " SN-1 "), name="Scan", kind=12)), rule)
    assert event.event_type is EventType.UNIT_IDENTIFIED
    assert event.payload["units"][0]["unit_id"] == "SN-1"
    assert read(ddata(metric(chunk(15, " "), name="Scan", kind=12)), rule) == []
    birth = payload(metric(chunk(15, "SN-1"), name="Scan", kind=12), seq=2)
    assert read(message("DBIRTH", birth, device="Oven", sparkplug={"again": True}), rule) == []


@pytest.mark.parametrize("quality", [0, 500])
def test_what_is_not_vouched_for(quality: int):
    """A value that its node calls bad or stale, or that is null, makes no event."""
    bad = chunk(9, chunk(1, "Quality") + chunk(2, number(1, 3) + number(3, quality)))
    assert read(ddata(metric(bad, single(12, 1.0), name="Temperature", kind=9)), TEMPERATURE) == []
    assert read(ddata(metric(number(7, 1), name="Temperature", kind=9)), TEMPERATURE) == []


def test_first_rule_holds():
    """Of two rules that fit the first one holds; nodes' own controls fit none."""
    rules = (
        {"name": "*/raw", "becomes": "nothing"},
        {"name": "A/*", "of": "Line1/Press/*", "becomes": "reading"},
        {"name": "*", "of": "Line2/*", "becomes": "reading"},
    )
    metrics = [metric(single(12, 1.0), name=name, kind=9) for name in ("A/raw", "A/x", "B/x")]
    (event,) = read(ddata(*metrics), *rules)
    assert [each["name"] for each in event.payload["tests"][0]["measurements"]] == ["A/x"]
    control = metric(number(14, 0), name="Node Control/Rebirth", kind=11)
    assert read(ddata(control), {"name": "*", "becomes": "reading"}) == []


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=12))
def test_patterns(pattern: str, name: str):
    """A star stands for any text and a question mark for any character."""
    from fnmatch import fnmatchcase

    from pywats_events.sparkplug.rules import _pattern

    assert bool(_pattern(pattern).fullmatch(name)) == fnmatchcase(name, pattern)


def test_one_bad_metric_is_alone():
    """A metric that can't be read costs the others nothing."""
    parts = read(
        ddata(
            metric(number(10, 999), name="Temperature", kind=1),
            metric(single(12, 2.0), name="Pressure", kind=9),
        ),
        {"name": "*", "becomes": "reading"},
    )
    broken, event = parts
    assert isinstance(broken, Unreadable)
    assert broken.reason == 'DDATA of Line1/Press/Oven: metric "Temperature": 999 is no INT8'
    assert (broken.source, broken.message_name, broken.error) == (OVEN, "DDATA", "SparkplugError")
    assert event.payload["tests"][0]["measurements"][0]["value"] == 2.0


def test_alias_of_another_type():
    """An alias that is told with another type than it was born with is not taken for its metric."""
    words = {"aliases": {"4": "Temperature"}, "types": {"Temperature": [9, None]}}
    (broken,) = read(ddata(metric(chunk(15, "SN-1"), alias=4, kind=12), **words), TEMPERATURE)
    assert isinstance(broken, Unreadable)
    assert "born as FLOAT and told as STRING" in broken.reason


def test_unborn():
    """Data by alias whose birth nobody saw is kept as unreadable, and says what to do."""
    data = message("DDATA", payload(metric(single(12, 1.0), alias=4), seq=3), device="Oven")
    (broken,) = read(data, TEMPERATURE)
    assert isinstance(broken, Unreadable)
    assert broken.error == "NoBirth"
    assert "aliases 4" in broken.reason
    assert "replay" in broken.reason


def test_alias_that_was_not_born():
    """An alias that the birth did not name is unreadable by itself; the others are read."""
    words = {"aliases": {"4": "Temperature"}, "types": {"Temperature": [9, None]}}
    event, broken = read(
        ddata(metric(single(12, 1.0), alias=4), metric(single(12, 1.0), alias=9), **words), TEMPERATURE
    )[::-1]
    assert isinstance(broken, Event)
    assert isinstance(event, Unreadable)
    assert event.error == "NoBirth"


def test_others_say_nothing():
    """Commands and the state of hosts give no event."""
    assert read(message("NCMD", b"whatever")) == []
    assert read(RawMessage(b"{}", address="spBv1.0/STATE/scada")) == []


def test_garbage_is_named():
    """Bytes that are no payload are unreadable, with who sent them."""
    (broken,) = read(message("DDATA", b"\xff\xff", device="Oven"))
    assert isinstance(broken, Unreadable)
    assert broken.source == OVEN
    assert "protobuf" in broken.reason


def identity(message: RawMessage) -> str:
    """Give what the one event of a message is known by."""
    (event,) = read(message, TEMPERATURE)
    return event.id


def test_identity():
    """A message is itself however often it comes; equal values of another number, time or session are not."""
    value = metric(single(12, 1.0), name="Temperature", kind=9)
    once = identity(ddata(value))
    again = ddata(value)
    again.received_at = datetime.now(UTC)
    assert identity(again) == once
    others = [
        ddata(value, seq=4),
        ddata(value, session=2),
        ddata(metric(single(12, 1.0), name="Temperature", kind=9, at=T0 + 1)),
        message("NDATA", payload(value, seq=3), sparkplug={"session": 1, "aliases": {}, "types": {}}),
    ]
    assert len({once, *map(identity, others)}) == 5


def test_identity_of_births_without_clock():
    """Two births of a node without a clock are two by the number of their session."""
    births = [read(message("NBIRTH", payload(bdseq(n), at=0, seq=0))) for n in (1, 2)]
    assert births[0][0].id != births[1][0].id


def test_identity_without_time():
    """A message that says no time is known by what its transport says of it."""
    value = metric(single(12, 1.0), name="Temperature", kind=9, at=None)
    known = {"session": 1, "aliases": {}, "types": {}}
    one, same, other = (
        identity(
            message("DDATA", payload(value, at=None, seq=3), device="Oven", identity=name, sparkplug=known)
        )
        for name in ("a", "a", "b")
    )
    assert one == same != other


def test_no_clock():
    """A time of 0 is none: the event has that of receipt, and the message is known by its transport."""
    value = metric(chunk(15, "SN-1"), name="Scan", kind=12, at=0)
    known = {"session": 1, "aliases": {}, "types": {}}
    one, other = (
        read(
            message("DDATA", payload(value, at=0, seq=3), device="Oven", identity=name, sparkplug=known),
            {"name": "Scan", "becomes": "unit"},
        )[0]
        for name in ("a", "b")
    )
    assert isinstance(one, Event)
    assert one.time == RECEIVED
    assert one.id != other.id


def test_deaths_of_two_sessions():
    """A node that never changes its death dies once for each birth."""
    deaths = [
        read(message("NDEATH", payload(bdseq(0), at=None), sparkplug={"born": n})) for n in (T0, T0 + 9, T0)
    ]
    assert deaths[0][0].id == deaths[2][0].id != deaths[1][0].id


@given(st.binary(max_size=300), st.sampled_from(["NBIRTH", "NDATA", "NDEATH"]))
def test_raises_nothing(body: bytes, kind: str):
    """Whatever comes, the adapter gives events that can be written or a reason, and the same each time."""
    rules = [{"name": "*a*", "becomes": "unit"}, {"name": "*", "becomes": "reading"}]
    assert [part.id for part in read(message(kind, body), *rules)] == [
        part.id for part in read(message(kind, body), *rules)
    ]


def test_rules_are_checked():
    """A rule that no code can follow is refused at load."""
    with pytest.raises(ValidationError):
        MetricRule.model_validate({"name": "x", "becomes": "fault"})
