"""Tools are counted by the report of their work, else by themselves, and never by both."""

from datetime import UTC, datetime

import pytest
from shopfloor import ICT, WORK, event, result, rules, taught

from handlers import ReportHandler, ToolCountHandler, ToolUseHandler, facts_of, report_id
from pywats_events.errors import NotReady, TransientError
from pywats_events.event import EventType
from pywats_events.handler import Dropped

USES = [{"tool": {"id": "FIX-7"}, "cycles": 3}]


def used(number=1, *, received_at=None, **said):
    payload = {"asset_id": ICT, "unit_id": "SN1", "transaction_id": WORK, "uses": USES, **said}
    return event(EventType.TOOL_USED, payload, event_id=f"u-{number}", received_at=received_at)


async def handlers(api, *earlier, register=True, **assets):
    if register:
        (kind, *_) = await api.asset.get_asset_types()
        await api.asset.create_asset("FIX-7", kind.type_id)
    journal = await taught(*earlier)
    own = rules(assets={"cycles": "always", **assets})
    for one in earlier:
        await ToolUseHandler(own, journal).handle(one)
    return ToolCountHandler(api, own, journal), ReportHandler(api, own, journal), journal


async def total(api):
    return (await api.asset.get_asset_by_serial("FIX-7")).total_count or 0


async def test_the_report_counts(api):
    """What the report of the work told is not counted again."""
    counts, reports, _ = await handlers(api, used())
    await reports.handle(result(transaction_id=WORK))
    assert (await counts.handle(used())).detail["found"] == "counted by a report"
    assert await total(api) == 3


async def test_several_uses_in_one_work(api):
    """All of them add up in the next report, whichever tools they are of; a later report repeats none."""
    other = used(2, uses=[{"tool": {"id": "FIX-7"}, "cycles": 1}, {"tool": {"id": "PROBE"}, "cycles": 2}])
    counts, reports, journal = await handlers(api, used(), other)
    first, second = result(transaction_id=WORK), result(transaction_id=WORK, event_id="e-2")
    for one in (first, first, second):
        await reports.handle(one)
    told = [(await api.report.get(report_id(one))).get("assets", []) for one in (first, second)]
    assert [{each["assetSN"]: each["usageCount"] for each in assets} for assets in told] == [
        {"FIX-7": 4, "PROBE": 2},
        {},
    ]
    await ToolUseHandler(rules(), journal).handle(used(3))
    await journal.remember(facts_of(used(3)))
    await reports.handle(second)
    assert await total(api) == 7
    for one in (used(), other, used(3)):
        assert (await counts.handle(one)).detail["found"] == "counted by a report"


async def test_several_uses_without_a_report(api):
    """Each is counted."""
    counts, _, _ = await handlers(api, used(), used(2))
    for one in (used(), used(2), used()):
        await counts.handle(one)
    assert await total(api) == 6


async def test_a_use_that_is_not_entered_yet(api):
    """The report waits for it, as an earlier one may be missing besides; not for ever."""
    _, reports, journal = await handlers(api)
    await journal.remember(facts_of(used()))
    with pytest.raises(NotReady, match="not entered yet"):
        await reports.handle(result(transaction_id=WORK, received_at=datetime.now(UTC)))
    await reports.handle(result(transaction_id=WORK))
    assert await total(api) == 3


async def test_no_report_follows(api):
    """Then the use is counted, once; a report that comes all the same counts it no more."""
    counts, reports, journal = await handlers(api, used())
    for _ in range(2):
        await counts.handle(used())
    assert await total(api) == 3
    made = result(transaction_id=WORK)
    await journal.remember(facts_of(made))
    await reports.handle(made)
    assert await total(api) == 3


async def test_others_count_between_two_tries(wats, api):
    """A total that was passed meanwhile can't be told again: no dead letter, but the audit says so."""
    counts, _, _ = await handlers(api)
    wats.knobs.reject_next(1, status=500, path="/api/Asset/Count")
    with pytest.raises(TransientError):
        await counts.handle(used())
    await api.asset.increment_count(serial_number="FIX-7", amount=9)
    detail = (await counts.handle(used())).detail
    assert detail["totals"] == {"FIX-7": 3}
    assert "3 cycles of this use may be missing" in detail["notes"][0]
    assert await total(api) == 9


async def test_a_report_is_waited_for(api):
    """For as long as the site wants."""
    counts, _, _ = await handlers(api, used())
    with pytest.raises(NotReady, match=r"assets\.count_after"):
        await counts.handle(used(received_at=datetime.now(UTC)))


async def test_a_use_without_a_unit(api):
    """No report can count it."""
    counts, _, _ = await handlers(api)
    await counts.handle(used(unit_id=None, received_at=datetime.now(UTC)))
    assert await total(api) == 3


async def test_a_tool_that_is_not_registered(api):
    """It is not counted, and the rule says why."""
    counts, _, _ = await handlers(api, register=False)
    dropped = await counts.handle(used())
    assert isinstance(dropped, Dropped)
    assert "not registered" in dropped.rule


async def test_one_tool_of_several_is_not_registered(api):
    """The others are counted all the same."""
    counts, _, _ = await handlers(api)
    done = await counts.handle(used(uses=[{"tool": {"id": "UNKNOWN"}, "cycles": 1}, *USES]))
    assert done.detail["totals"] == {"FIX-7": 3}
    assert "UNKNOWN" in done.detail["notes"][0]
    assert await total(api) == 3


async def test_reports_only_by_default(api):
    """Nobody is asked unless a site wants each use counted."""
    assert ToolCountHandler(api, rules(), await taught()).event_types == ()
    assert ToolUseHandler(rules(assets={"tools": False}), await taught()).event_types == ()
