"""What messages become that the standard gives no example of, and what happens at the edges of the others."""

from __future__ import annotations

from random import Random

import pytest
from cfx_shop import HANDLE, events, mapped
from test_cfx_roundtrip import Sender

from handlers import facts_of
from pywats_cfx.mapping.table import MAPPED
from pywats_events.event import Event, EventType
from pywats_events.message import Unreadable
from pywats_events.payloads import MODELS, parse

TRANSACTION = "5318ad01-3770-4e22-9a64-7a4898010978"
NOBODY = "00000000-0000-0000-0000-000000000000"


def only(name, body, **fields):
    """Give the single event of a message, whose payload must be true to its model."""
    (event,) = events(name, body, **fields)
    if event.event_type in MODELS:
        assert parse(event).to_payload() == event.payload
    return event


def payload(name, body):
    """Give the payload of the single event of a message."""
    return only(name, body).payload


def test_an_endpoint_that_leaves_is_told():
    """The handle in the message names the asset; the sender where there is none."""
    event = only("EndpointShuttingDown", {"CFXHandle": "//Own"}, Source=None)
    assert (event.event_type, event.source, event.payload) == (
        EventType.ASSET_DISCONNECTED,
        "//Own",
        {"asset_id": "//Own"},
    )
    assert payload("EndpointShuttingDown", {}) == {"asset_id": HANDLE}


@pytest.mark.parametrize(
    ("said", "code", "word"),
    [(1100, 1100, None), ("22B0", 2202, None), ("SBY_NoOperator", 2100, None), ("Odd", None, "Odd")],
)
def test_the_state_of_a_stage_names_the_stage(said, code, word):
    """It can't be taken for the station's own, not even where the stage has no name."""
    told = payload(
        "CFX.ResourcePerformance.StageStateChanged",
        {"Stage": {"StageSequence": 2, "StageName": "S2"}, "Lane": 1, "OldState": "1000", "NewState": said},
    )
    assert (told.get("new_state"), told.get("new_state_said")) == (code, word)
    assert (told["stage"], told["lane"], told["old_state"]) == ({"sequence": 2, "name": "S2"}, 1, 1000)
    assert "stage" in payload("CFX.ResourcePerformance.StageStateChanged", {"NewState": said})
    assert "stage" not in payload("StationStateChanged", {"NewState": said})


def test_sleep_is_not_a_state_of_production():
    """It has a type of its own, with the machine's own words."""
    event = only(
        "CFX.ResourcePerformance.SleepStateChanged",
        {"OldSleepState": "Awake", "NewSleepState": "Deep", "TransitionTimeRemaining": "00:00:30"},
    )
    assert event.event_type is EventType.ASSET_SLEEP_CHANGED
    assert event.payload == {
        "asset_id": HANDLE,
        "old_state": "Awake",
        "new_state": "Deep",
        "seconds_remaining": 30.0,
    }


def test_an_order_that_is_no_longer_scheduled_is_told():
    """Order and area; one without an order stays with its station."""
    body = {
        "ScheduledWorkOrderIdentifiers": [
            {"WorkOrderIdentifier": {"WorkOrderId": "WO", "Batch": "B"}, "WorkArea": "L1"},
            {"WorkArea": "L2"},
        ]
    }
    first, second = events("CFX.InformationSystem.ProductionScheduling.WorkOrdersUnscheduled", body)
    assert first.event_type is EventType.WORK_ORDER_UNSCHEDULED
    assert (first.key, second.key) == ("WO", HANDLE)
    assert (first.payload["order"], first.payload["area"]) == ({"id": "WO", "batch": "B"}, "L1")
    assert first.id != second.id


def test_the_status_of_an_order_is_told_alone():
    """What did not change is not repeated; a status that nobody knows keeps its word."""
    body = {
        "WorkOrderIdentifier": {"WorkOrderId": "WO"},
        "NewStatus": "Resting",
        "PreviousStatus": "InProcess",
    }
    told = payload("CFX.InformationSystem.WorkOrderManagement.WorkOrderStatusUpdated", body)
    assert (told["status"], told["previous_status"]) == ("Resting", "InProcess")
    assert "part_number" not in told


def test_the_setup_of_a_placer_is_told_by_its_parts():
    """Pockets, tables and feeders are parts of the machine."""
    setup = {
        "$type": "CFX.Structures.Maintenance.SMTPlacementSetup, CFX",
        "UniqueIdentifier": "M1",
        "Tables": [{"ResourceIdentifier": "T1", "ResourceType": "Table"}],
        "Feeders": [{"ResourceIdentifier": "F1", "AdditionalSubResources": [{"ResourceName": "lane"}]}],
    }
    told = payload("CFX.Maintenance.ResourceSetupEvent", {"ResourceSetup": setup})
    assert (told["what"], told["machine"]["id"]) == ("setup", "M1")
    assert [part["id"] for part in told["machine"]["parts"]] == ["T1", "F1"]
    assert told["machine"]["parts"][1]["parts"][0]["name"] == "lane"


def test_a_counter_that_calls_itself_invalid_gives_no_figure():
    """A ratio or an earlier value that the machine does not vouch for is not told."""
    counter = {
        "Name": "C",
        "CurrentCounterValue": 7.0,
        "CurrentRatio": 50.0,
        "CurrentRatioValid": False,
        "LastMaintenanceCounterValue": 3.0,
        "LastMaintenanceValid": False,
    }
    body = {"MachineServiceAndMaintenanceData": [{"UniqueIdentifier": "H", "MaintenanceDetails": [counter]}]}
    (part,) = payload("CFX.Maintenance.ResourceMaintenanceAndServiceEvent", body)["machine"]["parts"]
    assert part["counters"] == [{"name": "C", "value": 7.0}]


def test_calibrations_keep_their_own_time_and_a_doubtful_status():
    """When it was done, and no Ok that nobody gave."""
    done = {"CalibrationCode": "C", "CalibrationType": "Unkwnown", "CalibrationTime": "2026-02-01T08:00:00Z"}
    event = only("CFX.ResourcePerformance.CalibrationPerformed", {"Calibration": done})
    assert event.payload["performed_at"] == "2026-02-01T08:00:00Z"
    assert "status" not in event.payload
    assert "kind" not in event.payload
    for status in ("Failed", "Unknown", "Perhaps"):
        told = payload("CFX.ResourcePerformance.CalibrationPerformed", {"Calibration": {"Status": status}})
        assert told["status"] == status


@pytest.mark.parametrize("name", ["TransactionID", "TransactionId", "transactionid"])
def test_the_transaction_is_known_in_every_spelling(name):
    """It is in the payload and joins the events of one work."""
    tool = {"Tool": {"UniqueIdentifier": "T"}, "UnitIdentifier": "U"}
    for message, body in (
        ("ToolsUsed", {"UsedTools": [tool]}),
        ("ToolsLoaded", {"Tools": [tool["Tool"]]}),
        ("WorkStageResumed", {"Stage": {"StageSequence": 1}}),
        ("CFX.ResourcePerformance.CalibrationPerformed", {"Calibration": {"CalibrationCode": "C"}}),
    ):
        event = only(message, body | {name: TRANSACTION})
        assert event.payload["transaction_id"] == event.metadata.correlation_id == TRANSACTION
        nothing = only(message, body | {name: NOBODY})
        assert "transaction_id" not in nothing.payload
        assert nothing.metadata.correlation_id is None


def test_a_stage_that_is_done_says_how():
    """Result and what slowed it down."""
    body = {"TransactionID": TRANSACTION, "Stage": {"StageName": "S"}, "Result": "Aborted"}
    event = only("WorkStageCompleted", body | {"PerformanceImpacts": [{"Cause": "LowFeederSpeed"}]})
    assert event.event_type is EventType.WORK_STAGE_COMPLETED
    assert event.payload == {
        "transaction_id": TRANSACTION,
        "stage": {"name": "S"},
        "result": "Aborted",
        "impacts": ["LowFeederSpeed"],
    }


def test_activities_keep_what_only_their_kind_says():
    """Common members have their place, special ones go into details."""
    body = {
        "TransactionID": TRANSACTION,
        "Activities": [
            {"ActivityName": "Idle", "ActivityState": "On", "ActivityInstanceId": NOBODY},
            {
                "$type": "CFX.Structures.UnitLoadActivity, CFX",
                "ActivityName": "Load",
                "ActivityState": "Completed",
                "LoadTime": "00:00:02",
                "TimeStamp": "2026-03-01T10:00:00Z",
            },
        ],
    }
    plain, special = payload("ActivitiesExecuted", body)["activities"]
    assert plain == {"name": "Idle", "state": "On", "details": {}}
    assert (special["kind"], special["performed_at"]) == ("UnitLoadActivity", "2026-03-01T10:00:00Z")
    assert "load_time" in special["details"]


def test_a_recipe_that_is_no_longer_active_is_told():
    """Recipe, lane and order as when it was activated."""
    body = {"RecipeName": "R", "Revision": "1", "Lane": 2, "WorkOrderIdentifier": {"WorkOrderId": "WO"}}
    event = only("RecipeDeactivated", body)
    assert event.event_type is EventType.RECIPE_DEACTIVATED
    assert event.payload == {
        "asset_id": HANDLE,
        "recipe": "R",
        "recipe_revision": "1",
        "lane": 2,
        "work_order": {"id": "WO"},
    }


def test_a_local_change_of_the_recipe_names_what_it_skips():
    """Each change with what only its kind says."""
    change = {
        "$type": "CFX.Structures.SMTPlacement.ComponentRemovalLocalRecipeChange, CFX",
        "Type": "ComponentRemoval",
        "State": "Activated",
        "Designator": {"ReferenceDesignator": "R1", "PartNumber": "P"},
    }
    (told,) = payload("LocalRecipeChanged", {"Lane": 1, "LocalRecipeChanges": [change]})["changes"]
    assert (told["change"], told["state"]) == ("ComponentRemoval", "Activated")
    assert told["details"]["designator"] == {"reference_designator": "R1", "part_number": "P"}


def test_cleaned_tools_tell_their_steps():
    """Steps with their readings."""
    steps = [
        {
            "CleaningStepType": "Wash",
            "CleaningStepTime": 20.0,
            "Readings": [{"ReadingType": "FlowRateMax", "ReadingValue": 2.5}],
        }
    ]
    told = payload("ToolsCleaned", {"Tools": [{"UniqueIdentifier": "T"}], "CleaningSteps": steps})
    assert [tool["id"] for tool in told["tools"]] == ["T"]
    assert told["steps"] == [
        {"kind": "Wash", "seconds": 20.0, "readings": [{"name": "FlowRateMax", "value": 2.5}]}
    ]


def test_tools_used_on_no_unit_are_told_of_the_station():
    """Uses are gathered by unit; what names none is kept, too."""
    uses = [
        {"UnitIdentifier": "U", "UnitPositionNumber": 1, "Tool": {"UniqueIdentifier": "A"}, "UsageCycles": 1},
        {"UnitIdentifier": None, "Tool": {"UniqueIdentifier": "B"}, "UsageCycles": 2},
        {"UnitIdentifier": "U", "UnitPositionNumber": 1, "Tool": {"UniqueIdentifier": "C"}, "UsageCycles": 3},
    ]
    unit, station = events("ToolsUsed", {"UsedTools": uses})
    assert (unit.key, station.key) == ("U#1", HANDLE)
    assert [(use["tool"]["id"], use["cycles"]) for use in unit.payload["uses"]] == [("A", 1), ("C", 3)]
    assert "unit_id" not in station.payload


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("Materials.Management.MaterialsInitialized", "initialized"),
        ("Materials.Management.MaterialsModified", "modified"),
        ("Materials.Management.MSDManagement.MaterialsExpired", "expired"),
        ("Materials.Management.MSDManagement.MaterialsRemovedFromDryStorage", "taken_from_dry_storage"),
    ],
)
def test_each_package_has_its_own_history(name, change):
    """One event for each, keyed by the package; one without identity stays with the station."""
    body = {
        "Reason": "ManualCountAndQuantityUpdate",
        "Materials": [
            {"UniqueIdentifier": "REEL1", "Quantity": 5.0, "Status": "Blocked"},
            {"InternalPartNumber": "P"},
        ],
    }
    first, second = events(f"CFX.{name}", body)
    assert first.event_type is EventType.MATERIAL_CHANGED
    assert (first.key, second.key) == ("REEL1", HANDLE)
    assert (first.payload["change"], first.payload["package"]["status"]) == (change, "Blocked")
    reason = "ManualCountAndQuantityUpdate" if change == "modified" else None
    assert first.payload.get("reason") == reason
    assert first.id != second.id


def test_where_a_package_lies_and_how_it_is_packed():
    """A store is a place, and packaging goes into details."""
    reel = {
        "UniqueIdentifier": "REEL1",
        "PackagingInfo": {"$type": "CFX.Structures.SMTPlacement.SMDTapePackagingInfo, CFX", "TapeWidth": 8.0},
        "ResourceLocation": {
            "Resource": {"UniqueIdentifier": "SHELF"},
            "LocationDetail": {"LocationName": "A3"},
        },
    }
    told = payload("CFX.Materials.Management.MaterialsInitialized", {"Materials": [reel]})
    assert told["place"] == {"resource": "SHELF", "location": "A3"}
    assert told["details"]["packaging"]["kind"] == "SMDTapePackagingInfo"


@pytest.mark.parametrize(
    ("name", "body"),
    [
        (
            "MaterialsSplit",
            {
                "SourceMaterialPackageIdentifier": "OLD",
                "SourceMaterialPackageRemainingQuantity": 60.0,
                "NewMaterialPackageIdentifier": "NEW",
                "NewMaterialPackageQuantity": 40.0,
            },
        ),
        (
            "MaterialsChainSplit",
            {
                "RemainingMaterialPackage": {"UniqueIdentifier": "OLD", "Quantity": 60.0},
                "SplittedMaterialPackage": {"UniqueIdentifier": "NEW", "Quantity": 40.0},
            },
        ),
    ],
)
def test_a_split_is_told_of_both_packages(name, body):
    """Each names the other, with its quantity from now on."""
    old, new = events(f"CFX.Materials.Management.{name}", body)
    assert [(each.key, each.payload["change"], each.payload["related"]) for each in (old, new)] == [
        ("OLD", "split", "NEW"),
        ("NEW", "split_off", "OLD"),
    ]
    assert [each.payload["package"]["quantity"] for each in (old, new)] == [60.0, 40.0]


def test_a_transport_order_that_starts_names_its_packages():
    """Keyed by the order, so that its steps stay in order."""
    body = {
        "TransportOrderId": "TR",
        "Source": "STORE",
        "FinalDestination": "L1",
        "Materials": [{"UniqueIdentifier": "REEL1", "Quantity": 5.0}],
    }
    event = only("CFX.Materials.Transport.TransportOrderStarted", body)
    assert (event.event_type, event.key) == (EventType.MATERIAL_TRANSPORTED, "TR")
    assert (event.payload["step"], event.payload["origin"], event.payload["destination"]) == (
        "started",
        "STORE",
        "L1",
    )
    assert event.payload["packages"] == [{"id": "REEL1", "quantity": 5.0}]


@pytest.mark.parametrize(
    ("name", "event_type"),
    [("MagazineArrived", EventType.MAGAZINE_ARRIVED), ("MagazineDeparted", EventType.MAGAZINE_DEPARTED)],
)
def test_a_magazine_tells_its_boards(name, event_type):
    """Codes, product and order of each board; numbers of board handling become words."""
    board = {
        "SlotId": 4,
        "BoardId": "H-1",
        "FailedBoard": 2,
        "FlippedBoard": 1,
        "ProductTypeId": "BRD-A",
        "TopBarcode": "SN1",
        "WorkOrderIdentifier": {"WorkOrderId": "WO"},
    }
    event = only(
        f"CFX.Production.Hermes.{name}", {"MagazineData": {"MagazineId": "M", "HermesUnits": [board]}}
    )
    assert (event.event_type, event.payload["magazine_id"]) == (event_type, "M")
    assert event.payload["boards"] == [
        {
            "slot": 4,
            "hermes_id": "H-1",
            "product": "BRD-A",
            "top_barcode": "SN1",
            "failed": "failed",
            "flipped": "top side up",
            "work_order": {"id": "WO"},
        }
    ]


def test_units_put_onto_a_carrier_are_told_with_it():
    """The carrier stands where a panel would."""
    body = {"UniqueIdentifier": "PALLET", "Units": [{"UnitIdentifier": "A", "PositionNumber": 1}]}
    event = only("CFX.Production.LoadingAndUnloading.UnitsLoaded", body)
    assert event.event_type is EventType.UNIT_LOADED
    assert event.payload["panel_id"] == "PALLET"
    assert event.payload["units"] == [{"unit_id": "A", "position": 1, "characteristics": {}}]


@pytest.mark.parametrize(
    ("result", "told"), [("Success", True), ("Failed", False), ("Odd", False), (None, False)]
)
def test_a_scanner_that_was_asked_tells_what_it_read(result, told):
    """Only a plain success is a reading; anything else travels as it is."""
    body = {"Result": {"Result": result}, "PrimaryIdentifier": "PNL", "Units": None}
    event = only("CFX.Sensor.Identification.IdentifyUnitsResponse", body)
    assert event.event_type is (EventType.UNIT_IDENTIFIED if told else EventType.CUSTOM)


@pytest.mark.parametrize("nothing", [{}, {"Materials": None}, {"Materials": []}])
def test_null_missing_and_empty_mean_the_same(nothing):
    """A message that names no package travels as it is."""
    event = only("CFX.Materials.Storage.MaterialsLoaded", nothing)
    assert (event.event_type, event.payload) == (EventType.CUSTOM, nothing)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("CFX.Production.ReworkAndRepair.UnitsRepaired", "RepairedUnits"),
        ("CFX.Production.Assembly.MaterialsUninstalled", "UninstalledMaterials"),
        ("CFX.Production.Application.MaterialsApplied", "AppliedMaterials"),
        ("CFX.Production.Application.MaterialsUnapplied", "UnappliedMaterials"),
        ("ReadingsRecorded", "Readings"),
        ("CFX.ResourcePerformance.CalibrationPerformed", "Calibration"),
    ],
)
def test_a_message_without_what_it_is_for_names_the_field(name, field):
    """It looks the same as one whose field is misspelt, so a person should see it."""
    for body in ({}, {field: None}, {f"{field}s": [1]}):
        (made,) = mapped(name, body)
        assert isinstance(made, Unreadable)
        assert f"MessageBody.{field} is missing" in made.reason


def test_a_repaired_unit_without_identifier_is_named_and_the_others_go_on():
    """Two entries of one unit are told apart."""
    entries = [{"UnitIdentifier": "A"}, {"UnitPositionNumber": 1}, {"UnitIdentifier": "A"}]
    made = mapped("CFX.Production.ReworkAndRepair.UnitsRepaired", {"RepairedUnits": entries})
    assert "RepairedUnits[1].UnitIdentifier is missing" in made[1].reason
    assert [made[0].payload["repeat"], made[2].payload["repeat"]] == [0, 1]
    assert made[0].id != made[2].id


def test_a_repair_says_nothing_that_was_not_said():
    """Without a result there is none, and an unknown one keeps its word."""
    unit = {"UnitIdentifier": "A", "OverallResult": "Hopeful", "Repairs": [{}]}
    told = payload("CFX.Production.ReworkAndRepair.UnitsRepaired", {"RepairedUnits": [unit]})
    assert told["result"] == "Hopeful"
    assert "result" not in told["repairs"][0]


def test_repairs_tell_what_defects_turned_out_to_be():
    """Reclassified findings keep their form, and areas their outline."""
    mended = {
        "RelatedSymptomIdentifiers": ["S1", " "],
        "ReclassifiedDefects": [{"UniqueIdentifier": "D1", "DefectCode": "SOLDER"}],
        "ReclassifiedSymptoms": [{"SymptomCode": "DEAD"}],
        "RegionOfInterest": {"StartPointX": 1.0, "StartPointY": 2.0},
    }
    unit = {"UnitIdentifier": "A", "Repairs": [mended]}
    told = payload("CFX.Production.ReworkAndRepair.UnitsRepaired", {"RepairedUnits": [unit]})
    (repair,) = told["repairs"]
    assert repair["symptom_ids"] == ["S1"]
    assert [each["code"] for each in repair["reclassified_defects"]] == ["SOLDER"]
    assert [each["code"] for each in repair["reclassified_symptoms"]] == ["DEAD"]
    assert repair["region"] == {"x": 1.0, "y": 2.0, "outline": []}


def test_the_same_message_gives_the_same_events():
    """Ids depend on the message alone, so that repeats are recognised."""
    body = {"Materials": [{"UniqueIdentifier": "A"}, {"UniqueIdentifier": "B"}]}
    first = [each.id for each in events("CFX.Materials.Management.MaterialsRetired", body)]
    assert first == [each.id for each in events("CFX.Materials.Management.MaterialsRetired", body)]
    assert len(set(first)) == 2


def test_events_of_one_unit_have_one_key_whatever_the_message():
    """Test, repair, material and tools of a unit stay in order."""
    unit = {"UnitIdentifier": "PNL", "UnitPositionNumber": 3}
    told = [
        *events("UnitsTested", {"TestedUnits": [unit]}),
        *events("CFX.Production.ReworkAndRepair.UnitsRepaired", {"RepairedUnits": [unit]}),
        *events("CFX.Production.Processing.UnitsProcessed", {"UnitProcessData": [unit]}),
        *events("MaterialsInstalled", {"InstalledMaterials": [unit]}),
        *events("CFX.Production.Assembly.MaterialsUninstalled", {"UninstalledMaterials": [unit]}),
        *events("CFX.Production.Application.MaterialsApplied", {"AppliedMaterials": [unit]}),
        *events("ToolsUsed", {"UsedTools": [unit]}),
        *events("ReadingsRecorded", {"Readings": [unit]}),
        *events("UnitsDisqualified", {"Units": [{"UnitIdentifier": "PNL", "PositionNumber": 3}]}),
    ]
    assert {each.key for each in told} == {"PNL#3"}
    assert len({each.id for each in told}) == len(told) == 9


@pytest.mark.usefixtures("reference")
@pytest.mark.parametrize("name", MAPPED)
def test_whatever_a_sender_fills_in_is_mapped(name):
    """Any fields in any spelling: payloads true to their models, keyed, and teaching something or nothing."""
    for seed in range(6):
        for made in mapped(name, Sender(Random(f"{name}{seed}")).body(name)):  # noqa: S311  # reproducible
            if isinstance(made, Event):
                assert made.key
                assert made.event_type in {EventType.CUSTOM, MAPPED[name].event_type}
                if made.event_type in MODELS:
                    assert parse(made).to_payload() == made.payload
                facts_of(made)
            else:
                assert "is missing" in made.reason
