"""Tickets: opened, found by tag, commented, moved on, put away."""

import pytest

from pywats_api import (
    ErrorMode,
    NotFoundError,
    Setting,
    TicketPriority,
    TicketStatus,
    TicketView,
    ValidationError,
)

from .conftest import make_client

OPEN, BUSY, SOLVED = TicketStatus.OPEN, TicketStatus.IN_PROGRESS, TicketStatus.SOLVED


async def test_a_ticket_is_opened_with_all_it_is_about(api):
    """And comes back with its number, its first comment and its tags."""
    made = await api.rootcause.create_ticket(
        "Feeder jam",
        TicketPriority.HIGH,
        initial_comment="at station 3",
        tags=[{"key": "fault", "value": "//A/L1/F:E12"}],
        team="Line 1",
        origin="bridge",
    )
    ticket = await api.rootcause.get_ticket(made.ticket_id)
    assert (ticket.subject, ticket.status, ticket.priority) == ("Feeder jam", OPEN, TicketPriority.HIGH)
    assert (ticket.description, ticket.team, ticket.origin) == ("at station 3", "Line 1", "bridge")
    assert ticket.tag("fault") == "//A/L1/F:E12"
    assert ticket.created_utc.tzinfo is not None
    assert ticket.created_date_time.tzinfo is None
    assert (await api.rootcause.get_ticket(ticket.id)).ticket_id == made.ticket_id


async def test_a_ticket_is_found_by_its_tag(api):
    """The newest with exactly this tag, archived ones only if asked for."""
    for value in ("F:1", "F:12", "F:1"):
        await api.rootcause.create_ticket("x", tags=[Setting(key="fault", value=value)], assignee="a")
    found = await api.rootcause.find_ticket_by_tag("fault", "F:1")
    assert found.ticket_number == 3
    assert await api.rootcause.find_ticket_by_tag("fault", "F:2") is None
    assert await api.rootcause.find_ticket_by_tag("other", "F:1") is None
    await api.rootcause.change_status(found.ticket_id, SOLVED)
    await api.rootcause.archive_tickets([found.ticket_id])
    assert (await api.rootcause.find_ticket_by_tag("fault", "F:1")).ticket_number == 1


async def test_the_assignee_is_remembered(api):
    """The server never tells it, and wants it with each change of a ticket that is not new."""
    ticket = await api.rootcause.create_ticket("x", assignee="ann")
    ticket = await api.rootcause.change_status(ticket.ticket_id, BUSY)
    ticket = await api.rootcause.add_comment(ticket.ticket_id, "looked at it")
    assert (ticket.status, ticket.assignee) == (BUSY, "ann")
    ticket = await api.rootcause.assign_ticket(ticket.ticket_id, "bob")
    ticket.priority = TicketPriority.LOW
    assert (await api.rootcause.update_ticket(ticket, "less urgent")).assigned_to == "bob"
    assert [
        entry.content for entry in (await api.rootcause.get_ticket(ticket.id)).updates if entry.content
    ] == [
        "looked at it",
        "less urgent",
    ]


async def test_an_assignee_that_somebody_else_set(api, server, fake_time):
    """Has to be given: another client cannot know it."""
    ticket = await api.rootcause.create_ticket("x", assignee="ann")
    await api.rootcause.change_status(ticket.ticket_id, BUSY)
    async with make_client(server, fake_time) as other:
        assert (await other.rootcause.get_ticket(ticket.ticket_id)).assignee is None
        with pytest.raises(ValidationError, match="Unassigned tickets must have status new"):
            await other.rootcause.add_comment(ticket.ticket_id, "c")
        await other.rootcause.add_comment(ticket.ticket_id, "c", assignee="ann")
        assert (await other.rootcause.change_status(ticket.ticket_id, "solved")).status == SOLVED


async def test_an_unassigned_ticket_stays_new(api):
    """As WATS has it."""
    ticket = await api.rootcause.create_ticket("x")
    with pytest.raises(ValidationError, match="Unassigned"):
        await api.rootcause.change_status(ticket.ticket_id, BUSY)
    assert (await api.rootcause.assign_ticket(ticket.ticket_id, "ann", BUSY)).status == BUSY


async def test_views_statuses_and_priorities(api):
    """Each query gives its tickets, the newest first."""
    first = await api.rootcause.create_ticket("one", TicketPriority.LOW, assignee="local")
    await api.rootcause.create_ticket("two", TicketPriority.CRITICAL)
    await api.rootcause.change_status(first.ticket_id, BUSY)

    async def subjects(*args, **options):
        return [ticket.subject for ticket in await api.rootcause.get_tickets(*args, **options)]

    assert await subjects(view=TicketView.ALL) == ["two", "one"]
    assert await subjects() == await subjects(view=TicketView.ASSIGNED) == ["one"]
    assert await subjects(OPEN | BUSY, TicketView.ALL, priority=TicketPriority.HIGH) == ["two"]
    assert await subjects("OPEN|TicketStatus.IN_PROGRESS", TicketView.ALL, "ON") == ["one"]
    assert await subjects(f"{OPEN}", TicketView.ALL) == ["two"]
    assert [ticket.subject for ticket in await api.rootcause.get_open_tickets()] == ["two"]
    assert [ticket.subject for ticket in await api.rootcause.get_active_tickets()] == ["one"]
    for wrong in ("lost", 64, 0, ""):
        with pytest.raises(ValueError, match=r"no status of a ticket; WATS knows OPEN \(1\)"):
            await api.rootcause.get_tickets(wrong)


async def test_only_solved_tickets_are_put_away(api):
    """All of those named, or none."""
    solved = await api.rootcause.create_ticket("a", assignee="x")
    await api.rootcause.change_status(solved.ticket_id, SOLVED)
    new = await api.rootcause.create_ticket("b")
    with pytest.raises(ValidationError, match="Only solved tickets"):
        await api.rootcause.archive_tickets([solved.ticket_id, new.ticket_id])
    assert (await api.rootcause.get_ticket(solved.id)).status == SOLVED
    await api.rootcause.archive_tickets([solved.id])
    assert (await api.rootcause.get_ticket(solved.id)).status == TicketStatus.ARCHIVED


async def test_a_file_comes_back_byte_by_byte(api, tmp_path):
    """Whatever it holds, and whatever it is called."""
    content = bytes(range(256)) * 5 + b"\r\n--boundary\r\n\r\n"
    (tmp_path / "Bild ü.png").write_bytes(content)
    ticket = await api.rootcause.create_ticket("x")
    file = await api.rootcause.upload_attachment(tmp_path / "Bild ü.png")
    await api.rootcause.add_comment(ticket.ticket_id, "see file", attachments=[file])
    (kept,) = (await api.rootcause.get_ticket(ticket.id)).history[-1].attachments
    assert kept.filename == "Bild ü.png"
    assert await api.rootcause.get_attachment(kept.attachment_id, kept.filename) == content
    with pytest.raises(ValueError, match="needs a name"):
        await api.rootcause.upload_attachment(b"content")


async def test_tags_are_added(api):
    """A key that a ticket has gets the new value."""
    ticket = await api.rootcause.create_ticket("x", tags=[{"key": "a", "value": "1"}])
    ticket = await api.rootcause.add_tags(
        ticket.ticket_id, [{"key": "b", "value": "2"}, {"key": "a", "value": "3"}]
    )
    assert [(tag.key, tag.value) for tag in ticket.tags] == [("a", "3"), ("b", "2")]


async def test_what_is_not_there(api, server, fake_time):
    """Strict raises, lenient gives None; changing it raises in either."""
    lost = "5f0d3a52-9a3e-4b53-8d0c-0c9f3b1f6a10"
    for call in (
        api.rootcause.get_ticket(lost),
        api.rootcause.get_ticket(7),
        api.rootcause.add_comment(lost, "c"),
        api.rootcause.get_attachment(lost),
    ):
        with pytest.raises(NotFoundError):
            await call
    async with make_client(server, fake_time, error_mode=ErrorMode.LENIENT) as lenient:
        assert await lenient.rootcause.get_ticket(lost) is None
        assert await lenient.rootcause.get_ticket(7) is None
        with pytest.raises(NotFoundError):
            await lenient.rootcause.change_status(lost, BUSY)


@pytest.mark.parametrize(
    ("subject", "options", "reason"),
    [
        (" ", {}, "subject"),
        ("s" * 101, {}, "subject: .* at most 100"),
        ("s", {"priority": 9}, "priority"),
        ("s", {"report_uuid": "x"}, "reportUuid: .* no GUID"),
        ("s", {"tags": [{"key": " "}]}, r"tags\.0\.key"),
    ],
)
async def test_an_impossible_ticket_is_refused(api, subject, options, reason):
    """With the member and the reason."""
    with pytest.raises(ValidationError, match=reason):
        await api.rootcause.create_ticket(subject, **options)


async def test_a_comment_is_never_sent_twice(api, server):
    """An unclear answer to one that the server may have taken is the caller's to look into."""
    ticket = await api.rootcause.create_ticket("x")
    server.knobs.reject_next(status=503, path="/api/RootCause/Ticket")
    with pytest.raises(Exception, match="503"):
        await api.rootcause.add_comment(ticket.ticket_id, "once")
    await api.rootcause.add_comment(ticket.ticket_id, "once")
    assert len((await api.rootcause.get_ticket(ticket.id)).history) == 1
