"""Reads values of the AMQP 1.0 type system. What is malformed, too deep or too many is refused."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

#: Lists in lists in lists: no sender of messages needs more.
DEEPEST: Final = 16
#: Values in one document; an array of a million nulls fits into ten bytes.
MOST_VALUES: Final = 20_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class MalformedError(ValueError):
    """Bytes are not AMQP 1.0, or ask for more than is allowed; the text says where."""


@dataclass(frozen=True, slots=True)
class Described:
    """A value with a descriptor, which says what it is: a message section, for instance."""

    descriptor: Any
    value: Any


def _timestamp(milliseconds: int) -> datetime | int:
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:  # legal on the wire, but not a time that Python knows
        return milliseconds


def _character(point: int) -> str:
    try:
        return chr(point)
    except (ValueError, OverflowError):
        raise MalformedError(f"{point} is not a character") from None


_CONSTANTS: Final[Mapping[int, Any]] = {0x40: None, 0x41: True, 0x42: False, 0x43: 0, 0x44: 0}

_NUMBERS: Final[Mapping[int, struct.Struct]] = {
    0x50: struct.Struct(">B"),
    0x51: struct.Struct(">b"),
    0x52: struct.Struct(">B"),
    0x53: struct.Struct(">B"),
    0x54: struct.Struct(">b"),
    0x55: struct.Struct(">b"),
    0x56: struct.Struct(">?"),
    0x60: struct.Struct(">H"),
    0x61: struct.Struct(">h"),
    0x70: struct.Struct(">I"),
    0x71: struct.Struct(">i"),
    0x72: struct.Struct(">f"),
    0x80: struct.Struct(">Q"),
    0x81: struct.Struct(">q"),
    0x82: struct.Struct(">d"),
}

# Width in bytes, and what the bytes stand for. Decimals stay bytes: nothing here computes with them.
_FIXED: Final[Mapping[int, tuple[int, Callable[[bytes], Any]]]] = {
    0x73: (4, lambda raw: _character(int.from_bytes(raw, "big"))),
    0x74: (4, bytes),
    0x83: (8, lambda raw: _timestamp(int.from_bytes(raw, "big", signed=True))),
    0x84: (8, bytes),
    0x94: (16, bytes),
    0x98: (16, lambda raw: UUID(bytes=raw)),
}


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedError(f"a text is not UTF-8: {error.reason}") from error


# Width of the length, and what the bytes stand for.
_VARIABLE: Final[Mapping[int, tuple[int, Callable[[bytes], Any]]]] = {
    0xA0: (1, bytes),
    0xB0: (4, bytes),
    0xA1: (1, _text),
    0xB1: (4, _text),
    0xA3: (1, _text),
    0xB3: (4, _text),
}

_LISTS: Final = {0xC0: 1, 0xD0: 4}
_MAPS: Final = {0xC1: 1, 0xD1: 4}
_ARRAYS: Final = {0xE0: 1, 0xF0: 4}


class Reader:
    """Reads one value after the other.

    Args:
        data: encoded values, back to back.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._end = len(data)
        self._values = 0

    @property
    def exhausted(self) -> bool:
        """True when all was read."""
        return self._position >= self._end

    def read(self) -> Any:
        """Read the next value.

        Texts and symbols come as ``str``, binaries and decimals as ``bytes``, times as ``datetime`` (as an
        ``int`` of milliseconds beyond the years that Python knows).

        Raises:
            MalformedError: the bytes are not a value.
        """
        return self._value(self._constructor(), 0)

    def _constructor(self) -> int:
        return self._take(1)[0]

    def _take(self, count: int) -> bytes:
        start, end = self._position, self._position + count
        if end > self._end:
            raise MalformedError(f"{count} bytes are announced at {start}, {self._end - start} are there")
        self._position = end
        return self._data[start:end]

    def _size(self, width: int) -> int:
        return int.from_bytes(self._take(width), "big")

    def _value(self, code: int, depth: int) -> Any:
        self._values += 1
        if self._values > MOST_VALUES:
            raise MalformedError(f"more than {MOST_VALUES} values")
        if depth > DEEPEST:
            raise MalformedError(f"nested deeper than {DEEPEST}")
        if code in _CONSTANTS:
            return _CONSTANTS[code]
        if (number := _NUMBERS.get(code)) is not None:
            return number.unpack(self._take(number.size))[0]
        if (fixed := _FIXED.get(code)) is not None:
            return fixed[1](self._take(fixed[0]))
        if (variable := _VARIABLE.get(code)) is not None:
            return variable[1](self._take(self._size(variable[0])))
        return self._compound(code, depth)

    def _compound(self, code: int, depth: int) -> Any:
        if code == 0x00:
            descriptor = self._value(self._constructor(), depth + 1)
            return Described(descriptor, self._value(self._constructor(), depth + 1))
        if code == 0x45:  # noqa: PLR2004  # the empty list; the standard's table, like all codes here
            return []
        if code in _LISTS:
            return self._within(_LISTS[code], lambda count: self._items(count, depth))
        if code in _MAPS:
            return self._within(_MAPS[code], lambda count: self._pairs(count, depth))
        if code in _ARRAYS:
            return self._within(_ARRAYS[code], lambda count: self._array(count, depth))
        raise MalformedError(f"0x{code:02x} at {self._position - 1} is no AMQP 1.0 type")

    def _within(self, width: int, read: Callable[[int], Any]) -> Any:
        """Read what a size and a count announce, and nothing beyond it."""
        size = self._size(width)
        outer, inner = self._end, self._position + size
        if inner > outer or size < width:
            raise MalformedError(f"a list, map or array at {self._position} announces {size} bytes")
        self._end = inner
        try:
            value = read(self._size(width))
        finally:
            self._end = outer
        if self._position != inner:
            raise MalformedError(f"{inner - self._position} bytes are left over at {self._position}")
        return value

    def _items(self, count: int, depth: int) -> list[Any]:
        return [self._value(self._constructor(), depth + 1) for _ in self._counted(count)]

    def _pairs(self, count: int, depth: int) -> dict[Any, Any]:
        items = self._items(count, depth)
        if len(items) % 2:
            raise MalformedError("a map with a key that has no value")
        try:
            return dict(zip(items[::2], items[1::2], strict=True))
        except TypeError as error:
            raise MalformedError("a map with a list or a map for a key") from error

    def _array(self, count: int, depth: int) -> list[Any]:
        code = self._constructor()
        if code == 0x00:
            self._value(self._constructor(), depth + 1)  # the descriptor that all items share
            code = self._constructor()
        return [self._value(code, depth + 1) for _ in self._counted(count)]

    def _counted(self, count: int) -> range:
        if count > MOST_VALUES:
            raise MalformedError(f"{count} values announced, more than {MOST_VALUES}")
        return range(count)
