"""``pywats-bridge dead-letters``: what was not delivered, why, and what is to become of it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, TextIO

import typer

from pywats_bridge import replaying
from pywats_bridge.choosing import (
    READING,
    Choice,
    count,
    why_none,
    with_choice,
)
from pywats_bridge.commands import DEFAULT_CONFIG, EXIT_FAILED, EXIT_USAGE, ConfigOption, Json, fail, run
from pywats_bridge.journal_access import access
from pywats_bridge.printing import clock_time, console, counted, json_line, plain, say, seconds_time, table
from pywats_bridge.readable import readable
from pywats_bridge.story import came_through, named, unit_of
from pywats_events.bus.dead_letters import Letter
from pywats_events.journal import DeadGroup, DeliveryState, Entry, Query

#: Lines of a message that are shown without ``--full``.
SHOWN_LINES: Final = 120
#: Digits of a cause that tell it from others.
CAUSE_DIGITS: Final = 8

app = typer.Typer(
    no_args_is_help=True,
    help="What was not delivered, why, and what is to become of it. Works beside a running bridge.",
)
app.command("replay")(replaying.replay)
app.add_typer(replaying.jobs, name="jobs")


@app.command("list")
@with_choice
def list_(
    *,
    choice: Choice,
    config: ConfigOption = DEFAULT_CONFIG,
    flat: Annotated[bool, typer.Option("--flat", help="Single letters, newest first, not causes.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most lines.")] = 50,
    as_json: Json = False,
) -> None:
    """List the causes of death, the one with most letters first; with --flat the letters themselves."""

    async def show() -> None:
        async with access(config) as journal:
            query = await choice.query(journal.letters, limit=limit)
            found: list[DeadGroup] | list[Entry] = (
                await journal.letters.find(replace(query, newest_first=True))
                if flat
                else await journal.letters.groups(query)
            )
            if as_json:
                for one in found:
                    json_line(_group_document(one) if isinstance(one, DeadGroup) else entry_document(one))
                return
            if not found:
                typer.echo(await why_none(journal.letters, choice))
                return
            letters = [one for one in found if isinstance(one, Entry)]
            groups = [one for one in found if isinstance(one, DeadGroup)]
            _table_of_letters(letters) if flat else _table_of_groups(groups)
            if console().is_terminal:
                _say_what_next(await count(journal.letters, query), found)

    run(show())


def _table_of_groups(groups: list[DeadGroup]) -> None:
    table(
        ("cause", "letters", "handler", "error", "reason", "last died", "newest"),
        (
            (
                one.fingerprint[:CAUSE_DIGITS],
                one.count,
                one.handler or READING,
                one.error,
                one.reason,
                seconds_time(one.last),
                one.example,
            )
            for one in groups
        ),
        numbers=("letters", "newest"),
    )


def _table_of_letters(letters: list[Entry]) -> None:
    table(
        ("id", "died", "station", "unit", "message", "handler", "error", "reason"),
        (
            (
                one.id,
                seconds_time(one.changed),
                one.source or "-",
                named(one) or "-",
                short_name(one) or "-",
                one.handler or READING,
                one.error,
                one.reason,
            )
            for one in letters
        ),
        numbers=("id",),
    )


def _say_what_next(number: int, found: list[DeadGroup] | list[Entry]) -> None:
    first = found[0]
    shown = (
        len(found)
        if isinstance(first, Entry)
        else sum(one.count for one in found if isinstance(one, DeadGroup))
    )
    more = f", {shown:,} of them shown (--limit)" if shown < number else ""
    letters = counted(number, "dead letter")
    say(f"{letters}{more}. Look at one, mend its cause, put all of the cause through again:")
    if isinstance(first, DeadGroup):
        example, cause = first.example, first.fingerprint
    else:
        example, cause = first.id, first.fingerprint or ""
    say(f"  pywats-bridge dead-letters show {example}", "dim")
    say(f"  pywats-bridge dead-letters replay --cause {cause[:CAUSE_DIGITS]}", "dim")


def short_name(entry: Entry) -> str | None:
    """Give the message's name without the standard's namespaces."""
    name = entry.message_name
    return name.rpartition(".")[2] if name is not None and name.startswith("CFX.") else name


def _group_document(group: DeadGroup) -> dict[str, Any]:
    return {
        "cause": group.fingerprint,
        "letters": group.count,
        "handler": group.handler,
        "error": group.error,
        "reason": group.reason,
        "first_died": group.first.isoformat(),
        "last_died": group.last.isoformat(),
        "newest": group.example,
    }


def entry_document(entry: Entry) -> dict[str, Any]:
    """Give an entry as JSON data, without its message and event."""
    return {
        "id": entry.id,
        "state": entry.state.value,
        "cause": entry.fingerprint,
        "handler": entry.handler,
        "error": entry.error,
        "reason": entry.reason,
        "rule": entry.rule,
        "unit": unit_of(entry),
        "station": entry.source,
        "message_name": entry.message_name,
        "message_id": entry.message_id,
        "event_id": entry.part_id if entry.event is None else entry.event.id,
        "attempts": len(entry.attempts),
        "first_seen": entry.first_seen.isoformat(),
        "changed": entry.changed.isoformat(),
    }


# --- one of them -----------------------------------------------------------------------------------------


@app.command()
def show(
    letter: Annotated[str, typer.Argument(metavar="ID", help="The letter's id, as the list shows it.")],
    config: ConfigOption = DEFAULT_CONFIG,
    full: Annotated[bool, typer.Option("--full", help="The whole message, however long.")] = False,
    as_json: Json = False,
) -> None:
    """Show a dead letter: why it died, each try with its answer, its event, the message as it came."""

    async def look() -> None:
        async with access(config) as journal:
            try:
                found = await journal.letters.show(letter)
            except LookupError as error:
                fail(plain(error))
            if as_json:
                others = [entry_document(one) for one in found.others]
                json_line({**found.to_dict(), "others": others})
            else:
                _show(found, full=full)

    run(look())


def _show(letter: Letter, *, full: bool) -> None:
    entry = letter.entry
    say(f"dead letter {entry.id}" if entry.state is DeliveryState.DEAD else f"entry {entry.id}", "bold")
    facts = {
        "state": entry.state.value + (f": {entry.rule}" if entry.rule else ""),
        "unit": named(entry),
        "station": entry.source,
        "message": entry.message_name,
        "handler": entry.handler or READING,
        "journalled": clock_time(entry.first_seen),
        "died" if entry.state is DeliveryState.DEAD else "changed": clock_time(entry.changed),
        "cause": entry.fingerprint and entry.fingerprint[:CAUSE_DIGITS],
    }
    for name, value in facts.items():
        if value:
            say(f"  {name:<11} {plain(value)}")
    if entry.error is not None:
        _head("why")
        say(f"  {plain(entry.error)}: {plain(entry.reason)}", "red")
    if entry.history:
        _head(f"what it came through (tries that failed: {len(entry.attempts)})")
        for one in sorted(came_through(entry), key=lambda chapter: chapter.time):
            say(f"  {clock_time(one.time)}  {one.what:<8}  {plain(one.said)}")
    _show_event(entry, full=full)
    _show_message(letter, full=full)
    if letter.others:
        _head("what else became of this message")
        for other in letter.others:
            said = f"  {other.id}  {other.state.value}  {other.handler or READING}  {named(other) or '-'}"
            say(plain(said))
    _head("what to do")
    for line in _advice(entry):
        say(f"  {line}")


def _show_event(entry: Entry, *, full: bool) -> None:
    if entry.event is None:
        return
    _head(f"event {plain(entry.event.id)} ({entry.event.event_type.value})")
    payload = json.dumps(dict(entry.event.payload), ensure_ascii=False, indent=2, default=str)
    _lines([plain(line) for line in payload.splitlines()], full=full)


def _show_message(letter: Letter, *, full: bool) -> None:
    raw = letter.raw
    if raw is None:
        _head("message: published without one, or its bytes are kept no more")
        return
    _head(
        f"message {plain(letter.entry.message_id)}: {len(raw.body):,} bytes by {plain(raw.transport)} "
        f"at {plain(raw.address) or '-'}, received {clock_time(raw.received_at)}"
    )
    _lines(readable(raw), full=full)


def _head(text: str) -> None:
    say()
    say(text, "bold")


def _lines(lines: list[str], *, full: bool) -> None:
    shown = lines if full else lines[:SHOWN_LINES]
    for line in shown:
        say(f"  {line}")
    if len(shown) < len(lines):
        say(f"  ... {len(lines) - len(shown):,} more lines; --full shows all", "dim")


def _advice(entry: Entry) -> list[str]:
    if entry.state is not DeliveryState.DEAD:
        return [f"nothing: it is {entry.state.value}"]
    me = "pywats-bridge dead-letters"
    if entry.event is None:
        lines = [
            "mend the machine, or the mapping that could not read it; then read it again:",
            f"    {me} replay {entry.id}",
        ]
    else:
        lines = [
            "mend what the reason names (what stands in bridge.toml holds after a restart); then:",
            f"    {me} replay {entry.id}",
            "where the message was read wrongly and the mapping was mended, read it again first:",
            f"    {me} replay {entry.id} --from-raw",
        ]
    return [
        *lines,
        "or put it away, when nobody will miss it:",
        f'    {me} discard {entry.id} --reason "..."',
    ]


# --- many of them ----------------------------------------------------------------------------------------


@app.command()
@with_choice
def export(
    *,
    choice: Choice,
    to: Annotated[Path, typer.Option("--to", help='The file to write, a new one; "-" for standard output.')],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write dead letters with their events and messages to a file, one JSON document per line."""
    if str(to) == "-":
        run(_export(config, choice, sys.stdout))
        return
    try:
        with to.open("x", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            number = run(_export(config, choice, file))
    except FileExistsError:
        fail(f"{to}: is there already; name a new file", EXIT_USAGE)
    except OSError as problem:
        fail(f"{to}: can't be written: {problem.strerror}")
    except typer.Exit:
        to.unlink(missing_ok=True)
        raise
    say(f"{counted(number, 'dead letter')} in {to}")


async def _export(config: Path, choice: Choice, file: TextIO) -> int:
    number = 0
    async with access(config) as journal:
        async for line in journal.letters.export(await choice.query(journal.letters)):
            file.write(f"{line}\n")
            number += 1
    return number


@app.command()
@with_choice
def discard(
    *,
    choice: Choice,
    reason: Annotated[str, typer.Option("--reason", help="Why nobody will miss them; the journal keeps it.")],
    letters: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of letters.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    everything: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before many.")] = False,
    as_json: Json = False,
) -> None:
    """Put dead letters away for good. The ledger keeps counting them, with the reason."""
    if not reason.strip():
        fail("--reason: is empty; say why nobody will miss them", EXIT_USAGE)
    replaying.check_chosen(letters, choice, everything=everything)

    async def look() -> tuple[Query, int]:
        async with access(config) as journal:
            return await replaying.chosen(journal, letters, choice)

    async def put_away(query: Query, number: int) -> int:
        async with access(config) as journal:
            return await journal.discard(replace(query, limit=number), reason=reason)

    query, number = run(look())
    if not number:
        if as_json:
            json_line({"discarded": 0})
        return
    if number > 1 and not yes:
        if not sys.stdin.isatty():
            fail(
                f"{counted(number, 'dead letter')} would be discarded; add --yes if that is meant", EXIT_USAGE
            )
        if not typer.confirm(f"Discard {counted(number, 'dead letter')} for good?"):
            fail("nothing was discarded", EXIT_FAILED)
    done = run(put_away(query, number))
    if as_json:
        json_line({"discarded": done})
    else:
        say(f"{done:,} discarded: {plain(reason.strip())}")
