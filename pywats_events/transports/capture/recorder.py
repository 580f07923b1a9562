"""Writes what transports receive into a file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import structlog

from pywats_events.journal import JournalError
from pywats_events.message import Adapter, RawMessage
from pywats_events.transports.capture.form import (
    MOST_BYTES_OF_A_LINE,
    VERSION,
    CaptureError,
    head_line,
    message_line,
    read_head,
)

log = structlog.get_logger(__name__)

#: Size of the file at which a recording ends by itself.
MOST_BYTES: Final = 1024**3
_LONGEST_HEAD: Final = 10_000


def _say_nothing(_: str) -> None:
    """Tell nobody."""


class Recorder:
    """Takes the place of the bus for transports that are to be recorded: ``await transport.start(recorder)``.

    A message is acknowledged when its line is on the disk. Use it with ``async with``; stop the transports
    before it ends.

    Args:
        path: the file, which must not exist.
        append: write on at the end of a capture that is there already.
        count: so many messages, and the recording is over.
        max_bytes: size of the file at which it is over too.
        by: which program records, for the head.
        say: hears when a source can be read, and when it can't, in one line.

    Attributes:
        messages: messages that are in the file by this recording.
        left_out: messages that no line can hold.
    """

    def __init__(
        self,
        path: Path,
        *,
        append: bool = False,
        count: int | None = None,
        max_bytes: int = MOST_BYTES,
        by: str = "",
        say: Callable[[str], None] = _say_nothing,
    ) -> None:
        self.path = path
        self.messages = 0
        self.left_out = 0
        self._append = append
        self._count = count
        self._max_bytes = max_bytes
        self._by = by
        self._say = say
        self._file: BinaryIO | None = None
        self._size = 0
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._work = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._over: asyncio.Future[str] | None = None

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._size

    async def __aenter__(self) -> Self:
        """Open the file.

        Raises:
            CaptureError: it can't be written, is there already, or is no capture to append to.
        """
        await asyncio.to_thread(self._open)
        self._over = asyncio.get_running_loop().create_future()
        self._writer = asyncio.create_task(self._write_all(), name=f"recorder {self.path.name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end("closed")
        self._work.set()
        if self._writer is not None:
            await self._writer
        if self._file is not None:
            await asyncio.to_thread(self._file.close)

    async def over(self) -> str:
        """Wait until it takes nothing more by itself; give the reason.

        Raises:
            CaptureError: the file can't be written; all before is whole.
        """
        return await asyncio.shield(self._running())

    # --- as transports see it ----------------------------------------------------------------------------

    async def receive(self, message: RawMessage, *, adapter: Adapter | None = None) -> None:  # noqa: ARG002  # nothing is read
        """Write a message down and acknowledge it.

        Raises:
            JournalError: it was not written, and is not acknowledged.
        """
        self._check_open()
        line = self._line(message)
        if line is not None:
            written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((line, written))
            self._work.set()
            await written
        await message.ack()

    def _line(self, message: RawMessage) -> bytes | None:
        """Give the message's line; None for one that no line can hold, which would come again for ever."""
        try:
            line = message_line(message)
            if len(line) <= MOST_BYTES_OF_A_LINE:
                return line
            reason = f"its line would be longer than {MOST_BYTES_OF_A_LINE // 1024**2} MiB"
        except ValueError as error:
            reason = str(error)
        self.left_out += 1
        log.warning("message left out", transport=message.transport, address=message.address, reason=reason)
        return None

    async def handled(self, event_id: str) -> None:
        """Say that all is handled: nothing is."""

    async def connected(self, transport: str, detail: str) -> None:
        """Say that a transport can receive."""
        self._say(f"{transport}: records from {detail}")

    async def disconnected(self, transport: str, reason: str) -> None:
        """Say that a transport can't receive."""
        self._say(f"{transport}: nothing comes for now: {reason}")

    # --- the file ----------------------------------------------------------------------------------------

    def _running(self) -> asyncio.Future[str]:
        if self._over is None:
            raise RuntimeError("enter the recorder first: async with Recorder(...)")
        return self._over

    def _check_open(self) -> None:
        if self._running().done():
            raise JournalError(f"{self.path}: the recording is over")

    def _end(self, reason: str) -> None:
        over = self._running()
        if not over.done():
            over.set_result(reason)

    def _open(self) -> None:
        try:
            self._file = self._opened()
        except FileExistsError:
            raise CaptureError(
                f"{self.path}: is there already; name another file, or add to it with --append"
            ) from None
        except OSError as error:
            raise CaptureError(f"{self.path}: can't be written: {error.strerror or error}") from None

    def _opened(self) -> BinaryIO:
        if not self._append or not self.path.exists() or self.path.stat().st_size == 0:
            # what machines send is not for everybody on this computer
            flags = os.O_WRONLY | os.O_CREAT | (0 if self._append else os.O_EXCL) | getattr(os, "O_BINARY", 0)
            file = os.fdopen(os.open(self.path, flags, 0o600), "wb", buffering=0)
            self._begin(file, head_line(by=self._by))
            return file
        with self.path.open("rb") as before:
            head = read_head(before.readline(_LONGEST_HEAD))
            if head is None or head.capture != VERSION:
                raise CaptureError(f"{self.path}: is no capture of form {VERSION} that could be added to")
            before.seek(-1, os.SEEK_END)
            is_whole = before.read() == b"\n"
        file = self.path.open("ab", buffering=0)
        self._size = file.seek(0, os.SEEK_END)
        if not is_whole:  # it ended in the middle of a line, which stays a damaged one
            self._begin(file, b"\n")
        return file

    def _begin(self, file: BinaryIO, data: bytes) -> None:
        try:
            self._size += _write(file, data)
        except OSError:
            file.close()
            raise

    async def _write_all(self) -> None:
        """Write what comes in, until the recording is over and nothing waits."""
        over = self._running()
        while self._waiting or not over.done():
            await self._work.wait()
            self._work.clear()
            waiting, self._waiting = self._waiting, []
            batch = self._fitting([each for each in waiting if not each[1].cancelled()])
            if not batch:
                continue
            try:
                await asyncio.to_thread(self._append_lines, [line for line, _ in batch])
            except OSError as error:
                self._fail(batch, error)
                continue
            self.messages += len(batch)
            for _, written in batch:
                if not written.done():
                    written.set_result(None)
            self._look_at_limits()

    def _fitting(
        self, batch: list[tuple[bytes, asyncio.Future[None]]]
    ) -> list[tuple[bytes, asyncio.Future[None]]]:
        """Refuse what comes after the end, or after the count; give the rest."""
        room = len(batch) if self._count is None else max(0, self._count - self.messages)
        if self._running().done():
            room = 0
        self._refuse(batch[room:], "the recording is over")
        return batch[:room]

    def _refuse(self, batch: list[tuple[bytes, asyncio.Future[None]]], reason: str) -> None:
        for _, written in batch:
            if not written.done():
                written.set_exception(JournalError(f"{self.path}: {reason}"))

    def _look_at_limits(self) -> None:
        if self._count is not None and self.messages >= self._count:
            self._end("count")
        elif self._size >= self._max_bytes:
            self._end("size")

    def _fail(self, batch: list[tuple[bytes, asyncio.Future[None]]], error: OSError) -> None:
        reason = f"can't be written: {error.strerror or error}"
        self._refuse(batch, reason)
        over = self._running()
        if not over.done():
            over.set_exception(CaptureError(f"{self.path}: {reason}"))
            over.exception()  # who does not ask has seen the refusals

    def _append_lines(self, lines: list[bytes]) -> None:
        if self._file is None:
            raise OSError("the file is closed")
        try:
            for line in lines:
                _write(self._file, line)
            os.fsync(self._file.fileno())
        except OSError:
            self._cut_back(self._file)
            raise
        self._size = self._file.tell()

    def _cut_back(self, file: BinaryIO) -> None:
        """Leave no half line behind: what was not acknowledged is not in the file."""
        try:
            file.truncate(self._size)
        except OSError as error:
            log.warning(
                "capture may end in a part of a line", file=str(self.path), error=error.strerror or str(error)
            )


def _write(file: BinaryIO, data: bytes) -> int:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
    return len(data)
