"""CloudEvents in binary mode: attributes in headers, data in the body (HTTP protocol binding, 3.1)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from pywats_events.event import EventFormatError, loads

PREFIX: Final = "ce-"

_NAME: Final = re.compile(r"[a-z0-9]+")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")
_BROKEN_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def attributes_in(headers: Mapping[str, Any]) -> dict[str, str]:
    """Give the headers of a CloudEvent."""
    return {name: value for name, value in headers.items() if name.startswith(PREFIX)}


def structured(headers: Mapping[str, str], body: bytes) -> bytes:
    """Give the JSON document (structured mode) of an event in binary mode.

    Args:
        headers: those that begin with ``ce-``, by their names in lower case.
        body: the data, JSON; nothing where the event has none.

    Raises:
        EventFormatError: an attribute or the data can't be read; the text names it.
    """
    document: dict[str, Any] = {}
    for header, value in headers.items():
        name = header.removeprefix(PREFIX)
        if _NAME.fullmatch(name) is None or name == "data":
            raise EventFormatError(f'CloudEvent: header "{header[:100]}" names no attribute')
        document[name] = _value(header, value)
    if body:
        try:
            document["data"] = loads(body)
        except EventFormatError as error:
            raise EventFormatError(f'CloudEvent: "data", which is the body, is {error}') from error
    return json.dumps(document).encode()


def _value(header: str, text: str) -> str:
    quoted = _QUOTED.fullmatch(text)
    if quoted:
        text = _ESCAPED.sub(r"\1", quoted.group(1))
    if _BROKEN_PERCENT.search(text):
        raise EventFormatError(
            f'CloudEvent: header "{header}" has a % that two hexadecimal digits must follow'
        )
    try:
        return unquote_to_bytes(text.encode("latin-1")).decode()
    except ValueError:
        raise EventFormatError(f'CloudEvent: header "{header}" is not UTF-8 in percent-encoding') from None
