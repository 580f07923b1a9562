"""Replay jobs as they are kept and steered: many dead letters, put through again in steps that grow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import uuid4

from pywats_events.journal import DeliveryState, Journal, Query

#: Sizes of the steps; the last one is that of all that follow.
RAMP: Final = (1, 2, 5, 20)
#: Beginning of the names of the notes that jobs are kept in, and of those that say what people want of them.
NOTES: Final = "replay:"
WISHES: Final = "replay-wish:"
#: Seconds between two looks at a job that another process runs.
WATCH_EVERY: Final = 1.0


class JobState(StrEnum):
    """Where a job is. STOPPED is one that stopped by itself, because too many failed again."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    DONE = "done"

    @property
    def is_over(self) -> bool:
        """True when nothing more happens, whatever anybody asks for."""
        return self in (JobState.CANCELLED, JobState.DONE)


@dataclass(frozen=True, slots=True)
class Step:
    """The step that a job is at.

    Attributes:
        began: when its letters were chosen; one that died later than that has failed again.
        letters: ids of the dead letters that it puts through.
        made: ids of the deliveries that reading again has made besides.
        refused: letters that could not be put through.
        why: why not, for the last one.
    """

    began: datetime
    letters: tuple[str, ...]
    made: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """A replay job, as it was last written down.

    Attributes:
        id: its name.
        query: which dead letters it means; of those, only the ones journalled before it was made.
        rate: most letters in a second; None: as fast as their handlers are.
        ramp: sizes of the steps; the last one is that of all that follow.
        stop_after: part of a step, above which failing again stops the job.
        from_raw: read the messages again first.
        state: where it is.
        reason: why it stopped.
        created: when it was made.
        steps: how many steps are over, since it began or went on after it had stopped.
        done: letters that live no more and are dealt with, and what reading them again has made.
        failed: those that are dead again, or could not be put through.
        cursor: id of the last letter of the steps that are over.
        step: the step under way.
        owner: the bus that runs it; empty: none.
        alive: when that bus last said so.
        ended: since when it is over.
    """

    id: str
    query: Query
    rate: float | None
    ramp: tuple[int, ...]
    stop_after: float
    from_raw: bool
    created: datetime
    state: JobState = JobState.RUNNING
    reason: str = ""
    steps: int = 0
    done: int = 0
    failed: int = 0
    cursor: str | None = None
    step: Step | None = None
    owner: str = ""
    alive: datetime | None = None
    ended: datetime | None = None

    @property
    def next_size(self) -> int:
        """How many letters the next step takes."""
        return self.ramp[min(self.steps, len(self.ramp) - 1)]

    def to_note(self) -> dict[str, Any]:
        """Give it as plain JSON data."""
        return {
            **{one.name: _plain(getattr(self, one.name)) for one in fields(self)},
            "query": {one.name: _plain(getattr(self.query, one.name)) for one in fields(self.query)},
            "step": self.step
            and {one.name: _plain(getattr(self.step, one.name)) for one in fields(self.step)},
        }

    @classmethod
    def of_note(cls, note: Any) -> ReplayJob:
        """Read what ``to_note`` gave."""
        query, step = dict(note["query"]), note["step"]
        for name in ("since", "before"):
            query[name] = _time(query[name])
        query["ids"] = tuple(query["ids"])
        query["states"] = tuple(DeliveryState(state) for state in query["states"])
        if step is not None:
            step = Step(
                began=datetime.fromisoformat(step["began"]),
                letters=tuple(step["letters"]),
                made=tuple(step["made"]),
                refused=tuple(step["refused"]),
                why=step["why"],
            )
        return cls(
            **{
                **note,
                "query": Query(**query),
                "step": step,
                "ramp": tuple(note["ramp"]),
                "state": JobState(note["state"]),
                "created": datetime.fromisoformat(note["created"]),
                "alive": _time(note["alive"]),
                "ended": _time(note.get("ended")),
            }
        )


def _note(record: ReplayJob | Query | Step) -> dict[str, Any]:
    return {one.name: _plain(getattr(record, one.name)) for one in fields(record)}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


@dataclass(slots=True)
class ReplayJobs:
    """The replay jobs of a journal: what people ask of them, and what they have come to.

    Jobs are notes in the journal. Any process that has it open may make and steer them; a running bus with
    the same journal does the work, soon after, and goes on with it after a restart.

    Args:
        journal: where they are kept.
        nudge: tells the bus here, if there is one, that there is something to look at.
    """

    journal: Journal
    nudge: Callable[[], None] = field(default=lambda: None)
    _saved: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)

    async def start(
        self,
        query: Query,
        *,
        rate: float | None = None,
        ramp: Sequence[int] = RAMP,
        stop_after: float = 0.5,
        from_raw: bool = False,
    ) -> ReplayJob:
        """Put all dead letters that fit the query through again, in steps.

        Each step waits until what the one before put through is settled. When more than ``stop_after`` of a
        step die again, the job stops, and the rest stays dead.

        Args:
            query: which; its ``limit`` is not looked at. What is journalled after now is not meant.
            rate: most letters in a second.
            ramp: sizes of the steps; the last one is that of all that follow.
            stop_after: from 0 (the first that fails stops it) to 1 (nothing does).
            from_raw: read the messages again first, with the mapping of today.

        Raises:
            ValueError: an argument makes no sense.
            JournalError: the journal can't be written.
        """
        if not ramp or min(ramp) < 1:
            raise ValueError(
                f"replay job: ramp must be sizes of at least 1, such as {RAMP}, not {tuple(ramp)}"
            )
        if rate is not None and not rate > 0:
            raise ValueError(f"replay job: rate must be letters per second above 0, not {rate}")
        if not 0 <= stop_after <= 1:
            raise ValueError(f"replay job: stop_after must be a part from 0 to 1, not {stop_after}")
        now = datetime.now(UTC)
        before = now if query.before is None else min(now, query.before)
        job = ReplayJob(
            id=uuid4().hex[:8],
            query=replace(query, states=(DeliveryState.DEAD,), before=before, newest_first=False),
            rate=rate,
            ramp=tuple(ramp),
            stop_after=stop_after,
            from_raw=from_raw,
            created=now,
            cursor=query.after,
        )
        await self.save(job)
        self.nudge()
        return job

    async def all(self) -> list[ReplayJob]:
        """Give all jobs, oldest first."""
        jobs = [ReplayJob.of_note(note) for note in (await self.journal.notes(NOTES)).values()]
        return sorted(jobs, key=lambda job: job.created)

    async def get(self, job_id: str) -> ReplayJob:
        """Give a job, with its progress.

        Raises:
            LookupError: there is none of this id.
        """
        note = (await self.journal.notes(NOTES + job_id)).get(NOTES + job_id)
        if note is None:
            raise LookupError(
                f"replay job {job_id}: there is none of this id; list them to see those there are"
            )
        return ReplayJob.of_note(note)

    async def watch(self, job_id: str) -> AsyncIterator[ReplayJob]:
        """Give a job each time it has come further, until it runs no more. Another process may run it.

        Raises:
            LookupError: there is none of this id.
        """
        known: ReplayJob | None = None
        while known is None or known.state is JobState.RUNNING:
            self._saved.clear()
            job = await self.get(job_id)
            if job != known:
                known = job
                yield job
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(WATCH_EVERY):
                    await self._saved.wait()

    async def pause(self, job_id: str) -> None:
        """Put nothing more through until ``resume``; what is under way ends as it will.

        Raises:
            LookupError: there is no such job.
            ValueError: it is over.
        """
        await self._wish(job_id, JobState.PAUSED)

    async def resume(self, job_id: str) -> None:
        """Go on with a job that was paused, or that stopped because too many failed; raises as ``pause``."""
        await self._wish(job_id, JobState.RUNNING)

    async def cancel(self, job_id: str) -> None:
        """End a job; what it did not come to stays dead. Raises as ``pause``."""
        await self._wish(job_id, JobState.CANCELLED)

    async def _wish(self, job_id: str, state: JobState) -> None:
        """Ask for a state. In a note of its own: the job's is written by the bus that runs it."""
        job = await self.get(job_id)
        if job.state.is_over:
            raise ValueError(f"replay job {job_id} is over: it is {job.state.value}")
        await self.journal.put_note(WISHES + job_id, state.value)
        self.nudge()

    async def wish(self, job_id: str) -> JobState | None:
        """Give what people asked for last, and forget it; the bus that runs the job calls this."""
        name = WISHES + job_id
        wanted = (await self.journal.notes(name)).get(name)
        if wanted is None:
            return None
        await self.journal.put_note(name, None)
        return JobState(wanted)

    async def save(self, job: ReplayJob) -> None:
        """Write a job down."""
        if job.state.is_over and job.ended is None:
            job = replace(job, ended=datetime.now(UTC))
        await self.journal.put_note(NOTES + job.id, job.to_note())
        self._saved.set()

    async def forget(self, job_id: str) -> None:
        """Remove the record of a job that is over.

        Raises:
            LookupError: there is no such job.
            ValueError: it is not over.
        """
        job = await self.get(job_id)
        if not job.state.is_over:
            raise ValueError(f"replay job {job_id} is {job.state.value}; cancel it first")
        await self._remove(job_id)

    async def forget_old(self, jobs: Iterable[ReplayJob], *, ended_before: datetime) -> None:
        """Remove the records of those jobs that are over since before a time."""
        for job in jobs:
            if job.state.is_over and (job.ended or job.created) < ended_before:
                await self._remove(job.id)

    async def _remove(self, job_id: str) -> None:
        await self.journal.put_note(WISHES + job_id, None)  # one that came too late
        await self.journal.put_note(NOTES + job_id, None)
