"""Process data and readings: reports only where a site wants them, and never a pass that nobody gave."""

import pytest
from shopfloor import ICT, NOON, a_test, event, number, result, rules, taught

from handlers import ReportHandler, report_id
from pywats_api import Product, ProductRevision, Unit
from pywats_api.wsjf import ReportResult
from pywats_events.errors import NotReady
from pywats_events.event import EventType
from pywats_events.handler import Done, Dropped

PROCESSED = {"asset_id": ICT, "unit_id": "SN1", "recipe": "BRD-A"}


def processed(**said):
    return event(EventType.UNIT_PROCESSED, {**PROCESSED, **said})


def readings(*tests, **said):
    return event(
        EventType.READINGS_RECORDED, {"asset_id": ICT, "unit_id": "SN1", "tests": list(tests), **said}
    )


async def handler(api, **report):
    own = rules(
        report={"processed": True, "readings": True, **report},
        stations=[{"handle": "*", "machine_name": "{name}", "process": 30, "part_number": "100-200"}],
    )
    return ReportHandler(api, own, await taught())


async def test_only_where_it_is_wanted(api):
    """By default nobody gets a report of the making."""
    made = ReportHandler(api, rules(), await taught())
    assert EventType.UNIT_PROCESSED not in made.event_types
    assert {EventType.UNIT_PROCESSED, EventType.READINGS_RECORDED} <= set((await handler(api)).event_types)


@pytest.mark.parametrize(
    ("made", "letter"),
    [
        (processed(result="passed"), "P"),
        (processed(result="failed"), "F"),
        (processed(result="unknown", result_said="Fine"), "E"),
        (processed(tests=[a_test("Zone", None, number(250.0, result="passed"))]), "P"),
        (readings(a_test("Torque", None, number(1.0, result="passed"))), "P"),
        (
            readings(
                a_test("Torque", None, number(1.0, result="passed"), number(2.0, "R2", result="failed"))
            ),
            "F",
        ),
        (readings(a_test("Torque", None, number(1.0, result="failed"), number(2.0, "R2"))), "F"),
    ],
)
async def test_verdicts(api, made, letter):
    """The machine's word, else the worst of the readings where all have one."""
    done = await (await handler(api)).handle(made)
    assert isinstance(done, Done)
    assert (await api.report.get(report_id(made)))["result"] == letter


@pytest.mark.parametrize(
    "made",
    [
        processed(),
        readings(a_test("Torque", None, number(1.0))),
        readings(a_test("Torque", None, number(1.0, result="passed"), number(2.0, "R2"))),
    ],
)
async def test_no_verdict_is_no_pass(api, made):
    """Data without a verdict make no report, unless a site says that they are to count as passed."""
    assert "unjudged" in (await (await handler(api)).handle(made)).rule
    await (await handler(api, unjudged="passed")).handle(made)
    assert (await api.report.get(report_id(made)))["result"] == ReportResult.PASSED


async def test_data_of_the_machine_itself(api):
    """Readings that name no unit are nobody's report."""
    made = event(EventType.READINGS_RECORDED, {"asset_id": ICT, "tests": []})
    assert isinstance(await (await handler(api)).handle(made), Dropped)


async def test_wats_is_asked_last(wats, api):
    """A unit that only WATS knows gets its product from there, or from its newest report, which is said."""
    known, unknown = result(), result(recipe=None, event_id="e-2", time=NOON.replace(hour=13))
    made = ReportHandler(api, rules(), await taught())
    with pytest.raises(NotReady):
        await made.handle(unknown)
    made = ReportHandler(api, rules(), await taught())
    await made.handle(known)
    done = await made.handle(unknown)
    assert done.detail["part_number"] == "100-200"
    assert done.detail["sources"]["part_number"].startswith("newest report of the unit in WATS")
    await api.product.bulk_save_products([Product(part_number="200-300")])
    await api.product.bulk_save_revisions([ProductRevision(part_number="200-300", revision="F")])
    new = [Unit(serial_number=serial, part_number="200-300", revision="F") for serial in ("SN1", "SN2")]
    await api.production.create_units(new)
    made = ReportHandler(api, rules(production={"enabled": True}), await taught())
    detail = (await made.handle(result(unit_id="SN2", recipe=None, event_id="e-3"))).detail
    assert (detail["part_number"], detail["revision"]) == ("200-300", "F")
    assert detail["sources"]["part_number"] == "the unit in WATS (Production)"
    assert (await made.handle(unknown)).detail[
        "part_number"
    ] == "100-200"  # of two products, that of the report
    wats.knobs.reject_next(9, status=403, path="/api/Production")
    made = ReportHandler(api, rules(production={"enabled": True}), await taught())
    assert (await made.handle(unknown)).detail["part_number"] == "100-200"
    made = ReportHandler(api, rules(report={"ask_wats": False}), await taught())
    with pytest.raises(NotReady):
        await made.handle(unknown)
