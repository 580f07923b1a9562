"""The head of a report: times, operator, misc infos, identity."""

from datetime import timedelta, timezone

import pytest
from shopfloor import (
    ICT,
    NOON,
    WORK,
    a_test,
    built,
    event,
    inspection,
    misc,
    result,
    steps,
    wire,
    work_started,
)

from handlers import report_id
from pywats_events.errors import PermanentError
from pywats_events.event import EventType

TOKYO = timezone(timedelta(hours=9))
PERSON = {"id": "B-7", "login": "zoe", "first_name": "Zo\u00eb", "last_name": "M\u00fcller"}


def came(person, *, hours=1):
    payload = {"asset_id": ICT, "operator": person}
    return event(EventType.OPERATOR_ACTIVATED, payload, time=NOON - timedelta(hours=hours))


def went(person, *, hours=0.5):
    payload = {"asset_id": ICT, "operator": person}
    return event(EventType.OPERATOR_DEACTIVATED, payload, time=NOON - timedelta(hours=hours))


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [
        ([came({"id": "B-9"})], "B-9"),
        ([came({"id": "B-9"}), went({"id": "B-9"}, hours=-1)], "B-9"),
        ([came({"id": "B-9"}), went({"id": "B-9"})], None),
        ([came({"id": "B-9"}), went({"id": "B-8"})], "B-9"),
        ([went({"id": "B-9"}, hours=2), came({"id": "B-9"})], "B-9"),
        ([came({"id": "B-9"}, hours=-1)], None),
        ([came({"id": "B-9"}, hours=13)], None),
    ],
    ids=["came", "went later", "gone", "another went", "came back", "came later", "long ago"],
)
async def test_who_works_at_the_station(earlier, expected):
    """Is the operator of results that name none, from coming to leaving, and said to be so."""
    done = await built(result(), *earlier)
    assert done.report.uut.user == expected
    assert done.sources.get("operator") == ("who began work at the station" if expected else None)
    named = await built(result(operator=PERSON), *earlier)
    assert (named.report.uut.user, named.sources["operator"]) == ("B-7", "the message")


def at(seconds):
    return (NOON + timedelta(seconds=seconds)).isoformat()


async def times(made, *earlier):
    report = await wire(made, *earlier)
    return report["start"], report["uut"].get("execTime")


async def test_start_is_that_of_the_first_test():
    """The earliest test begins the run and the latest end ends it."""
    made = result(
        a_test("T1", started_at=at(-20), ended_at=at(-10)),
        a_test("T2", started_at=at(-30), ended_at=at(-5)),
    )
    assert await times(made) == ("2026-03-04T11:59:30.000+00:00", 25.0)


async def test_start_is_that_of_the_work():
    """Without times of tests the run began with its work and ended with the event."""
    made = result(transaction_id=WORK)
    assert await times(made, work_started(("SN1", 1))) == ("2026-03-04T11:59:00.000+00:00", 60.0)


async def test_start_is_that_of_the_event():
    """With nothing else the event's time is the start, with its own offset, and no duration is made up."""
    assert await times(result(time=NOON.astimezone(TOKYO))) == ("2026-03-04T21:00:00.000+09:00", None)


async def test_times_without_zone_have_the_machines():
    """A time without offset is read in the offset of the message, not in UTC."""
    made = result(a_test("T1", started_at="2026-03-04T20:59:50"), time=NOON.astimezone(TOKYO))
    assert (await times(made))[0] == "2026-03-04T20:59:50.000+09:00"


async def test_the_first_of_january_of_the_year_one_is_no_time():
    """What machines send for "no time" does not become a start."""
    made = result(a_test("T1", started_at="0001-01-01T00:00:00", ended_at="0001-01-01T00:00:00"))
    assert await times(made) == ("2026-03-04T12:00:00.000+00:00", None)


@pytest.mark.parametrize("ahead", [1, 3600, 86400 * 400])
async def test_future_starts_are_set_to_the_receipt(ahead):
    """A clock that is ahead does not send the report to quarantine; its duration stays true."""
    made = result(a_test("T1", started_at=at(ahead), ended_at=at(ahead + 8)), received_at=NOON)
    done = await built(made)
    report = done.report.to_wire()
    assert (report["start"], report["uut"]["execTime"]) == ("2026-03-04T12:00:00.000+00:00", 8.0)
    assert "clock" in done.notes[0]
    assert (await built(made)).report == done.report


async def test_durations_are_never_negative():
    """A test that ends before it begins took no time."""
    made = result(a_test("T1", started_at=at(-5), ended_at=at(-9)))
    report = await wire(made)
    assert (report["uut"]["execTime"], steps(report)["T1"]["totTime"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("choice", "person", "expected"),
    [
        ("any", PERSON, "B-7"),
        ("any", {**PERSON, "id": None}, "zoe"),
        ("any", {"first_name": "Zo\u00eb", "last_name": "M\u00fcller"}, "Zo\u00eb M\u00fcller"),
        ("any", {}, None),
        ("id", {**PERSON, "id": None}, None),
        ("login", PERSON, "zoe"),
        ("name", PERSON, "Zo\u00eb M\u00fcller"),
        ("none", PERSON, None),
        ("any", None, None),
    ],
)
async def test_operator(choice, person, expected):
    """Of a person only what the configuration allows reaches the report."""
    report = await wire(result(operator=person), report={"operator": choice})
    assert report["uut"].get("user") == expected


async def test_misc_infos():
    """What people search by stands in misc infos of at most 100 characters."""
    start = work_started(
        ("SN1", 1),
        panel_id="P1",
        lane=2,
        recipe="BRD-W",
        surface="PrimarySurface",
        work_order={"id": "W" * 120, "batch": "B1"},
    )
    sampling = {"method": "FixedSample", "sample_size": 5, "lot_size": 100}
    report = await wire(result(transaction_id=WORK, position=1, sampling=sampling), start)
    assert misc(report) == {
        "Work order": "W" * 100,
        "Panel": "P1",
        "Lane": "2",
        "Recipe": "BRD-W",
        "Surface": "PrimarySurface",
        "Sampling": "FixedSample",
        "Lot": "5 of 100",
    }
    assert report["uut"]["batchSN"] == "B1"


async def test_misc_infos_are_renamed_and_left_out():
    """A site has its own names for misc infos, and may do without some."""
    start = work_started(("SN1", 1), panel_id="P1", lane=2)
    report = await wire(
        result(transaction_id=WORK), start, report={"misc_infos": {"Panel": "Nutzen", "Lane": ""}}
    )
    assert misc(report) == {"Nutzen": "P1"}


async def test_sides_of_a_board_are_different_programs():
    """Inspections of top and bottom do not share their statistics."""
    start = work_started(("SN1", 1), surface="SecondarySurface")
    report = await wire(inspection(transaction_id=WORK), start)
    assert report["root"]["seqCall"]["name"] == "BRD-A SecondarySurface"


async def test_inspections_that_are_not_listed_are_counted():
    """A count of inspections beyond the list is shown, and says nothing of a verdict."""
    report = await wire(inspection(a_test(None), total_inspections=4711))
    assert [step["name"] for step in report["root"]["steps"]] == ["Inspection 1", "Total inspections"]
    assert misc(report)["Total inspections"] == "4711"
    assert steps(report)["Total inspections"]["numericMeas"][0]["value"] == 4711


async def test_station_assets_and_fixture():
    """The fixture is named, and the station's asset counted, where the configuration says so."""
    stations = [{"handle": "*", "process": 30, "fixture": "FIX-7", "asset": "AS-1", "count_asset": True}]
    report = await wire(result(), stations=stations)
    assert report["uut"]["fixtureId"] == "FIX-7"
    assert report["assets"] == [{"assetSN": "AS-1", "usageCount": 1}]


async def test_identity():
    """The id of a report is that of its event, on each try and in each process."""
    made = result(event_id="097508d3-08b3-4781-817a-2c491e39ab7a:1")
    assert str(report_id(made)) == str((await built(made)).report.id)
    assert report_id(made) != report_id(result(event_id="097508d3-08b3-4781-817a-2c491e39ab7a:2"))


@pytest.mark.parametrize("serial", ["SN-\u00fc\u4e2d\U0001f600", "SN 1", "SN_1", "<SN&1>", "0"])
async def test_any_serial_number(serial):
    """Serial numbers of any script arrive as they are."""
    assert (await wire(result(unit_id=f" {serial} ")))["sn"] == serial


@pytest.mark.parametrize("serial", ["SN*1", "SN%1", "SN/1", "SN?1"])
async def test_wildcards_in_serial_numbers(serial):
    """A serial number that makes searching hard is kept, and somebody is told."""
    done = await built(result(unit_id=serial))
    assert done.report.sn == serial
    assert "hard to search for" in done.notes[0]


@pytest.mark.parametrize(
    ("serial", "why"), [("S" * 101, "101 characters"), ("S\x07N", "U+0007"), ("", "no unit")]
)
async def test_serial_numbers_that_can_not_be(serial, why):
    """A serial number is never changed to make it fit: two units could become one."""
    with pytest.raises(PermanentError, match=why.replace("+", r"\+")):
        await built(result(unit_id=serial))


async def test_sockets_beyond_16_bits_are_left_out():
    """A position that the report can't hold does not lose the report."""
    stations = [{"handle": "*", "process": 30, "unit_ids": "unit"}]
    report = await wire(result(position=70_000), stations=stations)
    assert "testSocketIndex" not in report["uut"]


async def test_program_names_are_cut():
    """Long names of programs and their versions fit the report."""
    recipes = [{"recipe": "R*", "part_number": "X"}]
    report = await wire(result(recipe="R" * 300, recipe_revision="v" * 40), recipes=recipes)
    assert report["root"]["seqCall"] == {"name": "R" * 200, "path": "R" * 200, "version": "v" * 30}


async def test_order_of_a_panel_reaches_its_units():
    """A work order told when the panel was made is known when its units are tested."""
    made = event(
        EventType.UNIT_INITIALIZED,
        {
            "panel_id": "P1",
            "units": [{"unit_id": "SN1", "position": 1}, {"unit_id": "SN2", "position": 2}],
            "work_order": {"id": "WO1", "batch": "B1"},
        },
        source="//Acme/L1/MARK",
        time=NOON - timedelta(hours=2),
    )
    report = await wire(result(unit_id="P1", position=2, siblings=2), made)
    assert (report["sn"], misc(report)["Work order"], report["uut"]["batchSN"]) == ("SN2", "WO1", "B1")
