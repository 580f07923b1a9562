"""The JSONata engine as mappings use it: compiled once, pure, bounded, strict where a verdict is decided.

What is done here and not left to the library:

- its own time limit counts from the moment an expression was compiled, so bounds are counted by hooks that
  it calls around each evaluation;
- an evaluation without bindings writes into the compiled expression, so each gets bindings of its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
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
_PASSES: Final = frozenset({"pass", "passed"})
_LONGEST_SAID: Final = 60


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
            nodes = list(_nodes(self.ast))
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
        _check_variables(nodes)
        self._truths: dict[int, str] = {}
        self._known: dict[int, str] = {}
        self._filters: dict[int, str] = {}
        for node in nodes:
            if node.type == "condition":
                _check_otherwise(node)
                self._decide(node.condition)
            elif node.type == "filter":
                self._filters[id(node.expr)] = _said(node.expr)
        self.names = tuple(dict.fromkeys(_ground(self.ast)))

    def _decide(self, node: Any) -> None:
        """Note what must be true or false, and what must be there, for a condition to be decided."""
        self._truths[id(node)] = _said(node)
        if node.type == "binary" and node.value in {"and", "or"}:
            self._decide(node.lhs)
            self._decide(node.rhs)
        elif node.type == "binary" and node.value in _COMPARISONS:
            if not any(each.type == "value" and each.value is None for each in (node.lhs, node.rhs)):
                for each in (node.lhs, node.rhs):
                    self._known[id(each)] = _said(each)
                    self._count(each)
        elif node.type == "block" and node.expressions:
            self._decide(node.expressions[-1])
        elif node.type == "function" and _called(node) == "not" and node.arguments:
            self._decide(node.arguments[0])

    def _count(self, node: Any) -> None:
        """Note that what is counted must be there: of what is missing there are none, as if all were well."""
        if node.type == "function" and _called(node) == "count":
            for path in (each for each in node.arguments or () if each.type == "path"):
                for step in path.steps:
                    if step.type == "name":
                        self._known[id(step)] = _said(path)
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


def _nodes(node: Any) -> Iterator[Any]:
    """Give all nodes of a syntax tree."""
    seen: set[int] = set()
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, (list, tuple)):
            waiting.extend(each)
        elif type(each).__module__ == "jsonata.parser" and hasattr(each, "lbp") and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting.extend(part for name, part in vars(each).items() if name != "_outer_instance")


def _check_variables(nodes: list[Any]) -> None:
    """Refuse functions and variables that are impure or that nobody defines."""
    defined = {""} | {"$"}
    for node in nodes:
        if node.type == "bind":
            defined.add(str(node.lhs.value))
        elif node.type == "lambda":
            defined.update(str(each.value) for each in node.arguments or ())
        defined.update(str(each) for each in (node.focus, node.index) if isinstance(each, str))
    for node in nodes:
        if node.type != "variable":
            continue
        name = str(node.value)
        if name in _IMPURE and name not in defined:
            raise ValueError(f"${name} must not be used: {_IMPURE[name]}")
        if name not in defined and name not in FUNCTIONS:
            raise ValueError(f"there is no ${name}: it is no function of JSONata, and nothing sets it")


def _check_otherwise(node: Any) -> None:
    """Refuse a condition that passes whatever is not named: an unknown word would be a pass."""
    condition, is_turned = _plainly(node.condition), False
    while condition.type == "function" and _called(condition) == "not" and condition.arguments:
        condition, is_turned = _plainly(condition.arguments[0]), not is_turned
    asks_for_one = condition.type == "binary" and condition.value in {"=", "in"}
    asks_whether = condition.type == "function" and _called(condition) != "boolean"
    asks_for_others = condition.type == "binary" and condition.value == "!="
    if not (asks_for_one or asks_whether or asks_for_others):
        return
    left = node.then if asks_for_others is not is_turned else node._else  # noqa: SLF001  # the engine's name
    if left is not None and is_pass(_plainly(left)):
        raise ValueError(
            f"passes whatever is not named in {_said(condition)}: a word that nobody thought of would be a "
            "pass. Ask for what is a pass instead: payload.status = 'OK' ? 'pass' : 'fail'"
        )


def is_pass(node: Any) -> bool:
    """Tell whether an expression is the text for a pass, and nothing else."""
    return node.type == "string" and str(node.value).strip().lower() in _PASSES


def _plainly(node: Any) -> Any:
    """Give what stands in parentheses."""
    while node.type == "block" and node.expressions:
        node = node.expressions[-1]
    return node


def _called(node: Any) -> str:
    return str(node.procedure.value) if node.procedure is not None else ""


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


def _said(node: Any) -> str:
    """Give a node as a person would write it, as far as that is short."""
    write = _WRITERS.get(node.type)
    return write(node) if write else "..."


_WRITERS: Final[Mapping[str, Callable[[Any], str]]] = {
    "path": lambda node: ".".join(_said(step) for step in node.steps),
    "name": lambda node: str(node.value),
    "number": lambda node: str(node.value),
    "string": lambda node: f"'{str(node.value)[:_LONGEST_SAID]}'",
    "value": lambda node: json.dumps(node.value),
    "binary": lambda node: f"{_said(node.lhs)} {node.value} {_said(node.rhs)}",
    "function": lambda node: f"${_called(node)}({', '.join(_said(each) for each in node.arguments or ())})",
    "block": lambda node: f"({'; '.join(_said(each) for each in node.expressions or ())})",
    "variable": lambda node: f"${node.value}",
}
