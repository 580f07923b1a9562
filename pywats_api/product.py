"""Products: what is made, in which revisions, of which components and units.

A product need not exist before its first report, but before units of it are created in production.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pywats_api.connection import Connection, Content
from pywats_api.errors import ErrorMode, NotFoundError, PyWATSError, ValidationError
from pywats_api.product_bom import Bom, BomItem, read_bom, write_bom
from pywats_api.product_box_build import BoxBuildSubunit, BoxBuildTemplate, read_subunits
from pywats_api.product_records import Product, ProductGroup, ProductRevision, ProductState, ProductView
from pywats_api.records import Record, missing, path_segment
from pywats_api.results import Failure, Result, Success
from pywats_api.tags import Setting, Tags, as_settings, merged

_R = TypeVar("_R", bound=Record)
_K = TypeVar("_K")
_V = TypeVar("_V")
_PAGE = 1000  # what the server gives at most where nothing is filtered
_AT_A_TIME = 10


class ProductDomain:
    """``api.product``.

    A product or revision that is not there raises `NotFoundError`, or is None where the client is lenient.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # --- products

    async def get_products(
        self, filter_str: str | None = None, *, top: int | None = None, skip: int | None = None
    ) -> list[ProductView]:
        """Products in short, by part number (``GET /api/Product/Query``).

        Args:
            filter_str: OData over partNumber, name, category, nonSerial, state; all products without.
            top: at most so many; all without, in as many requests as it takes.
            skip: leave out the first ones.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        operation = "product.get_products"
        found: list[ProductView] = []
        while top is None or len(found) < top:
            wanted = _PAGE if top is None else min(_PAGE, top - len(found))
            answer = await self._connection.request(
                operation,
                "GET",
                "/api/Product/Query",
                query={
                    "$filter": filter_str,
                    "$top": wanted,
                    "$skip": (skip or 0) + len(found),
                    "$orderby": "partNumber",
                },
            )
            page = ProductView.read_list(answer, operation)
            found += page
            if len(page) < wanted:
                break
        return found

    async def get_products_full(self) -> list[Product]:
        """All products with their revisions: one request for each, ten at a time.

        Calls ``GET /api/Product/Query``, ``GET /api/Product/{partNumber}``.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        names = [view.part_number for view in await self.get_products()]
        found = await _several(self.get_product, names, _AT_A_TIME)
        return [product for product in found if product is not None]

    async def get_active_products(self) -> list[ProductView]:
        """The products that may be used, in short (``GET /api/Product/Query``).

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return await self.get_products(f"state eq {ProductState.ACTIVE:d}")

    async def get_product(self, part_number: str) -> Product | None:
        """A product with its revisions (``GET /api/Product/{partNumber}``).

        A part number that cannot travel in a path is asked for at the internal ``GetProductByPN``.

        Args:
            part_number: of the product.

        Raises:
            NotFoundError: there is no such product (strict mode; lenient: None).
        """
        operation = "product.get_product"
        return await self._one(
            operation, f"product {part_number!r}", Product, lambda: self._product(operation, part_number)
        )

    async def get_product_full(self, part_number: str) -> Product | None:
        """The same as `get_product`, which tells everything already (``GET /api/Product/{partNumber}``).

        Args:
            part_number: of the product.

        Raises:
            NotFoundError: there is no such product (strict mode; lenient: None).
        """
        return await self.get_product(part_number)

    async def get_products_batch(
        self, part_numbers: Iterable[str], max_workers: int = _AT_A_TIME
    ) -> list[Result[Product]]:
        """Several products, each with the outcome of its own request, in the order asked for.

        Calls ``GET /api/Product/{partNumber}``.

        Args:
            part_numbers: of the products.
            max_workers: requests at a time.

        Raises:
            ValueError: `max_workers` is below 1. A request that fails is a `Failure` in its place.
        """

        async def one(part_number: str) -> Result[Product]:
            return await _outcome(
                self.get_product(part_number), "product.get_products_batch", f"product {part_number!r}"
            )

        return await _several(one, list(part_numbers), max_workers)

    async def create_product(
        self,
        part_number: str,
        name: str | None = None,
        state: ProductState | int = ProductState.ACTIVE,
        *,
        description: str | None = None,
        non_serial: bool = False,
        xml_data: str | None = None,
        product_group: str | None = None,
    ) -> Product:
        """Make a product (``PUT /api/Product``). Not repeated by itself: a second one would be refused.

        Args:
            part_number: must be new.
            name: for people.
            state: whether it may be used.
            description: for people.
            non_serial: its units have no serial numbers.
            xml_data: user's data as XML, ``<Root><Key Value="v"/></Root>``; `set_product_tags` writes it.
            product_group: put it into this group as well, which must exist.

        Raises:
            ConflictError: the part number is taken. Some servers say `ValidationError`.
            ValidationError: the server refuses a member.
        """
        operation = "product.create_product"
        wanted = Product(
            part_number=part_number,
            name=name,
            description=description,
            state=state,
            non_serial=non_serial,
            xml_data=xml_data,
        )
        product = await self._put(operation, "/api/Product", wanted, idempotent=False)
        if product_group is not None:
            await self.add_to_group(product_group, part_number)
        return product

    async def update_product(self, product: Product) -> Product:
        """Store a changed product (``PUT /api/Product``). Fetch it before, so that nothing else is cleared.

        Revisions are not stored with it, see `update_revision`.

        Args:
            product: the product with its changes, and its id.

        Raises:
            ValidationError: the server refuses what was sent.
        """
        return await self._put(
            "product.update_product", "/api/Product", product, idempotent=product.product_id is not None
        )

    async def bulk_save_products(self, products: Sequence[Product]) -> list[Product]:
        """Create products, or update those with these part numbers (``PUT /api/Products``).

        Args:
            products: each with its part number.

        Raises:
            ValidationError: the server refuses what was sent.
        """
        return await self._put_all("product.bulk_save_products", "/api/Products", products)

    def is_active(self, product: Product | ProductView) -> bool:
        """Whether a product may be used; asks nobody.

        Args:
            product: the product.
        """
        return product.state == ProductState.ACTIVE

    # --- revisions

    async def get_revision(self, part_number: str, revision: str) -> ProductRevision | None:
        """A revision of a product (``GET /api/Product/{partNumber}/{revision}``).

        Args:
            part_number: of the product.
            revision: of the product.

        Raises:
            NotFoundError: there is no such revision (strict mode; lenient: None).
        """
        operation = "product.get_revision"
        return await self._one(
            operation,
            f"revision {revision!r} of product {part_number!r}",
            ProductRevision,
            lambda: self._revision(operation, part_number, revision),
        )

    async def get_revisions(self, part_number: str) -> list[ProductRevision]:
        """All revisions of a product; none where the client is lenient and there is no product.

        Calls ``GET /api/Product/{partNumber}``.

        Args:
            part_number: of the product.

        Raises:
            NotFoundError: there is no such product (strict mode; lenient: an empty list).
        """
        product = await self.get_product(part_number)
        return [] if product is None else product.revisions

    async def get_revisions_batch(
        self, pairs: Iterable[tuple[str, str]], max_workers: int = _AT_A_TIME
    ) -> list[Result[ProductRevision]]:
        """Several revisions, each with the outcome of its own request, in the order asked for.

        Calls ``GET /api/Product/{partNumber}/{revision}``.

        Args:
            pairs: part number and revision of each.
            max_workers: requests at a time.

        Raises:
            ValueError: `max_workers` is below 1. A request that fails is a `Failure` in its place.
        """

        async def one(pair: tuple[str, str]) -> Result[ProductRevision]:
            return await _outcome(
                self.get_revision(*pair),
                "product.get_revisions_batch",
                "revision {1!r} of {0!r}".format(*pair),
            )

        return await _several(one, list(pairs), max_workers)

    async def create_revision(
        self,
        part_number: str,
        revision: str,
        state: ProductState | int = ProductState.ACTIVE,
        *,
        name: str | None = None,
        description: str | None = None,
        xml_data: str | None = None,
    ) -> ProductRevision:
        """Make a revision of a product (``PUT /api/Product/Revision``). Not repeated by itself.

        Args:
            part_number: of the product, which must exist.
            revision: must be new.
            state: whether it may be used.
            name: for people.
            description: for people.
            xml_data: user's data as XML, ``<Root><Key Value="v"/></Root>``.

        Raises:
            ConflictError: the product has this revision. Some servers say `ValidationError`.
            ValidationError: there is no such product, or the server refuses a member.
        """
        wanted = ProductRevision(
            part_number=part_number,
            revision=revision,
            state=state,
            name=name,
            description=description,
            xml_data=xml_data,
        )
        return await self._put("product.create_revision", "/api/Product/Revision", wanted, idempotent=False)

    async def update_revision(self, revision: ProductRevision) -> ProductRevision:
        """Store a changed revision (``PUT /api/Product/Revision``). Fetch it before changing it.

        Args:
            revision: the revision with its changes, and its id.

        Raises:
            ValidationError: the server refuses what was sent.
        """
        return await self._put(
            "product.update_revision",
            "/api/Product/Revision",
            revision,
            idempotent=revision.product_revision_id is not None,
        )

    async def bulk_save_revisions(self, revisions: Sequence[ProductRevision]) -> list[ProductRevision]:
        """Create revisions, or update those there are (``PUT /api/Products/Revisions``).

        Args:
            revisions: each with its part number and revision.

        Raises:
            ValidationError: the server refuses what was sent.
        """
        return await self._put_all("product.bulk_save_revisions", "/api/Products/Revisions", revisions)

    # --- bill of materials

    async def get_bom(self, part_number: str, revision: str) -> Bom | None:
        """The bill of materials: WSBF, whose `Bom.items` are its lines (``GET /api/internal/Product/Bom``).

        None, in either error mode, for a revision without one.

        Args:
            part_number: of the product.
            revision: of the product.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        operation = "product.get_bom"
        try:
            answer: bytes = await self._connection.request(
                operation,
                "GET",
                "/api/internal/Product/Bom",
                query={"partNumber": part_number, "revision": revision},
                internal=True,
                accept="application/xml",
            )
        except NotFoundError:
            return None
        text = answer.decode("utf-8-sig").strip()
        return Bom(text) if text and text != "null" else None

    async def get_bom_items(self, part_number: str, revision: str) -> list[BomItem]:
        """The lines of the bill of materials; none for a revision without one.

        Calls ``GET /api/internal/Product/Bom``.

        Args:
            part_number: of the product.
            revision: of the product.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        bom = await self.get_bom(part_number, revision)
        return [] if bom is None else read_bom(bom)

    async def update_bom(
        self,
        part_number: str,
        revision: str,
        bom_items: Iterable[BomItem | Mapping[str, Any]],
        description: str | None = None,
    ) -> bool:
        """Replace the bill of materials (``PUT /api/Product/BOM``), making product and revision if needed.

        It is design data, for those who repair: what was built into a unit does not belong here.

        Args:
            part_number: of the board.
            revision: of it.
            bom_items: its components, at least one.
            description: of the board.

        Raises:
            ValueError: what the server would refuse without a word: a part number or all components missing.
        """
        items = [
            item if isinstance(item, BomItem) else BomItem.model_validate(dict(item)) for item in bom_items
        ]
        document = write_bom(part_number, revision, items, description)
        await self._connection.request(
            "product.update_bom",
            "PUT",
            "/api/Product/BOM",
            body=Content(document.encode(), "application/xml"),
            idempotent=True,
            accept="*/*",
        )
        return True

    async def upload_bom(
        self, part_number: str, revision: str, bom_items: Iterable[BomItem | Mapping[str, Any]]
    ) -> bool:
        """The same as `update_bom` (``PUT /api/Product/BOM``).

        Args:
            part_number: of the product.
            revision: of the product.
            bom_items: its components, at least one.

        Raises:
            ValidationError: the server refuses what was sent.
        """
        return await self.update_bom(part_number, revision, bom_items)

    async def upload_bom_from_dict(
        self, part_number: str, revision: str, bom: Mapping[str, Mapping[str, Any]]
    ) -> bool:
        """The same as `update_bom`, with the components by their part numbers (``PUT /api/Product/BOM``).

        Args:
            part_number: of the product.
            revision: of the product.
            bom: its components: members of `BomItem` by part number.

        Raises:
            ValidationError: the server refuses what was sent.
        """
        lines = [{**line, "part_number": number} for number, line in bom.items()]
        return await self.update_bom(part_number, revision, lines)

    # --- box build

    async def get_box_build_template(self, part_number: str, revision: str) -> BoxBuildTemplate:
        """The units that a revision is put together from; empty where nothing was said yet.

        Reads ``GET /api/internal/Product/GetProductInfo``. Change it with `add_subunit` and its like, then
        `save` it, or use it in an ``async with``.

        Args:
            part_number: of the product.
            revision: of the product.

        Raises:
            NotFoundError: there is no such revision, in either error mode.
        """
        operation = "product.get_box_build_template"
        parent = await self._existing_revision(part_number, revision)
        stored = await read_subunits(self._connection, operation, parent, part_number)
        return BoxBuildTemplate(self._connection, parent, part_number, stored, self._existing_revision)

    async def get_box_build(self, part_number: str, revision: str) -> BoxBuildTemplate:
        """The same as `get_box_build_template` (``GET /api/internal/Product/GetProductInfo``).

        Args:
            part_number: of the product.
            revision: of the product.

        Raises:
            NotFoundError: there is no such revision, in either error mode.
        """
        return await self.get_box_build_template(part_number, revision)

    async def get_box_build_subunits(self, part_number: str, revision: str) -> list[BoxBuildSubunit]:
        """The units that a revision is put together from (``GET /api/internal/Product/GetProductInfo``).

        Args:
            part_number: of the product.
            revision: of the product.

        Raises:
            NotFoundError: there is no such revision, in either error mode.
        """
        return (await self.get_box_build_template(part_number, revision)).subunits

    # --- groups

    async def get_groups(self, filter_str: str | None = None, top: int | None = None) -> list[ProductGroup]:
        """Product groups (``GET /api/App/ProductGroups``).

        Args:
            filter_str: OData over name and description. The route does not promise to obey it.
            top: at most so many.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        operation = "product.get_groups"
        answer = await self._connection.request(
            operation, "GET", "/api/App/ProductGroups", query={"$filter": filter_str, "$top": top}
        )
        return ProductGroup.read_list(answer, operation)[:top]

    async def get_product_groups(self) -> list[ProductGroup]:
        """All product groups (``GET /api/App/ProductGroups``).

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return await self.get_groups()

    async def get_groups_for_product(self, part_number: str, revision: str = "") -> list[ProductGroup]:
        """The groups that a product is in (``GET /api/Product/ProductGroupsByProduct``).

        Args:
            part_number: of the product.
            revision: of the product.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        operation = "product.get_groups_for_product"
        answer = await self._connection.request(
            operation,
            "GET",
            "/api/Product/ProductGroupsByProduct",
            query={"partNumber": part_number, "revision": revision},
        )
        return ProductGroup.read_list(answer, operation)

    async def add_to_group(
        self, product_group: str, part_number: str, revision: str = "%", *, exclude: bool = False
    ) -> None:
        """Make products part of a group, or leave them out of it (``POST /api/Product/ProductGroupFilter``).

        Args:
            product_group: name of a group that exists.
            part_number: of the products, ``%`` stands for anything.
            revision: of them, ``%`` stands for anything.
            exclude: leave out what the group's other filters let in.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        await self._connection.request(
            "product.add_to_group",
            "POST",
            "/api/Product/ProductGroupFilter",
            query={
                "productGroup": product_group,
                "partNumber": part_number,
                "revision": revision,
                "exclude": exclude,
            },
            idempotent=False,
        )

    # --- tags

    async def get_product_tags(self, part_number: str) -> list[Setting]:
        """Tags of a product (``GET /api/Product/{partNumber}``).

        Args:
            part_number: of the product.

        Raises:
            NotFoundError: there is no such product (strict mode; lenient: an empty list).
        """
        product = await self.get_product(part_number)
        return [] if product is None else product.tags

    async def set_product_tags(self, part_number: str, tags: Tags) -> Product | None:
        """Give a product these tags and no others (``GET /api/Product/{partNumber}``, ``PUT /api/Product``).

        Args:
            part_number: of the product.
            tags: records or dictionaries with ``key`` and ``value``.

        Raises:
            NotFoundError: there is no such product (strict mode; lenient: None).
        """
        return await self._tag_product(part_number, lambda _: as_settings(tags))

    async def add_product_tag(self, part_number: str, key: str, value: str) -> Product | None:
        """Give a product one more tag, or one that it has another value.

        Calls ``GET /api/Product/{partNumber}``, ``PUT /api/Product``.

        Args:
            part_number: of the product.
            key: name of the tag.
            value: its text.

        Raises:
            NotFoundError: there is no such product (strict mode; lenient: None).
        """
        return await self._tag_product(
            part_number, lambda known: merged(known, [Setting(key=key, value=value)])
        )

    async def get_revision_tags(self, part_number: str, revision: str) -> list[Setting]:
        """Tags of a revision (``GET /api/Product/{partNumber}/{revision}``).

        Args:
            part_number: of the product.
            revision: of the product.

        Raises:
            NotFoundError: there is no such revision (strict mode; lenient: an empty list).
        """
        found = await self.get_revision(part_number, revision)
        return [] if found is None else found.tags

    async def set_revision_tags(self, part_number: str, revision: str, tags: Tags) -> ProductRevision | None:
        """Give a revision these tags and no others.

        Calls ``GET /api/Product/{partNumber}/{revision}``, ``PUT /api/Product/Revision``.

        Args:
            part_number: of the product.
            revision: of the product.
            tags: records or dictionaries with ``key`` and ``value``.

        Raises:
            NotFoundError: there is no such revision (strict mode; lenient: None).
        """
        return await self._tag_revision(part_number, revision, lambda _: as_settings(tags))

    async def add_revision_tag(
        self, part_number: str, revision: str, key: str, value: str
    ) -> ProductRevision | None:
        """Give a revision one more tag, or one that it has another value.

        Calls ``GET /api/Product/{partNumber}/{revision}``, ``PUT /api/Product/Revision``.

        Args:
            part_number: of the product.
            revision: of the product.
            key: name of the tag.
            value: its text.

        Raises:
            NotFoundError: there is no such revision (strict mode; lenient: None).
        """
        return await self._tag_revision(
            part_number, revision, lambda known: merged(known, [Setting(key=key, value=value)])
        )

    # --- vendors

    async def get_vendors(self) -> list[dict[str, Any]]:
        """Vendors of components, each with its ``name`` (``GET /api/Product/Vendors``).

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        answer = await self._connection.request("product.get_vendors", "GET", "/api/Product/Vendors")
        return [_vendor(entry) for entry in answer or ()]

    async def save_vendor(self, vendor_data: Mapping[str, Any]) -> dict[str, Any]:
        """Make a vendor known, or change what is written of it (``PUT /api/Product/Vendors``).

        Args:
            vendor_data: its ``name``. WATS promises to keep no other member; they are sent all the same.

        Raises:
            ValueError: it has no name.
        """
        wire = _vendor_to_wire(vendor_data)
        await self._connection.request(
            "product.save_vendor", "PUT", "/api/Product/Vendors", body=[wire], idempotent=True
        )
        return _vendor(wire)

    async def delete_vendor(self, vendor_id: str) -> bool:
        """Forget a vendor (``DELETE /api/Product/Vendors``).

        Args:
            vendor_id: its name: WATS knows no other key of a vendor.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        await self._connection.request(
            "product.delete_vendor",
            "DELETE",
            "/api/Product/Vendors",
            body=[{"VendorName": vendor_id}],
            idempotent=True,
        )
        return True

    # --- steps

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

    async def _one(
        self, operation: str, what: str, record: type[_R], ask: Callable[[], Awaitable[Any]]
    ) -> _R | None:
        try:
            answer = await ask()
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
            _check_counters(operation, path, answer, len(wanted))
            return list(wanted)
        return type(wanted[0]).read_list(answer, operation) if wanted else []

    async def _tag_product(
        self, part_number: str, change: Callable[[list[Setting]], list[Setting]]
    ) -> Product | None:
        product = await self.get_product(part_number)
        if product is None:
            return None
        return await self.update_product(product.model_copy(update=_only_tags(change(product.tags))))

    async def _tag_revision(
        self, part_number: str, revision: str, change: Callable[[list[Setting]], list[Setting]]
    ) -> ProductRevision | None:
        found = await self.get_revision(part_number, revision)
        if found is None:
            return None
        return await self.update_revision(found.model_copy(update=_only_tags(change(found.tags))))


def _to_wire(wanted: Record) -> dict[str, Any]:
    wire = wanted.to_wire()
    wire.pop("revisions", None)  # they have routes of their own
    if "tags" not in wanted.model_fields_set:
        wire.pop("tags", None)
    return wire


def _only_tags(tags: list[Setting]) -> dict[str, Any]:
    """The change of a record to these tags: the XML that it has says what they were."""
    return {"tags": tags, "xml_data": None}


def _check_counters(operation: str, path: str, answer: Any, sent: int) -> None:
    """Some bulk routes answer how many were taken; an error among them is a failure, though it says 200."""
    counters = answer if isinstance(answer, dict) else {}
    refused = next((value for name, value in counters.items() if name.lower() == "errorcount"), 0)
    if refused:
        raise ValidationError(
            f"the server refused {refused} of {sent}: {counters}",
            operation=operation,
            method="PUT",
            path=path,
            status_code=200,
            server_text=str(counters),
        )


def _vendor(entry: Mapping[str, Any]) -> dict[str, Any]:
    known = {str(name).lower(): value for name, value in entry.items()}
    return {**entry, "name": known.get("vendorname", known.get("name"))}


def _vendor_to_wire(vendor: Mapping[str, Any]) -> dict[str, Any]:
    name = vendor.get("name") or vendor.get("VendorName")
    if not isinstance(name, str) or not name.strip():
        raise ValueError("a vendor needs a name")
    return {**{key: value for key, value in vendor.items() if key != "name"}, "VendorName": name}


async def _several(call: Callable[[_K], Awaitable[_V]], keys: Sequence[_K], at_a_time: int) -> list[_V]:
    """The results of a call for each of the keys, so many of them at a time."""
    if at_a_time < 1:
        raise ValueError(f"max_workers is 1 or more, not {at_a_time}")
    results: list[_V] = []
    for start in range(0, len(keys), at_a_time):
        results += await asyncio.gather(*map(call, keys[start : start + at_a_time]))
    return results


async def _outcome(call: Awaitable[_V | None], operation: str, what: str) -> Result[_V]:
    try:
        value = await call
    except PyWATSError as error:
        return Failure(error)
    if value is None:
        return Failure(NotFoundError(f"the server has no {what}", operation=operation))
    return Success(value)
