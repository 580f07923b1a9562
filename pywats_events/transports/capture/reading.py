"""Reading a capture, line by line, packed with gzip or not."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self, cast

from pywats_events.message import RawMessage
from pywats_events.transports.capture.form import (
    MOST_BYTES_OF_A_LINE,
    VERSION,
    CaptureError,
    Damage,
    read_head,
    read_message,
)

_GZIP: Final = b"\x1f\x8b"
#: Damaged lines that a survey names; it counts them all.
_NAMED: Final = 20
#: Lines, and bytes of bodies, that are read ahead at one time.
_CHUNK: Final = 256
_CHUNK_BYTES: Final = 8 * 1024 * 1024


class CaptureFile:
    """An open capture. Its methods block: in async code they run in a thread.

    Args:
        path: the file.

    Attributes:
        line: number of the last line that was read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.line = 0
        self._file: BinaryIO | None = None

    def open(self) -> None:
        """Open the file and read its head.

        Raises:
            CaptureError: it can't be read (because of an ``OSError`` then), is no capture, or is of a later
                form than this program knows.
        """
        try:
            with self.path.open("rb") as start:
                is_packed = start.read(2) == _GZIP
            self._file = _unpacked(self.path) if is_packed else self.path.open("rb")
        except OSError as error:
            raise CaptureError(f"{self.path}: can't be read: {error.strerror or error}") from error
        first = self._next_line()
        head = read_head(first) if first else None
        if head is None:
            self.close()
            raise CaptureError(
                f'{self.path}: is no capture: its first line is not {{"capture": {VERSION}, ...}}; '
                "pywats-bridge record makes one"
            )
        if head.capture != VERSION:
            self.close()
            raise CaptureError(
                f"{self.path}: is of form {head.capture}, this program reads form {VERSION}: "
                "read it with the version that made it, or a later one"
            )

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[RawMessage | Damage]:
        while (line := self._next_line()) is not None:
            yield self._read(line)

    def chunk(self) -> list[RawMessage | Damage]:
        """Give the next lines, a bounded number of them; none at the end.

        Raises:
            CaptureError: the file can't be read on.
        """
        found: list[RawMessage | Damage] = []
        size = 0
        while len(found) < _CHUNK and size < _CHUNK_BYTES and (line := self._next_line()) is not None:
            size += len(line)
            found.append(self._read(line))
        return found

    def _read(self, line: bytes) -> RawMessage | Damage:
        if len(line) > MOST_BYTES_OF_A_LINE:
            return Damage(self.line, f"is longer than {MOST_BYTES_OF_A_LINE // 1024**2} MiB")
        try:
            return read_message(line)
        except ValueError as error:
            return Damage(self.line, " ".join(str(error).split()))

    def _next_line(self) -> bytes | None:
        """Give the next line that is not blank; of one that is too long only a beginning that shows it."""
        while self._file is not None:
            try:
                line = self._one_line(self._file)
            except (OSError, EOFError, zlib.error) as error:
                self.close()
                raise CaptureError(f"{self.path}: can't be read beyond line {self.line}: {error}") from None
            if not line:
                return None
            self.line += 1
            if not line.isspace():
                return line
        return None

    @staticmethod
    def _one_line(file: BinaryIO) -> bytes:
        line = file.readline(MOST_BYTES_OF_A_LINE + 1)
        rest = line if len(line) > MOST_BYTES_OF_A_LINE else b""
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(_CHUNK_BYTES)
        return line


def _unpacked(path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.GzipFile(path))


@dataclass(slots=True)
class Survey:
    """What is in a capture.

    Attributes:
        messages: their number, by transport.
        first: when the earliest message was received; None where there is none.
        last: when the latest one was.
        damaged: number of lines that hold no message.
        damages: the first of these.
    """

    messages: Counter[str] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None
    damaged: int = 0
    damages: list[Damage] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """From the first message to the last."""
        return 0.0 if self.first is None or self.last is None else (self.last - self.first).total_seconds()


def survey(path: Path) -> Survey:
    """Look through a capture. It blocks: in async code it runs in a thread.

    Raises:
        CaptureError: it can't be read, or is none.
    """
    found = Survey()
    with CaptureFile(path) as capture:
        for each in capture:
            if isinstance(each, Damage):
                found.damaged += 1
                if len(found.damages) < _NAMED:
                    found.damages.append(each)
            else:
                found.messages[each.transport] += 1
                at = each.received_at
                found.first = at if found.first is None else min(found.first, at)
                found.last = at if found.last is None else max(found.last, at)
    return found
