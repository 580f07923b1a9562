"""WATS is away for a day: what arrives costs disk, not memory, and drains in order as fast as WATS allows."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pytest
from brokers import Machine, RabbitMQ
from proving import (
    Watched,
    books_of,
    configuration,
    counted,
    in_order,
    local_wats,
    publish,
    reports_in,
    run_of,
    there_is,
)

from pywats_api.server import LocalWATS
from pywats_events.journal import DeliveryState
from pywats_events.journal.sqlite_beside import JournalBeside

pytestmark = [pytest.mark.broker, pytest.mark.timeout(3600)]

#: Messages from which on nothing of the program is new to it, and its memory is what it needs.
WARM = 2000
#: MB by which the bridge may grow from there on, however many arrive.
GROWTH = 24
UNITS = 500
#: Fresh units, tested while the backlog drains.
FRESH = 20
#: Reports that are to go through at the rate limit before what came fresh is in WATS too.
SOON = 1000


def memory_of(bridge: Watched) -> float:
    """Give what the process holds in memory (VmRSS of ``/proc/PID/status``), in MB."""
    status = Path(f"/proc/{bridge.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found is not None
    return int(found[1]) / 1024


@pytest.mark.parametrize(
    ("number", "per_minute"), [(5000, 9000), pytest.param(200_000, 24_000, marks=pytest.mark.soak)]
)
async def test_a_day_without_wats(broker: RabbitMQ, tmp_path: Path, number: int, per_minute: int) -> None:
    """Memory stays flat, no try is spent, each unit's reports come in order, and fresh ones need not wait."""
    name = f"outage-{number}"
    async with local_wats(tmp_path) as wats:
        config = configuration(
            tmp_path,
            wats=wats.url,
            port=broker.port,
            unique=name,
            requests_per_minute=per_minute,
            more=f"[journal]\nhigh_water = {2 * number}",
        )
        async with Watched.started(config) as bridge, Machine(broker.url) as machine:
            await bridge.until(lambda: there_is(broker, f"bridge-{name}"))
            wats.knobs.outage = "unavailable"
            sizes: list[float] = []
            for first in range(0, number, 1000):
                bodies = [run_of(f"SN-{one % UNITS}", one // UNITS) for one in range(first, first + 1000)]
                await publish(broker.url, f"cfx-{name}", bodies)
                if first + 1000 >= WARM:
                    await until_taken(bridge, tmp_path, first + 1000)
                    sizes.append(memory_of(bridge))
            assert max(sizes) - sizes[0] < GROWTH, sizes
            assert await machine.depth(f"bridge-{name}") == 0

            began = time.monotonic()
            wats.knobs.outage = None
            await bridge.until(lambda: drains(bridge))
            fresh = [run_of(f"FRESH-{one}", 0) for one in range(FRESH)]
            await publish(broker.url, f"cfx-{name}", fresh)
            while not await stored(wats, number + FRESH):
                await bridge.says(1000, within=1)
                sizes.append(memory_of(bridge))
            lasted = time.monotonic() - began
            assert max(sizes) - sizes[0] < GROWTH, sizes
            await bridge.end()
        reports, counts = await reports_in(wats), await counted(wats)
    sys.stdout.write(f"{number} in {lasted:.1f} s, memory {sizes[0]:.0f} to {max(sizes):.0f} MB\n")  # with -s
    in_order(reports)
    assert counts["received"] == len(reports) == number + FRESH
    assert (number + FRESH) / lasted < per_minute / 60 * 1.2
    places = [place for place, row in enumerate(reports) if row["body"]["sn"].startswith("FRESH-")]
    assert max(places) < SOON
    ledger = await books_of(tmp_path / "pywats-bridge.journal")
    assert ledger.messages["cfx"].done == ledger.messages["cfx"].received == number + FRESH
    assert ledger.deliveries["report"] == {DeliveryState.DONE: number + FRESH}


async def until_taken(bridge: Watched, folder: Path, number: int) -> None:
    """Wait until the journal has so many messages."""
    journal = JournalBeside(folder / "pywats-bridge.journal")
    await journal.open()

    async def all_taken() -> bool:
        return (await journal.ledger()).messages["cfx"].received >= number

    await bridge.until(all_taken)
    await journal.close()


async def drains(bridge: Watched) -> bool:
    """Tell whether the bridge has said that the backlog drains."""
    return any("backlog drains" in line for line in bridge.tail)


async def stored(wats: LocalWATS, number: int) -> bool:
    """Tell whether WATS has so many reports."""
    return (await counted(wats))["stored"] >= number
