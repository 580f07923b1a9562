"""Sections of AMQP 1.0 messages: by themselves, and as RabbitMQ leaves them in what an 0-9-1 consumer gets.

RabbitMQ hands an AMQP 1.0 body on as plain bytes when it was one ``data`` section, and as the still encoded
sections otherwise; up to version 3.13 properties and application properties travel as one encoded section
each, in a header.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final

from pywats_cfx.amqp.encoding import Described, MalformedError, Reader

#: A section in a header is a few hundred bytes; a frame of RabbitMQ's is 128 KiB.
_LARGEST_HEADER_BYTES: Final = 256 * 1024


class Section(IntEnum):
    """The sections of a message, by the codes that the standard gives them."""

    HEADER = 0x70
    DELIVERY_ANNOTATIONS = 0x71
    ANNOTATIONS = 0x72
    PROPERTIES = 0x73
    APPLICATION_PROPERTIES = 0x74
    DATA = 0x75
    SEQUENCE = 0x76
    VALUE = 0x77
    FOOTER = 0x78


_CODES: Final[Mapping[Any, Section]] = {
    "amqp:header:list": Section.HEADER,
    "amqp:delivery-annotations:map": Section.DELIVERY_ANNOTATIONS,
    "amqp:message-annotations:map": Section.ANNOTATIONS,
    "amqp:properties:list": Section.PROPERTIES,
    "amqp:application-properties:map": Section.APPLICATION_PROPERTIES,
    "amqp:data:binary": Section.DATA,
    "amqp:amqp-sequence:list": Section.SEQUENCE,
    "amqp:amqp-value:*": Section.VALUE,
    "amqp:footer:map": Section.FOOTER,
    **{section.value: section for section in Section},
}
_BODY: Final = frozenset({Section.DATA, Section.SEQUENCE, Section.VALUE})

#: The fields of the properties section, in their order.
PROPERTY_NAMES: Final = (
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
    if all(part.descriptor == Section.DATA for part in parts):
        return b"".join(_bytes(part.value, "data") for part in parts)
    if len(parts) > 1:
        raise MalformedError(f"{len(parts)} body sections that do not belong together")
    (part,) = parts
    if part.descriptor == Section.VALUE:
        return _bytes(part.value, "amqp-value")
    if not isinstance(part.value, list) or len(part.value) != 1:
        raise MalformedError("an amqp-sequence of other than one value")
    return _bytes(part.value[0], "amqp-sequence")


def read_properties(encoded: bytes) -> dict[str, Any]:
    """Give the fields of an encoded ``properties`` section, by name, without those that are not set.

    Raises:
        MalformedError: this is no such section.
    """
    value = _section_value(encoded, Section.PROPERTIES, list)
    if len(value) > len(PROPERTY_NAMES):
        raise MalformedError(f"properties with {len(value)} fields")
    return {name: field for name, field in zip(PROPERTY_NAMES, value, strict=False) if field is not None}


def read_application_properties(encoded: bytes) -> dict[Any, Any]:
    """Give what an encoded ``application-properties`` section holds.

    Raises:
        MalformedError: this is no such section.
    """
    value: dict[Any, Any] = _section_value(encoded, Section.APPLICATION_PROPERTIES, dict)
    return value


def read_annotations(encoded: bytes) -> dict[Any, Any]:
    """Give what an encoded ``message-annotations`` section holds.

    Raises:
        MalformedError: this is no such section.
    """
    value: dict[Any, Any] = _section_value(encoded, Section.ANNOTATIONS, dict)
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
        found.append(Described(section_code(section.descriptor), section.value))
    return found


def section_code(descriptor: Any) -> Section:
    """Give the section that a descriptor stands for, in either of its forms.

    Raises:
        MalformedError: there is none.
    """
    if isinstance(descriptor, int | str) and (code := _CODES.get(descriptor)) is not None:
        return code
    raise MalformedError(f"no section has the descriptor {descriptor!r:.60}")


def _bytes(value: Any, section: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    raise MalformedError(f"{section} holds {type(value).__name__}, neither text nor bytes")
