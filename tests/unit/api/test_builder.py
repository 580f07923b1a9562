"""The report builder: verdicts up the tree, never a wrong PASS, and what it leaves to be seen."""

from datetime import UTC, datetime, timedelta

import pytest

from pywats_api.building import ReportError, UurBuilder, UutBuilder, number_passes
from pywats_api.process import Process
from pywats_api.server import DEFAULT_PROCESSES, FAIL_CODES
from pywats_api.server.validation import validate_report
from pywats_api.wsjf import CompOp, Step

NOON = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)


def uut(**changes):
    options = {
        "process": 60,
        "station": "FCT-1",
        "location": "Line 1",
        "program": "fct.seq",
        "version": "1.4",
        "start": NOON,
    }
    return UutBuilder("PCB-100", "SN-1", "B", **(options | changes))


def uur(**changes):
    options = {"process": 500, "test_process": 60, "station": "REP-1", "location": "Line 1", "start": NOON}
    return UurBuilder("PCB-100", "SN-1", "B", **(options | changes))


def status_of(report, path):
    return next(step.status for found, step in report.root.walk() if found.endswith(path)).value


@pytest.mark.parametrize(
    ("comp_op", "passing", "failing"),
    [
        ("LOG", [-9, 0, 9], []),
        ("EQ", [1], [0, 2]),
        ("NE", [0, 2], [1]),
        ("GT", [1.1], [1, 0]),
        ("GE", [1, 2], [0.9]),
        ("LT", [0.9], [1, 2]),
        ("LE", [1, 0], [1.1]),
        ("GTLT", [1.5], [1, 2, 0, 3]),
        ("GTLE", [1.5, 2], [1, 2.1]),
        ("GELT", [1, 1.5], [2, 0.9]),
        ("GELE", [1, 1.5, 2], [0.9, 2.1]),
        ("LTGT", [0.9, 2.1], [1, 1.5, 2]),
        ("LTGE", [0.9, 2], [1, 1.9]),
        ("LEGT", [1, 2.1], [1.1, 2]),
        ("LEGE", [1, 2], [1.1, 1.9]),
    ],
)
def test_every_operator_decides_as_documented(comp_op, passing, failing):
    """Each operator passes and fails at, below and above its limits as the format says."""
    operator = CompOp(comp_op)
    low = 1.0 if operator.limits else None
    high = 2.0 if operator.limits == 2 else None
    assert all(number_passes(value, operator, low, high) for value in passing)
    assert not any(number_passes(value, operator, low, high) for value in failing)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_value_that_is_no_number_never_passes(value):
    """NaN and infinity fail, logged or compared, and the text says what was measured."""
    test = uut()
    assert not test.numeric("3V3", value, low=3.2, high=3.4)
    assert not test.numeric("logged", value)
    report = test.build()
    assert report.result == "F"
    step = report.root.steps[0]
    assert step.numeric_meas is None
    assert str(value) in step.report_text


@pytest.mark.parametrize(
    ("limits", "wire"),
    [
        ({"low": 1, "high": 2}, {"compOp": "GELE", "lowLimit": 1, "highLimit": 2}),
        ({"low": 1}, {"compOp": "GE", "lowLimit": 1}),
        ({"high": 2}, {"compOp": "LE", "lowLimit": 2}),
        ({"high": 2, "comp_op": "lt"}, {"compOp": "LT", "lowLimit": 2}),
        ({"low": 1.5, "comp_op": "EQ"}, {"compOp": "EQ", "lowLimit": 1.5}),
        ({}, {"compOp": "LOG"}),
    ],
)
def test_limits_go_where_the_server_wants_them(limits, wire):
    """The operator follows from the limits, and a single limit is always the low one."""
    test = uut()
    assert test.numeric("3V3", 1.5, unit="V", **limits)
    measured = test.build().to_wire()["root"]["steps"][0]["numericMeas"]
    assert measured == [{"value": 1.5, "status": "P", "unit": "V"} | wire]


def test_a_failure_fails_everything_above_it():
    """One failed leaf fails its sequence, the root and the report; its siblings keep their pass."""
    test = uut()
    with test.sequence("Power") as power:
        power.numeric("3V3", 3.3, low=3.2, high=3.4)
        with power.sequence("Ripple") as ripple:
            assert not ripple.numeric("50 Hz", 12, high=10, unit="mV", error_code=7, error_message="noisy")
    test.pass_fail("LED", passed=True)
    report = test.build()
    assert report.result == "F"
    for path, status in {"Power/3V3": "P", "50 Hz": "F", "Ripple": "F", "Power": "F", "LED": "P"}.items():
        assert status_of(report, path) == status
    assert (report.uut.error_code, report.uut.error_message) == (7, "noisy")


def test_the_first_failing_leaf_is_the_cause():
    """The step that failed first is marked, and only that one, also when the report is built again."""
    test = uut()
    first = test.sequence("First")
    test.pass_fail("later", passed=False)
    test.build()
    first.pass_fail("earlier", passed=False)
    marked = [step.name for _, step in test.build().root.walk() if step.caused_uut_failure]
    assert marked == ["earlier"]


@pytest.mark.parametrize(
    ("statuses", "result"),
    [("PP", "P"), ("PS", "P"), ("PD", "P"), ("PT", "T"), ("TE", "E"), ("EF", "F"), ("PU", "E"), ("SS", "T")],
)
def test_worst_of_the_steps_wins(statuses, result):
    """Failed beats error beats terminated beats passed; skipped decides nothing and alone is no pass."""
    test = uut()
    for number, status in enumerate(statuses):
        test.action(f"step {number}", status=status)
    assert test.build().result == result


def test_word_of_the_caller_makes_a_verdict_only_worse():
    """A status that is given can fail what is within limits, and cannot pass or hide what is not."""
    test = uut()
    assert not test.numeric("worse", 1, low=0, high=2, status="F")
    assert not test.numeric("error", 9, low=0, high=2, status="E")
    assert not test.numeric("better", 9, low=0, high=2, status="P")
    assert not test.numeric("hidden", 9, low=0, high=2, status="S")
    with test.sequence("Group", status="P") as group:
        group.pass_fail("no", passed=False)
    report = test.build()
    assert [step.status for step in report.root.steps] == ["F", "E", "F", "F", "F"]
    assert report.root.steps[1].numeric_meas[0].status == "F"


def test_waived_failure_passes_with_its_reason():
    """Only a reason makes a failure pass, and the reason stands in the report."""
    test = uut()
    assert test.numeric("3V3", 3.5, low=3.2, high=3.4, waived="deviation D-17")
    report = test.build()
    assert report.result == "P"
    assert report.root.steps[0].report_text == "Waived: deviation D-17"
    with pytest.raises(ReportError, match='step "3V3": waived needs the reason'):
        test.numeric("3V3", 3.5, low=3.2, high=3.4, waived=" ")


def test_exception_in_a_sequence_is_an_error_of_it():
    """A test program that breaks off leaves a report that says where and why."""
    test = uut()

    def run():
        with test, test.sequence("Power") as power:
            power.numeric("3V3", 3.3, low=3.2, high=3.4)
            raise OSError("no answer from the supply")

    with pytest.raises(OSError, match="no answer"):
        run()
    report = test.build()
    assert (report.result, status_of(report, "Power")) == ("E", "E")
    assert report.root.steps[0].error_message == "OSError: no answer from the supply"
    assert report.uut.error_message == "OSError: no answer from the supply"


def test_failure_outweighs_the_exception_after_it():
    """A unit that failed before its test program broke off has failed."""
    test = uut()
    test.pass_fail("Short", passed=False)
    with pytest.raises(OSError, match="gone"), test:
        raise OSError("gone")
    assert test.build().result == "F"


def test_interrupted_test_is_terminated():
    """Ctrl-C is no failure of the unit and no pass either."""
    test = uut()
    test.pass_fail("LED", passed=True)
    with pytest.raises(KeyboardInterrupt), test:
        raise KeyboardInterrupt
    assert test.build().result == "T"


def test_result_that_contradicts_the_steps_is_refused():
    """A report cannot end with P while a step failed; the error names the step."""
    test = uut()
    test.sequence("Power").pass_fail("Short", passed=False)
    test.end_with("P")
    with pytest.raises(ReportError, match='cannot end with P: step "Power/Short" failed'):
        test.build()


def test_report_without_steps_has_no_verdict():
    """An empty report passes only if somebody says so; one that ended early says how."""
    with pytest.raises(ReportError, match="holds no step, so it has no verdict"):
        uut().build()
    said = uut()
    said.end_with("P")
    assert said.build().result == "P"
    stopped = uut()
    stopped.pass_fail("LED", passed=True)
    stopped.end_with("T", "stopped by the operator")
    report = stopped.build()
    assert (report.result, report.root.status, report.uut.error_message) == (
        "T",
        "T",
        "stopped by the operator",
    )


def test_several_measurements_share_a_step():
    """A step of several fails by one of them, and stays of its kind with one measurement only."""
    test = uut()
    rails = test.multi_numeric("Rails")
    assert rails.measure("5V", 5.0, low=4.9, high=5.1, unit="V")
    assert not rails.measure("12V", 13, low=11.4, high=12.6, unit="V")
    versions = test.multi_string("Versions")
    assert versions.compare("Boot", "1.2", equals="1.2")
    assert versions.compare("App", "rc1", equals="RC1", comp_op="IGNORECASE")
    test.multi_pass_fail("LEDs").check("red", passed=True)
    steps = test.build().to_wire()["root"]["steps"]
    assert [(step["stepType"], step["status"]) for step in steps] == [
        ("ET_MNLT", "F"),
        ("ET_MSVT", "P"),
        ("ET_MPFT", "P"),
    ]
    assert [m["status"] for m in steps[0]["numericMeas"]] == ["P", "F"]


def test_long_text_is_cut_and_kept_in_full():
    """A text longer than a report's limit is compared and shown in full, and sent cut."""
    test = uut()
    answer = "x" * 150
    test.string("Answer", answer)
    step = test.build().root.steps[0]
    assert (len(step.string_meas[0].value), step.report_text) == (100, answer)


def test_chart_takes_curves_and_measurements():
    """A chart shows its curves and is judged by what is measured from them."""
    test = uut()
    chart = test.chart("Bode", label="Gain", chart_type="LineLogX", x_unit="Hz", y_unit="dB")
    chart.curve("gain", x=[10, 100.5], y=[-3, 0.25])
    chart.curve("limit", y=[-3, -3])
    chart.measure("at 10 Hz", -3, low=-1)
    step = test.build().to_wire()["root"]["steps"][0]
    assert step["status"] == "F"
    assert step["chart"]["series"][0] == {
        "name": "gain",
        "xdata": "10.0;100.5",
        "ydata": "-3.0;0.25",
        "dataType": "XYG",
    }
    with pytest.raises(ReportError, match='step "Bode", curve "odd": has 1 x values and 2 y values'):
        chart.curve("odd", x=[1], y=[1, 2])
    with pytest.raises(ReportError, match='curve "gap": point 1 is nan'):
        chart.curve("gap", y=[1, float("nan")])
    test.chart("empty")
    with pytest.raises(ReportError, match='step "empty": the chart has no curve'):
        test.build()


def test_other_steps(tmp_path):
    """Programs, questions, files, plain and finished steps go out as the format knows them."""
    log = tmp_path / "boot.txt"
    log.write_bytes(b"ok")
    test = uut()
    assert test.call_exe("flash", 0)
    assert not test.call_exe("probe", 3)
    assert test.message("Lamp on?", response="yes", button=1)
    assert test.attach("boot log", log)
    assert test.attach("picture", b"\x89PNG", file_name="board.png")
    assert test.action("settle", step_type="NI_Wait", duration=0.5, results={"supply": {"on": True, "v": 24}})
    assert test.add(Step(name="ready", step_type="Statement", status="D"))
    flash, probe, lamp, boot, picture, settle, _ = test.build().to_wire()["root"]["steps"]
    assert (flash["callExe"], probe["status"]) == ({"exitCode": 0.0}, "F")
    assert lamp["messagePopup"] == {"response": "yes", "button": 1}
    assert boot["attachment"] == {"name": "boot.txt", "contentType": "text/plain", "data": "b2s="}
    assert picture["attachment"]["contentType"] == "image/png"
    assert settle["totTime"] == 0.5
    assert settle["additionalResults"][0]["props"] == [
        {"name": "on", "type": "Bool", "value": "True"},
        {"name": "v", "type": "Number", "value": "24"},
    ]


def test_header_goes_with_the_report():
    """What people search by, sub-units, assets and free data are in the report, and the server takes it."""
    test = uut(operator="ann", batch="L-7", fixture="FIX-1", socket=2, duration=12.5)
    test.pass_fail("LED", passed=True)
    test.misc("Work order", "WO-1")
    test.sub_unit("Module", "PSU-24", "PSU-001", "C", position=1)
    test.asset("FIX-1", 2)
    test.data("Climate", {"points": [21.5, 22.0], "room": {"name": "lab"}})
    wire = test.build().to_wire()
    validate_report(wire, DEFAULT_PROCESSES, FAIL_CODES)
    assert wire["uut"] == {
        "user": "ann",
        "execTime": 12.5,
        "batchSN": "L-7",
        "fixtureId": "FIX-1",
        "testSocketIndex": 2,
    }
    assert wire["miscInfos"] == [{"description": "Work order", "text": "WO-1"}]
    assert wire["assets"] == [{"assetSN": "FIX-1", "usageCount": 2}]
    assert wire["subUnits"][0]["sn"] == "PSU-001"


def test_same_run_has_the_same_id():
    """Unit, operation and start make the id, so that building again replaces and never doubles."""

    def built(**changes):
        test = uut(**changes)
        test.pass_fail("LED", passed=True)
        return test.build()

    assert built().id == built().id
    assert built().id != built(start=NOON + timedelta(milliseconds=1)).id
    assert built(start=NOON + timedelta(microseconds=900)).id == built().id


def test_run_times_itself_unless_told():
    """Without a start the report begins now and lasts until it is built."""
    clock = iter([NOON, NOON + timedelta(seconds=3), NOON + timedelta(seconds=3)])
    test = uut(start=None, now=lambda: next(clock))
    test.pass_fail("LED", passed=True)
    report = test.build()
    assert (report.start, report.uut.exec_time) == (NOON, 3.0)


def test_report_from_the_future_is_refused():
    """The server would take it and hide it, so it is refused here with what to do."""
    test = uut(start=NOON, now=lambda: NOON - timedelta(seconds=1))
    test.pass_fail("LED", passed=True)
    with pytest.raises(ReportError, match=r"lies in the future.*correct the clock"):
        test.build()


def test_operation_that_was_looked_up_is_checked():
    """An operation of the wrong kind is refused before anything is built."""
    repair = Process(code=500, name="Repair", is_repair_operation=True)
    with pytest.raises(ReportError, match=r'test of "SN-1": process 500 \(Repair\) is no test operation'):
        uut(process=repair)
    assert uur(process=repair)


def test_repair_of_a_failed_test_points_at_its_step():
    """A repair built from the failed test is linked to it, and its failures to the steps by their path."""
    test = uut()
    with test.sequence("Power") as power:
        power.numeric("3V3", 3.3, low=3.2, high=3.4)
        power.numeric("5V", 0.1, low=4.9, high=5.1)
    failed = test.build()
    repair = UurBuilder.of(
        failed,
        process=500,
        station="REP-1",
        location="Line 1",
        operator="bob",
        start=NOON + timedelta(hours=1),
    )
    repair.unit.failure(
        "Component", "Missing", component="C12", step="Power/5V", comment="placed", files=[b"picture"]
    )
    module = repair.unit.part("PCBA", "MOD-1", "M-1", "A")
    spare = repair.unit.part("PCBA", "MOD-1", "M-2", "A")
    module.failure("Component", "Defect")
    module.replaced_by(spare)
    repair.attach(b"notes", file_name="notes.txt")
    wire = repair.build().to_wire()
    validate_report(wire, DEFAULT_PROCESSES, FAIL_CODES)
    sent = failed.to_wire()["root"]["steps"][0]["steps"][1]
    assert sent["name"] == "5V"
    main, first, second = wire["subUnits"]
    assert (main["failures"][0]["refStepId"], wire["uur"]["refUUT"]) == (sent["id"], str(failed.id))
    assert (wire["processCode"], wire["uur"]["processCode"], wire["result"]) == (500, 60, "P")
    assert (first["parentIdx"], first["replacedIdx"], second["idx"]) == (0, 2, 2)
    assert "failures" not in second
    with pytest.raises(ReportError, match='the failed test has no step "Power/9V"'):
        repair.unit.failure("Component", "Missing", step="Power/9V")
    with pytest.raises(ReportError, match="is no test"):
        UurBuilder.of(repair.build(), process=500, station="REP-1", location="Line 1")
