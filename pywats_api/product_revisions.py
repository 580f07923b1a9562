"""Revisions of products, and their tags."""

from collections.abc import Callable, Iterable, Sequence

from pywats_api.product_calls import AT_A_TIME, ProductCalls, only_tags, outcome, several
from pywats_api.product_records import ProductRevision, ProductState
from pywats_api.results import Result
from pywats_api.tags import Setting, Tags, as_settings, merged


class RevisionCalls(ProductCalls):
    """The part of ``api.product`` that deals with revisions."""

    async def get_revision(self, part_number: str, revision: str) -> ProductRevision | None:
        """A revision of a product (``GET /api/Product/{partNumber}/{revision}``).

        Args:
            part_number: of the product.
            revision: of the product.

        Raises:
            NotFoundError: there is no such revision (strict mode; lenient: None).
        """
        operation = "product.get_revision"
        what = f"revision {revision!r} of product {part_number!r}"
        answer = self._revision(operation, part_number, revision)
        return await self._one(operation, what, ProductRevision, answer)

    async def get_revisions(self, part_number: str) -> list[ProductRevision]:
        """All revisions of a product; none where the client is lenient and there is no product.

        Calls ``GET /api/Product/{partNumber}``.

        Args:
            part_number: of the product.

        Raises:
            NotFoundError: there is no such product (strict mode; lenient: an empty list).
        """
        product = await self._find_product(part_number)
        return [] if product is None else product.revisions

    async def get_revisions_batch(
        self, pairs: Iterable[tuple[str, str]], max_workers: int = AT_A_TIME
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
            return await outcome(
                self.get_revision(*pair),
                "product.get_revisions_batch",
                "revision {1!r} of {0!r}".format(*pair),
            )

        return await several(one, list(pairs), max_workers)

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

    async def _tag_revision(
        self, part_number: str, revision: str, change: Callable[[list[Setting]], list[Setting]]
    ) -> ProductRevision | None:
        found = await self.get_revision(part_number, revision)
        if found is None:
            return None
        return await self.update_revision(found.model_copy(update=only_tags(change(found.tags))))
