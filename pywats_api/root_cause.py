"""Root-cause tickets: problems that people have to look into, with their discussion.

A bridge opens one for a severe or repeated fault only, finds it again by a tag, and comments rather than
opening another.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pywats_api.connection import Connection, Content
from pywats_api.errors import ErrorMode, InvalidResponseError, NotFoundError
from pywats_api.records import missing
from pywats_api.root_cause_records import (
    Ticket,
    TicketAttachment,
    TicketPriority,
    TicketStatus,
    TicketUpdate,
    TicketUpdateType,
    TicketView,
    status_flags,
)
from pywats_api.tags import Tags, as_settings, merged

_TICKET = "/api/RootCause/Ticket"
_ATTACHMENT = "/api/RootCause/Attachment"
_REMEMBERED = 10_000
_ACTIVE = TicketStatus.OPEN | TicketStatus.IN_PROGRESS
_NOT_ARCHIVED = _ACTIVE | TicketStatus.ON_HOLD | TicketStatus.SOLVED | TicketStatus.CLOSED


class RootCauseDomain:
    """``api.rootcause``.

    The server never says whom a ticket is assigned to, and refuses an unassigned one that is not new. So the
    assignee has to be sent with each change: this client remembers those it set itself. For a ticket that
    somebody else assigned, give `assignee`.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._assignees: OrderedDict[str, str] = OrderedDict()

    # --- looking

    async def get_ticket(self, ticket_id: str | int) -> Ticket | None:
        """A ticket with its history (``GET /api/RootCause/Ticket``).

        Args:
            ticket_id: its id; or the number that people know it by, which is looked for among all tickets.

        Raises:
            NotFoundError: there is no such ticket (strict mode; lenient: None).
        """
        operation = "rootcause.get_ticket"
        try:
            found = await self._read(operation, await self._id_of(operation, ticket_id))
        except NotFoundError:
            if self._connection.error_mode is ErrorMode.STRICT:
                raise
            return None
        if found is None:
            missing(operation, f"ticket {ticket_id}", self._connection.error_mode)
        return found

    async def get_tickets(
        self,
        status: TicketStatus | int | str | None = None,
        view: TicketView | int | None = None,
        search_string: str | None = None,
        *,
        priority: TicketPriority | int | None = None,
    ) -> list[Ticket]:
        """Tickets (``GET /api/RootCause/Tickets``).

        Args:
            status: one or several, joined with ``|``; all without.
            view: whose; those assigned to the token's user without. All of them need a permission.
            search_string: in subject, tags and their values.
            priority: picked out here, as the server does not ask for it.

        Raises:
            ValueError: there is no such status.
        """
        operation = "rootcause.get_tickets"
        answer = await self._connection.request(
            operation,
            "GET",
            "/api/RootCause/Tickets",
            query={
                "status": status_flags(status),
                "view": None if view is None else int(view),
                "searchString": search_string,
            },
        )
        tickets = [self._known(ticket) for ticket in Ticket.read_list(answer, operation)]
        return [ticket for ticket in tickets if priority is None or ticket.priority == priority]

    async def get_open_tickets(self, view: TicketView | int | None = TicketView.ALL) -> list[Ticket]:
        """Tickets that nobody began yet (``GET /api/RootCause/Tickets``).

        Args:
            view: whose tickets; all of them, which needs a permission, if left out.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return await self.get_tickets(TicketStatus.OPEN, view)

    async def get_active_tickets(self, view: TicketView | int | None = TicketView.ASSIGNED) -> list[Ticket]:
        """Tickets that are open or in progress (``GET /api/RootCause/Tickets``).

        Args:
            view: whose tickets; all of them, which needs a permission, if left out.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return await self.get_tickets(_ACTIVE, view)

    async def find_ticket_by_tag(
        self, key: str, value: str, *, status: TicketStatus | int | str = _NOT_ARCHIVED
    ) -> Ticket | None:
        """The newest ticket with this tag, None in either error mode if there is none.

        Look before `create_ticket`, which is not safe to repeat.

        Calls ``GET /api/RootCause/Tickets``.

        Args:
            key: of the tag, exactly.
            value: of the tag, exactly.
            status: which tickets come into question; all that are not archived without.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        tickets = await self.get_tickets(status, TicketView.ALL, value)
        found = [ticket for ticket in tickets if ticket.tag(key) == value]
        return max(found, key=lambda ticket: ticket.ticket_number or 0, default=None)

    # --- changing

    async def create_ticket(
        self,
        subject: str,
        priority: TicketPriority | int = TicketPriority.MEDIUM,
        *,
        initial_comment: str | None = None,
        report_uuid: str | None = None,
        assignee: str | None = None,
        team: str | None = None,
        origin: str | None = None,
        tags: Tags = (),
    ) -> Ticket:
        """Open a ticket (``POST /api/RootCause/Ticket``). Never repeated by itself.

        Args:
            subject: what it is about, in a line.
            priority: how urgent.
            initial_comment: what it is about, at length.
            report_uuid: id of the report that shows the problem.
            assignee: user who shall look into it.
            team: team that shall look into it.
            origin: where the ticket comes from.
            tags: what it can be found by.

        Raises:
            ValidationError: the server refuses a member.
        """
        operation = "rootcause.create_ticket"
        wanted = Ticket(
            subject=subject,
            status=TicketStatus.OPEN,
            priority=priority,
            report_uuid=None if report_uuid is None else str(report_uuid),
            assignee=assignee,
            team=team,
            origin=origin,
            tags=as_settings(tags),
            update=None if initial_comment is None else TicketUpdate(content=initial_comment),
        )
        answer = await self._connection.request(
            operation, "POST", _TICKET, body=_to_wire(wanted), idempotent=False
        )
        return self._remember(Ticket.read(answer, operation), assignee)

    async def update_ticket(self, ticket: Ticket, comment: str | None = None) -> Ticket:
        """Store a changed ticket (``PUT /api/RootCause/Ticket``). Fetch it before changing it.

        Args:
            ticket: with its id; `Ticket.assignee` is sent as it is, or, if empty, as it was set last.
            comment: added to its history. With one, the call is never repeated by itself.

        Raises:
            ValidationError: "Unassigned tickets must have status new", or another rule is broken.
            ValueError: the ticket has no id.
        """
        return await self._put("rootcause.update_ticket", ticket, ticket.assignee, comment=comment)

    async def add_comment(
        self,
        ticket_id: str | int,
        comment: str,
        assignee: str | None = None,
        *,
        attachments: Iterable[TicketAttachment] = (),
    ) -> Ticket:
        """Add a comment to a ticket's history (``PUT /api/RootCause/Ticket``). Never repeated by itself.

        Args:
            ticket_id: id or number.
            comment: the text.
            assignee: whom the ticket is assigned to, if somebody else assigned it.
            attachments: files that `upload_attachment` has stored.

        Raises:
            NotFoundError: there is no such ticket.
            ValidationError: "Unassigned tickets must have status new": the assignee is missing.
        """
        operation = "rootcause.add_comment"
        ticket = await self._existing(operation, ticket_id)
        return await self._put(operation, ticket, assignee, comment=comment, attachments=attachments)

    async def change_status(
        self, ticket_id: str | int, status: TicketStatus | int | str, assignee: str | None = None
    ) -> Ticket:
        """Move a ticket on, or back (``GET``, ``PUT /api/RootCause/Ticket``).

        Args:
            ticket_id: id or number.
            status: one status.
            assignee: whom the ticket is assigned to, if somebody else assigned it.

        Raises:
            NotFoundError: there is no such ticket.
            ValidationError: "Unassigned tickets must have status new": the assignee is missing.
        """
        operation = "rootcause.change_status"
        ticket = await self._existing(operation, ticket_id)
        return await self._put(
            operation, ticket.model_copy(update={"status": status_flags(status)}), assignee
        )

    async def assign_ticket(
        self,
        ticket_id: str | int,
        assignee: str,
        status: TicketStatus | int | str | None = None,
    ) -> Ticket:
        """Say who shall look into a ticket (``GET``, ``PUT /api/RootCause/Ticket``).

        Args:
            ticket_id: id or number.
            assignee: the user.
            status: move it on as well; it stays where it is without.

        Raises:
            NotFoundError: there is no such ticket.
        """
        operation = "rootcause.assign_ticket"
        ticket = await self._existing(operation, ticket_id)
        if status is not None:
            ticket = ticket.model_copy(update={"status": status_flags(status)})
        return await self._put(operation, ticket, assignee)

    async def add_tags(self, ticket_id: str | int, tags: Tags, assignee: str | None = None) -> Ticket:
        """Add tags to a ticket; a key that it has gets the new value.

        Calls ``GET``, ``PUT /api/RootCause/Ticket``.

        Args:
            ticket_id: id or number.
            tags: records or dictionaries with ``key`` and ``value``.
            assignee: whom the ticket is assigned to, if somebody else assigned it.

        Raises:
            NotFoundError: there is no such ticket.
        """
        operation = "rootcause.add_tags"
        ticket = await self._existing(operation, ticket_id)
        return await self._put(
            operation, ticket.model_copy(update={"tags": merged(ticket.tags, tags)}), assignee
        )

    async def archive_tickets(self, ticket_ids: Sequence[str | int]) -> bool:
        """Put solved tickets away (``POST /api/RootCause/ArchiveTickets``).

        Args:
            ticket_ids: ids or numbers.

        Raises:
            ValidationError: one of them is not solved.
        """
        operation = "rootcause.archive_tickets"
        ids = [await self._id_of(operation, ticket_id) for ticket_id in ticket_ids]
        await self._connection.request(
            operation, "POST", "/api/RootCause/ArchiveTickets", body=ids, idempotent=False
        )
        return True

    # --- attachments

    async def upload_attachment(
        self, file: bytes | Path | str, filename: str | None = None
    ) -> TicketAttachment:
        """Store a file (``POST /api/RootCause/Attachment``), to be named in a comment. Never repeated.

        Args:
            file: its content, or the path to it.
            filename: how it shall be called; needed where `file` is the content.

        Raises:
            ValueError: the file has no name.
            OSError: the file cannot be read.
        """
        operation = "rootcause.upload_attachment"
        content, name = await _read_file(file, filename)
        answer = await self._connection.request(
            operation, "POST", _ATTACHMENT, body=Content.file(name, content), idempotent=False
        )
        if isinstance(answer, dict):
            answer = next((v for k, v in answer.items() if k.lower() in {"attachmentid", "id"}), None)
        if not answer:
            raise InvalidResponseError("the server gave no id for the attachment", operation=operation)
        return TicketAttachment(attachment_id=str(answer), filename=name)

    async def get_attachment(self, attachment_id: str, filename: str | None = None) -> bytes:
        """Content of a file (``GET /api/RootCause/Attachment``).

        Args:
            attachment_id: id of the file.
            filename: name of the file.

        Raises:
            NotFoundError: there is no such file.
        """
        answer: bytes = await self._connection.request(
            "rootcause.get_attachment",
            "GET",
            _ATTACHMENT,
            query={"attachmentId": attachment_id, "fileName": filename},
            accept="*/*",
        )
        return answer

    # --- steps

    async def _read(self, operation: str, ticket_id: str) -> Ticket | None:
        answer = await self._connection.request(operation, "GET", _TICKET, query={"ticketId": ticket_id})
        return self._known(Ticket.read(answer, operation)) if answer else None

    async def _existing(self, operation: str, ticket_id: str | int) -> Ticket:
        ticket = await self._read(operation, await self._id_of(operation, ticket_id))
        if ticket is None:
            raise NotFoundError(f"the server has no ticket {ticket_id}", operation=operation)
        return ticket

    async def _id_of(self, operation: str, ticket_id: str | int) -> str:
        if not isinstance(ticket_id, int):
            return str(ticket_id)
        for ticket in await self.get_tickets(view=TicketView.ALL):
            if ticket.ticket_number == ticket_id and ticket.ticket_id:
                return ticket.ticket_id
        raise NotFoundError(f"the server has no ticket number {ticket_id}", operation=operation)

    async def _put(
        self,
        operation: str,
        ticket: Ticket,
        assignee: str | None,
        *,
        comment: str | None = None,
        attachments: Iterable[TicketAttachment] = (),
    ) -> Ticket:
        if not ticket.ticket_id:
            raise ValueError("a ticket that is changed needs its ticket_id; create_ticket makes new ones")
        kind = TicketUpdateType.PROPERTIES if comment is None else TicketUpdateType.CONTENT
        update = TicketUpdate(content=comment or "", update_type=kind, attachments=list(attachments))
        whom = assignee or self._assignees.get(ticket.ticket_id)
        wanted = ticket.model_copy(update={"assignee": whom, "update": update})
        answer = await self._connection.request(
            operation, "PUT", _TICKET, body=_to_wire(wanted), idempotent=comment is None
        )
        stored = Ticket.read(answer, operation) if answer else ticket
        return self._remember(stored, whom)

    def _remember(self, ticket: Ticket, assignee: str | None) -> Ticket:
        if ticket.ticket_id and assignee:
            self._assignees[ticket.ticket_id] = assignee
            self._assignees.move_to_end(ticket.ticket_id)
            if len(self._assignees) > _REMEMBERED:
                self._assignees.popitem(last=False)
        return self._known(ticket)

    def _known(self, ticket: Ticket) -> Ticket:
        """The ticket with the assignee that this client set."""
        assignee = ticket.assignee or self._assignees.get(ticket.ticket_id or "")
        return ticket.model_copy(update={"assignee": assignee})


def _to_wire(ticket: Ticket) -> dict[str, Any]:
    wire = ticket.to_wire()
    for name in ("history", "createdUtc", "updatedUtc", "ticketNumber"):
        wire.pop(name, None)  # the server's own
    return wire


async def _read_file(file: bytes | Path | str, filename: str | None) -> tuple[bytes, str]:
    if isinstance(file, bytes):
        if not filename:
            raise ValueError("filename: an attachment given as bytes needs a name")
        return file, filename
    path = Path(file)
    return await asyncio.to_thread(path.read_bytes), filename or path.name
