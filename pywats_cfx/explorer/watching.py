"""``--watch``: live traffic of a broker, as a table that grows until somebody ends it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rich.json import JSON
from rich.text import Text

from pywats_cfx.amqp.content import Content
from pywats_cfx.codec import decode_each, encode
from pywats_cfx.envelope import CFXEnvelope
from pywats_cfx.errors import CFXDecodeError
from pywats_cfx.explorer.gist import gist_of, units_of
from pywats_cfx.explorer.screen import Screen, clean, cut, tell
from pywats_cfx.explorer.way import Way, see_to_proton

#: Seconds by which a message's own time may differ from now before that is worth a word.
_LATE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to see.

    Attributes:
        count: so many messages; None for all.
        filters: words that a message must hold, or not hold where ``!`` is before them.
        raw: the messages as they are.
    """

    count: int | None = None
    filters: tuple[str, ...] = ()
    raw: bool = False

    def passes(self, text: str) -> bool:
        """True for a message of this text."""
        lowered = text.lower()
        return all(
            word[1:].lower() not in lowered if word.startswith("!") else word.lower() in lowered
            for word in self.filters
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One message in the table.

    Attributes:
        time: when it came, local time.
        source: who sent it.
        message: what it is.
        units: whom it is about.
        size: bytes on the wire, of a batch those of all.
        gist: what it says.
        raw: the whole, as JSON text.
        readable: False where ``gist`` is the reason why it is not.
    """

    time: datetime
    source: str
    message: str
    units: str
    size: int
    gist: str
    raw: str
    readable: bool = True


def watch(screen: Screen, way: Way, wanted: Wanted) -> int:
    """Show what machines publish until Ctrl-C, or until enough was seen; give the exit code.

    Raises:
        RefusedError: the broker can't be watched, or the connection ended.
    """
    with suppress(KeyboardInterrupt):  # that is how it ends
        asyncio.run(_watch(screen, way, wanted))
    return 0


async def _watch(screen: Screen, way: Way, wanted: Wanted) -> None:
    table = Table(screen, raw=wanted.raw)

    def ready(what: str) -> None:
        tell(f"watching {what} at {way.config.broker}; Ctrl-C ends")
        table.head()

    seen = 0
    async with aclosing(_copies(way, ready)) as messages:
        async for content, subject in messages:
            for row in rows_of(content, subject, now=datetime.now(UTC)):
                if not wanted.passes(f"{row.message} {row.source} {row.raw} {row.gist}"):
                    continue
                table.add(row)
                seen += 1
                if seen == wanted.count:
                    return


def _copies(way: Way, ready: Callable[[str], None]) -> AsyncGenerator[tuple[Content, str]]:
    # the library of the protocol that is not spoken need not be there
    if way.address is not None or way.protocol == "1.0":
        see_to_proton()
        from pywats_cfx.explorer import copies10  # noqa: PLC0415

        return copies10.copies(way, ready)
    from pywats_cfx.explorer import copies091  # noqa: PLC0415

    return copies091.copies(way.config, ready)


def rows_of(content: Content, subject: str, *, now: datetime) -> Iterator[Row]:
    """Give a row for each envelope of a message.

    Args:
        content: the message.
        subject: what it was published with.
        now: when it came.
    """
    size = len(content.body)
    try:
        outcomes = decode_each(content.body, content_encoding=content.content_encoding)
    except CFXDecodeError as error:
        outcomes = [error]
    for outcome in outcomes:
        if isinstance(outcome, CFXDecodeError):
            yield _unreadable(outcome, content.body, subject, now)
        else:
            yield _row(outcome, size, subject, now)


def _row(envelope: CFXEnvelope, size: int, subject: str, now: datetime) -> Row:
    source = envelope.source or subject
    gist = gist_of(envelope.body, without=envelope.source)
    stamp = envelope.time_stamp
    if stamp is not None and abs((now - stamp).total_seconds()) > _LATE:
        gist = f"{gist} (of {stamp.astimezone():%Y-%m-%d %H:%M:%S})".strip()
    message = envelope.message_name.removeprefix("CFX.").rpartition(".")[2]
    raw = encode(envelope).decode()
    return Row(now.astimezone(), source, message, units_of(envelope.body), size, gist, raw)


def _unreadable(error: CFXDecodeError, body: bytes, subject: str, now: datetime) -> Row:
    raw = json.dumps({"unreadable": str(error), "base64": base64.b64encode(body).decode()})
    message = error.message_name or "?"
    reason = f"can't be read: {error.path + ': ' if error.path else ''}{error.reason}"
    return Row(now.astimezone(), error.source or subject, message, "", len(body), reason, raw, readable=False)


class Table:
    """Shows rows one by one, in columns that fit the terminal; in a pipe nothing is cut off.

    Args:
        screen: where to.
        raw: the messages as they are: below their row, or in a pipe alone, one in a line.
    """

    def __init__(self, screen: Screen, *, raw: bool) -> None:
        self._screen = screen
        self._raw = raw

    def head(self) -> None:
        """Name the columns."""
        if self._screen.is_terminal:
            names = ("time", "source", "message", "unit", "size", "")
            self._screen.show(Text(self._line(names), style="bold"))

    def add(self, row: Row) -> None:
        """Show a row at once."""
        cells = (
            f"{row.time:%H:%M:%S}"
            if self._screen.is_terminal
            else row.time.isoformat(timespec="milliseconds"),
            *(clean(each) for each in (row.source, row.message, row.units)),
            _size(row.size),
            clean(row.gist),
        )
        if self._screen.is_terminal:
            self._screen.show(Text(self._line(cells), style=_style(row), no_wrap=True, overflow="crop"))
            if self._raw:
                self._screen.show(JSON(row.raw, ensure_ascii=False))
        elif self._raw:
            self._screen.plain(row.raw)
        else:
            self._screen.plain(
                "  ".join(f"{cell:{width}}" for cell, width in zip(cells, _PIPE, strict=True)).rstrip()
            )
        self._screen.flush()

    def _line(self, cells: tuple[str, ...]) -> str:
        time, source, message, unit, size, gist = cells
        rest = max(self._screen.width - _FIXED, 40)
        # what is left goes to the four that vary, a bit less than half of it to what is said
        a, b, c = rest * 20 // 100, rest * 22 // 100, rest * 20 // 100
        return (
            f"{time:8} {_tail(source, a):{a}} {cut(message, b):{b}} {cut(unit, c):{c}} {size:>7} "
            f"{cut(gist, rest - a - b - c)}"
        )


#: Time, size, and the blanks between six columns.
_FIXED: Final = 8 + 7 + 5
#: Least widths in a pipe.
_PIPE: Final = (29, 24, 24, 24, 8, 0)


def _tail(text: str, length: int) -> str:
    """Give the end of a text: it is what tells machines of one line apart."""
    return text if len(text) <= length else f"…{text[len(text) - length + 1 :]}"


def _size(size: int) -> str:
    if size < 1000:  # noqa: PLR2004  # as the unit says
        return f"{size} B"
    return f"{size / 1000:.1f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"  # noqa: PLR2004


def _style(row: Row) -> str:
    if not row.readable:
        return "bold red"
    words = row.gist.split(" (of ")[0].replace(",", " ").split()
    if {"Failed", "Error", "Aborted"} & set(words):
        return "red"
    if "Fault" in row.message:
        return "yellow"
    return "green" if "Passed" in words else ""
