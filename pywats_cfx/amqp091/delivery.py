"""What a delivery over AMQP 0-9-1 says, as plain data; with what RabbitMQ left of an AMQP 1.0 message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from aiormq.abc import DeliveredMessage

from pywats_cfx.amqp.content import Content, as_json
from pywats_cfx.amqp.encoding import MalformedError
from pywats_cfx.amqp.sections import (
    read_annotations,
    read_application_properties,
    read_body,
    read_properties,
)

#: What RabbitMQ calls a body that is still encoded AMQP 1.0.
_ENCODED: Final = "amqp-1.0"
_PROPERTIES_HEADER: Final = "x-amqp-1.0-properties"
_APPLICATION_HEADER: Final = "x-amqp-1.0-app-properties"
_ANNOTATIONS_HEADER: Final = "x-amqp-1.0-message-annotations"
_FOOTER_HEADER: Final = "x-amqp-1.0-footer"
_SECTION_HEADERS: Final = frozenset(
    {_PROPERTIES_HEADER, _APPLICATION_HEADER, _ANNOTATIONS_HEADER, _FOOTER_HEADER}
)

_PLAIN_FIELDS: Final = (
    "message_id",
    "correlation_id",
    "reply_to",
    "timestamp",
    "expiration",
    "priority",
    "delivery_mode",
    "user_id",
    "app_id",
)


def read_delivery(delivered: DeliveredMessage) -> Content:
    """Read a delivery. Raises nothing: what is malformed is handed on unchanged, and said in ``unread``."""
    basic = delivered.header.properties
    headers: Mapping[str, Any] = basic.headers or {}
    unread: list[str] = []

    body = delivered.body
    if basic.message_type == _ENCODED:
        body = _attempt("body", read_body, body, unread, otherwise=body)
    fields = _section(_PROPERTIES_HEADER, read_properties, headers, unread)
    application = _section(_APPLICATION_HEADER, read_application_properties, headers, unread)
    annotations = _section(_ANNOTATIONS_HEADER, read_annotations, headers, unread)

    plain = {name: value for name, value in headers.items() if name not in _SECTION_HEADERS}
    if application is None:
        application = {name: value for name, value in plain.items() if not name.startswith("x-")}

    properties: dict[str, Any] = {
        "exchange": delivered.exchange,
        "redelivered": bool(delivered.redelivered),
        "type": basic.message_type,
    }
    properties |= {name: getattr(basic, name) for name in _PLAIN_FIELDS}
    properties |= fields or {}
    properties["delivery_count"] = headers.get("x-delivery-count")
    properties = {name: as_json(value) for name, value in properties.items() if value is not None}
    properties |= {
        name: as_json(value)
        for name, value in (
            ("application_properties", application),
            ("annotations", annotations),
            ("headers", plain),
            ("unread", unread),
        )
        if value
    }
    content_type = _text(properties.pop("content_type", None))
    content_encoding = _text(properties.pop("content_encoding", None))
    return Content(
        body=body,
        content_type=basic.content_type or content_type,
        content_encoding=basic.content_encoding or content_encoding,
        properties=properties,
    )


def _section(
    header: str, read: Callable[[bytes], dict[Any, Any]], headers: Mapping[str, Any], unread: list[str]
) -> dict[Any, Any] | None:
    raw = headers.get(header)
    if isinstance(raw, str):  # a section that happens to be valid UTF-8 arrives decoded
        raw = raw.encode()
    if not isinstance(raw, bytes | bytearray):
        return None
    section: dict[Any, Any] | None = _attempt(header, read, bytes(raw), unread, otherwise=None)
    return section


def _attempt(
    what: str, read: Callable[[bytes], Any], raw: bytes, unread: list[str], *, otherwise: Any
) -> Any:
    try:
        return read(raw)
    except MalformedError as error:
        unread.append(f"{what}: not AMQP 1.0 as RabbitMQ says: {error}")
        return otherwise


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
