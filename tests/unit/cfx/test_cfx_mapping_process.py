"""Process data and readings in the form that results have."""

from __future__ import annotations

import json

import pytest
from cfx_shop import HANDLE, events, mapped

from pywats_cfx import messages
from pywats_events.event import EventType
from pywats_events.message import Unreadable
from pywats_events.payloads import Outcome, TestResultEvent, parse

TRANSACTION = "5318ad01-3770-4e22-9a64-7a4898010978"
PROCESSED = "CFX.Production.Processing.UnitsProcessed"

#: One body for each kind of process data, with a fact that must be found again: step, measurement, value.
KINDS = {
    "Cleaning.CleaningManagementData": (
        {"Readings": [{"ReadingType": "FlowRateMax", "ReadingValue": 2.5}]},
        ("CleaningManagementData", "FlowRateMax", 2.5),
    ),
    "Cleaning.CleaningProcessData": (
        {"ConveyorSpeed": 1.5, "CleaningSteps": [{"CleaningStepType": "Wash", "CleaningStepTime": 20.0}]},
        ("CleaningProcessData / Wash", "CleaningStepTime", 20.0),
    ),
    "Coating.CoatingProcessData": (
        {
            "Readings": [
                {
                    "$type": "CFX.Structures.Coating.CoatingMeasurement, CFX",
                    "MeasurementName": "M",
                    "ActualValue": 2.0,
                }
            ]
        },
        ("CoatingProcessData", "M", None),
    ),
    "Coating.EncapsulationProcessData": (
        {
            "Nozzle": [
                {
                    "Nozzle": {"StageName": "N1"},
                    "NozzleReadings": [{"MeasurementName": "M", "ActualValue": 3.0}],
                }
            ]
        },
        ("EncapsulationProcessData / N1", "M", None),
    ),
    "Depaneling.RouterToolProcessData": (
        {"NumberOfBoardsRouted": 7, "AxisDetails": [{"AxisName": "X", "ActualAxisSpeed": "4.5"}]},
        ("RouterToolProcessData / X", "ActualAxisSpeed", 4.5),
    ),
    "Generic.GenericProcessData": (
        {"Readings": [{"Name": "Heat", "Value": {"Value": 9.5, "MaximumAcceptableValue": 10.0}}]},
        ("GenericProcessData", "Heat", 9.5),
    ),
    "HandSoldering.HandSolderingBoardProcessData": (
        {"BoardName": "B", "SolderPoints": [{"Name": "P1", "ReadSolderingPosition": {"X": 3}}]},
        ("HandSolderingBoardProcessData / P1 / ReadSolderingPosition", "X", 3.0),
    ),
    "LaserMarking.LaserMarkingProcessData": (
        {"LaserProcessingTime": "00:00:02.5"},
        ("LaserMarkingProcessData", "LaserProcessingTime", 2.5),
    ),
    "ReflowProfiling.ReflowProfilingProcessData": (
        {"ProductionUnitPWI": 80.5},
        ("ReflowProfilingProcessData", "ProductionUnitPWI", 80.5),
    ),
    "SolderApplication.SelectiveSolderPCBProcessData": (
        {"ZoneData": [{"StageSequence": 2, "Flux_Volume": 210.0}]},
        ("SelectiveSolderPCBProcessData / ZoneData 2", "Flux_Volume", 210.0),
    ),
    "SolderApplication.SelectiveSolderProcessData": (
        {"Cycle_Count": 4, "Fiducial_Enabled": "false"},
        ("SelectiveSolderProcessData", "Fiducial_Enabled", False),
    ),
    "SolderPastePrinting.SolderPastePrintingPCBProcessData": (
        {"Strokes": [{"PrintPressure": 5.0}, {"PrintPressure": 6.0}]},
        ("SolderPastePrintingPCBProcessData / Strokes 2", "PrintPressure", 6.0),
    ),
    "SolderReflow.ReflowProcessData": (
        {"ConveyorSpeed": 61.0, "ConveyorSpeedSetpoint": 60.0},
        ("ReflowProcessData", "ConveyorSpeed", 61.0),
    ),
    "SolderWave.WaveProcessData": (
        {"UnitProcessData": {"CoolingAggregates": [{"CoolingType": 1}]}, "UnitLength": 100.0},
        ("WaveProcessData", "UnitLength", 100.0),
    ),
    "UVCuring.UVCuringProcessData": (
        {"Intensity": {"MeasurementName": "I", "MeasuredValue": {"Value": 4.0, "ValueUnits": "W"}}},
        ("UVCuringProcessData", "I", 4.0),
    ),
}


def processed(**body):
    """Give the events of a UnitsProcessed."""
    return events(PROCESSED, {"TransactionId": TRANSACTION, "OverallResult": "Succeeded", **body})


def measured(event, step, name):
    """Give a measurement of a step."""
    (steps,) = ([each] for each in event.payload["tests"] if each["name"] == step)
    (found,) = (each for each in steps[0]["measurements"] if each["name"] == name)
    return found


def test_every_kind_of_process_data_is_tried():
    """A kind that joins the standard is missed here."""
    known = {name for name in messages.structures.__all__ if name.endswith(("ProcessData", "ManagementData"))}
    assert known - {name.rpartition(".")[2] for name in KINDS} == {"ProcessData", "WaveUnitProcessData"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["common", "unit"])
def test_every_kind_of_process_data_becomes_steps(kind, place):
    """Of all units or of one: what the machine said is found by its name, and the payload fits its model."""
    body, (step, name, value) = KINDS[kind]
    data = {"$type": f"CFX.Structures.{kind}, CFX", **body}
    unit = {"UnitIdentifier": "U", "UnitPositionNumber": 1, "UnitResult": "Succeeded"}
    if place == "common":
        (event,) = processed(CommonProcessData=data, UnitProcessData=[unit])
    else:
        (event,) = processed(UnitProcessData=[unit | {"UnitProcessData": data}])
    assert (event.event_type, event.key) == (EventType.UNIT_PROCESSED, "U#1")
    assert parse(event).to_payload() == event.payload
    assert measured(event, step, name).get("value") == value


def test_a_vendors_own_process_data_are_kept():
    """An unknown kind is gone through as its fields came."""
    data = {
        "$type": "Vendor.Plasma, Vendor",
        "Power": 5,
        "Gas": {"Name": "Ar", "Flow": [1.5, 2.5]},
        "Ok": True,
    }
    (event,) = processed(CommonProcessData=data)
    assert [step["name"] for step in event.payload["tests"]] == ["Plasma", "Plasma / Gas"]
    assert measured(event, "Plasma", "Power")["value"] == 5
    assert measured(event, "Plasma", "Ok")["value"] is True
    assert measured(event, "Plasma / Gas", "Flow 2")["value"] == 2.5
    assert measured(event, "Plasma / Gas", "Name")["value"] == "Ar"


def test_units_have_the_common_data_and_their_own():
    """Each event is complete; one unit's data are not another's."""

    def unit(identifier, speed, **said):
        data = {"$type": "CFX.Structures.SolderReflow.ReflowProcessData, CFX", "ConveyorSpeed": speed}
        return {"UnitIdentifier": identifier, "UnitProcessData": data, **said}

    common = {"$type": "CFX.Structures.LaserMarking.LaserMarkingProcessData, CFX", "RecipeName": "R"}
    first, second = processed(
        CommonProcessData=common,
        UnitProcessData=[unit("A", 1.0, UnitResult="Succeeded"), unit("B", 2.0, UnitResult="Failed")],
        OverallResult="Failed",
    )
    assert [each.payload["result"] for each in (first, second)] == ["passed", "failed"]
    assert [each.payload["work_result"] for each in (first, second)] == ["Failed", "Failed"]
    assert [each.payload["recipe"] for each in (first, second)] == ["R", "R"]
    assert [measured(each, "ReflowProcessData", "ConveyorSpeed")["value"] for each in (first, second)] == [
        1,
        2,
    ]


@pytest.mark.parametrize(
    ("overall", "unit", "result"),
    [
        ("Succeeded", "Succeeded", Outcome.PASSED),
        (None, "Succeeded", Outcome.PASSED),
        ("Succeeded", "Failed", Outcome.FAILED),
        ("Succeeded", "Error", Outcome.ERROR),
        ("Succeeded", "Aborted", Outcome.ABORTED),
        ("Succeeded", "Skipped", Outcome.SKIPPED),
        ("Succeeded", "Perhaps", Outcome.UNKNOWN),
        ("Succeeded", 9, Outcome.UNKNOWN),
        ("Succeeded", None, Outcome.UNKNOWN),
        ("Failed", "Succeeded", Outcome.FAILED),
        ("Aborted", "Succeeded", Outcome.ABORTED),
        ("Perhaps", "Succeeded", Outcome.UNKNOWN),
    ],
)
def test_no_unit_succeeds_that_was_not_plainly_said_to(overall, unit, result):
    """Missing and unknown verdicts are unknown, and a default can't outweigh a work that failed."""
    (event,) = processed(OverallResult=overall, UnitProcessData=[{"UnitIdentifier": "U", "UnitResult": unit}])
    assert event.payload["result"] == result


def test_a_work_without_units_is_told_as_a_whole():
    """Its units are those of the transaction."""
    (event,) = processed(OverallResult="Skipped")
    assert (event.key, event.payload["result"]) == (HANDLE, "skipped")
    assert "unit_id" not in event.payload
    assert event.metadata.correlation_id == TRANSACTION


def test_a_unit_known_by_its_place_alone_is_told():
    """The transaction says who lies at a position."""
    first, second = processed(UnitProcessData=[{"UnitPositionNumber": 1}, {"UnitPositionNumber": 2}])
    assert (first.key, first.payload["position"], second.payload["position"]) == (HANDLE, 1, 2)


def test_a_report_can_be_made_of_process_data():
    """The payload of a named unit reads as a test result."""
    data = {"$type": "CFX.Structures.SolderReflow.ReflowProcessData, CFX", "ConveyorSpeed": 1.0}
    (event,) = processed(UnitProcessData=[{"UnitIdentifier": "U", "UnitProcessData": data}])
    result = TestResultEvent.model_validate(event.payload)
    assert (result.unit_id, result.tests[0].measurements[0].name) == ("U", "ConveyorSpeed")


def test_a_small_message_does_not_grow_without_bounds():
    """Data that belong to each of very many units are refused with the field's name."""
    common = {"$type": "Vendor.X, V", "Text": "x" * 200_000}
    units = [{"UnitIdentifier": f"U{number}"} for number in range(400)]
    (made,) = mapped(PROCESSED, {"CommonProcessData": common, "UnitProcessData": units})
    assert isinstance(made, Unreadable)
    assert "MessageBody.CommonProcessData holds" in made.reason


def test_long_names_are_not_repeated_in_full():
    """A path is short, however long the names in it."""
    inner = [{"a": number} for number in range(100)]
    (event,) = processed(CommonProcessData={"$type": "Vendor.X, V", "y" * 100_000: inner})
    assert len(json.dumps(event.payload)) < 150_000


def reading(**said):
    """Give the first measurement of a reading of unit U."""
    (event,) = events("ReadingsRecorded", {"Readings": [{"UnitIdentifier": "U", **said}]})
    assert parse(event).to_payload() == event.payload
    return event.payload["tests"][0]["measurements"][0]


def test_readings_are_gathered_by_unit():
    """One event for each unit, and one for what names none; none of them has a verdict."""
    body = {
        "TransactionId": TRANSACTION,
        "Readings": [
            {"UnitIdentifier": "P", "UnitPositionNumber": 1, "ReadingIdentifier": "a", "Result": "Passed"},
            {"ReadingIdentifier": "room"},
            {"UnitIdentifier": "P", "UnitPositionNumber": 2, "ReadingIdentifier": "b"},
            {"UnitIdentifier": "P", "UnitPositionNumber": 1, "ReadingIdentifier": "c", "Result": "Failed"},
        ],
    }
    first, room, second = events("ReadingsRecorded", body)
    assert [each.key for each in (first, room, second)] == ["P#1", HANDLE, "P#2"]
    assert [each["name"] for each in first.payload["tests"][0]["measurements"]] == ["a", "c"]
    assert [each.get("result") for each in first.payload["tests"][0]["measurements"]] == ["passed", "failed"]
    assert (first.payload["siblings"], room.payload.get("unit_id")) == (2, None)
    assert first.payload["tests"][0]["result"] == "unknown"
    assert {each.metadata.correlation_id for each in (first, room, second)} == {TRANSACTION}


@pytest.mark.parametrize(
    ("said", "kind", "value"),
    [
        ({"ValueDataType": "Numeric", "Value": "1.5"}, "numeric", 1.5),
        ({"ValueDataType": "Integer", "Value": " 7 "}, "numeric", 7.0),
        ({"ValueDataType": "Numeric", "Value": "many"}, "text", "many"),
        ({"ValueDataType": "String", "Value": "7"}, "text", "7"),
        ({"Value": "7", "MaximumAcceptableValue": "8"}, "numeric", 7.0),
        ({"ValueDataType": "Boolean", "Value": "True"}, "boolean", True),
        ({"ValueDataType": "Boolean", "Value": "perhaps"}, "text", "perhaps"),
        ({"ValueDataType": "Odd", "Value": "x"}, "text", "x"),
        ({"ValueDataType": "Numeric", "Value": "NaN"}, "numeric", None),
        ({"Value": None}, "text", None),
    ],
)
def test_a_value_in_text_becomes_what_its_type_says(said, kind, value):
    """Numbers, truths and texts; what does not fit its type stays a text."""
    found = reading(**said)
    assert (found["kind"], found.get("value")) == (kind, value)


def test_a_reading_keeps_its_limits_and_components():
    """Limits, units, time and designators, as measurements of tests have them."""
    found = reading(
        ReadingIdentifier="Torque",
        ReadingSequence=3,
        TimeRecorded="2026-03-01T10:00:00Z",
        Result="Failed",
        ValueDataType="Numeric",
        Value="5",
        ValueUnits="Nm",
        ExpectedValue="4",
        ExpectedValueUnits="Nm",
        MinimumAcceptableValue="3.5",
        MaximumAcceptableValue="4.5",
        Components=[{"ReferenceDesignator": "U1"}, {}],
    )
    assert found == {
        "name": "Torque",
        "sequence": 3,
        "recorded_at": "2026-03-01T10:00:00Z",
        "result": "failed",
        "designators": ["U1"],
        "kind": "numeric",
        "value": 5.0,
        "unit": "Nm",
        "expected": 4.0,
        "expected_unit": "Nm",
        "low": 3.5,
        "high": 4.5,
    }


def test_readings_of_a_coating_chamber_tell_its_pressure():
    """What only this kind of reading says is measured, too."""
    said = {
        "$type": "CFX.Structures.VacuumDeposition.CoatingProcessReading, CFX",
        "ReadingIdentifier": "run",
        "ChamberPressure": 0.5,
        "VaporizerTemperature": 150.0,
    }
    (event,) = events("ReadingsRecorded", {"Readings": [said]})
    assert {each["name"]: each.get("value") for each in event.payload["tests"][0]["measurements"]} == {
        "run": None,
        "ChamberPressure": 0.5,
        "VaporizerTemperature": 150.0,
    }
