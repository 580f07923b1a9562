"""Chosen faults become root-cause tickets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import structlog

from handlers.asset import description_of, fault_of
from handlers.asset_log import marked
from handlers.asset_places import station_place
from handlers.memory import FactStore
from handlers.report_header import operator_of
from handlers.rules import Rules
from handlers.wats import DESTINATION, unfit_data, wats_failures
from pywats_api.errors import ValidationError
from pywats_api.root_cause_records import Ticket, TicketPriority, TicketStatus
from pywats_events.errors import PermanentError
from pywats_events.event import Event, EventType
from pywats_events.handler import BaseHandler, Done, Dropped
from pywats_events.payloads import (
    AssetFaultAcknowledgedEvent,
    AssetFaultClearedEvent,
    AssetFaultEvent,
    parse,
)

_log = structlog.get_logger(__name__)

#: The tag by which a ticket is found again; its value is the asset and the fault's code.
TAG: Final = "Machine fault"
_LIVE: Final = TicketStatus.OPEN | TicketStatus.IN_PROGRESS | TicketStatus.ON_HOLD
_OVER: Final = TicketStatus.SOLVED | TicketStatus.CLOSED | TicketStatus.ARCHIVED
_PRIORITIES: Final = {
    "low": TicketPriority.LOW,
    "medium": TicketPriority.MEDIUM,
    "high": TicketPriority.HIGH,
}


class Tickets(Protocol):
    """``api.rootcause``."""

    async def find_ticket_by_tag(self, key: str, value: str, /, *, status: TicketStatus) -> Ticket | None:
        """The newest ticket with a tag."""

    async def get_ticket(self, ticket_id: str, /) -> Ticket | None:
        """A ticket with its history."""

    async def create_ticket(
        self,
        subject: str,
        priority: TicketPriority,
        /,
        *,
        initial_comment: str,
        origin: str,
        tags: Sequence[Mapping[str, str]],
    ) -> Ticket:
        """Open a ticket."""

    async def add_comment(self, ticket_id: str, comment: str, /) -> Any:
        """Comment on a ticket; raises ValidationError where WATS wants its assignee named."""


class TicketSink(Protocol):
    """The part of the WATS client that is used here."""

    @property
    def rootcause(self) -> Tickets:
        """Root-cause tickets."""


class TicketHandler(BaseHandler):
    """Opens a ticket for a fault that ``[faults]`` gives one, and comments on it as long as it lives.

    | event (CFX) | ``/api/RootCause/Ticket`` |
    |---|---|
    | ASSET_FAULT (FaultOccurred), no live ticket of this asset and code | a new one, tagged with both |
    | the same, with a live one | a comment on it |
    | ASSET_FAULT_ACKNOWLEDGED, ASSET_FAULT_CLEARED | a comment on it |

    A ticket that is solved, closed or archived is left: the fault's return is another matter, unless the
    newest of those tells of this very event already. A comment that
    the ticket has already, by the mark of the event at its end, is not made again.
    """

    name = "fault-tickets"
    destination = DESTINATION

    def __init__(self, api: TicketSink, rules: Rules, memory: FactStore) -> None:
        """Make the handler.

        Args:
            api: the WATS client.
            rules: the configuration.
            memory: the journal, or the part of it that keeps facts.
        """
        self._tickets = api.rootcause
        self._rules = rules
        self._memory = memory

    @property
    def event_types(self) -> tuple[EventType, ...]:
        """Faults and what follows them, where any of them is worth a ticket."""
        faults = self._rules.faults
        if "ticket" not in {*faults.severities.values(), *faults.codes.values(), faults.others}:
            return ()
        return EventType.ASSET_FAULT, EventType.ASSET_FAULT_ACKNOWLEDGED, EventType.ASSET_FAULT_CLEARED

    async def handle(self, event: Event) -> Done | Dropped:
        """Open the ticket, or comment on it."""
        with unfit_data("payload"):
            payload = parse(event)
        handle = event.source or str(event.payload.get("asset_id", ""))
        asset = station_place(self._rules.station(handle), handle).serial
        if isinstance(payload, AssetFaultEvent):
            code, severity = payload.fault_code, payload.severity
            words = ["Fault", code, severity, payload.cause, description_of(payload)]
            when = payload.occurred_at
        elif isinstance(payload, AssetFaultAcknowledgedEvent | AssetFaultClearedEvent):
            fault = await fault_of(self._memory, event, payload.occurrence_id)
            code, severity = fault.get("code"), fault.get("severity")
            word = "cleared" if isinstance(payload, AssetFaultClearedEvent) else "acknowledged"
            operator = operator_of(payload.operator, self._rules.report)
            words = ["Fault", code, word, f"by {operator}" if operator else None]
            when = None
        else:
            raise PermanentError(f"{event.event_type.value} events are not about faults")
        if self._rules.faults.fate(code, severity) != "ticket":
            return Dropped("this fault is not worth a ticket (faults.severities, faults.codes)")
        line = marked(words, event, reference=payload.occurrence_id, when=when)
        about = f"{asset} {code or 'without a code'}"
        return await self._tell(about, line, opens=isinstance(payload, AssetFaultEvent))

    async def _tell(self, tag: str, line: str, *, opens: bool) -> Done | Dropped:
        mark = line.rpartition(" ")[2]
        with wats_failures():
            found = await self._tickets.find_ticket_by_tag(TAG, tag, status=_LIVE)
            if found is None or found.ticket_id is None:
                if not opens:
                    return Dropped(f'no live ticket is about "{tag}"')
                over = await self._tickets.find_ticket_by_tag(TAG, tag, status=_OVER)
                if over is not None and await self._tells(over, mark):
                    return Done({**_detail(over, line), "found": "told of by an earlier try, and over"})
                return await self._open(tag, line)
            detail = _detail(found, line)
            if await self._tells(found, mark):
                return Done({**detail, "found": "commented by an earlier try"})
            try:
                await self._tickets.add_comment(found.ticket_id, line)
            except ValidationError as error:
                # WATS never tells who a ticket is assigned to, and wants it named with each comment
                return Dropped(f"ticket {found.ticket_number} takes no comment of ours: {error.server_text}")
        return Done(detail)

    async def _tells(self, found: Ticket, mark: str) -> bool:
        ticket = await self._tickets.get_ticket(found.ticket_id) if found.ticket_id else None
        return any(mark in (entry.content or "") for entry in (ticket or found).history)

    async def _open(self, tag: str, line: str) -> Done:
        ticket = await self._tickets.create_ticket(
            f"Fault of {tag}",
            _PRIORITIES[self._rules.faults.ticket_priority],
            initial_comment=line,
            origin="pywats-bridge",
            tags=[{"key": TAG, "value": tag}],
        )
        _log.info("ticket opened", ticket=ticket.ticket_number, about=tag)
        return Done(_detail(ticket, line))


def _detail(ticket: Ticket, line: str) -> dict[str, Any]:
    return {"ticket": ticket.ticket_id, "number": ticket.ticket_number, "comment": line}
