"""The datatypes of Sparkplug B, and how their values lie in protobuf's few."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, Final, TypeAlias

from pywats_events.sparkplug.errors import SparkplugError

#: What a metric may say.
Value: TypeAlias = "bool | int | float | str | bytes | datetime | list[Any]"

#: Most cells of a data set, and most members of an array.
MAX_CELLS: Final = 100_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WORD: Final = 32
_LONG: Final = 64
#: Significant digits that are enough to tell any two single-precision numbers apart.
_SINGLE_DIGITS: Final = (6, 7, 8, 9)


class DataType(IntEnum):
    """The numbers of the datatypes (specification, chapter 6)."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19
    PROPERTY_SET = 20
    PROPERTY_SET_LIST = 21
    INT8_ARRAY = 22
    INT16_ARRAY = 23
    INT32_ARRAY = 24
    INT64_ARRAY = 25
    UINT8_ARRAY = 26
    UINT16_ARRAY = 27
    UINT32_ARRAY = 28
    UINT64_ARRAY = 29
    FLOAT_ARRAY = 30
    DOUBLE_ARRAY = 31
    BOOLEAN_ARRAY = 32
    STRING_ARRAY = 33
    DATETIME_ARRAY = 34


#: Bits of each integer type, and whether it has a sign.
INTEGERS: Final = {
    DataType.INT8: (8, True),
    DataType.INT16: (16, True),
    DataType.INT32: (32, True),
    DataType.INT64: (64, True),
    DataType.UINT8: (8, False),
    DataType.UINT16: (16, False),
    DataType.UINT32: (32, False),
    DataType.UINT64: (64, False),
}
TEXTS: Final = frozenset({DataType.STRING, DataType.TEXT, DataType.UUID})
_ARRAYS: Final = {
    DataType.INT8_ARRAY: "b",
    DataType.INT16_ARRAY: "h",
    DataType.INT32_ARRAY: "i",
    DataType.INT64_ARRAY: "q",
    DataType.UINT8_ARRAY: "B",
    DataType.UINT16_ARRAY: "H",
    DataType.UINT32_ARRAY: "I",
    DataType.UINT64_ARRAY: "Q",
    DataType.FLOAT_ARRAY: "f",
    DataType.DOUBLE_ARRAY: "d",
    DataType.DATETIME_ARRAY: "Q",
}


def datatype(number: int) -> DataType:
    """Give the datatype with this number.

    Raises:
        SparkplugError: there is none.
    """
    try:
        return DataType(number)
    except ValueError as error:
        raise SparkplugError(f"datatype {number} is none of Sparkplug B (1 to 34)") from error


def time_of(milliseconds: int) -> datetime:
    """Give the time that a timestamp in milliseconds since 1970 means.

    Raises:
        SparkplugError: it lies beyond the year 9999.
    """
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError as error:
        raise SparkplugError(f"timestamp {milliseconds} lies beyond the year 9999") from error


def read_value(field: str, given: Any, kind: DataType) -> Value:
    """Read a value.

    Args:
        field: name of the protobuf field that holds it (``int_value``...).
        given: what that field holds.
        kind: the datatype that the metric was announced with.

    Raises:
        SparkplugError: the field can't hold this type, or the value is out of its range.
    """
    if kind in INTEGERS:
        return _integer(field, given, kind)
    reader = _READERS.get(kind)
    if reader is None:
        raise SparkplugError(f"datatype {kind.name} has no value of its own")
    fields, read = reader
    if field not in fields:
        raise SparkplugError(f"a {kind.name} in {field}, which can't hold one")
    try:
        return read(given)
    except (struct.error, UnicodeDecodeError) as error:
        raise SparkplugError(f"a {kind.name} that can't be read: {error}") from error


def _integer(field: str, given: Any, kind: DataType) -> int:
    """Read a signed or unsigned number from the unsigned field that it lies in.

    Negative numbers are written as two's complement: of their own width by some encoders, of the field's (32
    or 64 bits) by others.
    """
    if field not in ("int_value", "long_value"):
        raise SparkplugError(f"a {kind.name} in {field}, which can't hold one")
    bits, is_signed = INTEGERS[kind]
    number: int = given
    if not is_signed:
        if number >> bits:
            raise SparkplugError(f"{number} is no {kind.name}")
        return number
    if number >> bits:
        width = _LONG if number >> _WORD else _WORD
        number -= 1 << width
    elif number >> (bits - 1):
        number -= 1 << bits
    if not -(1 << (bits - 1)) <= number < 1 << (bits - 1):
        raise SparkplugError(f"{given} is no {kind.name}")
    return number


def _single(given: float) -> float:
    """Give the shortest decimal number that a single-precision one stands for: 21.3, not 21.29999924."""
    for digits in _SINGLE_DIGITS:
        short = float(f"{given:.{digits}g}")
        try:
            if struct.pack("<f", short) == struct.pack("<f", given):
                return short
        except OverflowError:  # rounded beyond the largest single
            continue
    return given  # NaN of a rare kind


def _text(given: Any) -> str:
    if isinstance(given, bytes):  # protobuf gives the bytes where they are no UTF-8
        raise SparkplugError("a text that is not UTF-8")
    return str(given)


def _array(code: str) -> Callable[[bytes], list[Any]]:
    size = struct.calcsize(f"<{code}")

    def read(given: bytes) -> list[Any]:
        count = len(given) // size
        _check_count(count)
        members = list(struct.unpack(f"<{count}{code}", given))
        return [_single(member) for member in members] if code == "f" else members

    return read


def _times(given: bytes) -> list[Any]:
    return [time_of(member) for member in _array("Q")(given)]


def _truths(given: bytes) -> list[Any]:
    """Read an array of bits, the highest of each byte first, behind their number in four bytes."""
    (count,) = struct.unpack_from("<I", given)
    if count > (len(given) - 4) * 8:
        raise SparkplugError(f"an array of {count} booleans in {len(given)} bytes")
    _check_count(count)
    return [bool(given[4 + at // 8] & (0x80 >> at % 8)) for at in range(count)]


def _texts(given: bytes) -> list[Any]:
    """Read an array of texts, each ended by a zero byte."""
    _check_count(given.count(0))
    return given.decode().removesuffix("\0").split("\0") if given else []


def _check_count(count: int) -> None:
    if count > MAX_CELLS:
        raise SparkplugError(f"{count} values in one metric; {MAX_CELLS} are the most")


def read_data_set(given: Any) -> list[Any]:
    """Read a data set as a list of rows, each with its values by column.

    Raises:
        SparkplugError: columns, types and rows do not fit each other, or are too many.
    """
    columns, types = list(given.columns), [datatype(number) for number in given.types]
    if len(columns) != len(types):
        raise SparkplugError(f"a data set of {len(columns)} columns with {len(types)} types")
    _check_count(len(given.rows) * max(len(columns), 1))
    rows = []
    for at, row in enumerate(given.rows):
        if len(row.elements) != len(columns):
            said = f"{len(row.elements)} of {len(columns)} values"
            raise SparkplugError(f"a data set whose row {at} has {said}")
        rows.append(
            {
                _text(column): _cell(element, kind)
                for column, element, kind in zip(columns, row.elements, types, strict=True)
            }
        )
    return rows


def _cell(element: Any, kind: DataType) -> Value | None:
    field = element.WhichOneof("value")
    return None if field is None else read_value(field, getattr(element, field), kind)


_READERS: Final[dict[DataType, tuple[tuple[str, ...], Callable[[Any], Value]]]] = {
    # a float in a double and the other way round are both seen, and lose nothing
    DataType.FLOAT: (("float_value", "double_value"), _single),
    DataType.DOUBLE: (("double_value", "float_value"), float),
    DataType.BOOLEAN: (("boolean_value", "int_value"), bool),
    DataType.DATETIME: (("long_value",), time_of),
    DataType.DATASET: (("dataset_value",), read_data_set),
    DataType.BYTES: (("bytes_value",), bytes),
    DataType.FILE: (("bytes_value",), bytes),
    **dict.fromkeys(TEXTS, (("string_value",), _text)),
    **{kind: (("bytes_value",), _array(code)) for kind, code in _ARRAYS.items()},
    DataType.DATETIME_ARRAY: (("bytes_value",), _times),
    DataType.BOOLEAN_ARRAY: (("bytes_value",), _truths),
    DataType.STRING_ARRAY: (("bytes_value",), _texts),
}
