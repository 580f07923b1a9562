"""Whatever bytes come: only CFXDecodeError leaves the reader, and the adapter raises nothing."""

from __future__ import annotations

import contextlib
import copy
import gzip
import json
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import samples
from pywats_cfx import CFXDecodeError, cfx_adapter, decode, encode
from pywats_events.event import Event
from pywats_events.message import RawMessage, Unreadable

NAMES = st.sampled_from(samples.names())
FEW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ODD_VALUES = [
    None,
    True,
    0,
    -1,
    17,
    10**30,
    1.5,
    float("nan"),
    float("inf"),
    "",
    " ",
    "text",
    "2026-13-45T99:99",
    "NaN",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    [],
    [None],
    [[]],
    {},
    {"$type": 5},
    {"$values": 3},
    {"$values": [{}]},
    {"$type": "CFX.Structures.NumericMeasurement, CFX"},
    {"a": {"b": [1]}},
    "1:2",
    "999.99:99:99",
]
#: Fields whose content we keep as it comes.
FREE_FIELDS = {"HeadAndNozzle", "ResourceLocation", "DescriptionTranslations"}
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def dice(seed):
    """Give random numbers that depend on a seed."""
    return Random(seed)  # noqa: S311  # a test, no secrets


def survives(body):
    """Check all promises on one body."""
    with contextlib.suppress(CFXDecodeError):
        envelopes = decode(body)
        written = encode(envelopes)
        assert encode(decode(written)) == written
        for envelope in envelopes:
            with contextlib.suppress(CFXDecodeError):
                assert envelope.message is envelope.message
    first = list(cfx_adapter(RawMessage(body, transport="t")))
    for each in first:
        if isinstance(each, Event):
            each.to_json()
        else:
            assert isinstance(each, Unreadable)
            assert each.error == "CFXDecodeError", each.reason
    assert [each.id for each in cfx_adapter(RawMessage(body, transport="t"))] == [each.id for each in first]


def places(content, here=()):
    """Give the path of every value in JSON data."""
    yield here
    members = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    for name, member in members:
        yield from places(member, (*here, name))


def replaced(content, path, value):
    """Give a copy of JSON data with another value at a path."""
    if not path:
        return value
    content = copy.deepcopy(content)
    inner = content
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return content


@FEW
@given(st.binary(max_size=200))
def test_any_bytes(body):
    """Bytes of any kind."""
    survives(body)
    survives(gzip.compress(body))


@FEW
@given(JSON)
def test_any_json(content):
    """JSON that means nothing."""
    survives(json.dumps(content).encode())
    survives(json.dumps({"MessageName": "CFX.Production.WorkStarted", "MessageBody": content}).encode())


@FEW
@given(NAMES, st.integers(0, 2**32), st.sampled_from(ODD_VALUES))
def test_one_odd_value_in_a_good_message(name, seed, value):
    """A good message in which one value, anywhere, is something else."""
    content = json.loads(samples.load(name))
    path = dice(seed).choice(list(places(content)))
    survives(json.dumps(replaced(content, path, value)).encode())


@FEW
@given(NAMES, st.integers(0, 2**32), st.binary(max_size=3))
def test_damaged_bytes_in_a_good_message(name, seed, junk):
    """A good message with some bytes replaced or cut off."""
    body = samples.load(name)
    at = dice(seed).randrange(len(body))
    survives(body[:at] + junk + body[at + len(junk) :])
    survives(body[:at])


@settings(max_examples=40, deadline=None)
@given(NAMES, st.integers(0, 2**32))
def test_names_in_any_case(name, seed):
    """Field names in another case give the same events."""
    rng = dice(seed)

    def respelt(content):
        if isinstance(content, dict):
            return {
                rng.choice((str.lower, str.upper, str))(name) if name.isalpha() else name: member
                if name in FREE_FIELDS
                else respelt(member)
                for name, member in content.items()
            }
        return [respelt(item) for item in content] if isinstance(content, list) else content

    body = samples.load(name)
    expected = list(cfx_adapter(RawMessage(body)))
    made = list(cfx_adapter(RawMessage(json.dumps(respelt(json.loads(body))).encode())))
    if all(event.event_type != "custom" for event in expected):
        assert [event.payload for event in made] == [event.payload for event in expected]
        assert [event.id for event in made] == [event.id for event in expected]
