"""What a message over AMQP 1.0 says, as plain data. Whatever comes is a message that can be taken in.

Section by section, so that one that is malformed costs its own content and nothing else. Most messages hold
few short texts; those are read without the general reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias

from pywats_cfx.amqp.content import Content, as_json
from pywats_cfx.amqp.encoding import Described, MalformedError, Reader
from pywats_cfx.amqp.sections import PROPERTY_NAMES, Section, read_body, section_code

_BODY: Final = frozenset({Section.DATA, Section.SEQUENCE, Section.VALUE})
#: Width of a value by the upper half of its first byte.
_WIDTHS: Final = {4: 0, 5: 1, 6: 2, 7: 4, 8: 8, 9: 16}
_LARGEST_SECTION_BYTES: Final = 256 * 1024

#: Where a section is: its kind, and the positions where it begins, where its value does, and where both end.
_Place: TypeAlias = tuple[Section, int, int, int]
#: A body in pieces is legal, a message of millions of empty sections is none.
_MOST_SECTIONS: Final = 10_000
_MOST_COMPLAINTS: Final = 8

_TEXTS: Final = frozenset({0xA1, 0xA3})
_NULL: Final = 0x40
_TIME: Final = 0x83


def read_transfer(encoded: bytes) -> Content:
    """Read a message. Raises nothing: a malformed body is handed on as it came, and said in ``unread``.

    Args:
        encoded: all its sections.
    """
    unread: list[str] = []
    properties: dict[str, Any] = {}
    body, sections = encoded, []
    try:
        sections = _split(encoded)
        body = _body(encoded, sections)
    except MalformedError as error:
        unread.append(f"message: not AMQP 1.0 as it should be: {error}")
    for section, _, start, end in sections:
        read = _READERS.get(section)
        if read is None or len(unread) >= _MOST_COMPLAINTS:
            continue
        try:
            properties |= read(encoded, start, end)
        except MalformedError as error:
            unread.append(f"{section.name.lower().replace('_', '-')}: {error}")
    if unread:
        properties["unread"] = unread
    return Content(
        body=body,
        content_type=_text(properties.pop("content_type", None)),
        content_encoding=_text(properties.pop("content_encoding", None)),
        properties=properties,
    )


def _split(encoded: bytes) -> list[_Place]:
    """Find each section's kind, and where its value begins and ends.

    Raises:
        MalformedError: these are no sections.
    """
    found: list[_Place] = []
    position, end = 0, len(encoded)
    while position < end:
        begin = position
        if len(found) >= _MOST_SECTIONS:
            raise MalformedError(f"more than {_MOST_SECTIONS} sections")
        if encoded[position] != 0:
            raise MalformedError(f"no section begins at {position}")
        if encoded[position + 1 : position + 2] == b"\x53":
            descriptor: Any = encoded[position + 2] if position + 2 < end else -1
            start = position + 3
        else:
            start = _end_of_value(encoded, position + 1)
            descriptor = Reader(encoded[position + 1 : start]).read()
        position = _end_of_value(encoded, start)
        found.append((section_code(descriptor), begin, start, position))
    return found


def _end_of_value(encoded: bytes, start: int) -> int:
    """Step over a value: the upper half of its first byte says how its length is told."""
    position, end = start, len(encoded)
    while position < end and encoded[position] == 0:  # what it is called, before the value itself
        position = (
            _end_of_value(encoded, position + 1) if encoded[position + 1 : position + 2] != b"\0" else end
        )
    if position < end:
        kind = encoded[position] >> 4
        position += 1
        if (width := _WIDTHS.get(kind)) is not None:
            position += width
        elif kind in (0xA, 0xC, 0xE):
            position += 1 + (encoded[position] if position < end else end)
        elif kind in (0xB, 0xD, 0xF):
            position += 4 + int.from_bytes(encoded[position : position + 4], "big")
        else:
            raise MalformedError(f"0x{encoded[position - 1]:02x} at {position - 1} is no AMQP 1.0 type")
        if position <= end:
            return position
    raise MalformedError(f"a value that begins at {start} goes beyond the {end} bytes that are there")


def _body(encoded: bytes, sections: list[_Place]) -> bytes:
    parts = [place for place in sections if place[0] in _BODY]
    if parts and all(place[0] is Section.DATA for place in parts):
        data = [_binary(encoded, start, end) for _, _, start, end in parts]
        return data[0] if len(data) == 1 else b"".join(data)
    return read_body(b"".join(encoded[begin:end] for _, begin, _, end in parts))


def _binary(encoded: bytes, start: int, end: int) -> bytes:
    code = encoded[start]
    if code not in (0xA0, 0xB0):
        raise MalformedError(f"data holds the type 0x{code:02x}, no bytes")
    return encoded[start + (2 if code == 0xA0 else 5) : end]  # noqa: PLR2004  # width of the length


def _properties(encoded: bytes, start: int, end: int) -> dict[str, Any]:
    values = _texts(encoded, start, end, 0xC0)
    if values is None:
        values = _value(encoded, start, end)
        if not isinstance(values, list) or len(values) > len(PROPERTY_NAMES):
            raise MalformedError("not the list of fields that it should be")
    return {
        name: field if isinstance(field, str) else as_json(field)
        for name, field in zip(PROPERTY_NAMES, values, strict=False)
        if field is not None
    }


def _map(encoded: bytes, start: int, end: int) -> dict[Any, Any]:
    values = _texts(encoded, start, end, 0xC1)
    if values is not None and len(values) % 2 == 0:
        return dict(zip(values[::2], values[1::2], strict=True))
    read = _value(encoded, start, end)
    if not isinstance(read, dict):
        raise MalformedError("not the map that it should be")
    return read


def _header(encoded: bytes, start: int, end: int) -> dict[str, Any]:
    """Read what the broker says of a message, under the names of AMQP 0-9-1."""
    fields = _value(encoded, start, end)
    if not isinstance(fields, list):
        raise MalformedError("not the list of fields that it should be")
    durable, priority, ttl, first_acquirer, delivery_count = [*fields, *[None] * 5][:5]
    told: dict[str, Any] = {"delivery_mode": 2 if durable is True else 1}
    if priority is not None:
        told["priority"] = as_json(priority)
    if ttl is not None:
        told["expiration"] = str(as_json(ttl))
    if first_acquirer is not None or delivery_count:
        told["redelivered"] = first_acquirer is False or bool(delivery_count)
    if delivery_count is not None:
        told["delivery_count"] = as_json(delivery_count)
    return told


def _value(encoded: bytes, start: int, end: int) -> Any:
    if end - start > _LARGEST_SECTION_BYTES:
        raise MalformedError(f"{end - start} bytes, more than {_LARGEST_SECTION_BYTES}")
    value = Reader(encoded[start:end]).read()
    return value.value if isinstance(value, Described) else value


def _texts(encoded: bytes, start: int, end: int, kind: int) -> list[Any] | None:
    """Read a short list or map of short texts, nulls and times; None for anything else."""
    if encoded[start] != kind:
        return None
    position = start + 3
    found: list[Any] = []
    try:
        for _ in range(encoded[start + 2]):
            code = encoded[position]
            if code in _TEXTS:
                until = position + 2 + encoded[position + 1]
                found.append(encoded[position + 2 : until].decode())
                position = until
            elif code == _NULL:
                found.append(None)
                position += 1
            elif code == _TIME:
                found.append(_time(encoded[position : position + 9]))
                position += 9
            else:
                return None
    except (IndexError, UnicodeDecodeError):
        return None
    return found if position == end else None


def _time(encoded: bytes) -> datetime | int | None:
    return Reader(encoded).read()  # type: ignore[no-any-return]


def _application(encoded: bytes, start: int, end: int) -> dict[str, Any]:
    held = _map(encoded, start, end)
    return {"application_properties": as_json(held)} if held else {}


def _annotations(encoded: bytes, start: int, end: int) -> dict[str, Any]:
    held = _map(encoded, start, end)
    return {"annotations": as_json(held)} if held else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


_READERS: Final[Mapping[Section, Callable[[bytes, int, int], dict[str, Any]]]] = {
    Section.HEADER: _header,
    Section.ANNOTATIONS: _annotations,
    Section.PROPERTIES: _properties,
    Section.APPLICATION_PROPERTIES: _application,
}
