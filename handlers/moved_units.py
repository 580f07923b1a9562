"""The units that a flow message is about, each with its serial number and product."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from handlers import fact_keys as keys
from handlers.products import Products
from handlers.serials import Serial
from handlers.sources import Part
from handlers.unit_context import Known, Order, UnitContext
from pywats_events.event import Event
from pywats_events.payloads import UnitPlace

_LEFT_OUT = frozenset({"skip", "scrap"})


@dataclass(frozen=True, slots=True)
class MovedUnit:
    """One unit of a message.

    Attributes:
        serial: its serial number and how it was found.
        part: its product and how it was found.
        order: the work order and batch that it belongs to.
    """

    serial: Serial
    part: Part
    order: Order | None = None


class MovedUnits:
    """Finds the units of flow messages."""

    def __init__(self, context: UnitContext, products: Products) -> None:
        self._context = context
        self._products = products

    async def of(
        self, event: Event, units: list[UnitPlace], *, panel: str | None, transaction: str | None
    ) -> AsyncIterator[MovedUnit]:
        """Give the units that a message names; those marked as skipped or scrapped are left out.

        Raises:
            NotReady: the product of one is not known yet.
        """
        named = [(keys.clean_id(unit.unit_id) or keys.clean_id(panel), unit) for unit in units]
        counts = Counter(identifier for identifier, _ in named)
        for identifier, unit in named:
            if not identifier or (unit.status or "").strip().lower() in _LEFT_OUT:
                continue
            about: dict[str, Any] = {
                "unit_id": identifier,
                "position": unit.position,
                "siblings": counts[identifier],
                "transaction_id": transaction,
            }
            yield await self.one(event, await self._context.of(_about(event, about)))

    async def one(self, event: Event, known: Known | None = None) -> MovedUnit:
        """Give the one unit of a message; raises as ``of``."""
        known = known or await self._context.of(event)
        serial = self._products.serial_of(known)
        part = await self._products.part_of(known, serial.value)
        return MovedUnit(serial, part, known.work_order)


def _about(event: Event, payload: dict[str, Any]) -> Event:
    return Event(
        event_type=event.event_type,
        payload=payload,
        source=event.source,
        id=event.id,
        time=event.time,
        key=event.key,
        metadata=event.metadata,
    )
