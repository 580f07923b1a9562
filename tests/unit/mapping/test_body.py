"""JSON bodies: what is read, and what is refused with its reason."""

from __future__ import annotations

import contextlib
import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pywats_events.mapping.body import MOST_BYTES, MOST_LEVELS, BodyError, read_json


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
        (b"0" * (MOST_BYTES + 1), f"at most {MOST_BYTES}"),
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
        (gzip.compress(b"0" * (MOST_BYTES + 1)), "gzip", "when unpacked"),
        (gzip.compress(b"{}")[:-3], "gzip", "cut off"),
        (gzip.compress(b"{}") + b"more", "gzip", "followed by"),
        (b"{}", "gzip", "damaged gzip"),
        (b"{}", "br", '"br" is not known'),
    ],
)
def test_packed_bodies_are_unpacked_within_bounds(body, encoding, words):
    """A gzip bomb costs as much as the largest body, and no more."""
    with pytest.raises(BodyError, match=words):
        read_json(body, encoding)


def test_brackets_in_texts_do_not_count_as_levels():
    """A text with a thousand brackets is flat."""
    data = {"text": "[," * 100_000 + '\\"[{' * 100, "more": [["{" * 200]], "many": ["x"] * 90_000}
    assert read_json(json.dumps(data).encode()) == data
    deepest = b"[" * MOST_LEVELS + b"]" * MOST_LEVELS
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
