"""IPC-CFX: envelopes, typed messages, transports, and the way to domain events.

``CFXTransport`` and its configuration are loaded when first asked for, so that reading messages needs no
broker library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from pywats_cfx import messages
from pywats_cfx.adapter import CFXAdapter, cfx_adapter
from pywats_cfx.codec import decode, decode_each, encode
from pywats_cfx.envelope import CFXEnvelope
from pywats_cfx.errors import CFXDecodeError
from pywats_cfx.limits import Limits

if TYPE_CHECKING:
    from pywats_cfx.amqp.transport import CFXTransport
    from pywats_cfx.config import AMQPConfig, CFXConfig, EndpointConfig

_LATE: Final = {
    "CFXTransport": "pywats_cfx.amqp.transport",
    "CFXConfig": "pywats_cfx.config",
    "AMQPConfig": "pywats_cfx.config",
    "EndpointConfig": "pywats_cfx.config",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATE[name]), name)


__all__ = [
    "AMQPConfig",
    "CFXAdapter",
    "CFXConfig",
    "CFXDecodeError",
    "CFXEnvelope",
    "CFXTransport",
    "EndpointConfig",
    "Limits",
    "cfx_adapter",
    "decode",
    "decode_each",
    "encode",
    "messages",
]
