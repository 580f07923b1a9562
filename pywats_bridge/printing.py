"""How commands print: tables for people on a terminal, tab-separated lines in a pipe, JSON when asked for."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import typer
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Machines choose what stands in serials and reasons; none of it may steer a terminal.
_STEERING: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
#: Characters between two columns: the more, the better.
_BETWEEN: Final = (3, 2, 1)
#: Characters of the widest column below which it can't be read any more.
_LEAST_PROSE: Final = 24
_AGE: Final = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def plain(value: Any) -> str:
    """Give a value as one line of text in which nothing steers a terminal."""
    return _STEERING.sub(lambda found: _escaped(found[0]), str(value))


def _escaped(character: str) -> str:
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"  # noqa: PLR2004


def clock_time(moment: datetime | None) -> str:
    """Give a time in the local zone, with its offset; "-" for none."""
    return "-" if moment is None else moment.astimezone().isoformat(" ", "milliseconds")


def seconds_time(moment: datetime | None) -> str:
    """Give a time as ``clock_time`` does, to the second."""
    return "-" if moment is None else moment.astimezone().isoformat(" ", "seconds")


def ago(age: str) -> datetime:
    """Read an age such as ``90s``, ``15m``, ``2h``, ``3d``, ``1w``; give the time so long ago.

    Raises:
        ValueError: it is none.
    """
    found = _AGE.fullmatch(age.strip().lower())
    if found is None:
        raise ValueError(f'"{plain(age)}" is no age; write one such as 90s, 15m, 2h, 3d or 1w')
    return datetime.now(UTC) - timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def counted(number: int, thing: str) -> str:
    """Give a number with what is counted: "1 dead letter", "1,200 dead letters"."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def say(text: str = "", style: str = "") -> None:
    """Print text that is ours or was made ``plain``; the style shows on a terminal only."""
    console().print(Text(text, style), soft_wrap=True)


def console() -> Console:
    """Give a console on standard output as it is now."""
    return Console(file=sys.stdout, highlight=False)


def json_line(document: Any) -> None:
    """Print one JSON document on a line of its own."""
    typer.echo(json.dumps(document, ensure_ascii=False))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, numbers: Sequence[str] = ()) -> None:
    """Print a table.

    In a pipe it is one line for each row with tabs between, after a line with the names of the columns, and
    nothing is cut. On a terminal the widest column gives way; where that is not enough, each row becomes a
    block with a line for each column, for words broken at every letter can't be read.

    Args:
        columns: their names.
        rows: values, in the order of the columns.
        numbers: columns whose values stand to the right.
    """
    target = console()
    if not target.is_terminal:
        typer.echo("\t".join(columns))
        for row in rows:
            typer.echo("\t".join(map(plain, row)))
        return
    cells = [[Text(plain(value)) for value in row] for row in rows]
    widths = [max((cell_len(name), *(row[at].cell_len for row in cells))) for at, name in enumerate(columns)]
    layout = _layout(widths, target.width)
    if layout is None:
        _blocks(target, columns, cells)
        return
    between, widths = layout
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, header_style="bold", padding=(0, between - 1, 0, 0))
    for name, width in zip(columns, widths, strict=True):
        grid.add_column(name, justify="right" if name in numbers else "left", overflow="fold", width=width)
    for row in cells:
        grid.add_row(*row)
    target.print(grid)


def _layout(widths: list[int], room: int) -> tuple[int, list[int]] | None:
    """Give the characters between columns and those of each, or None where they can't stand side by side."""
    left_over = {between: room - sum(widths) - len(widths) * between + 1 for between in _BETWEEN}
    for between, left in left_over.items():
        if left >= 0:
            return between, widths
    widest = widths.index(max(widths))
    for between, too_little in left_over.items():
        left = widths[widest] + too_little
        if left >= _LEAST_PROSE:
            return between, [*widths[:widest], left, *widths[widest + 1 :]]
    return None


def _blocks(target: Console, columns: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
    names = max(map(cell_len, columns))
    for row in rows:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold", width=min(names, target.width // 2))
        grid.add_column(overflow="fold")
        for name, value in zip(columns, row, strict=True):
            grid.add_row(name, value)
        target.print(grid)
        target.print()
