"""Where the explorer writes: colours and columns for a terminal, plain text for a pipe."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

from rich.console import Console, RenderableType
from rich.json import JSON
from rich.text import Text


class Screen:
    """Standard output, and what of it somebody looks at."""

    def __init__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A terminal or pipe that can't show a character must not end the program.
            sys.stdout.reconfigure(errors="backslashreplace")
        self._console = Console(highlight=False)

    @property
    def is_terminal(self) -> bool:
        """True when a person looks at it."""
        return self._console.is_terminal

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return self._console.width

    def plain(self, text: str) -> None:
        """Write a line as it is."""
        sys.stdout.write(f"{text}\n")

    def show(self, *what: RenderableType) -> None:
        """Show on the terminal."""
        for each in what:
            self._console.print(each)

    def line(self, text: Text | str) -> None:
        """Write a line, in colours where it has some and somebody sees them."""
        if self.is_terminal:
            self._console.print(text if isinstance(text, Text) else Text(text))
        else:
            self.plain(str(text))

    def heading(self, text: str) -> None:
        """Write a line that stands above others."""
        if self.is_terminal:
            self._console.rule(Text(text, style="bold"), align="left")
        else:
            self.plain(f"# {text}")

    def json(self, content: Any) -> None:
        """Show JSON data."""
        text = json.dumps(content, indent=2, ensure_ascii=False)
        if self.is_terminal:
            self._console.print(JSON(text, ensure_ascii=False))
        else:
            self.plain(text)

    def flush(self) -> None:
        """Let everybody see what was written so far."""
        sys.stdout.flush()


def tell(text: str) -> None:
    """Say something that is no result: to standard error."""
    sys.stderr.write(f"{clean(text)}\n")
    sys.stderr.flush()


def clean(text: str) -> str:
    """Give a text in one line that can't do anything to a terminal, whoever wrote it."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _named(each) for each in text)


def _named(character: str) -> str:
    if character.isspace():
        return " "
    # a lone half of a pair of surrogates can't be written at all
    return ascii(character)[1:-1]


def cut(text: str, length: int) -> str:
    """Give a text that is not longer than this."""
    return text if len(text) <= length else f"{text[: max(length - 1, 0)]}…"
