"""Payloads of Sparkplug B are read as the specification writes them."""

from __future__ import annotations

import math
import struct
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sparkplug_wire import T0, bdseq, chunk, double, metric, number, payload, single

from pywats_events.sparkplug import NoBirth, SparkplugError
from pywats_events.sparkplug.datatypes import INTEGERS, DataType
from pywats_events.sparkplug.payload import MAX_DEPTH, MAX_METRICS, read_payload
from pywats_events.sparkplug.topics import MessageKind, SparkplugTopic
from pywats_events.sparkplug.writing import Said, rebirth_request, write_payload


def only(body: bytes):
    """Give the one metric of a payload."""
    (one,) = read_payload(body).metrics
    return one


def value_of(*fields: bytes, kind: DataType):
    """Give the value that these fields of a metric hold."""
    return only(payload(metric(*fields, name="m", kind=kind))).value(kind)


def test_birth_by_its_bytes():
    """The birth of the specification's example is read from bytes that were written by hand."""
    body = bytes.fromhex(
        "08eaf2f5a8a02b"  # 1: timestamp 1486144502122
        "1216"  # 2: metric of 22 bytes
        "0a056264536571"  # 1: "bdSeq"
        "18eaf2f5a8a02b"  # 3: timestamp
        "2004"  # 4: Int64
        "2800"  # 5: not historical
        "3800"  # 7: not null
        "5800"  # 11: long_value 0
        "121a"
        "0a08537570706c792056"  # "Supply V"
        "1001"  # 2: alias 1
        "18eaf2f5a8a02b"
        "2009"  # Float
        "65cdcc4441"  # 12: float_value 12.3
        "1800"  # 3: seq 0
    )
    read = read_payload(body)
    assert (read.timestamp, read.seq, read.bdseq) == (T0, 0, 0)
    supply = read.metrics[1]
    assert (supply.name, supply.datatype, supply.timestamp) == ("Supply V", DataType.FLOAT, T0)
    assert supply.value(DataType.FLOAT) == 12.3
    assert read.aliases == {1: "Supply V"}


def test_data_by_its_bytes():
    """A metric that goes by its alias has no name of its own, and is null where it says so."""
    body = bytes.fromhex("08eaf2f5a8a02b12061001200938011863")
    read = read_payload(body)
    assert read.seq == 99
    (one,) = read.metrics
    assert (one.name, one.anchor) == (None, 1)
    assert one.value(DataType.FLOAT) is None


@pytest.mark.parametrize(
    ("kind", "field", "written", "meant"),
    [
        (DataType.INT8, 10, 0xE9, -23),
        (DataType.INT8, 10, 0xFFFF_FFE9, -23),
        (DataType.INT16, 10, 0x8AD0, -30000),
        (DataType.INT16, 10, 0xFFFF_8AD0, -30000),
        (DataType.INT32, 10, 0xFFFF_FFFF, -1),
        (DataType.INT32, 11, 0xFFFF_FFFF_FFFF_FFFF, -1),
        (DataType.INT64, 11, 0xFFFF_FFFF_FFFF_FFFF, -1),
        (DataType.INT64, 11, 1 << 63, -(1 << 63)),
        (DataType.UINT32, 11, 0xFFFF_FFFF, 0xFFFF_FFFF),
        (DataType.UINT8, 10, 250, 250),
    ],
)
def test_signs(kind: DataType, field: int, written: int, meant: int):
    """Negative numbers lie in unsigned fields, as wide as their type or as their field."""
    assert value_of(number(field, written), kind=kind) == meant


@pytest.mark.parametrize(
    ("kind", "field", "written"),
    [
        (DataType.INT8, 10, 200 + 256),
        (DataType.INT8, 10, 0xFFFF_FF00),
        (DataType.UINT8, 10, 256),
        (DataType.UINT16, 10, 1 << 16),
        (DataType.UINT32, 11, 1 << 32),
        (DataType.INT32, 11, 1 << 32),
    ],
)
def test_out_of_range(kind: DataType, field: int, written: int):
    """A number that its type can't hold is refused, never cut."""
    with pytest.raises(SparkplugError, match=f"no {kind.name}"):
        value_of(number(field, written), kind=kind)


@pytest.mark.parametrize(
    ("kind", "written", "meant"),
    [
        (DataType.INT8_ARRAY, "e97b", [-23, 123]),
        (DataType.INT16_ARRAY, "d08a3075", [-30000, 30000]),
        (DataType.INT32_ARRAY, "fffffffffaafcb12", [-1, 315338746]),
        (
            DataType.INT64_ARRAY,
            "ce0672ac189cbac4c4ba9c18ac7206ce",
            [-4270929666821191986, -3601064768563266876],
        ),
        (DataType.UINT8_ARRAY, "17fa", [23, 250]),
        (DataType.UINT16_ARRAY, "1e0088cc", [30, 52360]),
        (DataType.UINT32_ARRAY, "3400000049fb55c4", [52, 3293969225]),
        (DataType.UINT64_ARRAY, "3400000000000000d99e02d1b27637e4", [52, 16444743074749521625]),
        (DataType.FLOAT_ARRAY, "a4709d3f98aeb242", [1.23, 89.341]),
        (DataType.DOUBLE_ARRAY, "d7a205685bb528408e171c6f4cf78f40", [12.354213, 1022.9123213]),
        (
            DataType.BOOLEAN_ARRAY,
            "0c00000034df",
            [bool(int(bit)) for bit in "001101001101"],
        ),
        (DataType.STRING_ARRAY, "4142430068656c6c6f00", ["ABC", "hello"]),
        (
            DataType.DATETIME_ARRAY,
            "c7d0907524010000b8bab89781010000",
            [datetime.fromtimestamp(1256102875.335, UTC), datetime.fromtimestamp(1656107875, UTC)],
        ),
    ],
)
def test_arrays(kind: DataType, written: str, meant: list[object]):
    """Arrays are packed as the specification's examples are (floats by its text: lowest byte first)."""
    assert value_of(chunk(16, bytes.fromhex(written)), kind=kind) == meant


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (DataType.INT16_ARRAY, b"\1"),
        (DataType.BOOLEAN_ARRAY, b"\1"),
        (DataType.BOOLEAN_ARRAY, b"\xff\xff\xff\xff\1"),
        (DataType.STRING_ARRAY, b"\xff\0"),
        (DataType.STRING_ARRAY, b"\0" * 100_001),
        (DataType.DATETIME_ARRAY, b"\xff" * 8),
    ],
)
def test_broken_arrays(kind: DataType, written: bytes):
    """An array that doesn't end with its last value, or is too long, is refused."""
    with pytest.raises(SparkplugError):
        value_of(chunk(16, written), kind=kind)


@given(st.floats(width=32))
def test_singles(value: float):
    """A single-precision number is told by the shortest decimal that stands for it, and stays itself."""
    read = value_of(single(12, value), kind=DataType.FLOAT)
    if math.isnan(value):
        assert math.isnan(read)
    else:
        assert struct.pack("<f", read) == struct.pack("<f", value)


def test_single_is_short():
    """21.3 degrees are told as 21.3."""
    assert str(value_of(single(12, 21.3), kind=DataType.FLOAT)) == "21.3"


@given(st.sampled_from(sorted(INTEGERS)), st.data())
def test_integers_come_back(kind: DataType, data: st.DataObject):
    """Every integer of every type is read as it was written."""
    bits, is_signed = INTEGERS[kind]
    low = -(1 << (bits - 1)) if is_signed else 0
    value = data.draw(st.integers(low, low + (1 << bits) - 1))
    assert only(write_payload([Said("m", kind, value)])).value(kind) == value
    by_hand = value_of(number(11, value & 0xFFFF_FFFF_FFFF_FFFF), kind=kind)
    assert by_hand == value


@given(st.one_of(st.text(), st.floats(allow_nan=False), st.booleans()))
def test_plain_values_come_back(value: object):
    """Texts, numbers and truths are read as they were written."""
    kind = {str: DataType.STRING, float: DataType.DOUBLE, bool: DataType.BOOLEAN}[type(value)]
    assert only(write_payload([Said("m", kind, value)])).value(kind) == value


def test_values_without_type():
    """A value whose field says all is read without a datatype; an integer is not, for its sign is unknown."""
    assert only(payload(metric(double(13, 1.5), name="m"))).value(None) == 1.5
    with pytest.raises(NoBirth, match="datatype"):
        only(payload(metric(number(10, 1), name="m"))).value(None)


def test_times():
    """A time is given in milliseconds since 1970; one beyond the year 9999 is refused."""
    assert value_of(number(11, T0), kind=DataType.DATETIME) == datetime(2017, 2, 3, 17, 55, 2, 122000, UTC)
    with pytest.raises(SparkplugError, match="9999"):
        value_of(number(11, (1 << 64) - 1), kind=DataType.DATETIME)


def test_data_set():
    """A data set is given as rows by the names of their columns."""
    row = chunk(4, chunk(1, number(1, 0xFFFF_FFFF)) + chunk(1, chunk(6, "ok")))
    table = number(1, 2) + chunk(2, "a") + chunk(2, "b") + number(3, 3) + number(3, 12) + row
    assert value_of(chunk(17, table), kind=DataType.DATASET) == [{"a": -1, "b": "ok"}]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (chunk(2, "a"), "1 columns with 0 types"),
        (chunk(2, "a") + number(3, 3) + chunk(4, b""), "row 0 has 0 of 1"),
        (chunk(2, "a") + number(3, 99), "datatype 99"),
        (chunk(4, b"") * 100_001, "100001 values"),
    ],
)
def test_broken_data_sets(table: bytes, said: str):
    """A data set that does not fit itself is refused."""
    with pytest.raises(SparkplugError, match=said):
        value_of(chunk(17, table), kind=DataType.DATASET)


def template(*metrics: bytes, definition: bool = False) -> bytes:
    """Write a template as the value of a metric."""
    return chunk(18, b"".join(metrics) + number(5, int(definition)))


def test_templates():
    """Members of templates are metrics of their own; definitions are none."""
    inner = metric(template(metric(number(10, 7), name="rpm", kind=7, alias=3)), name="drive", alias=2)
    body = payload(
        metric(template(inner), name="Motor", alias=1, kind=19),
        metric(template(inner, definition=True), name="Motor type", kind=19),
    )
    read = read_payload(body)
    assert [each.name for each in read.metrics] == ["Motor/drive/rpm"]
    assert read.aliases == {1: "Motor", 2: "Motor/drive", 3: "Motor/drive/rpm"}


def test_templates_by_alias():
    """Members of a template that goes by its alias are named from there on."""
    member = metric(number(10, 7), name="rpm", kind=7)
    (one,) = read_payload(payload(metric(template(member), alias=1))).metrics
    assert (one.anchor, one.name) == (1, "rpm")


def test_properties():
    """Quality and engineering unit are read, whatever else the properties say."""
    values = [
        chunk(2, number(1, 3) + number(3, 500)),
        chunk(2, number(1, 12) + chunk(8, "°C")),
        chunk(2, number(1, 20) + chunk(9, b"")),
    ]
    properties = chunk(9, chunk(1, "Quality") + chunk(1, "engUnit") + chunk(1, "more") + b"".join(values))
    one = only(payload(metric(properties, number(10, 1), name="m", kind=3)))
    assert (one.quality, one.unit, one.is_good) == (500, "°C", False)


@given(st.binary(max_size=400))
def test_garbage(body: bytes):
    """Whatever the bytes are, they are a payload or a clear refusal, and so is each value."""
    try:
        read = read_payload(body)
    except SparkplugError:
        return
    for each in read.metrics:
        for kind in (*DataType, None):
            with suppress(SparkplugError):
                each.value(kind)


def nested(depth: int) -> bytes:
    """Write templates within templates."""
    body = metric(number(10, 1), name="m", kind=3)
    for _ in range(depth):
        body = metric(template(body), name="t", kind=19)
    return body


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"\x08", "protobuf"),
        (b"{}", "protobuf"),
        (nested(MAX_DEPTH + 1), "nested deeper"),
        (nested(1000), "protobuf|nested"),
        (chunk(2, b"") * (MAX_METRICS + 1), "metrics"),
        (payload(metric(template(*[chunk(2, b"")] * MAX_METRICS), name="t"), metric(name="m")), "metrics"),
        (payload(metric(name="n" * 1001)), "longer"),
        (chunk(2, chunk(1, b"\xff\xfe")), "UTF-8"),
        (payload(seq=256), "seq 256"),
        (chunk(4, "SPBV1.0_COMPRESSED") + chunk(5, b"x"), "compressed"),
        (chunk(5, b"\0" * (1 << 20)), "max_bytes"),
    ],
)
def test_limits(body: bytes, said: str):
    """What is broken, too large or too deep is refused by name."""
    with pytest.raises(SparkplugError, match=said):
        read_payload(body)


def test_rebirth_request():
    """The request for a birth is the command that the specification gives, byte by byte."""
    topic, body = rebirth_request("Line1", "Press", timestamp=T0)
    assert topic == "spBv1.0/Line1/NCMD/Press"
    wanted = payload(metric(number(14, 1), name="Node Control/Rebirth", kind=11))
    assert body == wanted


def test_bdseq():
    """The session's number is read from its metric."""
    assert read_payload(payload(bdseq(7))).bdseq == 7


@pytest.mark.parametrize(
    ("topic", "meant"),
    [
        ("spBv1.0/G/NBIRTH/N", SparkplugTopic(MessageKind.NBIRTH, "G", "N")),
        ("spBv1.0/G/DDATA/N/D 1", SparkplugTopic(MessageKind.DDATA, "G", "N", "D 1")),
        ("spBv1.0/STATE/scada", SparkplugTopic(MessageKind.STATE, "", "scada")),
    ],
)
def test_topics(topic: str, meant: SparkplugTopic):
    """Topics say what a message is and who sent it."""
    assert SparkplugTopic.parse(topic) == meant


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "spAv1.0/G/NDATA/N",
        "spBv1.0/G/NDATA",
        "spBv1.0/G/NDATA/N/D",
        "spBv1.0/G/DDATA/N",
        "spBv1.0/G/X/N",
        "spBv1.0/G//N",
        "spBv1.0",
        "spBv1.0/STATE",
    ],
)
def test_other_topics(topic: str):
    """A topic of another kind is refused, and named."""
    with pytest.raises(SparkplugError, match="topic"):
        SparkplugTopic.parse(topic)
