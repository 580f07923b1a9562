"""Whether endpoints are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pywats_cfx.mapping.faults import fault
from pywats_cfx.mapping.origin import Origin
from pywats_cfx.mapping.values import seconds, text, without_none
from pywats_events.event import Event, EventType
from pywats_events.payloads import AssetDisconnectedEvent

if TYPE_CHECKING:
    from pywats_cfx.messages import EndpointConnected, EndpointShuttingDown, Heartbeat


def heartbeat(message: Heartbeat, origin: Origin) -> Iterator[Event]:
    """One ASSET_HEARTBEAT."""
    origin = _named(origin, message.cfx_handle)
    payload: dict[str, Any] = {
        "asset_id": text(message.cfx_handle) or origin.source,
        "interval_seconds": seconds(message.heartbeat_frequency),
        "active_faults": [fault(each, origin.source).to_payload() for each in message.active_faults],
        "active_recipes": [
            without_none(
                {"recipe": recipe.recipe_name, "recipe_revision": recipe.revision, "lane": each.lane}
            )
            for each in message.active_recipes
            if (recipe := each.recipe_identifier) is not None
        ],
    }
    yield origin.event(EventType.ASSET_HEARTBEAT, without_none(payload))


_CREDENTIALS: Final = re.compile(r"//[^/@\s]*@")


def endpoint_connected(message: EndpointConnected, origin: Origin) -> Iterator[Event]:
    """One ASSET_CONNECTED; user and password are taken out of the address."""
    origin = _named(origin, message.cfx_handle)
    payload = {
        "asset_id": text(message.cfx_handle) or origin.source,
        "request_uri": _CREDENTIALS.sub("//", message.request_network_uri or "") or None,
        "request_address": text(message.request_target_address),
    }
    yield origin.event(EventType.ASSET_CONNECTED, without_none(payload))


def endpoint_shutting_down(message: EndpointShuttingDown, origin: Origin) -> Iterator[Event]:
    """One ASSET_DISCONNECTED."""
    origin = _named(origin, message.cfx_handle)
    payload = AssetDisconnectedEvent(asset_id=text(message.cfx_handle) or origin.source)
    yield origin.event(EventType.ASSET_DISCONNECTED, payload)


def _named(origin: Origin, handle: str | None) -> Origin:
    """Let an endpoint that names itself only in the message be the sender."""
    named = text(handle)
    return origin if origin.is_named or named is None else replace(origin, source=named)
