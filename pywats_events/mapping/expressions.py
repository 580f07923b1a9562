"""Expressions of mappings: simple ones are walked directly, all others go through the JSONata engine.

Both give the same: a test has many random expressions worked out in both ways.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from pywats_events.mapping.bounds import FIELD, Budget
from pywats_events.mapping.engine import Program
from pywats_events.mapping.passing import is_pass

Scope: TypeAlias = Mapping[str, Any]
_Quick: TypeAlias = Callable[[Scope], Any]


class _NotSimple(Exception):  # noqa: N818  # no failure
    """This message makes a simple expression one for the engine."""


class Expression:
    """One expression of a mapping.

    Attributes:
        text: as it was written.
        names: the paths in it, as the names of their first one or two steps.
    """

    __slots__ = ("_program", "_quick", "names", "text")

    def __init__(self, text: str) -> None:
        """Compile.

        Raises:
            ValueError: it is no JSONata, or uses what a mapping must not use.
        """
        self.text = text
        self._program = Program(text)
        self._quick = _quick(self._program.ast)
        self.names = self._program.names

    @property
    def is_pass(self) -> bool:
        """Whether it is the text for a pass, whatever the message says."""
        return is_pass(self._program.ast)

    @property
    def is_simple(self) -> bool:
        """Whether it is walked directly."""
        return self._quick is not None

    def __call__(self, scope: Scope, budget: Budget) -> Any:
        """Work it out; None where there is nothing. Raises as ``Program.run``."""
        budget.spend(FIELD)
        if self._quick is not None:
            try:
                return self._quick(scope)
            except _NotSimple:
                pass
        return self._program.run(scope, budget)

    def by_engine(self, scope: Scope, budget: Budget) -> Any:
        """Work it out the long way, which gives the same."""
        return self._program.run(scope, budget)


#: What nodes of simple expressions have; one with more says more than is read here.
_PLAIN: Final = frozenset(
    {"_outer_instance", "id", "value", "bp", "type", "lbp", "position", "level", "steps"}
    | {"lhs", "rhs", "condition", "then", "_else"}
)


def _quick(node: Any) -> _Quick | None:
    """Make a function that does what a simple node says; None where it is not simple."""
    is_plain = not any(value for name, value in vars(node).items() if name not in _PLAIN)
    make = _MAKERS.get(node.type) if is_plain or node.type == "function" else None
    return None if make is None else make(node)


def _constant(node: Any) -> _Quick:
    constant = node.value
    return lambda _scope: constant


def _kind(node: Any) -> _Quick | None:
    """Make what does ``$type(payload.a)``, which profiles ask for each value that was measured."""
    is_type = node.procedure is not None and node.procedure.value == "type" and node.predicate is None
    path = _quick(node.arguments[0]) if is_type and len(node.arguments) == 1 else None
    if path is None or node.arguments[0].type != "path":
        return None

    def kind(scope: Scope) -> str:
        name = _KINDS.get(type(path(scope)))
        if name is None:  # missing is not null, which is not told apart here
            raise _NotSimple
        return name

    return kind


_KINDS: Final = {
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    dict: "object",
    list: "array",
}


def _path(node: Any) -> _Quick | None:
    if any(
        step.type != "name" or any(value for name, value in vars(step).items() if name not in _PLAIN)
        for step in node.steps
    ):
        return None
    names = tuple(str(step.value) for step in node.steps)

    def walk(scope: Scope) -> Any:
        found: Any = scope
        for name in names:
            if type(found) is not dict:
                if type(found) is list:
                    raise _NotSimple
                return None
            found = found.get(name)
        return found

    return walk


def _joined(node: Any) -> _Quick | None:
    if node.value != "&":
        return None
    parts: list[_Quick] = []
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if each.type == "binary" and each.value == "&":
            waiting += [each.rhs, each.lhs]
            continue
        quick = _quick(each) if each.type in {"path", "string"} else None
        if quick is None:
            return None
        parts.append(quick)

    def join(scope: Scope) -> str:
        texts = []
        for part in parts:
            found = part(scope)
            if type(found) is not str:
                raise _NotSimple
            texts.append(found)
        return "".join(texts)

    return join


def _either(node: Any) -> _Quick | None:
    truth = _truth(node.condition)
    then = _quick(node.then)
    otherwise = None if node._else is None else _quick(node._else)  # noqa: SLF001  # the engine's name
    if truth is None or then is None or (node._else is not None and otherwise is None):  # noqa: SLF001
        return None

    def choose(scope: Scope) -> Any:
        if truth(scope):
            return then(scope)
        return None if otherwise is None else otherwise(scope)

    return choose


def _truth(node: Any) -> Callable[[Scope], bool] | None:
    if node.type == "path":
        path = _quick(node)
        return None if path is None else lambda scope: _sure(path(scope))
    if node.type == "binary" and node.value in {"=", "!="}:
        left, right = _quick(node.lhs), _quick(node.rhs)
        if left is None or right is None:
            return None
        wanted = node.value == "="
        return lambda scope: _is_same(left(scope), right(scope)) is wanted
    return None


def _sure(found: Any) -> bool:
    if type(found) is not bool:
        raise _NotSimple  # the engine says what is wrong
    return found


def _is_same(left: Any, right: Any) -> bool:
    if type(left) not in _SCALARS or type(right) not in _SCALARS:
        raise _NotSimple
    return left == right and isinstance(left, bool) == isinstance(right, bool)


_SCALARS: Final = frozenset({str, int, float, bool})

_MAKERS: Final[Mapping[str, Callable[[Any], _Quick | None]]] = {
    "path": _path,
    "string": _constant,
    "number": _constant,
    "binary": _joined,
    "condition": _either,
    "function": _kind,
}
