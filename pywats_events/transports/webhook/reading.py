"""From the bytes of a call to what adapters read: unpacked, within the limits of its hook, in one mode."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Final

from pywats_events.event import Event, EventFormatError
from pywats_events.mapping.body import BodyError, BodyTooLarge, check_size, unpacked
from pywats_events.message import Adapter, RawMessage, Unreadable
from pywats_events.returned import SENT_BY
from pywats_events.transports.webhook.binary_mode import attributes_in, structured
from pywats_events.transports.webhook.config import HookConfig

_STRUCTURED: Final = "application/cloudevents"
#: Formats whose bodies are JSON.
_JSON: Final = frozenset({None, "json", "cloudevents", "events", "cfx"})
#: Those whose events are as their sender made them.
#: What is told of a body with too many bytes.
TOO_LARGE: Final = BodyTooLarge.__name__


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
        except BodyError as error:
            return [_unreadable(message, f"body: {error}", type(error).__name__)]
        except EventFormatError as error:
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
    body = unpacked(message.body, message.content_encoding, hook.limits)
    if hook.format in _JSON and not hook.is_mapped:  # a mapping looks by itself
        check_size(body, hook.limits)
    media = (message.content_type or "").partition(";")[0].strip().lower()
    attributes = attributes_in(message.properties)
    content_type = message.content_type
    if hook.format == "cloudevents" and attributes and not media.startswith(_STRUCTURED):
        body, content_type = structured(attributes, body), f"{_STRUCTURED}+json"
    if body is message.body:
        return message
    return dataclasses.replace(message, body=body, content_encoding=None, content_type=content_type)


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
        SENT_BY,
    }
)
