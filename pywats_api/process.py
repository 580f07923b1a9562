"""Processes (operations): what kinds of test and repair an account knows, by code and by name."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime

from pywats_api.connection import Connection
from pywats_api.process_records import FailCode, Process, RepairCategory, RepairOperationConfig
from pywats_api.records import missing

__all__ = ["FailCode", "Process", "ProcessDomain", "RepairCategory", "RepairOperationConfig"]

_MISS_INTERVAL = 10.0
_DEFAULT_TEST_CODE = 100
_DEFAULT_REPAIR_CODE = 500


class ProcessDomain:
    """``api.process``. The list changes seldom and is asked for often, so it is kept for a while.

    A look-up that finds nothing asks the server again, at most once in ten seconds: an administrator may have
    added the operation just now.

    Attributes:
        refresh_interval: seconds the list is kept.
        last_refresh: when it was read last, in local time without offset; None before the first time.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        refresh_interval: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.refresh_interval = refresh_interval
        self.last_refresh: datetime | None = None
        self._connection = connection
        self._clock = clock
        self._processes: list[Process] | None = None
        self._read_at = 0.0
        self._reading = asyncio.Lock()

    async def get_processes(self, *, refresh: bool = False) -> list[Process]:
        """All active operations of the three kinds (``GET /api/App/Processes``).

        Args:
            refresh: ask the server even if the list is fresh.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return await self._list(0.0 if refresh else self.refresh_interval)

    async def get_all_operations(self) -> list[Process]:
        """The same as `get_processes` (``GET /api/App/Processes``).

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return await self.get_processes()

    async def refresh(self) -> list[Process]:
        """Ask the server again, for instance after it refused a report because of its process.

        Calls ``GET /api/App/Processes``.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return await self.get_processes(refresh=True)

    async def get_test_operations(self) -> list[Process]:
        """The operations that test reports are of (``GET /api/App/Processes``).

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return [process for process in await self.get_processes() if process.is_test_operation]

    async def get_repair_operations(self) -> list[Process]:
        """The operations that repair reports are of (``GET /api/App/Processes``).

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return [process for process in await self.get_processes() if process.is_repair_operation]

    async def get_wip_operations(self) -> list[Process]:
        """The operations that units pass without a report (``GET /api/App/Processes``).

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return [process for process in await self.get_processes() if process.is_wip_operation]

    async def get_process(self, code_or_name: int | str) -> Process | None:
        """The operation with this code or name. Where names repeat, test comes before repair.

        Capitals in a name only count where two names differ in nothing else; take the `name` of what is found
        for a report, where they always count.

        Calls ``GET /api/App/Processes``.

        Args:
            code_or_name: number or name of the operation.

        Raises:
            NotFoundError: there is none (strict mode; lenient: None).
        """
        return await self._get("process.get_process", code_or_name, _any_kind)

    async def get_process_by_code(self, code: int) -> Process | None:
        """The operation with this code (``GET /api/App/Processes``).

        Args:
            code: number of the operation.

        Raises:
            NotFoundError: there is none (strict mode; lenient: None).
        """
        return await self.get_process(code)

    async def get_process_by_name(self, name: str) -> Process | None:
        """The operation with this name (``GET /api/App/Processes``).

        Args:
            name: name of the operation.

        Raises:
            NotFoundError: there is none (strict mode; lenient: None).
        """
        return await self.get_process(name)

    async def get_operation(self, code_or_name: int | str) -> Process | None:
        """The same as `get_process` (``GET /api/App/Processes``).

        Args:
            code_or_name: number or name of the operation.

        Raises:
            NotFoundError: there is none (strict mode; lenient: None).
        """
        return await self.get_process(code_or_name)

    async def get_test_operation(self, code_or_name: int | str) -> Process | None:
        """The test operation with this code or name: what a test report needs (``GET /api/App/Processes``).

        Args:
            code_or_name: number or name of the operation.

        Raises:
            NotFoundError: there is none (strict mode; lenient: None).
        """
        return await self._get("process.get_test_operation", code_or_name, _is_test)

    async def get_repair_operation(self, code_or_name: int | str) -> Process | None:
        """The repair operation with this code or name: what a repair report needs.

        Calls ``GET /api/App/Processes``.

        Args:
            code_or_name: number or name of the operation.

        Raises:
            NotFoundError: there is none (strict mode; lenient: None).
        """
        return await self._get("process.get_repair_operation", code_or_name, _is_repair)

    async def get_wip_operation(self, code_or_name: int | str) -> Process | None:
        """The WIP operation with this code or name: units pass it without a report.

        Calls ``GET /api/App/Processes``.

        Args:
            code_or_name: number or name of the operation.

        Raises:
            NotFoundError: there is none (strict mode; lenient: None).
        """
        return await self._get("process.get_wip_operation", code_or_name, _is_wip)

    async def is_valid_test_operation(self, code_or_name: int | str) -> bool:
        """Whether there is such a test operation (``GET /api/App/Processes``).

        Args:
            code_or_name: number or name of the operation.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return await self.find(code_or_name, _is_test) is not None

    async def is_valid_repair_operation(self, code_or_name: int | str) -> bool:
        """Whether there is such a repair operation (``GET /api/App/Processes``).

        Args:
            code_or_name: number or name of the operation.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return await self.find(code_or_name, _is_repair) is not None

    async def is_valid_wip_operation(self, code_or_name: int | str) -> bool:
        """Whether there is such a WIP operation (``GET /api/App/Processes``).

        Args:
            code_or_name: number or name of the operation.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return await self.find(code_or_name, _is_wip) is not None

    async def get_default_test_code(self) -> int:
        """Code of the first test operation; 100 where the account has none (``GET /api/App/Processes``).

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return next((process.code for process in await self.get_test_operations()), _DEFAULT_TEST_CODE)

    async def get_default_repair_code(self) -> int:
        """Code of the first repair operation; 500 where the account has none (``GET /api/App/Processes``).

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return next((process.code for process in await self.get_repair_operations()), _DEFAULT_REPAIR_CODE)

    async def find(
        self, code_or_name: int | str, is_kind: Callable[[Process], bool] | None = None
    ) -> Process | None:
        """The operation with this code or name, None in either error mode where there is none.

        Calls ``GET /api/App/Processes``.

        Args:
            code_or_name: what to look for.
            is_kind: which operations come into question.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        kind = is_kind or _any_kind
        found = _match(await self.get_processes(), code_or_name, kind)
        if found is None:
            found = _match(await self._list(min(_MISS_INTERVAL, self.refresh_interval)), code_or_name, kind)
        return found

    # --- internal routes of the server, which may change with any release

    async def get_all_processes(self) -> list[Process]:
        """All operations, inactive ones included (``GET /api/internal/Process/GetProcesses``).

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        operation = "process.get_all_processes"
        answer = await self._connection.request(
            operation, "GET", "/api/internal/Process/GetProcesses", internal=True
        )
        return Process.read_list(answer, operation)

    async def get_repair_operation_configs(self) -> dict[int, RepairOperationConfig]:
        """What repair operations ask, by code (``GET /api/internal/Process/GetRepairOperations``).

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        operation = "process.get_repair_operation_configs"
        answer = await self._connection.request(
            operation, "GET", "/api/internal/Process/GetRepairOperations", internal=True
        )
        entries = answer.items() if isinstance(answer, Mapping) else ()
        return {
            int(code): RepairOperationConfig.read(config, operation)
            for code, config in entries
            if str(code).isdecimal()
        }

    async def get_repair_categories(self, code: int = _DEFAULT_REPAIR_CODE) -> list[RepairCategory]:
        """The categories of fail codes that repairs of an operation may use.

        Calls ``GET /api/internal/Process/GetRepairOperations``.

        Args:
            code: number of the operation.

        Raises:
            NotFoundError: there is no such repair operation; an empty list where the client is lenient.
        """
        config = (await self.get_repair_operation_configs()).get(code)
        if config is None:
            missing("process.get_repair_categories", f"repair operation {code}", self._connection.error_mode)
            return []
        return config.categories

    async def get_fail_codes(self, code: int = _DEFAULT_REPAIR_CODE) -> list[FailCode]:
        """The fail codes that repairs of an operation may use, each with the name of its category.

        Calls ``GET /api/internal/Process/GetRepairOperations``.

        Args:
            code: number of the operation.

        Raises:
            NotFoundError: there is no such repair operation (strict mode; lenient: an empty list).
        """
        return [
            fail_code.model_copy(update={"category": category.description})
            for category in await self.get_repair_categories(code)
            for fail_code in category.fail_codes
        ]

    # --- steps

    async def _list(self, max_age: float) -> list[Process]:
        async with self._reading:  # callers that come meanwhile share the one answer
            if self._processes is None or self._clock() - self._read_at >= max_age:
                answer = await self._connection.request("process.get_processes", "GET", "/api/App/Processes")
                self._processes = Process.read_list(answer, "process.get_processes")
                self._read_at = self._clock()
                self.last_refresh = datetime.now()  # noqa: DTZ005  # users take it from their datetime.now()
            return list(self._processes)

    async def _get(
        self, operation: str, key: int | str, is_kind: Callable[[Process], bool]
    ) -> Process | None:
        found = await self.find(key, is_kind)
        if found is None:
            missing(operation, f"matching process {key!r}", self._connection.error_mode)
        return found


def _any_kind(_: Process) -> bool:
    return True


def _is_test(process: Process) -> bool:
    return process.is_test_operation


def _is_repair(process: Process) -> bool:
    return process.is_repair_operation


def _is_wip(process: Process) -> bool:
    return process.is_wip_operation


def _match(processes: list[Process], key: int | str, is_kind: Callable[[Process], bool]) -> Process | None:
    candidates = sorted(filter(is_kind, processes), key=lambda process: not process.is_test_operation)
    exact = [process for process in candidates if key in {process.code, process.name}]
    if exact or not isinstance(key, str):
        return exact[0] if exact else None
    alike = [process for process in candidates if process.name.lower() == key.strip().lower()]
    return alike[0] if len({process.name for process in alike}) == 1 else None
