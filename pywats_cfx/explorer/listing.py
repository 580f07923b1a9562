"""``--list``: all messages, and the samples."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

import samples
from pywats_cfx.explorer.entries import Entry, entries, nearest
from pywats_cfx.explorer.refusal import USAGE, RefusedError
from pywats_cfx.explorer.screen import Screen

#: Columns from which name, event and summary stand beside each other.
_WIDE: Final = 120


def show_list(screen: Screen, wanted: str) -> None:
    """List messages and samples.

    Args:
        screen: where to.
        wanted: what their names, kinds, event types or summaries hold, in any case; empty for all.

    Raises:
        RefusedError: there is none such.
    """
    found = [each for each in entries() if _holds(wanted, each)]
    shown = [
        name for name in samples.names() if wanted.lower() in f"{name} {samples.SUMMARIES[name]}".lower()
    ]
    if not found and not shown:
        alike = nearest(wanted)
        hint = f"; did you mean {' or '.join(alike)}?" if alike else ""
        raise RefusedError(f'nothing is known of "{wanted[:80]}"{hint}', USAGE)
    if screen.is_terminal:
        _pages(screen, found, shown)
    else:
        _lines(screen, found, shown)


def _holds(wanted: str, entry: Entry) -> bool:
    told = (entry.name, entry.kind, entry.event_type or "", entry.summary, *entry.samples)
    return any(wanted.lower() in each.lower() for each in told)


def _lines(screen: Screen, found: Sequence[Entry], shown: Sequence[str]) -> None:
    """One line for each, whose first word is its name: for grep, cut and awk."""
    name = max((len(each.name) for each in found), default=0)
    event = max((len(each.event_type or "-") for each in found), default=0)
    for each in found:
        marks = f"  [{', '.join(each.samples)}]" if each.samples else ""
        screen.plain(
            f"{each.name:{name}}  {each.kind:8}  {each.event_type or '-':{event}}  {each.summary}{marks}"
        )
    name = max(map(len, shown), default=0)
    for sample in shown:
        screen.plain(f"{sample:{name}}  sample  {samples.SUMMARIES[sample]}")


def _pages(screen: Screen, found: Sequence[Entry], shown: Sequence[str]) -> None:
    for namespace, group in groupby(found, key=attrgetter("namespace")):
        screen.show(Text(namespace, style="bold cyan"))
        members = list(group)
        screen.show(_table(members) if screen.width >= _WIDE else _stack(members), "")
    if shown:
        screen.show(Text("Samples", style="bold cyan"))
        table = _grid()
        table.add_column(no_wrap=True)
        table.add_column()
        for name in shown:
            table.add_row(Text(name, style="bold"), samples.SUMMARIES[name])
        screen.show(Padding(table, (0, 0, 0, 2)), "")
    if found:
        mapped = sum(each.event_type is not None for each in found)
        screen.show(
            Text(
                f"messages: {len(found)}; that become a domain event (→): {mapped}; the others travel as "
                "they are. * a sample shows it.",
                style="dim",
            )
        )


def _table(members: Sequence[Entry]) -> Padding:
    table = _grid()
    table.add_column(no_wrap=True, min_width=41)
    table.add_column(no_wrap=True, min_width=8, style="dim")
    table.add_column(no_wrap=True, min_width=24)
    table.add_column()
    for each in members:
        table.add_row(_name(each), each.kind, _event(each), each.summary)
    return Padding(table, (0, 0, 0, 2))


def _stack(members: Sequence[Entry]) -> Padding:
    table = Table.grid()
    table.add_column()
    for each in members:
        kind = "" if each.kind == "event" else f"  {each.kind}"
        told = Text.assemble(_name(each), (kind, "dim"), "  " if each.event_type else "", _event(each))
        told.no_wrap = True
        told.overflow = "fold"
        table.add_row(told)
        table.add_row(Padding(each.summary, (0, 0, 0, 4), style="dim"))
    return Padding(table, (0, 0, 0, 2))


def _grid() -> Table:
    return Table.grid(padding=(0, 2))


def _name(entry: Entry) -> Text:
    return Text(entry.short, style="bold").append(" *" if entry.samples else "", "not bold yellow")


def _event(entry: Entry) -> Text:
    return Text(f"→ {entry.event_type}", style="green") if entry.event_type else Text()
