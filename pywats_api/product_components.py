"""What a revision is made of: its bill of materials, the units built into it, the vendors of components."""

from collections.abc import Iterable, Mapping
from typing import Any

from pywats_api.connection import Content
from pywats_api.errors import NotFoundError
from pywats_api.product_bom import Bom, BomItem, read_bom, write_bom
from pywats_api.product_box_build import BoxBuildSubunit, BoxBuildTemplate, read_subunits
from pywats_api.product_calls import ProductCalls


class ComponentCalls(ProductCalls):
    """The part of ``api.product`` that deals with what a revision is made of."""

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


def _vendor(entry: Mapping[str, Any]) -> dict[str, Any]:
    known = {str(name).lower(): value for name, value in entry.items()}
    return {**entry, "name": known.get("vendorname", known.get("name"))}


def _vendor_to_wire(vendor: Mapping[str, Any]) -> dict[str, Any]:
    name = vendor.get("name") or vendor.get("VendorName")
    if not isinstance(name, str) or not name.strip():
        raise ValueError("a vendor needs a name")
    return {**{key: value for key, value in vendor.items() if key != "name"}, "VendorName": name}
