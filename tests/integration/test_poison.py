"""Messages that nobody can read, in the midst of good ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from brokers import RabbitMQ
from proving import (
    Watched,
    configuration,
    counted,
    in_order,
    local_wats,
    malformed,
    publish,
    reports_in,
    run_of,
    there_is,
)

from pywats_events.journal import DeliveryState, Query
from pywats_events.journal.sqlite import SQLiteJournal

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

GOOD, EVERY = 1000, 100


def wrong_type(number: int) -> bytes:
    """Give a test whose list of units is a text."""
    document = json.loads(run_of(f"WRONG-{number}", number))
    document["MessageBody"]["TestedUnits"] = "two of them"
    return json.dumps(document).encode()


def not_gzip(number: int) -> bytes:
    """Give bytes that only begin as gzip does."""
    return b"\x1f\x8b" + f"nothing {number}".encode()


def too_deep(number: int) -> bytes:
    """Give JSON that is nested too deep."""
    return b"[" * (20_000 + number)


async def test_one_in_a_hundred_is_malformed_and_has_its_dead_letter(
    broker: RabbitMQ, tmp_path: Path
) -> None:
    """Each is a dead letter with its bytes and its reason; all the others are reports, in order."""
    kinds = (malformed, wrong_type, not_gzip, too_deep)
    poison = [kinds[number % len(kinds)](number) for number in range(GOOD // EVERY)]
    bodies: list[bytes] = []
    for number in range(GOOD):
        if number % EVERY == EVERY // 2:
            bodies.append(poison[number // EVERY])
        bodies.append(run_of(f"SN-{number % 50:03}", number // 50))
    async with local_wats(tmp_path) as wats:
        config = configuration(tmp_path, wats=wats.url, port=broker.port, unique="poison")
        async with Watched.started(config) as bridge:
            await bridge.until(lambda: there_is(broker, "bridge-poison"))
            await publish(broker.url, "cfx-poison", bodies)

            async def all_there() -> bool:
                return (await counted(wats))["stored"] == GOOD

            await bridge.until(all_there)
            await bridge.end()
        in_order(await reports_in(wats))
    journal = SQLiteJournal(tmp_path / "pywats-bridge.journal")
    await journal.open()
    dead = await journal.search(Query(states=(DeliveryState.DEAD,), limit=1000))
    kept = [await journal.raw(entry.message_id) for entry in dead if entry.message_id]
    await journal.close()
    assert sorted(record.body for record in kept if record) == sorted(poison)
    assert all(entry.reason for entry in dead)
