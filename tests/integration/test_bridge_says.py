"""What a bridge and its commands say of themselves at their beginning and at their end."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from bridge_process import BridgeProcess

from pywats_api.server import LocalWATS
from pywats_events import AsyncEventBus, BaseHandler, DestinationUnavailable, Event, EventType
from pywats_events.journal.sqlite import SQLiteJournal

pytestmark = pytest.mark.timeout(120)


class Away(BaseHandler):
    """The report handler of a bridge whose WATS is away."""

    name = "report"
    event_types = (EventType.TEST_RESULT,)

    async def handle(self, event: Event) -> None:
        """Give up."""
        raise DestinationUnavailable("WATS", f"away for {event.key}")


def configured(folder: Path) -> Path:
    """Write a configuration for a bridge that listens to machines, and whose WATS is nowhere."""
    path = folder / "bridge.toml"
    path.write_text(
        '[wats]\nurl = "http://127.0.0.1:9"\ntoken = "t"\n'
        '[cfx.endpoint]\ncfx_handle = "Acme.MES.1"\nlisten = "amqp://127.0.0.1:0"\n',
        encoding="utf-8",
    )
    return path


async def test_the_first_line_tells_where_it_resumes_and_the_last_that_it_is_over(tmp_path: Path) -> None:
    """Who starts it again after a crash sees at once that nothing is lost, and in which file it is."""
    config = configured(tmp_path)
    file = tmp_path / "pywats-bridge.journal"
    bus = AsyncEventBus(journal=SQLiteJournal(file))
    bus.subscribe(Away())
    async with bus:
        for unit in ("U1", "U2", "U3"):
            await bus.publish(Event(EventType.TEST_RESULT, {"unit_id": unit}, source="station"))
    async with BridgeProcess.started(config) as bridge:
        said = await bridge.logged("bridge runs")
        assert (said["journal"], said["waiting"], said["dead_letters"]) == (str(file), 3, 0)
        bridge.signal(signal.SIGTERM)
        await bridge.logged("bridge has ended")
        assert await bridge.ended() == 0


async def test_a_wats_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    """Nobody has to wait for the first report to hear of a wrong address; the bridge goes on all the same."""
    async with BridgeProcess.started(configured(tmp_path)) as bridge:
        said = await bridge.logged("WATS can't be used for now")
        assert "127.0.0.1:9" in said["reason"]
        bridge.signal(signal.SIGTERM)
        assert await bridge.ended() == 0


async def test_a_wats_that_refuses_the_token_is_told_at_the_start(tmp_path: Path) -> None:
    """The same with a token that was mistyped; it stands in no line. A right one is told, too."""
    async with LocalWATS(tmp_path / "wats.sqlite", token="right") as wats:
        for token, said in (("wr0ng", "401 Unauthorized"), ("right", "WATS answers")):
            config = configured(tmp_path)
            text = config.read_text(encoding="utf-8").replace("http://127.0.0.1:9", wats.url)
            config.write_text(text.replace('"t"', f'"{token}"'), encoding="utf-8")
            async with BridgeProcess.started(config) as bridge:
                await bridge.logged(said)
                bridge.signal(signal.SIGTERM)
                assert await bridge.ended() == 0
                assert "wr0ng" not in "".join(bridge.lines)


async def test_an_interrupted_command_says_nothing_of_its_insides(tmp_path: Path) -> None:
    """Ctrl-C while a command still loads ends it with 130, not with a page of Python."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "importtime", "-m", "pywats_bridge", "ledger"),
        *("--config", str(configured(tmp_path))),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(60):
        async for line in process.stderr:
            if line.split()[-1:] == [b"structlog"]:
                break
        process.send_signal(signal.SIGINT)
        said = await process.stderr.read()
        assert await process.wait() == 130
    assert b"Traceback" not in said
