"""Acknowledgements in few frames that never settle a message of which nobody said so."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pywats_cfx.amqp.tally import Tally
from pywats_cfx.amqp091.settlements import Settlements


class Broker:
    """The broker's side of a channel: what it takes an acknowledgement to mean, and how strict it is."""

    def __init__(self, deliveries: int) -> None:
        self.outstanding = set(range(1, deliveries + 1))
        self.acknowledged: set[int] = set()
        self.requeued: list[int] = []
        self.frames = 0

    async def basic_ack(self, tag: int, *, multiple: bool = False, wait: bool) -> None:
        """Take an acknowledgement."""
        assert not wait
        await asyncio.sleep(0)
        assert tag in self.outstanding, "unknown delivery tag: the broker closes the channel"
        settled = {other for other in self.outstanding if other <= tag} if multiple else {tag}
        self.outstanding -= settled
        self.acknowledged |= settled
        self.frames += 1

    async def basic_nack(self, tag: int, *, requeue: bool, wait: bool) -> None:
        """Take a message back."""
        assert requeue
        assert not wait
        await asyncio.sleep(0)
        assert tag in self.outstanding, "unknown delivery tag: the broker closes the channel"
        self.outstanding.remove(tag)
        self.requeued.append(tag)
        self.frames += 1


def books(broker: Any, tally: Tally | None = None) -> Settlements:
    return Settlements(broker, tally or Tally())


async def test_many_in_one_frame():
    """What is contiguous from the oldest delivery on goes out as one frame."""
    broker, tally = Broker(100), Tally()
    settlements = books(broker, tally)
    for tag in range(1, 101):
        settlements.received(tag)
    for tag in range(100, 0, -1):
        assert settlements.acknowledge(tag)
    await settlements.flush()
    assert (broker.frames, len(broker.acknowledged), tally.acknowledged) == (1, 100, 100)


async def test_gap_is_not_acknowledged():
    """An open delivery is not passed by an acknowledgement of later ones."""
    broker = Broker(5)
    settlements = books(broker)
    for tag in range(1, 6):
        settlements.received(tag)
    for tag in (1, 2, 4, 5):
        settlements.acknowledge(tag)
    await settlements.flush()
    assert broker.acknowledged == {1, 2, 4, 5}
    assert settlements.unsettled == 1


async def test_first_word_counts():
    """A message is settled once; what is said of it later changes nothing."""
    broker = Broker(2)
    settlements = books(broker)
    settlements.received(1)
    settlements.received(2)
    assert settlements.release(1)
    assert not settlements.acknowledge(1)
    assert settlements.acknowledge(2)
    assert not settlements.release(2)
    await settlements.flush()
    assert (broker.requeued, broker.acknowledged) == ([1], {2})


async def test_delivery_that_never_reached_us():
    """A gap in the tags is a message that we do not have: nothing acknowledges it."""
    broker = Broker(3)
    settlements = books(broker)
    settlements.received(1)
    settlements.received(3)
    settlements.acknowledge(1)
    settlements.acknowledge(3)
    await settlements.flush()
    assert broker.acknowledged == {1, 3}


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from(["ack", "release", "flush", "step"]))))
def test_any_order(said: list[tuple[int, str]]):
    """Whatever is said in whatever order, while frames are on their way: exactly that happens, once."""

    async def play() -> None:
        broker = Broker(30)
        settlements = books(broker)
        for tag in range(1, 31):
            settlements.received(tag)
        wanted: dict[int, str] = {}
        async with asyncio.TaskGroup() as flushes:
            for tag, word in said:
                settle = {"ack": settlements.acknowledge, "release": settlements.release}.get(word)
                if settle is not None and settle(tag):
                    wanted[tag] = word
                elif word == "flush":
                    flushes.create_task(settlements.flush())
                elif word == "step":
                    await asyncio.sleep(0)
        await settlements.flush()
        assert broker.acknowledged == {tag for tag, word in wanted.items() if word == "ack"}
        assert set(broker.requeued) == {tag for tag, word in wanted.items() if word == "release"}
        assert settlements.unsettled == 30 - len(wanted)

    asyncio.run(play())
