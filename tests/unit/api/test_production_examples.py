"""The examples of the documents on production, products, processes and tickets run as they stand."""

import asyncio
import contextlib
import shutil
import sqlite3
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

import pywats_api
from pywats_api import BomItem, ErrorMode, Product, ProductRevision, TicketPriority, Unit, pyWATS
from pywats_api.server import DEFAULT_PROCESSES, LocalWATS, process

from .conftest import TOKEN, make_report
from .documents import MISSING, examples

pytestmark = pytest.mark.skipif(not examples(), reason=MISSING)

EXAMPLES = examples()
_PRINTED = "lost its indentation, a character or its other half when it was printed, so it is no Python"
_SIGNATURE = "a signature in the text, no example"
_NO_ROUTE = "WATS has no route for categories of products"
LEFT_OUT = {
    **dict.fromkeys(
        [
            "process: For concurrent requests and better performance:",
            "process: Get Repair Operations",
            "process: List All Operations",
            "process: Check Cache Status",
            "process: Validation Helper",
            "process: Process Type Report",
            "process: Find Operations by Prefix",
            "process: Operation Usage Tracking",
            "process: Cached Access Pattern",
            "process: Operation Type Filtering with Validation",
            "process: Operation Type Filtering with Validation (2)",
            "process: Smart Process Cache with Prefetch",
            "process: Smart Process Cache with Prefetch (2)",
            "process: Test Workflow with Operation Validation",
            "process: Test Workflow with Operation Validation (2)",
            "process: Test Workflow with Operation Validation (3)",
            "product: For concurrent requests and better performance:",
            "product: List Product Revisions",
            "product: List Vendors",
            "product: Product Family Management",
            "product: Migration/Import Helper",
            "production: Synchronous Usage",
            "production: For concurrent requests and better performance:",
            "production: For concurrent requests and better performance: (2)",
            "production: Allocate Serial Numbers",
            "production: Complete Production Workflow (2)",
            "production: Repair Workflow",
            "production: Repair Workflow (2)",
            "production: Batch Production Tracking (2)",
            "root cause: Priority Report",
            "root cause: Combined Search",
            "root cause: Find Tickets for Part Number",
            "root cause: Ticket Dashboard (4)",
            "process guide: Pattern 3: Process Code Lookup Table",
        ],
        _PRINTED,
    ),
    **dict.fromkeys(
        [
            "product: **Important:** This is a DESIGN-TIME definition. To attach a",
            "box build guide: - Child must not already have a parent (2)",
            "box build guide: - revision_mask : Acceptable revisions pattern (optional)",
            "box build guide: Check if assembly matches box build template. (2)",
            "box build guide: Get or create a box build template. (2)",
            "box build guide: Remove a subunit from the template. (2)",
        ],
        _SIGNATURE,
    ),
    "product: Get Product Categories": _NO_ROUTE,
    "product: Assign Categories to Product": _NO_ROUTE,
    "guide: 2. Verify Before Finalizing": "its branches hold comments only, so it is no Python",
    "root cause guide: 2. Link to Reports": "leaves arguments out as ..., so it is no Python",
    "product: Revision creation fails": "leaves arguments out as ...",
    "product guide: Pattern 1: Product Setup Workflow": "leaves the bill of materials out as ...",
    "product guide: 3. Revision States": "spells the states otherwise than all other examples",
    "process: Using Processes in Production": "imports a model UnitInfo that no document describes",
    "process: Using Processes in Reports": "is about the models of reports, which have tests of their own",
    "production: Set Unit Phase": "names phases ICT and 123, of an account with phases of its own",
    "production: Acknowledge Unit Change": "names a change by an id that stands for one of a real account",
}
# What examples have to say when they are through, where that tells whether they did what they are about.
SAYS = {
    "guide: Quick Start": "Passing: True",
    "guide: 1. Verify Unit Status": "Grade: Passed\nPassing: True\nFailed Steps: 0\nAll tests passed",
    "guide: 1. Verify Assembly (Box Build)": "Complete: False\nMissing parts: 2\n  - PCBA-200 at index 0",
    "guide: 2. Build Assembly": "Assembly complete!",
    "guide: 1. Get Change History": "Phase: Under production",
    "production: Complete Assembly Workflow": "Assembly complete",
    "production: Remove Child from Assembly": "Child removed from assembly",
    "product: Get BOM": "Reference: R1,R2",
    "product: Add Subunits to Template": "Template updated with 5 subunits",
    "process: Synchronous Usage": "Code: 30",
    "root cause: Get Ticket by ID": "Ticket #12345: The one that the examples ask for",
    "root cause guide: 2. Get Single Ticket": "Assignee: local",
    "box build guide: Attach child units to the parent:": "Child successfully added to assembly!",
}
# Examples that make what the factory has already, and so want an empty account.
BARE = {
    "box build guide: First, create the parent and child products with revisions:",
}
# A revision that an example makes, and others need.
MADE_LATER = {"product: Create New Revision": ("WIDGET-001", "C")}
# Units that are built in before: parent, its part number, child, its part number.
BUILT = {
    "guide: 3. Disassemble": ("MODULE-SN-001", "MODULE-100", "PCBA-SN-126", "PCBA-200"),
    "production: Remove Child from Assembly": ("MODULE-001", "MAIN-MODULE", "PCBA-12345", "PCBA-BOARD"),
    "box build guide: Detach a child unit from a parent.": (
        "CTRL-SN-001",
        "CTRL-100",
        "PSU-SN-456",
        "PSU-200",
    ),
}

PARTS = [
    "PART-001",
    "PART-002",
    "WIDGET-001",
    "MAIN-MODULE",
    "PCBA-BOARD",
    "POWER-SUPPLY",
    "CABLE-ASSY",
    "MODULE-100",
    "PCBA-200",
    "PCBA-201",
    "MAIN-ASSEMBLY",
    "PCBA-001",
    "PSU-MODULE",
    "ENCLOSURE",
    "LAPTOP-X1",
    "MOTHERBOARD",
    "SCREEN-15INCH",
    "KEYBOARD-US",
    "BATTERY-PACK",
    "RAM-8GB",
    "SSD-512GB",
    "ASSEMBLY-001",
    "NEW-PART",
    "OLD-WIDGET",
    "CTRL-100",
    "PSU-200",
    "SENSOR-300",
    "PART",
    "OLD-PART",
    "PCBA-100",
    "PCBA-CONTROL",
    "PCBA-POWER",
    "FAN-ASSEMBLY",
]
PROCESSES = (
    *(entry for entry in DEFAULT_PROCESSES if entry["code"] != 60),
    process(60, "FCT", index=85),
    process(520, "Rework", "repair"),
)
# Those that examples make are left to them.
REVISIONS = {"PART-001": "A"}
UNITS = {
    "WIDGET-001": "SN-12345 WIDGET-12345 SN-001 SN-002 SN-003",
    "PCBA-200": "PCBA-SN-123 PCBA-SN-124 PCBA-SN-125 PCBA-SN-126",
    "PCBA-BOARD": "PCBA-12345 PCBA-7",
    "MODULE-100": "MODULE-SN-001 MODULE-SN-002",
    "MAIN-MODULE": "MODULE-7 MODULE-001",
    "CTRL-100": "CTRL-SN-001",
    "PSU-200": "PSU-SN-456 PSU-SN-7",
}
FINAL = ("PCBA-200", "PCBA-BOARD", "PSU-200")
TEMPLATES = {
    "MODULE-100": [("PCBA-200", "A", 2)],
    "MAIN-MODULE": [("PCBA-BOARD", "A", 2)],
    "CTRL-100": [("PSU-200", "A", 2)],
    "MAIN-ASSEMBLY": [("PCBA-001", "A", 1), ("CABLE-ASSY", "C", 3), ("OLD-PART", "A", 1)],
}
NAMES = {
    "time": time,
    "datetime": datetime,
    "serial_number": "SN-12345",
    "sn": "SN-12345",
    "serial_numbers": ["SN-001", "SN-002"],
    "pcba_serials": ["PCBA-SN-123", "PCBA-SN-124"],
    "pcba1": "PCBA-SN-125",
    "pcba2": "PCBA-SN-126",
    "module_sn": "MODULE-SN-002",
    "child_sn": "PCBA-7",
    "child_pn": "PCBA-BOARD",
    "child_rev": "A",
    "parent_pn": "MAIN-MODULE",
    "parent_rev": "A",
    "old_parent_sn": "MODULE-7",
    "old_parent_pn": "MAIN-MODULE",
    "parent_serial": "CTRL-SN-001",
    "parent_part": "CTRL-100",
    "child_serial": "PSU-SN-7",
    "child_part": "PSU-200",
    "part_number": "CTRL-100",
    "revision": "A",
    "code": 30,
    "process_code": 30,
    "need_fresh_data": True,
    "bom_items": [{"part_number": "RES-10K", "quantity": 2}],
}


@pytest.fixture(scope="module")
def factory(tmp_path_factory):
    """The database of a factory that has what the examples take for granted."""
    path = tmp_path_factory.mktemp("factory") / "wats.sqlite"

    async def build():
        async with LocalWATS(path, processes=PROCESSES) as server:
            await asyncio.to_thread(furnish, server.url)

    asyncio.run(build())
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE tickets SET number = 12345")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def furnish(url):
    with httpx.Client(base_url=url) as admin, pyWATS(url, TOKEN) as api:
        for group in ("Electronics", "New Products"):
            admin.put("/local/product-groups", json={"name": group}).raise_for_status()
        rule = {"partNumber": "WIDGET-001", "processes": [30, 60]}
        admin.put("/local/verification-rules", json=rule).raise_for_status()
        api.product.bulk_save_products([Product(part_number=part, name=part.title()) for part in PARTS])
        api.product.bulk_save_revisions(
            [
                ProductRevision(part_number=part, revision=name)
                for part in PARTS
                for name in REVISIONS.get(part, "ABC")
            ]
        )
        for parent, lines in TEMPLATES.items():
            template = api.product.get_box_build_template(parent, "A")
            for part, revision, quantity in lines:
                template.add_subunit(part, revision, quantity)
            template.save()
        for part, serials in UNITS.items():
            phase = 16 if part in FINAL else 2
            api.production.create_units(
                [
                    Unit(serial_number=serial, part_number=part, revision="A", unit_phase_id=phase)
                    for serial in serials.split()
                ]
            )
        api.production.add_child_to_assembly("MODULE-7", "MAIN-MODULE", "PCBA-7", "PCBA-BOARD")
        start = datetime.now(UTC) - timedelta(hours=1)
        for serial, process_code in (("SN-12345", 30), ("SN-12345", 60), ("WIDGET-12345", 30)):
            api.report.submit(make_report(pn="WIDGET-001", sn=serial, process_code=process_code, start=start))
        ticket = api.rootcause.create_ticket("The one that the examples ask for", assignee="local")
        assert ticket.id == 1
        for part in ("WIDGET-001", "ASSEMBLY-001", "NEW-PART", "PART-001"):
            api.product.update_bom(part, "A", [BomItem(part_number="RES-10K", reference_designator="R1,R2")])


def given(api):
    """The names that the examples do not define."""
    tickets = [
        api.rootcause.create_ticket(f"ICT failures {number}", TicketPriority.HIGH, assignee="local")
        for number in (1, 2)
    ]
    for ticket in tickets:
        api.rootcause.change_status(ticket.ticket_id, pywats_api.TicketStatus.SOLVED)
    report = api.report.get_headers_by_serial("SN-12345")[0].uuid
    return {
        **{name: getattr(pywats_api, name) for name in pywats_api.__all__},
        **NAMES,
        "__name__": "example",
        "api": api,
        "process": api.process.get_process(30),
        "product": api.product.get_product("NEW-PART"),
        "template": api.product.get_box_build_template("MAIN-ASSEMBLY", "A"),
        "ticket": tickets[0],
        "ticket_id": tickets[0].ticket_id,
        "ticket_id1": tickets[0].ticket_id,
        "ticket_id2": tickets[1].ticket_id,
        "report_id": report,
        "failing_report_id": report,
    }


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in LEFT_OUT])
async def test_example_runs(factory, tmp_path, monkeypatch, capsys, name):
    """The example runs to its end, and says what it should."""
    monkeypatch.chdir(tmp_path)
    database = tmp_path / "wats.sqlite"
    if name not in BARE:
        shutil.copy(factory, database)
        with contextlib.closing(sqlite3.connect(database)) as connection, connection:
            connection.execute(
                "DELETE FROM product_revisions WHERE part_number = ? AND revision = ?",
                MADE_LATER.get(name, ("", "")),
            )

    def run(url):
        # As the documents ask "if not unit", and so on, nothing that is missing raises.
        with pyWATS(url, TOKEN, error_mode=ErrorMode.LENIENT) as api:
            names = {"api": api} if name in BARE else given(api)
            if name in BUILT:
                api.production.add_child_to_assembly(*BUILT[name])
            exec(compile(EXAMPLES[name].runnable(url), name, "exec"), names)  # noqa: S102
            if names["api"] is not api:
                names["api"].close()

    async with LocalWATS(database, processes=PROCESSES) as server:
        await asyncio.to_thread(run, server.url)
    assert SAYS.get(name, "") in capsys.readouterr().out


def test_what_is_left_out_exists():
    """Each example that is left out is one of the documents', with its reason."""
    assert set(LEFT_OUT) <= set(EXAMPLES)
    assert set(SAYS) | BARE | set(BUILT) | set(MADE_LATER) <= set(EXAMPLES) - set(LEFT_OUT)
    assert all(LEFT_OUT.values())
    assert len(EXAMPLES) - len(LEFT_OUT) > 150
