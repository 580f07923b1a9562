"""The fields of a payload: values, groups of them, and lists with one entry for each item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from pywats_events.mapping.bounds import FIELD, Budget
from pywats_events.mapping.names import Known, check_member
from pywats_events.mapping.rules import FieldError, Value, first_mistake

_RULE: Final = frozenset({"from", "constant"})
_Models = tuple[type[BaseModel], ...]


class Node(Protocol):
    """A part of a payload that can be made of a message."""

    def __call__(self, scope: Mapping[str, Any], budget: Budget) -> Any:
        """Make it; None where it is left out. Raises ``FieldError``."""


class Each(BaseModel):
    """How a list is made: one entry for each item of another.

    Attributes:
        each: expression for the items; one that is no list counts as a list of it.
        item: what an item is called in the expressions below (``as``).
        optional: leave the list out where the message has no items.
        fields: the entry; a list of texts or numbers has ``from`` and what goes with it in ``value``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    each: str
    item: str = "item"
    optional: bool = False
    fields: dict[str, Any] | None = None
    value: Any = None

    @model_validator(mode="after")
    def _says_what_an_entry_is(self) -> Each:
        if (self.fields is None) is (self.value is None):
            raise ValueError("needs fields (what an entry consists of) or value (what it is), one of them")
        return self


@dataclass(frozen=True, slots=True)
class Group:
    """Named parts; those that have nothing are left out, and the group where none has anything."""

    parts: tuple[tuple[str, Node], ...]

    def __call__(self, scope: Mapping[str, Any], budget: Budget) -> dict[str, Any] | None:
        """Make it; None where it is empty. Raises ``FieldError``."""
        made = {name: value for name, part in self.parts if (value := part(scope, budget)) is not None}
        return made or None


@dataclass(frozen=True, slots=True)
class Several:
    """A list whose entries are written out; those that have nothing are left out."""

    parts: tuple[Node, ...]

    def __call__(self, scope: Mapping[str, Any], budget: Budget) -> list[Any] | None:
        """Make it; None where it is empty. Raises ``FieldError``."""
        return [value for part in self.parts if (value := part(scope, budget)) is not None] or None


@dataclass(frozen=True, slots=True)
class ForEach:
    """A list with one entry for each item."""

    field: str
    items: Value
    name: str
    entry: Node

    def __call__(self, scope: Mapping[str, Any], budget: Budget) -> list[Any] | None:
        """Make it; None where there are no items. Raises ``FieldError``."""
        made = []
        items = items_of(self.items, scope, budget)
        budget.spend(FIELD * len(items))
        for index, item in enumerate(items):
            try:
                value = self.entry({**scope, self.name: item, "index": index}, budget)
            except FieldError as error:
                raise FieldError(
                    f"{self.field}[{index}]{error.field.removeprefix(self.field)}", error.reason
                ) from error
            if value is not None:
                made.append(value)
        return made or None


def items_of(items: Value, scope: Mapping[str, Any], budget: Budget) -> list[Any]:
    """Give the items that an expression finds; a single one is a list of one. Raises ``FieldError``."""
    found = items(scope, budget)
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def group_of(field: str, given: Mapping[str, Any], known: Known, models: _Models) -> Group:
    """Compile the fields of a payload or of a part of it.

    Args:
        field: its name, for errors.
        given: what stands in the configuration.
        known: what expressions may name.
        models: the models that it belongs to; none where it may be anything.

    Raises:
        ValueError: something can't be used; the text names the field.
    """
    parts = []
    for name, each in given.items():
        place = f"{field}.{name}"
        try:
            below = check_member(models, name)
        except ValueError as error:
            raise ValueError(f"{field}: {error}") from None
        parts.append((name, _node(place, each, known, below)))
    return Group(tuple(parts))


def _node(field: str, given: Any, known: Known, models: _Models) -> Node:
    if isinstance(given, str) or (isinstance(given, Mapping) and _RULE & given.keys()):
        return Value.of(field, given, known)
    if isinstance(given, Mapping) and "each" in given:
        return _for_each(field, given, known, models)
    if isinstance(given, Mapping):
        return group_of(field, given, known, models)
    if isinstance(given, (list, tuple)):
        return Several(
            tuple(_node(f"{field}[{place}]", each, known, models) for place, each in enumerate(given))
        )
    return Value.of(field, {"constant": given}, known)


def _for_each(field: str, given: Mapping[str, Any], known: Known, models: _Models) -> ForEach:
    try:
        rule = Each.model_validate({"item" if name == "as" else name: each for name, each in given.items()})
        within = known.within(rule.item)
    except (ValueError, ValidationError) as error:
        raise ValueError(f"{field}: {first_mistake(error)}") from None
    items = Value.of(f"{field}.each", {"from": rule.each, "optional": rule.optional}, known)
    entry: Node = (
        _node(field, rule.value, within, models)
        if rule.fields is None
        else group_of(field, rule.fields, within, models)
    )
    return ForEach(field, items, rule.item, entry)
