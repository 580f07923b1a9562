"""The host follows births, deaths and numbers, and gives each message the words of its birth."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sparkplug_wire import RECEIVED, T0, bdseq, message, metric, payload, single

from pywats_events import AsyncEventBus, BaseHandler, Event, EventType, RawMessage
from pywats_events.journal import Query
from pywats_events.journal.memory import MemoryJournal
from pywats_events.sparkplug import SparkplugAdapter, SparkplugHost, SparkplugSettings, SparkplugTransport
from pywats_events.sparkplug.births import MAX_KNOWN, Births
from pywats_events.sparkplug.host import MAX_WAITING
from pywats_events.sparkplug.payload import read_payload
from pywats_events.sparkplug.topics import SparkplugTopic
from pywats_events.transports.base import BaseTransport, Intake

RULES = [{"name": "Temp*", "becomes": "reading"}]


class Clock:
    """Time that the test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        """Give it."""
        return self.seconds


class Line:
    """A host, and what it asked of nodes."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("metrics", RULES)
        self.clock = Clock()
        self.host = SparkplugHost(
            SparkplugSettings.model_validate(settings), clock=self.clock, wall=self.clock
        )
        self.asked: list[str] = []
        self.host.send = lambda topic, _payload: self.asked.append(topic)

    async def see(self, given: RawMessage) -> dict[str, Any]:
        """Let the host see a message, and give what it wrote onto it."""
        await self.host.prepare(given)
        return dict(given.properties["sparkplug"])


REQUEST = "spBv1.0/Line1/NCMD/Press"


def nbirth(session: int = 1, seq: int = 0, at: int = T0, **others: Any) -> RawMessage:
    """Give the birth of a node."""
    named = metric(single(12, 20.0), name="Temp", alias=1, kind=9)
    return message("NBIRTH", payload(bdseq(session), named, at=at, seq=seq), **others)


def dbirth(seq: int = 1, name: str = "Temp oven", alias: int = 2, kind: int = 9) -> RawMessage:
    """Give the birth of a device."""
    named = metric(single(12, 180.0), name=name, alias=alias, kind=kind)
    return message("DBIRTH", payload(named, seq=seq), device="Oven")


def ndata(seq: int, value: float = 21.0, alias: int = 1, at: int = T0, **others: Any) -> RawMessage:
    """Give data of a node, by alias."""
    return message("NDATA", payload(metric(single(12, value), alias=alias, at=at), at=at, seq=seq), **others)


def ddata(seq: int, value: float = 181.0) -> RawMessage:
    """Give data of a device, by alias."""
    return message("DDATA", payload(metric(single(12, value), alias=2), seq=seq), device="Oven")


def ndeath(session: int = 1) -> RawMessage:
    """Give the death of a node."""
    return message("NDEATH", payload(bdseq(session)))


async def test_words_of_births():
    """Data is given the names and types that its birth said."""
    line = Line()
    assert await line.see(nbirth()) == {"again": False}
    assert await line.see(dbirth()) == {"session": 1, "again": False}
    assert await line.see(ddata(2)) == {
        "session": 1,
        "aliases": {"2": "Temp oven"},
        "types": {"Temp oven": [9, None]},
    }
    assert await line.see(ndata(3)) == {"session": 1, "aliases": {"1": "Temp"}, "types": {"Temp": [9, None]}}
    assert line.asked == []


async def test_numbers_go_round():
    """After 255 comes 0, and nothing was missed."""
    line = Line()
    await line.see(nbirth(seq=254))
    await line.see(ndata(255))
    await line.see(ndata(0))
    assert line.asked == []


async def test_gap():
    """After a gap the node is asked to be born again, once in a while, and what it says is read."""
    line = Line()
    await line.see(nbirth())
    assert (await line.see(ndata(2)))["aliases"] == {"1": "Temp"}
    await line.see(ndata(4))
    assert line.asked == [REQUEST]
    line.clock.seconds += 31
    await line.see(ndata(6))
    assert line.asked == [REQUEST, REQUEST]


async def test_redelivery_is_no_gap():
    """A message that the broker sends again is neither a gap nor another birth."""
    line = Line()
    await line.see(nbirth())
    await line.see(dbirth())
    await line.see(ndata(2))
    assert await line.see(nbirth(dup=True)) == {"again": True}
    await line.see(ndata(2, dup=True))
    await line.see(ddata(3))
    assert line.asked == []


async def test_rebirth():
    """A birth of who lives is no other connection; a birth of another session is one."""
    line = Line()
    await line.see(nbirth())
    await line.see(dbirth())
    assert (await line.see(nbirth(at=T0 + 1)))["again"]
    assert (await line.see(dbirth()))["again"]
    assert not (await line.see(nbirth(session=2, at=T0 + 2)))["again"]
    assert not (await line.see(dbirth()))["again"]


async def test_death():
    """The death of the session that lives names its devices; one of an earlier session is late."""
    line = Line()
    await line.see(nbirth(session=2))
    await line.see(dbirth())
    assert await line.see(ndeath(session=1)) == {"late": True}
    assert await line.see(ndeath(session=2)) == {"born": T0, "devices": ["Oven"]}
    assert not (await line.see(nbirth(session=3)))["again"]


async def test_dead_device_is_not_named():
    """A device that died before its node is not told to die again."""
    line = Line()
    await line.see(nbirth())
    await line.see(dbirth())
    await line.see(message("DDEATH", payload(seq=2), device="Oven"))
    assert (await line.see(ndeath()))["devices"] == []


async def passed_in_order(line: Line, *messages: RawMessage) -> list[RawMessage]:
    """Bring messages as a transport does, each in a task of its own; give them as they come out."""
    passed: list[RawMessage] = []

    async def bring(one: RawMessage) -> None:
        await line.host.prepare(one)
        passed.append(one)

    async with asyncio.TaskGroup() as tasks:
        for one in messages:
            tasks.create_task(bring(one))
    return passed


async def test_data_waits_for_birth():
    """Data before its birth waits while the node is asked, and goes before the birth and what follows it."""
    line = Line()
    messages = [ndata(7), ndata(8), nbirth(), ndata(1), ndata(2)]
    assert await passed_in_order(line, *messages) == messages
    assert line.asked == [REQUEST]
    for one in messages:
        assert "unborn" not in one.properties["sparkplug"]
        assert line.host.adapter(one)


async def test_devices_wait_for_their_own_birth():
    """Data of a device waits for the device's birth; its node's alone says nothing of it."""
    line = Line()
    waiting = ddata(9)
    order = await passed_in_order(line, waiting, nbirth(), ndata(1), dbirth(2))
    assert order.index(waiting) == 2
    assert waiting.properties["sparkplug"]["aliases"] == {"2": "Temp oven"}


async def test_nobody_answers():
    """Where no birth comes data goes on without, and is unreadable; what comes then does not wait."""
    line = Line(rebirth_patience=0.01)
    assert await line.see(ndata(7)) == {"unborn": True}
    line.clock.seconds += 1
    async with asyncio.timeout(5):
        assert await line.see(ndata(8)) == {"unborn": True}
    assert line.asked == [REQUEST]


async def test_replay_after_birth():
    """What went on without its birth can be read after it, unless the node died in between."""
    line = Line(rebirth_patience=0.01)
    early = ndata(7)
    await line.see(early)
    (broken,) = line.host.adapter(early)
    assert broken.error == "NoBirth"
    await line.see(nbirth())
    (event,) = line.host.adapter(early)
    assert event.payload["tests"][0]["measurements"][0]["name"] == "Temp"
    await line.see(ndeath())
    late_birth = nbirth(session=2)
    late_birth.received_at = RECEIVED + timedelta(seconds=9)
    await line.see(late_birth)
    (broken,) = line.host.adapter(early)
    assert broken.error == "NoBirth"


async def test_words_that_changed():
    """A birth that gives an alias to another metric is not held against what came before it."""
    line = Line(rebirth_patience=0.01)
    await line.see(nbirth())
    await line.see(dbirth())
    before = ddata(2)
    other = dbirth(3, name="Temp of door")
    other.received_at = RECEIVED + timedelta(seconds=9)
    await line.see(other)
    (broken,) = line.host.adapter(before)
    assert broken.error == "NoBirth"


async def test_death_ends_waiting():
    """Data that waits for a birth goes on without when its node dies: the next birth is another session's."""
    line = Line()
    waiting = ndata(7)
    messages = [waiting, ndeath(), nbirth(session=2)]
    assert (await passed_in_order(line, *messages))[0] is waiting
    assert waiting.properties["sparkplug"] == {"unborn": True}


async def test_too_many_wait():
    """No more than a number of messages wait; the others go on without."""
    line = Line()
    messages = [ndata(at % 256, at=T0 + at) for at in range(MAX_WAITING + 1)]
    passed = await passed_in_order(line, *messages, nbirth())
    assert passed[0] is messages[-1]
    assert messages[-1].properties["sparkplug"] == {"unborn": True}
    assert messages[0].properties["sparkplug"]["aliases"]


async def test_stop_lets_go():
    """When it is time to stop nothing waits any more."""
    line = Line(rebirth_patience=60)
    waiting = asyncio.create_task(line.see(ndata(7)))
    await asyncio.sleep(0)
    line.host.give_up()
    async with asyncio.timeout(5):
        assert await waiting == {"unborn": True}


async def test_silent_bridge():
    """A bridge that may not ask publishes nothing, and holds nothing back."""
    line = Line(rebirth=False)
    assert await line.see(ndata(7)) == {"unborn": True}
    await line.see(nbirth())
    await line.see(ndata(9))
    line.host.disconnected()
    line.host.connected()
    assert (await line.see(ndata(10)))["aliases"] == {"1": "Temp"}
    assert line.asked == []


async def test_reconnected():
    """After the transport was away each node is asked, and its data waits for the birth that holds now."""
    line = Line()
    await line.see(nbirth())
    line.host.disconnected()
    assert line.asked == []
    line.host.connected()
    assert line.asked == [REQUEST]
    waiting = ndata(77)
    waiting.received_at = RECEIVED + timedelta(days=9000)
    born = nbirth(at=T0 + 1)
    assert await passed_in_order(line, waiting, born) == [waiting, born]
    assert waiting.properties["sparkplug"]["aliases"] == {"1": "Temp"}
    assert born.properties["sparkplug"] == {"again": True}


async def test_connected_is_no_reconnect():
    """A transport that says again that it is connected has missed nothing."""
    line = Line()
    await line.see(nbirth())
    line.host.connected()
    assert (await line.see(ndata(1)))["aliases"] == {"1": "Temp"}
    assert line.asked == []


_HISTORY = st.lists(
    st.one_of(
        st.builds(nbirth, session=st.integers(0, 2), seq=st.integers(0, 3), dup=st.booleans()),
        st.builds(dbirth, seq=st.integers(0, 5), name=st.sampled_from(["Temp a", "Temp b"])),
        st.builds(ndata, st.integers(0, 5), alias=st.integers(1, 3), dup=st.booleans()),
        st.builds(ddata, st.integers(0, 5)),
        st.builds(ndeath, st.integers(0, 2)),
        st.builds(lambda seq: message("DDEATH", payload(seq=seq), device="Oven"), st.integers(0, 5)),
    ),
    max_size=20,
)


@given(_HISTORY)
async def test_same_history_same_events(history: list[RawMessage]):
    """Whatever nodes do in whatever order, each message is read, and the same history reads the same."""
    told: list[list[list[str]]] = []
    for _ in range(2):
        line = Line()
        line.host.send = None
        told.append([])
        for one in history:
            fresh = replace(one)
            await line.host.prepare(fresh)
            told[-1].append([part.id for part in line.host.adapter(fresh)])
            # what is kept of it reads the same without the host
            alone = SparkplugAdapter(SparkplugSettings.model_validate({"metrics": RULES}))
            kept = [part.id for part in alone(fresh)]
            assert kept == told[-1][-1] or fresh.properties["sparkplug"] == {"unborn": True}
    assert told[0] == told[1]


async def test_seen_before():
    """A message that the journal refused and that comes once more is not counted twice."""
    line = Line()
    await line.see(nbirth())
    one = ndata(1)
    await line.see(one)
    await line.see(one)
    await line.see(ndata(2))
    assert line.asked == []


async def test_not_for_us():
    """Garbage, commands and states are left as they are."""
    line = Line()
    for one in (
        message("NDATA", b"\xff"),
        message("NCMD", b""),
        RawMessage(b"", address="spBv1.0/STATE/x"),
    ):
        await line.host.prepare(one)
        assert "sparkplug" not in one.properties


def test_memory_is_bounded():
    """Nodes that were silent longest are forgotten when too many metrics are known."""
    births = Births()
    body = payload(*[metric(single(12, 0.0), name=f"m{at}", kind=9) for at in range(9990)], seq=0)
    learnt = read_payload(body)
    for at in range(MAX_KNOWN // 10_000 + 5):
        node = births.node(SparkplugTopic.parse(f"spBv1.0/G/NBIRTH/N{at}"))
        cost = node.cost
        birth = node.birth_of(None, RECEIVED)
        assert birth is not None
        birth.learn(learnt, RECEIVED)
        births.changed(node, cost)
    known = births.all()
    assert "G/N0" not in known
    assert sum(node.cost for node in known.values()) <= MAX_KNOWN


# --- with a bus -----------------------------------------------------------------------------------------


class Wire(BaseTransport):
    """A transport that the test brings messages to, and that answers a request for a birth."""

    def __init__(self, host: SparkplugHost, answers: list[RawMessage]) -> None:
        self.name = "mqtt"
        self.adapter = host.adapter
        self.published: list[tuple[str, int, bool]] = []
        self._answers = answers
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, intake: Intake) -> None:
        """Begin to receive."""
        self._intake = intake
        await intake.connected(self.name, "here")

    async def stop(self) -> None:
        """Receive no more."""
        await asyncio.gather(*self._tasks)

    async def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """Note what is published, and answer it."""
        assert payload
        self.published.append((topic, qos, retain))
        for one in self._answers:
            self.bring(one)

    def bring(self, one: RawMessage) -> None:
        """Receive a message, in a task of its own."""
        self._tasks.append(asyncio.create_task(self._intake.receive(one)))

    async def settle(self) -> None:
        """Return when all messages are taken in."""
        while pending := [task for task in self._tasks if not task.done()]:
            await asyncio.wait(pending, timeout=10)


class Notes(BaseHandler):
    """Notes what it gets."""

    event_types = (EventType.READINGS_RECORDED, EventType.ASSET_CONNECTED, EventType.ASSET_DISCONNECTED)

    def __init__(self) -> None:
        self.seen: list[Event] = []

    async def handle(self, event: Event) -> None:
        """Note it."""
        self.seen.append(event)


async def test_through_the_bus():
    """Data before a birth asks for it and becomes an event; a redelivery doubles nothing."""
    line = Line()
    wire = Wire(line.host, [nbirth()])
    notes = Notes()
    bus = AsyncEventBus(journal=MemoryJournal())
    bus.subscribe(notes)
    bus.register_transport(SparkplugTransport(wire, line.host))
    async with bus:
        wire.bring(ndata(7))
        await wire.settle()
        wire.bring(ndata(7, dup=True))
        wire.bring(message("NCMD", b""))
        wire.bring(ndeath())
        await wire.settle()
        await bus.drain()
        assert (await bus.journal.ledger()).difference == 0
    assert wire.published == [(REQUEST, 0, False)]
    told = sorted((event.event_type, event.metadata.message_name) for event in notes.seen)
    assert told == [
        (EventType.ASSET_CONNECTED, "NBIRTH"),
        (EventType.ASSET_DISCONNECTED, "NDEATH"),
        (EventType.READINGS_RECORDED, "NBIRTH"),
        (EventType.READINGS_RECORDED, "NDATA"),
    ]


async def test_replay_from_the_journal():
    """A dead letter for want of a birth is read again after it, through the bus."""
    line = Line(rebirth_patience=0.01)
    wire = Wire(line.host, [])
    notes = Notes()
    bus = AsyncEventBus(journal=MemoryJournal())
    bus.subscribe(notes)
    bus.register_transport(SparkplugTransport(wire, line.host))
    async with bus:
        wire.bring(ndata(7))
        await wire.settle()
        (letter,) = await bus.dead_letters.find()
        assert letter.error == "NoBirth"
        wire.bring(nbirth())
        await wire.settle()
        assert await bus.dead_letters.replay(Query(), from_raw=True) == 1
        await bus.drain()
        assert [event.metadata.message_name for event in notes.seen].count("NDATA") == 1
        assert not await bus.dead_letters.find()
        assert (await bus.journal.ledger()).difference == 0
