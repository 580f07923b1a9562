"""A bridge as a process, to be killed: reads MQTT into a journal in a file, or in PostgreSQL.

``python mqtt_worker.py CONFIG JOURNAL CRASH_AT``: CONFIG is JSON, JOURNAL a path or URL. It prints
``subscribed``, ``connected`` when a bridge on its journal is (with a file: itself), and the body of each
message that it has made an event. With CRASH_AT above 0 it ends at once, with 9, when the journal has so many
messages and the last of them is to be acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from mqtt_steps import Taker, one_event

from pywats_events import AsyncEventBus, BaseHandler, Event, EventType
from pywats_events.journal import Journal
from pywats_events.journal.sqlite import SQLiteJournal
from pywats_events.transports.mqtt import MQTTConfig, MQTTTransport


class CrashingTransport(MQTTTransport):
    """Ends the process between the journal's commit and an acknowledgement."""

    crash_at = 0
    acknowledged = 0

    async def _announce_connected(self, *arguments: Any) -> None:
        say("subscribed")
        await super()._announce_connected(*arguments)

    async def _acknowledge(self, *arguments: Any) -> None:
        self.acknowledged += 1
        if self.acknowledged == self.crash_at:
            os._exit(9)
        await super()._acknowledge(*arguments)


class Announcer(BaseHandler):
    """Tells when messages can come."""

    event_types = (EventType.TRANSPORT_CONNECTED,)

    async def handle(self, event: Event) -> None:  # noqa: ARG002
        """Tell."""
        say("connected")


def say(line: str) -> None:
    """Tell the other side, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def note(event: Event) -> None:
    """Tell of an event."""
    if event.event_type is EventType.CUSTOM:
        say(event.payload["body"])


def journal_at(place: str) -> Journal:
    """Give the journal of a path or URL."""
    if place.startswith("postgres"):
        from pywats_events.journal.postgres import PostgresJournal  # not all need it

        return PostgresJournal(place)
    return SQLiteJournal(Path(place))


async def main(config: MQTTConfig, place: str, crash_at: int) -> None:
    """Read until killed."""
    journal = journal_at(place)
    transport = CrashingTransport(config, adapter=one_event, journal=journal)
    transport.crash_at = crash_at
    bus = AsyncEventBus(journal=journal)
    bus.register_transport(transport)
    bus.subscribe(Taker())
    bus.subscribe(Announcer())
    bus.on_event(note)
    async with bus:
        await asyncio.Event().wait()


if __name__ == "__main__":
    given, place, crash_at = sys.argv[1:]
    asyncio.run(main(MQTTConfig.model_validate_json(given), place, int(crash_at)))
