"""What replay jobs promise: many dead letters go through again in steps, and no further than makes sense."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from pywats_events import AsyncEventBus, PermanentError, Unreadable
from pywats_events.bus import DeadLetters, JobState, ReplayJob
from pywats_events.journal import DeliveryState, Query
from pywats_events.transports import MockTransport

from .bus_steps import drained, publish
from .doubles import PATIENCE, Clock, Gated, Recorder, Shared, result_of


class Mendable(Recorder):
    """Refuses what it gets until somebody mends it; it may be told to refuse some units still."""

    def __init__(self, **options) -> None:
        super().__init__(name="h", **options)
        self.is_mended = False
        self.refused: set[str] = set()

    async def handle(self, event):
        """Refuse, or not."""
        self._note(event)
        if not self.is_mended or event.key in self.refused:
            raise PermanentError(f"no process for {event.key}")


@pytest.fixture
def clock():
    return Clock(time.time())


@pytest.fixture
def bridge(journal, quick, clock):
    """Give what makes running buses on one journal."""

    @asynccontextmanager
    async def running(handler, transport=None, **options):
        bus = AsyncEventBus(journal=Shared(journal), retry_policy=quick, clock=clock, **options)
        bus.subscribe(handler)
        bus.register_transport(transport or MockTransport())
        await bus.start()
        try:
            yield bus
        finally:
            await bus.stop(timeout=0)

    return running


async def die(bus: AsyncEventBus, number: int) -> None:
    await publish(bus, *(f"U{one}" for one in range(number)))
    await drained(bus)


async def ran(bus: AsyncEventBus, job: ReplayJob) -> ReplayJob:
    """Wait until a job runs no more."""
    async with asyncio.timeout(PATIENCE):
        async for now in bus.dead_letters.jobs.watch(job.id):
            job = now
    return job


async def dead(bus: AsyncEventBus) -> int:
    return (await bus.journal.stats()).count(DeliveryState.DEAD)


async def test_steps_grow_and_all_come_through(bridge):
    """One letter goes first, then two, then five; at the end all live, and the job says so."""
    handler = Mendable()
    async with bridge(handler) as bus:
        await die(bus, 12)
        handler.is_mended = True
        job = await bus.replay_job(Query(limit=1), ramp=(1, 2, 5))
        sizes = set()
        async with asyncio.timeout(PATIENCE):
            async for now in bus.dead_letters.jobs.watch(job.id):
                sizes.add((now.steps, len(now.step.letters)) if now.step else None)
                job = now
        assert sizes - {None} <= {(0, 1), (1, 2), (2, 5), (3, 4)}
        assert (job.state, job.steps, job.done, job.failed) == (JobState.DONE, 4, 12, 0)
        assert await dead(bus) == 0
        assert handler.units[12:] == [f"U{number}" for number in range(12)]


async def test_a_step_waits_for_the_one_before(bridge):
    """Nothing more is put through while the letters of a step are under way."""
    refusing, gated = Mendable(), Gated(name="h")
    async with bridge(refusing) as bus:
        await die(bus, 4)
    async with bridge(gated) as bus:
        job = await bus.replay_job(Query(), ramp=(1, 3))
        await gated.saw(1)
        await drained_but(bus, 1, gated)
        assert await dead(bus) == 3
        gated.gate.set()
        assert (await ran(bus, job)).done == 4


async def drained_but(bus: AsyncEventBus, number: int, gated: Gated) -> None:
    for _ in range(20):
        bus._replays.look()
        await bus.journal.stats()  # as long as a look takes: lets the job go on if it wants to
    assert len(gated.seen) == number


async def test_it_stops_when_too_many_fail_again(bridge):
    """A cause that is not mended costs one more try of one letter; the rest is not touched."""
    handler = Mendable()
    async with bridge(handler) as bus:
        await die(bus, 10)
        job = await ran(bus, await bus.replay_job(Query()))
        assert (job.state, job.steps, job.failed) == (JobState.STOPPED, 1, 1)
        assert job.reason == "1 of 1 failed again, the last one with: no process for U0"
        assert len(handler.seen) == 11
        assert await dead(bus) == 10


async def test_a_job_that_stopped_can_go_on(bridge):
    """After the cause was mended the same job goes on where it was, with small steps first."""
    handler = Mendable()
    async with bridge(handler) as bus:
        await die(bus, 10)
        job = await ran(bus, await bus.replay_job(Query()))
        handler.is_mended = True
        await bus.dead_letters.jobs.resume(job.id)
        job = await after(bus, job, JobState.DONE)
        assert (job.done, job.failed) == (9, 1)
        assert [entry.event.key for entry in await bus.dead_letters.find()] == ["U0"]


async def after(bus: AsyncEventBus, job: ReplayJob, state: JobState) -> ReplayJob:
    """Wait until a job is in a state that somebody asked for."""
    async with asyncio.timeout(PATIENCE):
        while job.state is not state:
            await asyncio.sleep(0.001)  # steering is asked for in a note, which the bus reads in its own time
            job = await bus.dead_letters.jobs.get(job.id)
    return job


async def test_some_may_fail(bridge):
    """Failures up to the given part do not stop it; those letters stay dead with a new attempt."""
    handler = Mendable()
    async with bridge(handler) as bus:
        await die(bus, 8)
        handler.is_mended, handler.refused = True, {"U2", "U5"}
        job = await ran(bus, await bus.replay_job(Query(), ramp=(2, 3), stop_after=0.5))
        assert (job.state, job.done, job.failed) == (JobState.DONE, 6, 2)
        left = await bus.dead_letters.find()
        assert [entry.event.key for entry in left] == ["U2", "U5"]
        assert all(len(entry.attempts) == 2 for entry in left)


async def test_later_letters_are_not_meant(bridge):
    """A job puts through what was there when it was made, also while more letters come."""
    handler = Mendable()
    async with bridge(handler) as bus:
        await die(bus, 2)
        jobs = DeadLetters(bus.journal).jobs  # made without a nudge: the bus comes to it in its own time
        job = await jobs.start(Query(), stop_after=1)
        await publish(bus, "late")
        await drained(bus)
        bus._replays.look()
        job = await ran(bus, job)
        assert job.failed == 2
        assert handler.units.count("late") == 1


async def test_a_restart_goes_on_with_it(bridge):
    """A bus that starts again goes on with the step that was under way, and no letter is left out."""
    refusing, gated = Mendable(), Gated(name="h")
    async with bridge(refusing) as bus:
        await die(bus, 6)
    async with bridge(gated) as bus:
        job = await bus.replay_job(Query(), ramp=(2, 3))
        await gated.saw(2)
    handler = Recorder(name="h")
    async with bridge(handler) as bus:
        job = await ran(bus, job)
        assert (job.state, job.done) == (JobState.DONE, 6)
        assert await dead(bus) == 0
    assert sorted(handler.units) == [f"U{number}" for number in range(6)]


async def test_a_step_that_was_chosen_and_not_put_through(bridge, monkeypatch):
    """A crash between the choice of a step and its replay leaves no letter out."""
    handler = Mendable()
    async with bridge(handler) as bus:
        await die(bus, 3)
        handler.is_mended = True

        async def crash(*_arguments, **_options):
            raise asyncio.CancelledError

        monkeypatch.setattr(bus.journal._journal, "replay", crash)
        job = await bus.replay_job(Query(), ramp=(3,))
        await asyncio.wait([task for task in bus._tasks if task.get_name() == "replays"])
        monkeypatch.undo()
        assert await dead(bus) == 3
    async with bridge(handler) as bus:
        assert (await ran(bus, job)).done == 3


async def test_it_can_be_paused_and_cancelled(bridge):
    """A paused job puts nothing through until it is resumed; what a cancelled one did not come to is dead."""
    refusing, gated = Mendable(), Gated(name="h")
    async with bridge(refusing) as bus:
        await die(bus, 6)
    async with bridge(gated) as bus:
        jobs = bus.dead_letters.jobs
        job = await bus.replay_job(Query(), ramp=(2,))
        await gated.saw(2)
        await jobs.pause(job.id)
        await after(bus, job, JobState.PAUSED)
        gated.gate.set()
        await drained(bus)
        await drained_but(bus, 2, gated)
        await jobs.resume(job.id)
        await gated.saw(4)
        await jobs.cancel(job.id)
        job = await ran(bus, job)
        assert job.state in (JobState.CANCELLED, JobState.DONE)
        with pytest.raises(ValueError, match="is over"):
            await jobs.resume(job.id)
        await jobs.forget(job.id)
        assert await jobs.all() == []


async def test_jobs_that_are_over_are_let_go(bridge):
    """What is over since longer than it is kept leaves the list; what somebody has to decide on stays."""
    async with bridge(Recorder(name="h"), keep_jobs=timedelta(days=30)) as bus:
        jobs = bus.dead_letters.jobs
        for name, state in (
            ("new", JobState.DONE),
            ("old", JobState.DONE),
            ("given-up", JobState.CANCELLED),
            ("waits", JobState.STOPPED),
            ("of-before", JobState.DONE),
        ):
            await jobs.save(replace(await jobs.start(Query(unit="nobody")), id=name, state=state))
        for name in ("old", "given-up", "waits"):
            job = await jobs.get(name)
            await jobs.save(replace(job, ended=job.created - timedelta(days=31)))
        note = (await jobs.get("of-before")).to_note()  # as earlier versions wrote it
        del note["ended"]
        await bus.journal.put_note("replay:of-before", note)
        last = await ran(bus, await jobs.start(Query(unit="nobody")))
        assert last.ended is not None
        assert not {"old", "given-up"} & {job.id for job in await jobs.all()}
        assert {"new", "waits", "of-before", last.id} <= {job.id for job in await jobs.all()}


async def test_who_follows_a_job_sees_its_end(bridge):
    """Where nothing that is done is kept, a job that has just ended still tells how."""
    async with bridge(Recorder(name="h"), keep_jobs=timedelta(0)) as bus:
        jobs = bus.dead_letters.jobs
        first, second = [await ran(bus, await jobs.start(Query(unit="nobody"))) for _ in range(2)]
        assert [job.id for job in await jobs.all()] == [first.id, second.id]


async def test_a_rate_is_kept(bridge, clock):
    """With a rate letters go through one by one, however large the step."""
    handler = Mendable()
    async with bridge(handler) as bus:
        await die(bus, 4)
        handler.is_mended = True
        job = await bus.replay_job(Query(), ramp=(4,), rate=0.5)
        await handler.saw(5)
        for number in (6, 7, 8):
            await drained_but(bus, number - 1, handler)
            clock.now += 2
            bus._replays.look()
            await handler.saw(number)
        assert (await ran(bus, job)).done == 4


async def test_from_raw_after_a_mapping_was_mended(bridge, station):
    """Messages are read again: old documents are replaced, and what could not be read becomes events."""
    transport, handler = MockTransport(), Mendable()
    mended = False

    def adapter(raw):
        unit = raw.body.decode()
        if mended:
            return [result_of(unit, unit, result="pass"), result_of(f"{unit}-2", f"{unit}-2")]
        if unit == "C":
            return [Unreadable(unit, "no such field", "KeyError")]
        return [result_of(unit, unit, result="?")]

    transport.adapter = adapter
    async with bridge(handler, transport) as bus:
        for body in (b"A", b"B", b"C"):
            await transport.inject_message_async(station.message(body=body))
        await drained(bus)
        handler.is_mended = mended = True
        seen = len(handler.seen)
        job = await ran(bus, await bus.replay_job(Query(), from_raw=True, ramp=(1, 5)))
        await drained(bus)
        assert (job.state, job.failed, await dead(bus)) == (JobState.DONE, 0, 0)
        assert sorted(handler.units[seen:]) == ["A", "A-2", "B", "B-2", "C", "C-2"]
        assert {event.payload.get("result") for event in handler.seen[seen:]} == {"pass", None}
        assert (await bus.journal.ledger()).difference == 0


async def test_what_still_can_not_be_read_stops_it(bridge, station):
    """A job over unreadable messages whose mapping is not mended stops, with the reason."""
    transport, handler = MockTransport(), Mendable()
    transport.adapter = lambda raw: [Unreadable(raw.body.decode(), "no such field", "KeyError")]
    async with bridge(handler, transport) as bus:
        for body in (b"A", b"B"):
            await transport.inject_message_async(station.message(body=body))
        job = await ran(bus, await bus.replay_job(Query()))
        assert (job.state, job.failed) == (JobState.STOPPED, 1)
        assert "it still can't be read" in job.reason
        assert await dead(bus) == 2


async def test_a_job_can_be_made_before_there_is_a_bus(bridge, journal):
    """A job that another process makes, or that was made while no bus ran, is done when one runs."""
    handler = Mendable()
    async with bridge(handler) as bus:
        await die(bus, 3)
    handler.is_mended = True
    job = await DeadLetters(journal).replay_job(Query())
    async with bridge(handler) as bus:
        assert (await ran(bus, job)).done == 3


@pytest.mark.parametrize("wrong", [{"ramp": ()}, {"ramp": (0,)}, {"rate": 0}, {"stop_after": 1.1}])
async def test_a_job_of_nonsense_is_refused(bridge, wrong):
    """A job that could not work is refused when it is made, with the name of what is wrong."""
    async with bridge(Recorder()) as bus:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            await bus.replay_job(Query(), **wrong)
        with pytest.raises(LookupError, match="none of this id"):
            await bus.dead_letters.jobs.pause("nobody")
        assert await bus.dead_letters.jobs.all() == []
