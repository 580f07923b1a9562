"""Regular expressions in mappings, with a bound on their work for whatever text a message brings.

``re`` tries again and again where a pattern can match in several ways, and nothing can interrupt it. So the
most tries a pattern may need are worked out from its parts and the length of the text, before it runs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final, Protocol

from pywats_events.mapping.bounds import MOST_COUNTED, TooCostly

#: Tries of one search: some ten milliseconds.
_MOST_TRIES: Final = 2_000_000
_REPEATS: Final = frozenset({codes.MAX_REPEAT, codes.MIN_REPEAT})
_ATOMIC: Final = frozenset({codes.POSSESSIVE_REPEAT, codes.ATOMIC_GROUP})
_ANCHORS: Final = frozenset({codes.AT_BEGINNING, codes.AT_BEGINNING_STRING})


class Flags(Protocol):
    """The flags behind a regular expression in JSONata: ``/.../i``, ``/.../m``."""

    case_insensitive: bool
    multiline: bool


class BoundedPattern:
    """A compiled pattern, as the JSONata engine uses one, that refuses texts it might take too long for."""

    def __init__(self, text: str, flags: int) -> None:
        try:
            self._pattern = re.compile(text, flags)
            self._tree = list(parser.parse(text, flags))
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"/{text}/ is no regular expression: {error}") from error
        self._text = text
        first = self._tree[0] if self._tree else None
        self._is_anchored = first is not None and first[0] is codes.AT and first[1] in _ANCHORS
        self._is_anchored = self._is_anchored and not flags & re.MULTILINE
        if math.isinf(_tries(self._tree, 2)):
            raise ValueError(
                f"/{text}/ repeats what itself repeats or has alternatives, which a text can make last for "
                "ever: write it without the inner one"
            )

    def search(self, string: str) -> re.Match[str] | None:
        """Find the first match."""
        self._check(string)
        return self._pattern.search(string)

    def finditer(self, string: str) -> Iterator[re.Match[str]]:
        """Find all matches."""
        self._check(string)
        for count, found in enumerate(self._pattern.finditer(string)):
            if count >= MOST_COUNTED:
                raise TooCostly(f"/{self._text}/ is found more than {MOST_COUNTED} times")
            yield found

    def sub(self, repl: Any, string: str, count: int = 0) -> str:
        """Replace matches."""
        self._check(string)
        return self._pattern.sub(repl, string, count)

    def split(self, string: str, maxsplit: int = 0) -> list[str]:
        """Split at matches."""
        self._check(string)
        return [part or "" for part in self._pattern.split(string, maxsplit)]

    def _check(self, string: str) -> None:
        length = len(string) + 1
        tries = _tries(self._tree, length) * (1 if self._is_anchored else length)
        if tries > _MOST_TRIES:
            hint = "" if self._is_anchored else ", begin it with ^"
            raise TooCostly(
                f"a text of {length - 1} characters is too long for /{self._text}/: cut it with $substring"
                f"{hint}, or use fewer open repeats"
            )


def bounded_regex(pattern: str, flags: Flags) -> BoundedPattern:
    """Compile a regular expression of a mapping.

    Raises:
        ValueError: it is none, or one that no text length bounds.
    """
    return BoundedPattern(
        pattern,
        (re.IGNORECASE if flags.case_insensitive else 0) | (re.MULTILINE if flags.multiline else 0),
    )


def _tries(tree: Any, length: int) -> float:
    """Give the most ways in which a sequence can match at one place of a text of this length."""
    ways = 1.0
    for code, value in tree:
        ways *= _ways(code, value, length)
        if ways > _MOST_TRIES:
            return ways
    return ways


def _ways(code: Any, value: Any, length: int) -> float:  # noqa: PLR0911  # one for each kind of part
    if code in _REPEATS:
        least, most, body = value
        inner = _tries(body, length)
        if inner > 1:
            count = float(most)
            return math.inf if most >= 100 else inner**count * (most - least + 1)  # noqa: PLR2004
        return float(min(length, most - least + 1)) if least != most else 1.0
    if code in _ATOMIC:
        return max(1.0, _tries(value[2] if isinstance(value, tuple) else value, length)) * 2
    if code is codes.BRANCH:
        return sum(_tries(each, length) for each in value[1])
    if code is codes.SUBPATTERN:
        return _tries(value[3], length)
    if code in (codes.ASSERT, codes.ASSERT_NOT):
        return _tries(value[1], length)
    if code is codes.GROUPREF_EXISTS:
        return sum(_tries(each, length) for each in value[1:] if each)
    return float(length) if code is codes.GROUPREF else 1.0
