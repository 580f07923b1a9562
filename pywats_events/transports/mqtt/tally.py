"""What a transport counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """Counts over all connections of a transport.

    Attributes:
        received: messages, repeated ones included.
        acknowledged: acknowledgements that were sent.
        ignored: retained messages that were left alone.
        oversized: messages that were too large to be taken.
        released: messages that were given up unacknowledged; the broker sends them again.
        late: acknowledgements that came after their connection had ended; those messages come again.
        connections: connections that were opened.
    """

    received: int = 0
    acknowledged: int = 0
    ignored: int = 0
    oversized: int = 0
    released: int = 0
    late: int = 0
    connections: int = 0
