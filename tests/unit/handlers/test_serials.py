"""Which unit a result is about."""

from datetime import timedelta

import pytest
from shopfloor import ICT, NOON, WORK, event, misc, result, taught, wire, work_started

from handlers import UnitContext
from handlers.serials import left_out, serial_of
from pywats_events.event import EventType

AOI = "//Acme/L1/AOI01"


async def serial(made, *earlier, **options):
    journal = await taught(*earlier)
    return serial_of(await UnitContext(journal.recall).of(made), **options)


def initialized(panel, *units, **said):
    places = [{"unit_id": identifier, "position": position} for identifier, position in units]
    return event(
        EventType.UNIT_INITIALIZED,
        {"panel_id": panel, "units": places, **said},
        source="//Acme/L1/MARK",
        time=NOON - timedelta(hours=1),
    )


def said(unit="P1", position=1, siblings=1, transaction=WORK, **more):
    return result(unit_id=unit, position=position, siblings=siblings, transaction_id=transaction, **more)


CARRIER_OF_TWO = work_started(("P1", 1), ("P1", 2))


@pytest.mark.parametrize(
    ("made", "earlier", "expected"),
    [
        pytest.param(said(), [], "P1", id="lone, nothing known"),
        pytest.param(said(position=None), [], "P1", id="no position"),
        pytest.param(said(position=0), [], "P1", id="position zero of a lone unit is none"),
        pytest.param(said(position=2), [], "P1-2", id="second position, nothing known"),
        pytest.param(said(siblings=2), [], "P1-1", id="the message shows a panel"),
        pytest.param(said(), [work_started(("P1", 1))], "P1", id="the work shows a single unit"),
        pytest.param(said(), [CARRIER_OF_TWO], "P1-1", id="the work shows a panel"),
        pytest.param(
            said(), [work_started(("P1", 1), ("P1", 2), source=AOI)], "P1-1", id="another station saw a panel"
        ),
        pytest.param(
            said(position=2),
            [work_started(("SN1", 1), ("SN2", 2), panel_id="P1")],
            "SN2",
            id="start of the work",
        ),
        pytest.param(
            said("SN2", 2),
            [work_started(("SN1", 1), ("SN2", 2), panel_id="P1")],
            "SN2",
            id="own serial, place two",
        ),
        pytest.param(
            said("SN2", 2), [work_started(("SN1", 1), ("SN2", 2))], "SN2", id="own serial, no panel"
        ),
        pytest.param(
            said(position=2, siblings=2),
            [initialized("P1", ("SN1", 1), ("SN2", 2)), CARRIER_OF_TWO],
            "SN2",
            id="initialized before, carrier repeated now",
        ),
        pytest.param(
            said("SN1", 2, siblings=2),
            [initialized("P1", ("SN1", 1), ("SN2", 2))],
            "SN2",
            id="the panel goes by its first unit",
        ),
        pytest.param(
            said("X", 1),
            [work_started(("SN1", 1), ("SN2", 2), panel_id="P1")],
            "X-1",
            id="a work on other units says only that it is a panel",
        ),
    ],
)
async def test_serial_number(made, earlier, expected):
    """The serial number is learnt, else that of a lone unit, else composed."""
    assert (await serial(made, *earlier)).value == expected


async def test_personalized_serial_wins():
    """A serial number that was given to a place is the unit's, whatever the carrier is called."""
    given = event(
        EventType.UNIT_PERSONALIZED,
        {"units": [{"unit_id": "P1", "position": 2, "characteristics": {"SN": "SN7", "MAC": "00:11:22"}}]},
        source="//Acme/L1/PROG",
        time=NOON - timedelta(minutes=5),
    )
    report = await wire(said(position=2, siblings=2), given)
    assert report["sn"] == "SN7"
    assert misc(report) == {"Panel": "P1", "MAC": "00:11:22"}


async def test_composed_pattern_is_configurable():
    """Sites that number the circuits of a panel in their own way can say so."""
    report = await wire(said(position=3, siblings=4), report={"composed_serial": "{unit_id}_{position:02d}"})
    assert report["sn"] == "P1_03"
    assert misc(report)["Panel"] == "P1"


async def test_station_may_say_what_its_identifiers_are():
    """A tester whose sockets have numbers still tests units by their own serial numbers."""
    assert (await serial(said("SN5", 4), unit_ids="unit")).value == "SN5"
    assert (await serial(said("P1", 1), unit_ids="panel")).value == "P1-1"


async def test_a_panel_that_is_a_carrier_is_forgotten():
    """What was on a carrier months ago is not on it today."""
    old = initialized("C1", ("SN1", 1), ("SN2", 2))
    today = said("C1", 2, siblings=2, time=NOON + timedelta(days=90))
    assert (await serial(today, old)).value == "C1-2"


@pytest.mark.parametrize("status", ["Skip", "Scrap", "skip"])
async def test_left_out_positions(status):
    """A position marked Skip or Scrap has no report in that transaction, and only there."""
    start = work_started(("P1", 1), ("P1", 2, status))
    journal = await taught(start)
    here = await UnitContext(journal.recall).of(said(position=2, siblings=2))
    other_place = await UnitContext(journal.recall).of(said(position=1, siblings=2))
    elsewhere = await UnitContext(journal.recall).of(
        said(position=2, siblings=2, source=AOI, transaction="t-2")
    )
    assert (left_out(here), left_out(other_place), left_out(elsewhere)) == (status, None, None)


async def test_work_without_a_transaction_is_found_by_unit():
    """Stations that send no transaction still have their recipe and order."""
    start = work_started(("SN1", 1), transaction=None, work_order={"id": "WO1"}, recipe="BRD-A")
    report = await wire(result(recipe=None), start)
    assert misc(report)["Work order"] == "WO1"
    assert report["pn"] == "100-200"


async def test_a_recipe_activated_later_is_not_the_tests():
    """What a station loads after a test says nothing of it."""
    payload = {"asset_id": ICT, "recipe": "BRD-A", "recipe_revision": "9"}
    before = event(EventType.RECIPE_ACTIVATED, payload, time=NOON - timedelta(seconds=9))
    after = event(
        EventType.RECIPE_ACTIVATED, {**payload, "recipe": "BRD-B"}, time=NOON + timedelta(seconds=9)
    )
    assert (await wire(result(recipe=None), before))["root"]["seqCall"]["name"] == "BRD-A"
    stations = [{"handle": "*", "process": 30, "part_number": "X"}]
    report = await wire(result(recipe=None), after, stations=stations)
    assert report["root"]["seqCall"]["name"] == "ICT01"


async def test_recipe_of_the_other_lane_is_not_taken():
    """On a machine with two lanes each has its own recipe."""
    other = event(
        EventType.RECIPE_ACTIVATED,
        {"asset_id": ICT, "recipe": "BRD-B", "lane": 2},
        time=NOON - timedelta(hours=1),
    )
    own = event(
        EventType.RECIPE_ACTIVATED,
        {"asset_id": ICT, "recipe": "BRD-A", "lane": 1},
        time=NOON - timedelta(hours=2),
    )
    start = work_started(("SN1", 1), lane=1)
    report = await wire(result(recipe=None, transaction_id=WORK), own, other, start)
    assert report["root"]["seqCall"]["name"] == "BRD-A"
