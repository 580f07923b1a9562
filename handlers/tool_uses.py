"""Tools that were used on units: kept for the report of the work, each use for one report only."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast

from handlers import fact_keys as keys
from handlers.line_facts import uses_of
from handlers.memory import FactStore
from handlers.rules import Rules
from handlers.unit_context import Known
from handlers.wats import unfit_data
from pywats_events.errors import NotReady
from pywats_events.event import Event, EventType
from pywats_events.handler import BaseHandler, Done, Dropped
from pywats_events.journal import Fact
from pywats_events.payloads import ToolUsedEvent, parse

#: Seconds that a report waits for uses that have come in before it and are not entered yet.
_WAIT: Final = 60.0
#: Seconds after that wait by which a report has surely been looked at again.
_WAITED_LONG_AGO: Final = 3600.0


class ToolBook:
    """Keeps the uses of tools on each unit of a work, and who has counted which."""

    def __init__(self, memory: FactStore) -> None:
        self._memory = memory
        self._writing = asyncio.Lock()

    async def enter(self, event: Event, used: ToolUsedEvent) -> int:
        """Add what an event says, and give how many events told of this unit; a repeat changes nothing."""
        transaction = keys.transaction_of(used.transaction_id)
        handle = event.source or used.asset_id
        key = keys.tools_entered(handle, transaction or "", keys.clean_id(used.unit_id) or "", used.position)
        async with self._writing:
            entries = dict((await self._memory.recall([key])).get(key, {}).get("entries", {}))
            entries[event.id] = uses_of(used)
            await self._remember(key, {"entries": entries})
        return len(entries)

    async def claim(self, event: Event, known: Known) -> Sequence[Mapping[str, Any]]:
        """Give the uses that the report of an event counts; from now on no other one does.

        Raises:
            NotReady: uses of tools on the unit have come in and are not entered yet.
        """
        last = known.tools_used
        if last is None or known.transaction is None:
            return ()
        key = keys.tools_entered(known.handle, known.transaction, known.identifier, known.position)
        entries = dict((await self._memory.recall([key])).get(key, {}).get("entries", {}))
        if last["event"] not in entries:
            self._wait(event, key)
            entries[last["event"]] = last["uses"]
        marks = {one: keys.tool_use(one) for one in entries}
        counted = await self._memory.recall(list(marks.values()))
        ours = [one for one, mark in marks.items() if counted.get(mark, {"by": event.id})["by"] == event.id]
        for one in ours:
            if marks[one] not in counted:
                await self._remember(marks[one], {"by": event.id})
        return [use for one in ours for use in entries[one]]

    async def note_sent(self, event: Event, known: Known, report: str) -> None:
        """Say that the report of an event has counted what it claimed."""
        key = keys.tools_entered(known.handle, known.transaction or "", known.identifier, known.position)
        told = (known.tools_used or {}).get("event")
        entries = (await self._memory.recall([key])).get(key, {}).get("entries", {})
        marks = [keys.tool_use(one) for one in dict.fromkeys([*entries, *([told] if told else [])])]
        counted = await self._memory.recall(marks)
        for mark, fact in counted.items():
            if fact["by"] == event.id:
                await self._remember(mark, {"by": event.id, "report": report})

    async def counted_by(self, use: Event) -> Mapping[str, Any]:
        """Give what counts a use: ``by`` an event, and its ``report`` once that was sent; empty: nothing."""
        key = keys.tool_use(use.id)
        return (await self._memory.recall([key])).get(key, {})

    async def count_alone(self, use: Event) -> None:
        """Keep a use from all reports, because it is counted by itself."""
        await self._remember(keys.tool_use(use.id), {"by": use.id})

    def _wait(self, event: Event, key: str) -> None:
        received = event.metadata.received_at
        if received is not None and (datetime.now(UTC) - received).total_seconds() < _WAIT:
            raise NotReady(
                "tools that were used on the unit are not entered yet",
                facts=(key,),
                give_up_after=_WAIT + _WAITED_LONG_AGO,
            )

    async def _remember(self, key: str, value: Mapping[str, Any]) -> None:
        await self._memory.remember([Fact(key=key, value=value, time=datetime.now(UTC))])


class ToolUseHandler(BaseHandler):
    """Keeps the uses of tools for the report of their work. Makes no call itself.

    | event (CFX) | the next report (UUT) of the unit in this work |
    |---|---|
    | TOOL_USED (ToolsUsed), each one of a unit and transaction | ``assets``: serial number and cycles |
    | TOOL_USED without a unit or a transaction | nothing |

    Several messages about one unit add up; each is told by one report only, also where a work has several.
    ``assets.tools`` turns it off.
    """

    name = "tool-uses"

    def __init__(self, rules: Rules, memory: FactStore) -> None:
        """Make the handler.

        Args:
            rules: the configuration.
            memory: the journal, or the part of it that keeps facts.
        """
        self._rules = rules
        self._book = ToolBook(memory)

    @property
    def event_types(self) -> tuple[EventType, ...]:
        """Uses of tools, where reports tell of them."""
        return (EventType.TOOL_USED,) if self._rules.assets.tools else ()

    async def handle(self, event: Event) -> Done | Dropped:
        """Enter it."""
        with unfit_data("payload"):
            used = cast("ToolUsedEvent", parse(event))
        if not keys.clean_id(used.unit_id) or not keys.transaction_of(used.transaction_id):
            return Dropped("tools used on no unit, or in no work, are told by no report")
        return Done({"messages_of_this_unit": await self._book.enter(event, used)})
