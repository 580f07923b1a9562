"""Bytes to envelopes and back.

What is read: UTF-8 JSON, one envelope or a list of them, with or without byte order mark, packed with gzip or
not. gzip is known by its first bytes, because the content encoding that came with it may be missing or wrong.
Nothing but ``CFXDecodeError`` leaves the reading functions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NoReturn

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from pywats_cfx.compression import GZIP_MAGIC, gunzip, pack
from pywats_cfx.envelope import ZERO_GUID, CFXEnvelope
from pywats_cfx.errors import CFXDecodeError
from pywats_cfx.limits import DEEPEST, DEFAULT_LIMITS, Limits
from pywats_cfx.messages.registry import MODELS
from pywats_cfx.messages.wire import Moment, short_type
from pywats_cfx.messages.writing import write_moment, write_not_finite

_BOM: Final = b"\xef\xbb\xbf"
_BLANKS: Final = b" \t\r\n"
_FIELDS: Final = (
    "MessageName",
    "Version",
    "TimeStamp",
    "UniqueID",
    "Source",
    "Target",
    "RequestID",
    "MessageBody",
)
_BY_LOWER: Final = {name.lower(): name for name in _FIELDS}
_EXACT: Final = frozenset(_FIELDS)
_MODEL_NAMES: Final = {name.lower(): name for name in MODELS}
_MOMENT: Final[TypeAdapter[datetime | None]] = TypeAdapter(Moment)


def decode(
    body: bytes, *, content_encoding: str | None = None, limits: Limits = DEFAULT_LIMITS
) -> list[CFXEnvelope]:
    """Read all envelopes of a body, and check that the message of each can be typed.

    Args:
        body: the bytes as the broker gave them.
        content_encoding: what the sender called their encoding, in any case.
        limits: how large, deep and many.

    Returns:
        The envelopes in their order; none for an empty list.

    Raises:
        CFXDecodeError: the body, or any one envelope of it, can't be read; ``decode_each`` gives the others.
    """
    envelopes = []
    for index, outcome in enumerate(decode_each(body, content_encoding=content_encoding, limits=limits)):
        if isinstance(outcome, CFXDecodeError):
            raise outcome
        try:
            outcome.message  # noqa: B018  # typed here, so that it can't fail later
        except CFXDecodeError as error:
            error.index = index
            raise
        envelopes.append(outcome)
    return envelopes


def decode_each(
    body: bytes, *, content_encoding: str | None = None, limits: Limits = DEFAULT_LIMITS
) -> list[CFXEnvelope | CFXDecodeError]:
    """Read the envelopes of a body one by one: each is an envelope, or the reason why it is none.

    Messages are not typed yet; ``envelope.message`` does that and may find a reason of its own.

    Raises:
        CFXDecodeError: the body as a whole is not readable.
    """
    content = _parse(_unpack(bytes(body), content_encoding, limits), limits)
    if isinstance(content, dict):
        return [_envelope(content, 0)]
    if not isinstance(content, list):
        raise CFXDecodeError(f"not an envelope and not a list of them, but {_kind(content)}")
    if len(content) > limits.max_envelopes:
        raise CFXDecodeError(
            f"a list of {len(content)} envelopes, more than the {limits.max_envelopes} allowed"
        )
    return [_envelope(item, index) for index, item in enumerate(content)]


def encode(envelopes: CFXEnvelope | Iterable[CFXEnvelope], *, content_encoding: str | None = None) -> bytes:
    """Write envelopes as the standard's own endpoints do: one as an object, several as a list.

    Args:
        envelopes: one envelope or several.
        content_encoding: ``gzip`` to pack them.

    Raises:
        ValueError: an encoding that we don't write.
    """
    many = [envelopes] if isinstance(envelopes, CFXEnvelope) else list(envelopes)
    written = [_written(envelope) for envelope in many]
    body = _dump(written[0] if len(written) == 1 else written)
    if content_encoding is None or content_encoding.strip().lower() in ("", "identity"):
        return body
    if content_encoding.strip().lower() == "gzip":
        return pack(body)
    raise ValueError(f'content encoding "{content_encoding}" is not one that CFX has; use "gzip" or None')


def _unpack(body: bytes, content_encoding: str | None, limits: Limits) -> bytes:
    if body.startswith(GZIP_MAGIC):
        try:
            body = gunzip(body, max_bytes=limits.max_bytes)
        except ValueError as error:
            raise CFXDecodeError(str(error)) from error
    elif len(body) > limits.max_bytes:
        raise CFXDecodeError(f"{len(body)} bytes, more than the {limits.max_bytes} allowed")
    text = body.removeprefix(_BOM).strip(_BLANKS)
    if not text:
        raise CFXDecodeError("the body is empty")
    if not text.startswith((b"{", b"[")):
        named = f' (content encoding "{content_encoding}")' if content_encoding else ""
        raise CFXDecodeError(f"not JSON: begins with {_beginning(text)}{named}")
    return text


_SHOWN: Final = 12


def _beginning(text: bytes) -> str:
    return ascii(text[:_SHOWN].decode("utf-8", "backslashreplace"))


def _parse(text: bytes, limits: Limits) -> Any:
    try:
        content = from_json(text, cache_strings="keys")
    except ValueError as error:
        raise CFXDecodeError(f"not JSON: {error}") from error
    if limits.max_depth < DEEPEST and _is_deeper(content, limits.max_depth):
        raise CFXDecodeError(f"nested deeper than the {limits.max_depth} levels allowed")
    return content


def _is_deeper(content: Any, levels: int) -> bool:
    layer = [content]
    for _ in range(levels):
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
    return bool(layer)


def _envelope(item: Any, index: int) -> CFXEnvelope | CFXDecodeError:
    if not isinstance(item, dict):
        return CFXDecodeError(f"should be an envelope, but is {_kind(item)}", index=index)
    fields = item if item.keys() <= _EXACT else _respelt(item)
    body = fields.get("MessageBody")
    error = CFXDecodeError("", index=index)
    try:
        error.message_name = _message_name(fields, body)
        error.unique_id = _identity(_text(fields, "UniqueID"))
        error.source = _text(fields, "Source")
        if error.message_name is None:
            _refuse("MessageName", "is missing, and MessageBody has no $type either")
        if body is not None and not isinstance(body, dict):
            _refuse("MessageBody", f"should be an object, but is {_kind(body)}")
        return CFXEnvelope(
            message_name=error.message_name,
            body={} if body is None else body,
            source=error.source,
            target=_text(fields, "Target"),
            request_id=_text(fields, "RequestID"),
            unique_id=error.unique_id,
            time_stamp=_moment(fields),
            version=_text(fields, "Version"),
            extra={} if fields is item else {k: v for k, v in fields.items() if k not in _EXACT},
        )
    except _RefusedError as refused:
        error.path, error.reason = refused.path, refused.reason
        return error


class _RefusedError(Exception):
    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason


def _refuse(path: str, reason: str) -> NoReturn:
    raise _RefusedError(path, reason)


def _respelt(item: Mapping[str, Any]) -> dict[str, Any]:
    fields = {}
    for name, value in item.items():
        right = _BY_LOWER.get(name.lower(), name)
        fields[name if right != name and right in item else right] = value
    return fields


def _message_name(fields: Mapping[str, Any], body: Any) -> str | None:
    name = _text(fields, "MessageName")
    label = short_type(body.get("$type")) if isinstance(body, dict) else None
    # Where both stand there and differ, the one that we know counts; the standard leaves it open.
    if name and (name in MODELS or label not in MODELS):
        return _MODEL_NAMES.get(name.lower(), name)
    return label or name


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value.strip() or None if value else None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return _refuse(name, f"should be a text, but is {_kind(value)}")


def _identity(unique_id: str | None) -> str | None:
    return None if unique_id == ZERO_GUID else unique_id


def _moment(fields: Mapping[str, Any]) -> datetime | None:
    value = fields.get("TimeStamp")
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        return _MOMENT.validate_python(value)
    except ValidationError:
        shown = repr(value[:40]) if isinstance(value, str) else _kind(value)
        return _refuse("TimeStamp", f"should be an ISO 8601 time, but is {shown}")


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _written(envelope: CFXEnvelope) -> dict[str, Any]:
    return {
        "MessageName": envelope.message_name,
        "Version": envelope.version,
        "TimeStamp": write_moment(envelope.time_stamp) if envelope.time_stamp else "0001-01-01T00:00:00",
        "UniqueID": envelope.unique_id or ZERO_GUID,
        "Source": envelope.source,
        "Target": envelope.target,
        "RequestID": envelope.request_id,
        "MessageBody": envelope.body,
        **envelope.extra,
    }


def _dump(content: Any) -> bytes:
    try:
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(content), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode()


def _finite(content: Any) -> Any:
    if isinstance(content, float) and not math.isfinite(content):
        return write_not_finite(content)
    if isinstance(content, dict):
        return {name: _finite(member) for name, member in content.items()}
    if isinstance(content, list):
        return [_finite(item) for item in content]
    return content
