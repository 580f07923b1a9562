"""Patterns of topics, with names for their parts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

_NAME: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_REST: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\.\.\.\}")

#: MQTT lets no topic be longer (MQTT 5.0, 1.5.4).
_LONGEST: Final = 65_535


@dataclass(frozen=True, slots=True)
class TopicPattern:
    """A pattern such as ``factory/{line}/{station}/result``.

    ``{name}`` stands for one level, ``{name...}`` as the last one for all the rest (none included). ``+`` and
    ``#`` do the same without a name, as in MQTT. An address that begins with ``$`` is matched only by a
    pattern that spells its first level out (MQTT 5.0, 4.7.2).

    Attributes:
        text: the pattern as it was written.
        levels: a text for a level that must be so, None for one that may be anything.
        names: name of each level that has one, by its place.
        rest: name of the rest; empty where it has none; None where the pattern matches no rest.
    """

    text: str
    levels: tuple[str | None, ...]
    names: tuple[tuple[int, str], ...]
    rest: str | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a pattern.

        Raises:
            ValueError: it is none; the text says why.
        """
        if not text or "\0" in text or len(text.encode(errors="replace")) > _LONGEST:
            raise ValueError(f"topic {_short(text)}: must have 1 to {_LONGEST} bytes, and no NUL among them")
        levels: list[str | None] = []
        names: list[tuple[int, str]] = []
        rest: str | None = None
        parts = text.split("/")
        for place, part in enumerate(parts):
            whole = _REST.fullmatch(part)
            if whole or part == "#":
                if place != len(parts) - 1:
                    raise ValueError(f'topic "{text}": {part} takes all that follows, so it must stand last')
                rest = whole.group(1) if whole else ""
            elif named := _NAME.fullmatch(part):
                names.append((place, named.group(1)))
                levels.append(None)
            elif part == "+":
                levels.append(None)
            elif found := re.search(r"[+#{}]", part):
                raise ValueError(
                    f'topic "{text}": {found.group()} in "{part}" must be a level of its own: {{name}}, '
                    "{name...}, + or # between slashes"
                )
            else:
                levels.append(part)
        given = [name for _, name in names] + ([rest] if rest else [])
        twice = next((name for name in given if given.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f'topic "{text}": the name {{{twice}}} is given twice')
        return cls(text, tuple(levels), tuple(names), rest)

    @property
    def filter(self) -> str:
        """The MQTT topic filter that brings at least what matches."""
        levels = ["+" if level is None else level for level in self.levels]
        return "/".join(levels if self.rest is None else [*levels, "#"])

    @property
    def parts(self) -> frozenset[str]:
        """The names that a match gives."""
        return frozenset(name for _, name in self.names) | ({self.rest} if self.rest else set())

    def match(self, topic: str) -> dict[str, str] | None:
        """Give the named parts of a topic, or None where it does not match."""
        given = topic.split("/")
        count = len(self.levels)
        if len(given) < count or (self.rest is None and len(given) > count):
            return None
        if topic.startswith("$") and (not self.levels or self.levels[0] is None):
            return None
        for level, part in zip(self.levels, given, strict=False):
            if level is not None and level != part:
                return None
        found = {name: given[place] for place, name in self.names}
        if self.rest:
            found[self.rest] = "/".join(given[count:])
        return found


def _short(text: str) -> str:
    return f'"{text}"' if len(text) <= 80 else f'"{text[:77]}..."'  # noqa: PLR2004
