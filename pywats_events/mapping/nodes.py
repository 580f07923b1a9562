"""The syntax tree of an expression: its nodes, and what they say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

_LONGEST_SAID: Final = 60


def nodes(node: Any) -> Iterator[Any]:
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


def plainly(node: Any) -> Any:
    """Give what stands in parentheses."""
    while node.type == "block" and node.expressions:
        node = node.expressions[-1]
    return node


def called(node: Any) -> str:
    """Give the name of the function that is called."""
    return str(node.procedure.value) if node.procedure is not None else ""


def said(node: Any) -> str:
    """Give a node as a person would write it, as far as that is short."""
    write = _WRITERS.get(node.type)
    return write(node) if write else "..."


_WRITERS: Final[Mapping[str, Callable[[Any], str]]] = {
    "path": lambda node: ".".join(said(step) for step in node.steps),
    "name": lambda node: str(node.value),
    "number": lambda node: str(node.value),
    "string": lambda node: f"'{str(node.value)[:_LONGEST_SAID]}'",
    "value": lambda node: json.dumps(node.value),
    "binary": lambda node: f"{said(node.lhs)} {node.value} {said(node.rhs)}",
    "function": lambda node: f"${called(node)}({', '.join(said(each) for each in node.arguments or ())})",
    "block": lambda node: f"({'; '.join(said(each) for each in node.expressions or ())})",
    "variable": lambda node: f"${node.value}",
}
