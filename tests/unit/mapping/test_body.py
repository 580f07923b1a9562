"""JSON bodies: what is read, and what is refused with its reason."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pywats_events.mapping import body
from pywats_events.mapping.body import USUAL, BodyError, BodyTooLarge, Limits, read_json


def test_a_document_is_read_as_it_is():
    """With or without a byte order mark, plain or in gzip."""
    body = '{"sn": "Ä1", "n": [1, 2.5, true, null]}'.encode()
    wanted = {"sn": "Ä1", "n": [1, 2.5, True, None]}
    assert read_json(body) == wanted
    assert read_json(b"\xef\xbb\xbf" + body) == wanted
    assert read_json(gzip.compress(body), "gzip") == wanted
    assert read_json(body, "identity") == wanted


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"{'sn': 1}", "not JSON: .* line 1, column 2"),
        (b'{"sn": 1', "not JSON"),
        (b'{"sn": 1} x', "Extra data"),
        (b'{"sn": NaN}', "no NaN"),
        (b'{"sn": -Infinity}', "no -Infinity"),
        (b'{"sn": 1e999}', "too large"),
        (b'{"sn": ' + b"9" * 100_000 + b"}", "100000 digits"),
        (b'{"sn": "\xff"}', "not UTF-8: byte 8 is 0xff"),
        ('{"sn": 1}'.encode("utf-16"), "not UTF-8"),
        (b'{"ok": false, "sn": 1, "ok": true}', '"ok" stands twice'),
        (b'{"a": [{"x": 1, "x": 1}]}', '"x" stands twice'),
        (b"[" * 100_000 + b"]" * 100_000, "levels deep"),
        (b'{"a":' * 100_000, "levels deep"),
        (b"[" * 100_000, "levels deep"),
        (b'["' + b"[" * 100 + b'"' + b"," * 3 + b"]", "not JSON"),
        (b"[" + b"1," * 100_001 + b"1]", "more than 100000 values"),
        (b'["' + b'a"b\\"[{' * 400_000, "not JSON|levels deep|values"),
        (b"0" * (USUAL.bytes + 1), f"at most {USUAL.bytes}"),
    ],
)
def test_other_bodies_are_refused_with_their_reason(body, words):
    """In one line, whatever their size or depth."""
    with pytest.raises(BodyError, match=words) as caught:
        read_json(body)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("body", "encoding", "words"),
    [
        (gzip.compress(b"0" * (USUAL.bytes + 1)), "gzip", "when unpacked"),
        (gzip.compress(b"{}")[:-3], "gzip", "cut off"),
        (gzip.compress(b"{}") + b"more", "gzip", "4 bytes behind the gzip"),
        (b"{}", "gzip", "damaged gzip"),
        (b"{}", "br", '"br" is not known'),
    ],
)
def test_packed_bodies_are_unpacked_within_bounds(body, encoding, words):
    """A gzip bomb costs as much as the largest body, and no more."""
    with pytest.raises(BodyError, match=words):
        read_json(body, encoding)


def test_gzip_shows_by_itself_and_may_come_in_parts():
    """Nobody has to name it, as over MQTT nobody can; and files of it that were joined are one body."""
    joined = gzip.compress(b'{"sn":') + gzip.compress(b'"A1"}')
    assert read_json(joined) == read_json(joined, "GZIP") == {"sn": "A1"}


def test_limits_that_are_given_hold():
    """In place of the usual ones, in both directions."""
    wide = Limits(bytes=10_000_000, levels=150, values=500_000)
    assert read_json(b"[" * 150 + b"]" * 150, None, wide) is not None
    assert len(read_json(b'"' + b"x" * 9_000_000 + b'"', None, wide)) == 9_000_000
    assert len(read_json(b"[" + b"1," * 400_000 + b"1]", None, wide)) == 400_001
    with pytest.raises(BodyTooLarge, match="at most 5"):
        read_json(b"123456", None, Limits(bytes=5))


def test_brackets_that_close_nothing_cost_little(monkeypatch):
    """Of a body that has more brackets than JSON can have, only so many are looked at."""
    looked = Counter()
    monkeypatch.setattr(body, "_STEPS", _Counted(body._STEPS, looked))
    with pytest.raises(BodyError, match="not JSON"):
        read_json(b"[]" * 65 + b"]" * 3_000_000)
    assert 0 < looked.total() <= 2 * USUAL.values


class _Counted(dict):
    """A table that counts how often it is asked."""

    def __init__(self, table, looked):
        super().__init__(table)
        self._looked = looked

    def __getitem__(self, key):
        self._looked[key] += 1
        return super().__getitem__(key)


def test_brackets_in_texts_do_not_count_as_levels():
    """A text with a thousand brackets is flat."""
    data = {"text": "[," * 100_000 + '\\"[{' * 100, "more": [["{" * 200]], "many": ["x"] * 90_000}
    assert read_json(json.dumps(data).encode()) == data
    deepest = b"[" * USUAL.levels + b"]" * USUAL.levels
    assert read_json(deepest) is not None
    with pytest.raises(BodyError, match="levels deep"):
        read_json(b"[" + deepest + b"]")


_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
    ),
    lambda below: st.one_of(st.lists(below), st.dictionaries(st.text(), below)),
)


@given(_values)
def test_whatever_json_can_say_is_read(data):
    """What another program writes comes out the same."""
    assert read_json(json.dumps(data).encode()) == data


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body):
    """And nothing else is raised."""
    with contextlib.suppress(BodyError):
        read_json(body)
