"""Products: what is made, in which revisions, of which components and units.

A product need not exist before its first report, but before units of it are created in production.
"""

from collections.abc import Callable, Iterable, Sequence

from pywats_api.product_calls import AT_A_TIME, only_tags, outcome, several
from pywats_api.product_components import ComponentCalls
from pywats_api.product_groups import GroupCalls
from pywats_api.product_records import Product, ProductState, ProductView
from pywats_api.product_revisions import RevisionCalls
from pywats_api.results import Result
from pywats_api.tags import Setting, Tags, as_settings, merged

_PAGE = 1000  # what the server gives at most where nothing is filtered


class ProductDomain(RevisionCalls, ComponentCalls, GroupCalls):
    """``api.product``.

    A product or revision that is not there raises `NotFoundError`, or is None where the client is lenient.
    """

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
        found = await several(self.get_product, names, AT_A_TIME)
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
        return await self._find_product(part_number)

    async def get_product_full(self, part_number: str) -> Product | None:
        """The same as `get_product`, which tells everything already (``GET /api/Product/{partNumber}``).

        Args:
            part_number: of the product.

        Raises:
            NotFoundError: there is no such product (strict mode; lenient: None).
        """
        return await self.get_product(part_number)

    async def get_products_batch(
        self, part_numbers: Iterable[str], max_workers: int = AT_A_TIME
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
            return await outcome(
                self.get_product(part_number), "product.get_products_batch", f"product {part_number!r}"
            )

        return await several(one, list(part_numbers), max_workers)

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

    async def _tag_product(
        self, part_number: str, change: Callable[[list[Setting]], list[Setting]]
    ) -> Product | None:
        product = await self.get_product(part_number)
        if product is None:
            return None
        return await self.update_product(product.model_copy(update=only_tags(change(product.tags))))
