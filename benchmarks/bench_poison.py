"""What one unreadable message in a hundred costs the others.

Tests of units go from a transport through the CFX adapter into a journal in a file and to a handler, once
alone and once with malformed messages among them. The two take turns in changing order, so that whatever else
the machine does hits both alike; what counts is the median of the ratios of each turn, by the clock.
``make bench-poison`` fails when the good ones take more than 5 % longer. It wants a machine that does nothing
else: the ratios by processor time, which are shown as well, tell a slow bridge from a busy machine.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple
from uuid import uuid4

import structlog

import samples
from pywats_cfx.adapter import cfx_adapter
from pywats_events import AsyncEventBus, BaseHandler, Event, EventType, RawMessage
from pywats_events.journal import DeliveryState
from pywats_events.journal.sqlite import SQLiteJournal
from pywats_events.transports import MockTransport

#: One message in so many is malformed.
EVERY: Final = 100
#: Most that the good ones may take longer.
GOAL: Final = 1.05
#: Messages that are on their way at one time, as under a prefetch.
WINDOW: Final = 64


class Took(NamedTuple):
    """Seconds by the clock, and of the processor."""

    clock: float
    processor: float


class Counting(BaseHandler):
    """Counts results, and tells when all have come."""

    name = "counting"
    event_types = (EventType.TEST_RESULT,)

    def __init__(self, wanted: int) -> None:
        self._left = wanted
        self.all_came = asyncio.Event()

    async def handle(self, event: Event) -> None:  # noqa: ARG002
        """Count one."""
        self._left -= 1
        if self._left == 0:
            self.all_came.set()


def messages(number: int, *, with_poison: bool) -> list[bytes]:
    """Give so many tests of units, every one of them different; malformed ones come on top."""
    document = json.loads(samples.load("units_tested_fct"))
    bodies: list[bytes] = []
    for one in range(number):
        document["UniqueID"] = str(uuid4())
        document["MessageBody"]["TestedUnits"][0]["UnitIdentifier"] = f"SN-{one:06}"
        bodies.append(json.dumps(document).encode())
        if with_poison and one % EVERY == EVERY // 2:
            bodies.append(bodies[-1][: -100 - one])
    return bodies


async def seconds_for(number: int, folder: Path, *, with_poison: bool) -> Took:
    """Bring so many tests to a handler; say what it took from the first to the last of them."""
    bodies = iter(messages(number, with_poison=with_poison))
    handler, transport = Counting(number), MockTransport(name="cfx", adapter=cfx_adapter)
    bus = AsyncEventBus(journal=SQLiteJournal(folder / f"{uuid4().hex}.journal"), high_water=10 * number)
    bus.subscribe(handler)
    bus.register_transport(transport)

    async def take_in(left: Iterator[bytes]) -> None:
        for body in left:
            await transport.inject_message_async(RawMessage(body, transport="cfx"))

    async with bus:
        gc.collect()
        began, began_work = time.perf_counter(), time.process_time()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(WINDOW):
                tasks.create_task(take_in(bodies))
        await handler.all_came.wait()
        took = Took(time.perf_counter() - began, time.process_time() - began_work)
        await bus.drain()
        dead = (await bus.journal.stats()).count(DeliveryState.DEAD)
    if dead != (number // EVERY if with_poison else 0):
        raise AssertionError(f"{dead} dead letters")
    return took


async def measure(number: int, turns: int, folder: Path) -> list[tuple[Took, Took]]:
    """Say what each turn took without and with malformed messages."""
    await seconds_for(number, folder, with_poison=True)
    found: list[tuple[Took, Took]] = []
    for turn in range(turns):
        took: dict[bool, Took] = {}
        for with_poison in (False, True) if turn % 2 else (True, False):
            took[with_poison] = await seconds_for(number, folder, with_poison=with_poison)
        found.append((took[False], took[True]))
    return found


def main() -> None:
    """Measure, print, and fail when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1000, help="good messages of each run")
    parser.add_argument("--turns", type=int, default=20)
    arguments = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(Path("/dev/null").open("w")))  # noqa: SIM115  # to the end
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(arguments.messages, arguments.turns, Path(folder)))
    alone = arguments.messages / statistics.median(without.clock for without, _ in found)
    among = arguments.messages / statistics.median(with_poison.clock for _, with_poison in found)
    ratios = sorted(with_poison.clock / without.clock for without, with_poison in found)
    work = statistics.median(with_poison.processor / without.processor for without, with_poison in found)
    ratio = statistics.median(ratios)
    sys.stdout.write(
        f"good messages alone         {alone:8,.0f} /s\n"
        f"with 1 malformed in {EVERY}     {among:8,.0f} /s\n"
        f"the good ones take          {100 * (ratio - 1):+8.1f} % (turns {ratios[0]:.2f}-{ratios[-1]:.2f})\n"
        f"of the processor            {100 * (work - 1):+8.1f} %\n"
    )
    if ratio > GOAL:
        sys.exit(f"more than {100 * (GOAL - 1):.0f} % longer")


if __name__ == "__main__":
    main()
