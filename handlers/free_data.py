"""Free data of a report: whatever a machine said that has no place of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pywats_api.wsjf import AdditionalData, Property, clean_text

_NAME_LENGTH = 200
_VALUE_LENGTH = 10_000


def free_data(name: str, members: Mapping[str, Any]) -> list[AdditionalData] | None:
    """Give a named group of the members that say something; None when none does."""
    props = _props(members)
    return [AdditionalData(name=clean_text(name, _NAME_LENGTH) or "Data", props=props)] if props else None


def _props(members: Mapping[str, Any]) -> list[Property]:
    return [_property(name, value) for name, value in members.items() if not _is_empty(value)]


def _property(name: str, value: Any) -> Property:
    name = clean_text(str(name), _NAME_LENGTH) or "-"
    if isinstance(value, Mapping):
        return Property(name=name, type="Obj", props=_props(value))
    if isinstance(value, list | tuple):
        if all(isinstance(one, str) for one in value):
            return Property(name=name, type="String", value=clean_text(", ".join(value), _VALUE_LENGTH))
        return Property(name=name, type="Obj", props=_props({f"[{n}]": one for n, one in enumerate(value)}))
    if isinstance(value, bool):
        return Property(name=name, type="Bool", value="true" if value else "false")
    if isinstance(value, int | float):
        return Property(name=name, type="Number", value=f"{value!r}")
    return Property(name=name, type="String", value=clean_text(str(value), _VALUE_LENGTH))


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | Mapping | list | tuple) and not value)
