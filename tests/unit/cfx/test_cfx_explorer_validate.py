"""What the explorer finds wrong with messages."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from cfx_shop import REFERENCE, envelope, wire
from hypothesis import given, settings
from hypothesis import strategies as st

import samples
from pywats_cfx import cfx_adapter, explorer
from pywats_cfx.explorer.content import Content, in_envelope
from pywats_cfx.explorer.validating import check
from pywats_events.message import RawMessage, Unreadable

GUID = "097508d3-08b3-4781-817a-2c491e39ab7a"


def found(name: str, body: Any, **fields: Any) -> list[tuple[str, str, str, str]]:
    """Give the findings of one message."""
    report = check(Content("file", wire(envelope(name, body, **fields))))
    return [(each.severity.value, each.path, each.problem, each.advice) for each in report.findings.all]


def one_unit(**unit: Any) -> dict[str, Any]:
    return {"TransactionId": GUID, "TestedUnits": [{"UnitIdentifier": "A", "Tests": [], **unit}]}


def one_measurement(**measurement: Any) -> dict[str, Any]:
    return one_unit(Tests=[{"Measurements": [measurement]}])


def test_what_the_sdk_wrote_is_all_right():
    """Nothing is said of messages that the standard's own kit put on the wire."""
    path = REFERENCE / "wire" / "publish-raw-single.amqp10.json"
    assert path.is_file(), f"{path} is missing: the shared folder belongs beside the checkout"
    bodies = [base64.b64decode(each["body_b64"]) for each in json.loads(path.read_text())["messages"]]
    assert bodies
    for body in bodies:
        assert check(Content("wire", body)).findings.all == []


def test_the_standards_examples_are_readable():
    """None of them is an error; what they stray in is a warning with a path and an advice."""
    paths = sorted((REFERENCE / "examples").glob("*.json"))
    assert paths, f"{REFERENCE} is missing: the shared folder belongs beside the checkout"
    for path in paths:
        content = Content(path.name, in_envelope(path.read_bytes(), path.name.rsplit(".", 2)[0]))
        for finding in check(content, bare=True).findings.all:
            assert (path.name, finding.severity.value) == (path.name, "warning")
            assert finding.path
            assert finding.advice


@pytest.mark.parametrize(
    ("body", "path", "problem", "advice"),
    [
        (one_unit(UnitIdentifer="A"), "TestedUnits[0].UnitIdentifer", "no such field", "UnitIdentifier?"),
        (one_unit(overallresult="Passed"), "TestedUnits[0].overallresult", "another case", "OverallResult"),
        (one_unit(OverallResult="Pased"), "TestedUnits[0].OverallResult", "no member", '"Passed"?'),
        (one_unit(OverallResult="PASSED"), "TestedUnits[0].OverallResult", 'read as "Passed"', '"Passed"'),
        (one_unit(OverallResult=1), "TestedUnits[0].OverallResult", 'read as "Failed"', '"Failed"'),
        (one_unit(UnitIdentifier=5), "TestedUnits[0].UnitIdentifier", "place of a text", "quotes"),
        (one_unit(OverallResult=None), "TestedUnits[0].OverallResult", "null", "leave the field out"),
        (one_unit(Tests=[None]), "TestedUnits[0].Tests[0]", "null in a list", "leave it out"),
        (
            one_unit(Tests=[{"TestStartTime": "2026-03-01T10:00:00"}]),
            "TestedUnits[0].Tests[0].TestStartTime",
            "without a zone",
            "offset",
        ),
        (
            one_measurement(MeasuredValue={"Value": 1.5}),
            "TestedUnits[0].Tests[0].Measurements[0]",
            "$type is missing",
            "CFX.Structures.NumericMeasurement, CFX",
        ),
        (
            one_measurement(**{"$type": "CFX.Structures.NumericMeasurment, CFX"}),
            "TestedUnits[0].Tests[0].Measurements[0].$type",
            "no class that can stand here",
            "CFX.Structures.NumericMeasurement, CFX",
        ),
        (
            one_measurement(
                **{"$type": "CFX.Structures.NumericMeasurement, CFX", "MeasuredValue": {"Value": "1.5"}}
            ),
            "TestedUnits[0].Tests[0].Measurements[0].MeasuredValue.Value",
            "in the place of a number",
            "without quotes",
        ),
        ({"$type": "CFX.Heartbeat, CFX", **one_unit()}, "$type", "not what the envelope says", "MessageName"),
        ({**one_unit(), "TransactionId": "T1"}, "TransactionId", "no guid", GUID),
    ],
)
def test_what_is_read_but_not_as_the_standard_has_it_is_a_warning(body, path, problem, advice):
    """It names the place in wire names, what is odd, and what to write."""
    warnings = {each[1]: each for each in found("UnitsTested", body)}
    severity, _, said, todo = warnings[f"MessageBody.{path}"]
    assert severity == "warning"
    assert problem in said
    assert advice in todo


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (one_unit(Tests="none"), "TestedUnits[0].Tests"),
        (one_unit(UnitIdentifier=["A"]), "TestedUnits[0].UnitIdentifier"),
        (one_unit(OverallResult={}), "TestedUnits[0].OverallResult"),
        (one_unit(Tests=[5]), "TestedUnits[0].Tests[0]"),
        (one_unit(Tests=[{"TestEndTime": "soon"}]), "TestedUnits[0].Tests[0].TestEndTime"),
        ({"TestedUnits": []}, "TestedUnits"),
        ({"Tester": "Bob", "TestedUnits": [{}]}, "Tester"),
    ],
)
def test_what_could_not_be_read_is_an_error(body, path):
    """As the bridge would see it: the message is a dead letter there."""
    errors = [each[1] for each in found("UnitsTested", body) if each[0] == "error"]
    assert errors == [f"MessageBody.{path}"]


def test_all_errors_of_a_message_are_told():
    """Not only the one that the reader stopped at."""
    body = one_unit(Tests=[{"TestEndTime": "soon"}, {"Measurements": 7}], OverallResult=[])
    assert sum(each[0] == "error" for each in found("UnitsTested", body)) == 3


@pytest.mark.parametrize(
    ("fields", "path", "said"),
    [
        ({"TimeStamp": "2026-03-01T10:00:00"}, "TimeStamp", "without a zone"),
        ({"TimeStamp": None}, "TimeStamp", "missing"),
        ({"UniqueID": "00000000-0000-0000-0000-000000000000"}, "UniqueID", "missing"),
        ({"UniqueID": "7"}, "UniqueID", "no guid"),
        ({"Source": None}, "Source", "missing"),
        ({"Sorce": "x"}, "Sorce", "no such field"),
        ({"MessageName": "cfx.heartbeat"}, "MessageName", 'read as "CFX.Heartbeat"'),
        ({"MessageName": "CFX.Hartbeat"}, "MessageName", "no message of the standard"),
    ],
)
def test_envelopes_are_looked_at(fields, path, said):
    """Missing, misspelt and unknown fields of the envelope are warnings."""
    ((severity, where, problem, _),) = found("Heartbeat", {"CFXHandle": "a"}, **fields)
    assert (severity, where) == ("warning", path)
    assert said in problem


def test_a_request_needs_its_id():
    """Nobody could match the answer."""
    ((_, path, _, _),) = found("CFX.WhoIsThereRequest", {})
    assert path == "RequestID"


def test_the_same_again_is_counted():
    """Two hundred measurements with one mistake are one finding."""
    body = one_unit(Tests=[{"Measurements": [{"Resul": "x"} for _ in range(200)]}])
    report = check(Content("file", wire(envelope("UnitsTested", body))))
    (finding,) = report.findings.all
    assert finding.count == 200
    assert finding.path.endswith("Measurements[0].Resul")


def test_ever_new_mistakes_are_not_told_for_ever():
    """A hostile file costs little and is told so."""
    body = {f"Field{number:05}": number for number in range(20_000)}
    report = check(Content("file", wire(envelope("Heartbeat", body))))
    assert len(report.findings.all) <= 500
    assert report.findings.cut_short


def test_files_folders_and_the_exit_code(tmp_path, capsys):
    """Several at once, packed or not; errors end with 1, warnings with 0."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "good.json").write_bytes(samples.load("fault_temp"))
    (tmp_path / "sub" / "odd.json.gz").write_bytes(gzip.compress(wire(envelope("Heartbeat", {"X": 1}))))
    (tmp_path / "notes.txt").write_text("no message")
    assert explorer.main(["--validate", str(tmp_path), "work_started"]) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.endswith("good.json: 1 message, all is well")
    assert last == "3 files, 3 messages: 0 errors, 1 warning"
    (tmp_path / "bad.json").write_bytes(b"[5]")
    assert explorer.main(["--validate", str(tmp_path)]) == 1
    assert "error: (the whole): should be an envelope, but is a number" in capsys.readouterr().out
    empty = tmp_path / "empty"
    empty.mkdir()
    assert explorer.main(["--validate", str(empty)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_findings_for_programs(tmp_path, capsys):
    """One JSON document, with numbers to decide by."""
    path = tmp_path / "body.json"
    path.write_text('{"Lane": "x", "Unitz": []}')
    assert explorer.main(["--validate", str(path), "--message", "UnitsArrived", "--json"]) == 1
    made = json.loads(capsys.readouterr().out)
    assert (made["errors"], made["warnings"]) == (1, 1)
    error, warning = sorted(made["files"][0]["findings"], key=lambda each: each["severity"])
    assert (error["path"], warning["path"], warning["advice"]) == ("Lane", "Unitz", "did you mean Units?")


def test_a_body_alone_gets_a_hint(tmp_path, capsys):
    """Who forgets to say of which message it is hears how."""
    path = tmp_path / "body.json"
    path.write_text('{"Lane": 1}')
    assert explorer.main(["--validate", str(path)]) == 1
    assert "--message NAME" in capsys.readouterr().out


def test_nothing_that_a_sender_wrote_reaches_the_terminal(tmp_path, capsys):
    """Control characters are shown, not obeyed."""
    path = tmp_path / "evil.json"
    path.write_bytes(wire(envelope("Heartbeat", {"\x1b[2J\u202e": 1}, Source="\x07\x1b]0;x")))
    assert explorer.main(["--validate", str(path)]) == 0
    assert not {"\x1b", "\x07", "\u202e"} & set(capsys.readouterr().out)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_an_error_is_told_exactly_when_the_bridge_could_not_read_it(data):
    """Whatever stands in the fields of a message."""
    names = st.sampled_from(["TestedUnits", "Tester", "TransactionId", "TestMethod", "RecipeName", "$type"])
    unit = st.dictionaries(st.sampled_from(["UnitIdentifier", "Tests", "OverallResult", "Symptoms"]), JSON)
    body = data.draw(st.dictionaries(names, JSON | st.lists(unit, max_size=2), max_size=4))
    body.setdefault("TestedUnits", [{"UnitIdentifier": "A"}])
    content = wire(envelope("UnitsTested", body))
    told = any(each.severity == "error" for each in check(Content("file", content)).findings.all)
    assert told == any(isinstance(made, Unreadable) for made in cfx_adapter(RawMessage(content)))


def test_samples_are_checked_by_name(capsys):
    """A sample's name will do in place of a file."""
    assert explorer.main(["--validate", "units_tested_ict"]) == 0
    assert capsys.readouterr().out == "units_tested_ict: 1 message, all is well\n"
