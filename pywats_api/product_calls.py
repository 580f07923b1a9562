"""What all calls on products share: reading a product or a revision, storing some, asking for several."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from pywats_api.connection import Connection
from pywats_api.errors import ErrorMode, NotFoundError, PyWATSError
from pywats_api.product_records import Product, ProductRevision
from pywats_api.records import Record, check_counters, missing, path_segment
from pywats_api.results import Failure, Result, Success
from pywats_api.tags import Setting

_R = TypeVar("_R", bound=Record)
_K = TypeVar("_K")
_V = TypeVar("_V")
#: Requests that are under way at a time where several things are asked for.
AT_A_TIME = 10


class ProductCalls:
    """Ground of ``api.product``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def _find_product(self, part_number: str) -> Product | None:
        operation = "product.get_product"
        answer = self._product(operation, part_number)
        return await self._one(operation, f"product {part_number!r}", Product, answer)

    async def _product(self, operation: str, part_number: str) -> Any:
        try:
            path = f"/api/Product/{path_segment(part_number)}"
        except ValueError:  # such a part number cannot travel in the path
            if not part_number.strip():
                raise
            return await self._connection.request(
                operation,
                "GET",
                "/api/internal/Product/GetProductByPN",
                query={"PN": part_number},
                internal=True,
            )
        return await self._connection.request(operation, "GET", path)

    async def _revision(self, operation: str, part_number: str, revision: str) -> Any:
        try:
            keys = path_segment(part_number), path_segment(revision)
        except ValueError:
            if not part_number.strip() or not revision.strip():
                raise
            product = Product.read(await self._product(operation, part_number), operation)
            return next((known for known in product.revisions if known.revision == revision), None)
        answer = await self._connection.request(operation, "GET", "/api/Product/{}/{}".format(*keys))
        # The answer need not repeat what was asked for.
        return {"PartNumber": part_number} | answer if isinstance(answer, dict) else answer

    async def _existing_revision(self, part_number: str, revision: str) -> ProductRevision:
        operation = "product.get_revision"
        answer = await self._revision(operation, part_number, revision)
        if not answer:
            raise NotFoundError(
                f"product {part_number!r} has no revision {revision!r}; create it first", operation=operation
            )
        return answer if isinstance(answer, ProductRevision) else ProductRevision.read(answer, operation)

    async def _one(self, operation: str, what: str, record: type[_R], asked: Awaitable[Any]) -> _R | None:
        try:
            answer = await asked
        except NotFoundError:
            if self._connection.error_mode is ErrorMode.STRICT:
                raise
            return None
        if not answer:
            missing(operation, what, self._connection.error_mode)
            return None
        return answer if isinstance(answer, record) else record.read(answer, operation)

    async def _put(self, operation: str, path: str, wanted: _R, *, idempotent: bool) -> _R:
        answer = await self._connection.request(
            operation, "PUT", path, body=_to_wire(wanted), idempotent=idempotent
        )
        return type(wanted).read(answer, operation) if answer else wanted

    async def _put_all(self, operation: str, path: str, wanted: Sequence[_R]) -> list[_R]:
        answer = await self._connection.request(
            operation, "PUT", path, body=[_to_wire(one) for one in wanted], idempotent=True
        )
        if not isinstance(answer, list):
            check_counters(operation, path, answer, str(len(wanted)))
            return list(wanted)
        return type(wanted[0]).read_list(answer, operation) if wanted else []


def _to_wire(wanted: Record) -> dict[str, Any]:
    wire = wanted.to_wire()
    wire.pop("revisions", None)  # they have routes of their own
    if "tags" not in wanted.model_fields_set:
        wire.pop("tags", None)
    return wire


def only_tags(tags: list[Setting]) -> dict[str, Any]:
    """The change of a record to these tags: the XML that it has says what they were."""
    return {"tags": tags, "xml_data": None}


async def several(call: Callable[[_K], Awaitable[_V]], keys: Sequence[_K], at_a_time: int) -> list[_V]:
    """The results of a call for each of the keys, so many of them at a time."""
    if at_a_time < 1:
        raise ValueError(f"max_workers is 1 or more, not {at_a_time}")
    results: list[_V] = []
    for start in range(0, len(keys), at_a_time):
        results += await asyncio.gather(*map(call, keys[start : start + at_a_time]))
    return results


async def outcome(call: Awaitable[_V | None], operation: str, what: str) -> Result[_V]:
    """What became of a call that is one of several: an error of one is no error of the others."""
    try:
        value = await call
    except PyWATSError as error:
        return Failure(error)
    if value is None:
        return Failure(NotFoundError(f"the server has no {what}", operation=operation))
    return Success(value)
