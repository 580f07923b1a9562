"""The condition of assets: counts, calibration, maintenance, state, and the status that follows from them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from pywats_api import (
    AssetAlarmState,
    AssetState,
    AssetStatus,
    AssetStatusCode,
    ErrorMode,
    NotFoundError,
    RetryConfig,
    ServerError,
    ValidationError,
)
from pywats_api.server import LocalWATS
from pywats_api.server.asset_store import DEFAULT_TYPES
from pywats_api.wsjf import AssetUse

from .conftest import make_client, make_report

STATION = DEFAULT_TYPES["Station"]
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
OTHER_ID = UUID("00000000-0000-0000-0000-00000000000b")


class Calendar:
    """The server's clock, set by the test."""

    def __init__(self):
        self.today = START

    def __call__(self):
        """Now."""
        return self.today


@pytest.fixture
def calendar():
    return Calendar()


@pytest.fixture
async def server(tmp_path, calendar):
    async with LocalWATS(tmp_path / "wats.sqlite", now=calendar) as running:
        yield running


@pytest.fixture
async def limited(api):
    """A type with every kind of limit, and its id."""
    asset_type = await api.asset.create_asset_type(
        "Limited",
        running_count_limit=10,
        total_count_limit=100,
        calibration_interval=30,
        maintenance_interval=10,
        warning_threshold=0.8,
        alarm_threshold=1.0,
    )
    assert (asset_type.warning_threshold, asset_type.alarm_threshold) == (80, 100)
    return asset_type.type_id


async def counts(api, serial):
    asset = await api.asset.get_asset_by_serial(serial)
    return asset.total_count, asset.running_count


async def log_types(api, serial):
    return [line.log_type for line in await api.asset.get_asset_log(f"serialNumber eq '{serial}'")]


# --- counts -----------------------------------------------------------------------------------------------


async def test_uses_raise_both_counts(api):
    """A use counts for the time since service and for life; a reset ends the first only."""
    await api.asset.create_asset("A", STATION)
    assert await api.asset.increment_count(serial_number="A")
    assert await api.asset.increment_count(serial_number="A", amount=5)
    assert await counts(api, "A") == (6, 6)
    assert await api.asset.reset_running_count(serial_number="A", comment="pins replaced")
    assert await counts(api, "A") == (6, 0)
    newest, *_ = await api.asset.get_asset_log("type eq 3")
    assert (newest.comment, newest.property_name, newest.value) == ("pins replaced", "runningCount", "6 -> 0")


async def test_children_count_with_their_parent_on_request(api):
    """All that lies below an asset is counted with it, if that is asked for."""
    await api.asset.create_asset("A", STATION)
    await api.asset.add_child_asset("A", "B", STATION)
    await api.asset.add_child_asset("B", "C", STATION)
    await api.asset.increment_count(serial_number="A")
    await api.asset.increment_count(serial_number="A", amount=2, increment_children=True)
    assert [await counts(api, serial) for serial in "ABC"] == [(3, 3), (2, 2), (2, 2)]


async def test_total_form_of_the_count_may_be_repeated(api):
    """Raising to a total twice counts once, and never lowers it."""
    await api.asset.create_asset("A", STATION)
    for _ in range(2):
        await api.asset.raise_total_count(7, serial_number="A")
    assert await counts(api, "A") == (7, 7)
    with pytest.raises(ValidationError, match="is 7 already and only rises"):
        await api.asset.raise_total_count(6, serial_number="A")


async def test_counts_can_be_set(api):
    """Either count is set without touching the other; a new asset may come with counts."""
    await api.asset.create_asset("A", STATION, total_count=40, running_count=4)
    assert await counts(api, "A") == (40, 4)
    await api.asset.set_total_count(10_000, serial_number="A")
    await api.asset.set_running_count(500, serial_number="A")
    assert await counts(api, "A") == (10_000, 500)


async def test_impossible_counts_are_refused_before_sending(api):
    """A use less than one, or a count below zero, is a mistake of the caller."""
    for wrong in (
        api.asset.increment_count(serial_number="A", amount=0),
        api.asset.set_total_count(-1, serial_number="A"),
        api.asset.set_running_count(-1, serial_number="A"),
    ):
        with pytest.raises(ValueError):
            await wrong


async def test_uses_are_not_sent_again(server, fake_time):
    """A count whose answer is lost is not sent again; the form with a total is."""
    async with make_client(server, fake_time, retry_config=RetryConfig(max_attempts=3)) as api:
        await api.asset.create_asset("A", STATION)
        server.knobs.error_rate, server.knobs.errors_after_work = 1.0, True
        with pytest.raises(ServerError):
            await api.asset.increment_count(serial_number="A")
        assert fake_time.slept == []
        with pytest.raises(ServerError):
            await api.asset.raise_total_count(9, serial_number="A")
        assert len(fake_time.slept) == 2
        server.knobs.reset()
        assert await counts(api, "A") == (9, 9)


# --- counts raised by reports -----------------------------------------------------------------------------


async def test_a_report_counts_what_it_uses(api):
    """Each asset that a report names is counted; a serial number nobody registered is passed over."""
    await api.asset.create_asset("A", STATION)
    uses = [AssetUse(asset_sn="A", usage_count=3), AssetUse(asset_sn="nobody", usage_count=1)]
    await api.report.submit(make_report(start=START, assets=uses))
    assert await counts(api, "A") == (3, 3)


async def test_a_report_sent_again_counts_once(api):
    """The same report again, under its id or as the same run under another id, counts nothing more."""
    await api.asset.create_asset("A", STATION)
    report = make_report(start=START, assets=[AssetUse(asset_sn="A", usage_count=2)])
    for repeated in (report, report, report.model_copy(update={"id": OTHER_ID})):
        await api.report.submit(repeated)
    assert await counts(api, "A") == (2, 2)


async def test_a_report_sent_again_counts_what_it_did_not_name_before(api):
    """An asset that the second sending adds is counted, the first one is not again."""
    for serial in "AB":
        await api.asset.create_asset(serial, STATION)
    report = make_report(start=START, assets=[AssetUse(asset_sn="A", usage_count=2)])
    await api.report.submit(report)
    both = [AssetUse(asset_sn="A", usage_count=2), AssetUse(asset_sn="B", usage_count=1)]
    await api.report.submit(report.model_copy(update={"assets": both}))
    assert [await counts(api, serial) for serial in "AB"] == [(2, 2), (1, 1)]


async def test_a_report_in_quarantine_counts_nothing_yet(api, calendar):
    """A report that is not processed counts when it is, not before."""
    await api.asset.create_asset("A", STATION)
    report = make_report(start=START + timedelta(days=1), assets=[AssetUse(asset_sn="A", usage_count=1)])
    await api.report.submit(report)
    assert await counts(api, "A") == (0, 0)
    calendar.today += timedelta(days=2)
    await api.report.submit(report)
    assert await counts(api, "A") == (1, 1)


# --- calibration and maintenance --------------------------------------------------------------------------


async def test_calibration_sets_the_next_one(api, limited):
    """The next calibration is due an interval after the last one; the running count stays."""
    await api.asset.create_asset("A", limited, running_count=3)
    when = datetime(2026, 2, 10, 10, 30, tzinfo=UTC)
    await api.asset.record_calibration(serial_number="A", calibration_date=when, comment="lab")
    asset = await api.asset.get_asset_by_serial("A")
    assert asset.last_calibration_date == when
    assert asset.next_calibration_date == when + timedelta(days=30)
    assert asset.running_count == 3
    (line,) = await api.asset.get_asset_log("type eq 4")
    assert (line.message, line.asset_name, line.timestamp) == ("lab", "A", START)


async def test_maintenance_without_a_date_is_now(api, limited):
    """Without a date the server's clock counts; an asset never serviced is not due."""
    asset = await api.asset.create_asset("A", limited)
    assert (asset.last_maintenance_date, asset.next_maintenance_date) == (None, None)
    await api.asset.record_maintenance(asset_id=asset.asset_id)
    asset = await api.asset.get_asset_by_serial("A")
    assert asset.next_maintenance_date == START + timedelta(days=10)
    assert await log_types(api, "A") == [5, 1]


async def test_time_without_offset_is_local(api, limited):
    """A date without offset is sent as the local time that it stands for."""
    await api.asset.create_asset("A", limited)
    naive = datetime(2024, 6, 15, 10, 30)  # noqa: DTZ001  # the case itself
    await api.asset.record_calibration(serial_number="A", calibration_date=naive)
    assert (await api.asset.get_asset_by_serial("A")).last_calibration_date == naive.astimezone()


async def test_other_systems_say_what_is_due(api, limited):
    """An external calibration sets its own due date, until the next ordinary one."""
    await api.asset.create_asset("A", limited)
    span = {"from_date": START, "to_date": START + timedelta(days=365)}
    await api.asset.record_calibration_external(serial_number="A", **span)
    await api.asset.record_maintenance_external(serial_number="A", **span)
    asset = await api.asset.get_asset_by_serial("A")
    assert asset.next_calibration_date == asset.next_maintenance_date == span["to_date"]
    await api.asset.record_calibration(serial_number="A")
    asset = await api.asset.get_asset_by_serial("A")
    assert asset.next_calibration_date == START + timedelta(days=30)
    with pytest.raises(ValueError, match="must lie after"):
        await api.asset.record_calibration_external(serial_number="A", from_date=START, to_date=START)


async def test_dates_and_counts_are_not_taken_from_the_asset_itself(api, limited):
    """Storing an asset changes neither counts nor dates, however they are set."""
    await api.asset.create_asset("A", limited)
    await api.asset.record_calibration(serial_number="A")
    before = await api.asset.get_asset_by_serial("A")
    changed = before.model_copy(
        update={"total_count": 5, "last_calibration_date": None, "next_calibration_date": START}
    )
    after = await api.asset.update_asset(changed)
    assert after.total_count == 0
    assert after.last_calibration_date == before.last_calibration_date
    assert after.next_calibration_date == before.next_calibration_date


async def test_new_interval_moves_what_is_due(api, limited):
    """When the rules of a type change, so do the due dates of its assets."""
    await api.asset.create_asset("A", limited)
    await api.asset.record_calibration(serial_number="A")
    (asset_type,) = await api.asset.get_asset_types("type_name eq 'Limited'")
    asset_type.calibration_interval = 60
    await api.asset.update_asset_type(asset_type)
    asset = await api.asset.get_asset_by_serial("A")
    assert asset.next_calibration_date == START + timedelta(days=60)
    found = await api.asset.get_assets("next_calibration_date gt 2026-04-29T00:00:00Z")
    assert [entry.serial_number for entry in found] == ["A"]


# --- status -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counted", "expected", "percentage"),
    [
        ((0, 0), AssetAlarmState.OK, 0),
        ((7, 7), AssetAlarmState.OK, 70),
        ((8, 8), AssetAlarmState.WARNING, 80),
        ((9, 79), AssetAlarmState.WARNING, 90),
        ((10, 10), AssetAlarmState.ALARM, 100),
        ((0, 100), AssetAlarmState.ALARM, 100),
        ((0, 80), AssetAlarmState.WARNING, 80),
    ],
)
async def test_status_follows_from_counts(api, limited, counted, expected, percentage):
    """Near a limit there is a warning, at it an alarm; the nearer of two limits decides."""
    running, total = counted
    await api.asset.create_asset("A", limited, running_count=running, total_count=total)
    status = await api.asset.get_status(serial_number="A")
    assert (status.status, status.count_percentage) == (expected, percentage)
    assert await api.asset.is_in_warning(serial_number="A") is (expected == AssetAlarmState.WARNING)
    assert await api.asset.is_in_alarm(serial_number="A") is (expected == AssetAlarmState.ALARM)


@pytest.mark.parametrize(
    ("days", "expected"),
    [(0, AssetAlarmState.OK), (24, AssetAlarmState.WARNING), (30, AssetAlarmState.ALARM)],
)
async def test_status_follows_from_due_dates(api, limited, calendar, days, expected):
    """A calibration that is soon due is a warning, one that is overdue an alarm."""
    await api.asset.create_asset("A", limited)
    await api.asset.record_calibration(serial_number="A")
    calendar.today += timedelta(days=days)
    assert (await api.asset.get_status(serial_number="A")).status == expected


async def test_status_tells_why(api, limited, calendar):
    """The status says by how much, since when, and in which words; untranslated it names the texts."""
    await api.asset.create_asset("A", limited, running_count=12)
    await api.asset.record_calibration(serial_number="A")
    calendar.today += timedelta(days=33, hours=1)
    status = await api.asset.get_status(serial_number="A")
    assert (status.running_count_exceeded, status.calibration_days_overdue) == (2, 3)
    assert status.calibration_due == START + timedelta(days=30)
    assert status.maintenance_due is None
    assert status.get("state") == AssetState.IN_OPERATION
    assert (status["in_alarm"], status.get("in_warning"), status.get("nothing", 1)) == (True, False, 1)
    assert "running count is 12 of 10" in status.message
    assert "33 of 30 days since the last calibration" in status.message
    keys = await api.asset.get_status(serial_number="A", translate=False)
    assert keys.message == "RunningCountAlarm;CalibrationAlarm"


async def test_alarm_is_never_below_warning(api):
    """An alarm threshold below the warning is raised to it, a total limit to the running limit."""
    asset_type = await api.asset.create_asset_type(
        "Odd", running_count_limit=10, total_count_limit=5, warning_threshold=90, alarm_threshold=50
    )
    assert (asset_type.alarm_threshold, asset_type.total_count_limit) == (90, 10)


async def test_assets_are_found_by_alarm(api, limited):
    """Assets in warning, in alarm and without either are told apart, up to the number wanted."""
    for serial, running in (("A", 1), ("B", 8), ("C", 11), ("D", 9)):
        await api.asset.create_asset(serial, limited, running_count=running)
    await api.asset.create_asset("E", STATION)
    await api.asset.create_asset("F", STATION)
    span = {"from_date": START - timedelta(days=9), "to_date": START - timedelta(days=1)}
    await api.asset.record_calibration_external(serial_number="F", **span)

    async def found(*states, top=None):
        assets = await api.asset.get_assets_with_alarm_state(states, top)
        return sorted(asset.serial_number for asset in assets)

    assert await found(AssetAlarmState.WARNING) == ["B", "D"]
    assert await found(AssetAlarmState.WARNING, AssetAlarmState.ALARM) == ["B", "C", "D", "F"]
    assert await found(AssetAlarmState.OK) == ["A", "E"]
    assert len(await found(AssetAlarmState.WARNING, top=1)) == 1


# --- state ------------------------------------------------------------------------------------------------


async def test_state_is_set_and_noted_once(api):
    """A new state is in the log; the same state again is not."""
    await api.asset.create_asset("A", STATION)
    for _ in range(2):
        assert await api.asset.set_asset_state(serial_number="A", state=AssetState.IN_CALIBRATION)
    assert await api.asset.get_asset_state(serial_number="A") is AssetState.IN_CALIBRATION
    assert await log_types(api, "A") == [6, 1]
    with pytest.raises(ValueError):
        await api.asset.set_asset_state(serial_number="A", state=7)


async def test_alarm_is_no_state(api, limited):
    """An asset in alarm stays where people put it, and the older names of states are none of the server's."""
    await api.asset.create_asset("A", limited, running_count=99)
    assert await api.asset.get_asset_state(serial_number="A") is AssetState.OK is AssetState.IN_OPERATION
    assert AssetState.ALARM is AssetState.IN_MAINTENANCE


# --- what is not there ------------------------------------------------------------------------------------

_ON_NOBODY = {
    "get_status": ({}, None),
    "get_asset_state": ({}, None),
    "set_asset_state": ({"state": AssetState.OK}, False),
    "is_in_alarm": ({}, False),
    "is_in_warning": ({}, False),
    "increment_count": ({}, False),
    "reset_running_count": ({}, False),
    "record_calibration": ({}, False),
    "record_maintenance": ({}, False),
    "delete_asset": ({}, False),
}


@pytest.mark.parametrize("name", _ON_NOBODY)
async def test_unknown_asset_raises_or_is_nothing(server, api, fake_time, name):
    """A call on an unknown asset raises in strict mode, and says no in lenient mode."""
    options, answer = _ON_NOBODY[name]
    with pytest.raises(NotFoundError):
        await getattr(api.asset, name)(serial_number="nobody", **options)
    async with make_client(server, fake_time, error_mode=ErrorMode.LENIENT) as lenient:
        assert await getattr(lenient.asset, name)(serial_number="nobody", **options) is answer


def test_every_status_is_understood_in_any_form():
    """The status may come as word in any spelling or as number, and unknown ones are kept."""
    said = {"warning": AssetStatusCode.WARNING, "Asset Error": AssetStatusCode.ASSET_ERROR, 3: "Alarm"}
    for wire, status in said.items():
        assert AssetStatus.read({"Status": wire}, "test").status == status
    assert AssetStatus.read({"status": "Odd"}, "test").status == "Odd"
