"""Writes messages the way the standard's own writers do: ``$type`` first, nulls written out."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from pywats_cfx.messages.wire import CFXStructure, wire_names


def to_wire(value: Any) -> Any:  # noqa: PLR0911  # one line for each kind of value
    """Give the JSON data of a message, or of any value in one."""
    if isinstance(value, CFXStructure):
        return _object(value)
    if isinstance(value, list):
        return [to_wire(item) for item in value]
    if isinstance(value, dict):
        return {name: to_wire(member) for name, member in value.items()}
    if isinstance(value, datetime):
        return write_moment(value)
    if isinstance(value, timedelta):
        return write_span(value)
    if isinstance(value, float) and not math.isfinite(value):
        return write_not_finite(value)
    return value


def _object(structure: CFXStructure) -> dict[str, Any]:
    kind = type(structure)
    label = structure.type_name or (f"{kind.CFX_NAME}, CFX" if kind.LABELLED else None)
    written: dict[str, Any] = {} if label is None else {"$type": label}
    for attribute, name in _names(kind):
        written[name] = to_wire(getattr(structure, attribute))
    written.update((name, to_wire(member)) for name, member in (structure.__pydantic_extra__ or {}).items())
    return written


@cache
def _names(kind: type[CFXStructure]) -> tuple[tuple[str, str], ...]:
    """Give attributes and wire names, those of the class itself before those of its base."""
    base = kind.__base__
    inherited = _names(base) if base is not None and issubclass(base, CFXStructure) else ()
    known = {"type_name", *(attribute for attribute, _ in inherited)}
    own = ((attribute, name) for attribute, name in wire_names(kind).items() if attribute not in known)
    return (*own, *inherited)


def write_moment(moment: datetime) -> str:
    """Give a time as ISO 8601 text, without the trailing zeros of its fraction."""
    text = moment.isoformat()
    if moment.microsecond:
        whole, _, rest = text.partition(".")
        text = f"{whole}.{rest[:6].rstrip('0')}{rest[6:]}"
    return text


def write_span(span: timedelta) -> str:
    """Give a time span as ``[-][d.]hh:mm:ss[.fffffff]``."""
    sign, span = ("-", -span) if span < timedelta() else ("", span)
    minutes, seconds = divmod(span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days = f"{span.days}." if span.days else ""
    fraction = f".{span.microseconds:06}0" if span.microseconds else ""
    return f"{sign}{days}{hours:02}:{minutes:02}:{seconds:02}{fraction}"


def write_not_finite(number: float) -> str:
    """Give the text that stands for a number that JSON can't hold."""
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"
