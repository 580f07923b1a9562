"""How wire values are read into typed messages."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from cfx_shop import envelope, wire

from pywats_cfx import decode, messages
from pywats_cfx.messages.wire import CFXStructure, wire_names
from pywats_cfx.messages.writing import to_wire, write_span


def read(name, body):
    """Read one message."""
    return decode(wire(envelope(name, body)))[0].message


def test_long_and_short_names_are_the_same_class():
    """Messages are laid out by namespace and named in short as well."""
    assert messages.production.test_and_inspection.UnitsTested is messages.UnitsTested
    assert messages.production.WorkStarted is messages.WorkStarted
    assert messages.network.Heartbeat is messages.Heartbeat


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Passed", "Passed"),
        ("pAsSeD", "Passed"),
        (" Failed ", "Failed"),
        (1, "Failed"),
        ("4", "Skipped"),
        (17, "17"),
        ("Terminated", "Terminated"),
        ("", None),
        (None, None),
    ],
)
def test_enumerations_come_as_name_number_or_text(said, expected):
    """Members are recognised however they are written; what is none is kept as text."""
    (unit,) = read("UnitsTested", {"TestedUnits": [{"OverallResult": said}]}).tested_units
    assert unit.overall_result == expected
    assert isinstance(unit.overall_result, messages.TestResult) is (expected in list(messages.TestResult))


@pytest.mark.parametrize("said", [2200, "2200", "SBY_NoProduct", "sby_noproduct"])
def test_states_come_as_number_code_or_name(said):
    """A resource state has three spellings on the wire."""
    assert read("StationStateChanged", {"NewState": said}).new_state is messages.ResourceState.SBY_NoProduct


def test_null_missing_and_empty_lists_are_the_same():
    """A list is a list, whatever an older sender left out."""
    for body in ({}, {"TestedUnits": None}, {"TestedUnits": []}):
        assert read("UnitsTested", body).tested_units == []


@pytest.mark.parametrize(("said", "understood"), [(["D1", None, "D2"], ["D1", "D2"]), ([None], [])])
def test_a_null_in_a_list_says_nothing(said, understood):
    """It is no reason to refuse the message, and no entry of the list."""
    repair = {"RepairedUnits": [{"Repairs": [{"RelatedDefectIdentifiers": said}]}]}
    repaired = read("CFX.Production.ReworkAndRepair.UnitsRepaired", repair)
    assert repaired.repaired_units[0].repairs[0].related_defect_identifiers == understood


def test_a_labelled_list_is_unwrapped():
    """Lists that a type-labelling writer wrapped up are lists."""
    wrapped = {"$type": "List`1", "$values": [{"UnitIdentifier": "A"}]}
    assert read("UnitsTested", {"TestedUnits": wrapped}).tested_units[0].unit_identifier == "A"
    assert read("UnitsTested", {"testedunits": wrapped}).tested_units[0].unit_identifier == "A"


def test_numbers_in_quotes_and_numbers_for_texts_are_read():
    """A sender's habit of quoting, or of not quoting, costs nothing."""
    started = read(
        "WorkStarted", {"Lane": "2", "RecipeName": 4711, "Units": [{"X": "1.5", "FlipX": "false"}]}
    )
    assert (started.lane, started.recipe_name) == (2, "4711")
    assert (started.units[0].x, started.units[0].flip_x) == (1.5, False)


def test_field_names_are_matched_without_regard_to_case():
    """TransactionID and TransactionId are one field, in messages and in what they hold."""
    body = {
        "transactionId": "T",
        "TESTEDUNITS": [
            {"unitidentifier": "U", "tests": [{"measurements": [{"measuredvalue": {"VALUE": 5}}]}]}
        ],
    }
    message = read("UnitsTested", body)
    assert message.transaction_id == "T"
    (measurement,) = message.tested_units[0].tests[0].measurements
    assert isinstance(measurement, messages.NumericMeasurement)
    assert measurement.measured_value.value == 5
    assert read("WorkStarted", {"TransactionId": "T"}).transaction_id == "T"


def test_the_right_spelling_wins_over_another():
    """Where a field stands twice the standard's own spelling counts; the other is kept."""
    (unit,) = read(
        "UnitsTested", {"TestedUnits": [{"result": 1, "OverallResult": 1, "overallresult": 0}]}
    ).tested_units
    assert unit.overall_result is messages.TestResult.Failed
    assert unit.model_extra == {"result": 1, "overallresult": 0}


def test_unknown_fields_are_kept():
    """What a vendor adds stays where it was."""
    message = read("WorkCompleted", {"Stage": {"StageName": "S"}, "Units": [{"Vendor": {"value": 1}}]})
    assert message.model_extra == {"Stage": {"StageName": "S"}}
    assert message.units[0].model_extra == {"Vendor": {"value": 1}}


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"$type": "CFX.Structures.BooleanMeasurement, CFX"}, "BooleanMeasurement"),
        ({"$type": "CFX.Structures.BooleanMeasurement, CFX, Version=2.1.0.0"}, "BooleanMeasurement"),
        ({"$type": "CFX.Structures.PCBInspection.OffsetMeasurement, CFX"}, "OffsetMeasurement"),
        ({"$type": "Vendor.XRayMeasurement, Vendor", "Void": 3.5}, "Measurement"),
        ({"MeasuredValue": {"Value": 1}}, "NumericMeasurement"),
        ({"Value": True}, "BooleanMeasurement"),
        ({"Value": "ok"}, "TextMeasurement"),
        ({"Value": 5}, "Measurement"),
        ({"X": 1, "EX": 1}, "SolderPasteMeasurement"),
        ({"EX": 1}, "InspectionMeasurementExpected"),
        ({"X": 1, "Vol": 1}, "InspectionMeasurementLean"),
        ({"DX": 1, "RZX": 1}, "OffsetMeasurement"),
        ({"Thickness": 1}, "CoatingThicknessMeasurement"),
        ({"ActualValue": 1}, "CoatingMeasurement"),
        ({}, "Measurement"),
    ],
)
def test_a_measurement_is_known_by_label_or_shape(fields, kind):
    """$type decides; without it the fields do; an unknown one keeps all it said."""
    test = {"Tests": [{"Measurements": [{"MeasurementName": "M", **fields}]}]}
    (measurement,) = read("UnitsTested", {"TestedUnits": [test]}).tested_units[0].tests[0].measurements
    assert type(measurement).__name__ == kind
    assert (
        to_wire(measurement).items()
        >= ({"MeasurementName": "M"} | ({} if kind != "Measurement" else fields)).items()
    )


def test_a_fault_is_known_by_label_or_shape():
    """A special fault that came unlabelled is still that fault."""
    assert isinstance(
        read("FaultOccurred", {"Fault": {"PlacementFaultType": "X"}}).fault, messages.SMTPlacementFault
    )
    labelled = {"$type": "CFX.Structures.SolderReflow.ReflowOvenFault, CFX"}
    assert isinstance(read("FaultOccurred", {"Fault": labelled}).fault, messages.ReflowOvenFault)
    assert type(read("FaultOccurred", {"Fault": {"Cause": 0}}).fault) is messages.Fault


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("00:01:25", timedelta(seconds=85)),
        ("1.01:01:01.5000000", timedelta(days=1, hours=1, minutes=1, seconds=1.5)),
        ("-00:00:00.25", timedelta(seconds=-0.25)),
        (None, None),
    ],
)
def test_time_spans_are_read(text, span):
    """Spans have days and fractions in the standard's own form."""
    assert read("StationStateChanged", {"OldStateDuration": text}).old_state_duration == span


@pytest.mark.parametrize("text", ["00:01:25", "1.01:01:01.5000000", "-00:00:00.2500000"])
def test_time_spans_are_written_as_they_were_read(text):
    """The written form is the standard's."""
    assert write_span(read("StationStateChanged", {"OldStateDuration": text}).old_state_duration) == text


def test_a_message_made_here_reads_back_the_same():
    """What is written from a typed message is read into an equal one."""
    made = messages.FaultOccurred(
        fault=messages.SMTPlacementFault(
            severity=messages.FaultSeverity.Alarm, program_step=7, description_translations={"de": "Düse"}
        )
    )
    written = to_wire(made)
    assert list(written["Fault"])[:2] == ["$type", "ProgramStep"]
    assert to_wire(read("FaultOccurred", json.loads(json.dumps(written)))) == written


def test_models_have_the_standards_fields_and_members(reference):
    """Each structure and enumeration names what the standard's catalogue names, no more and no less."""
    catalogue = json.loads(reference("catalogue.json"))
    structures = catalogue["messages"] | catalogue["structures"]
    checked = 0
    for structure in _all_below(CFXStructure):
        if structure.CFX_NAME:
            expected = {field["name"] for field in structures[structure.CFX_NAME]["fields"]}
            assert set(wire_names(structure).values()) - {"$type", "$values"} == expected, structure.CFX_NAME
            checked += 1
    assert checked > 50


def _all_below(base):
    for each in base.__subclasses__():
        yield each
        yield from _all_below(each)
