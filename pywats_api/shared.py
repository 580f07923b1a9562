"""Where the documents of the WATS client import tags from."""

from pywats_api import (
    Setting,
)

__all__ = [
    "Setting",
]
