"""Writes docs/handlers.md from the docstrings of the handlers, so that it can't be wrong.

``--check`` writes nothing and fails when the page is not what it should be.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Final

import handlers
from handlers import asset, line_facts, result_facts, unit_facts
from pywats_events import BaseHandler

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "handlers.md"
KINDS: Final[tuple[type[BaseHandler], ...]] = (
    handlers.ReportHandler,
    handlers.RepairHandler,
    handlers.MaterialHandler,
    handlers.AssemblyHandler,
    handlers.ProductionHandler,
    asset.FaultHandler,
    handlers.TicketHandler,
    handlers.StateHandler,
    handlers.UpkeepHandler,
    handlers.NotesHandler,
    handlers.ToolUseHandler,
    handlers.ToolCountHandler,
)

HEAD: Final = """# What the handlers make of events in WATS

Each handler's page is its docstring; `scripts/handlers_page.py` writes it here. What CFX messages become
events of these types stands in [messages](messages.md), the keys in backticks in
[configuration](configuration.md).

`pywats-bridge convert FILE --config bridge.toml` shows for messages of your own which calls they become and
which rule gave what; `pywats-bridge trace UNIT` shows it for what has happened.

Deliveries of one handler and one unit (or station) run in order. Each handler has its own deliveries, so a
dead letter of one says nothing of the others, and each can be replayed by itself: repeating one changes
nothing in WATS.

Events go to other systems as well, to webhooks and MQTT topics: [outgoing](outgoing.md).

## Your own handlers

```toml
handlers = ["acme.handlers:Labels"]
```

```python
from pywats_events import BaseHandler, EventType


class Labels(BaseHandler):
    name = "labels"
    event_types = [EventType.UNIT_INITIALIZED]

    def __init__(self, api, memory):  # ask for any of: api, rules, memory
        self.api = api

    async def handle(self, event): ...
```

Or let a package name it under the entry point `pywats_bridge.handlers`. One that can't be had is one line of
`pywats-bridge check`.
"""

FACTS: Final = """## What earlier events teach

Written down when an event comes in, before any handler runs, and asked for by the handlers.
"""


def main() -> int:
    """Write or check the page."""
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write("docs/handlers.md is not what the handlers say: python scripts/handlers_page.py\n")
    return 1


def page() -> str:
    """Give the page's text."""
    kinds = [f"## {kind.name}\n\n{_plain(inspect.getdoc(kind) or '')}\n" for kind in KINDS]
    facts = [inspect.getdoc(unit_facts.facts_of), inspect.getdoc(result_facts.results_taught)]
    tables = [_table(text or "") for text in (*facts, _comments(line_facts.__file__ or ""))]
    return "\n".join([HEAD, *kinds, FACTS, *tables]).rstrip() + "\n"


def _plain(text: str) -> str:
    return text.replace("``", "`")


def _table(text: str) -> str:
    rows = [line.strip() for line in text.splitlines() if line.strip().startswith("|")]
    return _plain("\n".join(rows)) + "\n"


def _comments(path: str) -> str:
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return "\n".join(line.removeprefix("#: ") for line in lines if line.startswith("#: |"))


if __name__ == "__main__":
    raise SystemExit(main())
