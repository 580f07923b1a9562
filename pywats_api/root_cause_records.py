"""Root-cause tickets and what happens to them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import IntEnum, IntFlag
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from pywats_api.records import Record
from pywats_api.tags import Setting


class TicketStatus(IntFlag):
    """Where a ticket is. A ticket has one of them; a query may ask for several, joined with ``|``."""

    OPEN = 1
    IN_PROGRESS = 2
    ON_HOLD = 4
    SOLVED = 8
    CLOSED = 16
    ARCHIVED = 32


class TicketPriority(IntEnum):
    """How urgent a ticket is. WATS knows three; the other words are names for them."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2
    NORMAL = 1
    CRITICAL = 2


class TicketView(IntEnum):
    """Whose tickets a query gives: those assigned to the token's user, those followed, or all."""

    ASSIGNED = 0
    FOLLOWING = 1
    ALL = 2


class TicketUpdateType(IntEnum):
    """What an entry in a ticket's history is."""

    CONTENT = 0
    PROGRESS = 1
    PROPERTIES = 2
    NOTIFICATION = 3


def _as_utc(moment: datetime | None) -> datetime | None:
    """Read a time that is named UTC and carries no offset."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _or_empty(value: Any) -> Any:
    return [] if value is None else value


_Moment = Annotated[datetime | None, AfterValidator(_as_utc)]


class TicketAttachment(Record):
    """A file that was uploaded before, by its id."""

    attachment_id: str
    filename: str | None = None


class TicketUpdate(Record):
    """An entry in a ticket's history, such as a comment."""

    update_id: str | None = None
    update_utc: _Moment = None
    update_user: str | None = None
    content: str | None = None
    update_type: Annotated[TicketUpdateType | int, Field(union_mode="left_to_right")] = (
        TicketUpdateType.CONTENT
    )
    attachments: Annotated[list[TicketAttachment], BeforeValidator(_or_empty)] = Field(default_factory=list)

    @property
    def date_time(self) -> datetime | None:
        """The same as `update_utc`."""
        return self.update_utc

    @property
    def description(self) -> str | None:
        """The same as `content`."""
        return self.content


class Ticket(Record):
    """A discussion of a problem.

    Attributes:
        assignee: who has to do with it. The server never tells; it is filled in where this client set it.
        report_uuid: the report that the ticket is about.
        history: its entries, the oldest first.
        update: the entry that is sent with a change.
    """

    ticket_id: str | None = None
    ticket_number: int | None = None
    progress: str | None = None
    owner: str | None = None
    assignee: str | None = None
    subject: str | None = None
    status: Annotated[TicketStatus | int | None, Field(union_mode="left_to_right")] = None
    priority: Annotated[TicketPriority | int | None, Field(union_mode="left_to_right")] = None
    report_uuid: str | None = None
    created_utc: _Moment = None
    updated_utc: _Moment = None
    team: str | None = None
    origin: str | None = None
    tags: Annotated[list[Setting], BeforeValidator(_or_empty)] = Field(default_factory=list)
    history: Annotated[list[TicketUpdate], BeforeValidator(_or_empty)] = Field(default_factory=list)
    update: TicketUpdate | None = None

    @property
    def id(self) -> int | None:
        """The number that people know a ticket by."""
        return self.ticket_number

    @property
    def assigned_to(self) -> str | None:
        """The same as `assignee`."""
        return self.assignee

    @property
    def description(self) -> str | None:
        """The first comment, which says what the ticket is about."""
        return next((entry.content for entry in self.history if entry.content), None)

    @property
    def created_date_time(self) -> datetime | None:
        """When the ticket was made, in local time without offset; `created_utc` says it exactly."""
        return None if self.created_utc is None else self.created_utc.astimezone().replace(tzinfo=None)

    @property
    def updates(self) -> list[TicketUpdate]:
        """The same as `history`."""
        return self.history

    def tag(self, key: str) -> str | None:
        """Value of the tag with this key."""
        return next((tag.value for tag in self.tags if tag.key == key), None)


def status_flags(status: TicketStatus | int | str | None) -> int | None:
    """Statuses as the number that a query carries.

    Args:
        status: flags, a number, or names or numbers in a text, joined with ``|``.

    Raises:
        ValueError: there is no such status.
    """
    if status is None:
        return None
    parts: list[str] | list[int] = (
        [part.strip() for part in status.split("|")] if isinstance(status, str) else [int(status)]
    )
    flags = 0
    for part in parts:
        name = str(part).rpartition(".")[2].upper()
        number = int(name) if name.isdecimal() else _BY_NAME.get(name, 0)
        if not 0 < number <= _ALL:
            known = ", ".join(f"{flag.name} ({flag:d})" for flag in TicketStatus)
            raise ValueError(f"{part!r} is no status of a ticket; WATS knows {known}")
        flags |= number
    return flags


_BY_NAME: Mapping[str, int] = {
    **{name: int(flag) for name, flag in TicketStatus.__members__.items()},
    "NEW": int(TicketStatus.OPEN),
    "RESOLVED": int(TicketStatus.SOLVED),
}
_ALL = sum(TicketStatus)
