"""Where the documents of the WATS client import names of products from."""

from pywats_api import (
    Bom,
    BomItem,
    BoxBuildSubunit,
    BoxBuildTemplate,
    Product,
    ProductGroup,
    ProductRevision,
    ProductState,
    ProductView,
)

__all__ = [
    "Bom",
    "BomItem",
    "BoxBuildSubunit",
    "BoxBuildTemplate",
    "Product",
    "ProductGroup",
    "ProductRevision",
    "ProductState",
    "ProductView",
]
