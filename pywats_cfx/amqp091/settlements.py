"""What becomes of the deliveries of one channel: acknowledged or given back, in few frames."""

from __future__ import annotations

import asyncio
from enum import Enum, auto

from aiormq.abc import AbstractChannel

from pywats_cfx.amqp.tally import Tally


class _State(Enum):
    OPEN = auto()
    ACKNOWLEDGED = auto()
    RELEASED = auto()


class Settlements:
    """Collects what is settled and writes it: one frame for all that is contiguous from the oldest on.

    An acknowledgement "up to here" settles everything before it, so it may only be sent when nothing before
    it is open or about to be given back. All frames are therefore written by one writer, and a delivery
    leaves the books only when its frame is on its way.

    Args:
        channel: where the deliveries came from.
        tally: where to count.
    """

    def __init__(self, channel: AbstractChannel, tally: Tally) -> None:
        self._channel = channel
        self._tally = tally
        self._states: dict[int, _State] = {}
        self._newest = 0
        self._acknowledged: set[int] = set()
        self._released: list[int] = []
        self._work = asyncio.Event()
        self._writing = asyncio.Lock()
        #: acknowledgements that were written on this channel
        self.written = 0

    @property
    def unsettled(self) -> int:
        """Deliveries that nobody has said anything about."""
        return len(self._states) - len(self._acknowledged) - len(self._released)

    def received(self, tag: int) -> None:
        """Note a delivery. Tags count up; one that was never seen stays open, so that nothing passes it."""
        for missing in range(self._newest + 1, tag + 1):
            self._states[missing] = _State.OPEN
        self._newest = max(self._newest, tag)

    def acknowledge(self, tag: int) -> bool:
        """Settle a delivery as safe with us. False: it was settled before."""
        if self._states.get(tag) is not _State.OPEN:
            return False
        self._states[tag] = _State.ACKNOWLEDGED
        self._acknowledged.add(tag)
        self._work.set()
        return True

    def release(self, tag: int) -> bool:
        """Give a delivery back to the queue. False: it was settled before."""
        if self._states.get(tag) is not _State.OPEN:
            return False
        self._states[tag] = _State.RELEASED
        self._released.append(tag)
        self._work.set()
        return True

    async def run(self) -> None:
        """Write what is settled, as it comes, until cancelled."""
        while True:
            await self._work.wait()
            await self.flush()

    async def flush(self) -> None:
        """Hand the frames of all that is settled so far to the connection.

        Raises:
            ChannelInvalidStateError: the channel is gone; the broker delivers again.
        """
        async with self._writing:
            self._work.clear()
            while self._released:
                tag = self._released[0]
                await self._channel.basic_nack(tag, requeue=True, wait=False)
                self._released.pop(0)
                del self._states[tag]
                self._tally.released += 1
            oldest, singles = self._take_acknowledged()
            if oldest:
                await self._channel.basic_ack(oldest[-1], multiple=len(oldest) > 1, wait=False)
            for tag in singles:
                await self._channel.basic_ack(tag, wait=False)
            self.written += len(oldest) + len(singles)
            self._tally.acknowledged += len(oldest) + len(singles)

    def _take_acknowledged(self) -> tuple[list[int], list[int]]:
        """Take out what is acknowledged: the run from the oldest delivery on, and what stands alone."""
        oldest: list[int] = []
        for tag, state in self._states.items():
            if state is not _State.ACKNOWLEDGED:
                break
            oldest.append(tag)
        self._acknowledged.difference_update(oldest)
        singles = sorted(self._acknowledged)
        self._acknowledged.clear()
        for tag in (*oldest, *singles):
            del self._states[tag]
        return oldest, singles
