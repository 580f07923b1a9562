"""Where messages come from. Those that need a library of their own are loaded when first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from pywats_events.transports.base import BaseTransport, Intake
from pywats_events.transports.mock import MockTransport

if TYPE_CHECKING:
    from pywats_events.transports.capture import CaptureTransport
    from pywats_events.transports.mqtt import MQTTTransport
    from pywats_events.transports.webhook import WebhookTransport

_HOME: Final = {"CaptureTransport": "capture", "MQTTTransport": "mqtt", "WebhookTransport": "webhook"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    member = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = member
    return member


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "BaseTransport",
    "CaptureTransport",
    "Intake",
    "MQTTTransport",
    "MockTransport",
    "WebhookTransport",
]
