"""The form of a capture: lines of JSON, a head and then one message in each.

A body that is text stands there as text, so that a capture can be read and compared; one that is not, or that
holds control characters, stands in base64. Either gives the same bytes back.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from pywats_events.message import RawMessage

#: Version of the form, which the head names.
VERSION: Final = 1
#: No line is longer. A body of 64 MiB, the most that CFX messages may have, fits in either way of writing.
MOST_BYTES_OF_A_LINE: Final = 192 * 1024 * 1024

#: Names of properties that may hold a secret; they are left out with all that is in them.
_SECRET: Final = re.compile(
    r"authori[sz]ation|password|passwd|secret|token|cookie|api[-_ ]?key|signature|credential", re.IGNORECASE
)
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
#: Properties deeper than this are left out.
_DEEPEST: Final = 50


class CaptureError(Exception):
    """A capture can't be written or read; the text names the file, the reason, and what to do."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A line that holds no message.

    Attributes:
        line: its number in the file; the head is 1.
        reason: why.
    """

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


class Head(msgspec.Struct):
    """The first line.

    Attributes:
        capture: version of the form.
        made: when, as ISO 8601.
        by: which program made it.
    """

    capture: int
    made: str = ""
    by: str = ""


class _Line(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    received: str
    transport: str
    address: str = ""
    content_type: str | None = None
    content_encoding: str | None = None
    properties: dict[str, Any] = {}
    left_out: list[str] = []
    text: str | None = None
    base64: str | None = None


# --- writing ---------------------------------------------------------------------------------------------


def head_line(*, by: str) -> bytes:
    """Give the first line of a new capture."""
    return _line({"capture": VERSION, "made": datetime.now(UTC).isoformat(timespec="seconds"), "by": by})


def message_line(message: RawMessage) -> bytes:
    """Give the line of a message, without what may be a secret in its properties.

    Raises:
        ValueError: the properties are no JSON data.
    """
    left_out: list[str] = []
    properties = _open_part(message.properties, "", left_out, _DEEPEST)
    named: dict[str, Any] = {
        "received": message.received_at.isoformat(),
        "transport": message.transport,
        "address": message.address,
        "content_type": message.content_type,
        "content_encoding": message.content_encoding,
        "properties": properties,
        "left_out": left_out,
    }
    named = {name: value for name, value in named.items() if value not in (None, {}, [])}
    try:
        text = message.body.decode()
    except UnicodeDecodeError:
        text = None
    if text is None or _CONTROL.search(text):
        named["base64"] = b64encode(message.body).decode("ascii")
    else:
        named["text"] = text
    return _line(named)


def _line(document: Mapping[str, Any]) -> bytes:
    try:
        encoded = json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a character in an address: only an escape can say that
        encoded = json.dumps(document).encode()
    except (TypeError, RecursionError) as error:
        raise ValueError(f"the message's properties are no JSON data: {error}") from error
    return encoded + b"\n"


def _open_part(value: Any, where: str, left_out: list[str], depth: int) -> Any:
    """Give what of the properties may be written; note the rest."""
    if isinstance(value, Mapping):
        kept = {}
        for name, inner in value.items():
            path = f"{where}.{name}" if where else str(name)
            if _SECRET.search(str(name)) or depth == 0:
                left_out.append(path)
            else:
                kept[str(name)] = _open_part(inner, path, left_out, depth - 1)
        return kept
    if isinstance(value, list | tuple):
        if depth == 0:
            left_out.append(where)
            return []
        return [
            _open_part(inner, f"{where}[{index}]", left_out, depth - 1) for index, inner in enumerate(value)
        ]
    return value


# --- reading ---------------------------------------------------------------------------------------------


def read_head(line: bytes) -> Head | None:
    """Read the first line; None: the file is no capture."""
    try:
        return msgspec.convert(json.loads(line), Head)
    except (ValueError, RecursionError):  # also msgspec's
        return None


def read_message(line: bytes) -> RawMessage:
    """Read the line of a message.

    Raises:
        ValueError: it holds none; the text says why.
    """
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        is_cut = not line.endswith(b"\n")
        raise ValueError("is cut off" if is_cut else f"is not JSON: {error}") from None
    try:
        read = msgspec.convert(document, _Line)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
    return RawMessage(
        body=_body(read),
        content_type=read.content_type,
        content_encoding=read.content_encoding,
        transport=read.transport,
        address=read.address,
        properties=read.properties,
        received_at=_moment(read.received),
    )


def _body(read: _Line) -> bytes:
    if (read.text is None) == (read.base64 is None):
        raise ValueError("needs a body, either text or base64")
    try:
        if read.text is not None:
            return read.text.encode()
        return b64decode(read.base64 or "", validate=True)
    except ValueError as error:
        what = "text" if read.text is not None else "base64"
        raise ValueError(f"{what}: {error}") from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        moment.timestamp()  # years that only some time zones have
    except (ValueError, OverflowError) as error:
        raise ValueError(f"received: no time: {error}") from None
    return moment
