"""The bridge as a process: its configuration, its logs as they come, and its end."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

TOKEN = "factory-t0ken"
PASSWORD = "br0ker-word"
SECONDS = 60.0


def configuration(
    folder: Path, *, wats: str, port: int, unique: str, stop_timeout: float = 5, journal: str | None = None
) -> Path:
    """Write a configuration with its secrets in files beside it."""
    (folder / "token").write_text(TOKEN)
    (folder / "password").write_text(PASSWORD)
    path = folder / "bridge.toml"
    kept = f'[journal]\nkind = "{journal}"\n' if journal else ""
    path.write_text(
        f"""
log_level = "debug"

[wats]
url = "{wats}"
token_file = "token"

[cfx.amqp]
host = "127.0.0.1"
port = {port}
username = "bridge"
password_file = "password"
queue = "bridge-{unique}"
exchange = "cfx-{unique}"
reconnect_initial_delay = 0.1
reconnect_max_delay = 0.3

{kept}
[delivery]
initial_delay = 0.05
reset_timeout = 0.2
stop_timeout = {stop_timeout}

[[stations]]
handle = "//Acme/Line1/FCT*"
process = 60
part_number = "PCB-100"
""",
        encoding="utf-8",
    )
    return path


class BridgeProcess:
    """A bridge that runs. Lines of its log are read as they come.

    Attributes:
        lines: what it wrote to standard error.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []

    @classmethod
    @asynccontextmanager
    async def started(cls, config: Path) -> AsyncIterator[BridgeProcess]:
        """Start it; what still runs at the end is killed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pywats_bridge", "run", "--config", str(config)),
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

    async def logged(self, *texts: str, where: Callable[[dict[str, Any]], bool] = lambda _: True) -> Any:
        """Wait for a log line that holds the texts, and give it as data."""
        async with asyncio.timeout(SECONDS):
            while line := await self._line():
                if all(text in line for text in texts) and where(json.loads(line)):
                    return json.loads(line)
        raise AssertionError(f"it ended without logging {texts}:\n" + "\n".join(self.lines))

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Tell it to end."""
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end; give the exit code."""
        async with asyncio.timeout(SECONDS):
            while await self._line():
                pass
            return await self._process.wait()

    async def printed(self) -> bytes:
        """Give what it wrote to standard output; it must have ended."""
        return await self._process.stdout.read() if self._process.stdout else b""

    async def _line(self) -> str:
        raw = await self._process.stderr.readline() if self._process.stderr else b""
        line = raw.decode().rstrip("\n")
        if raw:
            self.lines.append(line)
        return line if line or not raw else " "
