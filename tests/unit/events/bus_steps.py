"""Steps that the tests of the bus have in common."""

from __future__ import annotations

import asyncio

from pywats_events import AsyncEventBus
from pywats_events.journal import DeliveryState, Query

from .doubles import PATIENCE, result_of


async def publish(bus: AsyncEventBus, *units: str) -> None:
    for unit in units:
        await bus.publish(result_of(unit))


async def drained(bus: AsyncEventBus) -> None:
    assert await bus.drain(timeout=PATIENCE)


async def states(bus: AsyncEventBus, **query) -> list[DeliveryState]:
    return [entry.state for entry in await bus.journal.search(Query(**query))]


async def let_others_run() -> None:
    for _ in range(20):
        await asyncio.sleep(0)  # not a wait: lets others run up to where they wait
