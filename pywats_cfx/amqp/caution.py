"""Reading on after a message that ended the connection: one at a time, and without a tight loop.

RabbitMQ puts such a message back at the head of its queue, where it ends the next connection too. What was
delivered before it in the same breath comes back as well, its acknowledgements lost with the connection.
With a prefetch of one the good messages before it get through, and then the bad one is alone to blame.
"""

from __future__ import annotations

from typing import Final

#: So many connections in a row that ended before they delivered anything are no accident.
_BARREN: Final = 3


class Caution:
    """Knows how carefully the next session is to read."""

    def __init__(self) -> None:
        self._barren = 0
        self.gentle = False

    @property
    def blocked(self) -> bool:
        """True when the message at the head of the queue can't be read."""
        return self._barren >= _BARREN

    def unreadable(self, *, received: int) -> None:
        """Note that a message ended the connection, after so many others were received."""
        if self.gentle and received == 0:
            self._barren += 1
        else:
            self._barren = 0
        self.gentle = True

    def stuck(self) -> None:
        """Note that messages are not taken in: hold one at a time until they are.

        A quorum queue counts how often it delivered each message that is held, and drops it at its limit.
        """
        self.gentle = True

    def relieved(self) -> None:
        """Note that the message at the head was taken out in another way; the next one shows at once."""
        self._barren = _BARREN - 1

    def alive(self) -> None:
        """Note that the head of the queue can be read, or that there is none."""
        self._barren = 0

    def proved(self) -> None:
        """Note that messages go through as they should."""
        self._barren = 0
        self.gentle = False
