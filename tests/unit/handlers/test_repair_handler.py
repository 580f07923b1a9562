"""A repair becomes a repair report, bound to the report that showed the failure."""

from datetime import UTC, datetime, timedelta

import pytest
from shopfloor import NOON, a_test, check, event, number, result, rules, taught

from handlers import RepairHandler, ReportHandler, facts_of, report_id
from pywats_events.errors import NotReady, PermanentError
from pywats_events.event import EventMetadata, EventType
from pywats_events.handler import Done, Dropped

BENCH = "//Acme/L1/REP01"
REPAIR = {
    "process": 500,
    "failures": [
        {"defect": "COLD*", "category": "Solder Process", "code": "Cold joint"},
        {"repair": "Joint *", "category": "Solder Process", "code": "Other"},
    ],
}
DEFECT = {"id": "d-1", "code": "COLD-JOINT", "designator": "U34", "part_number": "SN74HCS30DR"}
JOINT = {
    "name": "Joint Repair",
    "result": "RepairSuccessful",
    "started_at": "2026-03-04T13:39:23+00:00",
    "ended_at": "2026-03-04T13:40:03+00:00",
    "comments": "Resoldered pin 5",
    "defect_ids": ["d-1"],
}


def failed(event_id="t-000000000001", **said):
    tests = (a_test("Supply", "passed", number(3.3)), a_test("Joints", "failed", defects=[DEFECT]))
    return result(*tests, event_id=event_id, **{"result": "failed", **said})


def repaired(*repairs, event_id="r-000000000001", at=NOON + timedelta(hours=2), **said):
    payload = {"unit_id": "SN1", "result": "RepairSuccessful", "repairs": list(repairs), **said}
    return event(EventType.UNIT_REPAIRED, payload, source=BENCH, time=at, event_id=event_id)


async def handlers(api, *earlier, **changes):
    own = rules(**{"repair": REPAIR, **changes})
    journal = await taught(*earlier)
    return ReportHandler(api, own, journal), RepairHandler(api, own, journal)


async def stored(api, made):
    return await api.report.get(report_id(made))


async def test_a_repair_is_bound_to_the_failed_report(api):
    """Unit, product and failed operation are those of the report that showed the defect, and its step."""
    test, made = failed(), repaired(JOINT, operator={"id": "B-7"})
    reports, repairs = await handlers(api, test)
    await reports.handle(test)
    done = await repairs.handle(made)
    assert done.detail["sources"]["failed_report"] == "the report that showed the defect"
    report = await stored(api, made)
    assert (report["type"], report["sn"], report["pn"], report["rev"]) == ("R", "SN1", "100-200", "C")
    assert (report["processCode"], report["result"], report["machineName"]) == (500, "P", "REP01")
    assert report["start"].startswith("2026-03-04T13:39:23")
    uur = report["uur"]
    assert (uur["processCode"], uur["refUUT"], uur["user"]) == (30, str(report_id(test)), "B-7")
    assert uur["execTime"] == 40
    assert uur["comment"] == "RepairSuccessful: Joint Repair"
    (unit,) = report["subUnits"]
    (failure,) = unit["failures"]
    step_id = failure.pop("refStepId")
    assert failure == {
        "category": "Solder Process",
        "code": "Cold joint",
        "comment": "Joint Repair. Resoldered pin 5",
        "comRef": "U34",
        "artNumber": "SN74HCS30DR",
    }
    (shown,) = [
        step
        for test_step in (await stored(api, test))["root"]["steps"]
        for step in test_step.get("steps", ())
        if step["id"] == step_id
    ]
    assert shown["name"] == "COLD-JOINT U34"


async def test_a_repair_waits_for_the_report(api):
    """The repair is not sent before the report that it refers to."""
    test, made = failed(), repaired(JOINT)
    reports, repairs = await handlers(api, test)
    with pytest.raises(NotReady, match="has not been sent yet"):
        await repairs.handle(made)
    await reports.handle(test)
    assert isinstance(await repairs.handle(made), Done)


async def test_a_repair_that_overtakes_the_result(api):
    """What it names is waited for, as it comes from another machine; not for ever."""
    test, made = failed(), repaired(JOINT)
    early = repaired(JOINT)
    early.metadata = EventMetadata(received_at=datetime.now(UTC))
    reports, repairs = await handlers(api)
    with pytest.raises(NotReady, match=r"no result has told yet \(d-1\)") as caught:
        await repairs.handle(early)
    assert set(caught.value.facts) <= {fact.key for fact in facts_of(test)}
    await reports.handle(test)
    assert (await repairs.handle(made)).detail["failed_report"] == str(report_id(test))


async def test_a_repair_that_names_no_defect(api):
    """It belongs to the unit's last failure before it, not to an earlier one nor a later one."""
    first = failed("t-000000000001", time=NOON - timedelta(hours=1))
    last = failed("t-000000000002")
    later = failed("t-000000000003", time=NOON + timedelta(hours=3))
    made = repaired({"name": "Joint Repair"})
    reports, repairs = await handlers(api, first, last)
    for one in (first, last):
        await reports.handle(one)
    await repairs.handle(made)
    assert (await stored(api, made))["uur"]["refUUT"] == str(report_id(last))
    reports, repairs = await handlers(api, later)
    again = repaired({"name": "Joint Repair"}, event_id="r-2", at=NOON + timedelta(minutes=125))
    await repairs.handle(again)
    assert (await stored(api, again))["uur"]["refUUT"] == str(report_id(last))


async def test_a_failure_that_only_wats_knows(api):
    """A bridge that lost its journal binds the repair to the last report that failed, not to a passed one."""
    test = failed(time=NOON - timedelta(hours=1))
    passed = result(a_test(), event_id="t-000000000002")
    reports, _ = await handlers(api, test, passed)
    for one in (test, passed):
        await reports.handle(one)
    _, repairs = await handlers(api)
    made = repaired({"name": "Joint Repair"})
    await repairs.handle(made)
    assert (await stored(api, made))["uur"]["refUUT"] == str(report_id(test))


async def test_nothing_to_be_repaired(api):
    """Without any failed report the repair waits, and says what it waits for."""
    _, repairs = await handlers(api)
    with pytest.raises(NotReady, match="neither here nor in WATS") as waits:
        await repairs.handle(repaired({"name": "Joint Repair"}))
    assert waits.value.give_up_after == 3600


@pytest.mark.parametrize(
    ("repair", "expected"),
    [
        (JOINT, ("Solder Process", "Cold joint")),
        ({**JOINT, "defect_ids": []}, ("Solder Process", "Other")),
        ({**JOINT, "name": "Magic", "defect_ids": []}, ("Component", "Other")),
        ({**JOINT, "reclassified_defects": [{"code": "BRIDGE"}]}, ("Solder Process", "Other")),
    ],
    ids=["by the defect", "by the repair", "by nothing", "by what it turned out to be"],
)
async def test_failure_codes(api, repair, expected):
    """Defects decide, then the repair's name, then the catch-all; what a defect turned out to be counts."""
    test, made = failed(), repaired(repair)
    reports, repairs = await handlers(
        api, test, repair={**REPAIR, "other": {"category": "Component", "code": "Other"}}
    )
    await reports.handle(test)
    await repairs.handle(made)
    (failure,) = (await stored(api, made))["subUnits"][0]["failures"]
    assert (failure["category"], failure["code"]) == expected


async def test_a_repair_without_a_code(api):
    """It is a dead letter that says where the code belongs."""
    test = failed()
    reports, repairs = await handlers(api, test)
    await reports.handle(test)
    with pytest.raises(PermanentError, match=r'repair "Magic" .*\[\[repair.failures\]\]'):
        await repairs.handle(repaired({"name": "Magic"}))


async def test_units_that_nobody_repaired(api):
    """No fault found is a report only where a code for it is configured."""
    test, made = failed(), repaired()
    reports, repairs = await handlers(api, test)
    assert "no_fault" in (await repairs.handle(made)).rule
    code = {"category": "No fault found", "code": "No fault found"}
    reports, repairs = await handlers(api, test, repair={**REPAIR, "no_fault": code})
    await reports.handle(test)
    await repairs.handle(made)
    assert (await stored(api, made))["subUnits"][0]["failures"] == [code]


async def test_repairs_are_off_without_an_operation(api):
    """A site that does not report repairs sees them dropped by that rule."""
    _, repairs = await handlers(api, repair={})
    assert isinstance(await repairs.handle(repaired(JOINT)), Dropped)


async def test_repeating_changes_nothing(api):
    """The same repair again is the same report."""
    test, made = failed(), repaired(JOINT)
    reports, repairs = await handlers(api, test)
    await reports.handle(test)
    await repairs.handle(made)
    before = await stored(api, made)
    await repairs.handle(made)
    assert await stored(api, made) == before
    check({name: value for name, value in before.items() if name != "processName"})


def test_results_that_nobody_repairs_teach_no_failure():
    """Passed, skipped and whole panels are no failures of a unit."""
    for said in ({"result": "passed"}, {"result": "skipped"}, {"result": "failed", "scope": "panel"}):
        assert facts_of(result(**said)) == ()
