"""A thread that owns a SQLite connection and does the work of many callers, many jobs to a commit."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from pywats_events.journal.interface import JournalError
from pywats_events.journal.sqlite_errors import explain

#: So many commits go the long way after a shortcut that failed: repeats seldom come alone.
_PAUSE: Final = 16
#: Most seconds that a commit waits for those who have just been answered.
_PATIENCE: Final = 0.02

B = TypeVar("B")
T = TypeVar("T")
#: Does something in the transaction that is open. It may be run again after a rollback, so it must touch
#: nothing but the database.
Work: TypeAlias = Callable[[sqlite3.Connection], T]


class Undoable(Protocol):
    """Something in memory that changes together with the transactions."""

    def rollback(self) -> None:
        """Take back what was changed since the last commit."""

    def commit(self) -> None:
        """Keep what was changed."""


@dataclass(frozen=True, slots=True, eq=False)
class Group(Generic[B, T]):
    """Work that is done for many callers at once, each with something of its own.

    Attributes:
        work: takes what each caller brought, and gives what each is to have.
        glance: does it for one caller outside of any transaction, where the file needs no change for it; None
            when it does.
        undo: gives the job that takes the result back, when nobody is there any more to have it.
    """

    work: Callable[[sqlite3.Connection, Sequence[B]], list[T]]
    glance: Callable[[sqlite3.Connection, B], T | None] | None = None
    undo: Callable[[T], Work[Any]] | None = None


#: Does several things that callers of groups have brought, in one statement that is a transaction by itself,
#: and calls the last argument before it; None when they are not as simple as that.
Shortcut: TypeAlias = Callable[
    [sqlite3.Connection, "Sequence[tuple[Group[Any, Any], Any]]", Callable[[], None]], list[Any] | None
]


@dataclass(slots=True, eq=False)
class _Job:
    """Something to be done, and what came of it."""

    work: Work[Any] | None  # None: that of its group
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Any] | None = None  # None: nobody waits
    changes: bool = False
    undo: Callable[[Any], Work[Any]] | None = None
    group: Group[Any, Any] | None = None
    brought: Any = None
    result: Any = None
    error: Exception | None = None

    @property
    def is_abandoned(self) -> bool:
        return self.answer is not None and self.answer.cancelled()


class _Heard:
    """Stands among the jobs behind what those ask who have just been answered."""


_HEARD: Final = _Heard()


class DatabaseThread:
    """Does jobs in order. Those that wait together share one transaction; one that fails does so by itself.

    Answers are given after the commit. Whoever stops waiting before its job has begun takes it back.

    Args:
        session: opens the connection and closes it again; entered and left on the thread.
        path: the file, for error texts.
        name: the thread's name.
        changed: is called on the loop after the commit of a job that may make something ready.
        memory: changes together with the transactions.
        begin: how a transaction begins.
        most: most jobs in one transaction.
        shortcut: the fast way for what is simple.
    """

    def __init__(
        self,
        session: Callable[[], AbstractContextManager[sqlite3.Connection]],
        *,
        path: Path,
        name: str,
        changed: Callable[[], None],
        memory: Undoable,
        begin: str = "BEGIN",
        most: int = 1,
        shortcut: Shortcut | None = None,
    ) -> None:
        self.commits = 0
        self._shortcut = shortcut
        self._pause = 0  # commits before the shortcut is tried again
        self._untold: list[_Job] = []
        self._begin = begin
        self._changed = changed
        self._session = session
        self._path = path
        self._memory = memory
        self._most = most
        self._jobs: SimpleQueue[_Job | _Heard | None] = SimpleQueue()
        self._stopping = False
        self._opened: Future[None] = Future()
        self._ended: Future[None] = Future()
        for future in (self._opened, self._ended):
            future.set_running_or_notify_cancel()  # whoever stops waiting for it does not end it
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    # --- on the loop -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the connection.

        Raises:
            JournalError: it can't be opened.
        """
        try:
            self._thread.start()
        except RuntimeError as error:
            self._ended.set_result(None)
            raise JournalError(
                f"journal {self._path}: no thread for it: {error}; end other programs"
            ) from error
        await asyncio.wrap_future(self._opened)

    async def stop(self) -> None:
        """Take no more jobs, finish those that wait, and close the connection."""
        if not self._stopping:
            self._stopping = True
            self._jobs.put(None)
        await asyncio.wrap_future(self._ended)

    async def ask(
        self, work: Work[T], *, changes: bool = False, undo: Callable[[T], Work[Any]] | None = None
    ) -> T:
        """Have a job done; give its result when it is committed.

        Args:
            work: the job.
            changes: it may make something ready.
            undo: gives the job that takes the result back, when nobody is there any more to have it.
        """
        result: T = await self._have_done(_Job(work, asyncio.get_running_loop(), None, changes, undo))
        return result

    def ask_together(self, group: Group[B, T], brought: B, *, changes: bool = True) -> Awaitable[T]:
        """Have something done in one go with what others bring for it; give its result after the commit."""
        job = _Job(None, asyncio.get_running_loop(), None, changes, group.undo, group, brought)
        # most of what is asked needs no taking back: its caller waits for the answer with nothing in between
        return self._put(job) if group.undo is None else self._have_done(job)

    def leave(self, work: Work[Any]) -> None:
        """Have a job done that nobody waits for, and that may make something ready."""
        if not self._stopping:
            self._jobs.put(_Job(work, asyncio.get_running_loop(), changes=True))

    def _put(self, job: _Job) -> asyncio.Future[Any]:
        if self._stopping:
            raise JournalError(f"journal {self._path}: it is closed; open it first")
        answer = job.answer = job.loop.create_future()
        self._jobs.put(job)
        return answer

    async def _have_done(self, job: _Job) -> Any:
        answer = self._put(job)
        try:
            return await answer
        except asyncio.CancelledError:
            # an answer that is there, and that the caller will never see
            if not answer.cancelled() and answer.exception() is None:
                self._take_back(job, answer.result())
            raise

    def _deliver(self, jobs: Sequence[_Job]) -> None:
        is_changed = False
        for job in jobs:
            answer, error = job.answer, job.error
            is_changed = is_changed or (job.changes and error is None)
            if answer is None:
                continue
            if answer.cancelled():
                if error is None:
                    self._take_back(job, job.result)
            elif error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(job.result)
        if is_changed:
            self._changed()

    def _deliver_and_hear(self, jobs: Sequence[_Job]) -> None:
        self._deliver(jobs)
        # behind those whom the answers have woken
        asyncio.get_running_loop().call_soon(self._jobs.put, _HEARD)

    def _take_back(self, job: _Job, result: Any) -> None:
        if job.undo is not None and not self._stopping:
            self._jobs.put(_Job(job.undo(result), job.loop, changes=True))

    # --- on the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with self._session() as connection:
                self._opened.set_result(None)
                while self._work_once(connection):
                    pass
        except BaseException as error:  # noqa: BLE001  # it goes to whoever opens, there is nobody else
            if not self._opened.done():
                self._opened.set_exception(error)
        finally:
            self._stopping = True
            self._tell_all()
            self._refuse_what_is_left()
            self._ended.set_result(None)

    def _refuse_what_is_left(self) -> None:
        error = JournalError(f"journal {self._path}: it is closed; open it first")
        while not self._jobs.empty():
            job = self._jobs.get_nowait()
            if isinstance(job, _Job):
                job.error = error
                self._tell([job])

    def _work_once(self, connection: sqlite3.Connection) -> bool:
        jobs = self._next_jobs()
        todo = self._without_glances(connection, jobs)
        if 0 < len(todo) < len(self._untold) and jobs[-1] is not None:
            # Whoever has an answer often asks for something again: let few wait for many, to share a commit.
            self._tell_all(hear=True)
            jobs = self._gather([], lambda: self._jobs.get(timeout=_PATIENCE))
            todo += self._without_glances(connection, jobs)
        if todo:
            if not self._take_shortcut(connection, todo):
                self._go_the_long_way(connection, todo)
            self._untold += todo
        return not jobs or jobs[-1] is not None

    def _next_jobs(self) -> list[_Job | None]:
        """Wait for jobs; give all that are there, to share a commit."""
        if self._jobs.empty():
            self._tell_all()
        first = self._jobs.get()
        return self._gather([] if isinstance(first, _Heard) else [first], self._jobs.get_nowait)

    def _gather(self, jobs: list[_Job | None], get: Callable[[], _Job | _Heard | None]) -> list[_Job | None]:
        with suppress(Empty):
            while len(jobs) < self._most and (not jobs or jobs[-1] is not None):
                job = get()
                if isinstance(job, _Heard):
                    break
                jobs.append(job)
        return jobs

    def _without_glances(self, connection: sqlite3.Connection, jobs: Sequence[_Job | None]) -> list[_Job]:
        """Do what needs no transaction; give the rest."""
        todo: list[_Job] = []
        for job in jobs:
            if job is None or job.is_abandoned:
                continue
            glance = None if job.group is None else job.group.glance
            if glance is None:
                todo.append(job)
            else:
                self._glance(connection, job, glance)
        return todo

    def _glance(
        self, connection: sqlite3.Connection, job: _Job, glance: Callable[[sqlite3.Connection, Any], Any]
    ) -> None:
        """Try to do a job without a transaction; if it takes one, it is one of its own."""
        try:
            job.result = glance(connection, job.brought)
        except Exception:  # noqa: BLE001  # it comes again the long way, and is told then
            job.result = None
        if job.result is None:
            self._memory.rollback()
            self._go_the_long_way(connection, [job])
        else:
            self._memory.commit()
        self._untold.append(job)

    def _go_the_long_way(self, connection: sqlite3.Connection, jobs: Sequence[_Job]) -> None:
        self._tell_all()
        self._commit(connection, jobs)

    def _take_shortcut(self, connection: sqlite3.Connection, jobs: Sequence[_Job]) -> bool:
        """Do jobs in one statement; False when that can't be."""
        if self._shortcut is None or connection.in_transaction:
            return False
        if self._pause:
            self._pause -= 1
            return False
        simple = [(job.group, job.brought) for job in jobs if job.group is not None]
        if len(simple) < len(jobs):
            return False
        try:
            results = self._shortcut(connection, simple, self._tell_all)
        except Exception:  # noqa: BLE001  # whose fault it is shows the long way, and is told then
            self._pause = _PAUSE
            results = None
        if results is None:
            self._memory.rollback()
            return False
        self._memory.commit()
        self.commits += 1
        for job, result in zip(jobs, results, strict=True):
            job.result = result
        return True

    def _tell_all(self, *, hear: bool = False) -> None:
        """Give the answers that are there; if wanted, note when all have heard them.

        As late as that, because whoever hears them takes the interpreter's lock: SQLite is to work then.
        """
        untold, self._untold = self._untold, []
        if untold:
            self._tell(untold, self._deliver_and_hear if hear else self._deliver)

    def _tell(self, jobs: Sequence[_Job], deliver: Callable[[Sequence[_Job]], None] | None = None) -> None:
        by_loop: defaultdict[asyncio.AbstractEventLoop, list[_Job]] = defaultdict(list)
        for job in jobs:
            by_loop[job.loop].append(job)
        for loop, its_own in by_loop.items():
            try:
                loop.call_soon_threadsafe(deliver or self._deliver, its_own)
            except RuntimeError:  # that loop is closed, and its tasks are gone
                for job in its_own:
                    if job.error is None:
                        self._take_back(job, job.result)

    def _commit(self, connection: sqlite3.Connection, jobs: Sequence[_Job]) -> None:
        """Do jobs in one transaction. Whose fault it is when that fails shows in smaller ones.

        A savepoint for each job would say it at once, but SQLite then copies every page that a job changes.
        """
        try:
            if connection.in_transaction:  # what went wrong before could not even be rolled back
                connection.execute("ROLLBACK")
            connection.execute(self._begin)
        except sqlite3.Error as error:
            for job in jobs:
                job.error = self._explain(error)
            return
        try:
            for together in _grouped(jobs):
                _do(connection, together)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to who asked for it
            with suppress(sqlite3.Error):
                connection.rollback()
            self._memory.rollback()
            if len(jobs) == 1:
                jobs[0].error = self._explain(error)
                return
            half = len(jobs) // 2
            self._commit(connection, jobs[:half])
            self._commit(connection, jobs[half:])
            return
        self._memory.commit()
        self.commits += 1

    def _explain(self, error: Exception) -> Exception:
        return explain(error, self._path)


def _grouped(jobs: Sequence[_Job]) -> list[list[_Job]]:
    """Bring the jobs of each group together, at the place of its first one."""
    together: list[list[_Job]] = []
    places: dict[int, list[_Job]] = {}
    for job in jobs:
        if job.group is not None and id(job.group) in places:
            places[id(job.group)].append(job)
            continue
        together.append([job])
        if job.group is not None:
            places[id(job.group)] = together[-1]
    return together


def _do(connection: sqlite3.Connection, jobs: Sequence[_Job]) -> None:
    """Do jobs that are done at once, because they are of one group, or one by itself."""
    first = jobs[0]
    if first.group is not None:
        results = first.group.work(connection, [job.brought for job in jobs])
    else:
        results = [None if job.work is None else job.work(connection) for job in jobs]
    for job, result in zip(jobs, results, strict=True):
        job.result = result
