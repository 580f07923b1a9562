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
        max_bytes: size of the JSON text, after decompression.
        max_depth: how deep objects and lists may nest; at most 200.
        max_envelopes: how many envelopes one body may hold.
    """

    max_bytes: int = 64 * 1024 * 1024
    max_depth: int = DEEPEST
    max_envelopes: int = 10_000


DEFAULT_LIMITS: Final = Limits()
