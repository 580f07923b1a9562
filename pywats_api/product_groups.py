"""Groups of products: by name, by the patterns that let products in."""

from pywats_api.product_calls import ProductCalls
from pywats_api.product_records import ProductGroup


class GroupCalls(ProductCalls):
    """The part of ``api.product`` that deals with groups."""

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
