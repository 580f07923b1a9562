"""Numbers, times, verdicts and tables, as senders write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pywats_events.mapping.bounds import Budget, TooCostly
from pywats_events.mapping.conversions import ConversionError, number_of, time_reader, zone_of
from pywats_events.mapping.names import Known
from pywats_events.mapping.regexes import BoundedPattern
from pywats_events.mapping.rules import FieldError, Value


@pytest.mark.parametrize(
    ("value", "mark", "unit", "number"),
    [
        ("1.5", "point", None, 1.5),
        ("1,5", "comma", None, 1.5),
        ("-1,5E3", "comma", None, -1500.0),
        (" 12 ", "point", None, 12),
        ("3,3 V", "comma", "V", 3.3),
        ("3.3V", "point", "V", 3.3),
        ("2.5 k.Ohm", "point", "k.Ohm", 2.5),
        (7, "comma", None, 7),
        (7.25, "comma", "V", 7.25),
    ],
)
def test_numbers_are_read_with_their_decimal_mark_and_unit(value, mark, unit, number):
    """A JSON number is one already."""
    assert number_of(value, mark=mark, unit=unit) == number


@pytest.mark.parametrize(
    ("value", "mark", "unit", "words"),
    [
        ("1,5", "point", None, "without a unit|no number"),
        ("1.500,5", "comma", None, "has a point"),
        ("1.5", "comma", None, "has a point"),
        ("3.3 mV", "point", "V", 'in "V"'),
        ("3.3 V", "point", None, "without a unit"),
        ("NaN", "point", None, "no number"),
        ("inf", "point", None, "no number"),
        ("0x10", "point", None, "no number"),
        ("", "point", None, "no number"),
        ("١٢", "point", None, "no number"),
        ("1e999", "point", None, "too large"),
        (True, "point", None, "true is no number"),
        ([1], "point", None, "a list is no number"),
        ("9" * 100_000, "point", None, "no number"),
    ],
)
def test_what_is_no_such_number_is_refused(value, mark, unit, words):
    """A point where a comma is the mark may stand for thousands: nobody guesses."""
    with pytest.raises(ConversionError, match=words) as caught:
        number_of(value, mark=mark, unit=unit)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("form", "zone", "value", "iso"),
    [
        ("iso", "UTC", "2026-03-02T09:15:27+01:00", "2026-03-02T09:15:27+01:00"),
        ("iso", "UTC", "2026-03-02T08:15:27Z", "2026-03-02T08:15:27+00:00"),
        ("iso", "Europe/Berlin", "2026-07-02 09:15:27.5", "2026-07-02T09:15:27.500000+02:00"),
        ("epoch", "UTC", 1772439327, "2026-03-02T08:15:27+00:00"),
        ("epoch", "UTC", "1772439327.25", "2026-03-02T08:15:27.250000+00:00"),
        ("epoch_ms", "UTC", 1772439327250, "2026-03-02T08:15:27.250000+00:00"),
        ("%d.%m.%Y %H:%M:%S", "+01:00", "02.03.2026 09:15:27", "2026-03-02T09:15:27+01:00"),
        ("%d/%m/%y %H:%M %z", "UTC", "02/03/26 09:15 +0530", "2026-03-02T09:15:00+05:30"),
    ],
)
def test_times_are_read_in_their_form_and_zone(form, zone, value, iso):
    """What a time says of its zone counts more than the rule's."""
    assert time_reader(form, zone_of(zone))(value).isoformat() == iso


@pytest.mark.parametrize(
    ("form", "value", "words"),
    [
        ("iso", "yesterday", "no time as ISO 8601"),
        ("iso", 1772439327, "no text with a time"),
        ("iso", "0001-01-01T00:00:00+14:00", "not between 1970 and 2200"),
        ("epoch", 1772439327250, "read as seconds, is not between"),
        ("epoch", 1e300, "not between"),
        ("epoch", -1, "not between"),
        ("epoch_ms", None, "null is no number"),
        ("%d.%m.%Y", "31.02.2026", "no time as"),
    ],
)
def test_what_is_no_such_time_is_refused(form, value, words):
    """Milliseconds that are read as seconds end in no far future."""
    with pytest.raises(ConversionError, match=words):
        time_reader(form, UTC)(value)


@pytest.mark.parametrize("form", ["ISO", "seconds", "%Q%", "HH:MM"])
def test_forms_that_are_none_are_refused_at_load(form):
    """With those that there are."""
    with pytest.raises(ValueError, match="time ="):
        time_reader(form, UTC)


@pytest.mark.parametrize("name", ["Mars/Olympus", "+25:00", "", "../etc/passwd", "CEST+1"])
def test_zones_that_are_none_are_refused_at_load(name):
    """With how one is written."""
    with pytest.raises(ValueError, match="no time zone"):
        zone_of(name)


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(2199, 12, 30)),  # noqa: DTZ001  # hypothesis wants naive bounds
    st.integers(-12, 14),
)
def test_a_written_time_is_read_back(moment, hours):
    """ISO 8601 of any zone."""
    zone = zone_of(f"{'-' if hours < 0 else '+'}{abs(hours):02}:00")
    moment = moment.replace(tzinfo=zone)
    assert time_reader("iso", UTC)(moment.isoformat()) == moment
    since = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert abs(time_reader("epoch_ms", UTC)(since) - moment) < timedelta(milliseconds=1)


def value(rule, **payload):
    return Value.of("fields.x", rule, Known(frozenset()))({"payload": payload}, Budget())


@pytest.mark.parametrize(
    ("rule", "payload", "made"),
    [
        ("payload.a", {"a": 1}, 1),
        ({"from": ["payload.a", "payload.b"]}, {"b": 2}, 2),
        ({"from": ["payload.a", "payload.b"]}, {"a": " ", "b": 2}, 2),
        ({"from": "payload.a", "default": 5}, {"a": None}, 5),
        ({"from": "payload.a", "default": 5}, {"a": ""}, 5),
        ({"from": "payload.a", "optional": True}, {}, None),
        ({"from": "payload.a"}, {"a": False}, False),
        ({"from": "payload.a"}, {"a": 0}, 0),
        ({"constant": "ICT"}, {}, "ICT"),
        ({"from": "payload.a", "values": {"OK": "passed"}}, {"a": " ok "}, "passed"),
        ({"from": "payload.a", "values": {"1": "passed", "0": "failed"}}, {"a": 1}, "passed"),
        ({"from": "payload.a", "values": {"true": "passed", "false": "failed"}}, {"a": False}, "failed"),
        ({"from": "payload.a", "values": {"OK": "passed"}, "otherwise": "failed"}, {"a": "?"}, "failed"),
        ({"from": "payload.a", "verdict": True}, {"a": "NG"}, "failed"),
        ({"from": "payload.a", "verdict": True}, {"a": True}, "passed"),
        ({"from": "payload.a", "number": "comma", "unit": "mV", "times": 0.001}, {"a": "250 mV"}, 0.25),
        ({"from": "payload.a", "time": "epoch"}, {"a": 0}, "1970-01-01T00:00:00+00:00"),
    ],
)
def test_what_a_rule_makes(rule, payload, made):
    """The first source that has something, converted; else the default."""
    found = value(rule, **payload)
    assert found == made
    assert type(found) is type(made)


@pytest.mark.parametrize(
    ("rule", "payload", "words"),
    [
        ("payload.a", {}, "fields.x: the message has no payload.a"),
        ({"from": ["payload.a", "payload.b"]}, {"a": ""}, "has no payload.a or payload.b"),
        (
            {"from": "payload.a", "values": {"OK": "passed"}},
            {"a": "?"},
            r'"\?" is none of OK \(from payload.a\)',
        ),
        ({"from": "payload.a", "values": {"OK": "passed"}}, {"a": {}}, "can't be looked for"),
        ({"from": "payload.a", "verdict": True}, {"a": "passed?"}, "is none of"),
        ({"from": "payload.a", "verdict": True}, {"a": 1}, "1 is none of"),
        ({"from": "$number(payload.a)"}, {"a": "x"}, "fields.x"),
    ],
)
def test_what_a_rule_refuses_in_a_message(rule, payload, words):
    """The field is named, and where it was looked for."""
    with pytest.raises(FieldError, match=words):
        value(rule, **payload)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({}, "needs from"),
        ({"from": "payload.a", "constant": 1}, "one of them"),
        ({"constant": 1, "optional": True}, "nothing beside it"),
        ({"from": "payload.a", "values": {"a": 1}, "number": "point"}, "one of values"),
        ({"from": "payload.a", "unit": "V"}, "belong to number"),
        ({"from": "payload.a", "zone": "UTC"}, "belongs to time"),
        ({"from": "payload.a", "otherwise": 1}, "belongs to values"),
        ({"from": "payload.a", "default": "Pass"}, "must not be a pass"),
        ({"from": ["payload.a", "'pass'"]}, "must not end with a pass"),
        ({"from": "payload.a", "verdict": True, "otherwise": "passed"}, "must not be a pass"),
        ({"from": "payload.a", "values": {"ok": 1, "OK": 2}}, "stands twice"),
        ({"from": "payload.a", "number": "dot"}, "number: "),
        ({"from": "payload.a", "time": "iso", "zone": "Mars"}, "no time zone"),
        ({"from": "payload.a", "colour": 1}, "colour: "),
        ({"from": "paylod.a"}, "is payload meant"),
        ("topic.line", "no named parts"),
    ],
)
def test_what_is_refused_when_a_rule_is_loaded(rule, words):
    """Mistakes of the configuration name the field."""
    with pytest.raises(ValueError, match=words) as caught:
        Value.of("fields.x", rule, Known(frozenset()))
    assert str(caught.value).startswith("fields.x: ")


@pytest.mark.parametrize(
    "pattern", [r"(a+)+$", r"(a|b|ab)*c", r"(\d+,)*x", r"((a{1,9}){1,9})*", r"(?:x?y?)+z", r"(a*)*"]
)
def test_regular_expressions_that_no_length_bounds_are_refused(pattern):
    """They can take for ever on thirty characters."""
    with pytest.raises(ValueError, match="for ever"):
        BoundedPattern(pattern, 0)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^SN-(\d+)-([A-Z]{2})$", "SN-1234-AB"),
        (r"(\d{1,3}\.){3}\d{1,3}", "192.168.0.1"),
        (r"[^;]+", "a;b;c"),
        (r"(?:PASS|OK)", "it is OK"),
        (r"^\s*(\S+)\s+(\S+)", "  two words"),
        (r"(?=a)a|b", "ab"),
    ],
)
def test_usual_regular_expressions_do_what_re_does(pattern, text):
    """Bounded or not, the matches are the same."""
    ours, theirs = BoundedPattern(pattern, 0), re.compile(pattern)
    assert [each.span() for each in ours.finditer(text)] == [each.span() for each in theirs.finditer(text)]
    assert ours.sub("x", text) == theirs.sub("x", text)
    found = ours.search(text)
    assert found is not None
    assert found.span() == theirs.search(text).span()


@pytest.mark.parametrize("pattern", [r"a*b", r"a*a*a*b", r"^a*a*b", r".*,.*,.*,x", r"(.{0,40}){3}b"])
def test_a_text_that_is_too_long_for_a_pattern_is_refused(pattern):
    """Before the search, for nothing can interrupt one."""
    with pytest.raises(TooCostly, match="too long for"):
        BoundedPattern(pattern, 0).search("a" * 5000)
