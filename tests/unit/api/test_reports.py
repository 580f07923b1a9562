"""Reports: submitted, overwritten, quarantined, found and fetched."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from pywats_api import NotFoundError
from pywats_api.server.asset_store import DEFAULT_TYPES
from pywats_api.wsjf import AssetUse, Failure, MiscInfo, SubUnit, UurInfo

from .conftest import make_client, make_report

NOON = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)


async def local(api, path):
    return await api.report._connection.request("test", "GET", f"/local/{path}")


async def test_submitted_report_comes_back(api):
    """What was submitted is fetched as it was sent, with the operation's name filled in."""
    report = make_report()
    submitted = await api.report.submit(report)
    assert submitted.id == submitted.uuid == report.id
    assert submitted.report_id == 1
    fetched = await api.report.get(report.id)
    assert fetched.pop("processName") == "Functional test"
    assert fetched == report.to_wire()


async def test_details_can_be_left_out(api):
    """Detail level 0 is the report's identity without its steps."""
    report = make_report()
    await api.report.submit(report)
    fetched = await api.report.get(report.id, detail_level=0, include_attachments=False)
    assert "root" not in fetched
    assert fetched["sn"] == "S1"


async def test_same_id_replaces(api):
    """A report sent again under its id replaces itself and is counted."""
    report = make_report()
    await api.report.submit(report)
    again = await api.report.submit(make_report(id=report.id, result="F"))
    assert again.uuid == report.id
    (header,) = await api.report.query_headers()
    assert (header.result, header.receive_count) == ("Failed", 2)


async def test_same_natural_key_overwrites_under_the_stored_id(api):
    """Unit, operation and start that are known are one run: it keeps its id, whatever the new one says."""
    first, second = make_report(), make_report(result="F")
    await api.report.submit(first)
    answer = await api.report.submit(second)
    assert (answer.id, answer.uuid) == (second.id, first.id)
    (header,) = await api.report.query_headers()
    assert (header.uuid, header.result) == (first.id, "Failed")
    with pytest.raises(NotFoundError):
        await api.report.get(second.id)
    assert (await local(api, "counts"))["overwrites"] == 1


async def test_one_millisecond_makes_another_run(api):
    """A start that differs is another run of the unit, and runs count by start, not by arrival."""
    await api.report.submit(make_report(start=NOON))
    await api.report.submit(make_report(start=NOON - timedelta(milliseconds=1)))
    headers = await api.report.query_headers(orderby="start asc")
    assert [header.run for header in headers] == [1, 2]


async def test_same_instant_in_another_zone_is_the_same_run(api):
    """The natural key compares instants, not how they are written."""
    first = make_report(start=NOON)
    await api.report.submit(first)
    wire = make_report().to_wire() | {"start": "2026-01-30T13:00:00+01:00", "startUTC": None}
    assert (await api.report.submit(wire)).uuid == first.id


async def test_future_start_is_quarantined(api):
    """A report from the future is accepted, kept, and never seen in queries."""
    report = make_report(start=datetime.now(UTC) + timedelta(hours=1))
    assert (await api.report.submit(report)).uuid == report.id
    assert await api.report.query_headers() == []
    with pytest.raises(NotFoundError):
        await api.report.get(report.id)
    (parked,) = await local(api, "quarantine")
    assert parked["body"]["sn"] == "S1"
    assert "future" in parked["quarantined"]
    await api.report.submit(make_report(id=report.id))
    assert await local(api, "quarantine") == []
    assert len(await api.report.query_headers()) == 1


async def test_restart_keeps_reports(server, api):
    """A server that was stopped and started again has its reports, at the same address."""
    url = server.url
    await api.report.submit(make_report())
    await server.stop()
    await server.start()
    assert server.url == url
    assert len(await api.report.get_headers_by_serial("S1")) == 1


async def test_conveniences_find_the_report(api):
    """The ready-made queries find by serial, part, date and newness."""
    report = make_report(sn="O'Brien 1", start=NOON)
    await api.report.submit(report)
    await api.report.submit(make_report(sn="other", pn="P2", start=NOON - timedelta(days=9)))
    for headers in (
        await api.report.get_headers_by_serial("O'Brien 1"),
        await api.report.get_headers_by_part_number("P1"),
        await api.report.get_headers_by_date_range(NOON, NOON + timedelta(seconds=1)),
        await api.report.get_recent_headers(1),
        await api.report.query_uut_headers("serialNumber ne 'other'", top=5),
    ):
        assert [header.uuid for header in headers] == [report.id]
    assert await api.report.get_todays_headers() == []
    assert await api.report.query_uur_headers() == []


async def test_repair_report_is_kept_apart(api):
    """A repair is found among the repairs, with the report it refers to."""
    failed = make_report(result="F")
    await api.report.submit(failed)
    await api.report.submit(
        make_report(
            type="R",
            root=None,
            process_code=500,
            uur=UurInfo(process_code=60, ref_uut=failed.id, user="ann"),
            sub_units=[
                SubUnit(
                    part_type="Main",
                    pn="P1",
                    sn="S1",
                    idx=0,
                    failures=[Failure(category="Component", code="Missing")],
                )
            ],
        )
    )
    (repair,) = await api.report.query_uur_headers(expand=["uurSubUnits"])
    assert (repair.referenced_uut, repair.user_name, repair.process_name) == (failed.id, "ann", "Repair")
    assert len(await api.report.query_uut_headers()) == 1


async def test_select_and_expand(api):
    """A query gives the fields asked for, and lists on request."""
    await api.report.submit(make_report(misc_infos=[MiscInfo(description="Work order", text="W1")]))
    (header,) = await api.report.query_headers(select=["serialNumber"], expand=["miscInfo"])
    assert header.serial_number == "S1"
    assert header.result is None
    assert header.misc_info == [{"description": "Work order", "text": "W1"}]


async def test_assets_of_a_report_are_counted_once(api):
    """Registered assets count up with the first coming of a report, not when it is replaced."""
    await api.asset.create_asset("FIX-7", DEFAULT_TYPES["Fixture"])
    report = make_report(assets=[AssetUse(asset_sn="FIX-7", usage_count=2), AssetUse(asset_sn="unknown")])
    await api.report.submit(report)
    await api.report.submit(report)
    asset = await api.asset.get_asset_by_serial("FIX-7")
    assert (asset.total_count, asset.running_count) == (2, 2)


async def test_many_at_once(server, fake_time):
    """Reports submitted at the same time are all in, each once."""
    import asyncio

    async with make_client(server, fake_time, requests_per_minute=None) as api:
        await asyncio.gather(*(api.report.submit(make_report(sn=f"S{i}")) for i in range(60)))
        headers = await api.report.query_headers(top=1000)
    assert len({header.serial_number for header in headers}) == 60


async def test_path_value_with_slash_is_refused(api):
    """A key that would leave its place in the path is refused before anything is sent."""
    with pytest.raises(ValueError, match="URL path"):
        await api.report.get("../Asset")
    assert await api.report.get_header(uuid4()) is None
