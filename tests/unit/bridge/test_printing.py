"""Tables on terminals of any width: no value is cut, and no word is broken letter by letter."""

from __future__ import annotations

import re

import pytest

from pywats_bridge.printing import table

SUMS = ("received", "repeated", "done", "dropped", "discarded", "dead", "waiting", "difference")


@pytest.fixture
def terminal(monkeypatch):
    """Say how wide the terminal is that standard output is."""

    def of(width: int) -> None:
        monkeypatch.setenv("TTY_COMPATIBLE", "1")
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("COLUMNS", str(width))

    return of


def lines(shown: str) -> list[str]:
    return [line for line in re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines() if line.strip()]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_books_can_be_read_on_a_terminal_of_any_width(terminal, capsys, width):
    """Names of columns, handlers and numbers stand in one piece, in lines that fit."""
    terminal(width)
    table(("transport", *SUMS), [("cfx-listener", *range(1000, 8001, 1000))], numbers=SUMS)
    shown = lines(capsys.readouterr().out)
    for name in ("transport", *SUMS, "cfx-listener", "1000", "8000"):
        assert name in " ".join(shown).split()
    assert max(map(len, shown)) <= width


def test_the_books_stay_a_table_on_the_usual_terminal(terminal, capsys):
    """80 columns hold the sums of a transport in one line."""
    terminal(80)
    table(("transport", *SUMS), [("cfx-listener", 13, 0, 1, 6, 0, 1, 5, 0)], numbers=SUMS)
    assert lines(capsys.readouterr().out)[-1].split() == [
        "cfx-listener",
        *map(str, (13, 0, 1, 6, 0, 1, 5, 0)),
    ]


def test_the_widest_column_gives_way_first(terminal, capsys):
    """A long reason is folded beside what must stay whole: ids, times, classes of errors."""
    terminal(80)
    reason = "station //Acme/Line1/FCT01, unit A72600417A: no part number. Add a [[recipes]] entry"
    row = (15, "2026-11-21 15:35:21+00:00", "NotReady", reason)
    table(("id", "died", "error", "reason"), [row], numbers=["id"])
    _, _, first, *others = lines(capsys.readouterr().out)
    assert re.split(r" {2,}", first.strip())[:3] == ["15", "2026-11-21 15:35:21+00:00", "NotReady"]
    assert " ".join([re.split(r" {2,}", first.strip())[3], *map(str.strip, others)]) == reason


def test_what_does_not_fit_at_all_is_told_line_by_line(terminal, capsys):
    """Each row is a block with a line for each column, instead of columns of single letters."""
    terminal(40)
    table(("id", "died", "error", "unit"), [(15, "2026-11-21 15:35:21+00:00", "CFXDecodeError", "SN-1")])
    assert [line.split(maxsplit=1) for line in map(str.rstrip, lines(capsys.readouterr().out))] == [
        ["id", "15"],
        ["died", "2026-11-21 15:35:21+00:00"],
        ["error", "CFXDecodeError"],
        ["unit", "SN-1"],
    ]
