"""Bytes to envelopes and back.

What is read: UTF-8 JSON, one envelope or a list of them, with or without byte order mark, packed with gzip or
not. gzip is known by its first bytes, because the content encoding that came with it may be missing or wrong.
Nothing but ``CFXDecodeError`` leaves the reading functions.

A single envelope is read in two steps. The first goes over the whole text and checks it, but makes objects of
the envelope's own fields only, which costs less than half of reading all. The second makes the body, when
somebody asks for it. Both use the same parser, so that a body which passed the first can't fail the second. A
list is read whole at once: it holds many small messages, and there looking first costs more than it saves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pydantic_core import SchemaValidator, ValidationError, core_schema, from_json, to_json

from pywats_cfx.envelope import ZERO_GUID, CFXEnvelope
from pywats_cfx.errors import CFXDecodeError
from pywats_cfx.limits import DEEPEST, DEFAULT_LIMITS, Limits
from pywats_events.compression import GZIP_MAGIC, gunzip, pack

if TYPE_CHECKING:
    from pydantic import TypeAdapter

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
#: Names of an envelope's fields, by their spelling in lower case.
FIELDS_BY_LOWER: Final = {name.lower(): name for name in _FIELDS}
_EXACT: Final = frozenset(_FIELDS)

#: An object whose MessageBody is an object or null: all fields as they are, but of the body only its label.
_ENVELOPE_WITHOUT_BODY: Final = SchemaValidator(
    core_schema.typed_dict_schema(
        {
            "MessageBody": core_schema.typed_dict_field(
                core_schema.nullable_schema(
                    core_schema.typed_dict_schema(
                        {"$type": core_schema.typed_dict_field(core_schema.any_schema(), required=False)},
                        extra_behavior="ignore",
                    )
                ),
                required=False,
            )
        },
        extra_behavior="allow",
    )
)


def decode(
    body: bytes, *, content_encoding: str | None = None, limits: Limits = DEFAULT_LIMITS
) -> list[CFXEnvelope]:
    """Read all envelopes of a body.

    Messages are not typed yet: ``envelope.message`` does that when asked, and raises ``CFXDecodeError`` where
    a field holds a value of a wholly different kind.

    Args:
        body: the bytes as the broker gave them.
        content_encoding: what the sender called their encoding, in any case. It is only shown in errors.
        limits: how large, deep and many.

    Returns:
        The envelopes in their order; none for an empty list.

    Raises:
        CFXDecodeError: the body, or any one envelope of it, can't be read; ``decode_each`` gives the others.
    """
    envelopes = []
    for outcome in decode_each(body, content_encoding=content_encoding, limits=limits):
        if isinstance(outcome, CFXDecodeError):
            raise outcome
        envelopes.append(outcome)
    return envelopes


def decode_each(
    body: bytes, *, content_encoding: str | None = None, limits: Limits = DEFAULT_LIMITS
) -> list[CFXEnvelope | CFXDecodeError]:
    """Read the envelopes of a body one by one: each is an envelope, or the reason why it is none.

    Takes what ``decode`` takes; messages are not typed yet here either.

    Raises:
        CFXDecodeError: the body as a whole is not readable.
    """
    text = _unpack(bytes(body), content_encoding, limits)
    if text.startswith(b"{") and limits.max_depth >= DEEPEST:
        fields = _fields_without_body(text)
        if fields is not None:
            outcome = _envelope(fields, 0)
            if isinstance(outcome, CFXEnvelope) and fields.get("MessageBody") is not None:
                outcome.leave_unread(text)
            return [outcome]
    content = _parse(text, limits)
    if isinstance(content, dict):
        return [_envelope(content, 0)]
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
        ValueError: an encoding that we don't write, or a body that holds what JSON can't.
    """
    many = [envelopes] if isinstance(envelopes, CFXEnvelope) else list(envelopes)
    written = [_written(envelope) for envelope in many]
    body = to_json(written[0] if len(written) == 1 else written, inf_nan_mode="strings")
    if content_encoding is None or content_encoding.strip().lower() in ("", "identity"):
        return body
    if content_encoding.strip().lower() == "gzip":
        return pack(body)
    raise ValueError(f'content encoding "{content_encoding}" is not one that CFX has; use "gzip" or None')


def _unpack(body: bytes, content_encoding: str | None, limits: Limits) -> bytes:
    if len(body) > limits.max_bytes:
        raise CFXDecodeError(f"{len(body)} bytes, more than the {limits.max_bytes} allowed")
    if body.startswith(GZIP_MAGIC):
        try:
            body = gunzip(body, max_bytes=limits.max_bytes)
        except ValueError as error:
            raise CFXDecodeError(str(error)) from error
        if body.startswith(GZIP_MAGIC):
            raise CFXDecodeError("gzip inside gzip: pack the JSON text once")
    text = body.removeprefix(_BOM).strip(_BLANKS)
    if not text:
        raise CFXDecodeError("the body is empty")
    if text.startswith(_WIDE_BOMS) or b"\0" in text[:_SHOWN]:
        raise CFXDecodeError("not JSON in UTF-8: looks like UTF-16 or UTF-32, or like binary data")
    if not text.startswith((b"{", b"[")):
        named = f' (content encoding "{content_encoding}")' if content_encoding else ""
        raise CFXDecodeError(f"not JSON: begins with {_beginning(text)}{named}")
    _count_values(text, limits.max_values)
    return text


_WIDE_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")


def _count_values(text: bytes, most: int) -> None:
    """Refuse what would fill the memory: there are no more values than commas, and one per list or object.

    Those that stand in texts are counted too. To tell them apart would itself cost time and memory, and a
    body has to be larger than any that machines send before it matters.
    """
    if len(text) > most and text.count(b",") + text.count(b"[") + text.count(b"{") > most:
        raise CFXDecodeError(f"more than the {most} values allowed")


_SHOWN: Final = 12


def _beginning(text: bytes) -> str:
    return ascii(text[:_SHOWN].decode("utf-8", "backslashreplace"))


def _fields_without_body(text: bytes) -> dict[str, Any] | None:
    """Give the fields of a usual envelope; None where only reading the whole can tell what it is."""
    try:
        fields: dict[str, Any] = _ENVELOPE_WITHOUT_BODY.validate_json(text)
    except ValidationError:
        return None
    return fields


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
        envelope = CFXEnvelope(
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
        envelope.index = index
    except _RefusedError as refused:
        error.path, error.reason = refused.path, refused.reason
        return error
    return envelope


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
        right = FIELDS_BY_LOWER.get(name.lower(), name)
        fields[name if right != name and right in item else right] = value
    return fields


def _message_name(fields: Mapping[str, Any], body: Any) -> str | None:
    from pywats_cfx.messages.registry import NAMES, right_name  # noqa: PLC0415  # loads with the first decode
    from pywats_cfx.messages.wire import short_type  # noqa: PLC0415  # as above

    name = _text(fields, "MessageName")
    label = short_type(body.get("$type")) if isinstance(body, dict) else None
    # Where both stand there and differ, the one that we know counts; the standard leaves it open.
    if name and (name in NAMES or label not in NAMES):
        return right_name(name) or name
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
        return _moments().validate_python(value)
    except ValidationError:
        shown = repr(value[:40]) if isinstance(value, str) else _kind(value)
        return _refuse("TimeStamp", f"should be an ISO 8601 time, but is {shown}")


@cache
def _moments() -> TypeAdapter[datetime | None]:
    from pydantic import TypeAdapter  # noqa: PLC0415  # as above

    from pywats_cfx.messages.wire import Moment  # noqa: PLC0415  # as above

    return TypeAdapter(Moment)


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _written(envelope: CFXEnvelope) -> dict[str, Any]:
    return {
        "MessageName": envelope.message_name,
        "Version": envelope.version,
        "TimeStamp": _written_moment(envelope.time_stamp),
        "UniqueID": envelope.unique_id or ZERO_GUID,
        "Source": envelope.source,
        "Target": envelope.target,
        "RequestID": envelope.request_id,
        "MessageBody": _label_first(envelope.body),
        **envelope.extra,
    }


def _written_moment(moment: datetime | None) -> str:
    from pywats_cfx.messages.writing import write_moment  # noqa: PLC0415  # as above

    return write_moment(moment) if moment else "0001-01-01T00:00:00"


def _label_first(body: dict[str, Any]) -> dict[str, Any]:
    if "$type" not in body or next(iter(body)) == "$type":
        return body
    return {"$type": body["$type"]} | body
