"""Objects of a class or of one that descends from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, Final

from pydantic import GetCoreSchemaHandler as Handler
from pydantic_core import CoreSchema, core_schema

from pywats_cfx.messages.declared import declared
from pywats_cfx.messages.lazy import class_name, load
from pywats_cfx.messages.structure import CFXStructure, short_type, wire_names

#: Sets of field names whose classes are remembered, for each family of classes.
_SHAPES: Final = 256
#: Names in a set that is not worth remembering: no class has so many.
_MANY: Final = 64


class Descendants:
    """Reads an object of a class or of one that descends from it, by ``$type`` or else by its shape.

    An object that says nothing of its class is read as the smallest descendant that knows all those of its
    fields that the base class does not know; as the base class where there is none, or more than one. So is
    one whose ``$type`` is none of ours. Either way it keeps all its fields.

    Args:
        names: full names of the descendants; their modules are loaded when the first object is to be read.
    """

    def __init__(self, *names: str) -> None:
        self.names = names
        self._base: type[CFXStructure] = CFXStructure
        self._classes: tuple[type[CFXStructure], ...] = ()
        self._by_label: dict[str, type[CFXStructure]] = {}
        self._by_name: dict[str, type[CFXStructure]] = {}
        self._by_shape: Callable[[tuple[str, ...]], Sequence[type[CFXStructure]]] = lambda _names: ()

    def pick(self, value: Mapping[str, Any]) -> type[CFXStructure] | None:
        """Give the class for an object; None for the base class."""
        label = value.get("$type")
        if isinstance(label, str):
            name = short_type(label) or ""
            # Some senders place a class of the standard in another of its namespaces.
            return self._by_label.get(name) or (
                self._by_name.get(class_name(name)) if _is_ours(name) else None
            )
        names = tuple(value)
        sharing = self._by_shape(names) if len(names) < _MANY else self._sharing(names)
        fitting = [each for each in sharing if _fits(each, self._base, value)]
        if not fitting:
            return None
        smallest = min(len(each.model_fields) for each in fitting)
        fitting = [each for each in fitting if len(each.model_fields) == smallest]
        if (
            len(fitting) > 1
        ):  # a whole number may stand in a field for fractions, but more likely is what it is
            fitting = [each for each in fitting if _fits(each, self._base, value, exactly=True)]
        return fitting[0] if len(fitting) == 1 else None

    @property
    def has_lists(self) -> bool:
        """True when a list can stand in the place of an object."""
        return any("$values" in _lowered_names(each) for each in self._classes)

    def _sharing(self, names: tuple[str, ...]) -> Sequence[type[CFXStructure]]:
        """Give the descendants that know all names that any of them and not the base class knows."""
        lowered = {name.lower() for name in names} - _lowered_names(self._base)
        foreign = lowered & frozenset().union(*map(_lowered_names, self._classes))
        if not foreign:
            return ()
        return [each for each in self._classes if foreign <= _lowered_names(each)]

    def __get_pydantic_core_schema__(self, source: Any, handler: Handler) -> CoreSchema:
        self._base = source
        self._classes = tuple(load(name) for name in self.names)
        self._by_label = {each.CFX_NAME: each for each in self._classes}
        self._by_name = {each.__name__: each for each in self._classes}
        self._by_shape = lru_cache(maxsize=_SHAPES)(self._sharing)

        def tag(value: Any) -> str:
            if isinstance(value, dict):
                picked = self.pick(value)
                return "" if picked is None else picked.__name__
            return type(value).__name__ if type(value) in self._classes else ""

        schemas = {each: handler.generate_schema(each) for each in self._classes}
        # The usual label is found without leaving pydantic's own code; all others are for `tag`.
        labelled = core_schema.tagged_union_schema(
            {f"{each.CFX_NAME}, CFX": schema for each, schema in schemas.items()}, discriminator="$type"
        )
        choices: dict[Any, CoreSchema] = {each.__name__: schema for each, schema in schemas.items()}
        choices[""] = handler(source)
        others = core_schema.tagged_union_schema(choices, discriminator=tag)
        return core_schema.union_schema([labelled, others], mode="left_to_right")


def _is_ours(name: str) -> bool:
    return name.startswith("CFX.")


@cache
def _lowered_names(structure: type[CFXStructure]) -> frozenset[str]:
    return frozenset(name.lower() for name in wire_names(structure).values())


#: What a field of a kind may hold in JSON, where an object's class is to be told from its shape.
_FORMS: Final[dict[type, tuple[type, ...]]] = {
    bool: (bool,),
    str: (str,),
    int: (int,),
    float: (int, float),
    Decimal: (int, float),
}


def _fits(
    structure: type[CFXStructure],
    base: type[CFXStructure],
    value: Mapping[str, Any],
    *,
    exactly: bool = False,
) -> bool:
    """Tell whether the fields that the base does not know hold what the structure would have in them."""
    own = {field.name.lower(): field for field in declared(structure)}
    for name, member in value.items():
        field = own.get(name.lower())
        if field is None or member is None or name.lower() in _lowered_names(base):
            continue
        if exactly and type(member) is int and field.kind is float:
            return False
        forms = (list, dict) if field.many else _FORMS.get(field.kind)
        if forms is not None and type(member) not in forms and not (float in forms and _is_number(member)):
            return False
    return True


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, str) and float(value) is not None
    except ValueError:
        return False
