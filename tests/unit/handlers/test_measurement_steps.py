"""One measurement, one step: operators, limits, verdicts, texts."""

import pytest
from shopfloor import a_test, inspection, number, result, steps, wire


async def measured(*measurements, outcome="passed", overall="passed", **changed_rules):
    report = await wire(result(a_test("T1", outcome, *measurements), result=overall), **changed_rules)
    return steps(report)


@pytest.mark.parametrize(
    ("limits", "comp_op", "low", "high"),
    [
        ({"low": 1, "high": 2}, "GELE", 1.0, 2.0),
        ({"low": 1}, "GE", 1.0, None),
        ({"high": 2}, "LE", 2.0, None),
        ({"low": 1.5, "high": 1.5}, "GELE", 1.5, 1.5),
        ({"expected": 1.5}, "LOG", None, None),
        ({}, "LOG", None, None),
        ({"low": 1, "expected": 1.2}, "GE", 1.0, None),
    ],
)
async def test_operators(limits, comp_op, low, high):
    """Limits decide the operator; a lone upper limit stands in lowLimit."""
    step = (await measured(number(1.5, result="passed", unit="V", **limits)))["R1"]
    (meas,) = step["numericMeas"]
    assert (meas["compOp"], meas.get("lowLimit"), meas.get("highLimit")) == (comp_op, low, high)
    assert (step["stepType"], meas["status"], meas["unit"]) == ("ET_NLT", "P", "V")


async def test_expected_only_may_be_a_limit():
    """By option, a nominal value without limits must be met."""
    step = (await measured(number(1.4, expected=1.5), report={"expected_only": "equal"}))["R1"]
    assert step["numericMeas"][0] == {"value": 1.4, "status": "F", "compOp": "EQ", "lowLimit": 1.5}


@pytest.mark.parametrize(
    ("units", "low", "high"),
    [
        ({"unit": "Ohm", "expected": 10, "expected_unit": "kOhm"}, 9900.0, 10100.0),
        ({"unit": "Ohm", "low_unit": "kOhm", "high_unit": "kOhm"}, 9900.0, 10100.0),
        ({"unit": "Ohm", "low_unit": "kOhm", "high_unit": "MOhm"}, 9900.0, 10100000.0),
        ({"unit": "Ohm"}, 9.9, 10.1),
        ({}, 9.9, 10.1),
    ],
)
async def test_limits_come_into_the_unit_of_the_value(units, low, high):
    """Limits without a unit have the nominal value's, else the value's."""
    step = (await measured(number(10012.5, low=9.9, high=10.1, result="passed", **units)))["R1"]
    meas = step["numericMeas"][0]
    assert (meas["lowLimit"], meas["highLimit"]) == (low, high)


@pytest.mark.parametrize("outcome", ["passed", "failed"])
async def test_limits_that_can_not_be_converted(outcome):
    """The value is logged with the station's verdict, and the text says what was sent."""
    step = (await measured(number(5, unit="V", low=1, low_unit="A", high=9, result=outcome)))["R1"]
    assert step["numericMeas"] == [{"value": 5.0, "status": outcome[0].upper(), "compOp": "LOG", "unit": "V"}]
    assert "Limits in A can't be compared with a value in V." in step["reportText"]
    assert "Limits as sent: from 1 A to 9 V" in step["reportText"]


@pytest.mark.parametrize(("value", "letter"), [(1.5, "P"), (1, "P"), (2, "P"), (0.999, "F"), (2.001, "F")])
async def test_verdict_from_limits(value, letter):
    """Without a verdict of its own a number has that of its limits."""
    step = (await measured(number(value, low=1, high=2), overall="failed", outcome="failed"))["R1"]
    assert step["status"] == step["numericMeas"][0]["status"] == letter


async def test_verdict_from_the_test():
    """Without limits it has that of its test."""
    found = await measured(number(1), outcome="failed", overall="failed")
    assert found["R1"]["status"] == "F"


@pytest.mark.parametrize(("choice", "letter"), [("station", "P"), ("worst", "F")])
async def test_out_of_limits_and_passed(choice, letter):
    """The station's word is kept by default and overruled by option; the text says so both times."""
    step = (await measured(number(3, low=1, high=2, result="passed"), report={"out_of_limits": choice}))["R1"]
    assert step["status"] == letter
    assert "Out of limits; the station said Passed" in step["reportText"]


async def test_inside_limits_and_failed():
    """A failure is never talked away."""
    found = await measured(number(1.5, low=1, high=2, result="failed"), outcome="failed", overall="failed")
    assert found["R1"]["status"] == "F"


@pytest.mark.parametrize(
    ("outcome", "step_letter", "meas_letter"),
    [("error", "E", "F"), ("aborted", "T", "F"), ("skipped", "S", "S"), ("unknown", "E", "F")],
)
async def test_other_verdicts(outcome, step_letter, meas_letter):
    """A measurement knows no error: that stands on its step."""
    found = await measured(number(1, result=outcome, result_said="Blue"), outcome="error", overall="error")
    assert (found["R1"]["status"], found["R1"]["numericMeas"][0]["status"]) == (step_letter, meas_letter)
    assert 'The station said "Blue".' in found["R1"]["reportText"]


@pytest.mark.parametrize(
    ("text", "said", "letter"),
    [
        ("NaN", None, "F"),
        ("Infinity", None, "F"),
        ("-Infinity", None, "F"),
        ("NaN", "passed", "P"),
        ("NaN", "failed", "F"),
    ],
)
async def test_numbers_that_are_not_finite(text, said, letter):
    """No number is made up for NaN; verdict, value and limits are kept as text."""
    made = {"kind": "numeric", "name": "R1", "value_text": text, "unit": "V", "low": 1, "high": 2}
    if said:
        made["result"] = said
    step = (await measured(made, outcome="failed", overall="failed"))["R1"]
    assert "numericMeas" not in step
    assert (step["stepType"], step["status"]) == ("Action", letter)
    assert step["reportText"].startswith(f"Value: {text} V\nLimits as sent: from 1 V to 2 V")


async def test_a_number_without_value():
    """A measurement that was not taken is shown, with its verdict."""
    step = (await measured({"kind": "numeric", "name": "R1", "result": "skipped"}))["R1"]
    assert (step["status"], step["reportText"]) == ("S", "Value: none")


async def test_texts():
    """A text is compared with the expected one; long ones are cut and kept in full below."""
    long = "x" * 150
    found = await measured(
        {"kind": "text", "name": "A", "value": "1.0", "expected": "1.0"},
        {"kind": "text", "name": "B", "value": "1.0", "expected": "1.1"},
        {"kind": "text", "name": "C", "value": long},
        {"kind": "text", "name": "D"},
    )
    assert found["A"]["stringMeas"] == [
        {"value": "1.0", "limit": "1.0", "compOp": "CASESENSIT", "status": "P"}
    ]
    assert found["B"]["status"] == "F"
    assert found["C"]["stringMeas"][0] == {"value": "x" * 100, "compOp": "LOG", "status": "P"}
    assert long in found["C"]["reportText"]
    assert found["D"]["stringMeas"][0]["value"] == ""


async def test_booleans():
    """Value and nominal value of a boolean stand in the text; the server knows only its verdict."""
    found = await measured(
        {"kind": "boolean", "name": "A", "value": True, "expected": True},
        {"kind": "boolean", "name": "B", "value": False, "expected": True, "result": "failed"},
        outcome="failed",
        overall="failed",
    )
    assert (found["A"]["status"], found["B"]["status"]) == ("P", "F")
    assert found["B"]["reportText"] == "Value: false\nExpected: true"


async def test_unknown_kinds_are_kept():
    """What no rule knows is shown with everything it said."""
    step = (
        await measured(
            {
                "kind": "vendor",
                "name": "V",
                "type_name": "Vendor.Curve",
                "result": "passed",
                "fields": {"points": [1, 2.5], "tool": {"name": "probe"}, "tags": ["a", "b"], "ok": True},
            }
        )
    )["V"]
    assert (step["stepType"], step["status"]) == ("Action", "P")
    (group,) = step["additionalResults"]
    assert group["name"] == "Vendor.Curve"
    assert [prop["name"] for prop in group["props"]] == ["points", "tool", "tags", "ok"]
    assert group["props"][2]["value"] == "a, b"
    assert group["props"][3] == {"name": "ok", "type": "Bool", "value": "true"}


async def test_names_among_siblings_are_different():
    """A repeated name gets a stable number; a natural one that looks like it is not overwritten."""
    found = await measured(number(1), number(2), number(3, name="R1 #2"), number(4))
    assert list(found) == ["T1", "R1", "R1 #2", "R1 #2 #2", "R1 #3"]


async def test_names_are_clean_and_stable():
    """Names are cut to 100 characters; a GUID, new in each run, is never a name."""
    guid = "34247efb-8a7e-4f73-82ce-7e6de5163782"
    found = await measured(
        number(1, name="n" * 150),
        number(2, name="n" * 150),
        number(3, name=None, id=guid),
        number(4, name="  ", id="TP-7"),
        number(5, name="a\x07b\n c"),
    )
    assert list(found)[1:] == ["n" * 100, "n" * 97 + " #2", "Measurement 3", "Measurement 4", "ab c"]


async def test_tests_without_a_name():
    """A test goes by its reference, else its identity, else its place."""
    tests = [a_test(None, reference=7, id="4711"), a_test(None, id="TP-7"), a_test(None)]
    assert list(steps(await wire(result(*tests)))) == ["Test 7", "TP-7", "Test 3"]


async def test_inspections_never_change_their_kind():
    """An inspection is a sequence whether it found something or not."""
    clean, found = a_test("I1"), a_test("I1", "failed", defects=[{"code": "D"}])
    kinds = [
        steps(await wire(inspection(clean)))["I1"],
        steps(await wire(inspection(found, result="failed")))["I1"],
    ]
    assert [step["stepType"] for step in kinds] == ["SequenceCall", "SequenceCall"]


async def test_order_by_sequence():
    """Where the station counts its measurements, that is their order."""
    found = await measured(number(1, name="B", sequence=2), number(1, name="A", sequence=1))
    assert list(found)[1:] == ["A", "B"]


async def test_units_are_short():
    """A unit of more than 20 characters is cut, not refused."""
    step = (await measured(number(1, unit="u" * 30)))["R1"]
    assert step["numericMeas"][0]["unit"] == "u" * 20


async def test_thousands_of_features_stay_readable():
    """Paste deposits that passed become one step per component, failed ones are shown in full."""

    def pad(name, outcome):
        quantities = [
            {"name": "Volume", "value": 5.1, "expected": 5.0, "unit": "ml"},
            {"name": "Height", "value": None, "expected": 1.0},
        ]
        return {
            "kind": "feature",
            "feature": "paste",
            "name": name,
            "result": outcome,
            "quantities": quantities,
        }

    pads = [pad("R1.1", "passed"), pad("R1.2", "failed"), pad("R2.1", "passed"), pad("R1.3", "passed")]
    found = await measured(*pads, outcome="failed", overall="failed")
    assert [name for name in found if name != "T1"] == ["R1.2", "Volume", "Height", "R1", "R2"]
    assert found["R1.2"]["status"] == "F"
    assert found["R1"]["reportText"] == "2 passed"
    table = await measured(*pads, outcome="failed", overall="failed", report={"passed_pads": "attachment"})
    assert table["Passed features"]["attachment"]["contentType"] == "text/csv"
    every = await wire(
        result(a_test("T1", "failed", *pads), result="failed"), report={"passed_pads": "steps"}
    )
    assert [step["name"] for step in every["root"]["steps"][0]["steps"]] == ["R1.1", "R1.2", "R2.1", "R1.3"]
