"""Box-build templates: which serialised units the product of a revision is put together from.

The routes are the server's internal ones, which may change with any release; what their answers look like is
written nowhere, so relations are looked for wherever they stand in an answer.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Self

from pywats_api.connection import Connection
from pywats_api.product_records import ProductRevision
from pywats_api.records import Record

_PATH = "/api/internal/Product/{}ProductRevisionRelation"


class BoxBuildSubunit(Record):
    """A unit that is needed: product, revision, how many, and where.

    Attributes:
        revision_mask: the revisions that fit: a list with commas, ``%`` at an end for anything.
        index: its place in the template, from 0.
    """

    product_revision_relation_id: str | None = None
    parent_product_revision_id: str | None = None
    product_revision_id: str | None = None
    part_number: str = ""
    revision: str = ""
    name: str | None = None
    description: str | None = None
    quantity: int = 1
    revision_mask: str | None = None
    index: int = 0

    @property
    def child_part_number(self) -> str:
        """Part number of the unit that is needed."""
        return self.part_number

    @property
    def child_revision(self) -> str:
        """Revision of it by which the template names it."""
        return self.revision


class BoxBuildTemplate:
    """The units a revision needs. Changes are collected here and sent by `save`, or at the end of a ``with``.

    Attributes:
        part_number: of the product that is put together.
        revision: of it.
    """

    def __init__(
        self,
        connection: Connection,
        parent: ProductRevision,
        part_number: str,
        stored: list[BoxBuildSubunit],
        find_revision: Callable[[str, str], Awaitable[ProductRevision]],
    ) -> None:
        self.part_number = part_number
        self.revision = parent.revision
        self._connection = connection
        self._parent = parent
        self._stored = stored
        self._wanted: dict[tuple[str, str], BoxBuildSubunit | None] = {}
        self._find_revision = find_revision

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            await self.save()

    @property
    def subunits(self) -> list[BoxBuildSubunit]:
        """The units needed, changes that are not sent yet included."""
        by_key: dict[tuple[str, str], BoxBuildSubunit | None] = {_key(line): line for line in self._stored}
        by_key.update(self._wanted)
        lines = [line for line in by_key.values() if line is not None]
        return [line.model_copy(update={"index": index}) for index, line in enumerate(lines)]

    def add_subunit(
        self,
        part_number: str = "",
        revision: str = "",
        quantity: int = 1,
        revision_mask: str | None = None,
        *,
        child_part: str = "",
        child_revision: str = "",
        index: int | None = None,  # noqa: ARG002  # WATS keeps no places, the order of the lines is theirs
    ) -> Self:
        """Say that a unit is needed; one that is in the template already gets the new quantity and mask.

        Args:
            part_number: of the unit that is needed.
            revision: of it, which must exist.
            quantity: how many of them.
            revision_mask: revisions that fit as well, such as ``1.0,2.%``; left out, only `revision` does.
            child_part: another name for `part_number`.
            child_revision: another name for `revision`.
            index: its place, as the documents give it. WATS keeps the order in which lines were added.

        Raises:
            ValueError: no part number, no revision, or a quantity below 1.
        """
        wanted = BoxBuildSubunit(
            part_number=part_number or child_part,
            revision=revision or child_revision,
            quantity=quantity,
            revision_mask=_sql_mask(revision_mask),
        )
        if not wanted.part_number.strip() or not wanted.revision.strip():
            raise ValueError(f"a sub-unit of {self.part_number} needs part number and revision")
        if quantity < 1:
            raise ValueError(f"sub-unit {wanted.part_number}: quantity is 1 or more, not {quantity}")
        self._wanted[_key(wanted)] = wanted
        return self

    def update_subunit(
        self,
        part_number: str,
        revision: str,
        quantity: int | None = None,
        revision_mask: str | None = None,
    ) -> Self:
        """Change how many of a unit are needed, or which revisions fit; None leaves it as it is.

        Args:
            part_number: of the unit that is built in.
            revision: of that unit.
            quantity: how many of it, 1 or more.
            revision_mask: revisions that fit, such as ``1.0,2.%``.

        Raises:
            ValueError: the template has no such unit, or the quantity is below 1.
        """
        known = self._line(part_number, revision)
        return self.add_subunit(
            part_number,
            revision,
            known.quantity if quantity is None else quantity,
            known.revision_mask if revision_mask is None else revision_mask,
        )

    def remove_subunit(self, part_number: str, revision: str) -> Self:
        """Say that a unit is needed no more.

        Args:
            part_number: of the unit that is built in.
            revision: of that unit.

        Raises:
            ValueError: the template has no such unit.
        """
        self._wanted[_key(self._line(part_number, revision))] = None
        return self

    async def save(self) -> Self:
        """Send the changes (``PostProductRevisionRelation``, ``Put...``, ``Delete...``).

        What the server has is read first, so that a save that broke off can be repeated: what was stored
        then is not sent again.

        Calls ``POST /api/internal/Product/PostProductRevisionRelation``.

        Raises:
            NotFoundError: a revision that is needed does not exist.
        """
        operation = "product.box_build_template.save"
        self._stored = await read_subunits(self._connection, operation, self._parent, self.part_number)
        for key, wanted in list(self._wanted.items()):
            stored = next((line for line in self._stored if _key(line) == key), None)
            await self._apply(operation, stored, wanted)
            del self._wanted[key]
        self._stored = await read_subunits(self._connection, operation, self._parent, self.part_number)
        return self

    async def _apply(
        self, operation: str, stored: BoxBuildSubunit | None, wanted: BoxBuildSubunit | None
    ) -> None:
        if wanted is None:
            if stored is not None:
                await self._connection.request(
                    operation,
                    "DELETE",
                    _PATH.format("Delete"),
                    query={"productRevisionRelationId": stored.product_revision_relation_id},
                    idempotent=True,
                    internal=True,
                )
            return
        if stored is None:
            child = await self._find_revision(wanted.part_number, wanted.revision)
            new = wanted.model_copy(update={"product_revision_id": child.product_revision_id})
            await self._send(operation, "POST", new)
        elif (stored.quantity, stored.revision_mask) != (wanted.quantity, wanted.revision_mask):
            change = {"quantity": wanted.quantity, "revision_mask": wanted.revision_mask}
            await self._send(operation, "PUT", stored.model_copy(update=change))

    async def _send(self, operation: str, method: str, line: BoxBuildSubunit) -> None:
        body = {
            "ProductRevisionRelationId": line.product_revision_relation_id,
            "ParentProductRevisionId": self._parent.product_revision_id,
            "ProductRevisionId": line.product_revision_id,
            "Quantity": line.quantity,
            "RevisionMask": line.revision_mask,
        }
        await self._connection.request(
            operation,
            method,
            _PATH.format(method.capitalize()),
            body={name: value for name, value in body.items() if value is not None},
            idempotent=method == "PUT",
            internal=True,
        )

    def _line(self, part_number: str, revision: str) -> BoxBuildSubunit:
        for line in self.subunits:
            if _key(line) == (part_number, revision):
                return line
        raise ValueError(
            f"the box-build template of {self.part_number} {self.revision} has no sub-unit"
            f" {part_number} {revision}"
        )


async def read_subunits(
    connection: Connection, operation: str, parent: ProductRevision, part_number: str
) -> list[BoxBuildSubunit]:
    """The lines of a template as the server has them (``GET /api/internal/Product/GetProductInfo``)."""
    answer = await connection.request(
        operation,
        "GET",
        "/api/internal/Product/GetProductInfo",
        query={"partNumber": part_number, "revision": parent.revision},
        internal=True,
    )
    found: dict[str, BoxBuildSubunit] = {}
    for document in _objects(answer):
        line = _relation(document, operation)
        if line is not None and line.parent_product_revision_id == parent.product_revision_id:
            found.setdefault(line.product_revision_relation_id or "", line)
    return [line.model_copy(update={"index": index}) for index, line in enumerate(found.values())]


def _relation(document: Mapping[str, Any], operation: str) -> BoxBuildSubunit | None:
    names = {str(name).lower() for name in document}
    if not {"productrevisionrelationid", "parentproductrevisionid"} <= names:
        return None
    return BoxBuildSubunit.read(dict(document), operation)


def _objects(answer: Any) -> Iterator[Mapping[str, Any]]:
    waiting = [answer]
    while waiting:
        value = waiting.pop(0)
        if isinstance(value, Mapping):
            yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _key(line: BoxBuildSubunit) -> tuple[str, str]:
    return line.part_number, line.revision


def _sql_mask(mask: str | None) -> str | None:
    """Write a mask as WATS does: some documents say ``*`` and ``|`` for its ``%`` and comma."""
    return None if mask is None else mask.replace("*", "%").replace("|", ",")
