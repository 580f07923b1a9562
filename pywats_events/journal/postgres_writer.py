"""A task that owns a connection and does the work of many callers, many of them in one statement.

Each statement is a transaction of its own, sent as a whole before the server begins with it: so no process
holds the journal up by being slow, or by being stopped between two messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

import psycopg

from pywats_events.journal.interface import JournalError
from pywats_events.journal.postgres_connection import Connection, Server

R = TypeVar("R")
A = TypeVar("A")
Row: TypeAlias = tuple[Any, ...]

#: Most callers that share one statement, and bytes that it sends for several of them.
GROUP: Final = 256
GROUP_BYTES: Final = 16_000_000
#: Seconds that the end gives to what was asked for before it: a server that hangs answers nothing, for ever.
LAST_WORDS: Final = 5.0
#: Seconds after which a task that was cancelled and goes on is cancelled again.
CANCEL_AGAIN: Final = 1.0
#: Commits between two foldings of the sums.
FOLD_EVERY: Final = 500


@dataclass(frozen=True)
class Question(Generic[R, A]):
    """How requests of many callers become one statement, and its rows an answer for each.

    Attributes:
        statement: calls a function of the server.
        parameters: makes the statement's parameters of the requests.
        answers: makes of the rows one answer for each request.
        kin: requests with the same kin go into one statement.
        weight: about how many bytes a request sends.
        rank: of what is asked at one time this comes in this order.
    """

    statement: str
    parameters: Callable[[Sequence[R]], Sequence[Any]]
    answers: Callable[[Sequence[R], Sequence[Row]], Sequence[A]]
    kin: Callable[[R], Hashable] = lambda _: None
    weight: Callable[[R], int] = lambda _: 0
    rank: int = 0


#: Does something with the connection, on which every statement is a transaction.
Work: TypeAlias = Callable[[Connection], Awaitable[A]]


@dataclass(eq=False, slots=True)
class _Job:
    future: asyncio.Future[Any] | None  # None: nobody waits
    question: Question[Any, Any] | None = None
    request: Any = None
    work: Work[Any] | None = None
    undo: Callable[[Any], Any] | None = None

    @property
    def is_abandoned(self) -> bool:
        return self.future is not None and self.future.done()


class Writer:
    """Does what callers ask for. Those that ask the same together share one statement and its commit.

    Args:
        server: where the journal is.
        prepare: is called with each new connection before it is used.
    """

    def __init__(self, server: Server, prepare: Callable[[Connection], Awaitable[None]]) -> None:
        self.commits = 0
        self.backend: int | None = None
        self._server = server
        self._prepare = prepare
        self._connection: Connection | None = None
        self._jobs: list[_Job] = []
        self._something = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect.

        Raises:
            JournalError: that is not possible.
        """
        await self._connected()
        self._task = asyncio.create_task(self._run(), name="journal writer")

    async def stop(self) -> None:
        """Take no more, finish what is asked for already if the server answers, and disconnect."""
        self._stopping = True
        self._something.set()
        if self._task is not None:
            _, hanging = await asyncio.wait([self._task], timeout=LAST_WORDS)
            while hanging:  # the library may take the first cancellation for a wish to cancel the statement
                self._task.cancel()
                _, hanging = await asyncio.wait([self._task], timeout=CANCEL_AGAIN)
        await self._disconnect()

    async def ask(self, question: Question[R, A], request: R, *, undo: Callable[[A], Any] | None = None) -> A:
        """Have a question answered; the answer comes when it is committed.

        Args:
            question: what is asked.
            request: this caller's part of it.
            undo: is called with an answer that the caller is not there any more to have.
        """
        return await self._wait(_Job(self._future(), question, request, undo=undo))  # type: ignore[no-any-return]

    async def do(self, work: Work[A]) -> A:
        """Have something done by itself; the result comes when it is done."""
        return await self._wait(_Job(self._future(), work=work))  # type: ignore[no-any-return]

    def leave(self, question: Question[R, Any], request: R) -> None:
        """Ask without waiting for the answer."""
        if not self._stopping:
            self._put(_Job(None, question, request))

    def _future(self) -> asyncio.Future[Any]:
        if self._stopping or self._task is None:
            raise JournalError(f"journal {self._server.where}: it is closed; open it first")
        return asyncio.get_running_loop().create_future()

    def _put(self, job: _Job) -> None:
        self._jobs.append(job)
        self._something.set()

    async def _wait(self, job: _Job) -> Any:
        self._put(job)
        assert job.future is not None  # noqa: S101  # whoever waits has one
        try:
            return await job.future
        except asyncio.CancelledError:
            if job.future.done() and not job.future.cancelled() and job.future.exception() is None:
                _take_back(job, job.future.result())  # an answer that the caller will never see
            raise

    # --- the task ----------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while self._jobs or not self._stopping:
            if not self._jobs:
                self._something.clear()
                await self._something.wait()
                continue
            jobs, self._jobs = [job for job in self._jobs if not job.is_abandoned], []
            try:
                for group in _groups(jobs):
                    await self._answer(group)
                for job in jobs:
                    if job.work is not None:
                        await self._do(job, job.work)
            except asyncio.CancelledError:
                said = f"journal {self._server.where}: it was closed before the server answered"
                _refuse([*jobs, *self._jobs], JournalError(said))
                raise

    async def _answer(self, jobs: Sequence[_Job]) -> None:
        try:
            answers = await self._ask_server(_question(jobs[0]), [job.request for job in jobs])
        except JournalError as error:
            _refuse(jobs, error)
        except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to who asked for it
            if len(jobs) == 1:
                _refuse(jobs, error)
                return
            for job in jobs:  # one of them can't be written; the others are not to suffer from it
                await self._answer([job])
        else:
            for job, answer in zip(jobs, answers, strict=True):
                _tell(job, answer)

    async def _ask_server(self, question: Question[R, A], requests: Sequence[R]) -> Sequence[A]:
        parameters = question.parameters(requests)
        connection = await self._connected()
        try:
            cursor = await connection.execute(
                question.statement.encode(), parameters, prepare=True, binary=True
            )
            rows = await cursor.fetchall()
            self.commits += 1
            if self.commits % FOLD_EVERY == 0:
                await connection.execute("SELECT fold_sums()")
        except psycopg.Error as error:
            raise await self._failed(error) from error
        return question.answers(requests, rows)

    async def _do(self, job: _Job, work: Work[Any]) -> None:
        try:
            connection = await self._connected()
            try:
                result = await work(connection)
            except psycopg.Error as error:
                raise await self._failed(error) from error
        except Exception as error:  # noqa: BLE001  # it belongs to who asked for it
            _refuse([job], error)
        else:
            _tell(job, result)

    # --- the connection ----------------------------------------------------------------------------------

    async def _connected(self) -> Connection:
        connection = self._connection
        if connection is not None and not connection.closed:
            return connection
        await self._disconnect()
        connection = self._connection = await self._server.connect()
        try:
            await self._prepare(connection)
        except psycopg.Error as error:
            raise await self._failed(error, lost=True) from error
        except BaseException:
            await self._disconnect()
            raise
        self.backend = connection.info.backend_pid
        return connection

    async def _failed(self, error: psycopg.Error, *, lost: bool = False) -> Exception:
        """Explain an error; a connection that can't be trusted any more is given up."""
        explained = self._server.explain(error)
        if lost or isinstance(explained, JournalError):
            await self._disconnect()
        return explained

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        self.backend = None
        if connection is not None:
            await connection.close()


def _groups(jobs: Sequence[_Job]) -> Iterator[list[_Job]]:
    """Give those that go into one statement."""
    by_kin: dict[tuple[int, int, Hashable], list[_Job]] = {}
    for job in jobs:
        if job.question is not None:
            kin = (job.question.rank, id(job.question), job.question.kin(job.request))
            by_kin.setdefault(kin, []).append(job)
    for key in sorted(by_kin, key=lambda key: key[:2]):
        group: list[_Job] = []
        weight = 0
        for job in by_kin[key]:
            weight += _question(job).weight(job.request)
            if group and (len(group) == GROUP or weight > GROUP_BYTES):
                yield group
                group, weight = [], _question(job).weight(job.request)
            group.append(job)
        yield group


def _question(job: _Job) -> Question[Any, Any]:
    assert job.question is not None  # noqa: S101  # whoever has none is done alone
    return job.question


def _refuse(jobs: Sequence[_Job], error: Exception) -> None:
    for job in jobs:
        if job.future is not None and not job.future.done():
            job.future.set_exception(error)


def _tell(job: _Job, answer: Any) -> None:
    if job.future is None:
        return
    if job.future.done():  # cancelled meanwhile
        _take_back(job, answer)
    else:
        job.future.set_result(answer)


def _take_back(job: _Job, answer: Any) -> None:
    if job.undo is not None:
        job.undo(answer)
