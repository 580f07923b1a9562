"""Statements over many rows at once: one call into SQLite, however many rows it is about.

A call gives up the interpreter's lock and has to get it back, which takes longer than most statements do.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final, TypeAlias

Row: TypeAlias = Sequence[Any]

#: Most rows of one statement. Sizes are powers of two, so that few different statements are prepared.
_MOST: Final = 128


def in_sets(db: sqlite3.Connection, sql: str, rows: Sequence[Row], row: str = "") -> int:
    """Execute a statement with ``VALUES (...), (...)`` in the place of ``{rows}``; give the rows changed."""
    return sum(db.execute(text, values).rowcount for text, values in _statements(sql, rows, row))


def found_in_sets(db: sqlite3.Connection, sql: str, rows: Sequence[Row], row: str = "") -> list[Any]:
    """Execute such a statement and give what it finds."""
    return [
        found for text, values in _statements(sql, rows, row) for found in db.execute(text, values).fetchall()
    ]


def _statements(sql: str, rows: Sequence[Row], row: str) -> Iterator[tuple[str, list[Any]]]:
    begin = 0
    while left := len(rows) - begin:
        number = min(_MOST, 1 << (left.bit_length() - 1))
        chosen = rows[begin : begin + number]
        yield _text(sql, row or _marks(len(chosen[0])), number), list(chain.from_iterable(chosen))
        begin += number


@lru_cache(maxsize=32)
def _marks(width: int) -> str:
    return f"({', '.join('?' * width)})"


@lru_cache(maxsize=512)
def _text(sql: str, row: str, number: int) -> str:
    return sql.replace("{rows}", f"VALUES {', '.join([row] * number)}")
