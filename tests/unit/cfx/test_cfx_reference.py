"""The standard's own examples and recorded traffic, where they lie beside the checkout."""

from __future__ import annotations

import base64
import json

import pytest
from cfx_shop import REFERENCE, envelope, wire

from pywats_cfx import cfx_adapter, decode, encode, messages
from pywats_events.event import Event, EventType
from pywats_events.message import RawMessage
from pywats_events.payloads import MODELS, parse

EXAMPLES = sorted(path.name for path in REFERENCE.glob("examples/*.json")) or ["none"]
CAPTURES = sorted(path.name for path in REFERENCE.glob("wire/*.json")) or ["none"]


def events_of(raw):
    """Give the events of a message that must be readable as a whole, each storable and true to its model."""
    made = list(cfx_adapter(raw))
    for event in made:
        assert isinstance(event, Event), event
        assert Event.from_json(event.to_json()).payload == event.payload
        if event.event_type in MODELS:
            assert parse(event).to_payload() == event.payload
    return made


def example(reference, name):
    """Give the events of an example body, put into an envelope without a type label."""
    body = json.loads(reference(f"examples/{name}"))
    return events_of(RawMessage(wire(envelope(name.rsplit(".", 2)[0], body)), transport="amqp"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_read_and_mapped(reference, name):
    """No example of the standard is unreadable, and none vanishes."""
    assert example(reference, name)


@pytest.mark.parametrize("name", CAPTURES)
def test_every_recorded_message_is_read_and_mapped(reference, name):
    """Recorded traffic decodes, maps, and is written again the same."""
    for message in json.loads(reference(f"wire/{name}"))["messages"]:
        properties = message.get("properties") or {}
        encoding = properties.get("content_encoding") or properties.get("content-encoding")
        body = base64.b64decode(message["body_b64"])
        envelopes = decode(body, content_encoding=encoding)
        assert envelopes
        assert decode(encode(envelopes)) == envelopes
        assert len(events_of(RawMessage(body, content_encoding=encoding))) >= len(envelopes)


def test_the_recorded_batch_holds_the_nine_messages_in_order(reference):
    """Gzip and a list: the same messages as one by one."""
    (message,) = json.loads(reference("wire/publish-gzip-batch.amqp10.json"))["messages"]
    envelopes = decode(base64.b64decode(message["body_b64"]), content_encoding="gzip")
    assert [each.message_name.rpartition(".")[2] for each in envelopes] == [
        "EndpointConnected",
        "WorkStarted",
        "MaterialsInstalled",
        "UnitsTested",
        "FaultOccurred",
        "FaultOccurred",
        "WorkCompleted",
        "Heartbeat",
        "EndpointShuttingDown",
    ]
    special, plain = (each.message.fault for each in envelopes if "FaultOccurred" in each.message_name)
    assert isinstance(special, messages.SMTPlacementFault)
    assert type(plain) is messages.Fault


def test_both_protocols_carry_the_same_messages(reference):
    """What AMQP 1.0 and 0-9-1 deliver gives the same event ids."""
    ids = [
        [
            event.id
            for message in json.loads(reference(f"wire/publish-raw-single.{protocol}.json"))["messages"]
            for event in events_of(RawMessage(base64.b64decode(message["body_b64"])))
        ]
        for protocol in ("amqp10", "amqp091")
    ]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 10


def test_the_tested_unit_of_the_example(reference):
    """Two tests under two climates, passed."""
    (event,) = example(reference, "CFX.Production.TestAndInspection.UnitsTested.2.json")
    result = parse(event)
    assert (event.event_type, event.key) == (EventType.TEST_RESULT, "UNIT123456789#1")
    assert (result.result, result.method, result.operator.id) == ("passed", "Automated", "BADGE489499")
    assert [test.name for test in result.tests] == ["HOT_TEST", "COLD_TEST"]
    assert [(each.name, each.mean, each.unit) for each in result.tests[1].conditions] == [
        ("Temperature", -6.5, "°C"),
        ("Humidity", 22.5, "%"),
    ]
    assert result.tests[0].started_at.isoformat() == "2018-10-03T16:02:33.283198-04:00"


def test_the_inspected_panel_of_the_example(reference):
    """Two circuits of one panel, three inspections on the second, defects with designators and areas."""
    first, second = example(reference, "CFX.Production.TestAndInspection.UnitsInspected.1.json")
    assert (first.key, second.key) == ("PANEL34543535#1", "PANEL34543535#2")
    assert (first.payload["result"], second.payload["result"]) == ("passed", "failed")
    assert second.payload["siblings"] == 2
    defects = [defect for test in parse(second).tests for defect in test.defects]
    assert [(each.code, each.designator) for each in defects] == [
        ("ISFSLD112", "R22.1"),
        ("TMBSTN211", "R22"),
        ("SCR23443", None),
    ]
    assert defects[0].images[0].data == "rFRWd9iZ"
    assert defects[0].region is None
    assert defects[2].region["outline"][0] == {"x": 5.6, "y": 4.0}


def test_paste_and_offsets_of_the_examples(reference):
    """Deposits keep their expectations, offsets their angles, lean ones their reference numbers."""
    paste, _ = example(reference, "CFX.Production.TestAndInspection.UnitsInspected.2.json")
    (volume,) = (
        q for q in paste.payload["tests"][0]["measurements"][0]["quantities"] if q["name"] == "Volume"
    )
    assert volume == {"name": "Volume", "value": 5.11, "expected": 5.1, "unit": "ml"}
    offsets, _ = example(reference, "CFX.Production.TestAndInspection.UnitsInspected.3.json")
    measurements = offsets.payload["tests"][0]["measurements"]
    assert [each["designators"] for each in measurements] == [["R1"], ["R2"], ["R3"], ["R4"]]
    assert {"name": "RZX", "value": 0.15} in measurements[0]["quantities"]
    (lean,) = example(reference, "CFX.Production.TestAndInspection.UnitsInspected.4.json")
    assert [test["reference"] for test in lean.payload["tests"]] == [1, 2]
    assert lean.metadata.correlation_id is None


def test_installed_materials_of_the_example(reference):
    """Three resistors on each of two circuits, and one that was rejected."""
    first, second = example(reference, "CFX.Production.Assembly.MaterialsInstalled.1.json")
    (material,) = parse(second).materials
    assert (first.key, second.key) == ("PANEL23423432#1", "PANEL23423432#2")
    assert (material.package_id, material.part_number) == ("MAT4566556456", "IPN47788")
    assert (material.location, material.carrier) == ("SLOT45", "TAPEFEEDER8mm1233334")
    assert [place.designator for place in material.placements] == ["R1", "R2", "R3"]
    assert [(each.designator, each.reason) for each in material.not_installed] == [
        ("R1", "BadElectricalTest")
    ]


def test_faults_and_states_of_the_examples(reference):
    """A printer's fault, its clearing, and states as bare numbers."""
    (fault,) = example(reference, "CFX.ResourcePerformance.FaultOccurred.4.json")
    assert fault.payload["details"] == {"printing_fault_type": "SqueegeeError"}
    assert (fault.payload["fault_code"], fault.payload["severity"]) == ("ERROR 234333", "Error")
    (cleared,) = example(reference, "CFX.ResourcePerformance.FaultCleared.1.json")
    assert cleared.payload["occurrence_id"] == "22ac3c8a-9e6d-42f8-85b2-f51bf2224ecc"
    (state,) = example(reference, "CFX.ResourcePerformance.StationStateChanged.2.json")
    assert (state.payload["old_state"], state.payload["new_state"]) == (1100, 5500)
    assert state.payload["old_state_seconds"] == 25.0
    assert state.payload["fault"]["occurrence_id"] == "3de0cfce-42f4-4302-982b-96dba4ec3de0"


def test_work_and_units_of_the_examples(reference):
    """Work on a carrier with two places, from beginning to end, and two units thrown away."""
    (started,) = example(reference, "CFX.Production.WorkStarted.2.json")
    assert (started.payload["recipe"], started.payload["recipe_revision"]) == ("Recipe1", "2.0")
    assert started.payload["work_order"] == {"id": "WO-1000-1000", "batch": "WO-1000-1000-B1"}
    assert [unit["position"] for unit in started.payload["units"]] == [1, 2]
    (completed,) = example(reference, "CFX.Production.WorkCompleted.3.json")
    assert completed.metadata.correlation_id == started.metadata.correlation_id
    assert completed.payload["impacts"] == ["LowFeederSpeed", "AlternativeTrackUsed"]
    first, second = example(reference, "CFX.Production.UnitsDisqualified.1.json")
    assert (first.key, second.key) == ("CARRIER5566#1", "CARRIER5566#2")
    assert first.payload["reason"] == "DefectiveRepairNotPossible"
