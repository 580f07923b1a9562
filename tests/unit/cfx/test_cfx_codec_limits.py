"""Hostile bodies: each gets a clear refusal, and costs no more memory than the limits promise."""

from __future__ import annotations

import gzip
import subprocess
import sys
import tracemalloc
import zlib

import pytest
from cfx_shop import envelope, wire

from pywats_cfx import CFXDecodeError, Limits, cfx_adapter, decode, decode_each, encode
from pywats_events.event import Event
from pywats_events.message import RawMessage

BEAT = wire(envelope("Heartbeat", {}))
MEGABYTE = 1024 * 1024


def around(value):
    """Give an envelope with a value in its body."""
    return b'{"MessageName":"CFX.Heartbeat","UniqueID":"1","MessageBody":{"x":' + value + b"}}"


def ways(body):
    """Give a body as it is, as a list, packed, and with the marks that real ones have."""
    return [body, b"[" + body + b"]", gzip.compress(body), b"\xef\xbb\xbf" + body]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"[" * 100_000, "not JSON: recursion limit"),
        (b"[" * 100_000 + b"]" * 100_000, "not JSON: recursion limit"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "not JSON: recursion limit"),
        (b"[" * 300 + b"]" * 300, "not JSON: recursion limit"),
        (b"9" * 1_000_000, "not JSON: number out of range"),
        (b"-" + b"9" * 1_000_000, "not JSON: number out of range"),
        (b'"\\ud800"', "not JSON"),
        (b'"\\udc00\\ud800"', "not JSON"),
        (b'"\xed\xa0\x80"', "not JSON: invalid unicode"),
        (b'"\xc0\x80"', "not JSON: invalid unicode"),
        (b'"\xff"', "not JSON: invalid unicode"),
        (b'"\x01"', "not JSON: control character"),
        (b'"\\x41"', "not JSON: invalid escape"),
        (b"01", "not JSON: invalid number"),
        (b"1.", "not JSON"),
        (b"+1", "not JSON"),
        (b"[1,]", "not JSON: trailing comma"),
        (b"'a'", "not JSON"),
        (b"undefined", "not JSON"),
        (b"1 /* none */", "not JSON"),
        (b"\xef\xbb\xbf1", "not JSON"),
        (b'"' + b"x" * 100_000, "not JSON: EOF"),
    ],
)
def test_what_the_body_hides_is_refused_by_decode(value, reason):
    """However deep in the body it stands, what is no JSON is refused at once, on every way in."""
    for body in ways(around(value)):
        with pytest.raises(CFXDecodeError, match=reason):
            decode(body)


@pytest.mark.parametrize(
    "value", [b"1e999999", b"-1e999999", b"1" + b"0" * 4000, b"0." + b"0" * 100_000 + b"1"]
)
def test_absurd_numbers_are_read(value):
    """Too large is infinite, too small is nothing, and neither costs anything."""
    for body in ways(around(value)):
        (read,) = decode(body)
        assert isinstance(read.body["x"], int | float)


@pytest.mark.parametrize("fields", [b"", b'"UniqueID":"1",'])
def test_what_nests_as_deep_as_allowed_goes_all_the_way(fields):
    """The deepest body that is read can be written, and becomes an event, with or without an identity."""
    body = (
        b'{"MessageName":"CFX.Vendor.Deep",'
        + fields
        + b'"MessageBody":{"x":'
        + b"[" * 198
        + b"]" * 198
        + b"}}"
    )
    (read,) = decode(body)
    assert decode(encode(read)) == [read]
    (event,) = cfx_adapter(RawMessage(body))
    assert isinstance(event, Event)


def test_an_error_stays_short_whatever_the_sender_calls_itself():
    """Names of megabytes are kept as they came, but not repeated in what people read."""
    long = "x" * MEGABYTE
    for odd in ({"TimeStamp": long}, {"MessageBody": [long]}, {"Target": {long: long}}):
        content = envelope("Heartbeat", {}, MessageName=long, Source=long, UniqueID=long) | odd
        (error,) = decode_each(wire(content))
        assert isinstance(error, CFXDecodeError)
        assert (error.message_name, error.source, error.unique_id) == (long, long, long)
        assert len(str(error)) < 600
    (read,) = decode(wire(envelope("Heartbeat", {"CFXHandle": [long]}, Source=long, UniqueID=long)))
    with pytest.raises(CFXDecodeError) as caught:
        read.message  # noqa: B018
    assert len(str(caught.value)) < 600


def test_a_long_text_is_read():
    """A text of megabytes is one value."""
    (read,) = decode(around(b'"' + b"x,[{" * MEGABYTE + b'"'))
    assert len(read.body["x"]) == 4 * MEGABYTE


def test_the_last_of_several_equal_names_counts():
    """A name that stands twice means what it means to every other reader of JSON."""
    twice = b'{"MessageName":"X","Source":"a","Source":"b","MessageBody":{"v":1},"MessageBody":{"v":2,"v":3}}'
    for body in ways(twice):
        (read,) = decode(body)
        assert (read.source, read.body) == ("b", {"v": 3})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (BEAT + BEAT, "trailing characters"),
        (BEAT + b"\n" + BEAT, "trailing characters"),
        (BEAT + b"x", "trailing characters"),
        (BEAT + b"\0", "trailing characters"),
        (b"[" + BEAT + b"][" + BEAT + b"]", "trailing characters"),
        *((BEAT.decode().encode(name), "UTF-16 or UTF-32") for name in ("utf-16", "utf-16-le", "utf-16-be")),
        *((BEAT.decode().encode(name), "UTF-16 or UTF-32") for name in ("utf-32", "utf-32-le", "utf-32-be")),
        (b"\xef\xbb\xbf\xef\xbb\xbf" + BEAT, "not JSON"),
        (b"\xef\xbb\xbf", "empty"),
        (gzip.compress(b""), "empty"),
        (gzip.compress(gzip.compress(BEAT)), "gzip inside gzip"),
        (gzip.compress(BEAT)[:-1], "cut off"),
        (gzip.compress(BEAT)[:20], "cut off"),
        (b"\x1f\x8b", "cut off"),
        (gzip.compress(BEAT)[:-8] + b"\0" * 8, "damaged gzip"),
        (gzip.compress(BEAT) + gzip.compress(BEAT)[:15], "cut off"),
        (gzip.compress(BEAT) + b"{}", "2 bytes behind the gzip"),
        (gzip.compress(b"") * 1001, "more than 1000 members"),
        (zlib.compress(BEAT), "not JSON: begins with"),
    ],
)
def test_odd_encodings_are_refused_by_name(body, reason):
    """The reason says what the bytes look like, whatever the header called them."""
    for encoding in (None, "gzip", "identity", "deflate"):
        with pytest.raises(CFXDecodeError, match=reason):
            decode(body, content_encoding=encoding)


def test_zeros_behind_the_gzip_are_padding():
    """Some senders fill their blocks."""
    assert len(decode(gzip.compress(BEAT) + b"\0" * 500)) == 1


@pytest.mark.parametrize("size", [1, 100, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 3 * MEGABYTE])
@pytest.mark.parametrize("level", [0, 9])
def test_gzip_of_any_size_is_unpacked_whole(size, level):
    """Where the steps of unpacking fall does not matter, in one member or two."""
    body = around(b'"' + b"x" * size + b'"')
    packed = gzip.compress(body[:-3], level) + gzip.compress(body[-3:], level)
    assert decode(gzip.compress(body, level)) == decode(packed) == decode(body)


def test_bytes_are_counted_before_and_after_unpacking():
    """Neither a large packed body nor a large content passes."""
    limits = Limits(max_bytes=len(BEAT))
    assert decode(BEAT, limits=limits) == decode(gzip.compress(BEAT), limits=limits)
    for body in (BEAT + b" ", gzip.compress(BEAT + b" "), gzip.compress(BEAT) + b"\0" * len(BEAT)):
        with pytest.raises(CFXDecodeError, match=f"more than (the )?{len(BEAT)}"):
            decode(body, limits=limits)


@pytest.mark.parametrize("value", [b"[]", b"0", b'""', b"{}", b'{"":0}'])
def test_values_are_counted(value):
    """Many tiny values take far more memory than bytes, so they have a bound of their own."""
    body = around(b"[" + b",".join([value] * 1000) + b"]")
    assert decode(body, limits=Limits(max_values=3010))
    for each in ways(body):
        with pytest.raises(CFXDecodeError, match="more than the 900 values"):
            decode_each(each, limits=Limits(max_values=900))


def test_a_bomb_costs_no_more_memory_than_the_limit():
    """A gigabyte in a megabyte is unpacked no further than allowed."""
    stripe = gzip.compress(b" " * 50 * MEGABYTE, 9)
    tracemalloc.start()
    try:
        for bomb in (stripe, stripe * 20, gzip.compress(stripe * 20)):
            tracemalloc.reset_peak()
            with pytest.raises(CFXDecodeError):
                decode(bomb, limits=Limits(max_bytes=4 * MEGABYTE))
            assert tracemalloc.get_traced_memory()[1] < 10 * MEGABYTE
    finally:
        tracemalloc.stop()


HOSTILE = [
    "b'[' + b'[],' * 10_000_000 + b'[]]'",
    "b'[' + b'{},' * 10_000_000 + b'{}]'",
    "b'[' + b'0,' * 15_000_000 + b'0]'",
    """b'{"MessageName":"X","MessageBody":{"a":[' + b'[],' * 10_000_000 + b'[]]}}'""",
    "b'[' * 30_000_000",
    """b'{"":' * 8_000_000""",
    "b'9' * 30_000_000",
    """b'{"a":' + b'9' * 30_000_000""",
    """b'{"MessageName":"X","a":"' + b'\\\\n' * 15_000_000""",
]


@pytest.mark.parametrize("body", HOSTILE)
def test_no_body_makes_the_process_grow_without_bound(body):
    """30 MB of the worst kind, with the limits that apply when nobody sets any, seen from the system."""
    pytest.importorskip("resource")
    program = (
        "import resource, sys\n"
        "from pywats_cfx import CFXDecodeError, decode_each\n"
        f"body = {body}\n"
        "decode_each(b'[]')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    decode_each(body)\nexcept CFXDecodeError as error:\n    assert len(str(error)) < 300\n"
        "else:\n    sys.exit('was accepted')\n"
        "unit = 1 if sys.platform == 'darwin' else 1024\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 150 * MEGABYTE
