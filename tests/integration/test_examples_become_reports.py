"""From the bytes of a message to a report that WATS took: examples, recorded traffic, and reports by hand."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import golden_messages as golden
import httpx
import pytest
from jsonschema_rs import Draft202012Validator

import samples
from handlers import MaterialHandler, ReportHandler, Rules, facts_of
from pywats_api import AsyncWATS
from pywats_api.retry import RetryConfig
from pywats_api.server import LocalWATS
from pywats_cfx import cfx_adapter
from pywats_events import Done, Dropped, Event, EventType, RawMessage, Unreadable
from pywats_events.journal.memory import MemoryJournal

SHARED = Path(__file__).parents[3] / "shared"
NOW = datetime(2026, 12, 24, 12, 0, tzinfo=UTC)
UNITS_TESTED = "CFX.Production.TestAndInspection.UnitsTested"
UNITS_INSPECTED = "CFX.Production.TestAndInspection.UnitsInspected"
RULES = {
    "stations": [{"handle": "*", "part_number": "100-200", "revision": "A"}],
    "process_by_method": {"Automated": 60, "ICT": 30, "FCT": 60, "SPI": 130, "AOI": 140, "Human": 120},
}


@pytest.fixture
async def wats(tmp_path: Path) -> AsyncIterator[LocalWATS]:
    async with LocalWATS(tmp_path / "wats.sqlite", now=lambda: NOW) as server:
        yield server


@pytest.fixture
async def api(wats: LocalWATS) -> AsyncIterator[AsyncWATS]:
    once = RetryConfig(max_attempts=1)
    async with AsyncWATS(wats.url, "any", requests_per_minute=None, retry_config=once) as client:
        yield client


def envelope(name: str, body: Any) -> bytes:
    """Put a body into an envelope, without a label, as older senders do."""
    document = {
        "MessageName": name,
        "Version": "2.1",
        "TimeStamp": "2026-03-01T10:00:00+01:00",
        "UniqueID": str(uuid5(NAMESPACE_URL, json.dumps(body))),
        "Source": "//Acme/Line1/ST01",
        "Target": None,
        "RequestID": None,
        "MessageBody": body,
    }
    return json.dumps(document).encode()


def events_of(body: bytes, *, encoding: str | None = None) -> list[Event]:
    """Give the events of a message, all of which must be readable."""
    made = list(cfx_adapter(RawMessage(body, content_encoding=encoding, transport="cfx", received_at=NOW)))
    assert not [each for each in made if isinstance(each, Unreadable)]
    return [each for each in made if isinstance(each, Event)]


async def deliver(api: AsyncWATS, events: Iterable[Event], rules: dict[str, Any]) -> list[Done | Dropped]:
    """Let the real handlers have each result, after what earlier events taught."""
    journal = MemoryJournal()
    handler = ReportHandler(api, Rules.model_validate(rules), journal)
    materials = MaterialHandler(Rules.model_validate(rules), journal)
    outcomes = []
    for event in events:
        await journal.remember(facts_of(event))
        if event.event_type in materials.event_types:
            await materials.handle(event)
        if event.event_type in handler.event_types:
            outcomes.append(await handler.handle(event))
    return outcomes


async def stored(wats: LocalWATS) -> list[dict[str, Any]]:
    """Give the reports as WATS received them, oldest first; none of them may be in quarantine."""
    async with httpx.AsyncClient(base_url=wats.url) as client:
        counts = (await client.get("/local/counts")).json()
        rows = (await client.get("/local/reports")).json()
    assert (counts["quarantined"], counts["refused"]) == (0, 0)
    return [row["body"] for row in reversed(rows)]


@cache
def schemas() -> tuple[Draft202012Validator, ...]:
    own = (files("pywats_api.server") / "wsjf.schema.json").read_text("utf-8")
    reference = SHARED / "wats" / "wsjf.schema.json"
    texts = [own, *([reference.read_text("utf-8")] if reference.exists() else [])]
    return tuple(Draft202012Validator(json.loads(text)) for text in texts)


def check(report: dict[str, Any]) -> None:
    """Hold a report against our copy of the schema and, where it is at hand, against the reference."""
    for schema in schemas():
        assert [f"{fault.instance_path}: {fault.message}" for fault in schema.iter_errors(report)] == []


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def reference(kind: str, pattern: str) -> list[Any]:
    found = sorted((SHARED / "cfx" / kind).glob(pattern))
    absent = pytest.mark.skip(reason="the standard's examples (../shared/cfx) are not beside this checkout")
    return [pytest.param(path, id=path.name) for path in found] or [pytest.param(None, marks=absent)]


# --- the standard's examples and recorded traffic


@pytest.mark.parametrize(
    "path",
    [*reference("examples", f"{UNITS_TESTED}.*.json"), *reference("examples", f"{UNITS_INSPECTED}.*.json")],
)
async def test_an_example_becomes_reports_that_wats_takes(
    api: AsyncWATS, wats: LocalWATS, path: Path
) -> None:
    """One report for each unit of it, under its serial number, with the unit's verdict."""
    body = read(path)
    events = events_of(envelope(path.name.rsplit(".", 2)[0], body))
    outcomes = await deliver(api, events, RULES)
    reports = await stored(wats)

    units = body.get("TestedUnits") or body["InspectedUnits"]
    assert [type(outcome) for outcome in outcomes] == [Done] * len(units)
    assert [report["result"] for report in reports] == [
        {"Passed": "P", "Failed": "F"}[unit["OverallResult"]] for unit in units
    ]
    assert len({(report["sn"], report["start"]) for report in reports}) == len(units)
    for report, unit in zip(reports, units, strict=True):
        assert report["sn"].startswith(unit["UnitIdentifier"])
        check(report)


@pytest.mark.parametrize("path", reference("wire", "publish-*.json"))
async def test_recorded_traffic_becomes_reports(api: AsyncWATS, wats: LocalWATS, path: Path) -> None:
    """However it was sent: one by one or packed, through a broker or not, by either version of AMQP."""
    events = []
    for message in read(path)["messages"]:
        properties = message.get("properties") or {}
        encoding = properties.get("content_encoding") or properties.get("content-encoding")
        events += events_of(base64.b64decode(message["body_b64"]), encoding=encoding)

    assert [event.event_type.value for event in events] == [
        "asset.connected",
        "work.started",
        "material.installed",
        "test.result",
        "test.result",
        "asset.fault",
        "asset.fault",
        "work.completed",
        "asset.heartbeat",
        "asset.disconnected",
    ]
    assert events[-1].metadata.message_name == "CFX.EndpointShuttingDown"
    await deliver(api, events, RULES)
    reports = await stored(wats)
    assert [(report["sn"], report["result"]) for report in reports] == [("SN-1001", "P"), ("SN-1002", "F")]
    for report in reports:
        check(report)


# --- our own samples, and what is wrong with messages


@pytest.mark.parametrize("name", [name for name in samples.names() if name.startswith("units_")])
async def test_a_sample_becomes_reports_that_wats_takes(api: AsyncWATS, wats: LocalWATS, name: str) -> None:
    """Each result of a unit has its report, valid by the schemas, and the same one when it comes again."""
    events = events_of(samples.load(name))
    outcomes = await deliver(api, [*events, *events], RULES)
    reports = await stored(wats)
    done = [outcome for outcome in outcomes if isinstance(outcome, Done)]
    assert len(done) == 2 * len(reports) > 0
    for report in reports:
        check(report)


WRONG = [
    (name, field)
    for name in samples.names()
    for field, value in json.loads(samples.load(name))["MessageBody"].items()
    if isinstance(value, list | dict)
]


@pytest.mark.parametrize(("name", "field"), WRONG)
def test_a_member_of_a_wrong_type_is_named(name: str, field: str) -> None:
    """The message becomes one dead letter that says which member it is; no half of it becomes an event."""
    document = json.loads(samples.load(name))
    document["MessageBody"][field] = "neither list nor table"
    (made,) = cfx_adapter(RawMessage(json.dumps(document).encode(), received_at=NOW))
    assert isinstance(made, Unreadable)
    assert f"MessageBody.{field}" in made.reason
    assert made.message_name == document["MessageName"]
    assert made.source == document["Source"]


# --- reports written by hand


@pytest.fixture
async def by_hand(api: AsyncWATS, wats: LocalWATS) -> dict[str, dict[str, Any]]:
    """Give the reports that the written messages became, by serial number, and without their identities."""
    messages = (golden.WORK_STARTED, golden.IN_CIRCUIT, golden.CLIMATE)
    events = [event for message in messages for event in events_of(message.encode())]
    await deliver(api, events, golden.RULES)
    reports = await stored(wats)
    for report in reports:
        check(report)
        assert UUID(report.pop("id")).version == 5
    return {report["sn"]: report for report in reports}


@pytest.mark.parametrize(
    "expected", [golden.IN_CIRCUIT_PASSED, golden.IN_CIRCUIT_FAILED, golden.CLIMATE_PASSED]
)
def test_the_report_is_the_one_that_was_written_by_hand(
    by_hand: dict[str, dict[str, Any]], expected: dict[str, Any]
) -> None:
    """Every member of it, from the bytes of the message to what WATS received."""
    assert by_hand[expected["sn"]] == expected


async def test_a_repeat_of_a_message_is_the_same_report(api: AsyncWATS, wats: LocalWATS) -> None:
    """The identity of a report comes from the message: sent twice, or after a restart, it is one."""
    for _ in range(2):
        await deliver(api, events_of(golden.CLIMATE.encode()), golden.RULES)
    assert len(await stored(wats)) == 1


async def test_no_wrong_pass(api: AsyncWATS, wats: LocalWATS) -> None:
    """A result that is not plainly a pass is not reported as one, whatever word stands for it."""
    document = json.loads(golden.CLIMATE)
    words = ["Failed", "Error", "Aborted", "Skipped", "Quarantined", "", "failed"]
    for number, word in enumerate(words):
        one = copy.deepcopy(document)
        one["UniqueID"] = str(uuid5(NAMESPACE_URL, word))
        unit = one["MessageBody"]["TestedUnits"][0]
        unit |= {"OverallResult": word, "UnitIdentifier": f"SN-{number}"}
        made = cfx_adapter(RawMessage(json.dumps(one).encode(), received_at=NOW))
        await deliver(api, [each for each in made if isinstance(each, Event)], golden.RULES)
    reports = await stored(wats)
    assert EventType.TEST_RESULT in {each.event_type for each in made if isinstance(each, Event)}
    assert "P" not in {report["result"] for report in reports}
    assert len(reports) >= 4
