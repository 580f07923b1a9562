"""How the tests of the command line come to a journal with dead letters in it."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from typer.testing import CliRunner

import samples
from pywats_bridge.cli import app
from pywats_bridge.requests import answering
from pywats_cfx import cfx_adapter
from pywats_events import AsyncEventBus, BaseHandler, Done, Event, EventType, PermanentError, RawMessage
from pywats_events.journal.sqlite import SQLiteJournal
from pywats_events.transports import MockTransport

STATION = "//Acme/Line1/FCT01"


class Report(BaseHandler):
    """Refuses units of some names, as WATS would."""

    name = "report"
    event_types = (EventType.TEST_RESULT,)

    def __init__(self, *refused: str) -> None:
        self.refused = set(refused)
        self.tried: list[str] = []

    async def handle(self, event: Event) -> Done:
        """Refuse it or not."""
        unit = event.payload["unit_id"]
        self.tried.append(unit)
        if unit in self.refused:
            raise PermanentError(f'unit "{unit}": WATS refused the report')
        return Done({"report": f"R-{unit}"})


class WhenAllAreHere(Report):
    """Begins when every message is in the journal, so that their ids are those of their order.

    What tells of a dead letter is an event with an id too, wherever it comes between.
    """

    def __init__(self, *refused: str) -> None:
        super().__init__(*refused)
        self.all_are_here = asyncio.Event()

    async def handle(self, event: Event) -> Done:
        """Wait, then refuse it or not."""
        await self.all_are_here.wait()
        return await super().handle(event)


def units_tested(serial: str, number: int = 1) -> bytes:
    """One unit's functional test."""
    document = json.loads(samples.load("units_tested_fct"))
    document["UniqueID"] = str(UUID(int=number))
    document["MessageBody"]["TestedUnits"][0]["UnitIdentifier"] = serial
    return json.dumps(document, ensure_ascii=False).encode()


def message(body: bytes) -> RawMessage:
    return RawMessage(body=body, transport="cfx", address="line1")


def configured(folder: Path, text: str = "") -> Path:
    """Write a configuration that says nothing but where the journal is."""
    path = folder / "bridge.toml"
    path.write_text(text or "[journal]\npath = 'bridge.journal'\n", encoding="utf-8")
    return path


def journal_of(config: Path) -> SQLiteJournal:
    return SQLiteJournal(config.parent / "bridge.journal")


@asynccontextmanager
async def running(config: Path, handler: BaseHandler) -> AsyncIterator[AsyncEventBus]:
    """A bridge's bus that works on the journal, and does what people ask for."""
    bus = AsyncEventBus(journal=journal_of(config))
    bus.subscribe(handler)
    bus.register_transport(MockTransport(name="cfx", adapter=cfx_adapter))
    async with bus, answering(bus.journal, bus.dead_letters):
        yield bus


async def lay_in(config: Path, *bodies: bytes, refused: tuple[str, ...] = ()) -> None:
    """Bring messages into the journal and let them be handled."""
    handler = WhenAllAreHere(*refused)
    async with running(config, handler) as bus:
        for body in bodies:
            await bus.receive(message(body), cfx_adapter)
        handler.all_are_here.set()
        assert await bus.drain(timeout=30)


async def a_day(config: Path) -> None:
    """Lay in what the tests look at: 1 unreadable, 2 done, 3 and 4 dead of one cause; 4 came packed."""
    await lay_in(
        config,
        b"garbage",
        units_tested("SN-Ω", 2),
        units_tested("BAD-1", 3),
        gzip.compress(units_tested("BAD-2", 4)),
        refused=("BAD-1", "BAD-2"),
    )


class Called:
    """A command that ran to its end."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def rows(self) -> list[list[str]]:
        """The lines of a table in a pipe."""
        return [line.split("\t") for line in self.out.splitlines()]

    @property
    def documents(self) -> list[dict]:
        """The lines of ``--json``."""
        return [json.loads(line) for line in self.out.splitlines()]


async def started(config: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pywats_bridge", *_with_config(config, arguments)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def call(config: Path, *arguments: str) -> Called:
    """Run a command as another program would."""
    process = await started(config, *arguments)
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return Called(process.returncode or 0, out.decode(), err.decode())


def look(config: Path, *arguments: str) -> Called:
    """Run a command in this process, which is quicker; there must be no loop in this thread."""
    done = CliRunner().invoke(app, [*_with_config(config, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return Called(done.exit_code, done.stdout, done.stderr)


def _with_config(config: Path, arguments: tuple[str, ...]) -> list[str]:
    options = [one for one in arguments if one != "--"]
    rest = list(arguments)[arguments.index("--") :] if "--" in arguments else []
    return [*options[: len(arguments) - len(rest)], "--config", str(config), *rest]
