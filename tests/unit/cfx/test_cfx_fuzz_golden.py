"""The standard's examples and recorded traffic, damaged in every way: only CFXDecodeError comes of it.

Each run depends on its seed alone, so that a failure can be had again: its name is in the message.
"""

from __future__ import annotations

import base64
import copy
import gzip
import json
from random import Random

import pytest
from cfx_shop import REFERENCE, envelope, wire

from pywats_cfx import CFXDecodeError, cfx_adapter, decode, decode_each, encode
from pywats_events.event import Event
from pywats_events.message import RawMessage, Unreadable

#: Runs of each kind of damage on each file.
RUNS = 80
#: Runs that go on to events: what the adapter does costs most of the time.
RUNS_TO_EVENTS = 4
#: An error may list the members of an enumeration, but never the content of a message.
LONGEST_REASON = 2000

EXAMPLES = sorted(path.name for path in REFERENCE.glob("examples/*.json")) or ["none"]
CAPTURES = sorted(path.name for path in REFERENCE.glob("wire/*.json")) or ["none"]
ODD_BYTES = [
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
]
ODD_TEXTS = [
    b"null",
    b"1e999",
    b"NaN",
    b"-Infinity",
    b"9" * 50,
    b'"\\ud800"',
    b"[" * 300,
    b'{"$type":',
    b"true",
]
ODD_VALUES = [
    *(None, True, False, 0, -1, 2**31, 2**63, 10**40, 1.5, -0.0, 1e308, float("nan"), float("inf")),
    *("", " ", "text", "NaN", "1e999", "0001-01-01T00:00:00", "9999-12-31T23:59:59.9999999-14:00", "24:00"),
    *("99999999.23:59:59.9999999", "-10675199.02:48:05.4775808", "2026-02-30", "1700000000", "\0", "\u2028"),
    *([], [None], [[]], [0], {}, {"$type": 5}, {"$type": "X, Y"}, {"$values": [None]}, {"$values": {}}),
    {"$type": "CFX.Structures.NumericMeasurement, CFX", "MeasuredValue": []},
]


def flip(body, rng):
    """Change some bits."""
    changed = bytearray(body)
    for _ in range(rng.randint(1, 4)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def cut(body, rng):
    """Leave out the end, or a piece in the middle."""
    start, end = sorted((rng.randrange(len(body)), rng.randrange(len(body))))
    return body[:start] if rng.random() < 0.5 else body[:start] + body[end:]


def insert(body, rng):
    """Put odd bytes somewhere."""
    at = rng.randrange(len(body))
    return body[:at] + rng.choice(ODD_BYTES + ODD_TEXTS) + body[at:]


def swap(body, rng):
    """Exchange two pieces."""
    a, b, c, d = sorted(rng.randrange(len(body) + 1) for _ in range(4))
    return body[:a] + body[c:d] + body[b:c] + body[a:b] + body[d:]


def retype(body, rng):
    """Give some values another number, kind or name."""
    content = json.loads(body)
    for _ in range(rng.randint(1, 3)):
        holder, name = rng.choice(list(members(content)))
        damage = rng.random()
        if damage < 0.7 or isinstance(holder, list):
            holder[name] = copy.deepcopy(rng.choice(ODD_VALUES))
        elif damage < 0.85:
            holder[name.swapcase()] = holder.pop(name)
        else:
            holder[rng.choice(["$type", "$values", "Value", "Units", "UniqueID", name.lower()])] = holder[
                name
            ]
    return json.dumps(content).encode()


DAMAGE = [flip, cut, insert, swap, retype]


def members(content):
    """Give the holder and name of every value in JSON data."""
    names = content if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    for name in list(names):
        yield content, name
        yield from members(content[name])


def complaints(body):
    """Read all there is to read, and give the errors of it; None where nothing could be read."""
    try:
        outcomes = decode_each(body)
    except CFXDecodeError as error:
        return None if len(str(error)) < LONGEST_REASON else [error]
    found = []
    for outcome in outcomes:
        if isinstance(outcome, CFXDecodeError):
            found.append(outcome)
            continue
        assert isinstance(outcome.body, dict)
        try:
            outcome.message  # noqa: B018
        except CFXDecodeError as error:
            found.append(error)
    return found


def survives(body):
    """Check that errors are fit to be shown. Returns whether the body was readable as a whole."""
    found = complaints(body)
    for error in found or []:
        assert error.index is not None
        assert len(error.reason) < LONGEST_REASON
        assert error.path in str(error)
    return found is not None


def survives_to_events(body):
    """Check that the adapter raises nothing, and that what it made can be kept."""
    for each in cfx_adapter(RawMessage(body, transport="t")):
        if isinstance(each, Event):
            each.to_json()
        else:
            assert isinstance(each, Unreadable)
            assert each.error == "CFXDecodeError", each.reason


def written_again(body):
    """Check that what was read can be written and read again with the same content."""
    try:
        envelopes = decode(body)
    except CFXDecodeError:
        return
    written = encode(envelopes)
    assert encode(decode(written)) == written


def assault(name, body):
    """Damage a body in every way, plain and packed."""
    assert survives(body)
    packed = gzip.compress(body)
    readable = 0
    for damage in DAMAGE:
        for run in range(RUNS):
            seed = f"{name}/{damage.__name__}/{run}"
            rng = Random(seed)  # noqa: S311  # a test, no secrets
            try:
                damaged = damage(body, rng)
                readable += survives(damaged)
                if damage is not retype and run < RUNS_TO_EVENTS:
                    survives(damage(packed, rng))
                if run < RUNS_TO_EVENTS:
                    survives_to_events(damaged)
                    written_again(damaged)
            except Exception as error:
                error.add_note(f"seed {seed!r}")
                raise
    # Damage that is always found at the first look would test nothing behind it.
    assert readable >= RUNS


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_damaged_example(reference, name):
    """An example of the standard in an envelope."""
    body = json.loads(reference(f"examples/{name}"))
    assault(name, wire(envelope(name.rsplit(".", 2)[0], body)))


@pytest.mark.parametrize("name", CAPTURES)
def test_a_damaged_recording(reference, name):
    """What a sender of the standard's own kit put on the wire."""
    for number, message in enumerate(json.loads(reference(f"wire/{name}"))["messages"]):
        body = base64.b64decode(message["body_b64"])
        if body.startswith(b"\x1f\x8b"):
            body = gzip.decompress(body)
        assault(f"{name}/{number}", body)
