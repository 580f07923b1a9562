"""A process with webhooks and a journal in a file, which the tests kill: ``webhook_worker.py JOURNAL``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from webhook_steps import SECRET, webhooks

from pywats_events.journal.sqlite import SQLiteJournal


async def main() -> None:
    """Listen, say where, and go on until killed."""
    hook = {"name": "mes", "secret": SECRET, "requests_per_minute": 1e9}
    async with webhooks(hook, journal=SQLiteJournal(Path(sys.argv[1]))) as hooks:
        sys.stdout.write(f"at {hooks.transport.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
