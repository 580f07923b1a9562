"""Expressions: what they give, what they refuse, and what they cost at most."""

from __future__ import annotations

import contextlib
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pywats_events.mapping.bounds import Budget, TooCostly
from pywats_events.mapping.expressions import Expression
from pywats_events.mapping.functions import EvaluationError, Undecided

SCOPE = {
    "payload": {
        "sn": "SN-1",
        "ok": True,
        "word": "NOK",
        "count": 3,
        "nothing": None,
        "list": [1, 2],
        "steps": [{"name": "a", "value": 1}, {"name": "b", "value": 2}],
        "long": "a" * 5000,
    },
    "topic": {"line": "L1", "station": "ICT"},
    "properties": {},
    "received": "2026-03-02T08:00:00+00:00",
}


def run(text, scope=SCOPE):
    return Expression(text)(scope, Budget())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("payload.sn", "SN-1"),
        ("payload.absent", None),
        ("payload.nothing", None),
        ("payload.sn.deeper", None),
        ("payload.list", [1, 2]),
        ("payload.steps.name", ["a", "b"]),
        ("payload.steps[0].name", "a"),
        ("payload.steps[name='b'].value", 2),
        ("$sum(payload.steps.value)", 3),
        ("'//Acme/' & topic.line & '/' & topic.station", "//Acme/L1/ICT"),
        ("'n' & payload.count", "n3"),
        ("payload.ok ? 'pass' : 'fail'", "pass"),
        ("payload.word = 'OK' ? 'pass' : 'fail'", "fail"),
        ("payload.word in ['OK', 'GOOD'] ? 'pass' : 'fail'", "fail"),
        ("payload.steps.{'n': name}", [{"n": "a"}, {"n": "b"}]),
        ("$toMillis(received)", 1772438400000),
        ("$match(payload.sn, /^SN-([0-9]+)$/).groups[0]", "1"),
        ("($f := function($x) { $x * 2 }; $f(payload.count))", 6),
        ("$exists(payload.absent) and payload.absent = 'x' ? 1 : 2", 2),
        ("$count(payload.steps[value > 5]) = 0 ? 'pass' : 'fail'", "pass"),
        ("$count(payload.steps[value > 1]) > 0 ? 'fail' : 'pass'", "fail"),
        ("payload.word != 'OK' ? 'fail' : 'pass'", "fail"),
        ("$not(payload.word = 'OK') ? 'fail' : 'pass'", "fail"),
        ("$boolean(payload.ok) ? 'pass' : 'fail'", "pass"),
    ],
)
def test_what_an_expression_gives(text, value):
    """JSONata, over payload, topic, properties and received."""
    assert run(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "payload.word ? 'pass' : 'fail'",
        "payload.count ? 'pass' : 'fail'",
        "payload.absent ? 'fail' : 'pass'",
        "payload.nothing ? 'fail' : 'pass'",
        "payload.list ? 'pass' : 'fail'",
        "payload.absent = 'OK' ? 'pass' : 'fail'",
        "payload.nothing != 'NOK' ? 1 : 2",
        "payload.absent > 0 ? 'fail' : 'pass'",
        "payload.absent != 0 ? 'fail' : 'pass'",
        "payload.ok and payload.word ? 'pass' : 'fail'",
        "payload.absent or payload.nothing ? 'fail' : 'pass'",
        "$not(payload.word) ? 'fail' : 'pass'",
        "$not(payload.absent) ? 'pass' : 'fail'",
        "$boolean(payload.word) ? 'pass' : 'fail'",
        "(payload.ok; payload.word) ? 'pass' : 'fail'",
        "payload.steps[name].value",
        "$boolean(payload.list) ? 'pass' : 'fail'",
        "$boolean(payload.count) ? 'pass' : 'fail'",
        "$count(payload.faults) = 0 ? 'pass' : 'fail'",
        "$count(payload.faults[bad = true]) > 0 ? 'fail' : 'pass'",
        "$count(payload.steps.faults) = 0 ? 'pass' : 'fail'",
        "payload.absent ?: 'pass'",
    ],
)
def test_what_is_not_plainly_true_or_false_decides_nothing(text):
    """JSONata takes any text for true and what is missing for false; a verdict must not come of that."""
    with pytest.raises(Undecided):
        run(text)


@pytest.mark.parametrize(
    "text",
    [
        "payload.word = 'NOK' ? 'fail' : 'pass'",
        "payload.word in ['NOK', 'NG'] ? 'fail' : 'passed'",
        "(payload.word = 'NOK') ? 'fail' : ' PASS '",
        "payload.a = 'x' ? 'error' : payload.b = 'y' ? 'fail' : 'pass'",
        "$contains(payload.word, 'NOK') ? 'fail' : 'pass'",
        "$exists(payload.fault) ? 'fail' : 'pass'",
        "payload.word != 'NOK' ? 'pass' : 'fail'",
        "$not(payload.word = 'NOK') ? 'pass' : 'fail'",
        "($not((payload.word in ['NOK']))) ? ('pass') : 'fail'",
        "$not(payload.word != 'NOK') ? 'fail' : 'pass'",
        "payload.word = 'NOK' ? 'fail' : ('pass')",
        "payload.word ?? 'pass'",
        "payload.word = 'NOK' or payload.word = 'NG' ? 'fail' : 'pass'",
        "payload.word = 'NOK' and payload.count > 3 ? 'fail' : 'pass'",
        "payload.word != 'NOK' and payload.count < 3 ? 'pass' : 'fail'",
        "($bad := payload.word = 'NOK'; $bad ? 'fail' : 'pass')",
        "$count(payload.steps[result = 'FAIL']) = 0 ? 'pass' : 'fail'",
        "$count(payload.steps[result = 'FAIL']) > 0 ? 'fail' : 'pass'",
        "0 < $count(payload.steps[result in ['FAIL', 'NG']]) ? 'fail' : 'pass'",
        "$not($count(payload.steps[code = 2]) > 0) ? 'pass' : 'fail'",
    ],
)
def test_a_pass_is_asked_for_and_never_what_is_left(text):
    """A condition that passes whatever it does not name is refused when it is loaded."""
    with pytest.raises(ValueError, match="passes whatever is not named"):
        Expression(text)


@pytest.mark.parametrize(
    "text",
    [
        "payload.word = 'OK' or payload.count < 3 ? 'pass' : 'fail'",
        "payload.word = 'OK' and payload.count < 3 ? 'pass' : 'fail'",
        "payload.count < 1 or payload.count > 3 ? 'fail' : 'pass'",
        "$not($exists(payload.fault)) and payload.ok ? 'pass' : 'fail'",
        "$count(payload.steps[result != 'PASS']) = 0 ? 'pass' : 'fail'",
        "$count(payload.steps[result = 'PASS']) = $count(payload.steps) ? 'pass' : 'fail'",
        "$count(payload.steps[result = 'PASS']) > 0 ? 'pass' : 'fail'",
        "$count(payload.steps[bad]) > 0 ? 'fail' : 'pass'",
        "$count(payload.steps[bad = true]) > 0 ? 'fail' : 'pass'",
        "(payload.word != 'OK' or payload.count > 3) ? 'fail' : 'pass'",
        "($good := payload.word = 'OK'; $good ? 'pass' : 'fail')",
    ],
)
def test_what_names_a_pass_is_taken(text):
    """Whoever says what is good may say it in any form."""
    Expression(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("payload.(", "no JSONata"),
        ("", "no JSONata"),
        ("'open", "no JSONata"),
        ("$now()", "write received"),
        ("$fromMillis($millis())", "received"),
        ("$random() > 0.5 ? 'pass' : 'fail'", "same events"),
        ("$map(payload.list, $shuffle)", "same events"),
        ("$eval(payload.word)", "of its own"),
        ("$outcome(payload.word)", r"there is no \$outcome"),
        ("$x", r"there is no \$x"),
        ("(" * 5000 + "1" + ")" * 5000, "nested too deep|no JSONata"),
        ("1" * 30_000, "20000 characters"),
        ("$match(payload.sn, /(a+)+$/)", "last for ever"),
        ("$match(payload.sn, /a**/)", "no regular expression"),
    ],
)
def test_what_must_not_stand_in_an_expression_is_refused_at_load(text, words):
    """Impure functions, unknown ones, expressions that are none."""
    with pytest.raises(ValueError, match=words):
        Expression(text)


@pytest.mark.parametrize(
    "text",
    [
        "($f := function($x) { $f($x + 1) }; $f(1))",
        "($f := function($x) { 1 + $f($x + 1) }; $f(1))",
        "($f := function($x) { $f($x) or $f($x) }; $f(1))",
        "[1..100000]",
        "[1..9999].([1..9999])",
        "$pad('a', 100000000)",
        "$replace(payload.long, 'a', payload.long)",
        "$join([1..9999].$string($), payload.long)",
        "($f := function($s, $n) { $n = 0 ? $s : $f($s & $s, $n - 1) }; $f('aaaaaaaa', 40))",
        "($f := function($s, $n) { $n = 0 ? $s : $f([$s, $s], $n - 1) }; $f('a', 25))",
        "$distinct([1..5000])",
        "$spread([1..5000].{'a': 1})",
        "$replace($join([1..9000].$string($), ','), ',', '')",
        "$reduce([1..9999], $append)",
        "$map([1..2000], function($n) { $string(payload.long) })",
        "$match(payload.long, /a*a*b/)",
        "$replace(payload.long, /(a|b)*c[a]*d*/, '')",
        "$split(payload.long, /a*b/)",
        "$match($join([1..9000].$string($), ','), /[0-9]/)",
    ],
)
def test_what_costs_too_much_ends_soon_and_says_so(text):
    """No expression holds the loop up, whatever a message brings; without bounds these take for ever."""
    with pytest.raises(TooCostly):
        run(text)


def test_a_time_of_day_is_not_read_as_today():
    """The same message gives the same events tomorrow."""
    assert run("$toMillis('2026-03-02', '[Y]-[M01]-[D01]')") == 1772409600000
    with pytest.raises(EvaluationError, match="has no year"):
        run("$toMillis('12:30', '[H01]:[m01]')")


def test_the_same_expression_serves_again_after_it_failed():
    """Nothing of an evaluation stays in what was compiled."""
    expression = Expression("($x := payload.a; $sum(payload.list) / payload.a)")
    with pytest.raises(EvaluationError):
        expression({**SCOPE, "payload": {"list": [1], "a": "x"}}, Budget())
    for _ in range(300):
        assert expression({**SCOPE, "payload": {"list": [4], "a": 2}}, Budget()) == 2
    assert Expression("payload.list")(SCOPE, Budget()) == [1, 2]


def test_a_variable_of_one_message_is_not_there_for_the_next():
    """An assignment at the top of an expression is gone with its message."""
    expression = Expression("(payload.first = true ? ($kept := 1) : 0; $kept)")
    assert expression({"payload": {"first": True}}, Budget()) in (1, None)
    assert expression({"payload": {"first": False}}, Budget()) is None


def test_a_message_is_not_changed_by_its_expressions():
    """Each field sees the message as it came."""
    scope = {"payload": {"a": {"b": 1}, "list": [1]}}
    assert run("payload.a ~> |$|{'b': 2}|", scope) == {"b": 2}
    assert run("$append(payload.list, 2)", scope) == [1, 2]
    assert scope == {"payload": {"a": {"b": 1}, "list": [1]}}


def test_results_share_nothing_with_the_message():
    """Whoever changes an event does not change the message, nor another event."""
    made = run("payload.steps[]")
    made[0]["name"] = "changed"
    assert SCOPE["payload"]["steps"][0]["name"] == "a"


def test_the_engine_leaves_the_recursion_limit_as_it_was():
    """A limit of 10,000 would let other code run into the end of a thread's stack."""
    assert sys.getrecursionlimit() < 10_000


def test_expressions_serve_in_any_thread():
    """A bus has a thread of its own."""
    expression = Expression("$uppercase(payload.sn)")
    found = []
    threads = [
        threading.Thread(target=lambda: found.append([run("payload.sn & 'x'"), expression(SCOPE, Budget())]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["SN-1x", "SN-1"]] * 4  # upper case already


_names = st.sampled_from(["a", "b", "c"])
_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(-2, 2), st.sampled_from(["", "OK", "x", "1"])
)
_data = st.recursive(
    _scalars,
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(_names, below, max_size=3)),
    max_leaves=8,
)
_paths = st.builds(lambda names: ".".join(["payload", *names]), st.lists(_names, max_size=3))
_literals = st.sampled_from(["'OK'", "'x'", "1", "2.5", "''"])
_parts = st.one_of(_paths, _literals)
_joined = st.builds(" & ".join, st.lists(_parts, min_size=2, max_size=4))
_conditions = st.one_of(
    _paths,
    st.builds(lambda one, op, other: f"{one} {op} {other}", _parts, st.sampled_from(["=", "!="]), _parts),
)
_kinds = st.builds("$type({})".format, _paths)
_choices = st.builds(lambda cond, one, other: f"{cond} ? {one} : {other}", _conditions, _parts, _parts)


@settings(max_examples=400, deadline=None)
@given(st.one_of(_paths, _joined, _choices, _kinds), _data)
def test_simple_expressions_give_what_the_engine_gives(text, data):
    """The short way is only shorter."""
    expression = Expression(text)
    scope = {"payload": data}

    def outcome(work):
        try:
            return work(scope, Budget())
        except EvaluationError as error:
            return type(error)

    quick, slow = outcome(expression), outcome(expression.by_engine)
    assert quick == slow
    assert str(quick) == str(slow)  # True is no 1, and 1 no 1.0


@settings(max_examples=300, deadline=None)
@given(
    st.text(
        st.sampled_from(list("payload.xyz$[](){}'\"?:&=<>+-*/%0123456789 ,;|^~@#\\and or in")), max_size=40
    ),
    _data,
)
def test_any_text_is_an_expression_or_refused_with_a_reason(text, data):
    """And any expression gives data or a reason for any message."""
    try:
        expression = Expression(text)
    except ValueError:
        return
    with contextlib.suppress(EvaluationError, TooCostly):
        expression({"payload": data}, Budget())
