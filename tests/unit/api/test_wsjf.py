"""The report models: what they send and what they refuse."""

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from pydantic import ValidationError

from pywats_api.server import DEFAULT_PROCESSES, FAIL_CODES
from pywats_api.server.documents import parse_json
from pywats_api.server.validation import validate_report
from pywats_api.wsjf import (
    BooleanMeas,
    Failure,
    MiscInfo,
    NumericMeas,
    Report,
    SeqCall,
    Step,
    StringMeas,
    SubUnit,
    UurInfo,
    clean_text,
)
from pywats_api.wsjf.values import parse_moment

from .conftest import SAMPLES

SAMPLE_FILES = sorted((SAMPLES / "samples").glob("*.json"))
NO_SAMPLES = pytest.mark.skipif(not SAMPLE_FILES, reason="../shared/wats is not beside the checkout")
OSLO = timezone(timedelta(hours=1))


def numeric(name=None, **changes):
    return NumericMeas(**({"value": 1.5, "status": "P", "name": name} | changes))


def leaf(name="R1", **changes):
    return Step(**({"name": name, "step_type": "ET_NLT", "status": "P"} | changes))


def report(*steps, **changes):
    members = {
        "id": UUID("7d9f3c1e-6f1b-5c55-9c0b-3a2f6f1d2e10"),
        "pn": "P1",
        "sn": "S1",
        "rev": "A",
        "process_code": 60,
        "result": "P",
        "machine_name": "FCT-1",
        "location": "Line 1",
        "purpose": "Production",
        "start": datetime(2026, 1, 30, 10, 49, 36, 919_500, tzinfo=OSLO),
        "root": Step(
            name="MainSequence Callback",
            step_type="SequenceCall",
            status="P",
            seq_call=SeqCall(name="prog", version="1.0"),
            steps=list(steps),
        ),
    }
    return Report(**(members | changes))


def test_wire_names_are_the_servers():
    """A report goes out under the names the server reads, without members that have no value."""
    wire = report(leaf(numeric_meas=[numeric(comp_op="GELE", low_limit=1, high_limit=2, unit="V")])).to_wire()
    assert wire["processCode"] == 60
    assert wire["machineName"] == "FCT-1"
    assert wire["uut"] == {}
    assert "processName" not in wire
    assert wire["root"]["seqCall"] == {"name": "prog", "path": "prog", "version": "1.0"}
    assert wire["root"]["steps"][0]["numericMeas"] == [
        {"value": 1.5, "status": "P", "compOp": "GELE", "lowLimit": 1.0, "highLimit": 2.0, "unit": "V"},
    ]


def test_both_start_times_are_one_instant():
    """The start keeps its offset and milliseconds; startUTC is the same instant with Z."""
    wire = report().to_wire()
    assert wire["start"] == "2026-01-30T10:49:36.919+01:00"
    assert wire["startUTC"] == "2026-01-30T09:49:36.919Z"


def test_start_without_offset_is_refused():
    """A local time without offset says nothing, so it is not taken."""
    with pytest.raises(ValidationError, match="timezone"):
        report(start=datetime(2026, 1, 30, 10, 49))  # noqa: DTZ001  # the very thing under test


def test_start_utc_of_another_instant_is_refused():
    """Two start times that contradict each other are refused."""
    with pytest.raises(ValidationError, match="another instant"):
        report(start_utc=datetime(2026, 1, 30, 10, 49, tzinfo=UTC))


def test_steps_are_numbered_depth_first_without_touching_them():
    """Sent steps are numbered from 0 in reading order; the caller's steps keep the ids they had."""
    inner = Step(
        name="A",
        step_type="SequenceCall",
        status="P",
        id=77,
        seq_call=SeqCall(name="A"),
        steps=[leaf("a1"), leaf("a2")],
    )
    built = report(inner, leaf("B"))
    root = built.to_wire()["root"]
    assert (root["id"], root["steps"][0]["id"], root["steps"][1]["id"]) == (0, 1, 4)
    assert [step["id"] for step in root["steps"][0]["steps"]] == [2, 3]
    assert inner.id == 77
    assert inner.steps[0].id is None


def test_verdict_of_root_and_report_must_agree():
    """No report says P over a root that failed."""
    with pytest.raises(ValidationError, match="root step says P, the report F"):
        report(result="F")


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (leaf("seq", steps=[leaf()]), "no seqCall"),
        (leaf("seq", numeric_meas=[numeric("a"), numeric()]), r"numericMeas\[1\] has no name"),
        (leaf("seq", numeric_meas=[numeric("a"), numeric("a")]), 'repeats the name "a"'),
        (
            leaf("seq", numeric_meas=[numeric()], boolean_meas=[BooleanMeas(status="P")]),
            "numericMeas and booleanMeas",
        ),
        (
            leaf("seq", seq_call=SeqCall(name="x"), string_meas=[StringMeas(value="x", status="P")]),
            "together with seqCall",
        ),
    ],
)
def test_refused_tree_names_the_step(step, reason):
    """A tree the server would refuse is refused when it is built, with the path to the step."""
    with pytest.raises(ValidationError, match=f'step "MainSequence Callback/seq".*{reason}'):
        report(leaf("ok"), step)


@pytest.mark.parametrize("text", ["\x00", "bell\x07", "c1\x85", "\ufeffbom", "\ud800"])
def test_text_that_xml_cannot_hold_is_refused_and_cleaned(text):
    """Characters the server's store cannot hold never leave, and clean_text takes them out."""
    with pytest.raises(ValidationError):
        leaf(report_text=text)
    assert leaf(report_text=clean_text(text, 100)).report_text == clean_text(text, 100)


def test_clean_text_trims_and_cuts():
    """A cleaned text is trimmed, no longer than asked for, and keeps line ends."""
    assert clean_text("  a\r\nb\x00c  ", 100) == "a\r\nbc"
    assert clean_text("abc def", 4) == "abc"


def test_limits_follow_the_operator():
    """An operator has exactly the limits it needs; LT and LE use the low one."""
    assert numeric(comp_op="lt", low_limit=2).comp_op == "LT"
    for changes in (
        {"comp_op": "LT", "high_limit": 2},
        {"comp_op": "GELE", "low_limit": 1},
        {"comp_op": "EQ", "low_limit": 1, "high_limit": 1},
        {"value": float("nan")},
    ):
        with pytest.raises(ValidationError):
            numeric(**changes)


def test_names_are_trimmed():
    """A serial number with blanks around is the same unit as without."""
    assert report(sn=" S1 ").to_wire()["sn"] == "S1"
    with pytest.raises(ValidationError):
        report(sn="   ")


def test_misc_info_needs_a_value():
    """A misc info without text and number tells nothing and is refused."""
    with pytest.raises(ValidationError, match="needs text or numeric"):
        MiscInfo(description="Work order")


def test_unknown_member_is_refused():
    """A typo in a member's name is an error here, since the server would drop it without a word."""
    with pytest.raises(ValidationError, match="Extra inputs"):
        report(machinename="x")


def test_repair_needs_the_repaired_unit_itself():
    """A repair report lists its own unit at index 0, once."""
    repair = {"type": "R", "root": None, "uur": UurInfo(process_code=60), "process_code": 500}
    unit = SubUnit(part_type="Main", pn="P1", sn="S1", idx=0, failures=[Failure(category="a", code="b")])
    wire = report(**repair, sub_units=[unit]).to_wire()
    assert wire["subUnits"][0]["idx"] == 0
    assert "root" not in wire
    with pytest.raises(ValidationError, match="idx 0"):
        report(**repair, sub_units=[unit, unit])


def in_one_spelling(value, name=""):
    """A report with its moments as instants and its operators in capitals, however they are written."""
    if isinstance(value, dict):
        return {key: in_one_spelling(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [in_one_spelling(item) for item in value]
    if isinstance(value, str) and name in {"start", "startUTC", "confirmDate", "finalizeDate"}:
        return parse_moment(value)
    return value.upper() if name == "compOp" else value


@pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda path: path.stem)
@NO_SAMPLES
def test_stored_reports_load_and_come_out_equal(path):
    """What servers gave and clients sent loads, and comes out with every member it had, known or not."""
    document = json.loads(path.read_text())
    assert in_one_spelling(Report.read(document).document()) == in_one_spelling(document)


@pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda path: path.stem)
@NO_SAMPLES
def test_stored_reports_can_be_sent_again(path):
    """A report that was read goes out without what only servers write, and a server takes it."""
    wire = Report.read(json.loads(path.read_text())).to_wire()
    assert not {"origin", "productName", "assetStats", "processCodeFormat"} & wire.keys()
    validate_report(parse_json(json.dumps(wire).encode()), DEFAULT_PROCESSES, FAIL_CODES)


def test_read_report_shows_what_is_not_modelled():
    """A member that a newer server writes is kept and can be looked at."""
    read = Report.read(report(leaf()).to_wire() | {"colour": "red"})
    assert read.model_extra == {"colour": "red"}
    assert read.document()["colour"] == "red"


def test_values_that_are_no_numbers_are_read():
    """Stored reports may say NaN in words; a float that is none is still refused."""
    assert NumericMeas.read({"value": "NaN", "status": "F", "compOp": "Log"}).value == "NaN"
    with pytest.raises(ValidationError):
        numeric(value=float("inf"))
