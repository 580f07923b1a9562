"""Results reach WATS: once, under their own key, and every failure says what it means."""

import asyncio
from datetime import timedelta

import pytest
from shopfloor import NOON, WORK, a_test, event, inspection, number, result, rules, taught, work_started

from handlers import ReportHandler, facts_of
from pywats_api import AsyncWATS
from pywats_api.retry import RetryConfig
from pywats_events.errors import DestinationUnavailable, NotReady, PermanentError, TransientError
from pywats_events.event import EventType
from pywats_events.handler import Done, Dropped


async def handler(api, *earlier, **changed):
    journal = await taught(*earlier)
    return ReportHandler(api, rules(**changed), journal), journal


async def stored(api):
    headers = await api.report.query_uut_headers(top=100, orderby="start asc")
    return [(one.serial_number, one.result, one.start.isoformat(timespec="milliseconds")) for one in headers]


async def test_a_result_becomes_a_report(api):
    """The stored report is that of the event, and the audit says how it came about."""
    made, _ = await handler(api)
    done = await made.handle(result(a_test("T1", "passed", number(1, low=0, high=2))))
    assert isinstance(done, Done)
    assert done.detail["sources"]["part_number"] == 'recipe "BRD-A" by [[recipes]] "BRD-A"'
    assert {"report", "serial_number", "part_number", "process", "result", "start"} <= set(done.detail)
    report = await api.report.get(done.detail["report"])
    assert report["root"]["steps"][0]["steps"][0]["numericMeas"][0]["value"] == 1
    assert await stored(api) == [("SN1", "Passed", "2026-03-04T12:00:00.000+00:00")]


async def test_a_second_try_replaces_the_first(api):
    """A crash between the call and its record leaves one report, also when the report was rebuilt."""
    made, journal = await handler(api)
    first = await made.handle(result())
    again = await ReportHandler(api, rules(), journal).handle(result())
    assert first == again
    assert len(await stored(api)) == 1


async def test_units_with_one_key_do_not_replace_each_other(api):
    """Two results of one unit with one start are two runs, a millisecond apart, the same on each try."""
    made, _ = await handler(api)
    events = [result(event_id=f"e-{number}") for number in range(20)]
    done = [await made.handle(one) for one in events]
    assert [one.detail.get("start_moved_ms", 0) for one in done] == list(range(20))
    assert [await made.handle(one) for one in reversed(events)] == done[::-1]
    assert len(await stored(api)) == 20


async def test_units_with_one_key_at_one_moment(api):
    """The same holds when they are handled at the same time."""
    made, _ = await handler(api)
    await asyncio.gather(*(made.handle(result(event_id=f"e-{number}")) for number in range(10)))
    assert len({start for _, _, start in await stored(api)}) == 10


async def test_repeats_within_a_message_are_runs(api):
    """The second result of a unit in one message begins a millisecond later."""
    made, _ = await handler(api)
    await made.handle(result(event_id="e-1", repeat=0))
    await made.handle(result(event_id="e-2", repeat=1))
    assert [start[-10:] for _, _, start in await stored(api)] == [".000+00:00", ".001+00:00"]


async def test_a_moved_start_follows_a_mended_rule(api):
    """After a mapping was mended, a replayed result looks for its place under the new part number."""
    made, journal = await handler(api)
    await made.handle(result(event_id="e-1"))
    await made.handle(result(event_id="e-2"))
    mended = rules(recipes=[{"recipe": "BRD-A", "part_number": "NEW"}])
    done = await ReportHandler(api, mended, journal).handle(result(event_id="e-2"))
    assert (done.detail["part_number"], done.detail["start"]) == ("NEW", "2026-03-04T12:00:00.000+00:00")


async def test_a_panel_becomes_one_report_per_unit(api):
    """Units that share identifier and start keep their own reports."""
    start = work_started(*(("P1", place) for place in range(1, 5)), panel_id="P1")
    made, _ = await handler(api, start)
    for place in range(1, 5):
        one = result(unit_id="P1", position=place, siblings=4, transaction_id=WORK, event_id=f"e-{place}")
        await made.handle(one)
    assert sorted(serial for serial, _, _ in await stored(api)) == ["P1-1", "P1-2", "P1-3", "P1-4"]


async def test_no_future_start_even_without_a_receipt(api):
    """An event that no transport received is clamped to now, and to the same moment on each try."""
    made, _ = await handler(api)
    one = result(time=NOON + timedelta(days=100_000))
    one.metadata.received_at = None
    first = await made.handle(one)
    assert first.detail["start"] < "2200"
    assert await made.handle(one) == first


@pytest.mark.parametrize(
    ("made", "earlier", "rule"),
    [
        (result(result="skipped"), [], "skipped"),
        (
            result(unit_id="P1", position=2, siblings=2, transaction_id=WORK),
            [work_started(("P1", 1), ("P1", 2, "Skip"))],
            "a position marked Skip",
        ),
        (inspection(scope="panel"), [], "panel_reports is off"),
    ],
)
async def test_dropped_by_rule(api, made, earlier, rule):
    """What is no test makes no report, and the ledger says by which rule."""
    ready, _ = await handler(api, *earlier)
    dropped = await ready.handle(made)
    assert isinstance(dropped, Dropped)
    assert rule in dropped.rule
    assert await stored(api) == []


async def test_panel_reports_by_option(api):
    """Who wants them has reports of whole panels, under the panel's identifier."""
    made, _ = await handler(api, report={"panel_reports": True})
    done = await made.handle(inspection(scope="panel", unit_id="P1", position=1, siblings=4))
    assert done.detail["serial_number"] == "P1"


async def test_a_report_waits_for_its_part_number(api):
    """A result whose product nobody knows yet is sent when the work's start has told it."""
    made, journal = await handler(api)
    early = result(transaction_id=WORK, recipe=None)
    with pytest.raises(NotReady) as caught:
        await made.handle(early)
    start = work_started(("SN1", 1), recipe="BRD-A")
    assert {fact.key for fact in facts_of(start)} & set(caught.value.facts)
    await journal.remember(facts_of(start))
    assert (await made.handle(early)).detail["part_number"] == "100-200"


async def test_held_for_the_start_of_the_work(api):
    """By option a result waits a little for a work that it names and that nobody told of."""
    made, journal = await handler(api, report={"hold_for_context": 600})
    waiting = result(transaction_id=WORK, received_at=NOON.replace(year=2999))
    with pytest.raises(NotReady) as caught:
        await made.handle(waiting)
    assert set(caught.value.facts) & {fact.key for fact in facts_of(work_started(("SN1", 1)))}
    assert caught.value.give_up_after > 600
    assert isinstance(await made.handle(result(transaction_id=WORK)), Done)
    await journal.remember(facts_of(work_started(("SN1", 1))))
    assert isinstance(await made.handle(waiting), Done)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (400, PermanentError),
        (404, PermanentError),
        (409, PermanentError),
        (413, PermanentError),
        (401, DestinationUnavailable),
        (403, DestinationUnavailable),
        (429, DestinationUnavailable),
        (502, DestinationUnavailable),
        (503, DestinationUnavailable),
        (504, DestinationUnavailable),
        (408, TransientError),
        (500, TransientError),
    ],
)
async def test_answers_of_wats(wats, api, status, meaning):
    """Each answer becomes what the dispatcher should do, with the server's text."""
    made, _ = await handler(api)
    wats.knobs.reject_next(status=status, text="the reason")
    with pytest.raises(meaning, match="the reason") as caught:
        await made.handle(result())
    if meaning is DestinationUnavailable:
        assert caught.value.destination == "WATS"
        assert caught.value.needs_attention == (status in {401, 403})
        assert caught.value.only_for_handler == (status == 403)
    assert isinstance(await made.handle(result()), Done)


async def test_a_token_that_may_not_register_assets(wats, api):
    """The report goes all the same, and says that its uses are not counted."""
    assets = {"create": True, "station_type": "Station"}
    station = {**rules().stations[0].model_dump(exclude_defaults=True), "count_asset": True}
    made, _ = await handler(api, assets=assets, stations=[station])
    wats.knobs.reject_next(9, status=403, text="no asset module", path="/api/Asset")
    done = await made.handle(result())
    assert isinstance(done, Done)
    assert "no asset module" in done.detail["notes"][0]


async def test_retry_after_is_handed_on(wats, api):
    """The dispatcher learns how long WATS wants to be left alone."""
    made, _ = await handler(api)
    wats.knobs.outage, wats.knobs.outage_retry_after = "unavailable", 17
    with pytest.raises(DestinationUnavailable) as caught:
        await made.handle(result())
    assert caught.value.retry_after == 17


async def test_a_broken_connection_is_an_outage(wats, api):
    """Nobody there is no fault of the report. What to check is named as bridge.toml names it."""
    made, _ = await handler(api)
    await wats.stop()
    with pytest.raises(DestinationUnavailable, match=r"Check wats\.url"):
        await made.handle(result())


async def test_a_slow_server_is_an_outage(wats):
    """No answer in time is no fault of the report either."""
    wats.knobs.latency = 60
    async with AsyncWATS(
        base_url=wats.url, token="t", timeout=0.05, retry_config=RetryConfig(max_attempts=1)
    ) as impatient:
        made, _ = await handler(impatient)
        with pytest.raises(DestinationUnavailable):
            await made.handle(result())


async def test_an_unknown_process_is_permanent(api):
    """What WATS refuses for its content is not tried again, and its text says why."""
    made, _ = await handler(api, stations=[{"handle": "*", "process": 7777}])
    with pytest.raises(PermanentError, match="7777"):
        await made.handle(result())


async def test_a_payload_that_does_not_fit(api):
    """A member of the wrong type is named."""
    made, _ = await handler(api)
    broken = result(a_test("T1", "passed", number("a lot")))
    with pytest.raises(PermanentError, match=r"payload: tests\.0\.measurements\.0.*value"):
        await made.handle(broken)


async def test_a_report_that_can_not_be(api):
    """A part number that no report can hold is named, with the unit."""
    made, _ = await handler(api, recipes=[], recipe_regexes=["(?P<pn>BRD.*)"])
    with pytest.raises(PermanentError, match='unit "SN1": no report can be made: pn'):
        await made.handle(result(recipe="BRD-\x07"))


async def test_thousands_of_measurements(api):
    """A report of 2,000 measurements arrives whole, built beside the loop."""
    made, _ = await handler(api)
    many = [number(1.5, f"R{n}", low=1, high=2, unit="V") for n in range(2000)]
    done = await made.handle(result(a_test("T1", "passed", *many)))
    report = await api.report.get(done.detail["report"])
    assert len(report["root"]["steps"][0]["steps"]) == 2000


async def test_only_results_are_asked_for(api):
    """The handler wants results and nothing else."""
    made, _ = await handler(api)
    assert set(made.event_types) == {EventType.TEST_RESULT, EventType.INSPECTION_RESULT}
    assert (made.name, made.destination) == ("report", "WATS")
    assert event(EventType.TEST_RESULT, {"unit_id": "X"}).key == "X"
