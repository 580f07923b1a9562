"""How much one message may ask of us."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: The JSON parser goes no deeper than this, whatever the limits say.
DEEPEST: Final = 200


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one body. Each is a refusal with a reason, never a crash.

    Attributes:
        max_bytes: size of the body as it came, and of the JSON text in it after decompression.
        max_depth: how deep objects and lists may nest; at most 200.
        max_envelopes: how many envelopes one body may hold.
        max_values: how many values (numbers, texts, lists, objects) the body may hold in all, as told by its
            commas and opening brackets. An empty list of two bytes takes 30 times that in memory, so bytes
            alone are no bound of it.
    """

    max_bytes: int = 64 * 1024 * 1024
    max_depth: int = DEEPEST
    max_envelopes: int = 10_000
    max_values: int = 5_000_000


DEFAULT_LIMITS: Final = Limits()
