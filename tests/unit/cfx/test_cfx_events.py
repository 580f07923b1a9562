"""Flow, materials and what machines say of themselves, as domain events."""

from __future__ import annotations

import pytest
from cfx_shop import RECEIVED, envelope, events, mapped, wire

from pywats_cfx import cfx_adapter
from pywats_events.event import EventType
from pywats_events.message import RawMessage, Unreadable
from pywats_events.payloads import parse

HANDLE = "//Acme/Line1/ICT01"


def test_work_started_teaches_units_recipe_and_work_order():
    """One event, keyed by the station, with the table of units; position 0 is none."""
    body = {
        "PrimaryIdentifier": "PNL",
        "HermesIdentifier": "H-1",
        "TransactionID": "T",
        "Lane": 1,
        "Units": [
            {"UnitIdentifier": "SN-1", "PositionNumber": 1, "PositionName": "CIRCUIT1", "Status": "Skip"},
            {"UnitIdentifier": "SN-2", "PositionNumber": 0},
        ],
        "RecipeName": "R",
        "Revision": "2",
        "RelevantSurface": "Unspecified",
        "WorkOrderIdentifier": {"WorkOrderId": "WO", "Batch": "B"},
    }
    (event,) = events("WorkStarted", body)
    assert (event.event_type, event.key, event.metadata.correlation_id) == (
        EventType.WORK_STARTED,
        HANDLE,
        "T",
    )
    assert event.payload == {
        "panel_id": "PNL",
        "hermes_id": "H-1",
        "transaction_id": "T",
        "lane": 1,
        "units": [
            {"unit_id": "SN-1", "position": 1, "name": "CIRCUIT1", "status": "Skip", "characteristics": {}},
            {"unit_id": "SN-2", "characteristics": {}},
        ],
        "work_order": {"id": "WO", "batch": "B"},
        "recipe": "R",
        "recipe_revision": "2",
    }


def test_work_completed_says_how_it_ended():
    """The units may be missing: they are those that the work began with."""
    body = {"TransactionID": "T", "Result": "Aborted", "PerformanceImpacts": [{"Cause": "LowFeederSpeed"}]}
    (event,) = events("WorkCompleted", body)
    assert event.event_type is EventType.WORK_COMPLETED
    assert event.payload == {
        "transaction_id": "T",
        "units": [],
        "result": "Aborted",
        "impacts": ["LowFeederSpeed"],
    }


@pytest.mark.parametrize(
    ("name", "event_type"),
    [
        ("UnitsInitialized", EventType.UNIT_INITIALIZED),
        ("UnitsArrived", EventType.UNIT_ARRIVED),
        ("UnitsDeparted", EventType.UNIT_DEPARTED),
    ],
)
def test_moves_are_one_event_with_a_table(name, event_type):
    """Units that enter, arrive or leave are told together."""
    body = {
        "PrimaryIdentifier": "PNL",
        "Units": [{"UnitIdentifier": "A", "PositionNumber": 1}, {"UnitIdentifier": "B"}],
    }
    (event,) = events(name, body)
    assert (event.event_type, event.key) == (event_type, HANDLE)
    assert event.payload["panel_id"] == "PNL"
    assert [unit["unit_id"] for unit in event.payload["units"]] == ["A", "B"]


def test_personalized_units_carry_their_values():
    """Characteristics become a table by name; nameless and empty ones are left out."""
    characteristics = [
        {"Name": "MAC", "Value": "00:11"},
        {"Name": None, "Value": "x"},
        {"Name": "E", "Value": None},
    ]
    body = {
        "PersonalizedUnits": [
            {"UnitIdentifier": "A", "UnitPositionNumber": 2, "Characteristics": characteristics}
        ]
    }
    (event,) = events("UnitsPersonalized", body)
    assert event.payload["units"] == [{"unit_id": "A", "position": 2, "characteristics": {"MAC": "00:11"}}]
    assert "MessageBody.PersonalizedUnits is missing" in mapped("UnitsPersonalized", {})[0].reason


def test_disqualified_units_are_told_one_by_one():
    """Each unit is keyed for itself, with the panel it was on; a nameless one is named after the panel."""
    body = {
        "PrimaryIdentifier": "PNL",
        "Reason": "DefectiveMaterials",
        "Comments": "burnt",
        "Units": [{"UnitIdentifier": "A", "PositionNumber": 1, "Status": "Scrap"}, {"PositionNumber": 2}],
    }
    first, second = events("UnitsDisqualified", body)
    assert first.payload == {
        "unit_id": "A",
        "position": 1,
        "panel_id": "PNL",
        "reason": "DefectiveMaterials",
        "comments": "burnt",
        "status": "Scrap",
    }
    assert (first.key, second.key) == ("A#1", "PNL#2")
    (nameless,) = mapped("UnitsDisqualified", {"Units": [{}]})
    assert isinstance(nameless, Unreadable)
    assert "Units[0].UnitIdentifier is missing" in nameless.reason


def test_a_recipe_is_activated_at_its_station():
    """Recipe, revision, stage and work order are told of the station."""
    body = {"RecipeName": "R", "Revision": "B", "Stage": {"StageSequence": 2}, "RelevantSurface": 1}
    (event,) = events("RecipeActivated", body)
    assert event.payload == {
        "asset_id": HANDLE,
        "recipe": "R",
        "recipe_revision": "B",
        "stage": "2",
        "surface": "PrimarySurface",
    }


def test_installed_materials_are_grouped_by_unit():
    """One event for each identifier and position, materials in the order of the message."""

    def row(unit, position, reel, **fields):
        return {
            "UnitIdentifier": unit,
            "UnitPositionNumber": position,
            "QuantityInstalled": 2.0,
            "Material": {"UniqueIdentifier": reel, "InternalPartNumber": "P", "BatchId": "L"},
            **fields,
        }

    feeder = {"$type": "CFX.Structures.SMTPlacement.SMDTapeFeeder, CFX", "Name": "FEEDER9"}
    detailed = row(
        "PNL",
        1,
        "REEL-3",
        CarrierLocation={"LocationName": "SLOT45", "CarrierInformation": feeder},
        InstalledComponents=[{"ReferenceDesignator": "U1", "InstalledUnitIdentifier": "SN-U1"}],
        NonInstalledComponents=[
            {
                "ReferenceDesignator": "R1",
                "RejectionReason": "BadElectricalTest",
                "RejectionDetails": {"result": "false"},
            },
            {"ReferenceDesignator": "R2", "RejectionReason": "Unknown", "Location": "Lost"},
        ],
    )
    rows = [row("PNL", 1, "REEL-1"), row("PNL", 2, "REEL-2"), detailed, row(None, 3, "REEL-4")]
    nameless, first, second = mapped("MaterialsInstalled", {"TransactionId": "T", "InstalledMaterials": rows})
    assert "InstalledMaterials[3].UnitIdentifier is missing" in nameless.reason
    assert (first.key, second.key) == ("PNL#1", "PNL#2")
    assert [material["package_id"] for material in first.payload["materials"]] == ["REEL-1", "REEL-3"]
    assert first.payload["materials"][1] == {
        "package_id": "REEL-3",
        "part_number": "P",
        "batch": "L",
        "quantity": 2.0,
        "location": "SLOT45",
        "carrier": "FEEDER9",
        "placements": [{"designator": "U1", "unit_id": "SN-U1"}],
        "not_installed": [
            {"designator": "R1", "reason": "BadElectricalTest"},
            {"designator": "R2", "reason": "Lost"},
        ],
    }
    assert parse(first).to_payload() == first.payload
    assert "MessageBody.InstalledMaterials is missing" in mapped("MaterialsInstalled", {})[0].reason


def test_a_fault_keeps_what_only_its_kind_says():
    """Common fields have their place, special ones go into details, empty ones nowhere."""
    fault = {
        "$type": "CFX.Structures.SMTPlacement.SMTPlacementFault, CFX",
        "PlacementFaultType": "PickupError",
        "ProgramStep": 0,
        "Designator": {"ReferenceDesignator": None, "UnitPosition": None},
        "HeadAndNozzle": {"HeadId": "H1", "Name": None},
        "Vendor": {"Torque": "NaN"},
        "Cause": "MechanicalFailure",
        "Severity": "Alarm",
        "FaultCode": "E1",
        "FaultOccurrenceId": "F",
        "TransactionID": "T",
        "Stage": {"StageSequence": 1, "StageName": "S", "StageType": "Work"},
        "SideLocation": "Unknown",
        "AccessType": "Local",
        "Description": "clogged",
        "DescriptionTranslations": {"de-DE": "verstopft", "fr": None},
        "OccurredAt": "2026-11-21T00:10:45Z",
        "DueDateTime": None,
    }
    (event,) = events("FaultOccurred", {"Fault": fault})
    assert (event.event_type, event.key, event.metadata.correlation_id) == (
        EventType.ASSET_FAULT,
        HANDLE,
        "T",
    )
    assert event.payload == {
        "asset_id": HANDLE,
        "fault_code": "E1",
        "severity": "Alarm",
        "cause": "MechanicalFailure",
        "occurrence_id": "F",
        "description": "clogged",
        "translations": {"de-DE": "verstopft"},
        "transaction_id": "T",
        "stage": {"sequence": 1, "name": "S", "kind": "Work"},
        "occurred_at": "2026-11-21T00:10:45Z",
        "details": {
            "placement_fault_type": "PickupError",
            "program_step": 0,
            "head_and_nozzle": {"head_id": "H1"},
            "access_type": "Local",
            "Vendor": {"Torque": "NaN"},
        },
    }
    (nothing,) = mapped("FaultOccurred", {"Fault": None})
    assert "MessageBody.Fault is missing" in nothing.reason


def test_a_cleared_fault_names_its_occurrence():
    """The occurrence id joins it to the fault."""
    (event,) = events("FaultCleared", {"FaultOccurrenceId": "F", "Operator": {"LoginName": "joe"}})
    assert event.event_type is EventType.ASSET_FAULT_CLEARED
    assert event.payload == {"asset_id": HANDLE, "occurrence_id": "F", "operator": {"login": "joe"}}


@pytest.mark.parametrize(
    ("said", "code", "word"),
    [
        (2200, 2200, None),
        ("2200", 2200, None),
        ("22A0", 2201, None),
        ("22b0", 2202, None),
        ("USD_Repair", 5300, None),
        (3312, 3312, None),
        ("On", None, "On"),
        (None, None, None),
    ],
)
def test_states_become_codes(said, code, word):
    """Number, text, early codes, names and vendors' own codes all give a number; other words are kept."""
    (event,) = events("StationStateChanged", {"NewState": said, "OldStateDuration": "00:01:25.5"})
    assert (event.payload.get("new_state"), event.payload.get("new_state_said")) == (code, word)
    assert event.payload["old_state_seconds"] == 85.5


def test_a_state_change_names_its_fault():
    """The fault behind it travels along."""
    (event,) = events(
        "StationStateChanged", {"OldState": "1100", "NewState": "5500", "RelatedFault": {"FaultCode": "E"}}
    )
    assert (event.payload["old_state"], event.payload["fault"]["fault_code"]) == (1100, "E")
    assert parse(event).to_payload() == event.payload


def test_presence_is_told_of_the_endpoint():
    """Heartbeat and connection carry the handle; an address loses its password."""
    beat = {
        "CFXHandle": "//Own",
        "HeartbeatFrequency": "00:01:00",
        "ActiveRecipes": [{"RecipeIdentifier": {"RecipeName": "R", "Revision": "1"}, "Lane": 1}, {}],
    }
    (event,) = events("Heartbeat", beat, Source=None)
    assert (event.event_type, event.key, event.source) == (EventType.ASSET_HEARTBEAT, "//Own", "//Own")
    assert event.payload == {
        "asset_id": "//Own",
        "interval_seconds": 60.0,
        "active_faults": [],
        "active_recipes": [{"recipe": "R", "recipe_revision": "1", "lane": 1}],
    }
    connected = {"CFXHandle": "//Own", "RequestNetworkUri": "amqp://user:secret@host:5672/"}
    (event,) = events("EndpointConnected", connected)
    assert (event.event_type, event.source) == (EventType.ASSET_CONNECTED, HANDLE)
    assert event.payload == {"asset_id": "//Own", "request_uri": "amqp://host:5672/"}


@pytest.mark.parametrize(
    "name", ["CFX.Production.SetupRequirementsChanged", "CFX.Production.GetRecipeRequest", "CFX.Vendor.New"]
)
def test_every_other_message_travels_as_it_is(name):
    """What has no type of its own is a custom event with the whole body."""
    (event,) = events(name, {"Any": [1, None, {"x": "y"}]})
    assert (event.event_type, event.key) == (EventType.CUSTOM, HANDLE)
    assert event.payload == {"Any": [1, None, {"x": "y"}]}
    assert event.metadata.message_name.endswith(name)


def test_custom_payloads_hold_no_number_that_json_has_not():
    """A bare NaN in a body becomes a text."""
    body = wire(envelope("CFX.Vendor.New", {"a": [float("nan"), float("inf"), 1e999]}))
    (event,) = cfx_adapter(RawMessage(body, received_at=RECEIVED))
    assert event.payload == {"a": ["NaN", "Infinity", "Infinity"]}
    event.to_json()


def test_an_empty_list_of_envelopes_is_no_event():
    """There is nothing in it, and it is not an error."""
    assert list(cfx_adapter(RawMessage(b"[]"))) == []


def test_bytes_that_nobody_can_read_are_one_unreadable():
    """The reason, the address and an id that is the same each time."""
    (made,) = cfx_adapter(RawMessage(b"\x00", transport="amqp", address="q"))
    assert isinstance(made, Unreadable)
    assert (made.source, made.error, made.message_name) == ("q", "CFXDecodeError", None)
    assert "not JSON" in made.reason
    assert list(cfx_adapter(RawMessage(b"\x00", transport="amqp", address="q"))) == [made]
