"""What is written is what the standard's own endpoints write and accept."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from pywats_cfx import messages
from pywats_cfx.messages import structures as cfx
from pywats_cfx.messages.registry import WrongType, read_message
from pywats_cfx.messages.writing import to_wire

FAULT = "CFX.ResourcePerformance.FaultOccurred"
STARTED = "CFX.Production.WorkStarted"
ZEROS = "00000000-0000-0000-0000-000000000000"


def again(message):
    """Write a message, and read it back."""
    return read_message(message.CFX_NAME, json.loads(json.dumps(to_wire(message), allow_nan=False)))


def _pickled(value):
    return pickle.loads(pickle.dumps(value))  # noqa: S301  # our own bytes


@pytest.mark.parametrize(
    "text",
    [
        "2018-10-03T16:02:33",
        "2018-10-03T16:02:33Z",
        "2018-10-03T16:02:33.5-04:00",
        "2018-10-03T16:02:33.283198",
        "2018-10-03T16:02:33.2831981+05:30",
        "2018-10-03T16:02:33.0000001",
    ],
)
def test_a_time_is_written_as_it_was_read(text):
    """To the seventh digit; without a zone where the sender named none."""
    fault = read_message(FAULT, {"Fault": {"OccurredAt": text}}).fault
    assert to_wire(fault)["OccurredAt"] == text.replace("Z", "+00:00")
    assert fault.occurred_at.tzinfo is not None
    for other in (copy.deepcopy(fault), _pickled(fault), fault.model_copy(deep=True)):
        assert to_wire(other)["OccurredAt"] == to_wire(fault)["OccurredAt"]


def test_a_time_without_a_zone_is_utc():
    """It can be compared with any other time."""
    fault = read_message(FAULT, {"Fault": {"OccurredAt": "2018-10-03T16:02:33.2831981"}}).fault
    assert fault.occurred_at == datetime(2018, 10, 3, 16, 2, 33, 283198, tzinfo=UTC)
    assert fault.occurred_at + timedelta(seconds=1) > fault.occurred_at


@pytest.mark.parametrize(
    "text", ["00:00:25.1234567", "-1.00:00:00.0000001", "1.01:01:01.5000000", "00:00:00"]
)
def test_a_span_is_written_as_it_was_read(text):
    """To the seventh digit, backwards too."""
    changed = read_message("CFX.ResourcePerformance.StationStateChanged", {"OldStateDuration": text})
    assert to_wire(changed)["OldStateDuration"] == text
    assert to_wire(copy.deepcopy(changed))["OldStateDuration"] == text


def test_what_nobody_said_is_not_made_up():
    """Null where it is legal, the form for "unset" where there is one, else nothing: any value would lie."""
    written = to_wire(messages.WorkStarted(units=[messages.UnitPosition(unit_identifier="A")]))
    assert written == {
        "$type": "CFX.Production.WorkStarted, CFX",
        "PrimaryIdentifier": None,
        "HermesIdentifier": None,
        "TransactionID": ZEROS,
        "Lane": None,
        "UnitCount": 1,
        "Units": [{"UnitIdentifier": "A", "PositionName": None, "Z": None}],
        "RecipeName": None,
        "Revision": None,
        "WorkOrderIdentifier": None,
    }
    fault = to_wire(messages.Fault())
    assert (fault["OccurredAt"], fault["DueDateTime"]) == ("0001-01-01T00:00:00", None)
    assert "Severity" not in fault


def test_unset_times_and_guids_say_nothing():
    """The standard's forms for "unset" are read as None, and stay so."""
    started = read_message(STARTED, {"TransactionID": ZEROS})
    fault = read_message(FAULT, {"Fault": {"OccurredAt": "0001-01-01T00:00:00", "TransactionID": None}}).fault
    assert (started.transaction_id, fault.occurred_at, fault.transaction_id) == (None, None, None)
    assert again(started) == started


@pytest.mark.parametrize(
    ("enum", "said", "written"),
    [
        ("ResourceState", "sby_noproduct", "2200"),
        ("ResourceState", 2200, "2200"),
        ("ResourceState", "22A0", "2201"),
        ("ResourceState", "22b0", "2202"),
        ("ResourceState", 2999, 2999),
        ("ResourceState", "Dreaming", "Dreaming"),
    ],
)
def test_states_are_written_as_codes(enum, said, written):
    """Members as text, an undefined code as a bare number, a sender's own word as it was."""
    changed = read_message("CFX.ResourcePerformance.StationStateChanged", {"NewState": said})
    assert to_wire(changed)["NewState"] == written
    assert again(changed) == changed
    assert (enum == type(changed.new_state).__name__) == (isinstance(written, str) and written.isdigit())


@pytest.mark.parametrize(
    ("said", "written"),
    [("Passed", "Passed"), (1, "Failed"), ("4", "Skipped"), (17, 17), ("17", 17), ("x", "x")],
)
def test_members_are_written_by_name(said, written):
    """The usual form; an undefined value is a bare number."""
    unit = read_message(
        "CFX.Production.TestAndInspection.UnitsTested", {"TestedUnits": [{"OverallResult": said}]}
    )
    assert to_wire(unit.tested_units[0])["OverallResult"] == written


@pytest.mark.parametrize("said", ["WindowsXP", "windowsxp", 2, "2"])
def test_twelve_enumerations_are_written_as_numbers(said):
    """The standard's writers do not name them; reading takes names all the same."""
    endpoint = cfx.Endpoint.model_validate({"OperatingSystem": said})
    assert endpoint.operating_system is cfx.OperatingSystem.WindowsXP
    assert to_wire(endpoint)["OperatingSystem"] == 2


def test_labels_stand_where_the_class_is_not_the_declared_one():
    """And where the field lets a reader know: first in the object, nowhere else."""
    reflow = messages.ReflowOvenFault(stage=cfx.ReflowZone(stage_name="Z1"))
    labelled = to_wire(messages.FaultOccurred(fault=reflow))["Fault"]
    assert next(iter(labelled.items())) == ("$type", "CFX.Structures.SolderReflow.ReflowOvenFault, CFX")
    assert labelled["Stage"]["$type"] == "CFX.Structures.SolderReflow.ReflowZone, CFX"
    plain = to_wire(messages.FaultOccurred(fault=messages.Fault()))["Fault"]
    assert "$type" not in plain


def test_labels_are_left_out_where_the_standard_never_writes_them():
    """Units and active faults arrive unlabelled; so does a stage in a list's entry."""
    heartbeat = to_wire(messages.Heartbeat(active_faults=[messages.ReflowOvenFault(stage=cfx.ReflowZone())]))
    assert "$type" not in heartbeat["ActiveFaults"][0]
    assert "$type" not in heartbeat["ActiveFaults"][0]["Stage"]
    started = to_wire(messages.WorkStarted(units=[cfx.UnitInfo(bad_mark=1)]))
    assert "$type" not in started["Units"][0]
    assert read_message(STARTED, started).units[0].bad_mark == 1


def test_a_label_in_an_envelope():
    """The direct members of a message are labelled in every message that is sent."""
    paused = messages.WorkStagePaused(stage=cfx.ReflowZone(stage_name="Z1"))
    assert to_wire(paused)["Stage"]["$type"] == "CFX.Structures.SolderReflow.ReflowZone, CFX"
    assert isinstance(again(paused).stage, cfx.ReflowZone)


def test_a_class_that_the_field_declares_is_not_labelled():
    """A tool that can be nothing else needs no label."""
    fault = messages.SMTPlacementFault(head_and_nozzle=cfx.SMTHeadAndNozzle(head_id="H1"))
    written = to_wire(messages.FaultOccurred(fault=fault))["Fault"]
    assert "$type" not in written["HeadAndNozzle"]


def test_a_label_that_was_read_is_given_back():
    """Even where the standard would not write it, and when it is none of the standard's."""
    body = {"Units": [{"$type": "Vendor.Unit, Vendor", "UnitIdentifier": "A", "Colour": "red"}]}
    message = read_message(STARTED, body)
    assert type(message.units[0]) is messages.UnitPosition
    assert to_wire(message)["Units"] == [
        {
            "$type": "Vendor.Unit, Vendor",
            "UnitIdentifier": "A",
            "PositionName": None,
            "Z": None,
            "Colour": "red",
        }
    ]


def test_counts_are_worked_out():
    """Whatever a sender says, and whatever became of the list since."""
    message = read_message(STARTED, {"UnitCount": 7, "Units": [{}, {}]})
    assert message.unit_count == 2
    message.units.append(messages.UnitPosition())
    assert to_wire(message)["UnitCount"] == 3
    assert read_message(STARTED, {"unitcount": 7}).unit_count == 0


def test_the_head_of_older_senders_is_among_the_heads():
    """It is read, moved, and written the new way."""
    activity = {"$type": "CFX.Structures.SMTPlacement.SMTPlacementActivity, CFX"}
    head = {"HeadId": "H1"}
    for said in ({"Head": head}, {"Heads": [head]}, {"head": head, "Heads": None}):
        message = read_message("CFX.Production.ActivitiesExecuted", {"Activities": [activity | said]})
        (written,) = to_wire(message)["Activities"]
        assert [head["HeadId"] for head in written["Heads"]] == ["H1"]
        assert "Head" not in written
        assert again(message) == message


def test_inspected_features_leave_out_what_is_usual():
    """What is null or usual in a board's inspection is not written, and missing means the usual."""
    empty = {"IsInspected": True, "IsDetectedDefect": None}
    panel = cfx.Panel.model_validate({"Boards": [{"Components": [{"Features": [empty]}]}]})
    (feature,) = panel.boards[0].components[0].features
    assert (feature.is_inspected, feature.is_detected_defect) == (True, False)
    assert to_wire(panel)["Boards"] == [{"Components": [{"Features": [{}]}]}]
    feature.is_inspected, feature.is_repaired = False, True
    (component,) = to_wire(panel)["Boards"][0]["Components"]
    assert component["Features"] == [{"IsInspected": False, "IsRepaired": True}]


@pytest.mark.parametrize(
    ("value", "kind"), [(5, "IntValue"), (5.0, "FloatValue"), ("x", "StringValue"), (None, "Value")]
)
def test_values_of_a_feature_are_told_by_what_they_hold(value, kind):
    """They never have a label."""
    feature = cfx.Feature.model_validate({"Values": [{"Name": "N", "Value": value}]})
    assert type(feature.values[0]).__name__ == kind
    expected = {"Name": "N"} | ({} if value is None else {"Value": value})
    assert {
        name: said for name, said in to_wire(feature)["Values"][0].items() if said is not None
    } == expected


def test_fields_of_a_class_come_before_those_of_its_base():
    """As the standard's writers have them."""
    names = list(to_wire(messages.TextMeasurement(value="x", measurement_name="M", sequence=1)))
    assert names.index("Value") < names.index("MeasurementName")


def test_a_list_in_the_place_of_an_object():
    """The details of a rejection can be a list: wrapped and labelled, or bare from other senders."""
    label = "CFX.Structures.BadVisionTestRejectionDetails, CFX"
    tests = [{"Vendor": "x"}]

    def details(said):
        components = [{"NonInstalledComponents": [{"RejectionDetails": said}]}]
        message = read_message(
            "CFX.Production.Assembly.MaterialsInstalled", {"InstalledMaterials": components}
        )
        (component,) = message.installed_materials[0].non_installed_components
        return component.rejection_details

    read = details({"$type": label, "$values": tests})
    assert isinstance(read, cfx.BadVisionTestRejectionDetails)
    assert isinstance(read.items[0], cfx.ComponentVisionTest)
    assert list(to_wire(read)) == ["$type", "$values"]
    assert to_wire(details(tests))["$values"] == tests


def test_decimals_keep_their_digits():
    """As a number where that is exact, as a text where it is not."""
    axis = cfx.Axis.model_validate({"ActualAxisSpeed": "0.1234567890123456789", "ActualMaxVelocity": 0.1})
    assert axis.actual_max_velocity == Decimal("0.1")
    written = to_wire(axis)
    assert (written["ActualAxisSpeed"], written["ActualMaxVelocity"]) == ("0.1234567890123456789", 0.1)


def test_numbers_that_json_lacks_are_texts():
    """As the standard writes them."""
    value = cfx.NumericValue.model_validate({"Value": "NaN", "ExpectedValue": "-Infinity"})
    written = to_wire(value)
    assert (written["Value"], written["ExpectedValue"]) == ("NaN", "-Infinity")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"Lane": ""}, (None, None)),
        ({"Lane": " 2 ", "RecipeName": True}, (2, "true")),
        ({"Lane": None, "RecipeName": {}}, (None, None)),
        ({"Units": [None], "Lane": "3"}, (3, None)),
    ],
)
def test_odd_ways_to_say_little_are_understood(body, said):
    """Blank numbers, truth values for texts, empty objects and empty places in lists refuse no message."""
    message = read_message(STARTED, body)
    assert (message.lane, message.recipe_name) == said
    assert message.units == []


@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_text_in_place_of_a_list_or_an_object_refuses_no_message(blank):
    """The standard's own reader takes it for null."""
    body = {"Units": blank, "WorkOrderIdentifier": blank, "PrimaryIdentifier": "PNL-1"}
    message = read_message(STARTED, body)
    assert (message.units, message.work_order_identifier) == ([], None)
    assert message.primary_identifier == "PNL-1"
    fault = {"Fault": {"DescriptionTranslations": blank, "FaultCode": "E1"}}
    assert read_message("CFX.ResourcePerformance.FaultOccurred", fault).fault.fault_code == "E1"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"Lane": "two"}, "Lane"),
        ({"Units": "A"}, "Units"),
        ({"Units": [{}, {"X": {}}]}, "Units[1].X"),
        ({"RecipeName": {"a": 1}}, "RecipeName"),
        ({"units": [{"status": [1]}]}, "Units[0].Status"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_its_place(body, path):
    """The error names the field as the standard spells it."""
    with pytest.raises(WrongType) as caught:
        read_message(STARTED, body)
    assert caught.value.path == path


@pytest.mark.parametrize("text", ["PT1M25S", "P0DT0H1M25S"])
def test_spans_in_the_form_of_iso_8601_are_read(text):
    """Senders whose libraries know no other form."""
    changed = read_message("CFX.ResourcePerformance.StationStateChanged", {"OldStateDuration": text})
    assert to_wire(changed)["OldStateDuration"] == "00:01:25"


@pytest.mark.parametrize("said", [1.5, True, 10**30, [], {}])
def test_what_can_be_no_member_is_refused(said):
    """A fraction, a truth value or a number beyond all bounds is no member of an enumeration."""
    with pytest.raises(WrongType, match="NewState: should be the name or number"):
        read_message("CFX.ResourcePerformance.StationStateChanged", {"NewState": said})


def test_a_whole_number_with_a_point_is_a_member():
    """Some writers of JSON know no whole numbers."""
    changed = read_message("CFX.ResourcePerformance.StationStateChanged", {"NewState": 2200.0})
    assert changed.new_state is messages.ResourceState.SBY_NoProduct


def test_a_label_in_the_wrong_namespace_names_the_class():
    """As in the standard's own example; the label itself is given back."""
    label = "CFX.Structures.ComponentRemovalLocalRecipeChange, CFX"
    changes = [{"$type": label, "Designator": {"ReferenceDesignator": "R1"}}]
    message = read_message("CFX.Production.LocalRecipeChanged", {"LocalRecipeChanges": changes})
    (change,) = message.local_recipe_changes
    assert isinstance(change, cfx.ComponentRemovalLocalRecipeChange)
    assert change.designator.reference_designator == "R1"
    assert to_wire(message)["LocalRecipeChanges"][0]["$type"] == label


@pytest.mark.parametrize("body", [{"Units": [{"X": 10**5000}]}, {"RecipeName": 10**5000}])
def test_a_number_of_thousands_of_digits_is_refused(body):
    """Python would not turn it into text; no other error than ours leaves."""
    with pytest.raises(WrongType, match=r"a huge number|Exceeds the limit"):
        read_message(STARTED, body)
