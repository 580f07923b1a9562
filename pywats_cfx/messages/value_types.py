"""Value types: what the standard's readers do not take as null."""

from __future__ import annotations

from typing import ClassVar


class ValueType:
    """Marks a value type of the standard: null is not legal for it unless ``| None`` follows.

    Attributes:
        unset: what the standard's writers put where nobody said a value; None where that is a value like any
            other (zero, false, the first member), so that it is better left out.
    """

    unset: ClassVar[str | None] = None
