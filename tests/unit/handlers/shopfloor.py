"""What the tests of handlers are made of: events as a line sends them, and reports that are checked."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path

from jsonschema_rs import Draft202012Validator

from handlers import Rules, UnitContext, build_report, facts_of
from pywats_events.event import Event, EventMetadata, EventType
from pywats_events.journal.memory import MemoryJournal

ICT = "//Acme/L1/ICT01"
NOON = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
WORK = "1b3524e0-fd4f-4bd8-93a7-992d12bdb418"
SHARED_SCHEMA = Path(__file__).parents[4] / "shared" / "wats" / "wsjf.schema.json"

RULES = {
    "stations": [{"handle": "//Acme/*", "machine_name": "{name}", "process": 30}],
    "recipes": [{"recipe": "BRD-A", "part_number": "100-200", "revision": "C"}],
}


def rules(**changes):
    """Rules of a small line; members given here replace the usual ones."""
    return Rules.model_validate({**RULES, **changes})


def event(event_type, payload, *, source=ICT, time=NOON, received_at=None, event_id="e-1"):
    """An event as the journal gives it: plain JSON data."""
    return Event(
        event_type=event_type,
        payload=json.loads(json.dumps(payload)),
        source=source,
        id=event_id,
        time=time,
        metadata=EventMetadata(received_at=received_at or time + timedelta(seconds=1)),
    )


def result(*tests, event_id="e-1", time=NOON, source=ICT, received_at=None, **said):
    """A test result of unit SN1."""
    payload = {"unit_id": "SN1", "result": "passed", "recipe": "BRD-A", "tests": list(tests), **said}
    payload = {name: value for name, value in payload.items() if value is not None}
    return event(
        EventType.TEST_RESULT, payload, event_id=event_id, time=time, source=source, received_at=received_at
    )


def inspection(*tests, **said):
    """An inspection result of unit SN1."""
    made = result(*tests, **said)
    made.event_type = EventType.INSPECTION_RESULT
    return made


def work_started(*units, transaction=WORK, time=NOON - timedelta(minutes=1), source=ICT, **said):
    """The start of a work on (identifier, position[, status])."""
    places = [dict(zip(("unit_id", "position", "status"), unit, strict=False)) for unit in units]
    return event(
        EventType.WORK_STARTED,
        {"transaction_id": transaction, "units": places, **said},
        time=time,
        source=source,
    )


def a_test(name="T1", outcome="passed", *measurements, **said):
    """One test of a unit; no outcome when None."""
    made = {"name": name, "measurements": list(measurements), **said}
    return made if outcome is None else {**made, "result": outcome}


def number(value, name="R1", **said):
    """One number that was measured."""
    return {"kind": "numeric", "name": name, "value": value, **said}


async def taught(*earlier):
    """A journal that learnt from earlier events."""
    journal = MemoryJournal()
    for one in earlier:
        await journal.remember(facts_of(one))
    return journal


async def built(made, *earlier, **changed_rules):
    """The report of an event after earlier ones, checked against the schemas of WATS."""
    journal = await taught(*earlier)
    known = await UnitContext(journal.recall).of(made)
    done = build_report(made, known, rules(**changed_rules))
    check(done.report.to_wire())
    return done


async def wire(made, *earlier, **changed_rules):
    """The JSON of that report."""
    return (await built(made, *earlier, **changed_rules)).report.to_wire()


def steps(report):
    """All steps below the root by their name."""
    found = {}

    def walk(step):
        for child in step.get("steps", ()):
            assert child["name"] not in found
            found[child["name"]] = child
            walk(child)

    walk(report["root"])
    return found


def misc(report):
    """Misc infos as a dictionary."""
    return {info["description"]: info["text"] for info in report.get("miscInfos", ())}


def check(report):
    """Refuse a report that WATS would refuse."""
    for schema in _schemas():
        faults = [
            f"{'/'.join(map(str, fault.instance_path))}: {fault.message}"
            for fault in schema.iter_errors(report)
        ]
        assert not faults


@cache
def _schemas():
    own = json.loads((files("pywats_api.server") / "wsjf.schema.json").read_text("utf-8"))
    shared = [json.loads(SHARED_SCHEMA.read_text("utf-8"))] if SHARED_SCHEMA.exists() else []
    return [Draft202012Validator(schema) for schema in (own, *shared)]
