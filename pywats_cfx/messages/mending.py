"""Puts right in a message what its sender wrote in an unusual way.

What is put right: names of fields in another case than the standard's; what says nothing (a blank text where
anything but a text belongs, an empty object where a text belongs, nothing in the place of an entry of a
list); a truth value where a text belongs; a bare list where a class that is a list would be written as an
object.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pywats_cfx.messages.declared import Declared, declared
from pywats_cfx.messages.structure import CFXStructure


def mended(structure: type[CFXStructure], value: Any) -> Any:
    """Give a copy of an object as the standard would have it.

    Where a name stands there both rightly and in another case, the right one counts and the other is kept as
    an unknown field.
    """
    if not isinstance(value, dict):
        return value
    fields = _fields(structure)
    right: dict[str, Any] = {}
    for name, member in value.items():
        field = fields.get(name.lower())
        if field is None or (field.name != name and (field.name in value or field.name in right)):
            right[name] = member
        else:
            right[field.name] = None if _is_blank(field, member) else _value(field, member)
    return right


@cache
def _fields(structure: type[CFXStructure]) -> Mapping[str, Declared]:
    return {field.name.lower(): field for field in declared(structure)}


def _is_blank(field: Declared, value: Any) -> bool:
    """Tell whether a list or an object is a blank text, which the standard's reader takes for null."""
    if not (field.many or field.mapping or _is_structure(field.kind)):
        return False
    return isinstance(value, str) and not value.strip()


def _value(field: Declared, value: Any) -> Any:
    if isinstance(value, list) and not field.many and field.family and field.family.has_lists:
        return {"$values": value}
    if isinstance(value, list):
        items = [_value(field, item) for item in value]
        return [item for item in items if item is not None]
    if isinstance(value, dict) and isinstance(value.get("$values"), list):
        return {**value, "$values": _value(field, value["$values"])}
    if _is_structure(field.kind):
        picked = field.family.pick(value) if field.family and isinstance(value, dict) else None
        return mended(picked or field.kind, value)
    if field.kind is str:
        return _text(value)
    blank = isinstance(value, str) and not (field.many or value.strip())
    return None if blank else value


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        try:
            return str(value)
        except ValueError:  # of more digits than Python writes; the model refuses it
            return value
    return None if value == {} else value


def _is_structure(kind: type) -> bool:
    return issubclass(kind, CFXStructure)
