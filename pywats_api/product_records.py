"""Products, their revisions and groups as the server has them."""

from datetime import datetime
from enum import IntEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from pywats_api.records import Record
from pywats_api.tags import Setting


class ProductState(IntEnum):
    """Whether a product or revision may be used. WATS knows these two; other words are names for them."""

    INACTIVE = 0
    ACTIVE = 1
    OBSOLETE = 0
    DEVELOPMENT = 0
    PROTOTYPE = 0


def _or_empty(value: Any) -> Any:
    return [] if value is None else value


_State = Annotated[ProductState | int | None, Field(union_mode="left_to_right")]
_Settings = Annotated[list[Setting], BeforeValidator(_or_empty)]


class ProductRevision(Record):
    """One version of a product's design."""

    product_revision_id: str | None = None
    product_id: str | None = None
    part_number: str | None = Field(default=None, alias="PartNumber")
    revision: str
    name: str | None = None
    description: str | None = None
    state: _State = None
    xml_data: str | None = None
    tags: _Settings = Field(default_factory=list)
    effective_date: datetime | None = None
    created: datetime | None = None
    modified: datetime | None = None


class ProductView(Record):
    """A product in a list, with what lists tell of it."""

    part_number: str
    name: str | None = None
    description: str | None = None
    category: str | None = None
    non_serial: bool | None = None
    state: _State = None
    product_group: str | None = None


class Product(Record):
    """What is made: one part number. `xml_data` and `tags` are two forms of the same thing on the server."""

    product_id: str | None = None
    part_number: str
    name: str | None = None
    description: str | None = None
    revision: str | None = None
    non_serial: bool | None = None
    state: _State = None
    xml_data: str | None = None
    product_category_id: str | None = None
    product_category_name: str | None = None
    revisions: Annotated[list[ProductRevision], BeforeValidator(_or_empty)] = Field(default_factory=list)
    tags: _Settings = Field(default_factory=list)
    created: datetime | None = None
    modified: datetime | None = None

    @property
    def created_date(self) -> datetime | None:
        """When the product was made known, where the server says so."""
        return self.created


class ProductGroup(Record):
    """A named filter of products, for reports and for the limits of a token."""

    product_group_id: str | None = None
    product_group_name: str | None = None
    description: str | None = None

    @property
    def name(self) -> str:
        """Name of the group."""
        return self.product_group_name or (self.model_extra or {}).get("name") or ""
