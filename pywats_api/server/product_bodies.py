"""What the routes of products take."""

from typing import Literal

from pydantic import Field

from pywats_api.server.bodies import Body, Guid, Name, Required, Tag, Text


class ProductBody(Body):
    """A product."""

    product_id: Guid | None = None
    part_number: Required
    name: Name | None = None
    description: Text | None = None
    non_serial: bool | None = None
    state: Literal[0, 1] | None = None
    xml_data: Text | None = None
    tags: list[Tag] | None = None


class RevisionBody(Body):
    """A revision; its product is named by id or part number."""

    product_revision_id: Guid | None = None
    product_id: Guid | None = None
    part_number: Name | None = Field(default=None, alias="PartNumber")
    revision: Required
    name: Name | None = None
    description: Text | None = None
    state: Literal[0, 1] | None = None
    xml_data: Text | None = None
    tags: list[Tag] | None = None


class VendorBody(Body):
    """A vendor, of which WATS keeps the name."""

    vendor_name: Required = Field(alias="VendorName")


class RelationBody(Body):
    """A line of a box-build template, both revisions by their ids."""

    product_revision_relation_id: Guid | None = Field(default=None, alias="ProductRevisionRelationId")
    parent_product_revision_id: Guid = Field(alias="ParentProductRevisionId")
    product_revision_id: Guid = Field(alias="ProductRevisionId")
    quantity: int = Field(alias="Quantity", ge=1, le=10_000)
    revision_mask: Name | None = Field(default=None, alias="RevisionMask")


class GroupBody(Body):
    """A product group, which an administrator makes."""

    name: Required
    description: Text | None = None
