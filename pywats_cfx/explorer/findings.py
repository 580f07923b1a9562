"""What is wrong with a message, and how much of it is told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: Kinds of findings that one file may have; what comes after them would not be read either.
MOST: Final = 500


class Severity(StrEnum):
    """How bad it is."""

    #: It could not be read.
    ERROR = "error"
    #: It was read, but it is not as the standard has it.
    WARNING = "warning"


@dataclass(slots=True)
class Finding:
    """Something that is wrong.

    Attributes:
        severity: how bad it is.
        path: where, in wire names; empty for the whole.
        problem: what is wrong.
        advice: what to do.
        message: name of the message, as far as it has one.
        index: place of the envelope in its batch, from 0.
        count: how often the same is wrong at like places; ``path`` is the first of them.
    """

    severity: Severity
    path: str
    problem: str
    advice: str
    message: str | None = None
    index: int = 0
    count: int = 1


class Findings:
    """Collects findings; the same at another place of the same list is only counted."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str | None, str, str, str], Finding] = {}
        self.cut_short = False
        self._message: str | None = None
        self._index = 0

    def of(self, message: str | None, index: int) -> None:
        """Say which envelope those that follow are about."""
        self._message, self._index = message, index

    @property
    def all(self) -> list[Finding]:
        """The findings, in the order in which they were made."""
        return list(self._kinds.values())

    def error(self, path: str, problem: str, advice: str) -> None:
        """Note what could not be read."""
        self._add(Severity.ERROR, path, problem, advice)

    def warning(self, path: str, problem: str, advice: str) -> None:
        """Note what was read, but is not as the standard has it."""
        self._add(Severity.WARNING, path, problem, advice)

    def number(self, severity: Severity) -> int:
        """Count those of a severity, each as often as it was found."""
        return sum(finding.count for finding in self._kinds.values() if finding.severity is severity)

    def has_error_in(self, index: int) -> bool:
        """True when an envelope can't be read, or not fully."""
        return any(
            finding.severity is Severity.ERROR and finding.index == index for finding in self._kinds.values()
        )

    def _add(self, severity: Severity, path: str, problem: str, advice: str) -> None:
        kind = (self._message, severity, re.sub(r"\[\d+\]", "[]", path), problem)
        known = self._kinds.get(kind)
        if known is not None:
            known.count += 1
        elif len(self._kinds) >= MOST and severity is Severity.WARNING:
            self.cut_short = True
        elif len(self._kinds) < 2 * MOST:
            self._kinds[kind] = Finding(severity, path, problem, advice, self._message, self._index)
        else:
            self.cut_short = True
