"""Functions of JSONata as expressions have them: metered, bounded, strict, pure."""

from __future__ import annotations

import copy
import re
import threading
from typing import Any, Final

from pywats_events.mapping.bounds import (
    MOST_CHARACTERS,
    MOST_COUNTED,
    PER_UNIT,
    STEP,
    Budget,
    TooCostly,
    check_result,
)
from pywats_events.mapping.library import Functions, Jsonata, Utils

_LONGEST_SAID: Final = 60
_MOST_COPIED: Final = 100_000_000


class EvaluationError(ValueError):
    """An expression can't be worked out for this message; the text says why."""


class Undecided(EvaluationError):  # noqa: N818  # says what the condition is
    """A condition is neither true nor false."""


def shown(value: Any) -> str:
    """Give a value as it may stand in an error."""
    if value is None:
        return "missing"
    if value is Utils.NULL_VALUE:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    text = text.encode(errors="replace").decode()
    return text if len(text) <= _LONGEST_SAID else f"{text[:_LONGEST_SAID]}..."


class _Guards:
    """Functions of JSONata that may cost much at one go, with a look at the cost first."""

    @staticmethod
    def pad(string: Any, width: Any, char: Any) -> Any:
        if isinstance(width, (int, float)) and abs(width) > MOST_COUNTED:
            raise TooCostly(f"fills a text up to more than {MOST_COUNTED} characters")
        return Functions.pad(string, width, char)

    @staticmethod
    def replace(string: Any, pattern: Any, replacement: Any, limit: Any) -> Any:
        if isinstance(string, str):
            longest = len(replacement) if isinstance(replacement, str) else 1
            if (len(string) + 1) * max(longest, 1) > MOST_CHARACTERS:
                raise TooCostly(f"may make a text of more than {MOST_CHARACTERS} characters")
            if limit is not None and limit > MOST_COUNTED:
                raise TooCostly(f"replaces more than {MOST_COUNTED} times")
            # the text behind each find is copied
            if isinstance(pattern, str) and string.count(pattern) * len(string) > _MOST_COPIED:
                raise TooCostly(f"replaces too many times in a text of {len(string)} characters")
        return Functions.replace(string, pattern, replacement, limit)

    @staticmethod
    def join(strs: Any, separator: Any) -> Any:
        if isinstance(strs, list):
            between = len(separator) if isinstance(separator, str) else 0
            if sum(len(each) + between for each in strs if isinstance(each, str)) > MOST_CHARACTERS:
                raise TooCostly(f"makes a text of more than {MOST_CHARACTERS} characters")
        return Functions.join(strs, separator)

    @staticmethod
    def spread(arg: Any) -> Any:  # what is made already is copied for each member
        if isinstance(arg, list) and len(arg) > MOST_COUNTED // 10:
            raise TooCostly(f"spreads more than {MOST_COUNTED // 10} members")
        return Functions.spread(arg)

    @staticmethod
    def distinct(arr: Any) -> Any:
        if isinstance(arr, list) and len(arr) > MOST_COUNTED // 10:
            raise TooCostly(f"compares more than {MOST_COUNTED // 10} members with each other")
        return Functions.distinct(arr)

    @staticmethod
    def to_millis(timestamp: Any, picture: Any) -> Any:
        if isinstance(picture, str) and re.search(r"\[[YX]", picture) is None:
            raise EvaluationError(
                f"the picture {shown(picture)} of $toMillis has no year, and today's would be taken: put the "
                "date before the time"
            )
        return Functions.datetime_to_millis(timestamp, picture)

    @staticmethod
    def not_(arg: Any) -> bool:
        if not isinstance(arg, bool):
            raise Undecided(f"$not is asked of {shown(arg)}, which is not true or false")
        return not arg

    @staticmethod
    def boolean(arg: Any) -> bool:
        if isinstance(arg, bool) or arg in (0, 1):
            return bool(arg)
        raise Undecided(f"$boolean is asked of {shown(arg)}, not of true, false, 1 or 0")


class Running(threading.local):
    """The budget of the evaluation that runs in this thread."""

    budget: Budget


running: Final = Running()


def _metered(function: Any) -> Any:
    """Let a function of JSONata cost by what it is given, which some look through with each call."""
    made = copy.copy(function)
    inner = function.method

    def call(*given: Any) -> Any:
        size = sum(len(each) for each in given if isinstance(each, (str, list, dict)))
        running.budget.spend(STEP + size // PER_UNIT)
        found = inner(*given)
        check_result(found)
        return found

    made.method = call
    return made


_GUARDED: Final = {
    name: Jsonata.function(name, signature, _Guards, method)
    for name, signature, method in (
        ("pad", "<s-ns?:s>", "pad"),
        ("replace", "<s-(sf)(sf)n?:s>", "replace"),
        ("join", "<a<s>s?:s>", "join"),
        ("distinct", "<x:x>", "distinct"),
        ("spread", "<x-:a<o>>", "spread"),
        ("toMillis", "<s-s?:n>", "to_millis"),
        ("not", "<x-:b>", "not_"),
        ("boolean", "<x-:b>", "boolean"),
    )
}
_NATIVE: Final = {
    name: function
    for name, function in Jsonata.static_frame.bindings.items()
    if isinstance(function, Jsonata.JNativeFunction)
}
#: The functions that expressions have, by name.
METERED: Final = {name: _metered(function) for name, function in {**_NATIVE, **_GUARDED}.items()}
#: Names of all functions of JSONata, those too that must not be used.
FUNCTIONS: Final = frozenset(Jsonata.static_frame.bindings)
