"""Webhooks: messages that other systems bring over HTTP.

The web server is loaded when it is first asked for: reading a configuration needs none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from pywats_events.transports.webhook.config import HookConfig, WebhookConfig

if TYPE_CHECKING:
    from pywats_events.transports.webhook.server import HookConnection
    from pywats_events.transports.webhook.transport import WebhookTransport

__all__ = ["HookConfig", "HookConnection", "WebhookConfig", "WebhookTransport"]

_HOME: Final = {"HookConnection": "server", "WebhookTransport": "transport"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    member = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = member
    return member
