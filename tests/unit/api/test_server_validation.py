"""The local server refuses what the real one refuses, and names the place."""

import json
from datetime import UTC, datetime

import httpx
import pytest

from pywats_api.server import DEFAULT_PROCESSES, FAIL_CODES
from pywats_api.server.documents import Refused, parse_json
from pywats_api.server.validation import validate_report
from pywats_api.wsjf import SubUnit, UurInfo

from .conftest import SAMPLES, TOKEN, make_report

SAMPLE_FILES = sorted((SAMPLES / "samples").glob("*.json"))
NO_SAMPLES = pytest.mark.skipif(not SAMPLE_FILES, reason="/shared not beside the checkout")


def check(report):
    validate_report(parse_json(json.dumps(report).encode()), DEFAULT_PROCESSES, FAIL_CODES)


def repair():
    return make_report(
        type="R",
        root=None,
        process_code=500,
        uur=UurInfo(process_code=60),
        sub_units=[
            SubUnit(
                part_type="Main",
                pn="P1",
                sn="S1",
                idx=0,
                failures=[{"category": "Component", "code": "Missing"}],
            )
        ],
    ).to_wire()


def changed(report, path, value):
    """The report with one member set, or taken out where `value` is the Ellipsis."""
    *above, last = path
    owner = report
    for key in above:
        owner = owner[key]
    if value is ...:
        del owner[last]
    else:
        owner[last] = value
    return report


STEP = ("root", "steps", 0)
MEAS = (*STEP, "numericMeas", 0)
TWO = [{"name": "a", "status": "P"}, {"name": "a", "status": "P"}]


@pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda path: path.stem)
@NO_SAMPLES
def test_real_reports_are_taken(path):
    """Every report that a real server took or gave is taken here."""
    check(json.loads(path.read_text()))


def test_own_reports_are_taken():
    """What the models send passes the server's rules."""
    check(make_report().to_wire())
    check(repair())


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("id",), "not-a-guid", r"\$\.id"),
        (("sn",), ..., '"sn" is a required'),
        (("sn",), "", r"\$\.sn"),
        (("sn",), "x" * 101, r"\$\.sn"),
        (("type",), "X", r"\$\.type"),
        (("result",), "F", r"\$\.root\.status: of the root differs"),
        (("result",), "D", r"\$\.result"),
        (("processCode",), 32768, r"\$\.processCode"),
        (("processCode",), 31, "no process with code 31"),
        (("processCode",), 500, r"500 \(Repair\) is no test operation"),
        (("processName",), "functional test", 'named "Functional test"'),
        (("start",), "2026-01-30T10:49:36", r"\$\.start"),
        (("start",), "2026-02-30T10:49:36Z", r"\$\.start: .* no date"),
        (("startUTC",), "2026-01-30T10:49:37Z", r"\$\.startUTC: .* another instant"),
        (("startUTC",), "2026-01-30T25:49:37Z", r"\$\.startUTC: .* no date"),
        (("machinename",), "x", "machinename"),
        (("uut",), ..., '"uut" is a required'),
        (("uut", "testSocketIndex"), 40000, r"\$\.uut\.testSocketIndex"),
        (("uut", "comment"), "bell\x07", r"\$\.uut\.comment holds the invalid character U\+0007"),
        (("uut", "comment"), "\ud800", r"\$\.uut\.comment holds the invalid character U\+D800"),
        (("uut", "comment"), "\x85", r"U\+0085"),
        (("uur",), {"processCode": 60}, r"\$\.uur: belongs to repair"),
        (("miscInfos",), [{"description": "a"}], r"\$\.miscInfos\[0\]: needs text or numeric"),
        (("miscInfos",), [{"description": "a", "numeric": 40000}], r"\$\.miscInfos\[0\]\.numeric"),
        (("miscInfos",), [{"description": "a", "text": "x" * 101}], r"\$\.miscInfos\[0\]\.text"),
        (("assets",), [{"sn": "FIX"}], r"\$\.assets\[0\]"),
        (("subUnits",), [{"pn": "a", "sn": "b"}], "partType"),
        (("root",), None, r"\$\.root"),
        (("root", "seqCall"), ..., r"\$\.root: has children but no seqCall"),
        ((*STEP, "status"), "X", r"\$\.root\.steps\[0\]\.status"),
        ((*STEP, "start"), "2026-99-30T10:49:36Z", r"\$\.root\.steps\[0\]\.start"),
        (
            (*STEP, "stringMeas"),
            [{"value": "a", "compOp": "LOG", "status": "P"}],
            "numericMeas and stringMeas",
        ),
        ((*STEP, "callExe"), {"exitCode": 0}, "together with callExe"),
        ((*STEP, "seqCall"), {"path": "a", "name": "b"}, "together with seqCall"),
        ((*MEAS, "compOp"), "EQT", r"\$\.root\.steps\[0\]\.numericMeas\[0\]\.compOp"),
        ((*MEAS, "lowLimit"), ..., "lowLimit"),
        ((*MEAS, "compOp"), "LT", r"numericMeas\[0\]\.highLimit"),
        ((*MEAS, "unit"), "x" * 21, r"numericMeas\[0\]\.unit"),
        ((*MEAS, "status"), "E", r"numericMeas\[0\]\.status"),
        ((*MEAS, "value"), "1.5", r"numericMeas\[0\]\.value"),
        (("root", "booleanMeas"), [{"status": "P"}], "together with seqCall"),
        (
            (*STEP, "attachment"),
            {"name": "a", "contentType": "text/plain", "data": "***"},
            r"attachment\.data: not base64",
        ),
    ],
)
def test_broken_test_report_is_refused(path, value, reason):
    """Each broken rule of a test report is refused with the path to it."""
    with pytest.raises(Refused, match=reason):
        check(changed(make_report().to_wire(), path, value))


@pytest.mark.parametrize(
    ("measurements", "reason"),
    [
        (TWO, r"booleanMeas\[1\]\.name: .* not unique"),
        ([{"status": "P"}, {"name": "b", "status": "P"}], r"booleanMeas\[0\]: has no name"),
        ([{"value": True, "status": "P"}], "value"),
    ],
)
def test_several_measurements_need_their_names(measurements, reason):
    """Measurements that share a step are told apart by name."""
    report = make_report().to_wire()
    step = report["root"]["steps"][0]
    del step["numericMeas"]
    step["booleanMeas"] = measurements
    with pytest.raises(Refused, match=reason):
        check(report)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("processCode",), 60, "is no repair operation"),
        (("uur", "processCode"), 500, r"\$\.uur\.processCode: .* no test operation"),
        (("result",), "F", "of a repair is always P"),
        (("subUnits", 0, "idx"), 1, "exactly one idx 0"),
        (("subUnits", 0, "parentIdx"), 7, "no sub-unit has idx 7"),
        (("subUnits", 0, "failures", 0, "category"), "x", "Category must be a valid value"),
        (("subUnits", 0, "failures", 0, "code"), "x", "Code must be a valid value"),
        (("uut",), {}, "belongs to test"),
    ],
)
def test_broken_repair_report_is_refused(path, value, reason):
    """Each broken rule of a repair report is refused with the reason."""
    with pytest.raises(Refused, match=reason):
        check(changed(repair(), path, value))


@NO_SAMPLES
def test_schema_is_as_strict_as_the_documented_one():
    """The own schema and the documented one agree on every sample and on on hundreds of damaged ones."""
    import jsonschema_rs

    from pywats_api.server.validation import SCHEMA

    own = jsonschema_rs.validator_for(SCHEMA)
    documented = jsonschema_rs.validator_for(json.loads((SAMPLES / "wsjf.schema.json").read_text()))
    compared = 0
    for path in SAMPLE_FILES:
        text = path.read_text()
        report = json.loads(text)
        for owner, key in list(members_of(report))[::41]:
            original = owner[key]
            for damage in (None, "", "x" * 101, -1, 1.5, 70_000, [], {}, [{}], "F", True):
                owner[key] = damage
                assert own.is_valid(report) == documented.is_valid(report), (path.name, key, damage)
                compared += 1
            owner[key] = original
            if isinstance(owner, dict):
                del owner[key]
                assert own.is_valid(report) == documented.is_valid(report), (path.name, key, "missing")
                owner["unheard"] = 1
                assert own.is_valid(report) == documented.is_valid(report), (path.name, key, "unheard")
                del owner["unheard"]
                owner[key] = original
        assert report == json.loads(text)
    assert compared > 500


def members_of(value):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield value, key
        yield from members_of(child)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1e999}', "too large a number"),
        (b"[" * 199 + b"]" * 199, "object"),
        (b"[" * 300 + b"]" * 300, "nested"),
        (b'{"a":' * 100_000, "nested"),
        (b"[]", "object"),
    ],
)
async def test_hostile_body_gets_400(server, body, reason):
    """Whatever is posted, the answer is 400 with a reason and never a traceback."""
    async with httpx.AsyncClient(headers={"Authorization": f"Basic {TOKEN}"}) as client:
        answer = await client.post(f"{server.url}/api/Report/WSJF", content=body)
    assert answer.status_code == 400
    assert reason in answer.text
    assert "Traceback" not in answer.text


async def test_refusal_reaches_the_client(api):
    """The path and the reason of a refusal arrive at who sent the report."""
    wire = changed(make_report(start=datetime(2026, 1, 1, tzinfo=UTC)).to_wire(), (*MEAS, "unit"), "x" * 30)
    with pytest.raises(Exception, match=r"\$\.root\.steps\[0\]\.numericMeas\[0\]\.unit"):
        await api.report.submit(wire)
