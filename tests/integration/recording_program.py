"""``pywats-bridge record`` and ``replay`` as processes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pywats_events.transports.capture import survey

TOKEN = "factory-t0ken"


class Program:
    """A command that runs in a process; its lines are read as they come."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said: list[str] = []

    @classmethod
    @asynccontextmanager
    async def started(cls, *arguments: str | Path) -> AsyncIterator[Program]:
        """Start it; what still runs at the end is killed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pywats_bridge", *map(str, arguments)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield cls(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def says(self, text: str) -> None:
        """Wait until it says this on standard error."""
        assert self.process.stderr is not None
        while line := (await self.process.stderr.readline()).decode():
            self.said.append(line)
            if text in line:
                return
        raise AssertionError(f"it ended without saying {text}: {self.said}")

    async def ended(self) -> tuple[int, str, str]:
        """Wait for its end; give its code, what it printed and what else it said."""
        printed, said = await self.process.communicate()
        return self.process.returncode or 0, printed.decode(), "".join(self.said) + said.decode()


async def in_file(path: Path, number: int) -> None:
    """Wait until another process has written so many messages."""
    while sum((await asyncio.to_thread(survey, path)).messages.values()) < number:
        pass


async def call(*arguments: str | Path) -> tuple[int, str, str]:
    async with Program.started(*arguments) as program:
        return await program.ended()
