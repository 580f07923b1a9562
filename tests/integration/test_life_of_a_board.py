"""The life of a board, from its first station to the box that it is built into, as CFX messages.

What WATS holds afterwards is compared with plain tables: what an engineer would have entered by hand.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx
import pytest

from handlers import Rules
from pywats_api import AsyncWATS
from pywats_api.product_records import Product, ProductRevision
from pywats_api.retry import RetryConfig
from pywats_api.server import LocalWATS
from pywats_bridge.composition import Bridge
from pywats_bridge.settings import DeliverySettings
from pywats_cfx import cfx_adapter
from pywats_events import RawMessage
from pywats_events.journal import DeliveryState, Query
from pywats_events.transports import MockTransport

pytestmark = pytest.mark.timeout(120)

MORNING = datetime(2026, 3, 5, 6, 0, tzinfo=UTC)
LINE = "//Acme/L1/"

RULES: dict[str, Any] = {
    "stations": [
        {"handle": LINE + "SPI01", "machine_name": "{name}", "process": 130},
        {"handle": LINE + "AOI01", "machine_name": "{name}", "process": 141},
        {"handle": LINE + "ICT01", "machine_name": "{name}", "process": 30, "count_asset": True},
        {
            "handle": LINE + "FCT01",
            "machine_name": "{name}",
            "process": 60,
            "count_asset": True,
            "last": True,
            "line_asset": "LINE-{line}",
        },
        {"handle": LINE + "BOX01", "machine_name": "{name}", "process": 100, "last": True},
        {"handle": LINE + "PLACE01", "machine_name": "{name}", "unit_process": 300},
        {"handle": LINE + "*", "machine_name": "{name}"},
    ],
    "recipes": [
        {"recipe": "BRD-A*", "part_number": "100-200", "revision": "C"},
        {"recipe": "BOX-*", "part_number": "900-100", "revision": "A"},
    ],
    "work_orders": [{"work_order": "WO-7*", "part_number": "100-200", "revision": "C"}],
    "repair": {
        "process": 500,
        "failures": [{"defect": "TMBSTN*", "category": "Component", "code": "Tombstone"}],
    },
    "materials": {"box_build": True, "misc_infos": {"PASTE-*": "Solder paste"}},
    "production": {"enabled": True, "create_products": True},
    "assets": {
        "create": True,
        "station_type": "Station",
        "line_type": "Line",
        "tool_type": "Fixture",
    },
    "states": {"debounce": 0},
    "upkeep": {"reset_count": True},
}


class Floor:
    """Machines that tell of their work, one message after the other."""

    def __init__(self) -> None:
        self.told: list[bytes] = []

    def says(self, station: str, minute: float, name: str, body: dict[str, Any]) -> None:
        """A station sends a message, so many minutes after six."""
        at = MORNING + timedelta(minutes=minute)
        document = {
            "MessageName": f"CFX.{name}",
            "Version": "2.1",
            "TimeStamp": at.isoformat(),
            "UniqueID": str(uuid5(NAMESPACE_URL, f"{station} {minute} {name}")),
            "Source": LINE + station,
            "Target": None,
            "RequestID": None,
            "MessageBody": {"$type": f"CFX.{name}, CFX", **body},
        }
        self.told.append(json.dumps(document).encode())

    def begins(
        self, station: str, minute: float, *units: str, recipe: str = "BRD-A", panel: str | None = None
    ) -> None:
        """Work begins on units, in a transaction of its own."""
        self.says(
            station,
            minute,
            "Production.WorkStarted",
            {
                "PrimaryIdentifier": panel,
                "TransactionID": work(station, units[0]),
                "Lane": 1,
                "Units": places(*units),
                "RecipeName": recipe,
                "Revision": "3",
            },
        )

    def ends(self, station: str, minute: float, first: str) -> None:
        """Work is completed; which units it was on is known from its start."""
        body = {"TransactionID": work(station, first), "Result": "Completed", "Units": []}
        self.says(station, minute, "Production.WorkCompleted", body)


def work(station: str, first: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"work at {station} on {first}"))


def places(*units: str) -> list[dict[str, Any]]:
    return [
        {
            "UnitIdentifier": unit,
            "PositionNumber": number,
            "PositionName": f"CIRCUIT{number}",
            "Status": "Pass",
        }
        for number, unit in enumerate(units, start=1)
    ]


def at(minute: float) -> str:
    return (MORNING + timedelta(minutes=minute)).isoformat()


def inspected(unit: str, position: int, result: str, *defects: dict[str, Any]) -> dict[str, Any]:
    return {
        "UnitIdentifier": unit,
        "UnitPositionNumber": position,
        "OverallResult": result,
        "Inspections": [
            {
                "UniqueIdentifier": str(uuid5(NAMESPACE_URL, f"inspection {unit} {result}")),
                "InspectionName": "INSPECT_R22",
                "Result": result,
                "DefectsFound": list(defects),
                "Symptoms": [],
                "Measurements": [],
            }
        ],
    }


def result_of(unit: str, position: int, result: str, minute: float, value: float) -> dict[str, Any]:
    measurement = {
        "$type": "CFX.Structures.NumericMeasurement, CFX",
        "MeasuredValue": {
            "Value": value,
            "ValueUnits": "V",
            "MinimumAcceptableValue": 3.2,
            "MaximumAcceptableValue": 3.4,
        },
        "MeasurementName": "VCC3V3",
        "Sequence": 1,
        "Result": result,
    }
    return {
        "UnitIdentifier": unit,
        "UnitPositionNumber": position,
        "OverallResult": result,
        "Tests": [
            {
                "TestName": "SUPPLY",
                "TestStartTime": at(minute),
                "TestEndTime": at(minute + 0.5),
                "Result": result,
                "SymptomsFound": [],
                "DefectsFound": [],
                "Measurements": [measurement],
            }
        ],
    }


TESTER = {"OperatorIdentifier": "OP-7", "ActorType": "Human", "LastName": "Doe", "FirstName": "Ann"}
TOMBSTONE = {
    "UniqueIdentifier": "561d08c2-aac9-422a-8910-41a3528a8acc",
    "DefectCode": "TMBSTN211",
    "DefectCategory": "Solder Problems",
    "Description": "Tombstone on R22",
    "ComponentOfInterest": {"ReferenceDesignator": "R22", "PartNumber": "11123-8897"},
    "DefectImages": [],
    "RelatedMeasurements": [],
    "RelatedSymptoms": [],
}
OCCURRENCE = "1610b591"


def life() -> list[bytes]:
    """Two boards of a panel: one is repaired, tested and built into a box, the other scrapped."""
    floor = Floor()
    floor.says(
        "LOAD01",
        0,
        "Production.UnitsInitialized",
        {
            "WorkOrderIdentifier": {"WorkOrderId": "WO-7", "Batch": "WO-7-B1"},
            "PrimaryIdentifier": "PANEL-1",
            "TransactionID": None,
            "UnitCount": 2,
            "Units": places("SN-1", "SN-2"),
        },
    )
    floor.begins("PLACE01", 5, "SN-1", "SN-2", panel="PANEL-1")
    reel = {
        "UniqueIdentifier": "REEL-1",
        "InternalPartNumber": "11123-8897",
        "BatchId": "LOT-9",
        "Quantity": 887,
    }
    floor.says(
        "PLACE01",
        6,
        "Production.Assembly.MaterialsInstalled",
        {
            "TransactionId": work("PLACE01", "SN-1"),
            "InstalledMaterials": [
                {
                    "UnitIdentifier": "PANEL-1",
                    "UnitPositionNumber": position,
                    "QuantityInstalled": 2.0,
                    "QuantityNonInstalled": 0.0,
                    "Material": reel,
                    "InstalledComponents": [{"ReferenceDesignator": "R22"}, {"ReferenceDesignator": "R23"}],
                }
                for position in (1, 2)
            ],
        },
    )
    floor.ends("PLACE01", 7, "SN-1")
    for station, minute, method, result, defects in (
        ("SPI01", 10, "SPI", "Passed", ()),
        ("AOI01", 20, "AOI", "Failed", (TOMBSTONE,)),
    ):
        floor.begins(station, minute, "SN-1", "SN-2", panel="PANEL-1")
        floor.says(
            station,
            minute + 2,
            "Production.TestAndInspection.UnitsInspected",
            {
                "TransactionId": work(station, "SN-1"),
                "InspectionMethod": method,
                "Inspector": TESTER,
                "InspectedUnits": [
                    inspected("PANEL-1", 1, result, *defects),
                    inspected("PANEL-1", 2, "Passed"),
                ],
            },
        )
    floor.says(
        "REP01",
        30,
        "Production.ReworkAndRepair.UnitsRepaired",
        {
            "TransactionId": work("REP01", "SN-1"),
            "RepairOperator": TESTER,
            "RepairedUnits": [
                {
                    "UnitIdentifier": "SN-1",
                    "UnitPositionNumber": 1,
                    "OverallResult": "RepairSuccessful",
                    "Repairs": [
                        {
                            "UniqueIdentifier": "a604ed78-c314-48ab-b963-8111bf4d85ef",
                            "RepairName": "Component Replaced",
                            "RepairStartTime": at(28),
                            "RepairEndTime": at(29.5),
                            "Comments": "R22 placed by hand",
                            "ComponentOfInterest": {"ReferenceDesignator": "R22"},
                            "RelatedDefectIdentifiers": [TOMBSTONE["UniqueIdentifier"]],
                            "ReclassifiedDefects": [],
                            "RelatedSymptomIdentifiers": [],
                            "ReclassifiedSymptoms": [],
                            "Result": "RepairSuccessful",
                        }
                    ],
                }
            ],
        },
    )
    floor.begins("ICT01", 40, "SN-1", "SN-2", panel="PANEL-1")
    floor.says(
        "ICT01",
        41,
        "Production.ToolsUsed",
        {
            "TransactionId": work("ICT01", "SN-1"),
            "UsedTools": [
                {
                    "UnitIdentifier": unit,
                    "UnitPositionNumber": position,
                    "Tool": {"UniqueIdentifier": "FIX-7", "Name": "Bed of nails"},
                    "UsageCycles": 1,
                }
                for position, unit in enumerate(("SN-1", "SN-2"), start=1)
            ],
        },
    )
    floor.says(
        "ICT01",
        42,
        "Production.TestAndInspection.UnitsTested",
        {
            "TransactionId": work("ICT01", "SN-1"),
            "TestMethod": "ICT",
            "Tester": TESTER,
            "TestedUnits": [
                result_of("SN-1", 1, "Passed", 41, 3.31),
                result_of("SN-2", 2, "Failed", 41, 0.2),
            ],
        },
    )
    fault = {
        "Cause": "MechanicalFailure",
        "Severity": "Error",
        "FaultCode": "E-17",
        "FaultOccurrenceId": OCCURRENCE,
        "Description": "Drawer is stuck",
        "OccurredAt": at(50),
    }
    floor.says("FCT01", 50, "ResourcePerformance.FaultOccurred", {"Fault": fault})
    floor.says("FCT01", 50.1, "ResourcePerformance.StationStateChanged", {"OldState": 1100, "NewState": 5200})
    about = {"FaultOccurrenceId": OCCURRENCE, "Operator": TESTER}
    floor.says("FCT01", 51, "ResourcePerformance.FaultAcknowledged", about)
    floor.says("FCT01", 55, "ResourcePerformance.FaultCleared", about)
    floor.says(
        "FCT01",
        56,
        "ResourcePerformance.MaintenancePerformed",
        {
            "MaintenanceType": "Preventive",
            "MaintenanceOrderNumber": "MO-1",
            "MaintenanceJobCode": "DRAWER",
            "ConsumedMaterials": [],
            "Tasks": [{"Task": "Greased the drawer", "Operator": TESTER, "ManHoursConsumed": 0.25}],
        },
    )
    floor.says("FCT01", 57, "ResourcePerformance.StationStateChanged", {"OldState": 5200, "NewState": "1100"})
    floor.begins("FCT01", 60, "SN-1", recipe="BRD-A-FCT")
    floor.says(
        "FCT01",
        62,
        "Production.TestAndInspection.UnitsTested",
        {
            "TransactionId": work("FCT01", "SN-1"),
            "TestMethod": "FCT",
            "Tester": TESTER,
            "TestedUnits": [result_of("SN-1", 1, "Passed", 61, 3.32)],
        },
    )
    floor.ends("FCT01", 63, "SN-1")
    floor.begins("BOX01", 70, "BOX-1", recipe="BOX-FINAL")
    floor.says(
        "BOX01",
        71,
        "Production.Assembly.MaterialsInstalled",
        {
            "TransactionId": work("BOX01", "BOX-1"),
            "InstalledMaterials": [
                {
                    "UnitIdentifier": "BOX-1",
                    "UnitPositionNumber": 1,
                    "QuantityInstalled": 1.0,
                    "QuantityNonInstalled": 0.0,
                    "Material": {"UniqueIdentifier": None, "InternalPartNumber": "100-200", "Quantity": 0.0},
                    "InstalledComponents": [{"ReferenceDesignator": "A1", "InstalledUnitIdentifier": "SN-1"}],
                }
            ],
        },
    )
    floor.says(
        "BOX01",
        72,
        "Production.TestAndInspection.UnitsTested",
        {
            "TransactionId": work("BOX01", "BOX-1"),
            "TestMethod": "Automated",
            "Tester": TESTER,
            "TestedUnits": [result_of("BOX-1", 1, "Passed", 71.2, 3.3)],
        },
    )
    floor.ends("BOX01", 73, "BOX-1")
    floor.says(
        "LOAD01",
        80,
        "Production.UnitsDisqualified",
        {
            "Reason": "DefectiveRepairNotFeasible",
            "Comments": "Not worth it",
            "Units": [{"UnitIdentifier": "SN-2", "PositionNumber": 2}],
        },
    )
    return floor.told


REPORTS = """
type | unit | part | rev | process | result | station | start | seconds | program | operator | batch
T | SN-1 | 100-200 | C | 130 | P | SPI01 | 06:10:00 | 120 | BRD-A 3 | OP-7 | WO-7-B1
T | SN-2 | 100-200 | C | 130 | P | SPI01 | 06:10:00 | 120 | BRD-A 3 | OP-7 | WO-7-B1
T | SN-1 | 100-200 | C | 141 | F | AOI01 | 06:20:00 | 120 | BRD-A 3 | OP-7 | WO-7-B1
T | SN-2 | 100-200 | C | 141 | P | AOI01 | 06:20:00 | 120 | BRD-A 3 | OP-7 | WO-7-B1
R | SN-1 | 100-200 | C | 500 | P | REP01 | 06:28:00 | 90 | | OP-7 |
T | SN-1 | 100-200 | C | 30 | P | ICT01 | 06:41:00 | 30 | BRD-A 3 | OP-7 | WO-7-B1
T | SN-2 | 100-200 | C | 30 | F | ICT01 | 06:41:00 | 30 | BRD-A 3 | OP-7 | WO-7-B1
T | SN-1 | 100-200 | C | 60 | P | FCT01 | 07:01:00 | 30 | BRD-A-FCT 3 | OP-7 | WO-7-B1
T | BOX-1 | 900-100 | A | 100 | P | BOX01 | 07:11:12 | 30 | BOX-FINAL 3 | OP-7 |
"""

BUILT_IN = """
report     | told as  | part       | serial or lot | where
SN-1 130   | lot      | 11123-8897 | LOT-9         | R22, R23
SN-2 130   | lot      | 11123-8897 | LOT-9         | R22, R23
BOX-1 100  | sub-unit | 100-200    | SN-1          |
"""

REPAIRED = """
in  | category  | code      | component | part       | comment                                | shown by
141 | Component | Tombstone | R22       | 11123-8897 | Component Replaced. R22 placed by hand | TMBSTN211 R22
"""

UNITS = """
serial | part    | rev | phase            | process | parent | batch
SN-1   | 100-200 | C   | Finalized        | 60      | BOX-1  | WO-7-B1
SN-2   | 100-200 | C   | Scrapped         | 30      |        | WO-7-B1
BOX-1  | 900-100 | A   | Finalized        | 100     |        |
"""

ASSETS = """
serial  | type    | state        | total | running | maintained | part of
LINE-L1 | Line    | In operation | 0     | 0       |            |
ICT01   | Station | In operation | 2     | 2       |            |
FIX-7   | Fixture | In operation | 2     | 2       |            | ICT01
FCT01   | Station | In operation | 1     | 1       | 06:56:00   | LINE-L1
"""

LOG = """
asset | line
FCT01 | Fault E-17 Error MechanicalFailure Drawer is stuck [1610b591] 2026-03-05T06:50:00+00:00
FCT01 | Fault E-17 acknowledged after 0:01:00 by OP-7 [1610b591] 2026-03-05T06:51:00+00:00
FCT01 | Fault E-17 cleared after 0:05:00 by OP-7 [1610b591] 2026-03-05T06:55:00+00:00
FCT01 | Maintenance MO-1 DRAWER - Greased the drawer, 0.25 h, OP-7 2026-03-05T06:56:00+00:00
FCT01 | Count reset after maintenance MO-1 2026-03-05T06:56:00+00:00
"""


def table(text: str) -> list[tuple[str, ...]]:
    """Read a table: its rows without the head."""
    rows = [tuple(cell.strip() for cell in line.split("|")) for line in text.strip().splitlines()]
    return rows[1:]


def cells(*values: Any) -> tuple[str, ...]:
    return tuple("" if value is None else str(value) for value in values)


def clock(moment: Any) -> str | None:
    when = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return when.astimezone(UTC).strftime("%H:%M:%S") if when else None


FAILURE = ("category", "code", "comRef", "artNumber", "comment")


class Account:
    """What WATS holds, in the form of the tables."""

    def __init__(self, api: AsyncWATS) -> None:
        self.api = api

    async def wsjf(self) -> list[dict[str, Any]]:
        """All reports in the order of their starts and units."""
        headers = await self.api.report.query_headers(top=100, orderby="start")
        found = [await self.api.report.get(str(header.uuid)) for header in headers]
        return sorted((each for each in found if each), key=lambda each: (each["start"], each["sn"]))

    async def reports(self) -> list[tuple[str, ...]]:
        """Heads of the reports."""
        return [_head(report) for report in await self.wsjf()]

    async def built_in(self) -> list[tuple[str, ...]]:
        """What reports tell of material."""
        rows = []
        for report in await self.wsjf():
            name = f"{report['sn']} {report['processCode']}"
            if report["type"] == "T":
                parts = report.get("subUnits", ())
                rows += [cells(name, "sub-unit", part["pn"], part["sn"], None) for part in parts]
            for group in report.get("additionalData", ()):
                for lot in group["props"]:
                    said = {prop["name"]: prop["value"] for prop in lot["props"]}
                    rows.append(cells(name, "lot", said["part_number"], said["lot"], said["designators"]))
        return rows

    async def repaired(self) -> list[tuple[str, ...]]:
        """The failures of repair reports, each with the step of the failed report that shows it."""
        reports = {report["id"]: report for report in await self.wsjf()}
        rows = []
        for report in reports.values():
            if report["type"] == "R":
                failed = reports[report["uur"]["refUUT"]]
                assert failed["sn"] == report["sn"]
                for each in report["subUnits"][0]["failures"]:
                    shown = _step(failed["root"], each["refStepId"])
                    rows.append(
                        cells(
                            report["uur"]["processCode"],
                            *(
                                each.get(name)
                                for name in ("category", "code", "comRef", "artNumber", "comment")
                            ),
                            shown["name"],
                        )
                    )
        return rows

    async def units(self) -> list[tuple[str, ...]]:
        """The units of the life."""
        rows = []
        for serial in ("SN-1", "SN-2", "BOX-1"):
            unit = await self.api.production.get_unit(serial)
            assert unit is not None
            told = (unit.part_number, unit.revision, unit.unit_phase, unit.process_code)
            rows.append(cells(serial, *told, unit.parent_serial_number, unit.batch_number))
        return rows

    async def assets(self) -> list[tuple[str, ...]]:
        """The assets, each with its type's name."""
        types = {each.type_id: each.type_name for each in await self.api.asset.get_asset_types()}
        rows = []
        for serial in ("LINE-L1", "ICT01", "FIX-7", "FCT01"):
            asset = await self.api.asset.get_asset(serial_number=serial)
            assert asset is not None
            state = {1: "In operation", 3: "In maintenance"}.get(int(asset.state or 0), str(asset.state))
            counts = (asset.total_count or 0, asset.running_count or 0)
            maintained = clock(asset.last_maintenance_date)
            kind = types[asset.type_id]
            rows.append(cells(serial, kind, state, *counts, maintained, asset.parent_serial_number))
        return rows

    async def log(self) -> list[tuple[str, ...]]:
        """The lines that the bridge wrote, oldest first, without the mark that each one ends with."""
        found = await self.api.asset.get_asset_log(top=1000)
        lines = [(line.serial_number, line.message) for line in reversed(found) if " #" in line.message]
        return [cells(serial, message.rpartition(" #")[0]) for serial, message in lines]

    async def everything(self) -> dict[str, Any]:
        """All of it, but the log."""
        return {
            "reports": await self.wsjf(),
            "units": await self.units(),
            "assets": await self.assets(),
        }


def _head(report: dict[str, Any]) -> tuple[str, ...]:
    about = report.get("uut") or report.get("uur") or {}
    call = report["root"]["seqCall"] if "root" in report else {}
    program = f"{call['name']} {call['version']}" if call else ""
    assert (report["location"], report["purpose"]) == ("L1", "Production")
    return cells(
        *(report[name] for name in ("type", "sn", "pn", "rev", "processCode", "result", "machineName")),
        clock(report["start"]),
        round(about["execTime"]),
        program,
        about.get("user"),
        about.get("batchSN"),
    )


def _step(step: dict[str, Any], number: int) -> dict[str, Any]:
    waiting = [step]
    while waiting:
        here = waiting.pop()
        if here["id"] == number:
            return here
        waiting += here.get("steps", ())
    raise AssertionError(f"no step has the id {number}")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[AsyncWATS]:
    """An account with the types of assets, and a box whose build asks for one board."""
    async with LocalWATS(tmp_path / "wats.sqlite") as server:
        once = RetryConfig(max_attempts=1)
        async with AsyncWATS(server.url, "any", requests_per_minute=None, retry_config=once) as client:
            for name in ("Station", "Line", "Fixture"):
                if not await client.asset.get_asset_types(f"typeName eq '{name}'"):
                    await client.asset.create_asset_type(name)
            parts = (("100-200", "C"), ("900-100", "A"))
            await client.product.bulk_save_products([Product(part_number=part) for part, _ in parts])
            await client.product.bulk_save_revisions(
                [ProductRevision(part_number=part, revision=revision) for part, revision in parts]
            )
            async with await client.product.get_box_build_template("900-100", "A") as template:
                template.add_subunit("100-200", "C")
            yield client


AT_ONCE = DeliverySettings(initial_delay=0, max_delay=0, max_retries=100, failure_threshold=100_000)


async def turn(api: AsyncWATS, **knobs: Any) -> None:
    """Turn knobs of the server."""
    async with httpx.AsyncClient(base_url=api.base_url) as local:
        (await local.patch("/local/knobs", json=knobs)).raise_for_status()


async def tell(
    api: AsyncWATS, *messages: bytes, times: int = 1, delivery: DeliverySettings | None = None
) -> None:
    """Let a bridge of its own, with a journal of its own, have messages one by one; none may be left over."""
    transport = MockTransport(adapter=cfx_adapter)
    client = AsyncWATS(
        api.base_url, "any", requests_per_minute=None, retry_config=RetryConfig(max_attempts=1)
    )
    bridge = Bridge(
        api=client,
        transports=(transport,),
        rules=Rules.model_validate(RULES),
        delivery=delivery or DeliverySettings(),
    )
    async with bridge:
        for message in messages * times:
            await transport.inject_message_async(RawMessage(message))
            assert await bridge.bus.drain(timeout=30)
        dead = await bridge.journal.search(Query(states=(DeliveryState.DEAD,)))
        assert [(entry.handler, entry.reason) for entry in dead] == []


async def test_the_life_of_a_board(api: AsyncWATS) -> None:
    """Everything in WATS is what an engineer would have entered by hand."""
    await tell(api, *life())
    account = Account(api)
    assert await account.reports() == table(REPORTS)
    assert await account.built_in() == table(BUILT_IN)
    assert await account.repaired() == table(REPAIRED)
    assert await account.units() == table(UNITS)
    assert await account.assets() == table(ASSETS)
    assert await account.log() == table(LOG)


async def test_each_message_twice(api: AsyncWATS) -> None:
    """A bridge that gets its whole day again, message by message, adds nothing at all, not even a line."""
    await tell(api, *life(), times=2)
    account = Account(api)
    assert await account.reports() == table(REPORTS)
    assert await account.units() == table(UNITS)
    assert await account.assets() == table(ASSETS)
    assert await account.log() == table(LOG)


async def test_the_whole_life_again(api: AsyncWATS) -> None:
    """A bridge that lost its journal changes nothing but the log, whose repeats bear the same event id."""
    await tell(api, *life())
    account = Account(api)
    before = await account.everything()
    await tell(api, *life())
    assert await account.everything() == before
    lines = await account.log()
    assert set(lines) == set(table(LOG))
    assert {lines.count(line) for line in lines} == {1, 2}  # what moves dates and counts is there once
    found = await api.asset.get_asset_log(top=1000)
    marks = {line.message.rpartition(" #")[2] for line in found if line.message.startswith("Fault ")}
    assert len(marks) == len([line for line in table(LOG) if line[1].startswith("Fault ")])


async def test_an_account_without_the_asset_module(api: AsyncWATS) -> None:
    """What WATS refuses to the handlers of assets holds up no report and no unit."""
    reject = {"count": 1000, "status": 403, "text": "The asset module is not licensed.", "path": "/api/Asset"}
    await turn(api, reject=reject)
    await tell(api, *life())
    account = Account(api)
    assert await account.reports() == table(REPORTS)
    assert await account.units() == table(UNITS)


@pytest.mark.parametrize("status", [500, 0])
async def test_answers_that_are_lost(api: AsyncWATS, status: int) -> None:
    """A third of all calls fail after WATS has done its work; each thing, and each line, is there once."""
    await turn(api, error_rate=0.35, error_status=status, errors_after_work=True, seed=2)
    await tell(api, *life(), delivery=AT_ONCE)
    await turn(api, error_rate=0)
    account = Account(api)
    assert await account.reports() == table(REPORTS)
    assert await account.built_in() == table(BUILT_IN)
    assert await account.repaired() == table(REPAIRED)
    assert await account.units() == table(UNITS)
    assert await account.assets() == table(ASSETS)
    assert await account.log() == table(LOG)
