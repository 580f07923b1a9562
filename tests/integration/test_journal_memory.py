"""A backlog takes disk, not memory, however long it is."""

from __future__ import annotations

import asyncio
import sys

import pytest

PATIENCE = 280.0
#: MB by which a process may grow while any number of events goes through its journal: SQLite's cache of
#: pages, its index of the log, and what the allocator keeps.
GROWTH = 16

#: Takes so many events in, then brings all of them to their end, in a file; prints what its memory has grown
#: by (VmRSS of /proc/self/status, in MB) after the first and after the second, from after a short run on.
PROCESS = """
import asyncio, gc, re, sys
from datetime import UTC, datetime
from pathlib import Path
from pywats_events import Event, EventType, RawMessage
from pywats_events.journal import Completed, RawRecord, Receipt, Routed
from pywats_events.journal.sqlite import SQLiteJournal

def memory():
    gc.collect()
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

def receipt(number):
    event = Event(EventType.TEST_RESULT, {"unit_id": f"U{number}", "text": "x" * 1000}, source="s")
    return Receipt(RawRecord.of(RawMessage(b"x" * 1000, transport="cfx")), (Routed(event, ("reports",)),))

async def take_in(journal, number):
    for first in range(0, number, 200):
        await journal.append([receipt(n) for n in range(first, min(first + 200, number))])

async def bring_to_end(journal):
    done = 0
    while True:
        now = datetime.now(UTC)
        claimed = await journal.claim(limit=200, now=now, lease_seconds=60, handlers=("reports",))
        if not claimed:
            return done
        await journal.settle([Completed(one, {"report": one.event.id}) for one in claimed], now=now)
        done += len(claimed)

async def main(path, number):
    journal = SQLiteJournal(path)
    await journal.open()
    await take_in(journal, 2000)
    await bring_to_end(journal)
    before = memory()
    await take_in(journal, number)
    full = memory()
    assert await bring_to_end(journal) == number
    empty = memory()
    assert (await journal.ledger()).difference == 0
    await journal.prune(done_before=datetime.now(UTC))
    await journal.close()
    print(full - before, empty - before)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@pytest.mark.parametrize(
    "number",
    [
        20_000,
        pytest.param(200_000, marks=pytest.mark.soak),
        pytest.param(1_000_000, marks=[pytest.mark.soak, pytest.mark.timeout(1800)]),
    ],
)
async def test_events_without_number_take_no_memory(tmp_path, number):
    """While WATS is away and events pile up, and while they drain, the process stays as small as it was."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROCESS, str(tmp_path / "journal.db"), str(number),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE if number < 1_000_000 else 1700):
        said, _ = await process.communicate()
    assert process.returncode == 0
    full, empty = map(float, said.split())
    assert full < GROWTH
    assert empty < GROWTH
