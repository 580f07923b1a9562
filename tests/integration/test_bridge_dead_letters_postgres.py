"""The commands on a journal in PostgreSQL, where whoever has its URL may write, beside any bridges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from test_bridge_dead_letters import call
from test_bridge_run import units_tested

from pywats_cfx import cfx_adapter
from pywats_events import AsyncEventBus, BaseHandler, Event, EventType, PermanentError, RawMessage
from pywats_events.journal.postgres import PostgresJournal

if TYPE_CHECKING:
    from brokers.postgres import PostgreSQL


class Report(BaseHandler):
    """Refuses everything until it is mended."""

    name = "report"
    event_types = (EventType.TEST_RESULT,)

    def __init__(self) -> None:
        self.is_mended = False

    async def handle(self, event: Event) -> None:
        """Refuse it or not."""
        if not self.is_mended:
            raise PermanentError(f'unit "{event.payload["unit_id"]}": refused')


async def test_the_same_commands_work_on_postgres(postgres: PostgreSQL, tmp_path: Path) -> None:
    """Listed, told, discarded, put through again, pruned; nothing needs a bridge's answer."""
    url = postgres.fresh()
    config = tmp_path / "bridge.toml"
    (tmp_path / "url").write_text(url)
    config.write_text('[journal]\nkind = "postgres"\nurl_file = "url"\n')
    handler = Report()
    bus = AsyncEventBus(journal=PostgresJournal(url))
    bus.subscribe(handler)
    async with bus:
        for serial in ("SN-1", "SN-Ω"):
            await bus.receive(RawMessage(body=units_tested(serial), transport="cfx"), cfx_adapter)
        assert await bus.drain(timeout=30)

        (group,) = await call(config, "dead-letters", "list")
        assert group["letters"] == 2
        assert (await call(config, "trace", "SN-Ω"))[-1]["what"] == "dead"
        (letter,) = await call(config, "dead-letters", "list", "--flat", "--unit", "SN-1")
        assert await call(config, "dead-letters", "discard", letter["id"], "--reason", "x") == [
            {"discarded": 1}
        ]
        handler.is_mended = True
        (job,) = await call(config, "dead-letters", "replay", "--all")
        assert (job["state"], job["put_through"]) == ("done", 1)
        (books,) = await call(config, "ledger")
        assert (books["messages"]["cfx"]["done"], books["difference"]) == (1, 0)
        (stats,) = await call(config, "journal", "stats")
        assert (stats["bridge_runs"], stats["journal"]) == (None, "PostgreSQL")
        assert await call(config, "journal", "prune", "--older", "0s") == [{"removed": 2}]
