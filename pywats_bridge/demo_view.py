"""What the demo shows: live while it runs, and a summary at the end."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pywats_bridge.printing import counted
from pywats_events import Event, EventType
from pywats_events.journal import DeliveryState, Stats

if TYPE_CHECKING:
    from pywats_bridge.demo import Outcome

_LINES: Final = 8
_DEAD_SHOWN: Final = 6
_COLORS: Final = {"passed": "green", "failed": "red", "skipped": "yellow"}
#: Seconds between two lines where no terminal shows a live page.
_LINE_EVERY: Final = 5.0
_FRAME_EVERY: Final = 0.25


class Page:
    """The live page.

    Args:
        total: messages that will be sent.
        url: address of the local WATS.
        asked: boards that stations asked about, by the answer.
    """

    def __init__(self, *, total: int, url: str, asked: Counter[str]) -> None:
        self._total = total
        self._asked = asked
        self._url = url
        self._news: deque[Text] = deque(maxlen=_LINES)
        self._console = Console(highlight=False)

    def note(self, event: Event) -> None:
        """Remember an event for the list of news."""
        line = _news(event)
        if line is not None:
            self._news.append(line)

    @asynccontextmanager
    async def shown(self, stats: Callable[[], Awaitable[Stats]]) -> AsyncIterator[None]:
        """Show it while the code inside runs."""
        show = self._live if self._console.is_terminal else self._lines
        showing = asyncio.create_task(show(stats), name="demo page")
        try:
            yield
        finally:
            showing.cancel()
            await asyncio.wait([showing])

    async def _live(self, stats: Callable[[], Awaitable[Stats]]) -> None:
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            while True:
                live.update(self._page(await stats()), refresh=True)
                await asyncio.sleep(_FRAME_EVERY)

    async def _lines(self, stats: Callable[[], Awaitable[Stats]]) -> None:
        while True:
            now = await stats()
            self._console.print(
                f"messages {_received(now)}/{self._total}  events {now.events}  reports {_reports(now)}  "
                f"faults logged {_faults(now)}  dead letters {now.count(DeliveryState.DEAD)}  "
                f"asked {sum(self._asked.values())}",
                soft_wrap=True,
            )
            await asyncio.sleep(_LINE_EVERY)

    def _page(self, now: Stats) -> RenderableType:
        numbers = Table.grid(padding=(0, 3))
        numbers.add_row(*(Text(name, style="dim") for name in _NUMBERS))
        numbers.add_row(*(Text(str(number(now)), style="bold") for number in _NUMBERS.values()))
        bar = Table.grid()  # a bar alone does not end its line
        bar.add_row(ProgressBar(total=self._total, completed=_received(now), width=60))
        title = Text("Simulated SMT line -> pywats-bridge -> local WATS", style="bold")
        asked = Text(f"boards asked about before work: {_may(self._asked)}", style="dim")
        where = Text(f"reports: {self._url}", style="dim")
        return Group(title, where, bar, numbers, asked, Text(), *self._news)


def _may(asked: Counter[str]) -> str:
    """Say how questions about boards were answered."""
    return f"{asked['Passed']} may go on, {asked['Failed']} may not, {asked['Skipped']} not checked"


def _received(now: Stats) -> int:
    return sum(now.received.values())


def _reports(now: Stats) -> int:
    return now.deliveries.get("report", {}).get(DeliveryState.DONE, 0)


def _faults(now: Stats) -> int:
    return now.deliveries.get("asset-faults", {}).get(DeliveryState.DONE, 0)


_NUMBERS: Final[dict[str, Callable[[Stats], int]]] = {
    "messages": _received,
    "events": lambda now: now.events,
    "repeats": lambda now: sum(now.duplicates.values()),
    "reports": _reports,
    "faults logged": _faults,
    "on their way": lambda now: now.open,
    "dead letters": lambda now: now.count(DeliveryState.DEAD),
}


def _news(event: Event) -> Text | None:
    station = event.source.rsplit("/", 1)[-1]
    payload = event.payload
    match event.event_type:
        case EventType.TEST_RESULT | EventType.INSPECTION_RESULT:
            result = str(payload.get("result"))
            place = f" at {payload['position']}" if payload.get("position") is not None else ""
            return Text.assemble(
                (f"{station:<9}", "cyan"),
                (f"{result:<8}", _COLORS.get(result, "magenta")),
                f"{payload.get('unit_id')}{place}",
            )
        case EventType.ASSET_FAULT:
            said = payload.get("description") or payload.get("fault_code") or ""
            return Text.assemble((f"{station:<9}", "cyan"), ("fault   ", "red"), str(said))
        case EventType.WORK_STARTED:
            return Text.assemble(
                (f"{station:<9}", "cyan"), ("work    ", "dim"), str(payload.get("panel_id") or "")
            )
    return None


def show_summary(outcome: Outcome, *, where: str) -> None:
    """Print what was sent, what arrived, and what is wrong."""
    console = Console(highlight=False, soft_wrap=True)
    console.print()
    console.print(_stations(outcome))
    console.print(_sums(outcome))
    for entry in outcome.dead[:_DEAD_SHOWN]:
        said = f"dead letter from {entry.source or '?'}: {entry.reason}"
        console.print(Text(_cut(said), style="yellow"))
    if len(outcome.dead) > _DEAD_SHOWN:
        console.print(
            Text(f"and {counted(len(outcome.dead) - _DEAD_SHOWN, 'more dead letter')}", style="yellow")
        )
    losses = outcome.losses()
    for loss in losses:
        console.print(Text(f"LOST OR DOUBLED: {loss}", style="bold red"))
    if not losses:
        console.print(
            Text(
                "Every unit that the line tested has its report; nothing lost, nothing doubled.", "bold green"
            )
        )
    console.print(f"\nLook further: {where}\nand open http://127.0.0.1:8080 (reports with steps and limits)")


def _stations(outcome: Outcome) -> Table:
    table = Table(title="What the line says, and what WATS has", title_justify="left")
    table.add_column("station")
    for name in ("tested", "passed", "failed", "skipped", "reports", "passed in WATS", "failed in WATS"):
        table.add_column(name, justify="right")
    for handle, told in {**outcome.truth.inspected, **outcome.truth.tested}.items():
        station = handle.rsplit("/", 1)[-1]
        found = outcome.reports.get(station, Counter())
        numbers = [told["Passed"] + told["Failed"], told["Passed"], told["Failed"], told["Skipped"]]
        numbers += [found.total(), found["Passed"], found["Failed"]]
        table.add_row(station, *map(str, numbers))
    return table


def _sums(outcome: Outcome) -> Table:
    stats, truth = outcome.stats, outcome.truth
    reports = sum(found.total() for found in outcome.reports.values())
    failed = sum(found["Failed"] for found in outcome.reports.values())
    repeats = sum(stats.duplicates.values())
    rows = {
        "messages": f"{_received(stats)} received, of {truth.messages} sent",
        "repeats": f"{repeats} events (messages sent twice: {truth.duplicates}); none was doubled",
        "events": f"{stats.events}, of which {stats.unwanted} told only what others need, or had no handler",
        "reports in WATS": f"{reports} (of failed units: {failed})",
        "dropped by rule": f"{stats.count(DeliveryState.DROPPED)} (boards marked bad make no report)",
        "asked before work": f"{sum(outcome.asked.values())} boards: {_may(outcome.asked)}",
        "faults logged": f"{outcome.faults_logged} lines (faults that came and went: {truth.faults})",
        "dead letters": f"{len(outcome.dead)} (messages sent broken on purpose: {truth.bad_messages})",
        "took": f"{outcome.seconds:.0f} s",
    }
    table = Table.grid(padding=(0, 2))
    for name, said in rows.items():
        table.add_row(Text(name, style="bold"), said)
    return table


def _cut(text: str, length: int = 220) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def where_to_look(db: Path) -> str:
    """Give the command that shows the reports again."""
    python = Path(".venv") / "bin" / "python"
    return f'{python if python.exists() else "python"} -m pywats_api.server --port 8080 --db "{db}"'
