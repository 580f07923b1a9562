"""Every rule of a report: broken, it is refused by the builder before sending and by the server, alike."""

import json
import re
from datetime import UTC, datetime
from typing import NamedTuple

import pytest

from pywats_api.building import ReportError, UurBuilder, UutBuilder
from pywats_api.process import Process
from pywats_api.server import DEFAULT_PROCESSES, FAIL_CODES
from pywats_api.server.documents import Refused, parse_json
from pywats_api.server.processes import process
from pywats_api.server.validation import validate_report
from pywats_api.wsjf import AssetUse, Attachment, Chart, NumericMeas, Report, SeqCall, Step, StringMeas

NOON = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)
HEADER = {"process": 60, "station": "FCT-1", "location": "Line 1", "program": "fct.seq", "start": NOON}
REPAIR = {"process": 500, "test_process": 60, "station": "REP-1", "location": "Line 1", "start": NOON}
LONG = "x" * 101
BELL = "bell\x07"


def uut(**changes):
    test = UutBuilder(
        changes.pop("pn", "P1"), changes.pop("sn", "S1"), changes.pop("rev", "A"), **(HEADER | changes)
    )
    test.numeric("3V3", 3.3, low=3.2, high=3.4, unit="V")
    return test


def uur(**changes):
    return UurBuilder("P1", "S1", "A", **(REPAIR | {"fail_codes": FAIL_CODES} | changes))


def add(step):
    test = uut()
    test.add(Step(**({"name": "bad", "step_type": "Action", "status": "P"} | step)))
    return test.build()


def failing(**changes):
    repair = uur()
    repair.unit.failure(**({"category": "Component", "code": "Missing"} | changes))
    return repair.build()


def with_two_units(**second):
    """A repair of two units, built from its parts: the builder itself has no way to get the numbers wrong."""
    wire = sound_repair()
    wire["subUnits"].append({"partType": "PCBA", "pn": "P2", "sn": "S2", "idx": 1} | second)
    return Report.model_validate(wire)


def with_units(*units):
    return Report.model_validate(sound_repair() | {"subUnits": list(units)})


def sound_test():
    test = uut()
    test.action("bad")
    return test.build().to_wire()


def sound_repair():
    repair = uur()
    repair.unit.failure("Component", "Missing")
    return repair.build().to_wire()


def rootless():
    report = sound_test()
    report["root"] |= {"seqCall": None, "steps": None}
    return report


class Rule(NamedTuple):
    """A broken rule, as code that builds it, as a change of a sound report, and the reason of both."""

    build: object
    wire: dict
    reason: str


MAIN = {"partType": "Main", "pn": "P1", "sn": "S1", "rev": "A", "idx": 0}
FAILURE = {"category": "Component", "code": "Missing"}
MEAS = {"value": 1.0, "status": "P", "compOp": "LOG"}
FILE = {"name": "a", "contentType": "text/plain", "data": ""}
CHART = {"chartType": "Line", "label": "c", "series": []}
NUMBER = NumericMeas(value=1, status="P")

TESTS = {
    "serial number too long": Rule(lambda: uut(sn=LONG).build(), {"sn": LONG}, "100 characters"),
    "serial number missing": Rule(lambda: uut(sn="").build(), {"sn": ""}, "sn.*(1 character|shorter)"),
    "serial number of blanks": Rule(lambda: uut(sn="  ").build(), {"sn": "  "}, "sn.*1 character"),
    "name of a misc info too long": Rule(
        lambda: uut().misc(LONG, "WO"), {"miscInfos": [{"description": LONG, "text": "WO"}]}, "100 characters"
    ),
    "free data of a kind that is none": Rule(
        lambda: add({"additional_results": [{"name": "d", "props": [{"name": "a", "type": "Float"}]}]}),
        {"root/steps/1/additionalResults": [{"name": "d", "props": [{"name": "a", "type": "Float"}]}]},
        "Number.*Array",
    ),
    "root without its program": Rule(
        lambda: Report.model_validate(rootless()),
        {"root/seqCall": None, "root/steps": None},
        "root step needs seqCall",
    ),
    "part number too long": Rule(lambda: uut(pn=LONG).build(), {"pn": LONG}, "100 characters"),
    "revision missing": Rule(lambda: uut(rev="").build(), {"rev": ""}, "rev.*(1 character|shorter)"),
    "station too long": Rule(lambda: uut(station=LONG).build(), {"machineName": LONG}, "100 characters"),
    "location too long": Rule(lambda: uut(location=LONG).build(), {"location": LONG}, "100 characters"),
    "purpose too long": Rule(lambda: uut(purpose=LONG).build(), {"purpose": LONG}, "100 characters"),
    "process out of range": Rule(lambda: uut(process=40_000).build(), {"processCode": 40_000}, "32767"),
    "process of another kind": Rule(
        lambda: uut(process=Process(code=500, name="Repair", is_repair_operation=True)),
        {"processCode": 500},
        r"process 500 \(Repair\) is no test operation",
    ),
    "text that XML cannot hold": Rule(
        lambda: uut(comment=BELL).build(), {"uut": {"comment": BELL}}, r"U\+0007"
    ),
    "comment too long": Rule(
        lambda: uut(comment="x" * 5001), {"uut": {"comment": "x" * 5001}}, "5000 characters"
    ),
    "socket out of range": Rule(lambda: uut(socket=40_000), {"uut": {"testSocketIndex": 40_000}}, "32767"),
    "negative duration": Rule(lambda: uut(duration=-1), {"uut": {"execTime": -1}}, "(minimum of|equal to) 0"),
    "error message too long": Rule(
        lambda: uut().end_with("E", "x" * 501), {"uut": {"errorMessage": "x" * 501}}, "500 characters"
    ),
    "result that is none": Rule(lambda: uut().end_with("S"), {"result": "S"}, "S.*(not|one of)"),
    "program name too long": Rule(
        lambda: uut(program="x" * 201),
        {"root/seqCall": {"name": "x" * 201, "path": "p"}},
        "200 characters",
    ),
    "program version too long": Rule(
        lambda: uut(version="x" * 31),
        {"root/seqCall": {"name": "n", "path": "p", "version": "x" * 31}},
        "30 characters",
    ),
    "misc info too long": Rule(
        lambda: uut().misc("WO", LONG), {"miscInfos": [{"description": "WO", "text": LONG}]}, "100 characters"
    ),
    "misc info without name": Rule(
        lambda: uut().misc("", "x"), {"miscInfos": [{"description": "", "text": "x"}]}, "description"
    ),
    "sub-unit without serial number": Rule(
        lambda: uut().sub_unit("PCBA", "P2", ""),
        {"subUnits": [{"partType": "PCBA", "pn": "P2", "sn": ""}]},
        "sn.*(1 character|shorter)",
    ),
    "category of a sub-unit too long": Rule(
        lambda: uut().sub_unit("x" * 51, "P2", "S2"),
        {"subUnits": [{"partType": "x" * 51, "pn": "P2", "sn": "S2"}]},
        "50 characters",
    ),
    "asset without serial number": Rule(
        lambda: uut().asset(""), {"assets": [{"assetSN": "", "usageCount": 1}]}, "(?i)asset_?sn"
    ),
    "step name too long": Rule(lambda: uut().action(LONG), {"root/steps/1/name": LONG}, "100 characters"),
    "step without name": Rule(
        lambda: uut().action(""), {"root/steps/1/name": ""}, "name.*(1 character|shorter)"
    ),
    "step status that is none": Rule(
        lambda: uut().action("bad", status="X"), {"root/steps/1/status": "X"}, "X.*(not a|is not one of)"
    ),
    "step group that is none": Rule(
        lambda: uut().action("bad", group="X"), {"root/steps/1/group": "X"}, "group.*'S', 'M'|group"
    ),
    "step message too long": Rule(
        lambda: uut().action("bad", error_message="x" * 201),
        {"root/steps/1/errorMessage": "x" * 201},
        "200 characters",
    ),
    "step text too long": Rule(
        lambda: uut().action("bad", report_text="x" * 100_001),
        {"root/steps/1/reportText": "x" * 100_001},
        "100000 characters",
    ),
    "step error code out of range": Rule(
        lambda: uut().action("bad", error_code=2**31), {"root/steps/1/errorCode": 2**31}, "2147483647"
    ),
    "unit of measure too long": Rule(
        lambda: uut().numeric("bad", 1, unit="x" * 21),
        {"root/steps/1/numericMeas": [MEAS | {"unit": "x" * 21}]},
        "20 characters",
    ),
    "operator that is none": Rule(
        lambda: uut().numeric("bad", 1, comp_op="EQT"),
        {"root/steps/1/numericMeas": [MEAS | {"compOp": "EQT"}]},
        "EQT",
    ),
    "operator without its limit": Rule(
        lambda: uut().numeric("bad", 1, comp_op="GELE", low=0),
        {"root/steps/1/numericMeas": [MEAS | {"compOp": "GELE", "lowLimit": 0}]},
        "highLimit",
    ),
    "limit too many": Rule(
        lambda: uut().numeric("bad", 1, comp_op="GE", low=0, high=2),
        {"root/steps/1/numericMeas": [MEAS | {"compOp": "GE", "lowLimit": 0, "highLimit": 2}]},
        "highLimit",
    ),
    "text limit too long": Rule(
        lambda: uut().string("bad", "x", equals=LONG),
        {"root/steps/1/stringMeas": [{"value": "x", "compOp": "EQ", "limit": LONG, "status": "F"}]},
        "100 characters",
    ),
    "text operator without limit": Rule(
        lambda: uut().string("bad", "x", comp_op="EQ"),
        {"root/steps/1/stringMeas": [{"value": "x", "compOp": "EQ", "status": "P"}]},
        "limit",
    ),
    "measurement of several without name": Rule(
        lambda: uut().multi_numeric("bad").measure("", 1),
        {"root/steps/1/numericMeas": [MEAS | {"name": "a"}, MEAS]},
        "has no name",
    ),
    "measurements of one name": Rule(
        lambda: [m := uut().multi_numeric("bad"), m.measure("a", 1), m.measure("a", 2)],
        {"root/steps/1/numericMeas": [MEAS | {"name": "a"}, MEAS | {"name": "a"}]},
        '"a"',
    ),
    "two kinds of measurement": Rule(
        lambda: add({"numeric_meas": [NUMBER], "string_meas": [StringMeas(value="x", status="P")]}),
        {
            "root/steps/1/numericMeas": [MEAS],
            "root/steps/1/stringMeas": [{"value": "x", "compOp": "LOG", "status": "P"}],
        },
        "numericMeas and stringMeas",
    ),
    "measurement beside a sequence": Rule(
        lambda: add({"numeric_meas": [NUMBER], "seq_call": SeqCall(name="s")}),
        {"root/steps/1/numericMeas": [MEAS], "root/steps/1/seqCall": {"name": "s", "path": "s"}},
        "together with seqCall",
    ),
    "measurement beside a program": Rule(
        lambda: add({"numeric_meas": [NUMBER], "call_exe": {"exit_code": 0}}),
        {"root/steps/1/numericMeas": [MEAS], "root/steps/1/callExe": {"exitCode": 0}},
        "together with callExe",
    ),
    "measurement beside a question": Rule(
        lambda: add({"numeric_meas": [NUMBER], "message_popup": {"response": "x"}}),
        {"root/steps/1/numericMeas": [MEAS], "root/steps/1/messagePopup": {"response": "x"}},
        "together with messagePopup",
    ),
    "children without sequence": Rule(
        lambda: add({"steps": [Step(name="c", step_type="Action", status="P")]}),
        {"root/steps/1/steps": [{"name": "c", "stepType": "Action", "status": "P"}]},
        "children but no seqCall",
    ),
    "chart beside an attachment": Rule(
        lambda: add({"chart": Chart.model_validate(CHART), "attachment": Attachment.model_validate(FILE)}),
        {"root/steps/1/chart": CHART, "root/steps/1/attachment": FILE},
        "a chart and an attachment",
    ),
    "chart label too long": Rule(
        lambda: uut().chart("bad", label=LONG),
        {"root/steps/1/chart": CHART | {"label": LONG}},
        "100 characters",
    ),
    "chart type that is none": Rule(
        lambda: uut().chart("bad", chart_type="Pie"),
        {"root/steps/1/chart": CHART | {"chartType": "Pie"}},
        "chart",
    ),
    "chart axis too long": Rule(
        lambda: uut().chart("bad", x_label="x" * 51),
        {"root/steps/1/chart": CHART | {"xLabel": "x" * 51}},
        "50 characters",
    ),
    "chart unit too long": Rule(
        lambda: uut().chart("bad", y_unit="x" * 21),
        {"root/steps/1/chart": CHART | {"yUnit": "x" * 21}},
        "20 characters",
    ),
    "answer too long": Rule(
        lambda: uut().message("bad", response="x" * 201),
        {"root/steps/1/messagePopup": {"response": "x" * 201}},
        "200 characters",
    ),
    "button out of range": Rule(
        lambda: uut().message("bad", button=40_000),
        {"root/steps/1/messagePopup": {"button": 40_000}},
        "32767",
    ),
    "file without name": Rule(
        lambda: add({"attachment": {"name": "", "content_type": "a/b", "data": ""}}),
        {"root/steps/1/attachment": FILE | {"name": ""}},
        "(?s)name.*(1 character|shorter)",
    ),
    "kind of file too long": Rule(
        lambda: uut().attach("bad", b"", content_type=LONG),
        {"root/steps/1/attachment": FILE | {"contentType": LONG}},
        "100 characters",
    ),
    "file that is not base64": Rule(
        lambda: add({"attachment": FILE | {"data": "***"}}),
        {"root/steps/1/attachment": FILE | {"data": "***"}},
        "not base64",
    ),
    "verdicts that contradict": Rule(
        lambda: Report.model_validate(sound_test() | {"result": "F"}), {"result": "F"}, "root"
    ),
    "two starts": Rule(
        lambda: Report.model_validate(sound_test() | {"startUTC": "2026-01-30T13:00:00Z"}),
        {"startUTC": "2026-01-30T13:00:00Z"},
        "another instant than start",
    ),
    "start without offset": Rule(
        lambda: uut(start=datetime(2026, 1, 30, 12)).build(),  # noqa: DTZ001  # the very thing under test
        {"start": "2026-01-30T12:00:00"},
        "start",
    ),
    "unknown member": Rule(
        lambda: AssetUse.model_validate({"assetSN": "A", "sn": "A"}),
        {"assets": [{"assetSN": "A", "usageCount": 1, "sn": "A"}]},
        "sn",
    ),
    "repair parts in a test": Rule(
        lambda: Report.model_validate(sound_test() | {"uur": {"processCode": 60}}),
        {"uur": {"processCode": 60}},
        "belongs? to repair reports",
    ),
}

REPAIRS = {
    "repair with a test operation": Rule(
        lambda: uur(process=Process(code=60, name="Functional test", is_test_operation=True)),
        {"processCode": 60},
        r"process 60 \(Functional test\) is no repair operation",
    ),
    "failed operation that is a repair": Rule(
        lambda: uur(test_process=Process(code=500, name="Repair", is_repair_operation=True)),
        {"uur/processCode": 500},
        r"process 500 \(Repair\) is no test operation",
    ),
    "no failure": Rule(lambda: uur().build(), {"subUnits/0/failures": []}, "needs a failure"),
    "unknown category": Rule(
        lambda: failing(category="Weather"),
        {"subUnits/0/failures/0/category": "Weather"},
        "Category must be a valid value",
    ),
    "unknown code": Rule(
        lambda: failing(code="Rain"), {"subUnits/0/failures/0/code": "Rain"}, "Code must be a valid value"
    ),
    "designator too long": Rule(
        lambda: failing(component="x" * 51), {"subUnits/0/failures/0/comRef": "x" * 51}, "50 characters"
    ),
    "block too long": Rule(
        lambda: failing(block=LONG), {"subUnits/0/failures/0/funcBlock": LONG}, "100 characters"
    ),
    "article too long": Rule(
        lambda: failing(article=LONG), {"subUnits/0/failures/0/artNumber": LONG}, "100 characters"
    ),
    "vendor too long": Rule(
        lambda: failing(vendor="x" * 501), {"subUnits/0/failures/0/artVendor": "x" * 501}, "500 characters"
    ),
    "repair comment too long": Rule(
        lambda: uur(comment="x" * 5001), {"uur/comment": "x" * 5001}, "5000 characters"
    ),
    "repairer too long": Rule(lambda: uur(operator=LONG), {"uur/user": LONG}, "100 characters"),
    "result of a repair": Rule(
        lambda: Report.model_validate(sound_repair() | {"result": "F"}), {"result": "F"}, "repair.* always P"
    ),
    "test parts in a repair": Rule(
        lambda: Report.model_validate(sound_repair() | {"uut": {}}), {"uut": {}}, "belongs? to test reports"
    ),
    "no unit at idx 0": Rule(
        lambda: with_units(MAIN | {"idx": 1, "failures": [FAILURE]}),
        {"subUnits": [MAIN | {"idx": 1, "failures": [FAILURE]}]},
        "exactly one idx 0",
    ),
    "two units at idx 0": Rule(
        lambda: with_units(MAIN | {"failures": [FAILURE]}, MAIN),
        {"subUnits": [MAIN | {"failures": [FAILURE]}, MAIN]},
        "exactly one idx 0",
    ),
    "units of one idx": Rule(
        lambda: with_units(MAIN | {"failures": [FAILURE]}, MAIN | {"idx": 1}, MAIN | {"idx": 1}),
        {"subUnits": [MAIN | {"failures": [FAILURE]}, MAIN | {"idx": 1}, MAIN | {"idx": 1}]},
        "1 is not unique",
    ),
    "parent that does not exist": Rule(
        lambda: with_two_units(parentIdx=7),
        {"subUnits/1": {"partType": "PCBA", "pn": "P2", "sn": "S2", "idx": 1, "parentIdx": 7}},
        "parentIdx: no sub-unit has idx 7",
    ),
    "parent of itself": Rule(
        lambda: with_two_units(parentIdx=1),
        {"subUnits/1": {"partType": "PCBA", "pn": "P2", "sn": "S2", "idx": 1, "parentIdx": 1}},
        "parentIdx: a unit cannot be its own",
    ),
    "replacement that does not exist": Rule(
        lambda: with_two_units(replacedIdx=9),
        {"subUnits/1": {"partType": "PCBA", "pn": "P2", "sn": "S2", "idx": 1, "replacedIdx": 9}},
        "replacedIdx: no sub-unit has idx 9",
    ),
    "main unit that is another": Rule(
        lambda: with_units(MAIN | {"sn": "S9", "failures": [FAILURE]}),
        {"subUnits/0/sn": "S9"},
        "at idx 0 must be the unit of the report",
    ),
    "main unit with a parent": Rule(
        lambda: with_units(MAIN | {"parentIdx": 1, "failures": [FAILURE]}, MAIN | {"idx": 1}),
        {"subUnits": [MAIN | {"parentIdx": 1, "failures": [FAILURE]}, MAIN | {"idx": 1}]},
        "at idx 0 has a parentIdx",
    ),
}


def broken(report, changes):
    for path, value in changes.items():
        *above, last = path.split("/")
        owner = report
        for key in above:
            owner = owner[int(key)] if isinstance(owner, list) else owner[key]
        if isinstance(owner, list) and int(last) == len(owner):
            owner.append(value)
        else:
            owner[int(last) if isinstance(owner, list) else last] = value
    return report


def refused_by_server(report):
    with pytest.raises(Refused) as refused:
        validate_report(parse_json(json.dumps(report).encode()), DEFAULT_PROCESSES, FAIL_CODES)
    return str(refused.value)


@pytest.mark.parametrize("name", TESTS)
def test_rule_of_a_test(name):
    """The builder and the server refuse the same test report for the same reason."""
    rule = TESTS[name]
    with pytest.raises(ValueError, match=rule.reason):
        rule.build()
    said = refused_by_server(broken(sound_test(), rule.wire))
    assert re.search(rule.reason, said), said


@pytest.mark.parametrize("name", REPAIRS)
def test_rule_of_a_repair(name):
    """The builder and the server refuse the same repair report for the same reason."""
    rule = REPAIRS[name]
    with pytest.raises(ValueError, match=rule.reason):
        rule.build()
    said = refused_by_server(broken(sound_repair(), rule.wire))
    assert re.search(rule.reason, said), said


def test_sound_reports_are_taken():
    """What every rule above breaks is sound before it is broken."""
    validate_report(sound_test(), DEFAULT_PROCESSES, FAIL_CODES)
    validate_report(sound_repair(), DEFAULT_PROCESSES, FAIL_CODES)


def test_builder_names_the_step_by_its_path():
    """Deep in the tree the error still says which step it is."""
    test = uut()
    power = test.sequence("Power").sequence("Rails")
    with pytest.raises(ReportError) as refused:
        power.multi_numeric("5V").measure("max", 5, unit="x" * 21)
    assert refused.value.place == 'step "Power/Rails/5V", measurement "max"'
    assert "20 characters" in refused.value.reason


def test_operation_can_require_the_failed_test():
    """Where the account demands it, a repair without its failed test is refused."""
    strict = [*DEFAULT_PROCESSES, process(501, "Strict repair", "repair") | {"uutBinding": 0}]
    report = sound_repair() | {"processCode": 501}
    with pytest.raises(Refused, match=r"\$\.uur\.refUUT: Strict repair requires the test report"):
        validate_report(report, strict, FAIL_CODES)
    report["uur"]["refUUT"] = "7d9f3c1e-6f1b-5c55-9c0b-3a2f6f1d2e10"
    validate_report(report, strict, FAIL_CODES)


def test_operation_can_name_the_fields_it_takes():
    """Where the account has fields for repairs, a misc info of another name is refused."""
    strict = [*DEFAULT_PROCESSES, process(501, "Strict repair", "repair") | {"miscInfos": ["Oven"]}]
    report = sound_repair() | {"processCode": 501, "miscInfos": [{"description": "Oven", "text": "3"}]}
    validate_report(report, strict, FAIL_CODES)
    report["miscInfos"][0]["description"] = "Iron"
    with pytest.raises(Refused, match=r'\$\.miscInfos\[0\]\.description: Strict repair has no field "Iron"'):
        validate_report(report, strict, FAIL_CODES)
