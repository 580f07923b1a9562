"""Patterns of the configuration: names with ``*``, and regular expressions with named groups."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator

_GROUPS: Final = frozenset({"pn", "rev"})


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)


def fits(pattern: str, text: str) -> bool:
    """Tell whether a text is what a pattern says; ``*`` stands for any characters, all else for itself."""
    return pattern == text or ("*" in pattern and _compiled(pattern).fullmatch(text) is not None)


def _regex(text: str) -> str:
    try:
        groups = set(re.compile(text).groupindex)
    except re.error as error:
        raise ValueError(f'"{text}" is not a regular expression: {error}') from None
    if "pn" not in groups:
        raise ValueError(f'"{text}" needs a group (?P<pn>...) that takes the part number')
    if groups - _GROUPS:
        raise ValueError(f'"{text}": only the groups pn and rev mean something')
    return text


def _composing(text: str) -> str:
    try:
        first, second = (text.format(unit_id="U", position=position) for position in (1, 2))
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f'"{text}" may hold {{unit_id}} and {{position}} only: {error}') from None
    if first == second or "{unit_id}" not in text:
        raise ValueError(f'"{text}" must hold {{unit_id}} and {{position}}, else units get one serial number')
    return text


#: A regular expression that takes a part number (group ``pn``) and maybe a revision (group ``rev``).
PartRegex: TypeAlias = Annotated[str, AfterValidator(_regex)]

#: How a serial number is composed of ``{unit_id}`` and ``{position}``.
SerialPattern: TypeAlias = Annotated[str, AfterValidator(_composing)]
