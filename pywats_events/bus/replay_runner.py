"""The work of replay jobs, done by a running bus: step by step, and on after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import uuid4

import structlog

from pywats_events.bus.dead_letters import Reread, Revived
from pywats_events.bus.replay_jobs import JobState, ReplayJob, ReplayJobs, Step
from pywats_events.bus.telling import Telling
from pywats_events.clock import forward
from pywats_events.journal import Amended, DeliveryState, Entry, Journal, JournalError, Query
from pywats_events.policies import RateLimit, TokenBucket

log = structlog.get_logger(__name__)

#: Seconds between two looks at what people want, and at what another bus may have settled.
LOOK_EVERY: Final = 5.0
#: A job whose bus has not been heard of for so long has none any more.
GONE_AFTER: Final = timedelta(seconds=20)
#: Who follows a job has so long at least to see how it ended.
LEAST_KEPT: Final = timedelta(hours=1)


class ReplayRunner:
    """Runs the replay jobs of a journal, each by one bus at a time.

    Each step is written down before it is put through. So a bus that goes on with another's job knows which
    letters were chosen: one that died later than that has failed again, any other is put through now.

    Args:
        jobs: the jobs.
        journal: the journal.
        reread: reads a message again and amends the journal.
        revived: is told of what was put through again.
        keep: how long jobs that are over stay listed, at least an hour; None: until they are forgotten.
        clock: seconds, for the rates of jobs.
    """

    def __init__(
        self,
        jobs: ReplayJobs,
        journal: Journal,
        *,
        reread: Reread,
        revived: Revived,
        keep: timedelta | None = None,
        clock: Callable[[], float] = forward.seconds,
    ) -> None:
        self._jobs = jobs
        self._journal = journal
        self._reread = reread
        self._revived = revived
        self._keep_over = None if keep is None else max(LEAST_KEPT, keep)
        self._clock = clock
        self._name = uuid4().hex
        self._mine: dict[str, ReplayJob] = {}
        self._buckets: dict[str, TokenBucket] = {}
        self._awaited: set[str] = set()  # deliveries of the steps under way
        self._nap = LOOK_EVERY
        self._look = asyncio.Event()
        self._telling = Telling()

    def look(self) -> None:
        """Look soon: somebody wants something."""
        self._look.set()

    def note_settled(self, ids: Iterable[str]) -> None:
        """Note that deliveries were settled; a step may be over."""
        if self._awaited and not self._awaited.isdisjoint(ids):
            self._look.set()

    async def run(self) -> None:
        """Run the jobs that no other bus runs, until cancelled."""
        try:
            while True:
                self._look.clear()
                self._nap = LOOK_EVERY
                try:
                    await self._round()
                except JournalError as error:
                    text = "replay jobs can't go on; trying again"
                    self._telling.tell(log.error, log.debug, text, error=str(error))
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._nap):
                        await self._look.wait()
        finally:
            await self._leave()

    async def _leave(self) -> None:
        """Let others go on with what runs here, or this bus after its restart, without waiting."""
        for job in self._mine.values():
            try:
                await self._jobs.save(replace(job, owner="", alive=None))
            except JournalError as error:
                log.warning(
                    "replay job can't be let go; another bus goes on later", job=job.id, error=str(error)
                )
        self._mine.clear()

    async def _round(self) -> None:
        """Bring each job as far as it comes without waiting."""
        self._awaited.clear()
        jobs = await self._jobs.all()
        if self._keep_over is not None:
            await self._jobs.forget_old(jobs, ended_before=forward.now() - self._keep_over)
        for stored in jobs:
            if stored.state.is_over or self._is_anothers(stored):
                continue
            job = await self._obey(stored)
            while job.state is JobState.RUNNING:
                advanced = await self._advance(job)
                if advanced is None:
                    break
                job = advanced
            if job.state is not JobState.RUNNING:
                self._mine.pop(job.id, None)
                self._buckets.pop(job.id, None)

    def _is_anothers(self, job: ReplayJob) -> bool:
        if job.owner in ("", self._name) or job.alive is None:
            return False
        return forward.now() - job.alive < GONE_AFTER

    async def _obey(self, job: ReplayJob) -> ReplayJob:
        """Do what people asked for."""
        wanted = await self._jobs.wish(job.id)
        if wanted is None or wanted is job.state:
            return job
        log.info("replay job was told to change", job=job.id, before=job.state.value, now=wanted.value)
        begins_anew = job.state is JobState.STOPPED and wanted is JobState.RUNNING
        steps = 0 if begins_anew else job.steps
        owner = self._name if wanted is JobState.RUNNING else ""
        job = replace(job, state=wanted, reason="", steps=steps, owner=owner, alive=forward.now())
        await self._jobs.save(job)
        return job

    async def _keep(self, job: ReplayJob) -> ReplayJob:
        """Write down how far a job is, and that it is ours."""
        job = replace(job, owner=self._name, alive=forward.now())
        await self._jobs.save(job)
        self._mine[job.id] = job
        return job

    async def _advance(self, job: ReplayJob) -> ReplayJob | None:
        """Take a job further; None: it waits."""
        if job.step is None:
            return await self._choose(job)
        step = job.step
        self._awaited.update(step.letters, step.made)  # before looking, so that nothing settled is missed
        entries = await self._journal.search(Query(ids=step.letters, limit=len(step.letters)))
        left = [
            entry
            for entry in entries
            if entry.state is DeliveryState.DEAD
            and entry.changed <= step.began
            and entry.id not in step.refused
        ]
        if left:
            return await self._put_through(job, step, left)
        if step.made:
            entries += await self._journal.search(Query(ids=step.made, limit=len(step.made)))
        if not all(entry.state.is_settled for entry in entries):
            if job.alive is None or forward.now() - job.alive >= timedelta(seconds=LOOK_EVERY):
                await self._keep(job)
            return None
        return await self._end(job, step, entries)

    async def _choose(self, job: ReplayJob) -> ReplayJob:
        """Begin the next step, or end the job when there is none."""
        query = replace(job.query, after=job.cursor, limit=job.next_size)
        entries = await self._journal.search(query)
        if not entries:
            job = replace(job, state=JobState.DONE, owner="")
            await self._jobs.save(job)
            log.info("replay job is done", job=job.id, letters_done=job.done, failed=job.failed)
            return job
        letters = tuple(entry.id for entry in entries)
        return await self._keep(replace(job, step=Step(began=forward.now(), letters=letters)))

    async def _put_through(self, job: ReplayJob, step: Step, letters: Sequence[Entry]) -> ReplayJob | None:
        """Put as many of the letters through as the job's rate allows now."""
        number = len(letters)
        if job.rate is not None:
            bucket = self._buckets.get(job.id)
            if bucket is None:
                bucket = self._buckets[job.id] = TokenBucket(RateLimit(job.rate * 60, burst=1), self._clock)
            number = min(number, bucket.available)
            if number == 0:
                self._nap = min(self._nap, max(0.001, bucket.seconds_to_next))
                return None
            bucket.take(number)
        letters = letters[:number]
        step = await self._read_again(job, step, letters)
        ids = tuple(one.id for one in letters if one.event is not None and one.id not in step.refused)
        if step is not job.step:
            job = await self._keep(replace(job, step=step))
        if ids:
            await self._journal.replay(Query(ids=ids, limit=len(ids)), now=forward.now())
        self._revived(ids)
        return job

    async def _read_again(self, job: ReplayJob, step: Step, letters: Sequence[Entry]) -> Step:
        """Read the messages of letters again where that is wanted, or nobody could read them before."""
        by_message: dict[str | None, list[Entry]] = {}
        for one in letters:
            if job.from_raw or one.event is None:
                by_message.setdefault(one.message_id, []).append(one)
        for message_id, entries in by_message.items():
            try:
                amended = await self._reread(message_id)
            except LookupError as error:
                refused = [one.id for one in entries]
                step = replace(step, refused=(*step.refused, *refused), why=str(error))
                continue
            refused = [one.id for one in entries if one.event is None and one.part_id not in amended.read]
            if refused:
                step = replace(step, refused=(*step.refused, *refused), why="it still can't be read")
            made = await self._made_by(amended, step)
            if made:
                step = replace(step, made=(*step.made, *made))
        return step

    async def _made_by(self, amended: Amended, step: Step) -> list[str]:
        made: list[str] = []
        for event_id in amended.new:
            entries = await self._journal.search(Query(event_id=event_id))
            made += [one.id for one in entries if one.id not in step.letters]
        return made

    async def _end(self, job: ReplayJob, step: Step, entries: Sequence[Entry]) -> ReplayJob:
        """Count what became of a step, and stop if too many have failed again."""
        dead = [one for one in entries if one.state is DeliveryState.DEAD]
        total = len(entries)
        job = replace(
            job,
            steps=job.steps + 1,
            done=job.done + total - len(dead),
            failed=job.failed + len(dead),
            cursor=step.letters[-1],
            step=None,
        )
        if not dead or len(dead) <= job.stop_after * total:
            return await self._keep(job)
        why = step.why or dead[-1].reason or ""
        reason = f"{len(dead)} of {total} failed again, the last one with: {why}"
        job = replace(job, state=JobState.STOPPED, reason=reason, owner="")
        await self._jobs.save(job)
        log.warning("replay job stopped by itself; the rest stays dead", job=job.id, reason=reason)
        return job
