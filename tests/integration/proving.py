"""What the proofs share: numbered messages, a publisher with a spool, a bridge to kill, and the books."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx
from aiormq.exceptions import AMQPError
from brokers import Machine, RabbitMQ

import samples
from pywats_api import AsyncWATS
from pywats_api.server import LocalWATS
from pywats_events.journal import Ledger
from pywats_events.journal.sqlite import SQLiteJournal

TOKEN = "proof-t0ken"
TESTER = "//Acme/Line1/FCT01"
#: Stations with faults, by the serial numbers of their assets.
OVENS = {f"OVEN-{number}": f"//Acme/Line1/OVEN0{number}" for number in range(3)}
HANDLES = tuple(OVENS.values())
START = datetime(2026, 3, 17, 8, 0, tzinfo=UTC)
#: Seconds without a line in the log after which one looks whether all is there.
QUIET = 0.3


# --- messages -----------------------------------------------------------------------------------------------


def run_of(unit: str, run: int, *, at: str = TESTER) -> bytes:
    """Give the standard sample of a function test as the run of a unit; a later run begins later."""
    document = json.loads(samples.load("units_tested_fct"))
    begin = START + timedelta(minutes=run)
    (tested_unit,) = document["MessageBody"]["TestedUnits"]
    tested_unit["UnitIdentifier"] = unit
    for test in tested_unit["Tests"]:
        test["TestStartTime"] = begin.isoformat()
        test["TestEndTime"] = (begin + timedelta(seconds=9)).isoformat()
    document["MessageBody"]["TransactionId"] = _id(f"transaction {at} {unit} {run}")
    return _sealed(document, f"tested {at} {unit} {run}", at, begin + timedelta(seconds=10))


def installed_on(unit: str, number: int) -> bytes:
    """Give the standard sample of through-hole parts as installed on a unit."""
    document = json.loads(samples.load("materials_th"))
    for material in document["MessageBody"]["InstalledMaterials"]:
        material["UnitIdentifier"] = unit
    document["MessageBody"]["TransactionId"] = _id(f"installation {number}")
    moment = START + timedelta(seconds=number)
    return _sealed(document, f"installed {unit} {number}", "//Acme/Line1/THT01", moment)


def fault_at(station: str, number: int) -> bytes:
    """Give the standard sample of an oven's fault, with a code that is a number."""
    document = json.loads(samples.load("fault_temp"))
    moment = START + timedelta(seconds=number)
    said = document["MessageBody"]["Fault"]
    said["FaultCode"] = code_of(number)
    said["FaultOccurrenceId"] = _id(f"occurrence {station} {number}")
    said["OccurredAt"] = moment.isoformat()
    return _sealed(document, f"fault {station} {number}", station, moment)


def code_of(number: int) -> str:
    """Give a fault's code."""
    return f"OVEN-{number:06}"


def malformed(number: int) -> bytes:
    """Give the sample of a test, cut off in its middle, so that nobody can read it."""
    return run_of(f"CUT-{number}", number)[:-200]


def _sealed(document: dict[str, Any], name: str, source: str, moment: datetime) -> bytes:
    document |= {"UniqueID": _id(name), "Source": source, "TimeStamp": moment.isoformat()}
    return json.dumps(document, ensure_ascii=False).encode()


def _id(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))


async def publish(url: str, exchange: str, bodies: Sequence[bytes], *, window: int = 50) -> None:
    """Publish as machines with a spool do: in order, and again until the broker confirms.

    Args:
        url: of the broker.
        exchange: where to.
        bodies: the messages.
        window: so many at a time are on their way; when the connection is lost, all of them come again.
    """
    position = 0
    while position < len(bodies):
        try:
            async with asyncio.timeout(30), Machine(url) as machine:
                for position in range(position, len(bodies), window):  # noqa: B020  # goes on where it was
                    batch = bodies[position : position + window]
                    await asyncio.gather(*(machine.publish(exchange, body) for body in batch))
                position = len(bodies)
        except (AMQPError, OSError, TimeoutError):
            continue  # the broker is away; the attempt to connect takes the time


# --- the bridge ---------------------------------------------------------------------------------------------


def configuration(
    folder: Path,
    *,
    wats: str,
    port: int,
    unique: str,
    more: str = "",
    requests_per_minute: int = 1_000_000,
    lease: float = 30,
    **amqp: Any,
) -> Path:
    """Write a configuration for a bridge that reads what machines of ``Acme`` publish.

    Args:
        folder: where it is written, and where the journal will be.
        wats: address of WATS.
        port: of the broker.
        unique: ends the names of queue and exchange.
        more: further sections.
        requests_per_minute: the limit of WATS; by default none that is felt.
        lease: seconds after which other bridges take over.
        amqp: keys of the broker's section.
    """
    keys = {
        "host": "127.0.0.1",
        "port": port,
        "queue": f"bridge-{unique}",
        "exchange": f"cfx-{unique}",
        "binding_keys": ["Acme.#"],  # what the bridge says of itself is no part of the proof
        "reconnect_initial_delay": 0.1,
        "reconnect_max_delay": 0.3,
    } | amqp
    ovens = "".join(
        f'\n[[stations]]\nhandle = "{handle}"\nasset = "{asset}"\n' for asset, handle in OVENS.items()
    )
    path = folder / "bridge.toml"
    path.write_text(
        f"""
log_level = "debug"

[wats]
url = "{wats}"
token = "{TOKEN}"
requests_per_minute = {requests_per_minute}

[cfx.amqp]
{chr(10).join(f"{name} = {_toml(value)}" for name, value in keys.items())}

[delivery]
initial_delay = 0.05
max_delay = 0.5
reset_timeout = 0.2
max_retries = 60
lease = {lease}

[[stations]]
handle = "//Acme/Line1/FCT*"
process = 60
part_number = "PCB-100"
{ovens}
{more}
""",
        encoding="utf-8",
    )
    return path


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{name}" = {_toml(one)}' for name, one in value.items()) + "}"
    return json.dumps(value)


class Watched:
    """A bridge as a process; its log is read all the time, and its end kept.

    Attributes:
        lines: how many lines it has logged.
        tail: the last of them.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines = 0
        self.tail: deque[str] = deque(maxlen=400)
        self._more = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, config: Path) -> Watched:
        """Start it; whoever does so sees to its end."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pywats_bridge", "run", "--config", str(config)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        return cls(process)

    @classmethod
    @asynccontextmanager
    async def started(cls, config: Path) -> AsyncIterator[Watched]:
        """Start it; it is killed at the end if it still runs then."""
        bridge = await cls.start(config)
        try:
            yield bridge
        finally:
            await bridge.kill()

    async def says(self, number: int = 1, *, within: float | None = None) -> None:
        """Wait until it has logged so many lines more, or for so many seconds; at its end there are none."""
        wanted = self.lines + number
        try:
            async with asyncio.timeout(within):
                while self.lines < wanted and not self._reading.done():
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            if within is None:
                raise

    async def until(self, is_so: Callable[[], Awaitable[bool]], *, seconds: float = 120.0) -> None:
        """Wait until something holds; it is looked at when the bridge has said something, or falls silent."""
        try:
            async with asyncio.timeout(seconds):
                while not await is_so():
                    assert self.process.returncode is None, "\n".join(self.tail)
                    await self.says(20, within=QUIET)
        except TimeoutError:
            raise AssertionError("it does not come:\n" + "\n".join(self.tail)) from None

    async def kill(self) -> None:
        """End it without a word (SIGKILL)."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._reading

    async def end(self) -> None:
        """End it as a service manager does, once it has begun."""
        if self.lines == 0:
            await self.says(within=60)
        self.process.terminate()
        async with asyncio.timeout(60):
            assert await self.process.wait() == 0, "\n".join(self.tail)

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines += 1
            self.tail.append(line.decode(errors="replace").rstrip("\n"))
            self._more.set()
        self._more.set()


async def there_is(broker: RabbitMQ, queue: str) -> bool:
    """Tell whether the bridge has made its queue: what is published before goes nowhere."""
    return queue in await asyncio.to_thread(broker.ctl, "list_queues", "name")


# --- what came of it ----------------------------------------------------------------------------------------


@asynccontextmanager
async def local_wats(folder: Path) -> AsyncIterator[LocalWATS]:
    """Run a WATS that knows the ovens."""
    async with LocalWATS(folder / "wats.sqlite", token=TOKEN) as wats:
        async with AsyncWATS(base_url=wats.url, token=TOKEN) as api:
            (station,) = await api.asset.get_asset_types("typeName eq 'Station'", top=1)
            for asset in OVENS:
                await api.asset.create_asset(asset, str(station.type_id))
        yield wats


async def reports_in(wats: LocalWATS) -> list[dict[str, Any]]:
    """Give all reports with what WATS knows of their coming, the one that came last at the end."""
    rows: list[dict[str, Any]] = []
    async with httpx.AsyncClient(base_url=wats.url, timeout=60) as client:
        while True:
            answer = await client.get("/local/reports", params={"top": 5000, "skip": len(rows)})
            page = answer.raise_for_status().json()
            rows += page
            if len(page) < 5000:
                return rows[::-1]


async def counted(wats: LocalWATS) -> dict[str, int]:
    """Give how many reports WATS has, and how many it got."""
    async with httpx.AsyncClient(base_url=wats.url, timeout=60) as client:
        counts: dict[str, int] = (await client.get("/local/counts")).raise_for_status().json()
        return counts


async def lines_in(wats: LocalWATS) -> list[str]:
    """Give the lines about faults in the logs of all assets, oldest first."""
    async with httpx.AsyncClient(base_url=wats.url, timeout=60) as client:
        answer = await client.get(
            "/api/Asset/Log", params={"$top": 10_000}, headers={"Authorization": f"Basic {TOKEN}"}
        )
        lines = sorted(answer.raise_for_status().json(), key=lambda line: line["logId"])
    said = [line.get("comment") or line.get("value") or "" for line in lines]
    return [line for line in said if line.startswith("Fault ")]


def in_order(reports: Sequence[dict[str, Any]], *, by_start: bool = True) -> dict[str, list[str]]:
    """Give each unit's starts in the order of the reports, and look that it is the order of the tests.

    A report that was sent again, after a crash, counts with its first coming and with its last.

    Args:
        reports: as ``reports_in`` gives them.
        by_start: the order is that of the starts; else it is the same for first and last comings.
    """
    units: dict[str, list[str]] = {}
    for row in sorted(reports, key=lambda row: row["Report_ID"]):
        units.setdefault(row["body"]["sn"], []).append(row["body"]["start"])
    last: dict[str, list[str]] = {}
    for row in reports:
        last.setdefault(row["body"]["sn"], []).append(row["body"]["start"])
    for unit, starts in units.items():
        moments = [datetime.fromisoformat(start) for start in starts]
        assert not by_start or moments == sorted(moments), f"{unit} came in the order {starts}"
        assert starts == last[unit], f"{unit} came again in the order {last[unit]}"
    return units


async def books_of(path: Path) -> Ledger:
    """Open the journal of a bridge that has ended, look that it is sound and balances, and give its books."""
    journal = SQLiteJournal(path)
    await journal.open()
    try:
        assert await journal.check() == []
        ledger = await journal.ledger()
        assert ledger.difference == 0
        return ledger
    finally:
        await journal.close()
