"""The examples of the asset document, run as they stand against a local server.

Their module name is put in place of the document's, the address of the server too, and the imports they
leave out are given: nothing else is changed.
"""

import asyncio
import inspect
import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from pywats_api import ErrorMode, pyWATS
from pywats_api.server.asset_store import DEFAULT_TYPES

from .conftest import SAMPLES, TOKEN

DOCUMENT = SAMPLES.parent / "seeds" / "pywats-asset-domain.md"
MISSING = f"{DOCUMENT.name} is not beside the checkout, in ../shared/seeds"
# What the document means by "...": any further arguments, and a serial number.
ELLIPSES = {", ...)": ")", '"..."': '"DMM-001"'}
CSV = (
    "serial_number,name,type,location,description,part_number,revision\n"
    "DMM-001,Keithley 2000,Instrument,Lab A,6.5 digit DMM,2000,1.0\n"
    "SCOPE-77,Rigol DS1054Z,Instrument,Lab A,4-ch 50MHz,DS1054Z,1.0\n"
    "X-1,Unknown thing,No such type,,,,\n"
)


def examples():
    """Title -> code of each example, in the order of the document."""
    if not DOCUMENT.exists():
        return {}
    found = {}
    title = "?"
    for heading, code in re.findall(
        r"^#{2,4} +([^\n]+)$|^```python\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL
    ):
        if heading:
            title = heading
        else:
            name = title if title not in found else f"{title} (2)"
            found[name] = code
    return found


EXAMPLES = examples()
# What an example must have done, seen by a client of our own; those not listed only have to run.
OUTCOMES = {}


def outcome_of(title):
    def register(check):
        OUTCOMES[title] = check
        return check

    return register


def runnable(code, url):
    """An example with our names and our server in it."""
    code = re.sub(r"\b(from|import) pywats\b", r"\1 pywats_api", code)
    for said, meant in ELLIPSES.items():
        code = code.replace(said, meant)
    return code.replace("https://your-wats-server.com", url)


def furnish(api):
    """The factory that the examples take for granted."""
    dmm = api.asset.create_asset_type("DMM", calibration_interval=365, running_count_limit=1000)
    for name in ("Station", "Instrument", "Fixture"):
        assert DEFAULT_TYPES[name]
    station, instrument = DEFAULT_TYPES["Station"], DEFAULT_TYPES["Instrument"]
    for serial in ("ICT-STATION-01", "FVT-STATION-05", "THERMAL-CHAMBER-01"):
        api.asset.create_asset(serial, station, asset_name=serial.title(), location="Lab A")
    api.asset.create_asset(
        "DMM-001", dmm.type_id, asset_name="Multimeter", parent_serial_number="ICT-STATION-01"
    )
    for serial in ("SCOPE-001", "SCOPE-12345", "OLD-DMM-001", "PSU-1"):
        api.asset.create_asset(serial, instrument, asset_name=serial)
    today = datetime.now(UTC)
    for serial, days in (("PSU-1", -3), ("SCOPE-12345", 5), ("THERMAL-CHAMBER-01", 45)):
        span = {"from_date": today - timedelta(days=90), "to_date": today + timedelta(days=days, hours=1)}
        api.asset.record_calibration_external(serial_number=serial, **span)
        api.asset.record_maintenance_external(serial_number=serial, **span)
    from pywats_api import Asset

    fixed = Asset(
        asset_id="550e8400-e29b-41d4-a716-446655440000", serial_number="BY-ID", type_id=instrument, state=1
    )
    api.asset.update_asset(fixed)
    asset = api.asset.get_asset_by_serial("DMM-001")
    for name in ("Calibration_Certificate_2024-06-15.pdf", "old_manual.pdf", "outdated_config.json"):
        api.asset.upload_blob(asset.asset_id, name, b"content")
    types = api.asset.get_asset_types()
    return {
        "api": api,
        "asset": asset,
        "instrument_type": next(entry for entry in types if entry.type_name == "Instrument"),
        "station_type": next(entry for entry in types if entry.type_name == "Station"),
    }


@pytest.mark.skipif(not EXAMPLES, reason=MISSING)
@pytest.mark.parametrize("title", EXAMPLES)
async def test_example_of_the_document_runs(server, tmp_path, monkeypatch, capsys, title):
    """The example runs to its end, and did what it is about."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "calibration_cert.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / "assets.csv").write_text(CSV)

    def run():
        mode = ErrorMode.LENIENT if title == "Serial Number Lookup with Error Handling" else ErrorMode.STRICT
        with pyWATS(server.url, TOKEN, error_mode=mode) as api:
            names = furnish(api) | {"asyncio": asyncio, "json": json, "__name__": "example"}
            capsys.readouterr()
            exec(compile(runnable(EXAMPLES[title], server.url), title, "exec"), names)  # noqa: S102
            if names["api"] is not api:
                names["api"].close()
            check = OUTCOMES.get(title)
            if check is not None:
                given = {"api": api, "names": names, "said": capsys.readouterr().out}
                check(**{name: given[name] for name in inspect.signature(check).parameters})

    await asyncio.to_thread(run)


@pytest.mark.skipif(not EXAMPLES, reason=MISSING)
def test_outcomes_are_of_examples_that_exist():
    """No outcome is looked for in an example that the document does not have."""
    assert set(OUTCOMES) <= set(EXAMPLES)
    assert len(EXAMPLES) > 40


@outcome_of("Synchronous Usage")
def _(api):
    assert api.asset.get_asset_by_serial("SCOPE-12345").asset_name == "Oscilloscope Rigol DS1054Z"


@outcome_of("Asynchronous Usage")
def _(said):
    assert re.fullmatch(r"Types: \d+, Assets: 9\n", said)


@outcome_of("List All Assets")
def _(names):
    assert len(names["active_assets"]) == 9
    assert len(names["lab_assets"]) == 3


@outcome_of("Get Specific Asset")
def _(said):
    assert "Asset: Multimeter" in said


@outcome_of("Create New Asset")
def _(api):
    scope = api.asset.get_asset_by_serial("SCOPE-001")
    assert (scope.part_number, scope.total_count, scope.running_count) == ("DS1054Z", 0, 0)


@outcome_of("Update Existing Asset")
def _(api):
    assert api.asset.get_asset_by_serial("DMM-001").location == "Lab C"


@outcome_of("Delete Asset")
def _(api, said):
    assert said == "Asset deleted\n"
    assert api.asset.get_assets("serialNumber in ('OLD-DMM-001','BY-ID')") == []


@outcome_of("Create Asset Type")
def _(names):
    kind = names["new_type"]
    assert (kind.warning_threshold, kind.alarm_threshold, kind.total_count_limit) == (80, 100, 50000)


@outcome_of("Get Assets by Type")
def _(names):
    assert len(names["stations"]) == 3


@outcome_of("Create Asset with Parent")
def _(api):
    assert api.asset.get_asset_by_serial("DMM-123").parent_serial_number == "ICT-STATION-01"


@outcome_of("Add Child to Existing Asset")
def _(api):
    assert [asset.serial_number for asset in api.asset.get_child_assets(parent_serial="ICT-STATION-01")] == [
        "DMM-001",
        "PSU-456",
    ]


@outcome_of("Get Asset Status")
def _(said):
    assert "In Alarm: False" in said
    assert "Count percentage: 0.0%" in said


@outcome_of("Get Asset State")
def _(said):
    assert said == "Asset is operating normally\n"


@outcome_of("Increment Count")
def _(said, api):
    assert said == "Total count: 2\nRunning count: 2\n"
    assert api.asset.get_asset_by_serial("ICT-STATION-01").total_count == 6


@outcome_of("Reset Running Count")
def _(said):
    assert "after reset: 0" in said


@outcome_of("Set Running Count (WATS 25.3)")
def _(said):
    assert said == "Running count: 500\n"


@outcome_of("Set Total Count (WATS 25.3)")
def _(said):
    assert said == "Total count: 10000\n"


@outcome_of("Record Calibration")
def _(api):
    asset = api.asset.get_asset_by_serial("DMM-001")
    assert asset.next_calibration_date - asset.last_calibration_date == timedelta(days=365)


@outcome_of("External Calibration (WATS 25.3)")
def _(names):
    asset = names["asset"]
    assert asset.next_calibration_date == names["to_date"]


@outcome_of("External Maintenance (WATS 25.3)")
def _(names):
    assert names["asset"].next_maintenance_date == names["to_date"]


@outcome_of("Check Calibration Due")
def _(said):
    assert "SCOPE-12345 - Due in 5 days" in said
    assert "PSU-1" not in said


@outcome_of("Calibration Reminder Report")
def _(said):
    assert "OVERDUE (1 assets)" in said
    assert "PSU-1: 2 days overdue" in said
    assert "SCOPE-12345: 5 days" in said
    assert "Thermal-Chamber-01: 45 days" in said


@outcome_of("Maintenance Schedule")
def _(said):
    assert "SCOPE-12345 (SCOPE-12345): 5 days" in said


@outcome_of("Get Asset Logs")
def _(names):
    assert len(names["recent_logs"]) == min(50, len(names["logs"]))
    assert {line.serial_number for line in names["dmm_logs"]} == {"DMM-001", "OLD-DMM-001"}


@outcome_of("Add Log Message")
def _(api, said):
    assert said == "Log entry added\n"
    assert "Repaired faulty input connector" in api.asset.get_asset_log("type eq 0")[0].message


@outcome_of("List Asset Files")
def _(said):
    assert "  - old_manual.pdf (7 bytes)" in said


@outcome_of("Download File from Asset")
def _(said):
    assert said == "File downloaded\n"


@outcome_of("Delete Files")
def _(api, names):
    left = [file["filename"] for file in api.asset.list_blobs(names["asset"].asset_id)]
    assert left == ["Calibration_Certificate_2024-06-15.pdf"]


@outcome_of("Complete Station Setup")
def _(api, said):
    assert "set up with 4 child assets" in said
    assert len(api.asset.get_child_assets(parent_serial="FVT-STATION-05")) == 4


@outcome_of("Asset Health Dashboard")
def _(said):
    assert "Calibration overdue: 1" in said
    assert "PSU-1: 2 days overdue" in said


@outcome_of("Bulk Import Assets")
def _(said):
    assert "Imported 2 assets" in said
    assert "Warning: Unknown type 'No such type'" in said


@outcome_of("Usage Tracking with Automatic Counts")
def _(api):
    assert api.asset.get_asset_by_serial("FVT-STATION-05").running_count == 1


@outcome_of("Serial Number Lookup with Error Handling")
def _(said, names):
    assert "Found: Multimeter" in said
    look_up = names["safe_asset_lookup"]
    api = names["api"]
    assert look_up(api, "dmm-001")["note"] == "Found via case-insensitive search"
    assert look_up(api, "SCOPE")["error_type"] == "PARTIAL_MATCH"
    assert look_up(api, "nothing like it")["error_type"] == "NOT_FOUND"


@outcome_of("Deep Asset Hierarchy Traversal")
def _(said):
    assert "Total equipment: 1" in said


@outcome_of("Concurrent Bulk Asset Operations")
def _(said, api):
    assert "Created station with 6 assets" in said
    assert len(api.asset.get_child_assets(parent_serial="ICT-STATION-10")) == 5


@outcome_of("Post-Maintenance Workflow")
def _(api):
    types = [line.log_type for line in api.asset.get_asset_log("serialNumber eq 'ICT-STATION-01'", top=3)]
    assert types == [0, 3, 5]
