"""UnitsTested and UnitsInspected as domain events."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from uuid import UUID

import pytest
from cfx_shop import RECEIVED, UNIQUE_ID, envelope, events, mapped, wire

from pywats_cfx import cfx_adapter
from pywats_events.event import Event, EventType
from pywats_events.message import RawMessage, Unreadable
from pywats_events.payloads import parse


def units(*entries):
    """Give the body of a UnitsTested."""
    return {"TransactionId": "5318ad01-3770-4e22-9a64-7a4898010978", "TestedUnits": list(entries)}


def one_measurement(fields):
    """Give what becomes of one measurement."""
    (event,) = events("UnitsTested", units({"UnitIdentifier": "U", "Tests": [{"Measurements": [fields]}]}))
    return event.payload["tests"][0]["measurements"][0]


def test_each_unit_becomes_an_event_of_its_own():
    """Four units are four events, keyed by identifier and position, with ids of their own."""
    body = units(
        {"UnitIdentifier": "PNL", "UnitPositionNumber": 1, "OverallResult": "Passed"},
        {"UnitIdentifier": "PNL", "UnitPositionNumber": 2, "OverallResult": "Failed"},
        {"UnitIdentifier": "PNL", "UnitPositionNumber": 2, "OverallResult": "Passed"},
        {"UnitIdentifier": "SN-9", "OverallResult": 3},
    )
    made = events("UnitsTested", body)
    assert [each.event_type for each in made] == [EventType.TEST_RESULT] * 4
    assert [each.key for each in made] == ["PNL#1", "PNL#2", "PNL#2", "SN-9"]
    assert [each.payload["siblings"] for each in made] == [3, 3, 3, 1]
    assert [each.payload["repeat"] for each in made] == [0, 0, 1, 0]
    assert [each.payload["result"] for each in made] == ["passed", "failed", "passed", "aborted"]
    assert [each.payload.get("position") for each in made] == [1, 2, 2, None]
    assert len({each.id for each in made}) == 4
    assert all(UUID(each.id).version == 5 for each in made)


def test_an_event_says_where_it_comes_from():
    """Source, time and metadata are those of the envelope and of its transport."""
    content = envelope("UnitsTested", units({"UnitIdentifier": "U"}))
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    raw = RawMessage(
        wire(content), transport="amqp", received_at=RECEIVED, properties={"headers": {"traceparent": trace}}
    )
    (event,) = cfx_adapter(raw)
    assert event.source == "//Acme/Line1/ICT01"
    assert event.time == datetime(2026, 3, 1, 10, tzinfo=timezone(timedelta(hours=1)))
    metadata = event.metadata
    assert metadata.correlation_id == "5318ad01-3770-4e22-9a64-7a4898010978"
    assert metadata.causation_id == UNIQUE_ID
    assert metadata.message_name == "CFX.Production.TestAndInspection.UnitsTested"
    assert (metadata.transport, metadata.received_at, metadata.traceparent) == ("amqp", RECEIVED, trace)


def test_a_silent_envelope_is_filled_in_from_its_transport():
    """Without source and time, the address and the time of receipt serve; zero guids are no ids."""
    content = envelope(
        "UnitsTested",
        units({"UnitIdentifier": "U"}) | {"TransactionId": "00000000-0000-0000-0000-000000000000"},
        Source=None,
        TimeStamp="0001-01-01T00:00:00",
        UniqueID="00000000-0000-0000-0000-000000000000",
    )
    (event,) = cfx_adapter(
        RawMessage(wire(content), transport="amqp", address="line1.ict", received_at=RECEIVED)
    )
    assert (event.source, event.time) == ("line1.ict", RECEIVED)
    assert (event.metadata.correlation_id, event.metadata.causation_id) == (None, None)
    assert "transaction_id" not in event.payload


def test_the_same_message_gives_the_same_ids():
    """Ids depend on the message alone: by its UniqueID, and without one by its content."""
    body = units({"UnitIdentifier": "A"}, {"UnitIdentifier": "B"})
    first = [each.id for each in events("UnitsTested", body)]
    assert [each.id for each in events("UnitsTested", body | {"RecipeName": "other"})] == first
    assert [each.id for each in events("UnitsTested", body, UniqueID=UNIQUE_ID.upper())] == first
    unset = [each.id for each in events("UnitsTested", body, UniqueID=None)]
    assert unset == [each.id for each in events("UnitsTested", dict(reversed(body.items())), UniqueID=None)]
    assert not {*unset} & {*first}
    other = events("UnitsTested", body | {"RecipeName": "other"}, UniqueID=None)
    assert not {each.id for each in other} & {*unset}


@pytest.mark.parametrize(
    ("said", "result", "word"),
    [
        ("Passed", "passed", None),
        ("Error", "error", None),
        ("Aborted", "aborted", None),
        ("Skipped", "skipped", None),
        ("Indeterminate", "unknown", "Indeterminate"),
        ("Pass", "unknown", "Pass"),
        (9, "unknown", "9"),
        (None, "unknown", None),
    ],
)
def test_nothing_passes_unless_it_plainly_says_so(said, result, word):
    """A missing or unknown verdict is unknown, in units and in tests, and the sender's word is kept."""
    entry = {"UnitIdentifier": "U", "OverallResult": said, "Tests": [{"Result": said}]}
    (event,) = events("UnitsTested", units(entry))
    for place in (event.payload, event.payload["tests"][0]):
        assert (place["result"], place.get("result_said")) == (result, word)
    (bare,) = events("UnitsTested", units({"UnitIdentifier": "U", "Tests": [{}]}))
    assert (bare.payload["result"], bare.payload["tests"][0]["result"]) == ("unknown", "unknown")


def test_a_unit_without_identifier_is_named_and_the_others_go_on():
    """The field at fault is told; its neighbours are reported."""
    made = mapped(
        "UnitsTested", units({"UnitIdentifier": "A"}, {"UnitIdentifier": " "}, {"UnitIdentifier": "C"})
    )
    first, second, third = made
    assert (first.payload["unit_id"], third.payload["unit_id"]) == ("A", "C")
    assert isinstance(second, Unreadable)
    assert "MessageBody.TestedUnits[1].UnitIdentifier is missing" in second.reason
    assert (second.source, second.error) == ("//Acme/Line1/ICT01", "CFXDecodeError")
    assert [each.id for each in mapped("UnitsTested", units({}))] != [second.id]


@pytest.mark.parametrize("body", [units(), {"TestedUnits": None}, {}, {"Units": [{"UnitIdentifier": "A"}]}])
def test_results_without_units_are_a_dead_letter_that_names_the_field(body):
    """An empty list can't be told from a misspelt one, so somebody has to look at it."""
    (nothing,) = mapped("UnitsTested", body)
    assert isinstance(nothing, Unreadable)
    assert "MessageBody.TestedUnits is missing or empty" in nothing.reason
    assert nothing.message_name == "CFX.Production.TestAndInspection.UnitsTested"


def test_a_number_keeps_value_limits_and_units():
    """Each limit may have a unit of its own, and numbers may stand in quotes."""
    value = {
        "Value": "10012.5",
        "ValueUnits": "Ohm",
        "ExpectedValue": 10.0,
        "ExpectedValueUnits": "kOhm",
        "MinimumAcceptableValue": 9.9,
        "MinimumAcceptableValueUnits": None,
        "MaximumAcceptableValue": 10.1,
        "MaximumAcceptableValueUnits": "kOhm",
    }
    fields = {
        "$type": "CFX.Structures.NumericMeasurement, CFX",
        "MeasuredValue": value,
        "UniqueIdentifier": "m1",
        "MeasurementName": " R1 ",
        "TimeRecorded": "2026-11-21T00:10:45.192324+00:00",
        "Sequence": 1,
        "Result": "Passed",
        "CRDs": "R1",
    }
    assert one_measurement(fields) == {
        "kind": "numeric",
        "id": "m1",
        "name": "R1",
        "sequence": 1,
        "recorded_at": "2026-11-21T00:10:45.192324Z",
        "result": "passed",
        "designators": ["R1"],
        "value": 10012.5,
        "unit": "Ohm",
        "expected": 10.0,
        "expected_unit": "kOhm",
        "low": 9.9,
        "high": 10.1,
        "high_unit": "kOhm",
    }


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_none_is_kept_as_text(text):
    """Not-a-number never reaches the JSON of an event as a number."""
    said = one_measurement({"MeasuredValue": {"Value": text, "ExpectedValue": "NaN"}})
    assert said == {"kind": "numeric", "value_text": text, "designators": []}


def test_yes_no_and_text_measurements():
    """Booleans and texts keep value and expectation; a missing verdict stays missing."""
    assert one_measurement({"Value": False, "ExpectedValue": True, "Result": 1}) == {
        "kind": "boolean",
        "value": False,
        "expected": True,
        "result": "failed",
        "designators": [],
    }
    assert one_measurement({"Value": "1.4-β", "ExpectedValue": None}) == {
        "kind": "text",
        "value": "1.4-β",
        "designators": [],
    }


def test_a_paste_deposit_is_a_feature_with_quantities():
    """Measured and expected numbers stand side by side, with their units where the standard says them."""
    fields = {
        "$type": "CFX.Structures.SolderPasteInspection.SolderPasteMeasurement, CFX",
        "X": 5.62,
        "EX": 5.6,
        "Z": 5.01,
        "EZ": 5.0,
        "DX": 0.02,
        "Vol": 5.11,
        "EVol": 5.1,
        "Image": {"MimeType": "image/png", "ImageData": "AA=="},
    }
    assert one_measurement(fields) == {
        "kind": "feature",
        "feature": "paste",
        "designators": [],
        "quantities": [
            {"name": "X", "value": 5.62, "expected": 5.6, "unit": "mm"},
            {"name": "Z", "value": 5.01, "expected": 5.0, "unit": "mm"},
            {"name": "Volume", "value": 5.11, "expected": 5.1, "unit": "ml"},
            {"name": "DX", "value": 0.02},
        ],
        "image": {"mime_type": "image/png", "data": "AA=="},
    }


@pytest.mark.parametrize(
    ("fields", "feature", "quantities"),
    [
        ({"DX": 0.1, "RZX": 2}, "offset", [{"name": "DX", "value": 0.1}, {"name": "RZX", "value": 2.0}]),
        (
            {"X": 1, "Vol": 0.5},
            "paste",
            [{"name": "X", "value": 1.0, "unit": "mm"}, {"name": "Volume", "value": 0.5, "unit": "ml"}],
        ),
        (
            {"EZ": 0.12, "EX": 1},
            "paste",
            [{"name": "X", "expected": 1.0, "unit": "mm"}, {"name": "Z", "expected": 0.12, "unit": "mm"}],
        ),
        (
            {"Thickness": 8.5, "Position": 2},
            "coating",
            [{"name": "Thickness", "value": 8.5}, {"name": "Position", "value": 2.0}],
        ),
        (
            {
                "ActualValue": 3,
                "MeasurementType": "Axis",
                "Axis": "X",
                "MinAcceptableValue": 2,
                "MaxAcceptableValue": "NaN",
            },
            "coating",
            [{"name": "Axis X", "value": 3.0, "low": 2.0}],
        ),
    ],
)
def test_other_features(fields, feature, quantities):
    """Offsets, bare paste values, expectations and coatings are features too."""
    said = one_measurement(fields)
    assert (said["kind"], said["feature"], said["quantities"]) == ("feature", feature, quantities)


def test_a_measurement_of_an_unknown_type_keeps_all_it_said():
    """A vendor's own measurement is carried whole, with its common fields in their place."""
    fields = {
        "$type": "Vendor.XRay, V",
        "MeasurementName": "U1",
        "Void": 3.5,
        "Deep": {"a": [1]},
        "Odd": "NaN",
    }
    said = one_measurement(fields)
    assert said["kind"] == "other"
    assert (said["type_name"], said["name"]) == ("Vendor.XRay", "U1")
    assert said["fields"] == {"Void": 3.5, "Deep": {"a": [1]}, "Odd": "NaN"}


@pytest.mark.parametrize(
    ("crds", "expected"),
    [
        ("R1", ["R1"]),
        ("R1, R2;R3", ["R1", "R2", "R3"]),
        (" R1  U7.3 ", ["R1", "U7.3"]),
        (";,", []),
        (None, []),
    ],
)
def test_designators_are_split(crds, expected):
    """Commas, semicolons and blanks part the names of components."""
    assert one_measurement({"CRDs": crds})["designators"] == expected


def test_payloads_are_what_the_models_would_give():
    """The data made here and the typed payload are the same thing, to the byte."""
    test = {
        "UniqueIdentifier": "t",
        "TestName": "T",
        "TestStartTime": "2018-10-03T16:02:33.2831984-04:00",
        "TestEndTime": "2018-10-03T20:02:34Z",
        "Result": "Failed",
        "Error": "E",
        "Comments": "c",
        "TestProcedure": "p",
        "TestConditions": [
            {"$type": "CFX.Structures.Temperature, CFX", "MeanValue": 45.2},
            {"$type": "V.Noise, V"},
        ],
        "SymptomsFound": [
            {"SymptomCode": "S", "Priority": 1, "ComponentsOfInterest": [{"ReferenceDesignator": "R1"}]}
        ],
        "DefectsFound": [
            {"DefectCode": "D", "RelatedMeasurements": [{"Value": True}], "RelatedSymptoms": [{}]}
        ],
        "Measurements": [
            {"MeasuredValue": {"Value": 1}, "TimeRecorded": "2018-10-03T20:02:34Z"},
            {"Value": "x"},
            {"Value": True},
            {"X": 1, "EX": 2, "Result": "Odd"},
            {"$type": "V.X, V", "A": [1]},
            {"DX": 1, "RZX": 1},
            {"ActualValue": 2},
        ],
    }
    (event,) = events("UnitsTested", units({"UnitIdentifier": "U", "Tests": [test]}))
    typed = parse(event)
    assert typed.to_payload() == event.payload
    assert typed.tests[0].conditions[0].unit == "°C"
    assert typed.tests[0].conditions[1].name == "Noise"


def test_an_inspection_keeps_defects_pictures_and_second_looks():
    """Defects keep designator, area, images and what verification said of them."""
    defect = {
        "DefectCode": "TMB",
        "ComponentOfInterest": {"ReferenceDesignator": "R22", "PartNumber": "P"},
        "RegionOfInterest": {
            "StartPointX": 2.3,
            "StartPointY": 4.0,
            "RegionSegments": [{"X": 5.6, "Y": 4.0}],
        },
        "DefectImages": [
            {"MimeType": "image/png", "TransferMode": "InBand", "ImageData": "AA=="},
            {},
            {"ImageURL": "http://a"},
        ],
        "Priority": 1,
        "ConfidenceLevel": "NaN",
        "Verification": "DefectRejected",
        "VerificationDetail": "smudge",
    }
    inspection = {
        "InspectionName": "I",
        "Result": "Failed",
        "Verification": 1,
        "DefectsFound": [defect],
        "RefNo": 3,
    }
    body = {
        "InspectionMethod": "aoi",
        "InspectedUnits": [
            {
                "UnitIdentifier": "U",
                "Inspections": [inspection],
                "Verification": "Vendor's",
                "TotalInspectionCount": 9,
            }
        ],
    }
    (event,) = events("UnitsInspected", body)
    assert event.event_type is EventType.INSPECTION_RESULT
    payload = event.payload
    assert (payload["scope"], payload["method"], payload["total_inspections"]) == ("unit", "AOI", 9)
    assert payload["verification"] == {"verdict": "Vendor's"}
    (step,) = payload["tests"]
    assert (step["verification"], step["reference"]) == ({"verdict": "DefectConfirmed"}, 3)
    (found,) = step["defects"]
    assert (found["designator"], found["part_number"], found["priority"]) == ("R22", "P", 1)
    assert found["region"] == {"x": 2.3, "y": 4.0, "outline": [{"x": 5.6, "y": 4.0}]}
    assert found["images"] == [{"mime_type": "image/png", "data": "AA=="}, {"url": "http://a"}]
    assert found["verification"] == {"verdict": "DefectRejected", "detail": "smudge"}
    assert "confidence" not in found
    assert parse(event).to_payload() == payload


def test_the_panel_as_a_whole_is_a_further_event():
    """InspectedPanel becomes an event of its own, and names units that have no identifier."""
    body = {
        "TransactionId": "T",
        "InspectedUnits": [{"UnitPositionNumber": 1}, {"UnitPositionNumber": 2}],
        "InspectedPanel": {
            "UnitIdentifier": "PNL",
            "OverallResult": "Passed",
            "Stretch": 1.01,
            "Inspections": [{}],
        },
    }
    first, second, panel = events("UnitsInspected", body)
    assert [first.key, second.key, panel.key] == ["PNL#1", "PNL#2", "PNL"]
    assert (panel.payload["scope"], panel.payload["result"], panel.payload["details"]) == (
        "panel",
        "passed",
        {"stretch": 1.01},
    )
    assert panel.metadata.correlation_id == "T"
    assert len({first.id, second.id, panel.id}) == 3
    (nameless,) = mapped("UnitsInspected", {"InspectedPanel": {}})
    assert "InspectedPanel.UnitIdentifier is missing" in nameless.reason


def test_the_operator_is_a_person_or_nobody():
    """An operator of whom only the kind is said is nobody."""
    tester = {"OperatorIdentifier": "B1", "ActorType": "Human", "LastName": "Smith"}
    (event,) = events("UnitsTested", units({"UnitIdentifier": "U"}) | {"Tester": tester})
    assert event.payload["operator"] == {"id": "B1", "last_name": "Smith", "kind": "Human"}
    (event,) = events("UnitsTested", units({"UnitIdentifier": "U"}) | {"Tester": {"ActorType": "Human"}})
    assert "operator" not in event.payload


def test_one_unreadable_envelope_of_a_batch_stops_nothing():
    """A poison envelope becomes its own dead letter; its neighbours become events."""
    good = envelope("UnitsTested", units({"UnitIdentifier": "U"}))
    bad = envelope("UnitsTested", {"TestedUnits": 5}, UniqueID="other")
    made = cfx_adapter(RawMessage(wire([bad, good, 3]), address="q"))
    assert [isinstance(each, Event) for each in made] == [False, True, False]
    assert made[0].message_name == "CFX.Production.TestAndInspection.UnitsTested"
    assert "MessageBody.TestedUnits" in made[0].reason
    assert (made[0].source, made[2].source) == ("//Acme/Line1/ICT01", "q")
    again = cfx_adapter(RawMessage(wire([bad, good, 3]), address="q"))
    assert [each.id for each in again] == [each.id for each in made]
