"""A task that owns a connection and does the work of many callers, many of them in one commit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

import psycopg

from pywats_events.journal.interface import JournalError
from pywats_events.journal.postgres_connection import Connection, Server

R = TypeVar("R")
A = TypeVar("A")
Row: TypeAlias = tuple[Any, ...]

#: Most callers that share one commit.
GROUP: Final = 256
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
        rank: statements of one commit run in this order.
    """

    statement: str
    parameters: Callable[[Sequence[R]], Sequence[Any]]
    answers: Callable[[Sequence[R], Sequence[Row]], Sequence[A]]
    kin: Callable[[R], Hashable] = lambda _: None
    rank: int = 0


#: Does something in a transaction of its own. It may touch nothing but the database.
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
    """Does what callers ask for. Those that wait together share one transaction and one round trip.

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
        """Take no more, finish what is asked for already, and disconnect."""
        self._stopping = True
        self._something.set()
        if self._task is not None:
            await asyncio.wait([self._task])
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
        """Have something done in a transaction of its own; the result comes when it is committed."""
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
            batch, self._jobs = self._jobs[:GROUP], self._jobs[GROUP:]
            batch = [job for job in batch if not job.is_abandoned]
            shared = [job for job in batch if job.question is not None]
            if shared:
                await self._answer(shared)
            for job in batch:
                if job.work is not None:
                    await self._do_alone(job, job.work)

    async def _answer(self, jobs: Sequence[_Job]) -> None:
        try:
            answers = await self._ask_server(jobs)
        except JournalError as error:
            _refuse(jobs, error)
        except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to who asked for it
            if len(jobs) == 1:
                _refuse(jobs, error)
                return
            for job in jobs:  # one of them can't be written; the others are not to suffer from it
                await self._answer([job])
        else:
            for job, answer in answers:
                _tell(job, answer)

    async def _ask_server(self, jobs: Sequence[_Job]) -> list[tuple[_Job, Any]]:
        groups: dict[tuple[int, int, Hashable], list[_Job]] = {}
        for job in jobs:
            question = _question(job)
            groups.setdefault((question.rank, id(question), question.kin(job.request)), []).append(job)
        asked = [groups[key] for key in sorted(groups, key=lambda key: key[:2])]
        statements = [
            (_question(group[0]).statement, _question(group[0]).parameters([job.request for job in group]))
            for group in asked
        ]
        if self.commits % FOLD_EVERY == FOLD_EVERY - 1:
            statements.append(("SELECT fold_sums()", ()))
        connection = await self._connected()
        try:
            # without a BEGIN a pipeline is one transaction: all of it is done, or nothing
            async with connection.pipeline():
                cursors = [
                    await connection.execute(statement.encode(), parameters, prepare=True, binary=True)
                    for statement, parameters in statements
                ]
            results = [await cursor.fetchall() for cursor in cursors]
        except psycopg.Error as error:
            raise await self._failed(error) from error
        self.commits += 1
        return [
            (job, answer)
            for group, rows in zip(asked, results, strict=False)
            for job, answer in zip(
                group, _question(group[0]).answers([job.request for job in group], rows), strict=True
            )
        ]

    async def _do_alone(self, job: _Job, work: Work[Any]) -> None:
        try:
            connection = await self._connected()
            try:
                async with connection.transaction():
                    result = await work(connection)
            except psycopg.Error as error:
                raise await self._failed(error) from error
        except Exception as error:  # noqa: BLE001  # it belongs to who asked for it
            _refuse([job], error)
        else:
            self.commits += 1
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
