"""Verdicts are honest at each level, and what is not plainly a pass is never reported as one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shopfloor import a_test, built, inspection, misc, number, result, rules, steps, wire

from handlers import Known, build_report

OUTCOMES = ["passed", "failed", "error", "aborted", "skipped", "unknown"]


@pytest.mark.parametrize(
    ("overall", "inner", "letter"),
    [
        ("passed", "passed", "P"),
        ("passed", "skipped", "P"),
        ("passed", "failed", "F"),
        ("passed", "error", "E"),
        ("passed", "aborted", "T"),
        ("passed", "unknown", "E"),
        ("failed", "failed", "F"),
        ("failed", "error", "F"),
        ("error", "failed", "E"),
        ("error", "error", "E"),
        ("aborted", "aborted", "T"),
        ("unknown", "passed", "E"),
        ("unknown", "failed", "E"),
        ("nonsense", "passed", "E"),
    ],
)
async def test_worst_of_both(overall, inner, letter):
    """A pass is overruled by what was tested; anything else stays the station's word."""
    report = await wire(result(a_test("T1", inner), a_test("T2", "passed"), result=overall))
    assert report["result"] == report["root"]["status"] == letter


async def test_the_overruled_word_is_kept():
    """Whoever wonders about a failed report finds what the station said."""
    done = await built(result(a_test("T1", "failed")))
    report = done.report.to_wire()
    assert misc(report)["Overall result"] == "Passed"
    assert "The station said Passed; what it tested says Failed." in report["uut"]["comment"]


async def test_the_station_may_be_trusted():
    """By option the overall result stands, and what failed can still be seen."""
    report = await wire(result(a_test("T1", "failed")), report={"verdict": "station"})
    assert (report["result"], steps(report)["T1"]["status"]) == ("P", "F")
    assert "causedUUTFailure" not in steps(report)["T1"]


@pytest.mark.parametrize("overall", ["failed", "error", "aborted"])
@pytest.mark.parametrize("tests", [(), (a_test("T1", "passed"),), (a_test("T1", "skipped"),)])
async def test_a_failure_without_a_place_gets_one(overall, tests):
    """A unit that did not pass though all its tests did has a step that says so."""
    report = await wire(result(*tests, result=overall))
    step = steps(report)["Overall result"]
    assert step["status"] == report["result"] == {"failed": "F", "error": "E", "aborted": "T"}[overall]
    assert step["causedUUTFailure"]
    assert overall in report["uut"]["errorMessage"]


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"result": "unknown", "result_said": "Maybe"}, 'result "Maybe" is not known'),
        ({"result": "Indeterminate"}, 'result "Indeterminate" is not known'),
        ({"result": None}, "no result was given"),
    ],
)
async def test_unknown_words_are_errors(said, text):
    """A verdict that nobody can read is an error, with the word that was said."""
    report = await wire(result(a_test("T1", "passed"), **said))
    assert (report["result"], report["uut"]["errorMessage"]) == ("E", text)


async def test_passed_without_tests():
    """A station that sends no tests says its pass in a report without steps."""
    report = await wire(result())
    assert (report["result"], report["root"]["steps"]) == ("P", [])


async def test_a_test_without_verdict():
    """A test that gives no verdict has that of its measurements; with none it is an action."""
    report = await wire(result(a_test("T1", None, number(3, low=1, high=2)), a_test("T2", None)))
    found = steps(report)
    assert (found["T1"]["status"], report["result"]) == ("F", "F")
    assert found["T2"]["stepType"] == "Action"


async def test_failure_is_carried_up_and_its_cause_marked():
    """A failed measurement fails its test and the unit, and is what the Pareto shows."""
    report = await wire(
        result(a_test("T1"), a_test("T2", "passed", number(3, low=1, high=2), number(9, "X")))
    )
    found = steps(report)
    assert [found[name]["status"] for name in ("T1", "T2", "R1", "X")] == ["P", "F", "F", "P"]
    marked = [name for name, step in found.items() if step.get("causedUUTFailure")]
    assert marked == ["R1"]


async def test_a_skipped_unit_by_option():
    """A report knows no Skipped: who wants one gets Terminated, never a pass."""
    report = await wire(result(result="skipped"), report={"skipped_units": "report"})
    assert report["result"] == "T"


DEFECT = {"code": "D1", "designator": "R1"}


def found_by(verification=None, *, closer=None, unit=None, outcome="failed", overall="failed"):
    """An inspection that found a defect, with the second look's word on defect, inspection and unit."""
    defect = {**DEFECT, "verification": {"verdict": verification}} if verification else DEFECT
    said = {"verification": {"verdict": closer}} if closer else {}
    more = {"verification": {"verdict": unit}} if unit else {}
    return inspection(a_test("I1", outcome, defects=[defect], **said), result=overall, **more)


@pytest.mark.parametrize(
    ("defect", "closer", "unit", "overall", "expected"),
    [
        # On a failed unit only a false call is taken back, and only where it was said.
        (None, None, None, "failed", "F F F"),
        ("NotVerifiedYet", "NotVerifiedYet", "NotVerifiedYet", "failed", "F F F"),
        ("DefectConfirmed", "NotVerifiedYet", "NotVerifiedYet", "failed", "F F F"),
        ("DefectRepaired", None, None, "failed", "F F F"),
        ("DefectClosed", None, None, "failed", "F F F"),
        ("DefectRejected", "NotVerifiedYet", "NotVerifiedYet", "failed", "F F P"),
        ("DefectAccepted", "NotVerifiedYet", "NotVerifiedYet", "failed", "F F P"),
        ("SomethingNew", None, None, "failed", "F F F"),
        ("NotVerifiedYet", "DefectRejected", "NotVerifiedYet", "failed", "F P P"),
        ("NotVerifiedYet", "NotVerifiedYet", "DefectRejected", "failed", "P P P"),
        ("DefectConfirmed", "NotVerifiedYet", "DefectRejected", "failed", "F F F"),
        ("NotVerifiedYet", "DefectConfirmed", "DefectAccepted", "failed", "F F F"),
        # A false call may be why the unit passed.
        ("DefectRejected", "NotVerifiedYet", "NotVerifiedYet", "passed", "P P P"),
        ("DefectAccepted", None, None, "passed", "P P P"),
        ("NotVerifiedYet", None, None, "passed", "F F F"),
        ("DefectRejected", "DefectConfirmed", None, "passed", "F F P"),
    ],
)
async def test_verification(defect, closer, unit, overall, expected):
    """The second look takes a failure back where it was a false call, and nowhere else."""
    report = await wire(found_by(defect, closer=closer, unit=unit, overall=overall))
    found = steps(report)
    assert " ".join([report["result"], found["I1"]["status"], found["D1 R1"]["status"]]) == expected


async def test_closed_defects_by_option():
    """A defect that was repaired and confirmed may count as passed."""
    report = await wire(found_by("DefectClosed", overall="passed"), report={"closed_defects": "passed"})
    assert report["result"] == "P"


@pytest.mark.parametrize("outcome", ["error", "aborted"])
async def test_an_inspection_that_never_ended_stays_so(outcome):
    """A false call is no answer to an inspection that broke off."""
    report = await wire(
        found_by("DefectRejected", closer="DefectRejected", outcome=outcome, overall="passed")
    )
    assert report["result"] == {"error": "E", "aborted": "T"}[outcome]


async def test_not_verified_yet_means_nothing_on_a_pass():
    """The word that SDKs always write does not fail a passed inspection."""
    unverified = {"verification": {"verdict": "NotVerifiedYet"}}
    report = await wire(inspection(a_test("I1", "passed", **unverified), **unverified))
    assert report["result"] == "P"


measurements = st.builds(
    lambda outcome: number(1.0) if outcome is None else number(1.0, result=outcome),
    st.sampled_from([None, *OUTCOMES]),
)
some_tests = st.lists(
    st.builds(
        lambda outcome, several: a_test("T", outcome, *several),
        st.sampled_from(OUTCOMES),
        st.lists(measurements, max_size=3),
    ),
    max_size=4,
)


@settings(deadline=None, max_examples=150)
@given(overall=st.sampled_from([*OUTCOMES, "blue"]), tests=some_tests)
def test_no_wrong_pass(overall, tests):
    """Whatever a station sends: a passed report has a passed unit, and nothing in it that did not pass."""
    made = result(*tests, result=overall)
    ready = rules(report={"skipped_units": "report"})
    report = build_report(made, Known.nothing(made), ready).report.to_wire()
    if report["result"] == "P":
        assert overall == "passed"
        assert {step["status"] for step in _all(report["root"])} <= {"P", "S"}
    said = {outcome for test in tests for outcome in [test["result"], *_results(test)]}
    if overall == "passed":
        assert (report["result"] == "P") == (said <= {"passed", "skipped"})


def _results(test):
    return [one["result"] for one in test["measurements"] if "result" in one]


def _all(step):
    return [step, *(below for child in step.get("steps", ()) for below in _all(child))]
