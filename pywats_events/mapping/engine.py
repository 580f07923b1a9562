"""The JSONata engine as mappings use it: compiled once, pure, bounded, strict where a verdict is decided.

What is done here and not left to the library:

- its own time limit counts from the moment an expression was compiled, so bounds are counted by hooks that
  it calls around each evaluation;
- an evaluation without bindings writes into the compiled expression, so each gets bindings of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any, Final

from pywats_events.mapping.bounds import (
    MOST_CHARACTERS,
    MOST_COUNTED,
    MOST_DEPTH,
    MOST_MEMBERS,
    STEP,
    Budget,
    TooCostly,
    check_result,
)
from pywats_events.mapping.functions import FUNCTIONS, METERED, EvaluationError, Undecided, running, shown
from pywats_events.mapping.library import JException, Jsonata, Utils
from pywats_events.mapping.nodes import called, nodes, said
from pywats_events.mapping.passing import check_otherwise
from pywats_events.mapping.regexes import bounded_regex

_LONGEST_EXPRESSION: Final = 20_000
_DEEPEST_RESULT: Final = 64
_IMPURE: Final = {
    "now": "write received, the time at which the message came",
    "millis": "write $toMillis(received), the time at which the message came",
    "random": "the same message must always give the same events",
    "shuffle": "the same message must always give the same events",
    "eval": "a message must not bring expressions of its own",
}
_COMPARISONS: Final = frozenset({"=", "!=", "<", "<=", ">", ">=", "in"})


class Program:
    """A compiled expression.

    Attributes:
        ast: its syntax tree.
        names: each path from the ground of the expression, as the names of its first steps.
    """

    def __init__(self, text: str) -> None:
        """Compile.

        Raises:
            ValueError: it is no JSONata, or uses what a mapping must not use.
        """
        if len(text) > _LONGEST_EXPRESSION:
            raise ValueError(f"an expression of more than {_LONGEST_EXPRESSION} characters")
        try:
            self._jsonata = Jsonata(text, bounded_regex)
            self.ast = self._jsonata.ast
            tree = list(nodes(self.ast))
        except JException as error:
            raise ValueError(f"{shown(text)} is no JSONata: {_plain(error)}") from error
        except RecursionError as error:
            raise ValueError(f"{shown(text)} is nested too deep") from error
        except (
            TypeError,
            AttributeError,
            KeyError,
            IndexError,
        ) as error:  # how its parser meets some mistakes
            raise ValueError(f"{shown(text)} is no JSONata: {error}") from error
        self._jsonata.set_validate_input(False)
        self._jsonata.set_output_convert_nulls(False)
        for name, function in METERED.items():
            self._jsonata.environment.bind(name, function)
        _check_variables(tree)
        self._truths: dict[int, str] = {}
        self._known: dict[int, str] = {}
        self._filters: dict[int, str] = {}
        bound = {str(node.lhs.value): node.rhs for node in tree if node.type == "bind"}
        for node in tree:
            if node.type == "condition":
                check_otherwise(node, bound)
                self._decide(node.condition)
            elif node.type == "filter":
                self._filters[id(node.expr)] = said(node.expr)
        self.names = tuple(dict.fromkeys(_ground(self.ast)))

    def _decide(self, node: Any) -> None:
        """Note what must be true or false, and what must be there, for a condition to be decided."""
        self._truths[id(node)] = said(node)
        if node.type == "binary" and node.value in {"and", "or"}:
            self._decide(node.lhs)
            self._decide(node.rhs)
        elif node.type == "binary" and node.value in _COMPARISONS:
            if not any(each.type == "value" and each.value is None for each in (node.lhs, node.rhs)):
                for each in (node.lhs, node.rhs):
                    self._known[id(each)] = said(each)
                    self._count(each)
        elif node.type == "block" and node.expressions:
            self._decide(node.expressions[-1])
        elif node.type == "function" and called(node) == "not" and node.arguments:
            self._decide(node.arguments[0])

    def _count(self, node: Any) -> None:
        """Note that what is counted must be there: of what is missing there are none, as if all were well."""
        if node.type == "function" and called(node) == "count":
            for path in (each for each in node.arguments or () if each.type == "path"):
                for step in path.steps:
                    if step.type == "name":
                        self._known[id(step)] = said(path)
                    if step.stages or step.predicate:
                        break

    def run(self, scope: Mapping[str, Any], budget: Budget) -> Any:
        """Work the expression out.

        Args:
            scope: what its paths start from.
            budget: what may be spent.

        Returns:
            Plain JSON data of its own; None where there is nothing.

        Raises:
            EvaluationError: it can't be worked out.
            TooCostly: it asks for more than the budget has.
        """
        budget.depth = 0
        running.budget = budget

        def enter(_node: Any, _given: Any, _frame: Any) -> None:
            budget.spend(STEP)
            budget.depth += 1
            if budget.depth > MOST_DEPTH:
                raise TooCostly(f"calls itself more than {MOST_DEPTH} levels deep")

        def leave(node: Any, _given: Any, _frame: Any, found: Any) -> None:
            budget.depth -= 1
            if isinstance(found, Utils.RangeList) and len(found) > MOST_COUNTED:
                raise TooCostly(f"makes a range of more than {MOST_COUNTED} members")
            check_result(found)
            self._check(node, found)

        hooks = {"__evaluate_entry": enter, "__evaluate_exit": leave}
        try:
            return _copied(self._jsonata.evaluate(scope, hooks), _Room())
        except RecursionError:
            raise TooCostly("calls itself too deep") from None
        except Exception as error:  # a foreign engine meets odd data with whatever it has
            raise _reason(error) from error

    def _check(self, node: Any, found: Any) -> None:
        place = id(node)
        if place in self._truths:
            value = _settled(found)
            if not isinstance(value, bool):
                raise Undecided(
                    f"the condition {self._truths[place]} is {shown(value)}, not true or false: compare it "
                    "with what you expect"
                )
        if place in self._known and _settled(found) in (None, Utils.NULL_VALUE):
            raise Undecided(
                f"the condition compares {self._known[place]}, which is not in the message: ask "
                "$exists(...) first"
            )
        if place in self._filters and isinstance(_settled(found), str):
            raise Undecided(
                f"the filter [{self._filters[place]}] is {shown(_settled(found))}, not true or false: "
                "compare it"
            )


class _Room:
    """How much of a result has been copied."""

    __slots__ = ("characters", "members")

    def __init__(self) -> None:
        self.members = MOST_MEMBERS
        self.characters = MOST_CHARACTERS

    def take(self, characters: int) -> None:
        self.members -= 1
        self.characters -= characters
        if self.members < 0 or self.characters < 0:
            raise TooCostly(f"gives more than {MOST_MEMBERS} members or {MOST_CHARACTERS} characters")


def _copied(value: Any, room: _Room, depth: int = 0) -> Any:
    """Give a result as plain JSON data that shares nothing with the message."""
    room.take(len(value) if isinstance(value, str) else 0)
    if value is None or value is Utils.NULL_VALUE:
        return None
    if isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise EvaluationError("gives a number without end")
        return value
    if depth > _DEEPEST_RESULT:
        raise TooCostly(f"gives data more than {_DEEPEST_RESULT} levels deep")
    if isinstance(value, dict):
        return {str(name): _copied(each, room, depth + 1) for name, each in value.items()}
    if isinstance(value, list):
        return [_copied(each, room, depth + 1) for each in value]
    raise EvaluationError("gives a function, not data")


def _reason(error: BaseException) -> ValueError:
    """Give the reason of a failure: ours, where the engine has wrapped it into one of its own."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, (EvaluationError, TooCostly)):
            return seen
        seen = seen.__context__
    return EvaluationError(_plain(error)[:500])


def _plain(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text.encode(errors="replace").decode()


def _settled(found: Any) -> Any:
    """Give what the engine makes of a result after its hook: a sequence of one is that one."""
    if Utils.is_sequence(found) and not found.tuple_stream and len(found) < 2:  # noqa: PLR2004
        return found[0] if found else None
    return found


def _check_variables(tree: list[Any]) -> None:
    """Refuse functions and variables that are impure or that nobody defines."""
    defined = {""} | {"$"}
    for node in tree:
        if node.type == "bind":
            defined.add(str(node.lhs.value))
        elif node.type == "lambda":
            defined.update(str(each.value) for each in node.arguments or ())
        defined.update(str(each) for each in (node.focus, node.index) if isinstance(each, str))
    for node in tree:
        if node.type != "variable":
            continue
        name = str(node.value)
        if name in _IMPURE and name not in defined:
            raise ValueError(f"${name} must not be used: {_IMPURE[name]}")
        if name not in defined and name not in FUNCTIONS:
            raise ValueError(f"there is no ${name}: it is no function of JSONata, and nothing sets it")


def _ground(node: Any) -> Iterator[tuple[str, ...]]:
    """Give the paths that begin at the ground of an expression, not within a step of another path."""
    if node.type == "path" and node.steps and node.steps[0].type == "name":
        yield tuple(str(step.value) for step in takewhile(lambda step: step.type == "name", node.steps[:2]))
    elif node.type == "path" and node.steps:
        yield from _ground(node.steps[0])
    elif node.type in {"binary", "condition", "function", "block", "unary"}:
        beside = (node.lhs, node.rhs, node.condition, node.then, node._else, node.expression)  # noqa: SLF001  # its names
        for each in (*beside, *(node.arguments or ()), *(node.expressions or ())):
            if each is not None:
                yield from _ground(each)
