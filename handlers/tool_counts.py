"""Uses of tools that no report counts are counted by themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, Protocol, cast

from handlers import fact_keys as keys
from handlers.asset_log import unregistered
from handlers.asset_places import AssetPlace, Registrar, Registry, station_place
from handlers.memory import FactStore
from handlers.rules import Rules
from handlers.tool_uses import ToolBook
from handlers.wats import DESTINATION, unfit_data, wats_failures
from pywats_api.errors import ValidationError
from pywats_events.errors import NotReady
from pywats_events.event import Event, EventType
from pywats_events.handler import BaseHandler, Done, Dropped
from pywats_events.journal import Fact
from pywats_events.payloads import ToolUsedEvent, parse

#: Seconds after the wait for a report by which a use has surely been looked at again.
_WAITED_LONG_AGO: Final = 3600.0


class CountsOfAssets(Registry, Protocol):
    """``api.asset``, as far as counts go."""

    async def raise_total_count(self, value: int, /, *, serial_number: str) -> Any:
        """Raise the total count to a value, and the running count by as much."""


class CountSink(Protocol):
    """The part of the WATS client that is used here."""

    @property
    def asset(self) -> CountsOfAssets:
        """Assets."""


class ToolCountHandler(BaseHandler):
    """Counts the cycles of tools that no report counts, where ``assets.cycles`` is "always".

    | event (CFX) | becomes |
    |---|---|
    | TOOL_USED (ToolsUsed) on a unit whose report counted it | nothing more |
    | the same, no report within ``assets.count_after`` seconds | ``PUT Asset/Count`` with ``totalCount`` |
    | TOOL_USED that names no unit | the same, at once |

    The new total is worked out once and written down, so that telling it again counts nothing twice. A
    report that comes later does not count the use again.
    """

    name = "tool-counts"
    destination = DESTINATION

    def __init__(self, api: CountSink, rules: Rules, memory: FactStore) -> None:
        """Make the handler.

        Args:
            api: the WATS client.
            rules: the configuration.
            memory: the journal, or the part of it that keeps facts.
        """
        self._assets = api.asset
        self._registrar = Registrar(api.asset, rules.assets)
        self._rules = rules
        self._memory = memory
        self._book = ToolBook(memory)

    @property
    def event_types(self) -> tuple[EventType, ...]:
        """Uses of tools, where they are counted without a report."""
        return (EventType.TOOL_USED,) if self._rules.assets.cycles == "always" else ()

    async def handle(self, event: Event) -> Done | Dropped:
        """Wait for the report, else count."""
        with unfit_data("payload"):
            used = cast("ToolUsedEvent", parse(event))
        handle = event.source or used.asset_id
        identifier, transaction = keys.clean_id(used.unit_id), keys.transaction_of(used.transaction_id)
        if identifier and transaction:
            counted = await self._book.counted_by(event)
            if "report" in counted:
                return Done({"found": "counted by a report", "report": counted["report"]})
            if counted.get("by") != event.id:
                self._wait(event)
                await self._book.count_alone(event)
        place = station_place(self._rules.station(handle), handle)
        done: dict[str, int] = {}
        notes: list[str] = []
        for use in used.uses:
            serial = keys.clean_id(use.tool.id) or keys.clean_id(use.tool.name)
            if serial and use.cycles != 0:
                tool = AssetPlace(serial, kind="tool", location=place.location, above=place)
                total = await self._count(event, tool, use.cycles or 1, notes)
                if total is not None:
                    done[serial] = total
        if not done:
            return Dropped("; ".join(notes) or "no tool that can be counted is named")
        return Done({"totals": done, "notes": notes} if notes else {"totals": done})

    def _wait(self, event: Event) -> None:
        received = event.metadata.received_at
        if received is None:
            return
        if (datetime.now(UTC) - received).total_seconds() < self._rules.assets.count_after:
            raise NotReady(
                "a report may still count these tools (assets.count_after)",
                facts=(keys.tool_use(event.id),),
                give_up_after=self._rules.assets.count_after + _WAITED_LONG_AGO,
            )

    async def _count(self, event: Event, tool: AssetPlace, cycles: int, notes: list[str]) -> int | None:
        key = keys.asset_entry(event.id, f"count {tool.serial}")
        settled = (await self._memory.recall([key])).get(key)
        with wats_failures():
            if settled is None:
                if not await self._registrar.see(tool):
                    notes.append(unregistered(tool))
                    return None
                asset = await self._assets.get_asset(serial_number=tool.serial)
                total = ((asset.total_count if asset else None) or 0) + cycles
                await self._note(key, {"total": total, "told": False})
            else:
                total = int(settled["total"])
                if settled["told"]:
                    return total
            try:
                await self._assets.raise_total_count(total, serial_number=tool.serial)
            except ValidationError:  # totals only rise: others may have counted on since an earlier try
                asset = await self._assets.get_asset(serial_number=tool.serial)
                if asset is None or (asset.total_count or 0) < total:
                    raise
                notes.append(
                    f'asset "{tool.serial}" was counted to {asset.total_count} by others between two tries; '
                    f"{cycles} cycles of this use may be missing"
                )
        await self._note(key, {"total": total, "told": True})
        return total

    async def _note(self, key: str, value: dict[str, Any]) -> None:
        await self._memory.remember([Fact(key=key, value=value, time=datetime.now(UTC))])
