"""Puts the names of fields right in messages that write them in another case than the standard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias, get_args

from pywats_cfx.messages.wire import CFXStructure, Descendants, wire_names

_Content: TypeAlias = tuple[type[CFXStructure], Descendants | None]


def respell(structure: type[CFXStructure], value: Any) -> Any:
    """Give a copy of an object with the standard's names of all fields that the structure knows.

    Where a name stands there both rightly and in another case, the right one counts and the other is kept as
    an unknown field.
    """
    return _object((structure, None), value)


def _object(content: _Content, value: Any) -> Any:
    if isinstance(value, list):
        return [_object(content, item) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("$values"), list):
        return {**value, "$values": _object(content, value["$values"])}
    base, descendants = content
    fields = _fields((descendants and descendants.pick(value)) or base)
    renamed = {}
    for name, member in value.items():
        right, nested = fields.get(name.lower(), (name, None))
        if right != name and right in value:
            right, nested = name, None
        renamed[right] = member if nested is None else _object(nested, member)
    return renamed


@cache
def _fields(structure: type[CFXStructure]) -> Mapping[str, tuple[str, _Content | None]]:
    structure.model_rebuild()
    return {
        name.lower(): (name, next(_contents(structure.model_fields[attribute].annotation), None))
        for attribute, name in wire_names(structure).items()
    }


def _contents(annotation: Any) -> Iterator[_Content]:
    if isinstance(annotation, type) and issubclass(annotation, CFXStructure):
        yield annotation, None
    markers = getattr(annotation, "__metadata__", ())
    marker = next((each for each in markers if isinstance(each, Descendants)), None)
    for inner in get_args(annotation):
        for structure, descendants in _contents(inner):
            yield structure, descendants or marker
