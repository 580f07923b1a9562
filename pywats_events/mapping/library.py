"""The JSONata library, as it is imported.

Importing it raises the interpreter's recursion limit to 10,000, deeper than a thread's stack may be; here the
limit is put back. No other module imports it.
"""

from __future__ import annotations

import sys

_limit = sys.getrecursionlimit()
from jsonata import Jsonata  # type: ignore[import-untyped]  # noqa: E402  # between the looks at the limit
from jsonata.functions import Functions  # type: ignore[import-untyped]  # noqa: E402
from jsonata.jexception import JException  # type: ignore[import-untyped]  # noqa: E402
from jsonata.utils import Utils  # type: ignore[import-untyped]  # noqa: E402

sys.setrecursionlimit(_limit)

__all__ = ["Functions", "JException", "Jsonata", "Utils"]
