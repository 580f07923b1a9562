"""Messages that come more than once make one report."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from brokers import RabbitMQ
from proving import (
    Watched,
    books_of,
    configuration,
    counted,
    fault_at,
    in_order,
    lines_in,
    local_wats,
    malformed,
    publish,
    reports_in,
    run_of,
    there_is,
)

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

OVEN = "//Acme/Line1/OVEN00"
UNITS, RUNS = 50, 4


@pytest.mark.parametrize("protocol", ["1.0", "0-9-1"])
async def test_each_message_three_times_makes_one_report(
    broker: RabbitMQ, tmp_path: Path, protocol: str
) -> None:
    """At once, a little later, and after all the others: one report, one line, one dead letter for each."""
    unique = f"thrice-{protocol}"
    once = [run_of(f"SN-{unit:03}", run) for run in range(RUNS) for unit in range(UNITS)]
    once += [fault_at(OVEN, number) for number in range(10)] + [malformed(number) for number in range(5)]
    bodies = [body for body in once for _ in range(2)]
    late = random.Random(3).sample(once, len(once))  # noqa: S311  # no secret
    async with local_wats(tmp_path) as wats:
        config = configuration(tmp_path, wats=wats.url, port=broker.port, unique=unique, protocol=protocol)
        async with Watched.started(config) as bridge:
            await bridge.until(lambda: there_is(broker, f"bridge-{unique}"))
            await publish(broker.url, f"cfx-{unique}", [*bodies, *late, run_of("SN-LAST", 0)])

            async def last_is_there() -> bool:
                return (await counted(wats))["stored"] == RUNS * UNITS + 1

            await bridge.until(last_is_there)
            await bridge.end()
        reports, lines, counts = await reports_in(wats), await lines_in(wats), await counted(wats)
    in_order(reports)
    assert len(reports) == counts["received"] == RUNS * UNITS + 1
    assert len(lines) == len(set(lines)) == 10
    sums = (await books_of(tmp_path / "pywats-bridge.journal")).messages["cfx"]
    assert (sums.received, sums.repeated) == (3 * len(once) + 1, 2 * len(once))
    assert (sums.done, sums.dead, sums.waiting) == (len(once) - 5 + 1, 5, 0)
