"""Who wants to know of each dead letter hears of it once, whatever happens in between."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

import pytest

from pywats_events import AsyncEventBus, Event, EventType, PermanentError
from pywats_events.journal import Completed, DeliveryState, Query, Receipt, Routed
from pywats_events.journal.sqlite import SQLiteJournal

from .bus_steps import drained, publish
from .doubles import PATIENCE, Recorder, Scripted, result_of
from .test_journal import H, bury, claim, claim_one, ids, receipt, settle

#: A bus that is killed when a burial is committed, before anybody hears of it.
KILLED_AT_A_BURIAL = """
import asyncio, os, signal, sys
from pywats_events import AsyncEventBus, BaseHandler, Event, EventType, PermanentError
from pywats_events.journal import Bury
from pywats_events.journal.sqlite import SQLiteJournal

class Dies(SQLiteJournal):
    async def settle(self, verdicts, *, now):
        answer = await super().settle(verdicts, now=now)
        if any(isinstance(verdict, Bury) for verdict in verdicts):
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

class Refuses(BaseHandler):
    name = "reports"
    event_types = (EventType.TEST_RESULT,)
    async def handle(self, event):
        raise PermanentError("no such part")

class Listens(BaseHandler):
    name = "letters"
    event_types = (EventType.EVENT_DEAD_LETTER,)
    async def handle(self, event):
        print("heard", flush=True)

async def main():
    bus = AsyncEventBus(journal=Dies(sys.argv[1]))
    bus.subscribe(Refuses())
    bus.subscribe(Listens())
    async with bus:
        await bus.publish(Event(EventType.TEST_RESULT, {"unit_id": "SN-1"}, source="station"))
        await asyncio.sleep(60)

asyncio.run(main())
"""


def telling(name: str) -> Receipt:
    event = Event(EventType.EVENT_DEAD_LETTER, {"handler": H}, source="bus", id=name)
    return Receipt(events=(Routed(event, ("letters",)),))


async def test_what_tells_of_a_dead_letter_is_taken_in_with_it(journal):
    """One commit holds the dead letter and the event about it, which is an event as any other."""
    await journal.append([receipt(result_of("A", "a")), receipt(result_of("B", "b"))])
    first, second = await claim(journal)

    burial = replace(bury(first), tell=telling("told"))
    assert set(await settle(journal, burial, Completed(second, {"n": 1}))) == {"a", "b"}

    told = await claim_one(journal, handlers=("letters",), seconds=10**9)
    assert (told.event.id, told.event.event_type) == ("told", EventType.EVENT_DEAD_LETTER)
    assert await settle(journal, Completed(told)) == ["told"]
    ledger = await journal.ledger()
    assert (ledger.difference, ledger.messages[""].done, ledger.messages["amqp"].dead) == (0, 1, 1)


async def test_a_burial_that_is_void_tells_nothing(journal):
    """Who lost the lease did not bury it; who has it now may still deal with it."""
    await journal.append([receipt(result_of("A", "a"))])
    lost = await claim_one(journal, lease=5)
    held = await claim_one(journal, seconds=6)

    assert await settle(journal, replace(bury(lost), tell=telling("void")), seconds=7) == []
    assert await settle(journal, Completed(held), seconds=7) == ["a"]
    assert await claim(journal, handlers=("letters",), seconds=10**9) == []
    assert [entry.state for entry in await journal.search(Query())] == [DeliveryState.DONE]


async def test_of_several_burials_each_is_told(journal):
    """Those that hold, each once."""
    await journal.append([receipt(result_of(f"U{n}", f"e{n}")) for n in range(3)])
    claimed = await claim(journal)
    verdicts = [replace(bury(one), tell=telling(f"told {one.event.id}")) for one in claimed]
    await settle(journal, *verdicts)
    await settle(journal, *verdicts)

    told = ids(await claim(journal, handlers=("letters",), seconds=10**9))
    assert set(told) == {"told e0"}  # one of a key at a time
    assert len(await journal.search(Query(handler="letters"))) == 3


async def test_a_bus_tells_of_a_dead_letter_once(quick):
    """Of what one handler refused another one hears, with its cause."""
    letters = Recorder([EventType.EVENT_DEAD_LETTER], name="letters")
    async with AsyncEventBus(retry_policy=quick) as bus:
        bus.subscribe(Scripted(PermanentError("no such part")))
        bus.subscribe(letters)
        heard: list[Event] = []
        bus.on_event(heard.append)
        await publish(bus, "SN-1")
        await drained(bus)
        (told,) = letters.seen
        assert (told.payload["unit_id"], told.payload["reason"]) == ("SN-1", "no such part")
        assert told in heard


@pytest.mark.timeout(60)
async def test_a_process_killed_right_after_a_burial_has_told_of_it(tmp_path):
    """Nobody heard of it before the kill; the next one to run hears of it, once."""
    path = tmp_path / "journal.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED_AT_A_BURIAL, str(path), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE):
        out, _ = await process.communicate()
    assert (process.returncode, b"heard" in out) == (-9, False)

    letters = Recorder([EventType.EVENT_DEAD_LETTER], name="letters")
    for _ in range(2):
        bus = AsyncEventBus(journal=SQLiteJournal(path))
        bus.subscribe(letters)
        async with bus:
            await drained(bus)
    assert [event.payload["unit_id"] for event in letters.seen] == ["SN-1"]
