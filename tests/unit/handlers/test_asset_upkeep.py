"""Maintenance and calibration are recorded with their dates, once each; what stations note makes lines."""

from datetime import UTC, datetime, timedelta

import pytest
from shopfloor import ICT, NOON, event, rules, taught

from handlers import NotesHandler, UpkeepHandler
from pywats_events.errors import DestinationUnavailable
from pywats_events.event import EventType
from pywats_events.handler import Done, Dropped

ASSET = "ICT01"
MAINTAINED = {
    "asset_id": ICT,
    "what": "performed",
    "kind": "Preventive",
    "order": "MO676578576",
    "job": "MNT113334",
    "tasks": [{"text": "Changed hydraulic fluid", "operator": {"id": "B-7"}, "hours": 0.75}],
}
CALIBRATED = {
    "asset_id": ICT,
    "code": "Z-1",
    "kind": "ZAxis",
    "status": "Ok",
    "performed_at": "2026-03-04T11:30:00+00:00",
    "measurements": [{"kind": "numeric", "name": "Height", "value": 0.97, "unit": "mm"}],
}


def maintenance(**changes):
    return event(EventType.ASSET_MAINTENANCE, {**MAINTAINED, **changes}, event_id="m-000000000001")


def calibration(**changes):
    return event(EventType.ASSET_CALIBRATION, {**CALIBRATED, **changes}, event_id="c-000000000001")


async def handler(api, *, kind=UpkeepHandler, register=True, **changes):
    if register:
        (asset_type, *_) = await api.asset.get_asset_types()
        await api.asset.create_asset(ASSET, asset_type.type_id)
    return kind(api, rules(**changes), await taught())


async def lines(api, log_type=None):
    found = await api.asset.get_asset_log(f"serialNumber eq '{ASSET}'", top=100)
    return [line.message for line in reversed(found) if log_type in {None, line.log_type}]


async def test_maintenance_is_recorded(api):
    """With the date of the message; who did what stands in the log."""
    made = await handler(api)
    assert isinstance(await made.handle(maintenance()), Done)
    asset = await api.asset.get_asset_by_serial(ASSET)
    assert asset.last_maintenance_date == NOON
    (line,) = await lines(api, 5)
    assert line == (
        "Maintenance MO676578576 MNT113334 - Changed hydraulic fluid, 0.75 h, B-7 "
        "2026-03-04T12:00:00+00:00 #000000000001"
    )


async def test_the_count_starts_again_where_it_is_wanted(api):
    """Maintenance may set the running count to 0; the total stays."""
    made = await handler(api, upkeep={"reset_count": True})
    await api.asset.increment_count(serial_number=ASSET, amount=7)
    await made.handle(maintenance())
    await made.handle(maintenance())
    asset = await api.asset.get_asset_by_serial(ASSET)
    assert (asset.running_count, asset.total_count) == (0, 7)
    assert len(await lines(api, 3)) == 1


async def test_a_repair_of_the_machine_is_a_line(api):
    """Only the kinds that the site counts as maintenance move the date of the next one."""
    made = await handler(api)
    await made.handle(maintenance(kind="Repair"))
    assert (await api.asset.get_asset_by_serial(ASSET)).last_maintenance_date is None
    (line,) = await lines(api, 0)
    assert line.startswith("Maintenance Repair MO676578576")


async def test_a_machine_that_tells_its_condition(api):
    """That is no maintenance."""
    made = await handler(api)
    assert isinstance(await made.handle(maintenance(what="status")), Dropped)


async def test_a_calibration_that_counts(api):
    """With its own time; the values stand in the log."""
    made = await handler(api, upkeep={"calibrations": ["Z-*"]})
    await made.handle(calibration())
    asset = await api.asset.get_asset_by_serial(ASSET)
    assert asset.last_calibration_date == NOON - timedelta(minutes=30)
    (line,) = await lines(api, 4)
    assert line.startswith("Calibration Z-1 ZAxis Height 0.97 mm 2026-03-04T11:30:00+00:00 #")


async def test_a_routine_check_is_no_calibration(api):
    """The fiducials of each board must not move the date of the next calibration."""
    made = await handler(api)
    assert "routine" in (await made.handle(calibration())).rule


@pytest.mark.parametrize("status", ["Failed", None])
async def test_a_calibration_that_is_not_ok(api, status):
    """It is told, and moves no date."""
    made = await handler(api, upkeep={"calibrations": ["*"]})
    await made.handle(calibration(status=status))
    assert (await api.asset.get_asset_by_serial(ASSET)).last_calibration_date is None
    assert (status or "without a status") in (await lines(api, 0))[0]


async def test_what_was_recorded_is_found_in_the_log(wats, api):
    """An outage, a lost answer, even a lost journal: a record that WATS has is not made again."""
    made = await handler(api)
    wats.knobs.outage = "drop"
    with pytest.raises(DestinationUnavailable):
        await made.handle(maintenance())
    wats.knobs.reset()
    assert "found" not in (await made.handle(maintenance())).detail
    forgetful = await handler(api, register=False)
    assert (await forgetful.handle(maintenance())).detail["found"] == "made by an earlier try"
    assert len(await lines(api, 5)) == 1


async def test_what_stations_note(api):
    """Going offline and coming back by default; notes by importance and tools where they are wanted."""
    made = await handler(api, kind=NotesHandler, upkeep={"notes": ["warning"], "tools": True})
    said = [
        (EventType.ASSET_OFFLINE, {}),
        (EventType.ASSET_ONLINE, {"offline_seconds": 300}),
        (EventType.ASSET_LOG, {"importance": "Warning", "code": "L1", "text": "Lamp is old"}),
        (EventType.ASSET_LOG, {"importance": "Debug", "text": "tick"}),
        (EventType.TOOL_CHANGED, {"loaded": [{"id": "T1", "name": "Nozzle45"}]}),
        (EventType.TOOL_CLEANED, {"tools": [{"name": "Stencil"}], "mode": "Wet"}),
    ]
    for number, (kind, payload) in enumerate(said):
        at = datetime(2026, 3, 4, 12, number, tzinfo=UTC)
        await made.handle(event(kind, {"asset_id": ICT, **payload}, event_id=f"n-{number}", time=at))
    assert [line.rsplit(" ", 2)[0] for line in await lines(api, 0)] == [
        "Station offline",
        "Station online after 300 s",
        "Warning L1 Lamp is old",
        "Tools loaded: Nozzle45",
        "Tools cleaned: Stencil Wet",
    ]
    assert EventType.ASSET_LOG not in (await handler(api, kind=NotesHandler, register=False)).event_types
