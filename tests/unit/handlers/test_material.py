"""What is built into a unit is told by its next report: serialised parts as sub-units, the rest as data."""

from datetime import UTC, datetime, timedelta

import pytest
from shopfloor import ICT, NOON, WORK, event, misc, result, rules, taught

from handlers import MaterialHandler, ReportHandler, facts_of, report_id
from pywats_events.errors import NotReady
from pywats_events.event import EventType
from pywats_events.handler import Dropped

PLACER = "//Acme/L1/PLACE01"
RESISTORS = {
    "package_id": "REEL-1",
    "part_number": "IPN47788",
    "batch": "LOT-9",
    "quantity": 3,
    "quantity_not_installed": 1,
    "placements": [{"designator": "R1"}, {"designator": "R2"}, {"designator": "R3"}],
}
MODULE = {"part_number": "RADIO-1", "placements": [{"designator": "A1", "unit_id": "RAD-001"}]}
RECIPE = {"recipes": [{"recipe": "BRD-A", "part_number": "100-200", "revision": "C"}]}


class Line:
    """The two handlers on one journal, and the events in the order in which they come in."""

    def __init__(self, api, journal, **changes):
        self.api, self.journal = api, journal
        own = rules(**changes)
        self.materials = MaterialHandler(own, journal)
        self.reports = ReportHandler(api, own, journal)

    @classmethod
    async def of(cls, api, *earlier, **changes):
        """A line that learnt from earlier events."""
        return cls(api, await taught(*earlier), **changes)

    async def comes(self, one):
        """An event comes in and is handled."""
        await self.journal.remember(facts_of(one))
        handler = self.materials if one.event_type in self.materials.event_types else self.reports
        return await handler.handle(one)

    async def report(self, one):
        """A result comes in; gives its report in WATS."""
        await self.comes(one)
        return await self.api.report.get(report_id(one))


def installed(*materials, minutes=-10, unit="SN1", event_id=None, kind=EventType.MATERIAL_INSTALLED, **said):
    return event(
        kind,
        {"unit_id": unit, "transaction_id": WORK, "materials": list(materials), **said},
        source=PLACER,
        time=NOON + timedelta(minutes=minutes),
        event_id=event_id or f"m{minutes}",
    )


def removed(*materials, minutes=-5, **said):
    return installed(*materials, minutes=minutes, kind=EventType.MATERIAL_REMOVED, **said)


def data(report):
    (group,) = [each for each in report.get("additionalData", ()) if each["name"] == "Materials"]
    return [{prop["name"]: prop["value"] for prop in lot["props"]} for lot in group["props"]]


async def test_the_next_report_tells_of_it(api):
    """Serialised parts are sub-units; packages and lots with their designators are free data."""
    line = await Line.of(api)
    await line.comes(installed(RESISTORS, MODULE))
    report = await line.report(result())
    assert report["subUnits"] == [{"partType": "Component", "pn": "RADIO-1", "sn": "RAD-001"}]
    assert data(report) == [
        {
            "part_number": "IPN47788",
            "package": "REEL-1",
            "lot": "LOT-9",
            "quantity": "3.0",
            "not_installed": "1.0",
            "designators": "R1, R2, R3",
        }
    ]


async def test_only_once(api):
    """The report after that tells only of what came since; a repeat of the first tells the same again."""
    line = await Line.of(api)
    await line.comes(installed(RESISTORS, MODULE))
    first = result()
    before = await line.report(first)
    await line.comes(installed({**RESISTORS, "package_id": "REEL-2"}, minutes=5))
    second = await line.report(result(event_id="e-2", time=NOON + timedelta(minutes=10)))
    assert [lot["package"] for lot in data(second)] == ["REEL-2"]
    assert "subUnits" not in second
    again = await line.report(first)
    assert (again["subUnits"], again["additionalData"]) == (before["subUnits"], before["additionalData"])


async def test_in_every_report_by_option(api):
    """Who wants them in each later report has them there."""
    line = await Line.of(api, materials={"every_report": True})
    await line.comes(installed(MODULE))
    for number in (1, 2):
        report = await line.report(result(event_id=f"e-{number}", time=NOON + timedelta(minutes=number)))
        assert [unit["sn"] for unit in report["subUnits"]] == ["RAD-001"]


async def test_what_comes_after_the_test_is_not_in_its_report(api):
    """A message that is handled early but happened later goes with the next report."""
    line = await Line.of(api)
    await line.comes(installed(MODULE, minutes=5))
    assert "subUnits" not in await line.report(result())
    report = await line.report(result(event_id="e-2", time=NOON + timedelta(minutes=10)))
    assert [unit["sn"] for unit in report["subUnits"]] == ["RAD-001"]


async def test_what_is_taken_out_again(api):
    """An exchanged part is not told; of a lot only what is left."""
    line = await Line.of(api)
    await line.comes(installed(RESISTORS, MODULE))
    await line.comes(removed({"placements": [{"designator": "R2"}]}, MODULE))
    await line.comes(installed({**MODULE, "placements": [{"unit_id": "RAD-002"}]}, minutes=-2))
    report = await line.report(result())
    assert [unit["sn"] for unit in report["subUnits"]] == ["RAD-002"]
    (lot,) = data(report)
    assert (lot["designators"], lot["quantity"]) == ("R1, R3", "2.0")


async def test_a_board_that_got_its_serial_number_later(api):
    """What was placed on circuit 2 of a panel belongs to the unit that circuit 2 turned out to be."""
    line = await Line.of(api)
    await line.comes(installed(MODULE, unit="PANEL7", position=2))
    named = event(
        EventType.UNIT_INITIALIZED,
        {"panel_id": "PANEL7", "units": [{"unit_id": f"SN{n}", "position": n} for n in (1, 2)]},
        time=NOON - timedelta(minutes=3),
    )
    await line.journal.remember(facts_of(named))
    report = await line.report(result(unit_id="SN2", position=2))
    assert (report["sn"], report["subUnits"][0]["sn"]) == ("SN2", "RAD-001")


async def test_a_report_waits_for_material_that_is_here(api):
    """Material that came in before the result and is not entered yet is waited for, though not for ever."""
    made = installed(MODULE)
    line = await Line.of(api, made)
    with pytest.raises(NotReady, match="not entered yet"):
        await line.reports.handle(result(received_at=datetime.now(UTC)))
    await line.reports.handle(result())
    await line.comes(made)
    report = await line.report(result(event_id="e-2", time=NOON + timedelta(minutes=1)))
    assert report["subUnits"]


async def test_chosen_lots_are_searchable(api):
    """A site may want the lot of the paste, say, as a misc info; others it may leave out."""
    paste = {"part_number": "PASTE-1", "batch": "P-77", "quantity": 0.4, "unit": "g"}
    line = await Line.of(api, materials={"misc_infos": {"PASTE*": "Solder paste"}, "lots": ["IPN*"]})
    await line.comes(installed(paste, kind=EventType.MATERIAL_CONSUMED, asset_id=PLACER))
    await line.comes(installed(RESISTORS, minutes=-8))
    report = await line.report(result())
    assert misc(report)["Solder paste"] == "P-77"
    assert [lot["part_number"] for lot in data(report)] == ["IPN47788"]


async def test_material_of_a_station(api):
    """What a station used up without naming a unit is no unit's."""
    line = await Line.of(api)
    made = event(EventType.MATERIAL_CONSUMED, {"asset_id": ICT, "materials": [RESISTORS]})
    assert isinstance(await line.comes(made), Dropped)


async def test_tools_are_counted_by_the_report(api):
    """The tools of this work stand among the assets with their cycles; a repeat of the report counts once."""
    (kind, *_) = await api.asset.get_asset_types()
    used = event(
        EventType.TOOL_USED,
        {
            "asset_id": ICT,
            "unit_id": "SN1",
            "transaction_id": WORK,
            "uses": [{"tool": {"id": "FIX-7"}, "cycles": 3}, {"tool": {"name": "Probe"}}],
        },
    )
    types = {"create": True, "station_type": kind.type_name, "tool_type": kind.type_name}
    stations = [{"handle": "*", "machine_name": "{name}", "process": 30, "count_asset": True}]
    line = await Line.of(api, used, assets=types, stations=stations)
    made = result(transaction_id=WORK)
    for _ in range(2):
        report = await line.report(made)
    assert report["assets"] == [
        {"assetSN": "ICT01", "usageCount": 1},
        {"assetSN": "FIX-7", "usageCount": 3},
        {"assetSN": "Probe", "usageCount": 1},
    ]
    fixture = await api.asset.get_asset_by_serial("FIX-7")
    assert (fixture.total_count, fixture.running_count, fixture.parent_serial_number) == (3, 3, "ICT01")


async def test_an_asset_that_can_not_be_registered(api):
    """It keeps no report from being sent; the audit says why it is not counted."""
    stations = [{"handle": "*", "machine_name": "{name}", "process": 30, "count_asset": True}]
    line = await Line.of(api, assets={"create": True, "station_type": "Nonsense"}, stations=stations)
    done = await line.comes(result())
    assert done.detail["notes"] == [
        'Not counted: asset "ICT01": WATS has no asset type "Nonsense"; see assets.station_type'
    ]
    assert (await api.report.get(report_id(result())))["result"] == "P"
