"""Where the documents of the WATS client import enumerations of products from."""

from pywats_api import (
    ProductState,
)

__all__ = [
    "ProductState",
]
