"""What is known of each message without loading its model."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Final

import samples
from pywats_cfx.explorer.refusal import USAGE, RefusedError
from pywats_cfx.messages.index import MESSAGES

_SIMILAR: Final = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of the standard.

    Attributes:
        name: its full name.
        summary: what it says, in a sentence.
        event_type: the domain event that it becomes; None where it travels as it is.
        samples: names of the samples that show it.
    """

    name: str
    summary: str
    event_type: str | None
    samples: tuple[str, ...]

    @property
    def namespace(self) -> str:
        """All of its name but the last part: what the standard calls its topic."""
        return self.name.rpartition(".")[0]

    @property
    def short(self) -> str:
        """The last part of its name; no two messages share it."""
        return short(self.name)

    @property
    def kind(self) -> str:
        """``request``, ``response`` or ``event``: the standard names them so."""
        return kind_of(self.name)


def entries() -> tuple[Entry, ...]:
    """Give all messages, in the order of the standard's namespaces."""
    # what becomes of messages knows the payloads of all events, which are not quick
    from pywats_cfx.mapping.table import MAPPED  # noqa: PLC0415

    shown = _samples()
    return tuple(
        Entry(
            name,
            _summaries(module)[short(name)],
            MAPPED[name].event_type.value if name in MAPPED else None,
            tuple(sample for sample, shows in shown.items() if shows == name),
        )
        for name, module in MESSAGES.items()
    )


def short(name: str) -> str:
    """Give the last part of a message's name."""
    return name.rpartition(".")[2]


def kind_of(name: str) -> str:
    """Say whether a message is a ``request``, a ``response`` or an ``event``."""
    ends = (kind for kind in ("request", "response") if name.endswith(kind.title()))
    return next(ends, "event")


def find(name: str) -> str:
    """Give the full name of a message that somebody named in full, in part, or in another case.

    Raises:
        RefusedError: there is none, or several could be meant; the text names those that are alike.
    """
    wanted = name.strip().lower()
    found = [each for each in MESSAGES if each.lower() == wanted or each.lower().endswith(f".{wanted}")]
    if len(found) == 1:
        return found[0]
    alike = nearest(name)
    hint = f"did you mean {' or '.join(alike)}?" if alike else "--list names them all"
    raise RefusedError(f'no message is called "{name[:80]}"; {hint}', USAGE)


def nearest(name: str) -> list[str]:
    """Give the short names of messages that are spelt alike."""
    names = {short(each).lower(): short(each) for each in MESSAGES}
    wanted = short(name.strip()).lower()[:80]
    alike = get_close_matches(wanted, names, n=_SIMILAR, cutoff=0.6)
    if not alike and wanted:
        alike = [each for each in names if wanted in each][:_SIMILAR]
    return [names[each] for each in alike]


def _samples() -> Mapping[str, str]:
    return {name: json.loads(samples.load(name))["MessageName"] for name in samples.names()}


@cache
def _summaries(module: str) -> Mapping[str, str]:
    """Read the first line of what a module says of each class, without importing it."""
    *folders, name = module.split(".")
    source = files("pywats_cfx.messages").joinpath(*folders, f"{name}.py").read_text(encoding="utf-8")
    return {
        node.name: (ast.get_docstring(node) or "").partition("\n")[0]
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
    }
