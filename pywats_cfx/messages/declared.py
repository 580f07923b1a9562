"""What a structure declares of each of its fields, read out of its annotations once."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Protocol, Union, get_args, get_origin, runtime_checkable

from pywats_cfx.messages.fields import CountOf, Default, Labels, Replaced
from pywats_cfx.messages.structure import CFXStructure, wire_names
from pywats_cfx.messages.value_types import ValueType


@runtime_checkable
class Family(Protocol):
    """Tells which of a family of classes an object is of."""

    @property
    def has_lists(self) -> bool:
        """True when a list can stand in the place of an object."""

    def pick(self, value: Mapping[str, Any]) -> type[CFXStructure] | None:
        """Give the class for an object; None for the declared one."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A field.

    Attributes:
        attribute: its name in Python.
        name: its name on the wire.
        kind: the class of its values, or of the items of its list: a structure, an enumeration, ``str``...
        family: tells which descendant of the class an object is of; None where there are none.
        many: True for a list.
        mapping: True for an object whose names are free.
        nullable: False where the standard's readers do not take null.
        unset: what is written where nobody said a value and null is not legal; None to leave the field out.
        labels: when objects of other classes get a ``$type``.
        usual: value that is left out on writing; None where nothing is.
        counted: attribute of the list whose entries this field counts.
        replaced: True for a field of older senders that is not written any more.
    """

    attribute: str
    name: str
    kind: type
    family: Family | None = None
    many: bool = False
    mapping: bool = False
    nullable: bool = True
    unset: str | None = None
    labels: Labels = Labels.ALWAYS
    usual: bool | None = None
    counted: str | None = None
    replaced: bool = False


@cache
def declared(structure: type[CFXStructure]) -> tuple[Declared, ...]:
    """Give the fields of a structure, those of the class itself before those of its bases."""
    names = wire_names(structure)
    found: dict[str, Declared] = {}
    for owner in structure.__mro__:
        if owner is CFXStructure or not issubclass(owner, CFXStructure):
            continue
        for attribute, annotation in inspect.get_annotations(owner, eval_str=True).items():
            if attribute in names and attribute not in found:
                found[attribute] = _declared(attribute, names[attribute], annotation)
    return tuple(found.values())


def _declared(attribute: str, name: str, annotation: Any) -> Declared:
    optional = get_origin(annotation) in (Union, UnionType)
    markers, kinds = _taken_apart(annotation)
    value_type = next((marker for marker in markers if isinstance(marker, ValueType)), None)
    default = next((marker for marker in markers if isinstance(marker, Default)), None)
    return Declared(
        attribute,
        name,
        kind=next((kind for kind in kinds if kind not in (list, dict)), object),
        family=next((marker for marker in markers if isinstance(marker, Family)), None),
        many=list in kinds,
        mapping=dict in kinds,
        nullable=optional or value_type is None or list in kinds,
        unset=None if value_type is None else value_type.unset,
        labels=next((marker for marker in markers if isinstance(marker, Labels)), Labels.ALWAYS),
        usual=None if default is None else default.usual,
        counted=next((marker.attribute for marker in markers if isinstance(marker, CountOf)), None),
        replaced=any(isinstance(marker, Replaced) for marker in markers),
    )


def _taken_apart(annotation: Any) -> tuple[list[Any], list[type]]:
    """Give the markers and the classes of an annotation, those outside before those inside."""
    origin = get_origin(annotation)
    if origin is None:
        return [], [annotation] if isinstance(annotation, type) and annotation is not NoneType else []
    markers = list(annotation.__metadata__) if origin is Annotated else []
    kinds = [origin] if origin in (list, dict) else []
    # Of dict[str, X] only the values matter, and of an enumeration's "member or text" only the members.
    inner = get_args(annotation)[1:] if origin is dict else get_args(annotation)
    for each in inner[:1] if origin is Annotated else inner:
        more_markers, more_kinds = _taken_apart(each)
        markers += more_markers
        kinds += more_kinds
    return markers, kinds
