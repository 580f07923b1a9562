"""What the journal has of a transport's last messages."""

from __future__ import annotations

from typing import Final

from pywats_events.journal.interface import Journal
from pywats_events.journal.records import Query, RawRecord

#: Entries that are looked at in one go.
_PAGE: Final = 500
#: Entries that are looked at in all, for each message that is wanted: others fill the same journal.
_MOST_PER_MESSAGE: Final = 4


async def last_messages(journal: Journal, transport: str, *, limit: int) -> list[RawRecord]:
    """Give the messages that a transport brought last, the oldest first.

    Args:
        journal: where to look.
        transport: its name.
        limit: most messages to give.

    Raises:
        JournalError: it can't be read.
    """
    found: dict[str, RawRecord | None] = {}
    wanted: list[RawRecord] = []
    after: str | None = None
    for _ in range(max(1, limit * _MOST_PER_MESSAGE // _PAGE)):
        entries = await journal.search(Query(limit=_PAGE, after=after, newest_first=True))
        for entry in entries:
            if entry.message_id is None or entry.message_id in found:
                continue
            record = found[entry.message_id] = await journal.raw(entry.message_id)
            if record is not None and record.transport == transport:
                wanted.append(record)
                if len(wanted) == limit:
                    return wanted[::-1]
        if len(entries) < _PAGE:
            break
        after = entries[-1].id
    return wanted[::-1]
