"""No pass by what is left over: conditions that pass whatever they do not name are refused."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from pywats_events.mapping.nodes import called, nodes, plainly, said

_PASSES: Final = frozenset({"pass", "passed"})


def check_otherwise(node: Any, bound: Mapping[str, Any]) -> None:
    """Refuse a condition that passes whatever is not named: an unknown word would be a pass.

    Args:
        node: a condition with its branches.
        bound: what the variables of the expression are set to.

    Raises:
        ValueError: it passes so; the text names what it asks.
    """
    possible, fixed = _unnamed(node.condition, bound)
    for outcome, branch in ((True, node.then), (False, node._else)):  # noqa: SLF001  # the engine's name
        if outcome in possible & fixed and branch is not None and is_pass(plainly(branch)):
            raise ValueError(
                f"passes whatever is not named in {said(plainly(node.condition))}: a word that nobody "
                "thought of would be a pass. Ask for what is a pass instead: "
                "payload.status = 'OK' ? 'pass' : 'fail'"
            )


_EITHER: Final = frozenset({True, False})
_Outcomes: TypeAlias = tuple[frozenset[bool], frozenset[bool]]


def _unnamed(node: Any, bound: Mapping[str, Any], *, is_part: bool = False) -> _Outcomes:
    """Say what a condition may be for a message with a word that it does not name.

    Args:
        node: the condition.
        bound: what variables are set to.
        is_part: whether others beside it decide too.

    Returns:
        What it may be, and what those of its parts are that ask for words.
    """
    node = plainly(node)
    if node.type == "variable" and str(node.value) in bound:
        rest = {name: each for name, each in bound.items() if name != str(node.value)}
        return _unnamed(bound[str(node.value)], rest, is_part=is_part)
    if node.type == "binary" and node.value in {"and", "or"}:
        (left, fixed), (right, more) = (_unnamed(each, bound, is_part=True) for each in (node.lhs, node.rhs))
        both = [(one, other) for one in left for other in right]
        found = ((one and other) if node.value == "and" else (one or other) for one, other in both)
        return frozenset(found), fixed | more
    if node.type == "function" and called(node) == "not" and node.arguments:
        possible, fixed = _unnamed(node.arguments[0], bound, is_part=is_part)
        return frozenset(not each for each in possible), frozenset(not each for each in fixed)
    truth = _of_unknown_word(node, is_part=is_part)
    return (_EITHER, frozenset()) if truth is None else (frozenset({truth}), frozenset({truth}))


def _of_unknown_word(node: Any, *, is_part: bool) -> bool | None:
    """Say what a question is for a word that it does not name; None where it asks for no word."""
    if node.type == "function":
        return None if is_part or called(node) == "boolean" else False
    if node.type != "binary":
        return None
    for count, number, turned in ((node.lhs, node.rhs, False), (node.rhs, node.lhs, True)):
        if node.value in _ORDER and number.type == "number" and _counts_words(plainly(count)):
            return _ORDER[node.value](number.value, 0) if turned else _ORDER[node.value](0, number.value)
    return {"=": False, "in": False, "!=": True}.get(node.value)


_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _counts_words(node: Any) -> bool:
    """Tell whether a node counts those items that have a word: ``$count(payload.steps[result = 'FAIL'])``."""
    if node.type != "function" or called(node) != "count" or not node.arguments:
        return False
    return any(
        each.type == "filter" and any(one.value in {"=", "in"} for one in _words(each))
        for each in nodes(node.arguments[0])
    )


def _words(node: Any) -> Iterator[Any]:
    """Give the comparisons within a filter that have a text or a number on one side."""
    for each in nodes(node.expr):
        sides = (each.lhs, each.rhs) if each.type == "binary" else ()
        if any(side is not None and side.type in {"string", "number", "unary"} for side in sides):
            yield each


def is_pass(node: Any) -> bool:
    """Tell whether an expression is the text for a pass, and nothing else."""
    return node.type == "string" and str(node.value).strip().lower() in _PASSES
