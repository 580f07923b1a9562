"""What can be done with dead letters: they are found, grouped, shown, exported, read again, put away."""

from __future__ import annotations

import json
from base64 import b64decode

import pytest

from pywats_events import AsyncEventBus, EventBus, PermanentError, Unreadable
from pywats_events.bus import DeadLetters
from pywats_events.journal import READ_AGAIN, DeliveryState, Query
from pywats_events.transports import MockTransport

from .bus_steps import drained, publish, states
from .doubles import PATIENCE, Recorder, Scripted, result_of


def dying(*reasons: str, **options) -> Scripted:
    """Give a handler that refuses for each of these reasons, and works after that."""
    return Scripted(*(PermanentError(reason) for reason in reasons), **options)


@pytest.fixture
def transport() -> MockTransport:
    return MockTransport()


@pytest.fixture
async def bus(journal, quick, transport):
    """Give a running bus on a journal of each kind, with a transport."""
    bus = AsyncEventBus(journal=journal, retry_policy=quick)
    bus.register_transport(transport)
    async with bus:
        yield bus


async def test_only_dead_ones_are_found(bus):
    """Whatever a query says of states, only dead letters come of it, and only as many as were asked for."""
    bus.subscribe(dying("no", "no"))
    await publish(bus, "A", "B", "C")
    await drained(bus)
    entries = await bus.dead_letters.find(Query(states=(DeliveryState.DONE,)))
    assert [entry.state for entry in entries] == ["dead", "dead"]
    assert len(await bus.dead_letters.find(Query(limit=1))) == 1
    assert [entry.id async for entry in bus.dead_letters.each(Query(limit=1))] == [one.id for one in entries]


async def test_one_cause_makes_one_group(bus):
    """Letters that died of one cause stand together, whatever numbers their reasons name."""
    bus.subscribe(dying("part 12 is unknown", "part 7 is unknown", "no process"))
    await publish(bus, "A", "B", "C")
    await drained(bus)
    groups = await bus.dead_letters.groups()
    assert [group.count for group in groups] == [2, 1]
    of_first = await bus.dead_letters.find(Query(fingerprint=groups[0].fingerprint))
    assert {entry.event.key for entry in of_first} <= {"A", "B", "C"}
    assert len(of_first) == 2


async def test_a_letter_shows_all_that_is_known(bus, transport, station):
    """A dead letter comes with its message's bytes, its event, its attempts, and what became of the rest."""
    bus.subscribe(dying("no process for A", name="picky"))
    bus.subscribe(Recorder(name="other"))
    message = station.message(result_of("A"))
    await transport.inject_message_async(message)
    await drained(bus)
    (entry,) = await bus.dead_letters.find()
    letter = await bus.dead_letters.show(entry.id)
    assert letter.raw is not None
    assert letter.raw.body == message.body
    assert letter.entry.event.key == "A"
    assert [one.reason for one in letter.entry.attempts] == ["no process for A"]
    assert [(one.handler, one.state) for one in letter.others] == [("other", "done")]


async def test_a_letter_that_is_not_there(bus):
    """An id that nothing has is said to be so, with what to do."""
    with pytest.raises(LookupError, match=r"dead letter 4711: .*list them"):
        await bus.dead_letters.show("4711")


async def test_an_export_is_json_line_by_line(bus, transport, station):
    """Each letter makes one line, which holds the event and the bytes as they came."""
    bus.subscribe(dying("no", "no"))
    for unit in ("A", "Ø"):
        await transport.inject_message_async(station.message(result_of(unit)))
    await transport.inject_message_async(station.message(body=b"\xff\n"))
    await drained(bus)
    lines = [line async for line in bus.dead_letters.export()]
    assert not any("\n" in line for line in lines)
    first, second, unreadable = map(json.loads, lines)
    assert (first["reason"], first["error"], first["handler"]) == ("no", "PermanentError", "Scripted")
    assert second["event"]["data"]["unit_id"] == "Ø"
    assert unreadable["event"] is None
    assert b64decode(unreadable["raw"]["body_base64"]) == b"\xff\n"


async def test_discarding_wants_a_reason(bus):
    """What is put away keeps the reason; without one nothing is put away."""
    bus.subscribe(dying("no"))
    await publish(bus, "A")
    await drained(bus)
    with pytest.raises(ValueError, match="with a reason"):
        await bus.dead_letters.discard(Query(), reason="  ")
    assert await bus.dead_letters.discard(Query(), reason="scrapped") == 1
    (entry,) = await bus.journal.search(Query())
    assert (entry.state, entry.rule) == ("discarded", "scrapped")


async def test_a_replay_from_raw_takes_the_new_reading(bus, transport, station):
    """After a mapping was mended, the letter runs with the event that the message makes today."""

    def before(_raw):
        return [result_of("A", "e1", result="?")]

    def mended(_raw):
        return [result_of("A", "e1", result="pass"), result_of("B", "e2", result="pass")]

    transport.adapter = before
    handler = dying("unknown result ?")
    bus.subscribe(handler)
    await transport.inject_message_async(station.message(body=b"m"))
    await drained(bus)

    transport.adapter = mended
    assert await bus.dead_letters.replay(Query(), from_raw=True) == 1
    await drained(bus)
    assert [event.payload["result"] for event in handler.seen] == ["?", "pass", "pass"]
    assert await states(bus) == ["done", "done"]
    assert (await bus.journal.ledger()).difference == 0


async def test_a_message_is_read_again_part_by_part(bus, transport, station):
    """Of two unreadable parts the one that can be read now becomes an event; the other stays dead."""
    first, second = Unreadable("p1", "no field 1", "KeyError"), Unreadable("p2", "no field 2", "KeyError")
    handler = Recorder()
    bus.subscribe(handler)
    transport.adapter = lambda _raw: [first, second]
    await transport.inject_message_async(station.message(body=b"m"))
    transport.adapter = lambda _raw: [result_of("A", "e1"), second]
    assert await bus.dead_letters.replay(Query()) == 1
    await handler.saw(1)
    await drained(bus)
    rules = {
        entry.part_id: (entry.state, entry.rule) for entry in await bus.journal.search(Query(handler=""))
    }
    assert rules == {"p1": ("discarded", READ_AGAIN), "p2": ("dead", None)}


async def test_without_a_bus_letters_can_be_worked_with(journal, quick):
    """A journal alone will do to look at letters and to put them through again, save for reading again."""
    handler = dying("no")
    async with AsyncEventBus(journal=journal, retry_policy=quick) as bus:
        bus.subscribe(handler)
        await publish(bus, "A")
        await drained(bus)
        letters = DeadLetters(journal)
        assert len(await letters.find()) == 1
        with pytest.raises(RuntimeError, match="replay job"):
            await letters.replay(Query(), from_raw=True)
        assert await letters.replay(Query()) == 1
        await handler.saw(2)
        await drained(bus)
        assert await states(bus) == ["done"]


def test_plain_code_has_dead_letters_too():
    """A bus for synchronous code gives its dead letters, and puts them through as a job."""
    handler = dying("no", "no", "no")
    with EventBus() as bus:
        bus.subscribe(handler)
        for unit in ("A", "B", "C"):
            bus.publish(result_of(unit))
        assert bus.drain(timeout=PATIENCE)
        letters = bus.dead_letters
        (first, *_) = letters.find()
        assert letters.show(first.id).entry == first
        assert (len(letters.export()), letters.groups()[0].count) == (3, 3)
        assert letters.discard(Query(ids=(first.id,)), reason="scrapped") == 1
        job = bus.replay_job(Query(), ramp=(2,))
        assert bus.drain(timeout=PATIENCE)
        assert [one.id for one in letters.jobs()] == [job.id]
        assert bus.forecast() == {}
