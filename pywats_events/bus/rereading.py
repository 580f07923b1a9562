"""Reading kept messages again, after the adapter that could not read them was mended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pywats_events.bus.intake import IntakeDesk
from pywats_events.journal import Amended, Journal
from pywats_events.transports.base import BaseTransport


class Rereading:
    """Reads raw messages again with the adapters of today, and amends the journal by what they say.

    Args:
        journal: where the messages are kept.
        desk: makes receipts of messages, with the bus's routes and observers.
        transports: the bus's transports by name; a message is read by the adapter of the one it came by.
    """

    def __init__(self, journal: Journal, desk: IntakeDesk, transports: Mapping[str, BaseTransport]) -> None:
        self._journal = journal
        self._desk = desk
        self._transports = transports

    async def read_again(self, message_id: str | None) -> Amended:
        """Read a message again.

        Returns:
            What changed; nothing if today's reading is that of before.

        Raises:
            LookupError: the message is kept no more, or its transport is not on this bus.
            JournalError: the journal can't be read or written.
        """
        if message_id is None:
            raise LookupError("it was published without a message, so there is nothing to read again")
        record = await self._journal.raw(message_id)
        if record is None:
            raise LookupError(f"message {message_id}: its bytes are kept no more")
        transport = self._transports.get(record.transport)
        if transport is None:
            raise LookupError(
                f'message {message_id}: it came by transport "{record.transport}", which this bus does not '
                "have; add it to the configuration, or replay from the event"
            )
        reading = self._desk.reading(record.to_message(), transport.adapter)
        return await self._journal.amend(message_id, reading, now=datetime.now(UTC))
