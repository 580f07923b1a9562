"""Bytes to envelopes and back."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cfx_shop import UNIQUE_ID, envelope, wire

from pywats_cfx import CFXDecodeError, CFXEnvelope, Limits, decode, decode_each, encode, messages

CEST = timezone(timedelta(hours=1))


def test_an_envelope_gives_all_its_fields():
    """What the envelope says is there under Python names."""
    (read,) = decode(wire(envelope("WorkStarted", {"Lane": 1}, Target="//Acme/MES", RequestID="REQUEST-1")))
    assert (read.message_name, read.version) == ("CFX.Production.WorkStarted", "2.1")
    assert (read.source, read.target, read.request_id) == ("//Acme/Line1/ICT01", "//Acme/MES", "REQUEST-1")
    assert read.unique_id == UNIQUE_ID
    assert read.time_stamp == datetime(2026, 3, 1, 10, tzinfo=CEST)
    assert isinstance(read.message, messages.WorkStarted)
    assert read.message.lane == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T10:00:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T10:00:00.5-04:00", datetime(2026, 3, 1, 14, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-03-01T10:00:00.37939+00:00", datetime(2026, 3, 1, 10, 0, 0, 379_390, tzinfo=UTC)),
        ("2026-03-01T10:00:00.1234567Z", datetime(2026, 3, 1, 10, 0, 0, 123_456, tzinfo=UTC)),
        ("0001-01-01T00:00:00", None),
        ("0001-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59.9999999-14:00", None),
        ("", None),
        (None, None),
    ],
)
def test_time_stamps_come_in_many_forms(text, expected):
    """No zone means UTC, up to seven decimals are read, the unset time is none."""
    (read,) = decode(wire(envelope("Heartbeat", {}, TimeStamp=text)))
    assert read.time_stamp == expected


@pytest.mark.parametrize("unset", ["00000000-0000-0000-0000-000000000000", None, "", " "])
def test_an_unset_unique_id_is_none(unset):
    """The guid of zeros is no identity."""
    assert decode(wire(envelope("Heartbeat", {}, UniqueID=unset)))[0].unique_id is None


@pytest.mark.parametrize("front", [b"\xef\xbb\xbf", b"  \r\n\t", b"\xef\xbb\xbf \n"])
def test_byte_order_mark_and_blanks_do_not_matter(front):
    """What stands before the first brace is skipped."""
    assert len(decode(front + wire(envelope("Heartbeat", {})) + b" \n")) == 1


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", " GZip ", None, "identity", "utf-8"])
def test_gzip_is_known_by_its_bytes(encoding):
    """The header may be in any case, missing or wrong."""
    body = gzip.compress(wire([envelope("Heartbeat", {}), envelope("Heartbeat", {})]))
    assert len(decode(body, content_encoding=encoding)) == 2


def test_plain_json_under_a_gzip_header_is_read():
    """A header that promises gzip where there is none does no harm."""
    assert len(decode(wire(envelope("Heartbeat", {})), content_encoding="gzip")) == 1


def test_gzip_in_several_members_is_read():
    """Concatenated gzip is one body."""
    body = wire(envelope("Heartbeat", {}))
    assert len(decode(gzip.compress(body[:40]) + gzip.compress(body[40:]))) == 1


def test_an_empty_list_holds_nothing():
    """An empty array must not stop the receiver."""
    assert decode(b"[]") == []


def test_the_type_label_names_a_message_that_has_no_name():
    """MessageBody.$type stands in for MessageName, whatever follows its comma."""
    label = "CFX.Production.WorkCompleted, CFX, Version=2.1.1.0, Culture=neutral"
    (read,) = decode(wire({"MessageBody": {"$type": label, "Result": "Failed"}}))
    assert read.message_name == "CFX.Production.WorkCompleted"
    assert read.message.result is messages.WorkResult.Failed


def test_envelope_fields_are_matched_without_regard_to_case():
    """A sender that writes camelCase is understood; what is unknown is kept."""
    body = {"messageName": "cfx.heartbeat", "source": "H", "messageBody": {"cfxHandle": "H"}, "vendor": 1}
    (read,) = decode(wire(body))
    assert (read.message_name, read.source, read.extra) == ("CFX.Heartbeat", "H", {"vendor": 1})
    assert read.message.cfx_handle == "H"


def test_an_unknown_message_keeps_its_body():
    """A message that no model exists for is still there, whole."""
    (read,) = decode(wire(envelope("CFX.Vendor.SomethingNew", {"A": [1, {"b": None}]}, Version="9.9")))
    assert read.message == messages.UnknownMessage("CFX.Vendor.SomethingNew", {"A": [1, {"b": None}]})


BAD_BODIES = [
    (b"", "empty"),
    (b" \n", "empty"),
    (b"\x00\x01\x02", "not JSON"),
    (b"hello", "not JSON"),
    (b'{"MessageName": "CFX.Heart', "not JSON"),
    (b'{"a":1}{"b":2}', "not JSON"),
    (b'{"a":"\xff\xfe"}', "not JSON"),
    (b'{"a":"\\ud800"}', "not JSON"),
    (b'"text"', "not JSON"),
    (b"\x1f\x8b\x08junk", "gzip"),
    (gzip.compress(b'{"MessageName": "CFX.Heartbeat"}')[:-6], "cut off"),
    (b"[" * 100_000, "not JSON"),
]


def test_an_unknown_message_is_put_into_an_envelope_like_any_other():
    """A vendor's own message can be passed on; what happens to the copy does not reach the first."""
    (read,) = decode(
        wire({**envelope("WorkStarted", {"X": {"Y": [1, None]}}), "MessageName": "Acme.Polished"})
    )
    passed_on = CFXEnvelope.of(read.message, source="Acme.MES.1")
    (again,) = decode(encode(passed_on))
    assert (again.message_name, again.source) == ("Acme.Polished", "Acme.MES.1")
    assert again.message == read.message
    passed_on.body["X"]["Y"].clear()
    assert read.body["X"]["Y"] == [1, None]


@pytest.mark.parametrize(("body", "reason"), BAD_BODIES)
def test_what_is_no_body_is_refused_with_its_reason(body, reason):
    """Nothing but CFXDecodeError comes of bytes that nobody can read."""
    with pytest.raises(CFXDecodeError, match=reason) as caught:
        decode(body)
    assert caught.value.index is None


BAD_ENVELOPES = [
    (7, ""),
    (None, ""),
    ({}, "MessageName"),
    ({"MessageName": {"a": 1}}, "MessageName"),
    (envelope("Heartbeat", {}, Source=["x"]), "Source"),
    (envelope("Heartbeat", {}, TimeStamp="yesterday"), "TimeStamp"),
    (envelope("Heartbeat", {}, TimeStamp=1_700_000_000), "TimeStamp"),
    (envelope("Heartbeat", []), "MessageBody"),
    (envelope("Heartbeat", "text"), "MessageBody"),
    (envelope("UnitsTested", {"TestedUnits": "none"}), "MessageBody.TestedUnits"),
    (envelope("UnitsTested", {"TestedUnits": {}}), "MessageBody.TestedUnits"),
    (envelope("UnitsTested", {"TestedUnits": [{}, 5]}), "MessageBody.TestedUnits[1]"),
    (
        envelope("UnitsTested", {"TestedUnits": [{}, {}, {"OverallResult": ["Passed"]}]}),
        "MessageBody.TestedUnits[2].OverallResult",
    ),
    (
        envelope("UnitsTested", {"testedUnits": [{"tests": [{"RESULT": True}]}]}),
        "MessageBody.TestedUnits[0].Tests[0].Result",
    ),
    (
        envelope(
            "UnitsTested",
            {"TestedUnits": [{"Tests": [{"Measurements": [{"MeasuredValue": {"Value": "ten"}}]}]}]},
        ),
        "MessageBody.TestedUnits[0].Tests[0].Measurements[0].MeasuredValue.Value",
    ),
    (
        envelope("UnitsTested", {"TestedUnits": [{"Tests": [{"TestStartTime": "soon"}]}]}),
        "MessageBody.TestedUnits[0].Tests[0].TestStartTime",
    ),
    (envelope("UnitsTested", {"Tester": "Smith"}), "MessageBody.Tester"),
    (envelope("WorkStarted", {"Lane": 1.5}), "MessageBody.Lane"),
    (envelope("WorkStarted", {"Units": [[]]}), "MessageBody.Units[0]"),
    (envelope("FaultOccurred", {"Fault": "hot"}), "MessageBody.Fault"),
    (envelope("StationStateChanged", {"OldStateDuration": "long"}), "MessageBody.OldStateDuration"),
    (
        envelope("MaterialsInstalled", {"InstalledMaterials": [{"Material": [1]}]}),
        "MessageBody.InstalledMaterials[0].Material",
    ),
]


@pytest.mark.parametrize(("bad", "path"), BAD_ENVELOPES)
def test_a_bad_envelope_is_refused_by_the_name_of_its_field(bad, path):
    """The error says which envelope, which message and which field, in wire names."""
    with pytest.raises(CFXDecodeError) as caught:
        decode(wire([envelope("Heartbeat", {}), bad]))[1].message  # noqa: B018  # reading it is the test
    assert (caught.value.path, caught.value.index) == (path, 1)
    assert caught.value.reason
    assert path in str(caught.value)
    if path.startswith("MessageBody"):
        assert caught.value.unique_id == UNIQUE_ID
        assert UNIQUE_ID in str(caught.value)
        assert caught.value.source == "//Acme/Line1/ICT01"
        assert caught.value.message_name == bad["MessageName"]


def test_one_bad_envelope_does_not_hide_the_others():
    """Each envelope of a batch has an outcome of its own."""
    first, second, third = decode_each(wire([envelope("Heartbeat", {}), 7, envelope("WorkStarted", {})]))
    assert isinstance(first, CFXEnvelope)
    assert isinstance(second, CFXDecodeError)
    assert isinstance(third, CFXEnvelope)


def test_a_bomb_is_refused_before_it_is_unpacked():
    """A gigabyte of zeros in a megabyte of gzip costs no more than the limit."""
    bomb = gzip.compress(b" " * 50_000_000)
    with pytest.raises(CFXDecodeError, match="more than 1000000 bytes"):
        decode(bomb, limits=Limits(max_bytes=1_000_000))


def test_a_bomb_in_many_members_is_refused_too():
    """The limit is of all members together."""
    with pytest.raises(CFXDecodeError, match="more than 1000000 bytes"):
        decode(gzip.compress(b" " * 400_000) * 3, limits=Limits(max_bytes=1_000_000))


def test_size_depth_and_count_have_limits():
    """Each limit is a refusal with a reason."""
    beat = wire(envelope("Heartbeat", {}))
    with pytest.raises(CFXDecodeError, match="more than the 10 allowed"):
        decode(beat, limits=Limits(max_bytes=10))
    with pytest.raises(CFXDecodeError, match="a list of 3 envelopes"):
        decode(b"[" + b",".join([beat] * 3) + b"]", limits=Limits(max_envelopes=2))
    deep = envelope("Heartbeat", {"a": [[[1]]]})
    assert decode(wire(deep), limits=Limits(max_depth=5))
    with pytest.raises(CFXDecodeError, match="deeper than the 4 levels"):
        decode(wire(deep), limits=Limits(max_depth=4))
    with pytest.raises(CFXDecodeError, match="recursion limit"):
        decode(b'{"MessageName":"X","MessageBody":{"a":' + b"[" * 500 + b"]" * 500 + b"}}")


def test_encode_writes_what_an_endpoint_of_the_standard_accepts():
    """Fields in order, $type first, nulls written, unset values as the standard writes them."""
    message = messages.WorkCompleted(result=messages.WorkResult.Aborted)
    sent = CFXEnvelope.of(
        message,
        source="//A",
        unique_id=UNIQUE_ID,
        time_stamp=datetime(2026, 3, 1, 9, 0, 0, 500_000, tzinfo=UTC),
    )
    assert encode(sent).decode() == (
        '{"MessageName":"CFX.Production.WorkCompleted","Version":"2.1","TimeStamp":"2026-03-01T09:00:00.5+00:00",'
        f'"UniqueID":"{UNIQUE_ID}","Source":"//A","Target":null,"RequestID":null,'
        '"MessageBody":{"$type":"CFX.Production.WorkCompleted, CFX",'
        '"TransactionID":"00000000-0000-0000-0000-000000000000","Result":"Aborted",'
        '"PrimaryIdentifier":null,"HermesIdentifier":null,"UnitCount":0,"Units":[],"PerformanceImpacts":[]}}'
    )
    unset = json.loads(encode(CFXEnvelope("CFX.Heartbeat")))
    assert unset["UniqueID"] == "00000000-0000-0000-0000-000000000000"
    assert unset["TimeStamp"] == "0001-01-01T00:00:00"


def test_the_label_comes_first_wherever_it_stood():
    """The standard's readers know the class of an object only if its label is the first field."""
    sent = CFXEnvelope("CFX.Heartbeat", body={"CFXHandle": "A", "$type": "CFX.Heartbeat, CFX"})
    assert b'"MessageBody":{"$type":"CFX.Heartbeat, CFX","CFXHandle":"A"}' in encode(sent)
    assert list(sent.body) == ["CFXHandle", "$type"]


@pytest.mark.parametrize("name", ["publish-raw-single.amqp10.json", "publish-gzip-batch.amqp10.json"])
def test_recorded_messages_are_written_byte_for_byte(reference, name):
    """What the standard's own kit wrote is written the same: order, nulls, numbers, one or a list."""
    for message in json.loads(reference(f"wire/{name}"))["messages"]:
        body = base64.b64decode(message["body_b64"])
        plain = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        assert encode(decode(body)) == plain
        assert gzip.decompress(encode(decode(body), content_encoding="gzip")) == plain


def test_what_json_can_not_hold_is_refused_on_writing():
    """Half a character, or a thing that is no data, is an error of the one who writes it."""
    for value in ("\ud800", object()):
        with pytest.raises(ValueError, match=r"serializ"):
            encode(CFXEnvelope("CFX.Heartbeat", body={"x": value}))


def test_one_envelope_is_an_object_and_several_are_a_list():
    """A batch of one is written as the standard's endpoints write it."""
    beat = CFXEnvelope("CFX.Heartbeat")
    assert encode(beat) == encode([beat])
    assert encode([beat, beat]).startswith(b"[{")
    assert encode([]) == b"[]"


def test_numbers_that_json_has_not_are_written_as_texts():
    """Infinity goes over the wire in quotes and comes back as a number."""
    value = messages.NumericMeasurement(measured_value=messages.NumericValue(value=float("-inf")))
    unit = messages.TestedUnit(tests=[messages.Test(measurements=[value])])
    body = encode(CFXEnvelope.of(messages.UnitsTested(tested_units=[unit])))
    assert b'"Value":"-Infinity"' in body
    read = decode(body)[0].message.tested_units[0].tests[0].measurements[0]
    assert read.measured_value.value == float("-inf")
    assert b'"NaN"' in encode(CFXEnvelope("X", body={"a": [float("nan")]}))


def test_only_gzip_is_written():
    """Another encoding is refused when it is asked for, not when it is read."""
    assert (
        decode(encode(CFXEnvelope("CFX.Heartbeat"), content_encoding="GZIP"))[0].message_name
        == "CFX.Heartbeat"
    )
    with pytest.raises(ValueError, match="deflate"):
        encode(CFXEnvelope("CFX.Heartbeat"), content_encoding="deflate")


def test_what_was_read_is_written_and_read_again_the_same():
    """Decode, encode, decode: equal, with unknown fields of envelope and message."""
    odd = envelope("UnitsTested", {"TestedUnits": None, "Vendor": {"a": [1.5, "x"]}}, Extra=[1])
    first = decode(wire([odd, envelope("CFX.X.Y", {"k": None}), envelope("Heartbeat", {}, TimeStamp=None)]))
    for encoding in (None, "gzip"):
        assert decode(encode(first, content_encoding=encoding)) == first


def test_reading_messages_needs_no_broker_library():
    """Importing pywats_cfx loads neither aio-pika nor the transport."""
    program = (
        "import sys, pywats_cfx; "
        "assert not {'aio_pika', 'pywats_cfx.amqp', 'pywats_cfx.config'} & set(sys.modules); "
        "assert pywats_cfx.CFXConfig.__module__ == 'pywats_cfx.config'"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_name_that_is_not_there_is_an_attribute_error():
    """The lazy names do not swallow misspelt ones."""
    import pywats_cfx

    with pytest.raises(AttributeError, match="CFXTransprot"):
        pywats_cfx.CFXTransprot  # noqa: B018  # the access is the test
