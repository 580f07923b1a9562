"""A process that reads a quorum queue into a journal, and crashes at a message that holds ``CRASH``.

``python crashing_worker.py PROTOCOL PORT NAME LIMIT JOURNAL COUNT``: it ends with 0 when the journal has so
many messages, and with 9 when it has crashed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pywats_cfx import AMQPConfig, CFXConfig, CFXTransport
from pywats_cfx.adapter import cfx_adapter
from pywats_events import AsyncEventBus, Event, RawMessage
from pywats_events.journal import MessageSums
from pywats_events.journal.sqlite import SQLiteJournal
from pywats_events.message import Unreadable


def crashing_adapter(message: RawMessage) -> Sequence[Event | Unreadable]:
    """Read a message, unless it is one that ends the process at once."""
    if b"CRASH" in message.body:
        os._exit(9)
    return cfx_adapter(message)


async def main(config: AMQPConfig, path: Path, count: int) -> None:
    """Take in until there is enough."""
    journal = SQLiteJournal(path)
    bus = AsyncEventBus(journal=journal)
    bus.register_transport(CFXTransport(CFXConfig(amqp=config), adapter=crashing_adapter))
    came = asyncio.Event()
    bus.on_event(lambda _: came.set())
    async with bus:
        while await taken(journal) < count:
            await came.wait()
            came.clear()


async def taken(journal: SQLiteJournal) -> int:
    """Count the different messages in the journal."""
    sums = (await journal.ledger()).messages.get("cfx", MessageSums())
    return sums.received - sums.repeated


def settings(protocol: str, port: int, name: str, limit: int) -> AMQPConfig:
    """Give how such a queue is read."""
    arguments: dict[str, str | int | bool] = {"x-queue-type": "quorum", "x-delivery-limit": limit}
    return AMQPConfig.model_validate(
        {
            "protocol": protocol,
            "host": "127.0.0.1",
            "port": port,
            "queue": name,
            "exchange": f"{name}-machines",
            "queue_arguments": arguments,
            "reconnect_initial_delay": 0.05,
            "reconnect_max_delay": 0.2,
        }
    )


if __name__ == "__main__":
    protocol, port, name, limit, path, count = sys.argv[1:]
    asyncio.run(main(settings(protocol, int(port), name, int(limit)), Path(path), int(count)))
