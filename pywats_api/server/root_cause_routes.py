"""``/api/RootCause``: tickets. Answers never say whom a ticket is assigned to, as on a real server."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pywats_api.server.bodies import Body, Guid, Name, Required, Tag, Text, read_many, read_one, takes
from pywats_api.server.documents import Refused
from pywats_api.server.requests import not_found
from pywats_api.server.state import state_of
from pywats_api.server.uploads import FILE, read_file

router = APIRouter(prefix="/api/RootCause")


class AttachmentBody(Body):
    """A file that was uploaded before."""

    attachment_id: Guid
    filename: Name | None = None


class UpdateBody(Body):
    """An entry of a ticket's history."""

    content: Text | None = None
    update_type: Literal[0, 1, 2, 3] = 0
    attachments: list[AttachmentBody] | None = None


class TicketBody(Body):
    """A ticket."""

    subject: Required
    status: Literal[1, 2, 4, 8, 16, 32] = 1
    priority: Literal[0, 1, 2] = 1
    assignee: Name | None = None
    team: Name | None = None
    origin: Name | None = None
    progress: Text | None = None
    report_uuid: Guid | None = None
    tags: Annotated[list[Tag], Field(max_length=200)] = Field(default_factory=list)
    update: UpdateBody | None = None


class ChangedTicketBody(TicketBody):
    """A ticket that is changed; it always says what was done."""

    ticket_id: Guid
    update: UpdateBody


@router.get("/Ticket")
async def get_ticket(request: Request, ticket_id: Annotated[str, Query(alias="ticketId")]) -> Response:
    """A ticket with its history."""
    state = state_of(request)
    ticket = await state.run(lambda connection: state.root_cause.get(connection, ticket_id))
    return not_found(f"Ticket {ticket_id[:50]}") if ticket is None else JSONResponse(_answer(ticket))


@router.post("/Ticket", openapi_extra=takes(TicketBody))
async def create_ticket(request: Request) -> Response:
    """Open a ticket."""
    state = state_of(request)
    wanted = (await read_one(request, TicketBody)).members()
    ticket = await state.run(lambda connection: state.root_cause.create(connection, wanted))
    return JSONResponse(_answer(ticket))


@router.put("/Ticket", openapi_extra=takes(ChangedTicketBody))
async def change_ticket(request: Request) -> Response:
    """Change a ticket."""
    state = state_of(request)
    wanted = (await read_one(request, ChangedTicketBody)).members()
    ticket = await state.run(lambda connection: state.root_cause.change(connection, wanted))
    return not_found(f"Ticket {wanted['ticketId']}") if ticket is None else JSONResponse(_answer(ticket))


@router.get("/Tickets")
async def get_tickets(
    request: Request,
    status: Annotated[int | None, Query(ge=1, le=63)] = None,
    view: Annotated[int, Query(ge=0, le=2)] = 0,
    search: Annotated[str, Query(alias="searchString", max_length=200)] = "",
) -> Response:
    """Tickets, the newest first."""
    state = state_of(request)
    tickets = await state.run(
        lambda connection: state.root_cause.query(connection, status=status, view=view, search=search)
    )
    return JSONResponse([_answer(ticket) for ticket in tickets])


@router.post(
    "/ArchiveTickets",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "array", "items": {"type": "string"}}}},
        }
    },
)
async def archive(request: Request) -> Response:
    """Put solved tickets away."""
    state = state_of(request)
    wanted = await read_many(request)
    if not all(isinstance(ticket_id, str) for ticket_id in wanted):
        raise Refused("The body is no array of ids.")
    await state.run(lambda connection: state.root_cause.archive(connection, wanted))
    return Response(status_code=200)


@router.post("/Attachment", openapi_extra=FILE)
async def upload(request: Request) -> Response:
    """Store a file: its id."""
    state = state_of(request)
    filename, content = await read_file(request)
    return JSONResponse(
        await state.run(lambda connection: state.root_cause.add_file(connection, filename, content))
    )


@router.get("/Attachment")
async def download(
    request: Request,
    attachment_id: Annotated[str, Query(alias="attachmentId")],
    filename: Annotated[str | None, Query(alias="fileName", max_length=200)] = None,
) -> Response:
    """Content of a file, always to be saved and never to be shown."""
    state = state_of(request)
    row = await state.run(lambda connection: state.root_cause.file(connection, attachment_id))
    if row is None:
        return not_found(f"Attachment {attachment_id[:50]}")
    name = quote(filename or row["filename"], safe="")
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(row["content"], media_type="application/octet-stream", headers=headers)


def _answer(ticket: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in ticket.items() if name != "assignee"}
