"""Three bridges on one queue and one PostgreSQL, killed one at a time, lose and double nothing."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from brokers import Machine, RabbitMQ
from proving import (
    HANDLES,
    Watched,
    configuration,
    counted,
    fault_at,
    in_order,
    installed_on,
    local_wats,
    malformed,
    publish,
    reports_in,
    run_of,
    there_is,
)

from pywats_events.journal import DeliveryState, Query
from pywats_events.journal.postgres import PostgresJournal

if TYPE_CHECKING:
    from brokers.postgres import PostgreSQL

pytestmark = [pytest.mark.broker, pytest.mark.timeout(1500)]

BRIDGES = 3
UNITS = [f"SN-{number:03}" for number in range(20)]
RUNS = 3


def wave_of(number: int) -> list[bytes]:
    """Give what the machines say between two kills: tests, parts, a fault, and what nobody can read."""
    bodies = [
        body
        for run in range(number * RUNS, (number + 1) * RUNS)
        for unit in UNITS
        for body in (installed_on(unit, run), run_of(unit, run))
    ]
    return [*bodies, fault_at(HANDLES[number % len(HANDLES)], number), malformed(number)]


async def end_of(bridges: list[Watched]) -> None:
    """End all of them."""
    for bridge in bridges:
        await bridge.kill()


@pytest.mark.parametrize(
    ("kills", "one_reads"),
    [
        pytest.param(5, True, id="one-reads"),
        pytest.param(5, False, id="all-read"),
        pytest.param(50, True, id="one-reads-long", marks=pytest.mark.soak),
        pytest.param(50, False, id="all-read-long", marks=pytest.mark.soak),
    ],
)
async def test_two_go_on_with_what_the_third_had(
    own_broker: RabbitMQ, postgres: PostgreSQL, tmp_path: Path, kills: int, *, one_reads: bool
) -> None:
    """Each report once and in its unit's order, whoever is killed; the books of all of them balance.

    Where one bridge at a time reads (``x-single-active-consumer``), the order is that of the machines. Where
    all read at once it is that of the journal: two of them may write two messages down the other way round.
    """
    chance = random.Random(kills)  # noqa: S311  # no secret
    unique = f"three-{kills}-{one_reads}"
    waves = [wave_of(number) for number in range(kills + 1)]
    wanted = len(waves) * RUNS * len(UNITS)
    url = await asyncio.to_thread(postgres.fresh)
    async with AsyncExitStack() as stack:
        wats = await stack.enter_async_context(local_wats(tmp_path))
        config = configuration(
            tmp_path,
            wats=wats.url,
            port=own_broker.port,
            unique=unique,
            more=f'[journal]\nkind = "postgres"\nurl = "{url}"',
            lease=2,
            queue_arguments={"x-single-active-consumer": True} if one_reads else {},
        )
        bridges = [await Watched.start(config) for _ in range(BRIDGES)]
        stack.push_async_callback(end_of, bridges)
        await bridges[0].until(lambda: there_is(own_broker, f"bridge-{unique}"))
        for number, bodies in enumerate(waves[:-1]):
            wats.knobs.reset()
            wats.knobs.seed = number
            wats.knobs.error_rate = (0.0, 0.1, 0.2)[number % 3]
            wats.knobs.errors_after_work = True
            wats.knobs.latency = (0.0, 0.0, 0.02, 0.05)[number % 4]
            victim = chance.randrange(BRIDGES)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(publish(own_broker.url, f"cfx-{unique}", bodies))
                await bridges[victim].says(chance.randint(1, 120), within=5)
                await bridges[victim].kill()
                bridges[victim] = await Watched.start(config)
        wats.knobs.reset()
        await publish(own_broker.url, f"cfx-{unique}", waves[-1])
        journal = PostgresJournal(url)
        await journal.open()
        stack.push_async_callback(journal.close)
        machine = await stack.enter_async_context(Machine(own_broker.url))

        async def all_there() -> bool:
            return (
                (await counted(wats))["stored"] >= wanted
                and await machine.depth(f"bridge-{unique}") == 0
                and (await journal.stats()).open == 0
            )

        await bridges[0].until(all_there)
        for bridge in bridges:
            await bridge.end()

        reports = await reports_in(wats)
        counts = await counted(wats)
        ledger = await journal.ledger()
        assert len(reports) == wanted
        assert counts["quarantined"] == counts["overwrites"] == 0
        units = in_order(reports, by_start=one_reads)
        assert {unit: len(set(starts)) for unit, starts in units.items()} == dict.fromkeys(
            UNITS, len(waves) * RUNS
        )
        for unit, starts in units.items():
            assert [datetime.fromisoformat(start) for start in starts] == await _journalled(journal, unit)
        assert ledger.difference == 0
        sums = ledger.messages["cfx"]
        assert sums.waiting == sums.discarded == 0
        assert sums.dead == len(waves)
        assert sums.received - sums.repeated == sum(map(len, waves))


async def _journalled(journal: PostgresJournal, unit: str) -> list[datetime]:
    """Give the starts of a unit's tests in the order of the journal, as far as they were delivered."""
    entries = await journal.search(
        Query(unit=unit, handler="report", states=(DeliveryState.DONE,), limit=10_000)
    )
    tests = [entry.event.payload["tests"] for entry in entries if entry.event]
    return [datetime.fromisoformat(first["started_at"]) for first, *_ in tests]
