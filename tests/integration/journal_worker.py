"""A process that works on a journal in a file until it is killed, and says what it was told.

Lines on its output: ``taken ID ...`` when an append has returned, ``done ID ...`` when a verdict has.
"""

# ruff: noqa: S311  # chance, not secrets

from __future__ import annotations

import asyncio
import random
import sys
from datetime import UTC, datetime, timedelta
from itertools import count

from pywats_events import Event, EventType, RawMessage, Unreadable
from pywats_events.journal import (
    Bury,
    Completed,
    Delivery,
    Fact,
    Park,
    Query,
    RawRecord,
    Receipt,
    Release,
    RetryAt,
    Routed,
    Verdict,
)
from pywats_events.journal.sqlite import SQLiteJournal

HANDLERS = ("reports", "assets")
SOON = timedelta(milliseconds=5)


def receipt(name: str) -> Receipt:
    """Give a message of some units, sometimes with a part that nobody can read, sometimes published."""
    parts = random.randint(1, 3)
    events = tuple(
        Event(
            EventType.TEST_RESULT,
            {"unit_id": f"U{random.randint(0, 30)}", "text": "x" * random.randint(10, 3000)},
            source="station",
            id=f"{name}.{part}",
        )
        for part in range(parts)
    )
    handlers = random.choice([HANDLERS, HANDLERS[:1], ()])
    broken = (Unreadable(f"{name}.x", f"part {name} is broken", "E"),) if random.random() < 0.05 else ()
    raw = RawRecord.of(
        RawMessage(b"bytes" * random.randint(1, 300), transport=random.choice(["cfx", "mqtt"]))
    )
    routed = tuple(Routed(event, handlers) for event in events)
    facts = (Fact(f"unit:{name}", {"n": 1}, datetime.now(UTC)),)
    return Receipt(raw if broken or random.random() < 0.7 else None, routed, broken, facts)


async def produce(journal: SQLiteJournal, name: str) -> None:
    """Append for ever; now and then the same again."""
    for number in count():
        one = receipt(f"{name}-{number}")
        times = 2 if random.random() < 0.1 else 1
        await journal.append([one] * times)
        say("taken", *(routed.event.id for routed in one.events))


def verdict(delivery: Delivery) -> Verdict:
    """Decide about a delivery."""
    soon = datetime.now(UTC) + SOON
    match random.randint(0, 19):
        case 0:
            return Bury(delivery, "PermanentError", f"no part {delivery.id}")
        case 1:
            return RetryAt(delivery, soon, "TransientError", "busy")
        case 2:
            return Park(delivery, ("destination:WATS",), soon, "DestinationUnavailable", "down")
        case 3:
            return Release(delivery)
        case 4:
            return Completed(delivery, rule="not ours")
    return Completed(delivery, {"report": delivery.id})


async def work(journal: SQLiteJournal) -> None:
    """Claim and settle for ever; now and then decide about the dead, prune and fold."""
    while True:
        now = datetime.now(UTC)
        claimed = await journal.claim(limit=16, now=now, lease_seconds=60, handlers=HANDLERS)
        if not claimed:
            await journal.wait_ready(now=now, timeout=0.01)
        verdicts = [verdict(one) for one in claimed]
        await journal.settle(verdicts, now=datetime.now(UTC))
        say("done", *(one.delivery.id for one in verdicts if isinstance(one, Completed)))
        if random.random() < 0.02:
            await journal.replay(Query(limit=5), now=now)
            await journal.discard(Query(limit=1), reason="scrap", now=now)
        if random.random() < 0.02:
            await journal.prune(done_before=now - SOON, facts_before=now - SOON)


def say(*words: str) -> None:
    """Tell the other side, at once."""
    if len(words) > 1:
        sys.stdout.write(f"{' '.join(words)}\n")
        sys.stdout.flush()


async def main(path: str, seed: str) -> None:
    """Work until killed."""
    random.seed(seed)
    journal = SQLiteJournal(path)
    await journal.open()
    async with asyncio.TaskGroup() as tasks:
        for number in range(8):
            tasks.create_task(produce(journal, f"{seed}-{number}"))
        tasks.create_task(work(journal))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
