"""A thread that owns a SQLite connection and does the work of many callers, many jobs to a commit."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

import msgspec

from pywats_events.journal.interface import JournalError
from pywats_events.journal.sqlite_errors import explain

#: So many commits go the long way after a shortcut that failed: repeats seldom come alone.
_PAUSE: Final = 16
#: Most seconds that a commit waits for those who have just been answered.
_PATIENCE: Final = 0.02

#: Jobs that are not parted to share two commits.
_FEW: Final = 8
#: From so many seconds on that a commit waits for the disk, for each second of work on all who take turns,
#: fewer commits are better than the loop's work beside them. About as long as the loop works for them.
_SLOW: Final = 0.35
#: How much the last commit counts in what commits wait.
_WEIGHT: Final = 0.125

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


class Job(msgspec.Struct, eq=False):
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
        """Tell whether who has asked waits no more."""
        return self.answer is not None and self.answer.cancelled()


#: Does jobs of groups in one statement that is a transaction by itself; None when they are not simple enough.
Shortcut: TypeAlias = Callable[[sqlite3.Connection, Sequence[Job]], list[Any] | None]


class _Heard:
    """Stands among the jobs behind what those ask who have just been answered."""


_HEARD: Final = _Heard()

_loop: Final = attrgetter("loop")
_group: Final = attrgetter("group")


class DatabaseThread:
    """Does jobs in order. Those that wait together share one transaction; one that fails does so by itself.

    Answers are given after the commit. Whoever stops waiting before its job has begun takes it back. Many who
    ask again and again are parted in two halves that take turns, unless the disk is slow.

    Args:
        session: opens the connection and closes it again; entered and left on the thread.
        path: the file, for error texts.
        name: the thread's name.
        changed: is called on the loop after the commit of a job that may make something ready.
        memory: changes together with the transactions.
        begin: how a transaction begins.
        most: most jobs that are taken for one transaction at once.
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
        self._untold: list[Job] = []
        self._begin = begin
        self._changed = changed
        self._session = session
        self._path = path
        self._memory = memory
        self._most = most
        self._brought: dict[asyncio.AbstractEventLoop, list[Job]] = {}  # on each loop, until its turn ends
        self._jobs: SimpleQueue[list[Job] | _Heard | None] = SimpleQueue()
        self._waiting: list[Job] = []  # taken from there, and not begun
        self._begun: list[Job] = []  # and not done
        self._turns = 0  # jobs of all who take turns, when the last commit was shared out
        self._waits = 0.0  # see _SLOW
        self._stopping = False
        self._is_last_asked = False
        self._is_over = False
        self._failure: BaseException | None = None  # has ended it
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
            self._hand_over(asyncio.get_running_loop())
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
        result: T = await self._have_done(Job(work, asyncio.get_running_loop(), None, changes, undo))
        return result

    def ask_together(self, group: Group[B, T], brought: B, *, changes: bool = True) -> Awaitable[T]:
        """Have something done in one go with what others bring for it; give its result after the commit."""
        job = Job(None, asyncio.get_running_loop(), None, changes, group.undo, group, brought)
        # most of what is asked needs no taking back: its caller waits for the answer with nothing in between
        return self._put(job) if group.undo is None else self._have_done(job)

    def leave(self, work: Work[Any]) -> None:
        """Have a job done that nobody waits for, and that may make something ready."""
        loop = asyncio.get_running_loop()
        if not self._stopping:
            self._hand_over(loop)  # what was asked for before
            self._jobs.put([Job(work, loop, changes=True)])

    def _put(self, job: Job) -> asyncio.Future[Any]:
        if self._stopping:
            raise self._refusal()
        answer = job.answer = job.loop.create_future()
        self._bring(job)
        return answer

    def _bring(self, job: Job) -> None:
        """Hand a job over at the end of the loop's turn, together with what else is asked for in it."""
        brought = self._brought.get(job.loop)
        if brought is None:
            job.loop.call_soon(self._hand_over, job.loop)
            self._brought[job.loop] = [job]
        else:
            brought.append(job)

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        brought = self._brought.pop(loop, None)
        if brought is not None:
            self._jobs.put(brought)
            if self._is_over:  # since it was asked for
                self._refuse_what_is_left()

    async def _have_done(self, job: Job) -> Any:
        answer = self._put(job)
        try:
            return await answer
        except asyncio.CancelledError:
            # an answer that is there, and that the caller will never see
            if not answer.cancelled() and answer.exception() is None:
                self._take_back(job, answer.result())
            raise

    def _deliver(self, jobs: Sequence[Job]) -> None:
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

    def _deliver_and_hear(self, jobs: Sequence[Job]) -> None:
        self._deliver(jobs)
        # behind those whom the answers have woken
        loop = asyncio.get_running_loop()
        loop.call_soon(self._note_heard, loop)

    def _note_heard(self, loop: asyncio.AbstractEventLoop) -> None:
        self._hand_over(loop)
        self._jobs.put(_HEARD)

    def _take_back(self, job: Job, result: Any) -> None:
        if job.undo is not None and not self._stopping:
            self._jobs.put([Job(job.undo(result), job.loop, changes=True)])

    # --- on the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with self._session() as connection:
                self._opened.set_result(None)
                while self._work_once(connection):
                    pass
        except BaseException as error:  # noqa: BLE001  # it goes to whoever opens, or asks
            if self._opened.done():
                self._failure = error
            else:
                self._opened.set_exception(error)
        finally:
            self._stopping = self._is_over = True
            self._tell_all()
            self._refuse_what_is_left()
            self._ended.set_result(None)

    def _refusal(self) -> JournalError:
        """Say why nothing is done any more."""
        if self._failure is None:
            return JournalError(f"journal {self._path}: it is closed; open it first")
        refusal = JournalError(
            f"journal {self._path}: its thread has failed: {self._failure!r}; start it anew"
        )
        refusal.__cause__ = self._failure
        return refusal

    def _refuse_what_is_left(self) -> None:
        left = self._begun + self._waiting
        self._begun, self._waiting = [], []
        with suppress(Empty):
            while True:
                brought = self._jobs.get_nowait()
                left += brought if isinstance(brought, list) else []
        for job in left:
            job.error = self._refusal()
        self._tell(left)

    def _work_once(self, connection: sqlite3.Connection) -> bool:
        todo = self._without_glances(connection, self._next_jobs())
        if self._is_better_with_more(todo):
            self._tell_all(hear=True)
            self._wait_for_more()
            todo += self._without_glances(connection, self._share())
        if todo:
            self._begun = todo
            self._tell_all()  # until the loop has woken up SQLite works
            begin, begin_of_work = time.perf_counter(), time.thread_time()
            if not self._take_shortcut(connection, todo):
                self._commit(connection, todo)
            self._note_waiting(time.perf_counter() - begin, time.thread_time() - begin_of_work, len(todo))
            self._untold += todo
            self._begun = []
        return bool(self._waiting) or not self._is_last_asked

    def _note_waiting(self, taken: float, worked: float, jobs: int) -> None:
        waited = (taken - worked) / max(worked, 1e-6) * jobs / max(self._turns, jobs)
        self._waits += (min(waited, 1.0) - self._waits) * _WEIGHT  # one that waits long says little

    def _is_better_with_more(self, todo: Sequence[Job]) -> bool:
        """Tell whether jobs should wait for those who are to be answered, to share a commit with them."""
        if not todo or len(todo) == self._most or self._is_last_asked:
            return False
        others = len(self._untold)
        return len(todo) <= others if self._waits > _SLOW else 2 * len(todo) < others

    def _wait_for_more(self) -> None:
        """Take what those ask who have just been answered: whoever has an answer often asks again."""
        end = time.monotonic() + _PATIENCE
        with suppress(Empty):
            while len(self._waiting) < self._most and (left := end - time.monotonic()) > 0:
                if not self._take(self._jobs.get(timeout=left)):
                    break

    def _next_jobs(self) -> list[Job]:
        """Wait for jobs; give those that are to share a commit."""
        if not self._waiting:
            if self._jobs.empty():
                self._tell_all()
            self._take(self._jobs.get())
        while not self._jobs.empty():
            self._take(self._jobs.get_nowait())
        return self._share()

    def _take(self, brought: list[Job] | _Heard | None) -> bool:
        """Take what was handed over; False when it is no jobs."""
        if isinstance(brought, list):
            self._waiting += brought
            return True
        self._is_last_asked = self._is_last_asked or brought is None
        return False

    def _share(self) -> list[Job]:
        """Give those of the jobs that wait which are to share a commit.

        That is half of all who take turns here: while SQLite works for them, the loop works for the others. A
        commit that waits for the disk is better shared by all.
        """
        most = self._most
        self._turns = len(self._waiting) + len(self._untold)
        if self._waits <= _SLOW:
            most = min(most, max((self._turns + 1) // 2, _FEW))
        jobs, self._waiting = self._waiting[:most], self._waiting[most:]
        return jobs

    def _without_glances(self, connection: sqlite3.Connection, jobs: Sequence[Job]) -> list[Job]:
        """Do what needs no transaction; give the rest."""
        todo: list[Job] = []
        for job in jobs:
            if job.is_abandoned:
                continue
            glance = None if job.group is None else job.group.glance
            if glance is None:
                todo.append(job)
            else:
                self._glance(connection, job, glance)
        return todo

    def _glance(
        self, connection: sqlite3.Connection, job: Job, glance: Callable[[sqlite3.Connection, Any], Any]
    ) -> None:
        """Try to do a job without a transaction; if it takes one, it is one of its own."""
        try:
            job.result = glance(connection, job.brought)
        except Exception:  # noqa: BLE001  # it comes again the long way, and is told then
            job.result = None
        if job.result is None:
            self._memory.rollback()
            self._tell_all()
            self._commit(connection, [job])
        else:
            self._memory.commit()
        self._untold.append(job)

    def _take_shortcut(self, connection: sqlite3.Connection, jobs: Sequence[Job]) -> bool:
        """Do jobs in one statement; False when that can't be."""
        if self._shortcut is None or connection.in_transaction or None in map(_group, jobs):
            return False
        if self._pause:
            self._pause -= 1
            return False
        try:
            results = self._shortcut(connection, jobs)
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

        As late as possible, because whoever hears them takes the interpreter's lock: SQLite is to work then.
        """
        untold, self._untold = self._untold, []
        if untold:
            self._tell(untold, self._deliver_and_hear if hear else self._deliver)

    def _tell(self, jobs: Sequence[Job], deliver: Callable[[Sequence[Job]], None] | None = None) -> None:
        for loop in set(map(_loop, jobs)):
            its_own = [job for job in jobs if job.loop is loop]
            try:
                loop.call_soon_threadsafe(deliver or self._deliver, its_own)
            except RuntimeError:  # that loop is closed, and its tasks are gone
                for job in its_own:
                    if job.error is None:
                        self._take_back(job, job.result)

    def _commit(self, connection: sqlite3.Connection, jobs: Sequence[Job]) -> None:
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


def _grouped(jobs: Sequence[Job]) -> list[list[Job]]:
    """Bring the jobs of each group together, at the place of its first one."""
    together: list[list[Job]] = []
    places: dict[int, list[Job]] = {}
    for job in jobs:
        if job.group is not None and id(job.group) in places:
            places[id(job.group)].append(job)
            continue
        together.append([job])
        if job.group is not None:
            places[id(job.group)] = together[-1]
    return together


def _do(connection: sqlite3.Connection, jobs: Sequence[Job]) -> None:
    """Do jobs that are done at once, because they are of one group, or one by itself."""
    first = jobs[0]
    if first.group is not None:
        results = first.group.work(connection, [job.brought for job in jobs])
    else:
        results = [None if job.work is None else job.work(connection) for job in jobs]
    for job, result in zip(jobs, results, strict=True):
        job.result = result
