"""A process that works on a journal in PostgreSQL: ``python postgres_worker.py URL NAME``.

It claims deliveries under short leases, says in the table ``handled`` which one it begins, and completes it.
Each event that it has closed is a line on its standard output. It never ends by itself.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

import psycopg

from pywats_events.journal import Completed, Delivery, JournalError
from pywats_events.journal.postgres import PostgresJournal

LEASE_SECONDS = 1.0


async def main(url: str, name: str) -> None:
    """Work for ever; look again when the server is away."""
    journal = PostgresJournal(url)
    await journal.open()
    tell("open")
    while True:
        try:
            await work(journal, url, name)
        except (JournalError, psycopg.OperationalError):
            await asyncio.sleep(0.05)  # the server is away: nothing tells when it is back


async def work(journal: PostgresJournal, url: str, name: str) -> None:
    """Claim and complete until something fails."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as notes:
        while True:
            now = datetime.now(UTC)
            claimed = await journal.claim(
                limit=4, now=now, lease_seconds=LEASE_SECONDS, handlers=("reports",)
            )
            for delivery in claimed:
                await begin(notes, delivery, name)
                closed = await journal.settle([Completed(delivery)], now=datetime.now(UTC))
                for event_id in closed:
                    tell(f"closed {event_id}")
            if not claimed:
                await journal.wait_ready(now=datetime.now(UTC), timeout=0.5)


async def begin(notes: psycopg.AsyncConnection, delivery: Delivery, name: str) -> None:
    """Say what is begun."""
    await notes.execute(
        "INSERT INTO handled (key, event_id, worker) VALUES (%s, %s, %s)",
        (delivery.event.key, delivery.event.id, name),
    )


def tell(line: str) -> None:
    """Say a line on standard output at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
