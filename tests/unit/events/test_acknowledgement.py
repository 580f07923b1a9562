"""A message is acknowledged when it is safe, never before, never twice, and never after it was given back."""

from __future__ import annotations

import asyncio

import pytest

from pywats_events import AsyncEventBus, Dropped, PermanentError, TransientError, Unreadable
from pywats_events.journal import JournalError, Query
from pywats_events.transports import MockTransport

from .doubles import (
    PATIENCE,
    DurableMemory,
    Gated,
    HeldUp,
    Recorder,
    Refusing,
    Scripted,
    Station,
    result_of,
)


def bus_with(*handlers, transport=None, **options) -> AsyncEventBus:
    bus = AsyncEventBus(**options)
    for handler in handlers:
        bus.subscribe(handler)
    if transport is not None:
        bus.register_transport(transport)
    return bus


async def test_not_before_all_deliveries_are_settled(station):
    """With a journal that ends with the process, a message is acknowledged when all its work is done."""
    transport, quick, slow = MockTransport(), Recorder(), Gated()
    async with bus_with(quick, slow, transport=transport) as bus:
        await transport.inject_message_async(station.message(result_of("A"), result_of("B"), name="m"))
        await slow.saw(2)
        assert station.acknowledged == []
        slow.gate.set()
        await station.told()
        assert await bus.drain(timeout=PATIENCE)
    assert (station.acknowledged, station.released) == (["m"], [])


async def test_right_after_the_commit_of_a_durable_journal(station):
    """With a journal that survives, a message is acknowledged as soon as it is written."""
    transport, slow = MockTransport(), Gated()
    async with bus_with(slow, transport=transport, journal=DurableMemory()):
        await transport.inject_message_async(station.message(result_of("A"), name="m"))
        assert station.acknowledged == ["m"]
        slow.gate.set()
    assert (station.acknowledged, station.released) == (["m"], [])


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("outcome", [None, Dropped("not ours"), PermanentError("no such part")], ids=repr)
async def test_whatever_becomes_of_it(station, outcome, durable):
    """Done, dropped and dead messages are acknowledged: each is safe where it is."""
    transport = MockTransport()
    journal = DurableMemory() if durable else None
    async with bus_with(Scripted(outcome), transport=transport, journal=journal):
        await transport.inject_message_async(station.message(result_of("A"), name="m"))
        await station.told()
    assert station.acknowledged == ["m"]


async def test_what_nobody_wants_or_can_read(station):
    """A message without handlers, without events, or unreadable is acknowledged when it is written."""
    transport = MockTransport()
    async with bus_with(transport=transport):
        await transport.inject_message_async(station.message(result_of("A"), name="unwanted"))
        await transport.inject_message_async(station.message(body=b"[]", name="empty"))
        await transport.inject_message_async(station.message(body=b"\xff", name="garbage"))
    assert station.acknowledged == ["unwanted", "empty", "garbage"]


async def test_a_repeat_of_what_is_open_waits_with_it(station):
    """A message that comes again while it is being handled ends with the first, and is handled once."""
    transport, slow = MockTransport(), Gated()
    async with bus_with(slow, transport=transport):
        for name in ("first", "again"):
            await transport.inject_message_async(station.message(result_of("A", "same-id"), name=name))
        await slow.saw(1)
        assert station.acknowledged == []
        slow.gate.set()
        await station.told(2)
    assert (station.acknowledged, slow.units) == (["first", "again"], ["A"])


async def test_a_repeat_of_what_is_settled(station):
    """A message that comes again after it was handled is acknowledged at once."""
    transport, handler = MockTransport(), Recorder()
    async with bus_with(handler, transport=transport):
        await transport.inject_message_async(station.message(result_of("A", "same-id"), name="first"))
        await station.told()
        await transport.inject_message_async(station.message(result_of("A", "same-id"), name="again"))
        assert station.acknowledged == ["first", "again"]
    assert handler.units == ["A"]


async def test_not_while_it_waits_for_a_retry(station):
    """A delivery that waits is not safe yet; at the end its message goes back to the source."""
    transport, handler = MockTransport(), Scripted(TransientError("busy", retry_after=3600))
    bus = bus_with(handler, transport=transport)
    async with bus:
        await transport.inject_message_async(station.message(result_of("A"), name="m"))
        assert await bus.drain(timeout=PATIENCE)
        assert (station.acknowledged, station.released) == ([], [])
    assert (station.acknowledged, station.released) == ([], ["m"])


async def test_stop_gives_back_what_was_in_flight(station):
    """A handler that is still at work when the bus stops is ended, and its message goes back."""
    transport, slow = MockTransport(), Gated()
    bus = bus_with(slow, transport=transport)
    await bus.start()
    await transport.inject_message_async(station.message(result_of("A"), name="m"))
    await slow.saw(1)

    await bus.stop(timeout=0.01)

    assert (station.acknowledged, station.released) == ([], ["m"])
    assert slow.running == []
    (entry,) = await bus.journal.search(Query())
    assert (entry.state, entry.attempts) == ("pending", ())


async def test_a_refused_message_is_neither_acknowledged_nor_kept(station):
    """A journal that can't write refuses, the transport hears it, and all is well when it can again."""
    journal, transport, handler = Refusing(), MockTransport(), Recorder()
    async with bus_with(handler, transport=transport, journal=journal):
        journal.refuses = True
        with pytest.raises(JournalError, match="free some space"):
            await transport.inject_message_async(station.message(result_of("A", "a"), name="refused"))
        journal.refuses = False
        await transport.inject_message_async(station.message(result_of("A", "a"), name="again"))
        await station.told()
    assert (station.acknowledged, station.released) == (["again"], [])
    assert handler.units == ["A"]


async def test_what_came_after_a_refused_message_does_not_overtake_it(station):
    """When the journal refuses, everything that waits behind is refused with it."""

    class RefusesOnce(HeldUp):
        async def append(self, receipts):
            await super().append([])
            if len(receipts) == 1:
                raise JournalError("disk is full")
            return await super().append(receipts)

    journal, transport, handler = RefusesOnce(), MockTransport(), Recorder()
    async with bus_with(handler, transport=transport, journal=journal), asyncio.timeout(PATIENCE):
        first = asyncio.ensure_future(transport.inject_message_async(station.message(result_of("A"))))
        await journal.asked.wait()
        later = [transport.inject_message_async(station.message(result_of("A"))) for _ in range(3)]
        waiting = asyncio.gather(first, *later, return_exceptions=True)
        await _let_them_in(4)
        journal.commit.set()
        assert [type(outcome) for outcome in await waiting] == [JournalError] * 4
    assert handler.seen == []


async def _let_them_in(rounds: int) -> None:
    for _ in range(10 * rounds):
        await asyncio.sleep(0)  # not a wait: lets others run up to where they wait


@pytest.mark.parametrize("journal", [HeldUp, type("HeldUpDurable", (HeldUp,), {"durable": True})])
async def test_a_transport_that_went_away_is_not_answered(station, journal):
    """A receive that was cancelled in the midst of its commit is never acknowledged; the repeat is."""
    journal, transport, handler = journal(), MockTransport(), Recorder()
    async with bus_with(handler, transport=transport, journal=journal), asyncio.timeout(PATIENCE):
        event = result_of("A", "a")
        gone = asyncio.ensure_future(transport.inject_message_async(station.message(event, name="gone")))
        await journal.asked.wait()
        gone.cancel()
        await asyncio.wait([gone])
        journal.commit.set()
        await handler.saw(1)
        await transport.inject_message_async(station.message(event, name="again"))
        await station.told()
    assert (station.acknowledged, station.released) == (["again"], [])
    assert handler.units == ["A"]


async def test_what_was_cancelled_before_its_commit_is_not_taken_in(station):
    """A receive that is cancelled while it waits for its turn leaves no event behind."""
    journal, transport, handler = HeldUp(), MockTransport(), Recorder()
    async with bus_with(handler, transport=transport, journal=journal) as bus, asyncio.timeout(PATIENCE):
        first = asyncio.ensure_future(transport.inject_message_async(station.message(result_of("A"))))
        await journal.asked.wait()
        second = asyncio.ensure_future(transport.inject_message_async(station.message(result_of("B"))))
        await _let_them_in(1)
        second.cancel()
        await asyncio.wait([second])
        journal.commit.set()
        await first
        assert await bus.drain()
        assert (await journal.stats()).events == 1
    assert handler.units == ["A"]


async def test_a_source_that_can_not_be_told_hurts_nobody():
    """An acknowledgement that fails is the source's trouble: it sends the message again."""
    transport, handler, station = MockTransport(), Recorder(), Station()
    async with bus_with(handler, transport=transport, journal=DurableMemory()):
        deaf = station.message(result_of("A"))

        async def fail() -> None:
            raise ConnectionError("broker is gone")

        deaf.ack = fail
        await transport.inject_message_async(deaf)
        await transport.inject_message_async(station.message(result_of("B"), name="b"))
        await handler.saw(2)
    assert station.acknowledged == ["b"]


async def test_a_source_that_can_not_take_back_hurts_nobody():
    """A release that fails at shutdown keeps neither the others nor the journal from ending."""
    transport, station = MockTransport(), Station()
    never = Scripted(*(TransientError("busy", retry_after=3600) for _ in range(2)))
    async with bus_with(never, transport=transport):
        deaf = station.message(result_of("A"))

        async def fail() -> None:
            raise ConnectionError("broker is gone")

        deaf.release = fail
        await transport.inject_message_async(deaf)
        await transport.inject_message_async(station.message(result_of("B"), name="b"))
    assert station.released == ["b"]


async def test_an_adapter_that_raises_costs_its_message_only(station):
    """An adapter that breaks its promise makes a dead letter of the message; the next one is handled."""

    def adapter(raw):
        if raw.body == b"bad":
            raise ZeroDivisionError("by zero")
        yield result_of("A")
        if raw.body == b"late":
            raise KeyError("late")

    transport, handler = MockTransport(adapter=adapter), Recorder()
    async with bus_with(handler, transport=transport) as bus:
        for body in (b"bad", b"late", b"good"):
            await transport.inject_message_async(station.message(body=body, name=body.decode()))
        await station.told(3)
        dead = await bus.journal.search(Query(handler=""))
    assert [entry.error for entry in dead] == ["ZeroDivisionError", "KeyError"]
    assert "transport 'mock'" in (dead[0].reason or "")
    assert handler.units == ["A"]


async def test_an_unreadable_message_lives_after_its_adapter_was_mended(station):
    """Replay reads the kept bytes with the adapter of today, for old messages and for new ones."""
    transport, handler = MockTransport(), Recorder()
    async with bus_with(handler, transport=transport) as bus:
        transport.adapter = lambda _raw: [Unreadable("x", "no such field", "KeyError")]
        await transport.inject_message_async(station.message(body=b"m", name="m"))
        assert await bus.replay(Query(handler="")) == 0

        transport.adapter = lambda raw: [result_of(raw.body.decode())]
        assert await bus.replay(Query(handler="")) == 1
        await transport.inject_message_async(station.message(body=b"n", name="n"))
        await handler.saw(2)
        (entry,) = await bus.journal.search(Query(handler=""))
    assert handler.units == ["m", "n"]
    assert (entry.state, entry.rule) == ("discarded", "read again")


async def test_an_unreadable_message_whose_transport_is_gone_stays(station):
    """A dead letter of a transport that is not there can't be read again, and stays."""
    transport = MockTransport()
    async with bus_with(transport=transport) as bus:
        await transport.inject_message_async(station.message(body=b"\xff"))
        bus._transports.clear()
        assert await bus.replay(Query()) == 0
        (entry,) = await bus.journal.search(Query())
    assert entry.state == "dead"
