"""A bridge that is killed again and again, between a broker and a WATS that fail, loses nothing."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from brokers import Machine, RabbitMQ
from proving import (
    HANDLES,
    Watched,
    books_of,
    code_of,
    configuration,
    counted,
    fault_at,
    in_order,
    installed_on,
    lines_in,
    local_wats,
    malformed,
    publish,
    reports_in,
    run_of,
    there_is,
)

pytestmark = [pytest.mark.broker, pytest.mark.timeout(1500)]

UNITS = [f"SN-{number:03}" for number in range(20)]
#: Runs of each unit, faults and unreadable messages between two kills.
RUNS, FAULTS, CUT = 3, 9, 1

#: Messages that the broker gives at one time where the kill is to come while they are taken in: few, so that
#: at most moments of the intake some are between their coming and their commit.
FEW = 5

#: How WATS misbehaves, one after the other: the knobs that are turned.
MISDEEDS: tuple[dict[str, Any], ...] = (
    {"error_rate": 0.2},
    {"error_rate": 0.2, "errors_after_work": True},
    {"latency": 0.02},
    {"error_rate": 0.1, "error_status": 0, "errors_after_work": True},
    {},
)


def wave_of(number: int) -> list[bytes]:
    """Give what the machines say between two kills."""
    bodies = [
        part
        for run in range(number * RUNS, (number + 1) * RUNS)
        for unit in UNITS
        for part in (installed_on(unit, run), run_of(unit, run))
    ]
    for one in range(number * FAULTS, (number + 1) * FAULTS):
        bodies.insert((one * 17) % len(bodies), fault_at(HANDLES[one % len(HANDLES)], one))
    # each oven's faults in the order of their numbers, wherever they stand between the others
    places = [place for place, body in enumerate(bodies) if b"FaultOccurred" in body]
    for place, one in zip(places, range(number * FAULTS, (number + 1) * FAULTS), strict=True):
        bodies[place] = fault_at(HANDLES[one % len(HANDLES)], one)
    bodies.insert(len(bodies) // 2, malformed(number))
    return bodies


@pytest.mark.parametrize(
    ("protocol", "kills", "seed"),
    [
        pytest.param("1.0", 5, 4, id="1.0"),
        pytest.param("1.0", 50, 41, marks=pytest.mark.soak, id="1.0-long"),
        pytest.param("0-9-1", 50, 42, marks=pytest.mark.soak, id="0-9-1-long"),
    ],
)
async def test_every_report_is_there_once_after_all_these_kills(
    own_broker: RabbitMQ, tmp_path: Path, protocol: str, kills: int, seed: int
) -> None:
    """Reports and lines about faults once, each unit in order, dead letters all explained, books balanced."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    unique = f"kills-{protocol}-{kills}"
    waves = [wave_of(number) for number in range(kills + 1)]
    wanted = len(waves) * RUNS * len(UNITS)
    async with AsyncExitStack() as stack:
        wats = await stack.enter_async_context(local_wats(tmp_path))

        def configured(**amqp: Any) -> Path:
            return configuration(
                tmp_path, wats=wats.url, port=own_broker.port, unique=unique, protocol=protocol, **amqp
            )

        config = configured()
        async with Watched.started(config) as bridge:
            await bridge.until(lambda: there_is(own_broker, f"bridge-{unique}"))
        for number, wave in enumerate(waves[:-1]):
            bodies = wave
            wats.knobs.reset()
            wats.knobs.seed = seed + number
            for name, value in MISDEEDS[number % len(MISDEEDS)].items():
                setattr(wats.knobs, name, value)
            if number % 2:  # all waits in the queue, and the kill comes while it is being taken in
                await publish(own_broker.url, f"cfx-{unique}", bodies)
                async with Watched.started(configured(prefetch=FEW)) as bridge:
                    while not any("transport can receive" in line for line in bridge.tail):
                        await bridge.says(1, within=10)
                    # what it logs next is what it does with the first of them: the others are on their way
                    await bridge.says(chance.randint(1, 10), within=5)
                    await bridge.kill()
                configured()
                bodies = []
            async with Watched.started(config) as bridge, asyncio.TaskGroup() as tasks:
                tasks.create_task(publish(own_broker.url, f"cfx-{unique}", bodies))
                await bridge.says(chance.randint(1, 400), within=5)
                if number == kills // 2:
                    await asyncio.to_thread(own_broker.kill)
                    tasks.create_task(asyncio.to_thread(own_broker.start))
                    await bridge.says(chance.randint(1, 100), within=2)
                if number % 3 == 1:
                    await wats.stop()
                    await bridge.says(chance.randint(1, 50), within=2)
                    await wats.start()
                await asyncio.sleep(chance.random() / 50)  # between two lines of the log
                await bridge.kill()

        wats.knobs.reset()
        async with Watched.started(config) as bridge, Machine(own_broker.url) as machine:
            await publish(own_broker.url, f"cfx-{unique}", waves[-1])

            async def all_there() -> bool:
                return (
                    (await counted(wats))["stored"] >= wanted
                    and len(await lines_in(wats)) >= len(waves) * FAULTS
                    and await machine.depth(f"bridge-{unique}") == 0
                )

            await bridge.until(all_there)
            await bridge.end()

        reports = await reports_in(wats)
        lines = await lines_in(wats)
        counts = await counted(wats)
    ledger = await books_of(tmp_path / "pywats-bridge.journal")
    assert len(reports) == wanted
    units = in_order(reports)
    assert {unit: len(set(starts)) for unit, starts in units.items()} == dict.fromkeys(
        UNITS, len(waves) * RUNS
    )
    assert counts["quarantined"] == counts["overwrites"] == 0
    codes = [line.split()[1] for line in lines]
    assert sorted(codes) == [code_of(number) for number in range(len(waves) * FAULTS)]
    for oven in range(len(HANDLES)):
        mine = [code for code in codes if int(code.split("-")[1]) % len(HANDLES) == oven]
        assert mine == sorted(mine)
    sums = ledger.messages["cfx"]
    assert sums.waiting == sums.discarded == 0
    assert sums.dead == len(waves) * CUT
    assert sums.done + sums.dropped + sums.dead == sums.received - sums.repeated
    assert sums.received - sums.repeated == sum(map(len, waves))
