"""From the bytes of a call to what adapters read: unpacked, within the limits of its hook, in one mode."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Final

from pydantic_core import from_json

from pywats_events.event import Event, EventFormatError
from pywats_events.message import Adapter, RawMessage, Unreadable
from pywats_events.transports.webhook.binary_mode import attributes_in, structured
from pywats_events.transports.webhook.config import HookConfig

#: Content encodings that are read.
GZIP: Final = ("gzip", "x-gzip")

_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 31  # 15 bits of window, 16 for the gzip frame
_BOM: Final = b"\xef\xbb\xbf"
_STRUCTURED: Final = "application/cloudevents"
#: Formats whose bodies are JSON.
_JSON: Final = frozenset({None, "json", "cloudevents", "events", "cfx"})


class LimitExceeded(ValueError):  # noqa: N818  # says what the content does
    """A body asks more of us than its hook allows."""


class TooLarge(LimitExceeded):
    """It is larger than allowed when it is unpacked; it was not unpacked further."""


class HookAdapter:
    """Reads the messages of hooks: prepares them, and gives them to the adapter that knows their format.

    It is pure as all adapters are, so that what the journal keeps can be read again.

    Args:
        hooks: the hooks, with their limits.
        adapter: reads what was prepared.
    """

    def __init__(self, hooks: Iterable[HookConfig], adapter: Adapter) -> None:
        self._hooks = {hook.address: hook for hook in hooks}
        self._adapter = adapter

    def __call__(self, message: RawMessage) -> Sequence[Event | Unreadable]:
        """Read a message."""
        hook = self._hooks.get(message.address)
        if hook is None:
            reason = f"there is no hook {message.address} any more; add it under [[webhook.hooks]]"
            return [_unreadable(message, reason, "NoHook")]
        try:
            return self._adapter(_prepared(message, hook))
        except (LimitExceeded, EventFormatError) as error:
            return [_unreadable(message, str(error), type(error).__name__)]


def takes(hook: HookConfig, content_type: str | None) -> bool:
    """Tell whether a hook reads bodies of a media type. None given is taken for the right one."""
    if content_type is None or hook.format not in _JSON:
        return True
    media, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charset = next((part.partition("=")[2] for part in parameters if part.startswith("charset")), "utf-8")
    is_json = media in ("application/json", "text/json") or media.endswith("+json")
    return is_json and charset.strip('" ') in ("utf-8", "utf8", "us-ascii")


def _prepared(message: RawMessage, hook: HookConfig) -> RawMessage:
    body = message.body
    # the encoding that was named with it may be missing
    if message.content_encoding in GZIP or body.startswith(_GZIP_MAGIC):
        body = _gunzip(body, hook.max_bytes)
    if hook.format in _JSON:
        _check_size(body, hook)
    media = (message.content_type or "").partition(";")[0].strip().lower()
    attributes = attributes_in(message.properties)
    content_type = message.content_type
    if hook.format == "cloudevents" and attributes and not media.startswith(_STRUCTURED):
        body, content_type = structured(attributes, body), f"{_STRUCTURED}+json"
    if body is message.body:
        return message
    return dataclasses.replace(message, body=body, content_encoding=None, content_type=content_type)


def _gunzip(packed: bytes, most: int) -> bytes:
    unpacking = zlib.decompressobj(_GZIP_WINDOW)
    try:
        body = unpacking.decompress(packed, most + 1)
    except zlib.error as error:
        raise EventFormatError(f"body: damaged gzip: {error}") from error
    if len(body) > most:
        raise TooLarge(f"body: more than the {most} bytes allowed when it is unpacked")
    if not unpacking.eof:
        raise EventFormatError("body: the gzip is cut off")
    if unpacking.unused_data:
        raise EventFormatError(f"body: {len(unpacking.unused_data)} bytes behind the end of the gzip")
    return body


def _check_size(body: bytes, hook: HookConfig) -> None:
    """Refuse what would fill memory or stack of whoever reads it.

    Brackets and commas in texts are counted too: to tell them apart costs time, and a body has to be larger
    or deeper than any that is meant well before it matters.
    """
    opening = body.count(b"{") + body.count(b"[")
    if opening + body.count(b",") > hook.max_values:
        raise LimitExceeded(f"body: more than the {hook.max_values} values allowed")
    if opening > hook.max_depth and _is_deeper(body, hook.max_depth):
        raise LimitExceeded(f"body: nested deeper than the {hook.max_depth} levels allowed")


def _is_deeper(body: bytes, levels: int) -> bool:
    try:
        layer = [from_json(body.removeprefix(_BOM), cache_strings="keys")]
    except ValueError as error:
        return "recursion limit" in str(error)  # what else is wrong with it, its adapter tells
    for _ in range(levels):
        layer = [
            inner
            for outer in layer
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return bool(layer)


def _unreadable(message: RawMessage, reason: str, error: str) -> Unreadable:
    return Unreadable(id=sha256(message.body).hexdigest(), reason=reason, error=error)


def kept_headers(headers: Iterable[tuple[str, str]], hook: HookConfig) -> dict[str, Any]:
    """Give the headers that are kept with a message: those that its reading may need, never a credential."""
    kept: dict[str, Any] = {}
    for name, value in headers:
        if name in _KEPT or name in hook.headers or name.startswith("ce-"):
            kept[name] = f"{kept[name]}, {value}" if name in kept else value
    return kept


_KEPT: Final = frozenset(
    {
        "webhook-id",
        "webhook-timestamp",
        "idempotency-key",
        "traceparent",
        "tracestate",
        "user-agent",
        "x-github-event",
        "x-github-delivery",
        "x-gitlab-event",
        "x-gitlab-event-uuid",
    }
)
