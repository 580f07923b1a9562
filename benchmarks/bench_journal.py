"""How fast the journals are, on this machine and this disk, in one run.

Fails when the journal in SQLite is slower than half of the plain database under it, or when a journal with a
million pending events is slow to open or to give its first batch.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from uuid import uuid4

from pywats_events import Event, EventType, RawMessage
from pywats_events.journal import Completed, Journal, RawRecord, Receipt, Routed
from pywats_events.journal.memory import MemoryJournal
from pywats_events.journal.sqlite import SQLiteJournal

HANDLER = "reports"
PRODUCERS = 32
BATCH = 256
#: Part of the plain rate that the journal is to reach.
PART = 0.5
#: Most seconds that a journal with a long backlog takes to open, and to give its first batch.
OPENING, FIRST_BATCH = 5.0, 0.05


def event_of(number: int) -> Event:
    """Give a test result of some size."""
    steps = [
        {"name": f"step {step}", "value": step * 1.5, "low": 0.0, "high": 100.0, "unit": "V"}
        for step in range(14)
    ]
    payload = {"unit_id": f"SN-{number:08}", "result": "passed", "steps": steps}
    return Event(EventType.TEST_RESULT, payload, source="//Acme/L1/ICT01", id=str(uuid4()))


def receipt_of(event: Event, *, with_bytes: bool) -> Receipt:
    """Give an event as it comes in: published, or with the bytes of its message."""
    raw = RawRecord.of(RawMessage(event.to_json().encode(), transport="cfx")) if with_bytes else None
    return Receipt(raw, (Routed(event, (HANDLER,)),))


# --- the plain database -------------------------------------------------------------------------------------


async def rows_of(
    path: Path, events: list[Event]
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Give the rows that the journal itself writes for these events."""
    journal = SQLiteJournal(path)
    await journal.open()
    await journal.append([receipt_of(event, with_bytes=False) for event in events])
    await journal.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        rows = (
            db.execute("SELECT * FROM events").fetchall(),
            db.execute("SELECT * FROM deliveries").fetchall(),
        )
        db.execute("DELETE FROM deliveries")
        db.execute("DELETE FROM events")
        db.execute("VACUUM")
    return rows


def plain_rate(path: Path, events: list[tuple[object, ...]], deliveries: list[tuple[object, ...]]) -> float:
    """Insert these rows and update them, 256 to a transaction; give events a second.

    Tables, indexes, keys that are looked up and the way to the disk are those of the journal. As many rows
    are inserted and updated as it inserts and updates; a claim writes nothing there either. The values are
    there before the time begins: making them of events is the journal's work. So is that 32 producers fill a
    commit with 32 events at the most, and not with 256.
    """
    now = time.time_ns() // 1000
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        insert_events = f"INSERT INTO events VALUES ({marks(events)})"  # noqa: S608  # question marks only
        insert_deliveries = f"INSERT INTO deliveries VALUES ({marks(deliveries)})"  # noqa: S608  # the same
        begin = time.perf_counter()
        for first in range(0, len(events), BATCH):
            db.execute("BEGIN IMMEDIATE")
            db.executemany(insert_events, events[first : first + BATCH])
            db.executemany(insert_deliveries, deliveries[first : first + BATCH])
            db.execute("COMMIT")
            db.execute("BEGIN IMMEDIATE")
            db.executemany(
                "UPDATE deliveries SET state = 4, ready = 0, changed = ? WHERE seq = ?",
                [(now, row[0]) for row in deliveries[first : first + BATCH]],
            )
            db.execute("COMMIT")
        return len(events) / (time.perf_counter() - begin)


def marks(rows: list[tuple[object, ...]]) -> str:
    """Give the question marks of a row."""
    return ", ".join("?" * len(rows[0]))


# --- journals -----------------------------------------------------------------------------------------------


async def journal_rate(journal: Journal, receipts: list[Receipt], *, look: bool = False) -> float:
    """Append single events by many producers while one worker claims and completes; give events a second.

    Args:
        journal: it is opened and closed again.
        receipts: what is appended, one by one.
        look: the worker looks at each event, as handlers do; what is only settled need not be read.
    """
    left = iter(receipts)

    async def produce() -> None:
        for receipt in left:
            await journal.append([receipt])

    async def work() -> None:
        done = 0
        while done < len(receipts):
            now = datetime.now(UTC)
            claimed = await journal.claim(limit=BATCH, now=now, lease_seconds=60, handlers=(HANDLER,))
            if claimed:
                if look:
                    for one in claimed:
                        assert one.event.id  # noqa: S101  # it is made of the document now
                await journal.settle([Completed(one) for one in claimed], now=now)
                done += len(claimed)
            else:
                await journal.wait_ready(now=now, timeout=1.0)

    await journal.open()
    begin = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(PRODUCERS):
            tasks.create_task(produce())
        tasks.create_task(work())
    seconds = time.perf_counter() - begin
    ledger = await journal.ledger()
    await journal.close()
    if ledger.difference:
        raise SystemExit(f"the books do not balance: {ledger}")
    return len(receipts) / seconds


async def backlog_times(path: Path, number: int) -> tuple[float, float, float]:
    """Fill a journal with pending events; give the rate of that, then how long opening and a claim take."""
    journal = SQLiteJournal(path)
    await journal.open()
    begin = time.perf_counter()
    for first in range(0, number, 1000):
        events = [event_of(n) for n in range(first, min(first + 1000, number))]
        await journal.append([receipt_of(event, with_bytes=False) for event in events])
    rate = number / (time.perf_counter() - begin)
    await journal.close()
    begin = time.perf_counter()
    await journal.open()
    opened = time.perf_counter()
    claimed = await journal.claim(limit=BATCH, now=datetime.now(UTC), lease_seconds=60, handlers=(HANDLER,))
    first_batch = time.perf_counter() - opened
    await journal.close()
    if len(claimed) != BATCH:
        raise SystemExit(f"the first batch has {len(claimed)} of {BATCH}")
    return rate, opened - begin, first_batch


# --- all together -------------------------------------------------------------------------------------------


def say(what: str, value: str, goal: str = "", *, missed: bool = False) -> None:
    """Print a line."""
    verdict = ("  MISSED" if missed else "  ok") if goal else ""
    sys.stdout.write(f"{what:<58}{value:>16}  {goal}{verdict}\n")
    sys.stdout.flush()


async def measure(folder: Path, number: int, backlog: int, repeat: int, postgres: str | None) -> bool:
    """Measure everything; tell whether all goals are met."""
    events = [event_of(n) for n in range(number)]
    gc.freeze()  # what was made up for the measurement is no business of the collector's
    rates: list[float] = []
    plain: list[float] = []
    for turn in range(repeat):  # one right after the other, so that a busy moment of the machine meets both
        path = folder / f"plain-{turn}.db"
        plain.append(plain_rate(path, *await rows_of(path, events)))
        published = [receipt_of(event, with_bytes=False) for event in events]
        rates.append(await journal_rate(SQLiteJournal(folder / f"journal-{turn}.db"), published))
    say("plain executemany of the same rows, 256 to a transaction", f"{median(plain):,.0f}/s")
    say(f"SQLite: append + claim + complete, {PRODUCERS} producers", f"{median(rates):,.0f}/s")
    parts = [rate / of for rate, of in zip(rates, plain, strict=True)]
    missed = median(parts) < PART
    say("  part of the plain rate", f"{median(parts):.2f}", f"goal {PART:g}", missed=missed)
    say("    in each turn", " ".join(f"{part:.2f}" for part in parts))
    published = [receipt_of(event, with_bytes=False) for event in events]
    looked = await journal_rate(SQLiteJournal(folder / "looked-at.db"), published, look=True)
    say("SQLite: the same, once, each event looked at", f"{looked:,.0f}/s")
    journals: dict[str, Journal] = {"memory": MemoryJournal(), "SQLite": SQLiteJournal(folder / "bytes.db")}
    if postgres is not None:
        journals["PostgreSQL"] = postgres_at(postgres)
    for name, journal in journals.items():
        rate = await journal_rate(journal, [receipt_of(event, with_bytes=True) for event in events])
        say(f"{name}: the same, each with the bytes of its message", f"{rate:,.0f}/s")
    if backlog:
        rate, opening, first = await backlog_times(folder / "backlog.db", backlog)
        say(f"SQLite: {backlog:,} pending events, appended 1,000 at a time", f"{rate:,.0f}/s")
        late = opening > OPENING
        say("  opened again in", f"{opening:.2f} s", f"goal {OPENING:g} s", missed=late)
        slow = first > FIRST_BATCH
        say(
            "  first batch claimed in",
            f"{first * 1000:.1f} ms",
            f"goal {FIRST_BATCH * 1000:g} ms",
            missed=slow,
        )
        missed = missed or late or slow
    return not missed


def postgres_at(url: str) -> Journal:
    """Give the journal in a database that is empty, or has a journal of ours."""
    from pywats_events.journal.postgres import PostgresJournal  # noqa: PLC0415  # an extra that not all have

    return PostgresJournal(url)


def main() -> int:
    """Measure; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000, help="events of each measurement")
    parser.add_argument("--backlog", type=int, default=1_000_000, help="pending events of the long backlog")
    parser.add_argument(
        "--repeat", type=int, default=7, help="turns of the comparison; the one in the middle counts"
    )
    parser.add_argument("--folder", type=Path, default=Path(), help="a folder on the disk to measure")
    parser.add_argument(
        "--postgres", metavar="URL", help="an empty database, to measure the journal in it too"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-journal-", dir=options.folder) as folder:
        met = asyncio.run(
            measure(Path(folder), options.events, options.backlog, options.repeat, options.postgres)
        )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
