"""What a message says, in a few words: the units that it is about, and what of them or else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

_UNIT_NAMES: Final = ("unitidentifier", "primaryidentifier")
_POSITION_NAMES: Final = ("unitpositionnumber", "positionnumber")
_RESULT_NAMES: Final = ("overallresult",)
#: What tells most, before what stands in the message's own order.
_FIRST: Final = ("result", "newstate", "description", "message", "recipename")
#: Who stood at the machine, and what is told already, is not what people watch for.
_PASSED_OVER: Final = ("$type", "operator", "tester", "inspector", "unitcount", *_UNIT_NAMES, *_RESULT_NAMES)
_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT")
_SHOWN_UNITS: Final = 3
_SHOWN_FACTS: Final = 6
_LONGEST: Final = 80
_MOST: Final = 2_000
_DEPTH: Final = 2


def units_of(body: dict[str, Any]) -> str:
    """Name the units of a message: identifiers, with the positions of those that share one."""
    found: dict[str, list[str]] = {}
    for value in _objects(body):
        lowered = {name.lower(): each for name, each in value.items()}
        for name in _UNIT_NAMES:
            identifier = lowered.get(name)
            if isinstance(identifier, str) and identifier:
                positions = found.setdefault(identifier, [])
                position = next((lowered[each] for each in _POSITION_NAMES if lowered.get(each)), None)
                if position is not None and str(position) not in positions:
                    positions.append(str(position))
    shown = [" ".join([name, *(f"#{each}" for each in sorted(places))]) for name, places in found.items()]
    more = len(shown) - _SHOWN_UNITS
    return ", ".join(shown[:_SHOWN_UNITS]) + (f" +{more}" if more > 0 else "")


def gist_of(body: dict[str, Any], *, without: str | None) -> str:
    """Say what else a message says: results counted, then its plain fields.

    Args:
        body: its fields.
        without: a value that need not be told again, the sender for instance.
    """
    results = Counter(
        str(member)
        for value in _objects(body)
        for name, member in value.items()
        if name.lower() in _RESULT_NAMES and isinstance(member, str | int)
    )
    told = [f"{count} {result}" for result, count in results.items()]
    facts = sorted(_facts(body), key=lambda fact: _FIRST.index(fact[0]) if fact[0] in _FIRST else len(_FIRST))
    told += [said for _, said in facts if said != without]
    return ", ".join(dict.fromkeys(told[: _SHOWN_FACTS + 1]))


def _facts(value: dict[str, Any], depth: int = _DEPTH) -> Iterator[tuple[str, str]]:
    """Give the plain fields of an object, and of those in it."""
    for name, member in value.items():
        lowered = name.lower()
        if lowered in _PASSED_OVER:
            continue
        if isinstance(member, dict) and depth > 1:
            yield from _facts(member, depth - 1)
        elif isinstance(member, list) and member:
            yield lowered, f"{len(member)} {name}"
        elif isinstance(member, str) and member and not (_GUID.match(member) or _TIME.match(member)):
            yield lowered, member[:_LONGEST]
        elif isinstance(member, int | float) and member:
            yield lowered, f"{name} {member}" if not isinstance(member, bool) else name


def _objects(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give all objects of a body, the outer ones first, as far as they are worth looking at."""
    waiting: list[Any] = [body]
    for value in waiting:
        if isinstance(value, dict):
            yield value
            inner: Any = value.values()
        else:
            inner = value
        if len(waiting) < _MOST:
            waiting.extend(each for each in inner if isinstance(each, dict | list))
