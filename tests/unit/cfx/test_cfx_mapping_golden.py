"""What the standard's own examples become, written down from their text."""

from __future__ import annotations

import json

import pytest
from cfx_shop import REFERENCE, envelope, wire

from pywats_cfx import cfx_adapter
from pywats_cfx.mapping.table import MAPPED
from pywats_events.event import Event
from pywats_events.message import RawMessage

HANDLE = "//Acme/Line1/ICT01"
SMITH = {
    "id": "BADGE489435",
    "login": "joseph.smith@abcdrepairs.com",
    "first_name": "Joseph",
    "last_name": "Smith",
    "kind": "Human",
}
BILL = {"login": "bill.smith@domain1.com", "first_name": "Bill", "last_name": "Smith", "kind": "Human"}
DOE = {
    "id": "BADGE4486",
    "login": "john.doe@domain1.com",
    "first_name": "John",
    "last_name": "Doe",
    "kind": "Human",
}
CARRIER = [
    {"unit_id": "CARRIER5566", "position": 1, "name": "CIRCUIT1"},
    {"unit_id": "CARRIER5566", "position": 2, "name": "CIRCUIT2"},
]
OPENED = {
    "id": "MAT4566556456",
    "part_number": "IPN47788",
    "quantity": 887.0,
    "initial_quantity": 1000.0,
    "status": "Active",
    "manufacturer": "MOTOROLA",
    "manufacturer_part_number": "MOT231234",
    "vendor": "Digikey",
    "vendor_part_number": "DIG23452442",
    "lot": "LOT2016110588",
    "created_at": "2018-09-28T12:47:59.199105-04:00",
    "manufactured_at": "2016-11-05T00:00:00Z",
    "received_at": "2017-05-06T00:00:00Z",
    "hazard": "RoHS",
    "msd_level": "MSL3",
    "exposure_seconds_left": 6 * 86400.0,
}
SLOT22 = {
    "location_id": "3245434554",
    "location": "SLOT22",
    "carrier_id": "234232432424",
    "carrier": "FEEDER2245465",
    "carrier_kind": "SMDTapeFeeder",
    "carrier_lane": 1,
}
SLOT28 = SLOT22 | {"location_id": "3245435784", "location": "SLOT28"}
WORK_ORDER = {
    "order": {"id": "WO1122334455"},
    "status": "AwaitingApproval",
    "quantity": 220.0,
    "description": "Production Order for PCB Assembly",
    "route": "PCB Assembly Process",
    "route_revision": "A",
    "starts_at": "2018-09-09T00:00:00Z",
    "required_at": "2018-09-15T17:00:00Z",
    "depends_on": [],
}
STAGE1 = {"sequence": 1, "name": "STAGE1", "kind": "Work"}


def number(name, value, **said):
    """One number among measurements."""
    return {"name": name, "kind": "numeric", "value": value, **said}


def repair(ident, component, part, defect, comments):
    """One of the repairs of the example."""
    return {
        "id": ident,
        "name": "Joint Repair",
        "started_at": "2021-06-23T15:39:23.006216-04:00",
        "ended_at": "2021-06-23T15:40:03.006216-04:00",
        "result": "RepairSuccessful",
        "comments": comments,
        "designator": component,
        "part_number": part,
        "defect_ids": [defect],
        "symptom_ids": [],
    }


def retired(ident, part, quantity):
    """One of the packages that were retired."""
    return (
        "material.changed",
        ident,
        {"change": "retired", "package": {"id": ident, "part_number": part, "quantity": quantity}},
    )


def gone(ident, **said):
    """A package or carrier that was taken out."""
    return ("material.unloaded", ident, said)


def loaded(ident, part, quantity, **place):
    """A package that was put in."""
    package = {"id": ident, "part_number": part, "quantity": quantity}
    return ("material.loaded", ident, {"package": package, "place": place})


def used(position, tool, **said):
    """Tools used at a position of the example's panel."""
    use = {"tool": tool, "cycles": 3, **said}
    return (
        "tool.used",
        f"PANEL23423432#{position}",
        {"unit_id": "PANEL23423432", "position": position, "uses": [use]},
    )


def on_panel(event_type, position, **material):
    """Material of a position of the example's panel."""
    reel = {"package_id": "MAT4566556456", "part_number": "IPN47788"}
    return (
        event_type,
        f"PANEL23423432#{position}",
        {"unit_id": "PANEL23423432", "position": position, "materials": [reel | material]},
    )


#: By example: type, key and payload of its events. A payload may say more than is written here; a list holds
#: as many items as are written.
GOLDEN = {
    "CFX.EndpointConnected.1": [
        (
            "asset.connected",
            HANDLE,
            {
                "asset_id": "SMTPlus.Model_21232.SN23123",
                "request_uri": "amqp://host33/",
                "request_address": "/queue/SN23123",
            },
        )
    ],
    "CFX.Heartbeat.1": [
        ("asset.heartbeat", HANDLE, {"asset_id": "SMTPlus.Model_21232.SN23123", "interval_seconds": 60.0})
    ],
    "CFX.InformationSystem.ProductionScheduling.WorkOrdersScheduled.1": [
        (
            "work_order.scheduled",
            "WO1122334455",
            {
                "order": {"id": "WO1122334455"},
                "area": "SMT Line 1",
                "scheduler": DOE,
                "starts_at": "2018-08-02T11:00:00Z",
                "ends_at": "2018-08-02T15:00:00Z",
                "resources": ["L1PRINTER1", "L1PLACER1", "L1PLACER2", "L1OVEN1"],
                "tools": ["UID23890430"],
                "operators": [SMITH],
                "packages": ["UID23849854385", "UID23849854386", "UID23849854446"],
            },
        )
    ],
    "CFX.InformationSystem.WorkOrderManagement.WorkOrderQuantityUpdated.1": [
        ("work_order.updated", "WO1122334455", {"quantity": 250.0, "previous_quantity": 220.0})
    ],
    "CFX.InformationSystem.WorkOrderManagement.WorkOrdersCreated.1": [
        (
            "work_order.created",
            "WO1122334455",
            WORK_ORDER
            | {
                "part_number": "1122-3344",
                "part_revision": "B",
                "lot": "LOT4865",
                "created_at": "2018-08-01T13:46:15.539120-04:00",
            },
        )
    ],
    "CFX.InformationSystem.WorkOrderManagement.WorkOrdersUpdated.1": [
        (
            "work_order.updated",
            "WO1122334455",
            WORK_ORDER | {"part_number": "1122-5555", "part_revision": "C", "lot": "LOT4896"},
        )
    ],
    "CFX.InformationSystem.WorkOrderManagement.WorkOrdersDeleted.1": [
        ("work_order.deleted", "WO1122334455", {"order": {"id": "WO1122334455"}}),
        ("work_order.deleted", "WO9988776666", {"order": {"id": "WO9988776666", "batch": "Batch1"}}),
    ],
    "CFX.Maintenance.ResourceMaintenanceAndServiceEvent.1": [
        (
            "asset.maintenance",
            HANDLE,
            {
                "what": "service",
                "recorded_at": "2020-11-26T18:27:14+01:00",
                "machine": {
                    "id": "10000000",
                    "name": "SIPLACE SX4",
                    "parts": [
                        {
                            "id": "00000000-00 000-H2-_____",
                            "name": "C&P20_2",
                            "calibrations": [
                                {"code": "SegmentOffset", "kind": "SegmentOffset", "status": "Ok"},
                                {
                                    "code": "HeadMapping_0_R",
                                    "kind": "HeadMapping",
                                    "status": "Failed",
                                    "comments": "Calibration failed. Check log",
                                    "performed_at": "2020-11-26T18:27:14.923120+01:00",
                                },
                            ],
                            "counters": [
                                {
                                    "name": "HeadCompleteMileage",
                                    "kind": "Odometer",
                                    "place": "1.1.1",
                                    "value": 0.0,
                                    "used_percent": 97.9,
                                    "counted_at": "2020-11-26T18:27:14.923120+01:00",
                                }
                            ],
                            "parts": [
                                {
                                    "name": "Temperature sensor",
                                    "kind": "Sensor",
                                    "place": "2_R",
                                    "sensor": {
                                        "value": 19.2,
                                        "unit": "DegreeCelsius",
                                        "low": 15.0,
                                        "high": 30.0,
                                        "recorded_at": "2020-11-26T18:27:14.923120+01:00",
                                    },
                                }
                            ],
                        },
                        {
                            "id": "10000000-00 000-G1-GC__",
                            "name": "SST34_1",
                            "calibrations": [{"code": "C123456", "kind": "BoardCamera", "status": "Ok"}],
                            "checks": [
                                {
                                    "name": "FCCSCalibration",
                                    "kind": "Special",
                                    "status": "Ok",
                                    "place": "1.2",
                                },
                                {
                                    "name": "FCCSCleaningRequired",
                                    "kind": "General",
                                    "status": "Failed",
                                    "place": "2.3",
                                },
                            ],
                        },
                        {
                            "id": "08ASMS500240",
                            "name": "8mm-X Tape_2.40",
                            "counters": [
                                {
                                    "name": "FeederCycleCount",
                                    "kind": "ActivityCount",
                                    "place": "08ASMS500240_Lane_1",
                                    "value": 57002.0,
                                    "used_percent": 31.2,
                                }
                            ],
                        },
                    ],
                },
            },
        )
    ],
    "CFX.Maintenance.ResourceMaintenanceStatusEvent.1": [
        (
            "asset.maintenance",
            HANDLE,
            {
                "what": "status",
                "recorded_at": "2020-11-26T18:43:29+01:00",
                "machine": {
                    "id": "10000000",
                    "name": "SIPLACE SX4",
                    "kind": "SMT",
                    "vendor": "ASM",
                    "model": "1234",
                    "serial_number": "1234567890",
                    "software_version": "730",
                    "firmware_version": "0",
                    "parts": [
                        {
                            "id": "08FAUT901183",
                            "name": "8mm-X Tape_2.14",
                            "kind": "8mm-X Tape",
                            "place": "2.14",
                            "condition": "Ok",
                            "reason": "No reason",
                            "cycles": {"09ASMS500302_Lane_1": 1002, "09ASMS500302_Lane_2": 3451},
                        }
                    ],
                },
            },
        )
    ],
    "CFX.Materials.Management.MSDManagement.MaterialsOpened.1": [
        (
            "material.changed",
            "MAT4566556456",
            {
                "change": "opened",
                "package": OPENED
                | {"msd_state": "Exposed", "exposed_until": "2018-10-04T12:48:00.222118-04:00"},
            },
        ),
        (
            "material.changed",
            "MAT4566553421",
            {"change": "opened", "package": {"id": "MAT4566553421", "msd_level": "MSL2A"}},
        ),
    ],
    "CFX.Materials.Management.MSDManagement.MaterialsPlacedInDryStorage.1": [
        (
            "material.changed",
            "MAT4566556456",
            {"change": "stored_dry", "package": OPENED | {"msd_state": "InDryStorage"}},
        ),
        ("material.changed", "MAT4566553421", {"change": "stored_dry"}),
    ],
    "CFX.Materials.Management.MSDManagement.MaterialsRestored.1": [
        ("material.changed", "MAT4566556456", {"change": "restored", "package": OPENED}),
        ("material.changed", "MAT4566553421", {"change": "restored"}),
    ],
    "CFX.Materials.Management.MaterialsConsumed.1": [
        (
            "material.consumed",
            "MAT238908348903",
            {
                "asset_id": HANDLE,
                "materials": [
                    {
                        "package_id": "MAT238908348903",
                        "part_number": "IPN-1222-55555",
                        "quantity": 42.0,
                        "spoiled": 2.0,
                        "remaining": 344.0,
                        "location": "SLOT22",
                        "carrier": "FEEDER2245465",
                    }
                ],
            },
        ),
        (
            "material.consumed",
            "MAT238908323434",
            {"materials": [{"quantity": 88.0, "spoiled": 3.0, "remaining": 258.0, "location": "SLOT28"}]},
        ),
    ],
    "CFX.Materials.Management.MaterialsJoined.1": [
        (
            "material.changed",
            "MAT4566589856",
            {
                "change": "joined",
                "package": {"id": "MAT4566589856", "part_number": "IPN45577", "quantity": 151.0},
                "related": "MAT4563453457",
            },
        ),
        ("material.changed", "MAT4563453457", {"change": "joined", "related": "MAT4566589856"}),
    ],
    "CFX.Materials.Management.MaterialsRetired.1": [
        retired("MAT4566556456", "IPN47788", 887.0),
        retired("MAT4566554543", "IPN48899", 748.0),
        retired("MAT4566553421", "IPN45577", 151.0),
    ],
    "CFX.Materials.Storage.MaterialCarriersLoaded.1": [
        ("material.loaded", "1233333", {"place": {"location_id": "5555646453", "carrier_id": "1233333"}}),
        (
            "material.loaded",
            "1233335A",
            {"place": {"location": "LANEA", "carrier": "TAPEFEEDER8mm1233335A", "carrier_lane": 1}},
        ),
        (
            "material.loaded",
            "1233335B",
            {"place": {"location": "LANEB", "carrier": "TAPEFEEDER8mm1233335B", "carrier_lane": 2}},
        ),
    ],
    "CFX.Materials.Storage.MaterialCarriersUnloaded.1": [
        gone("1233334", carrier_id="1233334"),
        gone("1233334", carrier_id="1233334"),
    ],
    "CFX.Materials.Storage.MaterialsEmpty.1": [
        (
            "material.changed",
            "MAT238908348903",
            {"change": "emptied", "package": {"quantity": 0.0}, "place": SLOT22},
        ),
        (
            "material.changed",
            "MAT238908323434",
            {"change": "emptied", "package": {"part_number": "IPN-1222-11111"}, "place": SLOT28},
        ),
    ],
    "CFX.Materials.Storage.MaterialsLoaded.1": [
        loaded("MAT4566556456", "IPN47788", 887.0, location="SLOT45", carrier_id="1233333"),
        loaded("MAT4566554543", "IPN48899", 748.0, location="SLOT44", carrier="TAPEFEEDER8mm1233334"),
        loaded("MAT4566553421", "IPN45577", 151.0, location="SLOT45", carrier_lane=1),
        loaded("MAT4566555547", "IPN45577", 151.0, location="SLOT45", carrier_lane=2),
        loaded("MAT4566588751", "IPN45577", 151.0, location="SLOT46", carrier_kind="SMDTubeFeeder"),
        loaded("MAT4566589856", "IPN45577", 151.0, location="92.1", carrier_kind="SMDTrayFeeder"),
    ],
    "CFX.Materials.Storage.MaterialsUnloaded.1": [
        gone(each, package_id=each)
        for each in ("MAT4566556456", "MAT4566554543", "MAT4566553421", "MAT4566555547")
    ],
    "CFX.Materials.Storage.SplicePointDetected.1": [
        (
            "material.changed",
            "MAT238908348903",
            {"change": "emptied", "related": "MAT238908348904", "place": SLOT22},
        ),
        (
            "material.changed",
            "MAT238908348904",
            {
                "change": "activated",
                "related": "MAT238908348903",
                "package": {"quantity": 1000.0},
                "place": SLOT28,
            },
        ),
    ],
    "CFX.Materials.Transport.CheckpointReached.1": [
        (
            "material.transported",
            "TR329483249830000",
            {
                "order_id": "TR329483249830000",
                "step": "checkpoint",
                "status": "InTransit",
                "work_order_id": "WO2384702937403280032",
                "checkpoint": "SMT STAGING AREA 1",
                "next_checkpoint": "LINE 1",
                "destination": "LINE 1",
                "person": DOE,
                "comments": "Arrived SMT Production Area",
            },
        )
    ],
    "CFX.Materials.Transport.TransportOrderCompleted.1": [
        (
            "material.transported",
            "TR329483249830000",
            {
                "step": "completed",
                "person": {"id": "BADGE4487", "last_name": "Dolittle"},
                "destination": "LINE 1",
                "comments": "Received at Line 1",
            },
        )
    ],
    "CFX.Materials.Transport.TransportOrderStatusChanged.1": [
        (
            "material.transported",
            "TR329483249830000",
            {"step": "status", "status": "Kitting", "person": {"id": "BADGE4485"}},
        )
    ],
    "CFX.Production.Application.MaterialsApplied.1": [
        on_panel("material.consumed", 1, quantity=3.57),
        on_panel("material.consumed", 2, quantity=3.45),
    ],
    "CFX.Production.Application.MaterialsApplied.2": [
        on_panel(
            "material.consumed",
            1,
            quantity=3.57,
            unit="gramm",
            expected=3.6,
            expected_unit="g",
            low=3.4,
            high=3.8,
        ),
        on_panel("material.consumed", 2, quantity=3.45, unit="gramm"),
    ],
    "CFX.Production.Application.MaterialsUnapplied.1": [
        on_panel("material.removed", 1, quantity=3.55, placements=[]),
        on_panel("material.removed", 2, quantity=3.55, placements=[]),
    ],
    "CFX.Production.Assembly.MaterialsUninstalled.1": [
        on_panel(
            "material.removed",
            position,
            quantity=3.0,
            reason="DefectiveMaterial",
            placements=[
                {"designator": name, "installed_at": "2018-10-10T08:34:40.105418-04:00"}
                for name in ("R1", "R2", "R3")
            ],
        )
        for position in (1, 2)
    ],
    "CFX.Production.LoadingAndUnloading.UnitsUnloaded.1": [
        (
            "unit.unloaded",
            HANDLE,
            {
                "panel_id": "PALLET123",
                "units": [
                    {"unit_id": "MODULE1", "position": 1, "name": "NEST1"},
                    {"unit_id": "MODULE2", "position": 2, "name": "NEST2"},
                ],
            },
        )
    ],
    "CFX.Production.LocalRecipeChanged.1": [  # lists its changes under a name that the standard does not know
        ("custom", HANDLE, {"Lane": 1})
    ],
    "CFX.Production.OperatorActivated.1": [
        (
            "operator.activated",
            HANDLE,
            {"asset_id": HANDLE, "operator": BILL | {"id": "42b7a5cc-3bbd-4010-8a01-1c5851b9a2a3"}},
        )
    ],
    "CFX.Production.OperatorDeactivated.1": [
        ("operator.deactivated", HANDLE, {"operator": BILL | {"id": "ea9da45d-9b1f-4e6a-974f-df06aeede42f"}})
    ],
    "CFX.Production.Processing.UnitsProcessed.3": [
        (
            "unit.processed",
            "CARRIER55678",
            {
                "unit_id": "CARRIER55678",
                "result": "passed",
                "work_result": "Succeeded",
                "transaction_id": "40e16df4-acaa-4c4a-9503-fca51ca58876",
                "recipe": "Recipe1",
                "started_at": "2018-10-31T09:30:27.051910-04:00",
                "ended_at": "2018-10-31T09:31:49.051910-04:00",
            },
        )
    ],
    "CFX.Production.Processing.UnitsProcessed.6": [
        (
            "unit.processed",
            HANDLE,
            {
                "result": "passed",
                "transaction_id": "d6090fe7-1fce-4eee-8c3a-25ee1747795f",
                "tests": [
                    {
                        "name": "CleaningProcessData",
                        "result": "unknown",
                        "measurements": [
                            number("ConveyorSpeed", 1.4),
                            number("CleaningTimeActual", 200.0, expected=200.0),
                        ],
                    },
                    {
                        "name": "CleaningProcessData / Wash",
                        "measurements": [
                            {"name": "CleaningStepType", "kind": "text", "value": "Wash"},
                            number("CleaningStepTime", 200.0),
                            number("FlowRateAverage", 12.0),
                            number("FlowRateMax", 20.0),
                            number("FlowRateMin", 4.0),
                        ],
                    },
                ],
            },
        )
    ],
    "CFX.Production.Processing.UnitsProcessed.8": [
        (
            "unit.processed",
            HANDLE,
            {
                "tests": [
                    {
                        "name": "GenericProcessData",
                        "measurements": [
                            number("ConveyorSpeed (setpoint)", 1.4, unit="m/min"),
                            number("CycleTime (setpoint)", 45.0, unit="s"),
                            number(
                                "ActualCycleTime",
                                45.6,
                                unit="s",
                                expected=45.0,
                                low=43.0,
                                high=47.0,
                                high_unit="s",
                            ),
                            {"name": "RecipeName", "kind": "text", "value": "RECIPE_42"},
                            {"name": "OperatorId", "kind": "text", "value": "BADGE489435"},
                        ],
                    },
                    {"name": "GenericProcessData / Stage1"},
                ]
            },
        )
    ],
    "CFX.Production.RecipeActivated.1": [
        (
            "recipe.activated",
            HANDLE,
            {
                "recipe": "RECIPE3234",
                "recipe_revision": "B",
                "lane": 1,
                "surface": "PrimarySurface",
                "work_order": {"id": "WO-1000-1000", "batch": "WO-1000-1000-B1"},
            },
        )
    ],
    "CFX.Production.RecipeModified.1": [
        (
            "recipe.modified",
            HANDLE,
            {
                "recipe": "RECIPE3234",
                "recipe_revision": "D",
                "operator": BILL | {"id": "95739c63-7e59-481b-a597-627cb843c8f4"},
                "reason": "PositionalCorrection",
            },
        )
    ],
    "CFX.Production.ReworkAndRepair.UnitsRepaired.1": [
        (
            "unit.repaired",
            "FFSHkkskamJDHS#1",
            {
                "unit_id": "FFSHkkskamJDHS",
                "position": 1,
                "siblings": 1,
                "result": "RepairSuccessful",
                "transaction_id": "080ff333-2577-45e4-8440-3ef38bb79945",
                "operator": SMITH | {"id": "BADGE489499"},
                "repairs": [
                    repair(
                        "a604ed78-c314-48ab-b963-8111bf4d85ef",
                        "U34.5",
                        "SN74HCS30DR",
                        "b1031227-d911-4be2-ba74-7a3fe019e5fa",
                        "Repaired cold solder joint at U34, Pin 5",
                    ),
                    repair(
                        "d9a6639d-2312-4f97-8494-e8adfdae19b3",
                        "U24.4-5",
                        "SN74HCS50DR",
                        "e9c72d08-a0f0-450b-b5f4-49145edfca6b",
                        "Repaired solder bridge at U24, Pins 4-5",
                    ),
                ],
            },
        )
    ],
    "CFX.Production.ToolsLoaded.1": [
        (
            "tool.changed",
            HANDLE,
            {
                "transaction_id": "d3e7fe9a-5e42-4121-9edd-a8b46d112ba9",
                "loaded": [
                    {"id": "SQ1234567890", "name": "Squeegee name", "kind": "SMTSqueegee"},
                    {"id": "ST1234567890", "name": "Stencil name", "kind": "SMTStencil"},
                ],
                "unloaded": [],
            },
        )
    ],
    "CFX.Production.ToolsUnloaded.1": [
        (
            "tool.changed",
            HANDLE,
            {
                "loaded": [],
                "unloaded": [
                    {"id": "SQ1234567890", "details": {"cleaning_state": "Cleaned"}},
                    {"id": "ST1234567890"},
                ],
            },
        )
    ],
    "CFX.Production.ToolsUsed.1": [
        used(
            1,
            {"id": "UID234213421", "name": "Nozzle45", "kind": "SMTHeadAndNozzle"},
            designators=["R1", "R2", "R3"],
        ),
        used(2, {"id": "UID234223422", "name": "Nozzle47"}, designators=["R1", "R2", "R3"]),
    ],
    "CFX.Production.ToolsUsed.2": [
        used(1, {"id": "UID234228874", "name": "Hammer 45"}),
        used(2, {"id": "UID234228874", "name": "Hammer 45"}),
    ],
    "CFX.Production.UnitsArrived.1": [("unit.arrived", HANDLE, {"units": CARRIER})],
    "CFX.Production.UnitsDeparted.1": [("unit.departed", HANDLE, {"units": CARRIER})],
    "CFX.Production.UnitsInitialized.1": [
        (
            "unit.initialized",
            HANDLE,
            {
                "work_order": {"id": "WO45648798", "batch": "BATCH45648798-1"},
                "units": [
                    {"unit_id": "UNIT5566687", "position": 1, "name": "CIRCUIT1"},
                    {"unit_id": "UNIT5566688", "position": 2, "name": "CIRCUIT2"},
                ],
            },
        )
    ],
    "CFX.Production.WorkOrderActionExecuted.1": [
        (
            "work_order.action",
            "WO1122334455",
            {
                "id": "dec7ca54-efc7-4519-a250-0bc7dbeae1d6",
                "order": {"id": "WO1122334455"},
                "action": "PreProductionOperations",
                "state": "Started",
                "performed_at": "2018-08-01T13:46:15.539120-04:00",
                "comments": "Feeders loading",
            },
        )
    ],
    "CFX.Production.WorkStagePaused.1": [
        (
            "work.stage_paused",
            HANDLE,
            {"transaction_id": "2c24590d-39c5-4039-96a5-91900cecedfa", "stage": STAGE1},
        )
    ],
    "CFX.Production.WorkStageStarted.1": [
        (
            "work.stage_started",
            HANDLE,
            {"transaction_id": "2c24590d-39c5-4039-96a5-91900cecedfa", "stage": STAGE1},
        )
    ],
    "CFX.ResourcePerformance.CalibrationPerformed.1": [
        (
            "asset.calibration",
            HANDLE,
            {
                "asset_id": HANDLE,
                "transaction_id": "a71dae78-b78d-49b6-939d-d8fb20281391",
                "code": "FID1",
                "kind": "UnitPosition",
                "status": "Ok",
                "comments": "Position Check.  Fiducial FID1.",
                "measurements": [
                    number(
                        "Measure1",
                        0.97,
                        unit="mm",
                        expected=1.0,
                        low=0.9,
                        low_unit="mm",
                        high=1.2,
                        high_unit="mm",
                    )
                ],
            },
        )
    ],
    "CFX.ResourcePerformance.EnergyConsumed.1": [
        (
            "asset.energy",
            HANDLE,
            {
                "started_at": "2018-04-05T09:33:06.135835-04:00",
                "ended_at": "2018-04-05T09:38:06.135835-04:00",
                "energy_kwh": 0.012,
                "figures": {
                    "peak_power": 125.6,
                    "power_factor_now": 0.95,
                    "peak_voltage_ryb": [420.1, 413.7, 404.6],
                    "three_phase_neutral_current_now": 0.06,
                },
                "parts": [{"subsystem": "EquipmentSubArea", "energy_kwh": 0.01}],
            },
        )
    ],
    "CFX.ResourcePerformance.FaultAcknowledged.1": [
        (
            "asset.fault_acknowledged",
            HANDLE,
            {"occurrence_id": "5af7e56c-cfbf-4f1f-aa4c-79d94a7442bc", "operator": DOE},
        )
    ],
    "CFX.ResourcePerformance.LogEntryRecorded.1": [
        (
            "asset.log",
            HANDLE,
            {
                "code": "INF21321321",
                "text": "Beam 1 Zeroed and Homed",
                "importance": "Information",
                "lane": 1,
                "stage": STAGE1,
            },
        )
    ],
    "CFX.ResourcePerformance.MaintenancePerformed.1": [
        (
            "asset.maintenance",
            HANDLE,
            {
                "asset_id": HANDLE,
                "what": "performed",
                "kind": "Preventive",
                "order": "MO676578576",
                "job": "MNT113334",
                "tasks": [
                    {
                        "id": "HYD233432432",
                        "text": "Changed hydraulic fluid in resovoir 1",
                        "operator": SMITH,
                        "hours": 0.75,
                    },
                    {"id": "CHK3432434", "text": "Checked torque on main mount bolts", "hours": 0.25},
                ],
                "materials": [
                    {"part_number": "PN2343243", "quantity": 3.0},
                    {"part_number": "PN4452", "package_id": "UID23849854385", "quantity": 3.0},
                ],
            },
        )
    ],
    "CFX.ResourcePerformance.PressInsertion.ComponentsPressed.1": [
        ("asset.counters", HANDLE, {"counted": "components pressed", "done": 10, "not_done": 2})
    ],
    "CFX.ResourcePerformance.ProcessDataRecorded.1": [
        (
            "readings.recorded",
            HANDLE,
            {
                "tests": [
                    {
                        "name": "CleaningManagementData",
                        "measurements": [number("TemperatureAverage", 25.0), number("DIWaterVolumeAdd", 1.5)],
                    }
                ]
            },
        )
    ],
    "CFX.ResourcePerformance.SMTPlacement.ComponentsPlaced.1": [
        (
            "asset.counters",
            HANDLE,
            {
                "started_at": "2018-04-05T09:28:06.161835-04:00",
                "ended_at": "2018-04-05T09:38:06.161835-04:00",
                "counted": "components placed",
                "done": 875,
                "not_done": 45,
            },
        )
    ],
    "CFX.ResourcePerformance.SolderPastePrinting.SqueegeeCleaned.1": [
        (
            "tool.cleaned",
            HANDLE,
            {
                "tools": [{"id": "UID23432434", "name": "STENCIL234343", "kind": "SMTSqueegee"}],
                "mode": "Normal",
                "cycles": 2,
                "seconds": 38.0,
                "cycles_since_last": 35,
                "seconds_since_last": 1980.0,
            },
        )
    ],
    "CFX.ResourcePerformance.SolderPastePrinting.StencilCleaned.1": [
        ("tool.cleaned", HANDLE, {"tools": [{"id": "UID23432434", "kind": "SMTStencil"}], "mode": "V"})
    ],
    "CFX.ResourcePerformance.StationOffline.1": [("asset.offline", HANDLE, {"asset_id": HANDLE})],
    "CFX.ResourcePerformance.StationOnline.1": [("asset.online", HANDLE, {"offline_seconds": 1380.0})],
    "CFX.ResourcePerformance.StationParametersModified.2": [
        (
            "asset.parameters_changed",
            HANDLE,
            {
                "parameters": [
                    {
                        "kind": "ReflowOvenParameter",
                        "conveyor_speed_setpoint": 50.0,
                        "conveyor_width": 25.0,
                        "zone_parameters": [{}, {}, {}, {}],
                    }
                ]
            },
        )
    ],
    "CFX.ResourcePerformance.THTInsertion.ComponentsInserted.1": [
        ("asset.counters", HANDLE, {"counted": "components inserted", "done": 875, "not_done": 45})
    ],
    "CFX.ResourcePerformance.ToolChanged.1": [
        (
            "tool.changed",
            HANDLE,
            {
                "loaded": [{"id": "UID23890430", "name": "TorqueWrench_123", "holder": "BIN45"}],
                "unloaded": [],
            },
        )
    ],
    "CFX.Sensor.Identification.IdentifiersNotRead.1": [("unit.not_identified", HANDLE, {"positions": []})],
    "CFX.Sensor.Identification.IdentifiersRead.1": [
        ("unit.identified", HANDLE, {"panel_id": "CARRIER21342", "units": []})
    ],
    "CFX.Sensor.Identification.IdentifiersRead.2": [
        (
            "unit.identified",
            HANDLE,
            {
                "panel_id": "CARRIER21342",
                "units": [
                    {"unit_id": "CARRIER21342", "position": 1, "name": "CIRCUIT1"},
                    {"unit_id": "CARRIER21342", "position": 2, "name": "CIRCUIT2"},
                ],
            },
        )
    ],
}

#: Told in full by the tests of results, flow and faults.
ELSEWHERE = {
    "CFX.Production.Application.Solder.PCBSelectiveSoldered",
    "CFX.Production.Assembly.MaterialsInstalled",
    "CFX.Production.TestAndInspection.UnitsInspected",
    "CFX.Production.TestAndInspection.UnitsTested",
    "CFX.Production.UnitsDisqualified",
    "CFX.Production.WorkCompleted",
    "CFX.Production.WorkStarted",
    "CFX.ResourcePerformance.FaultCleared",
    "CFX.ResourcePerformance.FaultOccurred",
    "CFX.ResourcePerformance.StationStateChanged",
    "CFX.Maintenance.ResourceInformationEvent",
}


def example(reference, name):
    """Give the events of an example."""
    body = json.loads(reference(f"examples/{name}.json"))
    made = list(cfx_adapter(RawMessage(wire(envelope(name.rpartition(".")[0], body)), transport="amqp")))
    assert all(isinstance(each, Event) for each in made), made
    return made


def differences(expected, found, path=""):
    """Name what is written down and not found."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            difference
            for name, value in expected.items()
            for difference in differences(value, found.get(name), f"{path}/{name}")
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [each for index, pair in pairs for each in differences(*pair, f"{path}/{index}")]
    return [] if expected == found else [f"{path}: {found!r} is not {expected!r}"]


@pytest.mark.parametrize("name", GOLDEN)
def test_an_example_becomes_what_its_text_says(reference, name):
    """Types, keys, and each fact that stands in the example."""
    made = example(reference, name)
    assert [(each.event_type.value, each.key) for each in made] == [
        (event_type, key) for event_type, key, _ in GOLDEN[name]
    ]
    told = zip(GOLDEN[name], made, strict=True)
    assert [each for (_, _, payload), event in told for each in differences(payload, event.payload)] == []


def test_every_mapped_message_with_an_example_has_its_expectation():
    """None of them is left to chance."""
    with_example = {path.name.rsplit(".", 2)[0] for path in REFERENCE.glob("examples/*.json")} & MAPPED.keys()
    assert with_example - {name.rpartition(".")[0] for name in GOLDEN} - ELSEWHERE == set()


def test_a_machine_tells_its_parts(reference):
    """Fifteen parts, the first of them a camera on its gantry."""
    (event,) = example(reference, "CFX.Maintenance.ResourceInformationEvent.1")
    machine = event.payload["machine"]
    assert (event.payload["what"], machine["serial_number"]) == ("information", "UID1111111111111111")
    assert len(machine["parts"]) == 15
    assert (
        differences(
            {"id": "10000000-00 000-G1-GC__", "name": "SST34_1", "kind": "SST34", "place": "1.1"},
            machine["parts"][0],
        )
        == []
    )


def test_selectively_soldered_boards_have_their_zones(reference):
    """Each board gets the machine's figures and those of its zones, and no verdict that nobody gave."""
    first, second = example(reference, "CFX.Production.Application.Solder.PCBSelectiveSoldered.1")
    assert (first.key, second.key) == ("PANEL4325435#1", "PANEL4325435#1")
    assert (first.payload["repeat"], second.payload["repeat"], first.payload["siblings"]) == (0, 1, 2)
    assert (first.payload["result"], first.payload["work_result"]) == ("unknown", "Completed")
    assert first.payload["recipe"] == "Panasonic 2up"
    steps = first.payload["tests"]
    assert [step["name"] for step in steps] == [
        "SelectiveSolderData",
        "ZoneData 1",
        "ZoneData 2",
        "ZoneData 3",
    ]
    figures = {each["name"]: each.get("value") for step in steps[:2] for each in step["measurements"]}
    assert (figures["Cycle_Time"], figures["Nitrogen_Pressure"], figures["Flux_Volume"]) == (
        104.2,
        54.0,
        210.0,
    )
    assert figures["ProcessTime"] == 900.0


def test_the_reflow_profile_of_the_example(reference):
    """A reading stands with its set point; power that nobody set stands alone."""
    (event,) = example(reference, "CFX.Production.Processing.UnitsProcessed.3")
    profile, first, *_ = event.payload["tests"]
    assert profile["result"] == "passed"
    assert number_named(profile, "ProductionUnitPWI") == {"value": 89.6}
    assert number_named(profile, "MeasuredConveyorSpeed") == {"value": 102.3}
    assert first["name"] == "ReflowProfilingProcessData / Zone1"
    assert number_named(first, "Top Temperature") == {"value": 221.0, "expected": 220.0}
    assert number_named(first, "Bottom Temperature") == {"value": 209.0, "expected": 210.0}
    assert number_named(first, "Top Power") == {"value": 220.0}


def number_named(step, name):
    """Give value and expectation of a measurement."""
    (found,) = (each for each in step["measurements"] if each["name"] == name)
    return {member: found[member] for member in ("value", "expected") if member in found}
