"""The names that a mapping uses, looked at when it is loaded: roots, topic parts, fields of payloads."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, get_args

from pydantic import AliasChoices, BaseModel

from pywats_events.mapping.expressions import Expression

#: What expressions start from; ``each`` adds the name of its item and ``index``.
ROOTS: Final = frozenset({"payload", "topic", "properties", "received"})


@dataclass(frozen=True, slots=True)
class Known:
    """What an expression may name.

    Attributes:
        roots: the names that a path may begin with.
        parts: the names that the topic has.
        is_shared: whether the mapping is ready-made, for topics with other parts too: an expression that
            names a part which this topic lacks finds nothing.
    """

    parts: frozenset[str]
    roots: frozenset[str] = ROOTS
    is_shared: bool = False

    def within(self, item: str) -> Known:
        """Give what may be named for each item of a list.

        Raises:
            ValueError: the item's name is taken.
        """
        if not item.isidentifier() or item in ROOTS | {"index"}:
            raise ValueError(
                f'as = "{item}" must be a name of its own, other than {_listed(ROOTS)} and index'
            )
        return replace(self, roots=self.roots | {item, "index"})

    def fits(self, expression: Expression) -> bool:
        """Tell whether an expression can find anything.

        Raises:
            ValueError: it names what is not there.
        """
        for names in expression.names:
            if names[0] not in self.roots:
                raise ValueError(
                    f'{expression.text} begins with "{names[0]}", which is not there'
                    f"{_meant(names[0], self.roots)}: write {_listed(self.roots)}"
                )
            if names[0] == "topic" and len(names) > 1 and names[1] not in self.parts:
                if self.is_shared:
                    return False
                raise ValueError(
                    f"{expression.text} asks for {{{names[1]}}}, which the topic does not have; it has "
                    f"{_listed(self.parts) or 'no named parts'}"
                )
        return True


def check_member(models: tuple[type[BaseModel], ...], name: str) -> tuple[type[BaseModel], ...]:
    """Give the models of a member's value; none where it may be anything.

    Raises:
        ValueError: the models have no such member.
    """
    if not models:
        return ()
    for model in models:
        for known, field in model.model_fields.items():
            alias = field.validation_alias
            others = alias.choices if isinstance(alias, AliasChoices) else ()
            if name == known or name in others:
                return tuple(dict.fromkeys(found for each in models for found in _member(each, known)))
    names = dict.fromkeys(known for model in models for known in model.model_fields)
    raise ValueError(f'there is no field "{name}"{_meant(name, names)}; there are {_listed(names)}')


def _member(model: type[BaseModel], name: str) -> Iterator[type[BaseModel]]:
    field = model.model_fields.get(name)
    if field is not None:
        yield from _models(field.annotation)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif getattr(annotation, "__origin__", None) is not dict:
        for each in get_args(annotation):
            yield from _models(each)


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (is {close[0]} meant?)" if close else ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names if isinstance(names, dict) else sorted(names))
