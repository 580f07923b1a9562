"""IPC-CFX: envelopes, typed messages, transports, and the way to domain events.

Everything is loaded when first asked for: reading envelopes needs no models, reading messages no broker
library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pywats_cfx import messages
    from pywats_cfx.adapter import CFXAdapter, cfx_adapter
    from pywats_cfx.amqp.transport import CFXTransport
    from pywats_cfx.amqp10.listener import CFXListener
    from pywats_cfx.codec import decode, decode_each, encode
    from pywats_cfx.config import AMQPConfig, CFXConfig
    from pywats_cfx.endpoint.config import EndpointConfig
    from pywats_cfx.endpoint.endpoint import Endpoint
    from pywats_cfx.envelope import CFXEnvelope
    from pywats_cfx.errors import CFXDecodeError
    from pywats_cfx.limits import Limits

_HOME: Final = {
    "AMQPConfig": "config",
    "CFXAdapter": "adapter",
    "CFXConfig": "config",
    "CFXDecodeError": "errors",
    "CFXEnvelope": "envelope",
    "CFXListener": "amqp10.listener",
    "CFXTransport": "amqp.transport",
    "Endpoint": "endpoint.endpoint",
    "EndpointConfig": "endpoint.config",
    "Limits": "limits",
    "cfx_adapter": "adapter",
    "decode": "codec",
    "decode_each": "codec",
    "encode": "codec",
}
#: Those that can't be had without it; they say in one line how to get it.
_NEEDS_PROTON: Final = frozenset({"CFXListener"})


def __getattr__(name: str) -> Any:
    if name == "messages":
        return import_module(f"{__name__}.messages")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _NEEDS_PROTON:
        import_module(f"{__name__}.amqp10").require_proton()
    member = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = member
    return member


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "AMQPConfig",
    "CFXAdapter",
    "CFXConfig",
    "CFXDecodeError",
    "CFXEnvelope",
    "CFXListener",
    "CFXTransport",
    "Endpoint",
    "EndpointConfig",
    "Limits",
    "cfx_adapter",
    "decode",
    "decode_each",
    "encode",
    "messages",
]
