"""Ends servers whose test run was killed: no fixture can do that, and they would run for ever.

Run as a program it reads lines from the test run, ``+123`` for a process group to end and ``-123`` for one
that has ended. When the test run is gone, however it went, the pipe closes, and what is left is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path


class Guardian:
    """A process beside the test run. Tell it of each server that leads a process group of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", Path(__file__)],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        """See to it that this group ends with the test run."""
        self._tell(f"+{group}")

    def forget(self, group: int) -> None:
        """Leave this group alone: it has ended, and its number may be another's soon."""
        self._tell(f"-{group}")

    def end(self) -> None:
        """Go home."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()


def main() -> None:
    """Keep the list until the test run is gone; then kill what is on it."""
    groups: set[int] = set()
    for line in sys.stdin:
        if line.startswith("+"):
            groups.add(int(line[1:]))
        else:
            groups.discard(int(line[1:]))
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
