"""The pages of tickets: the list, and one ticket with its history."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from pywats_api.server.pages import page_of, shown
from pywats_api.server.state import state_of
from pywats_api.server.tables import facts, link, table, tags_of

_STATUSES = {1: "New", 2: "In progress", 4: "On hold", 8: "Solved", 16: "Closed", 32: "Archived"}
_PRIORITIES = ("Low", "Medium", "High")
_ALL = 2

router = APIRouter(include_in_schema=False)


@router.get("/tickets")
async def list_page(request: Request) -> Response:
    """All tickets, the newest first."""
    state = state_of(request)
    tickets = await state.run(
        lambda connection: state.root_cause.query(connection, status=None, view=_ALL, search="")
    )
    rows = [
        (
            shown(ticket["ticketNumber"]),
            link("/tickets/ticket", ticket["subject"], ticket=ticket["ticketId"]),
            _STATUSES[ticket["status"]],
            _PRIORITIES[ticket["priority"]],
            shown(ticket["assignee"] or ""),
            tags_of(ticket["tags"]),
        )
        for ticket in tickets
    ]
    heads = ("Number", "Subject", "Status", "Priority", "Assigned to", "Tags")
    return page_of("Tickets", f"<p>{link('/', 'Reports')}</p>{table(heads, rows, 'There is no ticket yet.')}")


@router.get("/tickets/ticket")
async def ticket_page(request: Request, ticket: str) -> Response:
    """One ticket with its history."""
    state = state_of(request)
    found = await state.run(lambda connection: state.root_cause.get(connection, ticket))
    if found is None:
        return page_of("No such ticket", f"<p>{link('/tickets', 'All tickets')}</p>", status=404)
    report = found.get("reportUuid")
    listing = facts(
        {
            "Status": _STATUSES[found["status"]],
            "Priority": _PRIORITIES[found["priority"]],
            "Owner": shown(found["owner"]),
            "Assigned to": shown(found["assignee"] or ""),
            "Team": shown(found.get("team") or ""),
            "Report": link(f"/reports/{report}", report) if report else "",
            "Tags": tags_of(found["tags"]),
        }
    )
    history = "".join(_entry(entry) for entry in found["history"])
    return page_of(
        f"Ticket {found['ticketNumber']}: {found['subject']}",
        f"<p>{link('/tickets', 'All tickets')}</p>{listing}<h2>History</h2>{history}",
    )


def _entry(entry: Mapping[str, Any]) -> str:
    files = ", ".join(
        shown(attachment.get("filename") or attachment["attachmentId"])
        for attachment in entry.get("attachments") or ()
    )
    return (
        f"<h3>{shown(entry['updateUtc'][:19].replace('T', ' '))} {shown(entry['updateUser'])}</h3>"
        f"<pre>{shown(entry.get('content') or '')}</pre>{f'<p>Files: {files}</p>' if files else ''}"
    )
