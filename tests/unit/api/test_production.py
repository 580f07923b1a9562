"""Units: known by themselves or by their reports, in a phase and an operation, verified against a rule."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from pywats_api import (
    ErrorMode,
    NotFoundError,
    Product,
    ProductRevision,
    Unit,
    UnitPhaseFlag,
    ValidationError,
    pyWATS,
)
from pywats_api.unit_phases import phase_name

from .conftest import TOKEN, make_client, make_report

START = datetime(2026, 1, 30, 10, 0, tzinfo=UTC)
ICT, FUNCTIONAL = 30, 60


@pytest.fixture
async def http(server):
    headers = {"Authorization": f"Basic {TOKEN}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers) as client:
        yield client


@pytest.fixture(autouse=True)
async def products(api):
    """The products that the units here are of."""
    await api.product.bulk_save_products([Product(part_number=part) for part in ("P1", "P2", "B", "C")])
    await api.product.bulk_save_revisions(
        [ProductRevision(part_number="P1", revision=revision) for revision in "ABC"]
    )


async def rule(http, *codes, part="P1"):
    return await http.put("/local/verification-rules", json={"partNumber": part, "processes": list(codes)})


async def ran(api, code, result="P", minutes=0, **changes):
    await api.report.submit(
        make_report(process_code=code, result=result, start=START + timedelta(minutes=minutes), **changes)
    )


# --- units


@pytest.mark.parametrize("serial", ["SN-1", "SN 1#a?b", "Prüfling-Ω", "A/B", "A\\B", "..", "50%25", "a+b&c"])
async def test_a_unit_is_found_by_its_serial_number(api, serial):
    """Whatever a serial number holds: one that cannot travel in a path is asked for in another way."""
    await api.production.create_units([Unit(serial_number=serial, part_number="P1", revision="A")])
    unit = await api.production.get_unit(serial, "P1")
    assert (unit.serial_number, unit.part_number, unit.revision) == (serial, "P1", "A")
    assert (await api.production.get_unit(serial)).part_number == "P1"
    assert (unit.unit_phase_id, unit.phase) == (UnitPhaseFlag.UNKNOWN, "Unknown")


async def test_a_report_makes_its_unit_known(api):
    """Nobody has to create a unit that was tested."""
    await ran(api, ICT)
    unit = await api.production.get_unit("S1", "P1")
    assert (unit.revision, unit.phase) == ("A", "Unknown")


async def test_a_report_in_quarantine_makes_no_unit(api):
    """What was never processed is not known."""
    await api.report.submit(make_report(start=datetime.now(UTC) + timedelta(days=2)))
    with pytest.raises(NotFoundError):
        await api.production.get_unit("S1", "P1")


async def test_an_unknown_unit_by_error_mode(api, server, fake_time):
    """Strict raises for it, lenient gives None."""
    with pytest.raises(NotFoundError, match="Unit nobody does not exist"):
        await api.production.get_unit("nobody", "P1")
    async with make_client(server, fake_time, error_mode=ErrorMode.LENIENT) as lenient:
        assert await lenient.production.get_unit("nobody", "P1") is None


async def test_a_unit_without_a_name(api):
    """Is a mistake of the caller, known before anything is sent."""
    with pytest.raises(ValueError, match="URL path"):
        await api.production.get_unit(" ")


async def test_a_serial_number_of_two_products(api):
    """Needs the part number, and the server says so."""
    await api.production.create_units([Unit(serial_number="S", part_number=part) for part in ("P1", "P2")])
    with pytest.raises(ValidationError, match="several products"):
        await api.production.get_unit("S")
    assert (await api.production.get_unit("S", "P2")).part_number == "P2"


async def test_an_update_keeps_what_it_does_not_name(api):
    """Units are created or updated by the same call."""
    await api.production.create_unit(Unit(serial_number="S", part_number="P1", batch_number="B"))
    await api.production.set_unit_phase("S", "Finalized")
    updated = await api.production.create_unit(Unit(serial_number="S", part_number="P1", revision="C"))
    assert (updated.batch_number, updated.revision, updated.phase) == ("B", "C", "Finalized")


async def test_a_fetched_unit_can_be_sent_back(api):
    """With members that the client does not know, and without those that only the server writes."""
    await api.production.create_unit(Unit(serial_number="S", part_number="P1", colour="red"))
    unit = await api.production.get_unit("S", "P1")
    unit.current_location = "Line 1"
    await api.production.create_unit(unit)
    again = await api.production.get_unit("S", "P1")
    assert (again.current_location, again.model_extra["colour"]) == ("Line 1", "red")


@pytest.mark.parametrize(
    "wrong",
    [
        {"part_number": None},
        {"part_number": "P" * 101},
        {"unit_phase_id": 3},
        {"parent_serial_number": "nobody"},
        {"parent_serial_number": "W"},
    ],
)
async def test_units_that_are_refused_are_counted(api, wrong):
    """An answer of 200 that counts errors is a failure; the good units of the call stay."""
    good = Unit(serial_number="G", part_number="P1")
    bad = Unit(**{"serial_number": "W", "part_number": "P1", **wrong})
    with pytest.raises(ValidationError, match="refused 1 of 2 units"):
        await api.production.create_units([good, bad])
    assert await api.production.get_unit("G", "P1")


async def test_units_of_an_assembly(api):
    """A unit comes with those built into it, level by level."""
    await api.production.create_units(
        [
            Unit(serial_number="BOX", part_number="B"),
            Unit(serial_number="BOARD", part_number="P1", parent_serial_number="BOX"),
            Unit(serial_number="CHIP", part_number="C", parent_serial_number="BOARD"),
        ]
    )
    (board,) = (await api.production.get_unit("BOX", "B")).sub_units
    assert (board.serial_number, board.sub_units[0].serial_number) == ("BOARD", "CHIP")


# --- phases and operations


@pytest.mark.parametrize(
    ("said", "phase"),
    [
        ("Scrapped", UnitPhaseFlag.SCRAPPED),
        ("under production", UnitPhaseFlag.UNDER_PRODUCTION),
        ("Under Production - Queued", UnitPhaseFlag.PRODUCTION_QUEUED),
        ("Waiting_for_production_repair", UnitPhaseFlag.WAITING_PRODUCTION_REPAIR),
        (16, UnitPhaseFlag.FINALIZED),
        (UnitPhaseFlag.MISSING, UnitPhaseFlag.MISSING),
    ],
)
async def test_a_phase_is_set_by_name_or_number(api, said, phase):
    """In any spelling, for a unit that only its reports have made known too."""
    await ran(api, ICT)
    await api.production.set_unit_phase("S1", said, part_number="P1")
    unit = await api.production.get_unit("S1", "P1")
    assert (unit.unit_phase_id, unit.phase) == (phase, phase_name(phase))


@pytest.mark.parametrize("wrong", ["Finalised", "", 3, 0])
async def test_no_such_phase(api, wrong):
    """Is told before anything is sent, with the phases that there are."""
    with pytest.raises(ValueError, match=r"no unit phase; WATS knows Unknown \(1\), Under production \(2\)"):
        await api.production.set_unit_phase("S1", wrong)


async def test_phases_are_listed_in_the_words_of_the_server(api):
    """By its internal route; one of them is found by number, code or name."""
    phases = await api.production.get_all_unit_phases()
    assert len(phases) == len(UnitPhaseFlag)
    for key in (32, "Scrapped", "SCRAPPED", "scrapped"):
        assert (await api.production.get_phase(key)).unit_phase_id == 32
    with pytest.raises(NotFoundError):
        await api.production.get_phase("Lost")


@pytest.mark.parametrize("status", [403, 404])
async def test_phases_without_the_internal_route(server, api, status):
    """Where a server keeps it shut, WATS's own table serves."""
    server.knobs.reject_next(status=status, path="/api/internal")
    assert {phase.name for phase in await api.production.get_all_unit_phases()} >= {"Scrapped", "Shipped"}


async def test_internal_routes_are_for_the_pages_of_the_server(http):
    """Without the server's address as Referer they answer 403."""
    assert (await http.get("/api/internal/Mes/GetUnitPhases")).status_code == 403


@pytest.mark.parametrize("said", [ICT, "ICT"])
async def test_an_operation_is_set_by_code_or_name(api, said):
    """The server takes the name and keeps the code."""
    await ran(api, ICT)
    await api.production.set_unit_process("S1", said)
    assert (await api.production.get_unit("S1")).current_process == "30"


async def test_an_operation_that_does_not_exist(api, server, fake_time):
    """Neither by code nor by name, and in no error mode as if nothing were wrong."""
    await ran(api, ICT)
    with pytest.raises(NotFoundError):
        await api.production.set_unit_process("S1", 31999)
    with pytest.raises(ValidationError, match="no process 'ict'"):
        await api.production.set_unit_process("S1", "ict")
    async with make_client(server, fake_time, error_mode=ErrorMode.LENIENT) as lenient:
        with pytest.raises(NotFoundError):
            await lenient.production.set_unit_process("S1", 31999)


async def test_phase_and_operation_of_an_unknown_unit(api):
    """Are not found."""
    with pytest.raises(NotFoundError):
        await api.production.set_unit_phase("nobody", "Scrapped")
    with pytest.raises(NotFoundError):
        await api.production.set_unit_process("nobody", "ICT")


# --- verification


async def test_without_a_rule_nothing_is_judged(api):
    """A missing rule is neither a pass nor a failure."""
    await ran(api, ICT)
    found = await api.production.get_unit_verification("S1", "P1")
    assert (found.status, found.results, found.is_passing) == (None, [], False)
    assert not await api.production.is_unit_passing("S1", "P1")


@pytest.mark.parametrize(
    ("runs", "status", "grade"),
    [
        ([(ICT, "P"), (FUNCTIONAL, "P")], "OK", "Passed"),
        ([(ICT, "F"), (ICT, "P"), (FUNCTIONAL, "P")], "Warning", "Passed"),
        ([(FUNCTIONAL, "P"), (ICT, "P")], "Warning", "Passed"),
        ([(ICT, "P")], "Failed", "Incomplete"),
        ([(ICT, "P"), (FUNCTIONAL, "E")], "Failed", "Failed"),
        ([(ICT, "P"), (FUNCTIONAL, "P"), (ICT, "F")], "Failed", "Failed"),
        ([], "Failed", "Not tested"),
    ],
)
async def test_verification_follows_the_last_runs(api, http, runs, status, grade):
    """OK at the first go, Warning in the end or out of order, else Failed."""
    await rule(http, ICT, FUNCTIONAL)
    for minutes, (code, result) in enumerate(runs):
        await ran(api, code, result, minutes)
    found = await api.production.verify_unit("S1", "P1")
    assert (found.status, found.grade) == (status, grade)
    assert await api.production.is_unit_passing("S1", "P1") == (status != "Failed")


async def test_verification_tells_of_each_operation(api, http):
    """Counts, and when and where the last run was: in UTC, though the server says no offset."""
    await rule(http, ICT, FUNCTIONAL)
    await ran(api, ICT, "P", 0)
    await ran(api, ICT, "F", 5, machine_name="ICT-2")
    found = await api.production.get_unit_verification("S1")
    ict, functional = found.results
    assert (ict.process_code, ict.process_name, ict.process_index) == (ICT, "ICT", 70)
    assert (ict.status, ict.total_count, ict.non_passed_count) == ("Failed", 2, 1)
    assert (ict.start_utc, ict.station_name) == (START + timedelta(minutes=5), "ICT-2")
    assert (functional.total_count, functional.start_utc) == (0, None)
    assert found.all_processes_passed_any_run is False


@pytest.mark.parametrize("codes", [[], [FUNCTIONAL, ICT], [ICT, ICT], [500], [31999], ["30"], [True]])
async def test_an_impossible_rule_is_refused(http, codes):
    """A rule names test operations in the order of their index."""
    assert (await rule(http, *codes)).status_code == 400


async def test_rules_can_be_seen_and_forgotten(http):
    """As the rest of what a test sets."""
    await rule(http, ICT, part="P/1")
    assert (await http.get("/local/verification-rules")).json() == {"P/1": [ICT]}
    await http.delete("/local/verification-rules")
    assert (await http.get("/local/verification-rules")).json() == {}


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "UnitVerification", {"serialNumber": "S1"}),
        ("GET", "UnitVerification", {"partNumber": "P1"}),
        ("PUT", "SetUnitPhase", {"serialNumber": "S1", "partNumber": ""}),
        ("PUT", "SetUnitPhase", {"serialNumber": "S1", "partNumber": "", "phase": "Scrapped"}),
        ("PUT", "SetUnitPhase", {"serialNumber": "S1", "partNumber": "", "phase": "3"}),
        ("PUT", "SetUnitProcess", {"serialNumber": "S1", "partNumber": "", "processCode": "30"}),
    ],
)
async def test_a_query_that_lacks_something_is_refused(http, method, path, query):
    """As WATS declares its parameters: required ones may be empty, not left out."""
    assert (await http.request(method, f"/api/production/{path.lower()}", params=query)).status_code == 400


@pytest.mark.parametrize("body", ["{}", "[1]", "nonsense"])
async def test_units_that_are_none(http, body):
    """A body that is no list is refused, an entry that is no unit is counted."""
    answer = await http.put("/api/Production/Units", content=body)
    assert answer.status_code == 400 or answer.json()["errorCount"] == 1


async def test_the_blocking_client_asks_too(server):
    """Units and verification without an event loop of one's own."""

    def work():
        with pyWATS(server.url, TOKEN) as api:
            api.production.create_unit(Unit(serial_number="S", part_number="P1"))
            api.production.set_unit_phase("S", "Finalized")
            return api.production.get_unit("S").phase, api.production.is_unit_passing("S")

    assert await asyncio.to_thread(work) == ("Finalized", False)
