"""Where the documents of the WATS client import names of processes from."""

from pywats_api import (
    Process,
)

__all__ = [
    "Process",
]
