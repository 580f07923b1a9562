"""``pywats-bridge journal``: whether it is sound, copies of it, its room, and what may go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from pywats_bridge.commands import DEFAULT_CONFIG, EXIT_FAILED, ConfigOption, Json, age, fail, run
from pywats_bridge.journal_access import access
from pywats_bridge.printing import json_line, plain, say, seconds_time, table
from pywats_events.journal import DeliveryState
from pywats_events.journal.sqlite_beside import JournalBeside

app = typer.Typer(no_args_is_help=True, help="The journal: is it sound, a copy of it, its room, what may go.")


@app.command()
def check(config: ConfigOption = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Read the whole journal and recount its books. Ends with 1 when it is not sound."""

    async def look() -> list[str]:
        async with access(config) as journal:
            wrong = await journal.journal.check() if isinstance(journal.journal, JournalBeside) else []
            difference = (await journal.journal.ledger()).difference
            return [*wrong, *([f"difference of the books: {difference} messages"] if difference else [])]

    wrong = run(look())
    if as_json:
        json_line({"sound": not wrong, "wrong": wrong})
    elif not wrong:
        say("the journal is sound and its books balance", "green")
    for line in [] if as_json else wrong:
        typer.echo(plain(line))
    if wrong:
        if not as_json:
            fail("the journal is not sound: keep a copy of it, and put a backup in its place")
        raise typer.Exit(EXIT_FAILED)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where to; a file that is not there yet.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Copy the journal as it is now, beside a running bridge. The copy is a journal like it."""

    async def copy() -> None:
        async with access(config) as journal:
            if not isinstance(journal.journal, JournalBeside):
                fail("a journal in PostgreSQL is copied with the means of PostgreSQL: pg_dump")
            await journal.journal.backup(file)

    run(copy())
    say(f"copied to {file}, {file.stat().st_size:,} bytes")


@app.command()
def prune(
    config: ConfigOption = DEFAULT_CONFIG,
    older: Annotated[
        str | None,
        typer.Option(
            "--older", metavar="AGE", help="Done longer ago: 30d, 2w; default: journal.keep_done_days."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Remove what is done now; a running bridge does so by itself. Dead letters and what is open stay."""
    done_before = None if older is None else age(older, "--older")

    async def remove() -> int:
        async with access(config) as journal:
            kept = timedelta(days=journal.settings.keep_done_days)
            return await journal.prune(done_before=done_before or datetime.now(UTC) - kept)

    number = run(remove())
    if as_json:
        json_line({"removed": number})
    else:
        say(f"{number:,} entries removed" if number else "nothing was done so long ago")


@app.command()
def stats(config: ConfigOption = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Show what the journal holds, what room it takes, and how far back it goes."""

    async def look() -> None:
        async with access(config) as journal:
            sums, health = await journal.journal.stats(), await journal.journal.health()
            running = await journal.is_in_use()
        document = {
            "journal": str(journal.file or "PostgreSQL"),
            "bridge_runs": running,
            "received": sum(sums.received.values()),
            "repeated_events": sum(sums.duplicates.values()),
            "events": sums.events,
            "open": sums.open,
            "dead": sums.count(DeliveryState.DEAD),
            "used_bytes": health.used,
            "limit_bytes": health.limit,
            "free_disk_bytes": health.free,
            "is_full": health.is_full,
        }
        times = {
            "oldest": health.oldest,
            "oldest_open": health.oldest_open,
            "oldest_dead": health.oldest_dead,
        }
        if as_json:
            moments = {name: moment and moment.isoformat() for name, moment in times.items()}
            json_line({**document, **moments})
            return
        shown = {
            **{name: _shown(value) for name, value in document.items()},
            **{name: seconds_time(moment) for name, moment in times.items()},
        }
        table(("what", "value"), ((name.replace("_", " "), value) for name, value in shown.items()))

    run(look())


def _shown(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case _:
            return str(value)
