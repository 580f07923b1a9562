"""What the CFX tests share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cfx_shop import REFERENCE


@pytest.fixture
def reference() -> Callable[[str], bytes]:
    """Give the reader of the reference files, or skip where they are not at hand."""
    if not REFERENCE.is_dir():
        pytest.skip(f"reference files are not beside the checkout ({REFERENCE.name} is missing)")
    return lambda name: (REFERENCE / name).read_bytes()
