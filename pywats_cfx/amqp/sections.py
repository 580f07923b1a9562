"""Sections of AMQP 1.0 messages, as RabbitMQ leaves them in what an AMQP 0-9-1 consumer gets.

RabbitMQ hands an AMQP 1.0 body on as plain bytes when it was one ``data`` section, and as the still encoded
sections otherwise; up to version 3.13 properties and application properties travel as one encoded section
each, in a header.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pywats_cfx.amqp.encoding import Described, MalformedError, Reader

#: A section in a header is a few hundred bytes; a frame of RabbitMQ's is 128 KiB.
_LARGEST_HEADER_BYTES: Final = 256 * 1024

_PROPERTIES: Final = 0x73
_APPLICATION_PROPERTIES: Final = 0x74
_DATA: Final = 0x75
_SEQUENCE: Final = 0x76
_VALUE: Final = 0x77
_ANNOTATIONS: Final = 0x72

_CODES: Final[Mapping[str, int]] = {
    "amqp:header:list": 0x70,
    "amqp:delivery-annotations:map": 0x71,
    "amqp:message-annotations:map": _ANNOTATIONS,
    "amqp:properties:list": _PROPERTIES,
    "amqp:application-properties:map": _APPLICATION_PROPERTIES,
    "amqp:data:binary": _DATA,
    "amqp:amqp-sequence:list": _SEQUENCE,
    "amqp:amqp-value:*": _VALUE,
    "amqp:footer:map": 0x78,
}
_BODY: Final = frozenset({_DATA, _SEQUENCE, _VALUE})

_PROPERTY_NAMES: Final = (
    "message_id",
    "user_id",
    "to",
    "subject",
    "reply_to",
    "correlation_id",
    "content_type",
    "content_encoding",
    "absolute_expiry_time",
    "creation_time",
    "group_id",
    "group_sequence",
    "reply_to_group_id",
)


def read_body(encoded: bytes) -> bytes:
    """Give the content of encoded body sections: the joined data sections, or the one text or binary value.

    Raises:
        MalformedError: these are no sections, or what they hold is neither text nor bytes.
    """
    parts = [section for section in _sections(encoded) if section.descriptor in _BODY]
    if not parts:
        raise MalformedError("no body section")
    if all(part.descriptor == _DATA for part in parts):
        return b"".join(_bytes(part.value, "data") for part in parts)
    if len(parts) > 1:
        raise MalformedError(f"{len(parts)} body sections that do not belong together")
    (part,) = parts
    if part.descriptor == _VALUE:
        return _bytes(part.value, "amqp-value")
    if not isinstance(part.value, list) or len(part.value) != 1:
        raise MalformedError("an amqp-sequence of other than one value")
    return _bytes(part.value[0], "amqp-sequence")


def read_properties(encoded: bytes) -> dict[str, Any]:
    """Give the fields of an encoded ``properties`` section, by name, without those that are not set.

    Raises:
        MalformedError: this is no such section.
    """
    value = _section_value(encoded, _PROPERTIES, list)
    if len(value) > len(_PROPERTY_NAMES):
        raise MalformedError(f"properties with {len(value)} fields")
    return {name: field for name, field in zip(_PROPERTY_NAMES, value, strict=False) if field is not None}


def read_application_properties(encoded: bytes) -> dict[Any, Any]:
    """Give what an encoded ``application-properties`` section holds.

    Raises:
        MalformedError: this is no such section.
    """
    value: dict[Any, Any] = _section_value(encoded, _APPLICATION_PROPERTIES, dict)
    return value


def read_annotations(encoded: bytes) -> dict[Any, Any]:
    """Give what an encoded ``message-annotations`` section holds.

    Raises:
        MalformedError: this is no such section.
    """
    value: dict[Any, Any] = _section_value(encoded, _ANNOTATIONS, dict)
    return value


def _section_value(encoded: bytes, code: int, kind: type) -> Any:
    if len(encoded) > _LARGEST_HEADER_BYTES:
        raise MalformedError(f"a section of {len(encoded)} bytes, more than {_LARGEST_HEADER_BYTES}")
    sections = _sections(encoded)
    if len(sections) != 1 or sections[0].descriptor != code or not isinstance(sections[0].value, kind):
        raise MalformedError(f"not one section of the kind 0x{code:02x}")
    return sections[0].value


def _sections(encoded: bytes) -> list[Described]:
    reader = Reader(encoded)
    found = []
    while not reader.exhausted:
        section = reader.read()
        if not isinstance(section, Described):
            raise MalformedError("a value that is no section")
        found.append(Described(_code(section.descriptor), section.value))
    return found


def _code(descriptor: Any) -> int:
    code = _CODES.get(descriptor, -1) if isinstance(descriptor, str) else descriptor
    if code not in _CODES.values():
        raise MalformedError(f"no section has the descriptor {descriptor!r:.60}")
    return int(code)


def _bytes(value: Any, section: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    raise MalformedError(f"{section} holds {type(value).__name__}, neither text nor bytes")
