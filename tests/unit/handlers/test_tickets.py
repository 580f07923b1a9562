"""Chosen faults are tickets: one as long as it lives, with a comment for whatever follows."""

from datetime import timedelta

import pytest
from shopfloor import ICT, NOON, event, rules, taught

from handlers import TicketHandler
from handlers.tickets import TAG
from pywats_api.root_cause_records import TicketPriority, TicketStatus, TicketView
from pywats_events.event import EventType
from pywats_events.handler import Done, Dropped

CHOSEN = {"severities": {"Alarm": "ticket"}, "codes": {"E-9*": "ticket"}, "ticket_priority": "high"}


def fault(number=1, **changes):
    payload = {
        "asset_id": ICT,
        "fault_code": "E-17",
        "severity": "Alarm",
        "occurrence_id": "8fc78f91",
        "description": "Drawer is stuck",
        **changes,
    }
    at = NOON + timedelta(minutes=number)
    return event(EventType.ASSET_FAULT, payload, event_id=f"f-00000000000{number}", time=at)


def cleared(number=5):
    payload = {"asset_id": ICT, "occurrence_id": "8fc78f91", "operator": {"id": "B-7"}}
    at = NOON + timedelta(minutes=number)
    return event(EventType.ASSET_FAULT_CLEARED, payload, event_id=f"c-00000000000{number}", time=at)


async def handler(api, *earlier, **faults):
    return TicketHandler(api, rules(faults={**CHOSEN, **faults}), await taught(*earlier))


async def tickets(api):
    found = await api.rootcause.get_tickets(view=TicketView.ALL)
    return [await api.rootcause.get_ticket(each.ticket_id) for each in found]


def contents(ticket):
    return [entry.content.rsplit(" ", 2)[0] for entry in ticket.history if entry.content]


async def test_a_fault_opens_a_ticket(api):
    """With its priority, tagged by asset and code, its text as the first entry."""
    made = await handler(api)
    assert isinstance(await made.handle(fault()), Done)
    (ticket,) = await tickets(api)
    assert (ticket.subject, ticket.priority) == ("Fault of ICT01 E-17", TicketPriority.HIGH)
    assert ticket.tag(TAG) == "ICT01 E-17"
    assert contents(ticket) == ["Fault E-17 Alarm Drawer is stuck [8fc78f91]"]


async def test_what_follows_is_a_comment(api):
    """The same fault again, and its end; each once, however often it is told."""
    made = await handler(api, fault())
    for one in (fault(), fault(2), fault(2), cleared(), cleared()):
        await made.handle(one)
    (ticket,) = await tickets(api)
    assert contents(ticket) == [
        "Fault E-17 Alarm Drawer is stuck [8fc78f91]",
        "Fault E-17 Alarm Drawer is stuck [8fc78f91]",
        "Fault E-17 cleared by B-7 [8fc78f91]",
    ]


async def test_another_code_is_another_ticket(api):
    """Each asset and code has its own."""
    made = await handler(api)
    await made.handle(fault())
    await made.handle(fault(2, fault_code="E-99", severity="Error"))
    assert {ticket.tag(TAG) for ticket in await tickets(api)} == {"ICT01 E-17", "ICT01 E-99"}


async def test_a_fault_that_was_solved_comes_back(api):
    """It is a new matter."""
    made = await handler(api)
    await made.handle(fault())
    (ticket,) = await tickets(api)
    await api.rootcause.assign_ticket(ticket.ticket_id, "somebody")
    await api.rootcause.change_status(ticket.ticket_id, TicketStatus.SOLVED, "somebody")
    await made.handle(fault(2))
    assert len(await tickets(api)) == 2


async def test_a_fault_that_is_told_again_after_its_ticket_was_solved(api):
    """A bridge that lost its journal does not open the matter again."""
    made = await handler(api)
    await made.handle(fault())
    (ticket,) = await tickets(api)
    await api.rootcause.assign_ticket(ticket.ticket_id, "somebody")
    await api.rootcause.change_status(ticket.ticket_id, TicketStatus.SOLVED, "somebody")
    again = await handler(api)
    assert "earlier" in (await again.handle(fault())).detail["found"]
    assert len(await tickets(api)) == 1


async def test_other_faults(api):
    """They make no ticket, nor does the end of one that nobody told of."""
    made = await handler(api)
    assert "not worth a ticket" in (await made.handle(fault(severity="Warning"))).rule
    assert isinstance(await made.handle(cleared()), Dropped)
    assert await tickets(api) == []


@pytest.mark.parametrize("faults", [{}, {"severities": {"Alarm": "log"}}])
async def test_off_unless_chosen(api, faults):
    """Without a fault that is worth one nobody is asked."""
    assert TicketHandler(api, rules(faults=faults), await taught()).event_types == ()
