"""Processes (operations): what kinds of test and repair an account knows, by code and by name."""

import asyncio
import time
from collections.abc import Callable

from pywats_api.connection import Connection
from pywats_api.records import Record, missing


class Process(Record):
    """One operation of the account. A report carries its `code`; `name` is case-sensitive on the server."""

    code: int
    name: str
    description: str | None = None
    is_test_operation: bool = False
    is_repair_operation: bool = False
    is_wip_operation: bool = False
    process_index: int | None = None
    state: int | str | None = None


class ProcessDomain:
    """``api.process``. The list changes seldom and is asked for often, so it is kept for a while.

    Attributes:
        refresh_interval: seconds the list is kept.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        refresh_interval: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.refresh_interval = refresh_interval
        self._connection = connection
        self._clock = clock
        self._processes: list[Process] | None = None
        self._read_at = 0.0
        self._reading = asyncio.Lock()

    async def get_processes(self, *, refresh: bool = False) -> list[Process]:
        """All active operations of the three kinds; `refresh` asks the server even if the list is fresh."""
        async with self._reading:  # callers that come meanwhile share the one answer
            if refresh or self._processes is None or self._clock() - self._read_at >= self.refresh_interval:
                answer = await self._connection.request("process.get_processes", "GET", "/api/App/Processes")
                self._processes = Process.read_list(answer, "process.get_processes")
                self._read_at = self._clock()
            return list(self._processes)

    async def refresh(self) -> list[Process]:
        """Ask the server again, for instance after it refused a report because of its process."""
        return await self.get_processes(refresh=True)

    async def get_process(self, code_or_name: int | str) -> Process | None:
        """The operation with this code or exact name. Where names repeat, test comes before repair."""
        return await self._find("process.get_process", code_or_name, lambda _: True)

    async def get_operation(self, code_or_name: int | str) -> Process | None:
        """The same as `get_process`."""
        return await self.get_process(code_or_name)

    async def get_test_operation(self, code_or_name: int | str) -> Process | None:
        """The test operation with this code or name: what a test report needs."""
        return await self._find("process.get_test_operation", code_or_name, lambda p: p.is_test_operation)

    async def get_repair_operation(self, code_or_name: int | str) -> Process | None:
        """The repair operation with this code or name: what a repair report needs."""
        return await self._find("process.get_repair_operation", code_or_name, lambda p: p.is_repair_operation)

    async def get_wip_operation(self, code_or_name: int | str) -> Process | None:
        """The WIP operation with this code or name: units pass it without a report."""
        return await self._find("process.get_wip_operation", code_or_name, lambda p: p.is_wip_operation)

    async def _find(
        self, operation: str, key: int | str, is_kind: Callable[[Process], bool]
    ) -> Process | None:
        def matches(process: Process) -> bool:
            return is_kind(process) and key in {process.code, process.name}

        found = sorted(filter(matches, await self.get_processes()), key=lambda p: not p.is_test_operation)
        if found:
            return found[0]
        missing(operation, f"matching process {key!r}", self._connection.error_mode)
        return None
