"""Putting dead letters through again on the command line: as jobs, which the running bridge does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.status import Status

from pywats_bridge.choosing import (
    ALL_GROUPS,
    READING,
    Choice,
    count,
    why_none,
    with_choice,
)
from pywats_bridge.commands import (
    DEFAULT_CONFIG,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    ConfigOption,
    Json,
    fail,
    run,
)
from pywats_bridge.journal_access import JournalAccess, access
from pywats_bridge.printing import console, counted, json_line, plain, say, seconds_time, table
from pywats_events.bus.replay_jobs import WISHES, JobState, ReplayJob, ReplayJobs
from pywats_events.journal import DeliveryState, Query

#: Seconds between two looks at a job, and after which a job that no bridge has taken up is left waiting.
LOOK_EVERY: Final = 0.25
TAKEN_UP_AFTER: Final = 20.0

jobs = typer.Typer(no_args_is_help=True, help="Replay jobs: look at them, stop them, go on with them.")

Letters = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of letters.")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]


# --- which -----------------------------------------------------------------------------------------------


def check_chosen(letters: list[str] | None, choice: Choice, *, everything: bool) -> None:
    """See to it that a command that changes something was told what it is to change, in one way."""
    ways = sum((bool(letters), not choice.is_empty, everything))
    if ways == 0:
        fail("say which: ids, options such as --cause, or --all; the list shows them", EXIT_USAGE)
    if ways > 1:
        fail("give either ids, or options such as --cause, or --all", EXIT_USAGE)


async def chosen(journal: JournalAccess, letters: list[str] | None, choice: Choice) -> tuple[Query, int]:
    """Give the query of the letters that a command means, and their number; where it is 0 that is said."""
    if letters:
        await _check_ids(journal, letters)
        return Query(ids=tuple(dict.fromkeys(letters))), len(set(letters))
    query = await choice.query(journal.letters, limit=ALL_GROUPS)
    number = await count(journal.letters, query)
    if not number:
        typer.echo(await why_none(journal.letters, choice), err=True)
    return query, number


async def _check_ids(journal: JournalAccess, letters: list[str]) -> None:
    found = await journal.journal.search(Query(ids=tuple(letters), limit=len(letters)))
    states = {entry.id: entry.state for entry in found}
    wrong = [
        f"{plain(one)}: " + (f"is {states[one].value}, not dead" if one in states else "no entry of this id")
        for one in dict.fromkeys(letters)
        if states.get(one) is not DeliveryState.DEAD
    ]
    if wrong:
        fail("\n".join([*wrong, "nothing was done"]))


# --- replay ----------------------------------------------------------------------------------------------


@with_choice
def replay(
    *,
    choice: Choice,
    letters: Letters = None,
    config: ConfigOption = DEFAULT_CONFIG,
    everything: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    from_raw: Annotated[
        bool, typer.Option("--from-raw", help="Read their messages again first, with the mapping of today.")
    ] = False,
    rate: Annotated[float | None, typer.Option("--rate", help="Most letters in a second.")] = None,
    stop_after: Annotated[
        float,
        typer.Option(
            "--stop-after", min=0, max=1, help="Stop when more than this part of a step dies again."
        ),
    ] = 0.5,
    detach: Annotated[bool, typer.Option("--detach", help="Start the job and do not wait for it.")] = False,
    as_json: Json = False,
) -> None:
    """Put dead letters through again, in steps that grow. Ctrl-C pauses the job; "jobs resume" goes on."""
    check_chosen(letters, choice, everything=everything)
    if rate is not None and not 0 < rate < float("inf"):
        fail(f"--rate: should be letters per second above 0, not {rate:g}", EXIT_USAGE)

    async def start() -> None:
        async with access(config) as journal:
            query, number = await chosen(journal, letters, choice)
            if not number:
                return
            job = await journal.letters.replay_job(query, rate=rate, stop_after=stop_after, from_raw=from_raw)
            if not as_json:
                say(f"job {job.id}: {counted(number, 'dead letter')} to put through again")
            await _wait_for(journal, job, as_json=as_json, detach=detach)

    run(start())


async def _wait_for(journal: JournalAccess, job: ReplayJob, *, as_json: bool, detach: bool = False) -> None:
    """Show a job's progress until it is over, or until it is clear that nobody does it now."""
    try:
        if detach or await journal.is_in_use() is False:
            _say_it_waits(job, as_json=as_json, detach=detach)
        else:
            await _Following(journal, as_json=as_json).until_over(job.id)
    except asyncio.CancelledError:
        await journal.letters.jobs.pause(job.id)
        typer.echo(
            f"job {job.id} is paused; go on with: pywats-bridge dead-letters jobs resume {job.id}", err=True
        )
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _say_it_waits(job: ReplayJob, *, as_json: bool, detach: bool) -> None:
    if as_json:
        json_line(document(job))
    elif not detach:
        say("no bridge runs on this journal; the job begins when one does")


class _Following:
    """Follows one job.

    Args:
        journal: where it is kept.
        as_json: print nothing but the job as it is in the end.
    """

    def __init__(self, journal: JournalAccess, *, as_json: bool) -> None:
        self._journal = journal.journal
        self._jobs = journal.letters.jobs
        self._as_json = as_json
        self._shown: tuple[Any, ...] = ()

    async def until_over(self, job_id: str) -> None:
        """Follow it to its end; a job of which letters died again is a command that failed."""
        screen = console()
        began = time.monotonic()
        with Status("", console=screen) as status:
            if self._as_json or not screen.is_terminal:
                status.stop()
            while True:
                job = await self._jobs.get(job_id)
                self._show(job, status, live=screen.is_terminal)
                rests = job.state is not JobState.RUNNING and not await self._is_asked(job)
                is_left = not rests and _is_left(job) and time.monotonic() - began > TAKEN_UP_AFTER
                if rests or is_left:
                    break
                await asyncio.sleep(LOOK_EVERY)
        self._say_end(job)
        is_well = job.state is JobState.PAUSED or (job.state is JobState.DONE and not job.failed)
        if not (is_well or is_left):
            raise typer.Exit(EXIT_FAILED)

    async def _is_asked(self, job: ReplayJob) -> bool:
        """Tell whether somebody wants something else of a job that rests; its bridge will see it soon."""
        return not job.state.is_over and bool(await self._journal.notes(WISHES + job.id))

    def _show(self, job: ReplayJob, status: Status, *, live: bool) -> None:
        shown = (job.done, job.failed, job.state)
        if self._as_json or shown == self._shown:
            return
        self._shown = shown
        if live:
            status.update(f"job {job.id}: {progress(job)}")
        elif job.done or job.failed:
            say(f"job {job.id}: {progress(job)}")

    def _say_end(self, job: ReplayJob) -> None:
        if self._as_json:
            json_line(document(job))
            return
        end = _END.get(job.state, "waits: no bridge has taken it up; it begins when one runs")
        style = "green" if job.state is JobState.DONE and not job.failed else "yellow"
        say(f"job {job.id} {end}: {progress(job)}" + (f"; {plain(job.reason)}" if job.reason else ""), style)
        if job.state is JobState.STOPPED:
            say(f"  mend the cause, then: pywats-bridge dead-letters jobs resume {job.id}", "dim")


_END: Final = {
    JobState.DONE: "is done",
    JobState.STOPPED: "has stopped",
    JobState.CANCELLED: "was cancelled",
    JobState.PAUSED: "is paused",
}


def _is_left(job: ReplayJob) -> bool:
    """Tell whether no bridge works on a job."""
    alive = job.alive
    return not job.state.is_over and (
        alive is None or datetime.now(UTC) - alive > timedelta(seconds=3 * TAKEN_UP_AFTER)
    )


def progress(job: ReplayJob) -> str:
    """Say how far a job has come."""
    return f"{job.done:,} put through, {job.failed:,} died again"


# --- jobs ------------------------------------------------------------------------------------------------


def document(job: ReplayJob) -> dict[str, Any]:
    """Give a job as JSON data."""
    return {
        "id": job.id,
        "state": job.state.value,
        "reason": job.reason,
        "put_through": job.done,
        "died_again": job.failed,
        "created": job.created.isoformat(),
        "from_raw": job.from_raw,
        "rate": job.rate,
        "has_bridge": job.state is JobState.RUNNING and not _is_left(job),
        "which": which(job),
    }


def which(job: ReplayJob) -> str:
    """Say in words which letters a job means."""
    query = job.query
    said = {
        "ids": " ".join(query.ids[:5]) + (" ..." if len(query.ids) > 5 else ""),  # noqa: PLR2004
        "handler": READING if query.handler == "" else query.handler,
        "error": query.error,
        "unit": query.unit,
        "station": query.source,
        "message": query.message_name,
        "text": query.text,
        "cause": query.fingerprint and query.fingerprint[:8],
        "since": query.since and seconds_time(query.since),
        "before": query.before and query.before < job.created and seconds_time(query.before),
    }
    return ", ".join(f"{name} {value}" for name, value in said.items() if value) or "all"


@jobs.command("list")
def list_(config: ConfigOption = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """List the jobs, oldest first."""

    async def show() -> None:
        async with access(config) as journal:
            known = await journal.letters.jobs.all()
            if as_json:
                for job in known:
                    json_line(document(job))
            elif not known:
                typer.echo("no replay jobs")
            else:
                _table(known)

    run(show())


def _table(known: list[ReplayJob]) -> None:
    table(
        ("job", "state", "put through", "died again", "made", "which", "reason"),
        (
            (
                job.id,
                "waits for a bridge" if job.state is JobState.RUNNING and _is_left(job) else job.state.value,
                job.done,
                job.failed,
                seconds_time(job.created),
                which(job),
                job.reason or "-",
            )
            for job in known
        ),
        numbers=("put through", "died again"),
    )


@jobs.command()
def pause(job: JobId, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Put nothing more through until the job is resumed."""
    _steer(config, job, lambda known: known.pause, "is asked to pause")


@jobs.command()
def resume(job: JobId, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Go on with a job that was paused, or that stopped because too many died again."""
    _steer(config, job, lambda known: known.resume, "is asked to go on")


@jobs.command()
def cancel(job: JobId, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """End a job; what it did not come to stays dead."""
    _steer(config, job, lambda known: known.cancel, "is asked to end")


@jobs.command()
def forget(job: JobId, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Strike a job that is over off the list."""
    _steer(config, job, lambda known: known.forget, "is forgotten", waits=False)


@jobs.command()
def follow(job: JobId, config: ConfigOption = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Watch a job until it is over. Ctrl-C ends the watching, not the job."""

    async def watch() -> None:
        async with _found(config, job) as journal:
            await _Following(journal, as_json=as_json).until_over(job)

    run(watch())


def _steer(
    config: Path,
    job: str,
    wish: Callable[[ReplayJobs], Callable[[str], Awaitable[None]]],
    said: str,
    *,
    waits: bool = True,
) -> None:
    async def ask() -> None:
        async with _found(config, job) as journal:
            try:
                await wish(journal.letters.jobs)(job)
            except ValueError as error:
                fail(plain(error))
            is_alone = waits and await journal.is_in_use() is False
            say(
                f"job {job} {said}"
                + ("; no bridge runs on this journal: it heeds that when one does" if is_alone else "")
            )

    run(ask())


@asynccontextmanager
async def _found(config: Path, job: str) -> AsyncIterator[JournalAccess]:
    async with access(config) as journal:
        try:
            await journal.letters.jobs.get(job)
        except LookupError as error:
            fail(plain(error))
        yield journal
