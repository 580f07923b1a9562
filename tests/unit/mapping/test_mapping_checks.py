"""Mappings tried out: their examples, patterns that hide each other, files as a topic reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import samples
from handlers import Rules
from pywats_bridge.converting import Source, convert, reader_for, readings_of
from pywats_bridge.mapping_checks import mapping_findings
from pywats_bridge.preview import EXAMPLE_RULES, Outlook
from pywats_bridge.settings import ConfigurationError
from pywats_cfx import cfx_adapter
from pywats_events.event import Event, EventType
from pywats_events.mapping import Reading, TopicPattern, adapter_of
from pywats_events.message import RawMessage

FIELDS = {"unit_id": "payload.sn", "result": "payload.ok ? 'pass' : 'fail'"}
GOOD = {"payload": {"sn": "1", "ok": True}, "expect": {"payload": {"unit_id": "1", "result": "passed"}}}


def findings(*examples, topic="tests/{station}", base=Path(), **more):
    examples = tuple({"topic": "tests/A", **each} for each in examples)
    reading = {"event": "test.result", "fields": FIELDS, "examples": examples, **more}
    given = [(TopicPattern.parse(topic), Reading.model_validate(reading))]
    return list(mapping_findings(given, formats={}, base=base))


def faults(*examples, **more):
    return [said for good, _, said in findings(*examples, **more) if not good]


def test_examples_that_are_right_are_one_good_line():
    """With what reads the messages."""
    assert findings(GOOD) == [(True, "mapping tests/{station}", "test.result; its example is right")]
    assert findings() == [(True, "mapping tests/{station}", "test.result; no examples to try")]


def test_an_example_may_be_text_or_a_file_and_expect_a_refusal(tmp_path):
    """Files stand beside the configuration."""
    (tmp_path / "one.json").write_text('{"sn": "1", "ok": false}', encoding="utf-8")
    assert not faults(
        {"file": "one.json", "expect": {"payload": {"result": "failed"}}},
        {"body": '{"sn": "1", "ok": true}', "expect": {"event": "test.result", "key": "1"}},
        {"body": "{", "refused": "not JSON"},
        {"payload": {"sn": "1"}, "refused": "fields.result"},
        base=tmp_path,
    )


@pytest.mark.parametrize(
    ("example", "words"),
    [
        ({**GOOD, "expect": {"payload": {"result": "failed"}}}, 'payload.result is "passed", not "failed"'),
        ({**GOOD, "expect": {"payload": {"recipe": "x"}}}, 'payload.recipe is missing, not "x"'),
        ({**GOOD, "expect": {"source": "B"}}, 'source is "tests/A", not "B"'),
        ({**GOOD, "expect": [{}, {}]}, "makes 1 events, not 2"),
        ({"payload": {"sn": "1"}, "expect": {}}, "fields.result"),
        ({"payload": GOOD["payload"], "refused": "fields.result"}, "is not refused"),
        ({"payload": {"ok": True}, "refused": "fields.result"}, "is not refused .* fields.unit_id"),
        ({**GOOD, "topic": "other/A"}, 'topic "other/A" does not match'),
        ({**GOOD, "topic": ""}, "needs a topic"),
        ({"file": "absent.json", "expect": {}}, "absent.json can't be read"),
    ],
)
def test_an_example_that_is_wrong_says_how(example, words):
    """With its number, and the field."""
    (fault,) = faults(GOOD, example)
    assert fault.startswith("example 2: ")
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(fault)


def test_a_hook_whose_calls_only_their_content_tells_apart_is_told():
    """The same state, told again tomorrow, would be taken for a repeat."""
    assert "repeat_window" in findings(topic="/hooks/mes")[0][2]
    assert "repeat_window" not in findings(topic="/hooks/mes", time="payload.at")[0][2]
    assert "repeat_window" not in findings()[0][2]


def test_a_mapping_that_can_not_be_used_is_one_bad_line():
    """And the others are looked at all the same."""
    assert "uint_id" in faults(fields={**FIELDS, "uint_id": "payload.x"})[0]


@pytest.mark.parametrize(
    ("above", "below", "hidden"),
    [
        ("a/+", "a/b", True),
        ("a/{x}", "a/{y}", True),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("#", "a/#", True),
        ("a/b", "a/+", False),
        ("a/+", "a/#", False),
        ("a/+", "a/b/c", False),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("a/b/#", "a/+/c", False),
    ],
)
def test_a_pattern_that_another_one_hides_is_told(above, below, hidden):
    """The first that matches reads a message, so a wide pattern above a narrow one is a mistake."""
    reading = Reading.model_validate({"event": "custom"})
    given = [(TopicPattern.parse(each), reading) for each in (above, below)]
    last = list(mapping_findings(given, formats={}, base=Path()))[-1]
    assert last[0] is not hidden
    assert ("is never used" in last[2]) is hidden


CONFIG = """
[[mqtt.subscriptions]]
topic = "line/{station}"
qos = 2
profile = "pass-fail"

[webhook]
[[webhook.hooks]]
name = "mes"
secret_file = "there-is-none"
profile = "unit-scan"

[[webhook.hooks]]
name = "events"
token_file = "nor-here"
"""


def config(tmp_path, text=CONFIG):
    path = tmp_path / "bridge.toml"
    path.write_text(text, encoding="utf-8")
    return path


async def test_a_file_is_converted_as_its_topic_would_be_read(tmp_path):
    """Without the broker, and without the secrets of hooks."""
    file = tmp_path / "message.json"
    file.write_text(json.dumps({"serial": "SN-1", "result": "OK"}), encoding="utf-8")
    readings = readings_of(config(tmp_path))
    adapter = reader_for(readings, "line/FCT-1", {"cfx": cfx_adapter})
    source = Source.read(file, adapter=adapter, address="line/FCT-1")
    station = {"handle": "FCT-1", "process": 60, "part_number": "B"}
    rules = Rules.model_validate({"stations": [station]})
    (outlook,) = [each async for each in convert([source], rules)]
    assert isinstance(outlook, Outlook)
    assert outlook.event.source == "FCT-1"
    assert [call.method for call in outlook.calls] == ["POST"]


async def test_a_hook_s_file_is_converted_by_its_path(tmp_path):
    """Hooks without a mapping take CloudEvents."""
    readings = readings_of(config(tmp_path))
    for name, body, kind in (
        ("mes", {"serial": "1"}, EventType.UNIT_IDENTIFIED),
        ("events", {"specversion": "1.0", "id": "1", "source": "s", "type": "custom"}, EventType.CUSTOM),
    ):
        address = f"/hooks/{name}"
        source = Source("x", json.dumps(body).encode(), reader_for(readings, address, {}), address)
        (outlook,) = [each async for each in convert([source], EXAMPLE_RULES)]
        assert isinstance(outlook, Outlook)
        assert outlook.event.event_type is kind


def test_a_cfx_envelope_may_come_by_mqtt():
    """It is read as it is from AMQP, with its own identity and source."""
    reading = Reading.model_validate({"format": "cfx"})
    adapter = adapter_of([(TopicPattern.parse("cfx/#"), reading)], formats={"cfx": cfx_adapter})
    body = samples.load("units_tested_fct")
    for one, other in zip(
        adapter(RawMessage(body=body, address="cfx/FCT")), cfx_adapter(RawMessage(body=body)), strict=True
    ):
        assert isinstance(one, Event)
        assert isinstance(other, Event)
        assert (one.id, one.source, one.payload) == (other.id, other.source, other.payload)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[mqtt.subscriptions]]\ntopic = 'a/#/b'\nprofile = 'steps'", "must stand last"),
        (
            "[[mqtt.subscriptions]]\ntopic = 'a'\nprofile = 'step'",
            r"subscriptions\[1\]: there is no profile",
        ),
        ("[[mqtt.subscriptions]]\ntopic = 'a'\nevent = 'x'", r"mqtt.subscriptions\[1\].event"),
        ("[[mqtt.subscriptions]]\ntopic = 'a'\nevent = 'custom'\nas = 1", r"subscriptions\[1\].as"),
        ("[mqtt", "can't be read"),
    ],
)
def test_mistakes_of_a_configuration_name_their_key(tmp_path, text, words):
    """As they do when the bridge reads it."""
    with pytest.raises(ConfigurationError, match=words):
        readings_of(config(tmp_path, text))


def test_an_address_that_nothing_reads_is_told_with_those_that_are(tmp_path):
    """A topic that was misspelt is soon found."""
    with pytest.raises(ConfigurationError, match=r'"lin/X"; there are: line/{station}, /hooks/mes'):
        reader_for(readings_of(config(tmp_path)), "lin/X", {})
