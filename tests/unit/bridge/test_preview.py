"""Dry runs: each thing that can become of an event is told before anybody is trusted with it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

import samples
from handlers import Rules
from pywats_bridge.preview import EXAMPLE_RULES, Outlook, preview
from pywats_cfx import cfx_adapter
from pywats_events import Event, EventType, RawMessage

RECEIVED = datetime(2026, 12, 24, 12, 0, tzinfo=UTC)
STATION = {"handle": "//Acme/*", "process": 60, "part_number": "PN"}


def events(name: str, **changes: Any) -> list[Event]:
    """Give the events of a sample, with changes to the first tested unit."""
    document = json.loads(samples.load(name))
    if changes:
        document["MessageBody"]["TestedUnits"][0] |= changes
    made = cfx_adapter(RawMessage(json.dumps(document).encode(), received_at=RECEIVED))
    return [each for each in made if isinstance(each, Event)]


async def outlooks(*of: Event, **rules: Any) -> list[Outlook]:
    return [one async for one in preview(of, Rules.model_validate({"stations": [STATION], **rules}))]


async def test_a_result_shows_its_report_and_how_it_was_found():
    """The call with the whole body, and one note for each thing that a rule decided."""
    (shown,) = await outlooks(*events("units_tested_fct"))
    (call,) = shown.calls
    assert (call.method, call.path) == ("POST", "/api/Report/WSJF")
    assert (call.body["sn"], call.body["pn"], call.body["processCode"]) == ("A72600417A", "PN", 60)
    assert 'part_number: part_number of station "//Acme/*" in [[stations]]' in shown.notes
    assert (shown.reason, shown.is_fault) == (None, False)


async def test_what_a_rule_drops_names_the_rule():
    """It is no fault: somebody configured it so."""
    (shown,) = await outlooks(*events("units_tested_fct", OverallResult="Skipped"))
    assert (shown.calls, shown.is_fault) == ((), False)
    assert (shown.reason or "").startswith("dropped by rule: ")
    (shown,) = await outlooks(
        *events("units_tested_fct", OverallResult="Skipped"), report={"skipped_units": "report"}
    )
    assert shown.calls[0].body["result"] == "T"


async def test_what_would_wait_says_for_what():
    """A product that nobody knows yet; once it was told, the same message is a report."""
    rules = {
        "stations": [{"handle": "*", "process": 30}],
        "work_orders": [{"work_order": "WO-26-*", "part_number": "CTRL-A7"}],
    }
    result = events("units_tested_ict")
    first, second = await outlooks(*result, **rules)
    assert (first.calls, first.is_fault, second.is_fault) == ((), True, True)
    assert (first.reason or "").startswith("waits for what later messages may tell")
    started, first, second = await outlooks(*events("work_started"), *result, **rules)
    assert started.reason == "remembered for later events"
    assert [one.calls[0].body["sn"] for one in (first, second)] == ["A72600417A", "A72600417B"]
    assert {one.calls[0].body["pn"] for one in (first, second)} == {"CTRL-A7"}


async def test_faults_are_lines_in_the_log_of_the_asset():
    """One for the fault and one for its end, which knows what it is the end of."""
    came, went = await outlooks(*events("fault_feeder"), *events("fault_cleared"))
    assert [one.calls[0].path for one in (came, went)] == [
        "/api/Asset/Message?serialNumber=Acme-Line1-PLACE01",
    ] * 2
    assert came.calls[0].body["content"].startswith("Fault ")
    assert " cleared after " in went.calls[0].body["content"]


async def test_a_fault_that_is_ignored_names_the_rule():
    """And so does its end."""
    ignored = {"others": "nothing"}
    shown = await outlooks(*events("fault_feeder"), *events("fault_cleared"), faults=ignored)
    assert [one.calls for one in shown] == [(), ()]
    assert all((one.reason or "").startswith("dropped by rule: ") for one in shown)


async def test_what_nobody_wants_says_so():
    """An event for handlers of one's own is no fault."""
    shown = await outlooks(*events("materials_loaded"), *events("work_completed_pass"))
    assert {one.event.event_type for one in shown} == {EventType.MATERIAL_LOADED, EventType.WORK_COMPLETED}
    assert {(one.reason, one.is_fault) for one in shown} == {("no handler wants it", False)}


async def test_what_would_be_a_dead_letter_says_why():
    """An event of somebody else's transport that names its members wrongly."""
    event = Event(event_type=EventType.TEST_RESULT, payload={"unit": "SN-1"}, source="//Acme/X")
    (shown,) = await outlooks(event)
    assert (shown.calls, shown.is_fault) == ((), True)
    assert (shown.reason or "").startswith("dead letter: ")
    assert "unit_id" in (shown.reason or "")


async def test_a_station_that_is_not_configured_says_where_to_add_it():
    """Its results wait, because a recipe or work order may still name the process, and die with this."""
    (shown,) = await outlooks(*events("units_tested_fct"), stations=[{"handle": "*", "part_number": "PN"}])
    assert (shown.calls, shown.is_fault) == ((), True)
    assert "no process is configured" in (shown.reason or "")
    assert "[[stations]]" in (shown.reason or "")


@pytest.mark.parametrize("name", samples.names())
async def test_the_example_rules_make_something_of_every_sample(name):
    """Who only looks around sees no fault."""
    shown = [one async for one in preview(events(name), EXAMPLE_RULES)]
    assert shown
    assert not [one.reason for one in shown if one.is_fault]
