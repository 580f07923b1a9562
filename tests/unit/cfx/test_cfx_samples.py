"""The samples: complete, consistent with each other, and what they say they are."""

from __future__ import annotations

import base64
import json
import struct
import zlib

import pytest

import samples
from pywats_cfx import cfx_adapter, decode
from pywats_cfx.messages.declared import declared
from pywats_cfx.messages.wire import CFXStructure
from pywats_events.event import EventType
from pywats_events.message import RawMessage
from pywats_events.payloads import MODELS, parse

EXPECTED = {
    "units_tested_ict": [EventType.TEST_RESULT] * 2,
    "units_tested_fct": [EventType.TEST_RESULT],
    "units_inspected_aoi": [EventType.INSPECTION_RESULT] * 3,
    "units_inspected_spi": [EventType.INSPECTION_RESULT] * 2,
    "work_started": [EventType.WORK_STARTED],
    "work_completed_pass": [EventType.WORK_COMPLETED],
    "work_completed_fail": [EventType.WORK_COMPLETED],
    "materials_smt": [EventType.MATERIAL_INSTALLED] * 2,
    "materials_th": [EventType.MATERIAL_INSTALLED] * 2,
    "materials_loaded": [EventType.MATERIAL_LOADED] * 7,
    "fault_temp": [EventType.ASSET_FAULT],
    "fault_feeder": [EventType.ASSET_FAULT],
    "fault_cleared": [EventType.ASSET_FAULT_CLEARED],
}


def events(name):
    """Give the events of a sample."""
    return list(cfx_adapter(RawMessage(samples.load(name))))


def test_the_thirteen_samples_are_there():
    """Names are a public promise."""
    assert set(samples.names()) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_each_sample_becomes_the_events_it_should(name):
    """Types as expected, payloads true to their models, one line about each."""
    made = events(name)
    assert [event.event_type for event in made] == EXPECTED[name]
    for event in made:
        event.to_json()
        if event.event_type in MODELS:
            assert parse(event).to_payload() == event.payload
    assert samples.SUMMARIES[name]


@pytest.mark.parametrize("name", EXPECTED)
def test_each_sample_is_complete(name):
    """Samples are written as the standard's own writers do: every field, nulls too, labels first."""
    (envelope,) = decode(samples.load(name))
    assert envelope.source.startswith("//Acme/Line1/")
    assert next(iter(envelope.body)) == "$type"

    def check(structure, data, kind):
        assert set(data) - {"$type"} == {field.name for field in declared(type(structure))}
        assert ("$type" in data) == (type(structure) is not kind)
        for field in declared(type(structure)):
            value = getattr(structure, field.attribute)
            if isinstance(value, CFXStructure):
                check(value, data[field.name], field.kind)
            elif isinstance(value, list):
                for inner, inner_data in zip(value, data[field.name], strict=True):
                    if isinstance(inner, CFXStructure):
                        check(inner, inner_data, field.kind)

    check(envelope.message, envelope.body, None)


def test_the_samples_are_of_one_line():
    """Panel, transactions, recipes and faults join the samples together."""
    ict, started, done = (
        events(name) for name in ("units_tested_ict", "work_started", "work_completed_pass")
    )
    transactions = {event.metadata.correlation_id for event in (*ict, *started, *done)}
    assert len(transactions) == 1
    assert {event.payload["unit_id"] for event in ict} == {started[0].payload["panel_id"]}
    serials = [unit["unit_id"] for unit in started[0].payload["units"]]
    (fct,), (given_up,) = events("units_tested_fct"), events("work_completed_fail")
    assert fct.payload["unit_id"] == serials[0]
    assert fct.metadata.correlation_id == given_up.metadata.correlation_id
    assert given_up.payload["result"] == "Failed"
    assert ict[0].payload["recipe"] == started[0].payload["recipe"] == "ICT_CTRL-A7"
    (fault,), (cleared,) = events("fault_feeder"), events("fault_cleared")
    assert fault.payload["occurrence_id"] == cleared.payload["occurrence_id"]
    assert fault.source == cleared.source
    assert len({decode(samples.load(name))[0].unique_id for name in samples.names()}) == len(samples.names())


def test_the_ict_sample_shows_one_pass_and_one_failure():
    """Eight measurements with limits each; R7 of the second circuit is out, with its symptom."""
    good, bad = (parse(event) for event in events("units_tested_ict"))
    assert ((good.position, good.result), (bad.position, bad.result)) == ((1, "passed"), (2, "failed"))
    for unit in (good, bad):
        (test,) = unit.tests
        assert len(test.measurements) == 8
        numbers = [each for each in test.measurements if each.kind == "numeric"]
        failing = [each.name for each in numbers if not each.low <= each.value <= each.high]
        assert failing == [each.name for each in numbers if each.result == "failed"]
        assert failing == ([] if unit is good else ["R7"])
    assert bad.tests[0].symptoms[0].designators == ["R7"]


def test_the_aoi_sample_shows_a_picture_and_a_false_call():
    """The picture is a true PNG; the false call was rejected at the second look and its unit passed."""
    first, second, panel = (parse(event) for event in events("units_inspected_aoi"))
    assert (first.result, second.result, panel.scope) == ("passed", "failed", "panel")
    (false_call,) = (defect for test in first.tests for defect in test.defects)
    assert false_call.verification.verdict == "DefectRejected"
    (tombstone,) = (defect for test in second.tests for defect in test.defects)
    picture = base64.b64decode(tombstone.images[0].data, validate=True)
    assert tombstone.images[0].mime_type == "image/png"
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    at, kinds, pixels = 8, [], b""
    while at < len(picture):
        (length,) = struct.unpack_from(">I", picture, at)
        kind, data = picture[at + 4 : at + 8], picture[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + data) == struct.unpack_from(">I", picture, at + 8 + length)[0]
        kinds.append(kind)
        pixels += data if kind == b"IDAT" else b""
        at += 12 + length
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]
    assert len(zlib.decompress(pixels)) == 12 * (1 + 12 * 3)


def test_an_unknown_sample_is_named_with_the_known_ones():
    """The error helps."""
    with pytest.raises(samples.UnknownSampleError, match=r'"ict".*units_tested_ict'):
        samples.load("ict")


def test_samples_are_plain_json():
    """One message each, readable by anybody."""
    for name in samples.names():
        assert set(json.loads(samples.load(name))) >= {"MessageName", "MessageBody"}
