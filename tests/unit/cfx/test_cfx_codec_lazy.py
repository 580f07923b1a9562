"""A body that is left unread until it is asked for behaves like one that was read at once."""

from __future__ import annotations

import copy
import dataclasses
import gzip
import json
import pickle

import pytest
from cfx_shop import RECEIVED, UNIQUE_ID, envelope, wire
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pywats_cfx import CFXDecodeError, CFXEnvelope, cfx_adapter, decode, decode_each, encode, messages
from pywats_events.message import RawMessage, Unreadable

MANY = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NAMES = [
    *("MessageName", "Version", "TimeStamp", "UniqueID", "Source", "Target", "RequestID", "MessageBody"),
    *("messageName", "MESSAGEBODY", "messageBody", "source", "uniqueId", "Vendor", "$type", ""),
]
TEXTS = [
    *("CFX.Heartbeat", "cfx.heartbeat", "CFX.Production.WorkStarted", "CFX.Vendor.New", "", " ", "text"),
    *("CFX.Heartbeat, CFX", "2026-03-01T10:00:00", "2026-03-01T10:00:00.1234567Z", "0001-01-01T00:00:00"),
    *(
        "1700000000",
        "yesterday",
        UNIQUE_ID,
        "00000000-0000-0000-0000-000000000000",
        "é\u2028\U0001f600",
        "\\",
    ),
]
NUMBERS = ["0", "-1", "1.0", "1e3", "1e999", "-1e999", "NaN", "Infinity", "-Infinity", "9" * 40, "9" * 4301]
SCALARS = st.sampled_from(
    [*map(json.dumps, TEXTS), *NUMBERS, "null", "true", "false", '"\\u00e9"', '"\\ud800"']
)


def written(pairs):
    """Give the JSON text of an object, in which a name may stand more than once."""
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in pairs) + "}"


def pairs(names, values, most):
    """Give a few names with their values."""
    return st.lists(st.tuples(st.sampled_from(names), values), max_size=most)


BODIES = pairs(["$type", "CFXHandle", "cfxhandle", "Lane", "ActiveFaults", "X"], SCALARS, 5).map(written)
ODD = pairs(NAMES, SCALARS | BODIES | st.just("[]") | st.just('[{"a":[1]}]'), 3)
USUAL = BODIES.map(
    lambda body: [("MessageName", '"CFX.Heartbeat"'), ("Source", '"A"'), ("MessageBody", body)]
)
#: Usual envelopes with a few odd fields among the others, and envelopes of odd fields alone.
ENVELOPES = st.tuples(USUAL | st.just([]), ODD).flatmap(
    lambda parts: st.permutations([*parts[0], *parts[1]]).map(written)
)


def typed(envelope):
    """Give the message as text, or the error that it is."""
    try:
        return repr(envelope.message)
    except CFXDecodeError as error:
        return repr(error)


def outcome(body):
    """Give all that can be said of a body with one envelope, whatever of it is asked for first."""
    try:
        (read,) = decode_each(body)
        (again,) = decode_each(body)
    except CFXDecodeError:
        return "unreadable"
    if isinstance(read, CFXDecodeError):
        return repr(read)
    body_first = repr(read.body), typed(read), repr(read)
    message_first = typed(again), repr(again.body), repr(again)
    assert body_first == (message_first[1], message_first[0], message_first[2])
    return body_first


@MANY
@given(ENVELOPES)
@example('{"MessageName":"CFX.Heartbeat","MessageBody":{"CFXHandle":1.0}}')
@example('{"MessageName":"CFX.Heartbeat","MessageBody":{"CFXHandle":1e16,"cfxhandle":NaN}}')
@example('{"MessageName":"CFX.Heartbeat","MessageBody":{"CFXHandle":"A","CFXHandle":-0.0,"$type":null}}')
@example('{"MessageName":"CFX.Production.WorkStarted","MessageBody":{"Lane":1' + "0" * 400 + "}}")
@example('{"MessageName":"CFX.Heartbeat","MessageBody":{"a":' + "9" * 4301 + "}}")
@example('{"MessageName":"CFX.Heartbeat","MessageBody":{"a":' + "[" * 150 + "]" * 150 + "}}")
def test_a_single_envelope_and_a_list_of_one_say_the_same(text):
    """Reading the body later gives what reading it at once gives: fields, body, message, error."""
    alone = outcome(text.encode())
    assert alone == outcome(f"[{text}]".encode())


@MANY
@given(ENVELOPES)
def test_a_decoded_body_can_always_be_read(text):
    """What passed decode has nothing in its body that is no JSON; only its meaning may be wrong."""
    try:
        envelopes = decode(text.encode())
    except CFXDecodeError:
        return
    assert all(isinstance(each.body, dict) for each in envelopes)


def decoded(body=None):
    """Give a fresh envelope that was not looked into yet, and one made by hand with the same content."""
    body = {"Lane": 1, "Units": [{"UnitIdentifier": "SN-1"}]} if body is None else body
    (read,) = decode(wire(envelope("WorkStarted", body, Vendor=[1])))
    made = CFXEnvelope(
        message_name="CFX.Production.WorkStarted",
        body=body,
        source="//Acme/Line1/ICT01",
        unique_id=UNIQUE_ID,
        time_stamp=RECEIVED.replace(hour=9),
        version="2.1",
        extra={"Vendor": [1]},
    )
    return read, made


def test_envelopes_are_equal_by_content():
    """An unread envelope equals one made by hand, on either side, and differs where the content differs."""
    read, made = decoded()
    assert read == made
    read, made = decoded()
    assert made == read
    other, _ = decoded({"Lane": 2})
    assert decoded()[0] != other


def test_an_envelope_shows_its_body():
    """The representation does not say whether somebody has looked already."""
    read, _ = decoded()
    assert "'Lane': 1" in repr(read)
    assert "unread" not in repr(read)


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda each: pickle.loads(pickle.dumps(each)),  # noqa: S301  # our own
        dataclasses.replace,
        lambda each: decode(encode(each))[0],
        lambda each: decode(encode(each, content_encoding="gzip"))[0],
    ],
)
def test_an_unread_envelope_can_be_copied(copied):
    """Copies, pickles and what was written and read again equal the original, and can be typed."""
    read, made = decoded()
    twin = copied(read)
    assert twin == made == read
    assert twin.message.units[0].unit_identifier == "SN-1"


def test_a_body_is_read_once_and_may_be_changed():
    """The body is an ordinary dictionary, and what was changed in it is written."""
    read, _ = decoded()
    assert read.body is read.body
    read.body["Lane"] = 7
    assert json.loads(encode(read))["MessageBody"]["Lane"] == 7
    fresh, _ = decoded()
    fresh.body = {"Lane": 8}
    assert (fresh.body, fresh.message.lane) == ({"Lane": 8}, 8)


def test_an_envelope_without_body_has_an_empty_one():
    """Null and missing are an empty body, not an unread one."""
    for content in (envelope("Heartbeat", None), {"MessageName": "CFX.Heartbeat"}):
        assert decode(wire(content))[0].body == {}


def test_an_envelope_has_no_other_attributes():
    """A misspelt attribute is an error, before and after the body was read."""
    read, _ = decoded()
    for _ in range(2):
        with pytest.raises(AttributeError, match="'CFXEnvelope' object has no attribute 'bdy'"):
            read.bdy  # noqa: B018
        assert read.body


def test_a_field_of_the_wrong_kind_is_found_when_the_message_is_asked_for():
    """Decode accepts it; the error names message, unique id, place in the batch and field."""
    bad = envelope("WorkStarted", {"Units": "none"})
    (alone,) = decode(wire(bad))
    _, second = decode(wire([envelope("Heartbeat", {}), bad]))
    for index, read in enumerate((alone, second)):
        with pytest.raises(CFXDecodeError) as caught:
            read.message  # noqa: B018
        error = caught.value
        assert (error.index, error.path, error.unique_id) == (index, "MessageBody.Units", UNIQUE_ID)
        assert error.message_name == "CFX.Production.WorkStarted"
        assert read.body == {"Units": "none"}


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_what_is_found_late_is_a_dead_letter_all_the_same(packed):
    """The adapter's dead letter names the message, its unique id and the field."""
    body = packed(wire(envelope("UnitsTested", {"TestedUnits": [{"Tests": 5}]})))
    (dead,) = cfx_adapter(RawMessage(body, transport="amqp"))
    assert isinstance(dead, Unreadable)
    assert dead.message_name == "CFX.Production.TestAndInspection.UnitsTested"
    assert dead.error == "CFXDecodeError"
    assert UNIQUE_ID in dead.reason
    assert "MessageBody.TestedUnits[0].Tests" in dead.reason


def test_an_unknown_message_travels_with_its_body():
    """A message without a model becomes an event with all that it says, also when it was left unread."""
    content = envelope("CFX.Vendor.SomethingNew", {"$type": "X", "A": [1, {"b": None}]})
    (event,) = cfx_adapter(RawMessage(wire(content), transport="amqp"))
    assert event.payload == {"$type": "X", "A": [1, {"b": None}]}
    assert isinstance(decode(wire(content))[0].message, messages.UnknownMessage)
