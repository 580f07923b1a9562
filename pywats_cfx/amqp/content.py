"""A message over AMQP of either version, read: its content, and what was said of it as plain data."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pywats_cfx.amqp.encoding import Described

_DEEPEST: Final = 16


@dataclass(frozen=True, slots=True)
class Content:
    """One message, read.

    Attributes:
        body: the content, free of AMQP 1.0 framing where that could be taken off.
        content_type: media type that the sender gave, if any.
        content_encoding: ``gzip`` or such, if any.
        properties: JSON data. ``application_properties`` are those of AMQP 1.0, else the plain headers of
            0-9-1; ``unread`` lists what could not be read and was handed on as it came.
    """

    body: bytes
    content_type: str | None
    content_encoding: str | None
    properties: dict[str, Any]


def as_json(value: Any, depth: int = 0) -> Any:  # noqa: PLR0911  # one line for each kind of value
    """Give the JSON data that stands for a value of either AMQP: uuids as ``urn:uuid:``, bytes in base64."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, UUID):
        return value.urn
    if depth < _DEEPEST:
        if isinstance(value, Described):
            return as_json(value.value, depth + 1)
        if isinstance(value, Mapping):
            return {str(as_json(key, depth + 1)): as_json(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [as_json(item, depth + 1) for item in value]
    return str(value)
