"""States of stations become states of assets: by the table, when they last, and never over people's heads."""

from datetime import UTC, datetime, timedelta

import pytest
from shopfloor import ICT, NOON, event, rules, taught

from handlers import StateHandler
from handlers.asset_rules import StateRules
from handlers.asset_state import state_by_table
from pywats_api.asset import AssetState
from pywats_events.errors import DestinationUnavailable, NotReady, TransientError
from pywats_events.event import EventType
from pywats_events.handler import Done, Dropped

ASSET = "ICT01"


def changed(state, *, at=0, event_id=None, received_at=None, **said):
    payload = {"asset_id": ICT, "new_state": state, **said}
    return event(
        EventType.ASSET_STATE_CHANGED,
        payload,
        event_id=event_id or f"s-{at}",
        time=NOON + timedelta(seconds=at),
        received_at=received_at,
    )


async def handler(api, *earlier, state=AssetState.IN_OPERATION, register=True, **changes):
    if register:
        (kind, *_) = await api.asset.get_asset_types()
        await api.asset.create_asset(ASSET, kind.type_id, state=state)
    journal = await taught(*earlier)
    return StateHandler(api, rules(**changes), journal), journal


async def state(api):
    return await api.asset.get_asset_state(serial_number=ASSET)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (1000, AssetState.IN_OPERATION),
        (1400, AssetState.IN_OPERATION),
        (2202, AssetState.IN_OPERATION),
        (3312, AssetState.IN_OPERATION),
        (4000, None),
        (4150, AssetState.IN_MAINTENANCE),
        (4400, AssetState.IN_OPERATION),
        (4700, None),
        (4999, None),
        (5300, AssetState.IN_MAINTENANCE),
        (5500, AssetState.IN_OPERATION),
        (6200, None),
        (7100, None),
    ],
)
def test_the_usual_table(code, expected):
    """Codes of SEMI E10, those of vendors rounded down; what is not known changes nothing."""
    assert state_by_table(code, StateRules())[0] == expected


def test_a_table_of_ones_own():
    """A site's line wins over the usual one, for the codes that are rounded down to it too."""
    own = StateRules.model_validate({"table": {"4000": "in maintenance", "1400": "Unchanged"}})
    assert state_by_table(4001, own)[0] is AssetState.IN_MAINTENANCE
    assert state_by_table(1400, own)[0] is None
    assert state_by_table(1100, own)[0] is AssetState.IN_OPERATION


async def test_a_station_is_repaired(api):
    """The asset is in maintenance while its station says so, and in operation afterwards."""
    made, journal = await handler(api)
    done = await made.handle(changed(5200))
    assert isinstance(done, Done)
    assert done.detail["sources"] == {"state": '5200 is "In maintenance" by 5200 of the usual table'}
    assert await state(api) is AssetState.IN_MAINTENANCE
    await made.handle(changed(1100, at=60))
    assert await state(api) is AssetState.IN_OPERATION
    assert journal is not None


async def test_the_same_state_is_told_once(api):
    """Productive, waiting, productive: all in operation to WATS, which is asked once."""
    made, _ = await handler(api)
    assert isinstance(await made.handle(changed(2201)), Done)
    assert "already" in (await made.handle(changed(1100, at=5))).rule


@pytest.mark.parametrize("kept", [AssetState.IN_CALIBRATION, AssetState.IN_STORAGE, AssetState.SCRAPPED])
async def test_what_people_set_stays(api, kept):
    """An asset in calibration, in storage or scrapped is left there, whatever its station says."""
    made, _ = await handler(api, state=kept)
    assert "which people set" in (await made.handle(changed(5200))).rule
    assert await state(api) is kept


async def test_what_the_bridge_set_may_change(api):
    """A state that we set ourselves is not taken for somebody's."""
    made, _ = await handler(api, states={"table": {"6100": "In storage"}})
    await made.handle(changed(6100))
    assert await state(api) is AssetState.IN_STORAGE
    await made.handle(changed(1100, at=60))
    assert await state(api) is AssetState.IN_OPERATION


async def test_what_people_set_is_not_ours_because_the_station_agrees(api):
    """People put it in storage, the station says so too: it is not for the station to fetch it out again."""
    made, _ = await handler(api, states={"table": {"6100": "In storage"}})
    await made.handle(changed(1100))
    await api.asset.set_asset_state(serial_number=ASSET, state=AssetState.IN_STORAGE)
    assert (await made.handle(changed(6100, at=5))).detail["found"] == "so already"
    assert "which people set" in (await made.handle(changed(1100, at=60))).rule
    assert await state(api) is AssetState.IN_STORAGE


async def test_a_state_whose_answer_was_lost_is_ours(wats, api):
    """The second try finds it there, and the station may change it again."""
    made, _ = await handler(api, states={"table": {"6100": "In storage"}})
    wats.knobs.reject_next(1, status=500, path="/api/Asset/State")
    with pytest.raises(TransientError):
        await made.handle(changed(6100))
    await api.asset.set_asset_state(serial_number=ASSET, state=AssetState.IN_STORAGE)  # as if it had arrived
    assert (await made.handle(changed(6100))).detail["found"] == "so already"
    await made.handle(changed(1100, at=60))
    assert await state(api) is AssetState.IN_OPERATION


async def test_only_the_latest_counts(api):
    """A state that the station has left meanwhile is not told at all."""
    made, _ = await handler(api, changed(5200), changed(1100, at=30))
    assert (await made.handle(changed(5200))).rule == "the station has told a later state"
    assert await state(api) is AssetState.IN_OPERATION


async def test_a_state_has_to_last(api):
    """One that came just now waits, as the next may be coming; an old one is told at once."""
    made, _ = await handler(api, states={"debounce": 60})
    with pytest.raises(NotReady, match="not lasted long enough"):
        await made.handle(changed(5200, received_at=datetime.now(UTC)))
    assert isinstance(await made.handle(changed(5200)), Done)


async def test_a_stage_is_not_its_station(api):
    """A stage's state is its own: it needs an asset of its own, and does not supersede the station's."""
    stage = changed(5200, at=30, stage={"name": "PRINTSTAGE", "sequence": 1})
    made, _ = await handler(api, stage)
    assert "part_assets" in (await made.handle(stage)).rule
    assert isinstance(await made.handle(changed(4300)), Done)
    stations = [{"handle": "*", "part_assets": {"printstage": ASSET}}]
    made, _ = await handler(api, register=False, stations=stations)
    assert isinstance(await made.handle(stage), Done)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (changed(None, new_state_said="On"), 'state "On" is not one of SEMI E10'),
        (changed(4000), "stays as it is"),
        (changed(9999), "nobody knows"),
        (changed(5200), "is not registered"),
    ],
)
async def test_what_changes_nothing_says_why(api, made, why):
    """No state that can be read, none that means anything, no asset: the rule is named."""
    handles, _ = await handler(api, register=False)
    dropped = await handles.handle(made)
    assert isinstance(dropped, Dropped)
    assert why in dropped.rule


async def test_a_station_is_registered_by_its_first_state(api):
    """Below its line, where the configuration says so."""
    (kind, *_) = await api.asset.get_asset_types()
    made, _ = await handler(
        api,
        register=False,
        assets={"create": True, "station_type": kind.type_name, "line_type": kind.type_name},
        stations=[{"handle": "*", "machine_name": "{name}", "line_asset": "LINE-{line}"}],
    )
    assert isinstance(await made.handle(changed(5200)), Done)
    asset = await api.asset.get_asset_by_serial(ASSET)
    assert asset.parent_serial_number == "LINE-L1"
    assert await state(api) is AssetState.IN_MAINTENANCE


async def test_an_outage_leaves_the_state_to_be_told(wats, api):
    """What was not told is not taken for told."""
    made, _ = await handler(api)
    wats.knobs.outage = "drop"
    with pytest.raises(DestinationUnavailable):
        await made.handle(changed(5200))
    wats.knobs.reset()
    assert isinstance(await made.handle(changed(5200)), Done)
    assert await state(api) is AssetState.IN_MAINTENANCE
