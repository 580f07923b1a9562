"""Events that others have made: whether their data are those of their type."""

from __future__ import annotations

from pydantic import ValidationError

from pywats_events.event import Event
from pywats_events.mapping.conversions import said
from pywats_events.message import Adapter, Unreadable
from pywats_events.payloads import MODELS, parse


def fitting(adapter: Adapter) -> Adapter:
    """Give an adapter that refuses events whose data are not those of their type, and names the field.

    A journal would take them in, and each of their handlers would find out later.
    """
    return lambda message: [_judged(part) for part in adapter(message)]


def _judged(part: Event | Unreadable) -> Event | Unreadable:
    if isinstance(part, Unreadable) or part.event_type not in MODELS:
        return part
    try:
        parse(part)
    except ValidationError as error:
        (first, *_) = error.errors(include_url=False, include_context=False)
        field = ".".join(["data", *map(str, first["loc"])])
        given = "" if first["type"] == "missing" else f", not {said(first['input'])}"
        reason = f"{part.event_type.value} {part.id[:100]}: {field}: {first['msg']}{given}"
        return Unreadable(id=part.id, reason=reason, error=type(error).__name__, source=part.source)
    return part
