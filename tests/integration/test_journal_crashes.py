"""The journal in a file loses nothing, and its books balance, whatever ends its process, power or disk."""

# ruff: noqa: S311  # chance, not secrets

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bridge_process import BridgeProcess

from pywats_events import Event, EventType, RawMessage
from pywats_events.journal import Completed, JournalError, JournalFull, RawRecord, Receipt, Routed
from pywats_events.journal.sqlite import SQLiteJournal
from pywats_events.journal.sqlite_beside import JournalBeside

WORKER = Path(__file__).with_name("journal_worker.py")
PATIENCE = 30.0
NOW = datetime(2026, 1, 5, tzinfo=UTC)


class Worker:
    """A process that works on a journal, and what it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.told: dict[str, set[str]] = {"taken": set(), "done": set()}
        self.lines = 0
        self._more = asyncio.Event()

    async def listen(self) -> None:
        """Note what it says until its end; a last line that was cut off says nothing."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if line.endswith(b"\n"):
                what, *names = line.decode().split()
                self.told[what].update(names)
                self.lines += 1
                self._more.set()

    async def says(self, number: int) -> None:
        """Wait until it has said so many lines more."""
        wanted = self.lines + number
        while self.lines < wanted:
            self._more.clear()
            await self._more.wait()


@asynccontextmanager
async def working(path: Path, seed: str) -> AsyncIterator[Worker]:
    """Have a process work on a journal; it is killed at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(WORKER), str(path), seed, stdout=asyncio.subprocess.PIPE
    )
    worker = Worker(process)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        tasks.create_task(worker.listen())
        try:
            yield worker
        finally:
            process.kill()
            await process.wait()


async def prove_sound(path: Path, told: dict[str, set[str]]) -> None:
    """Look that a journal opens, that its books balance, and that it knows what it has told."""
    journal = SQLiteJournal(path)
    await journal.open()
    assert await journal.check() == []
    ledger = await journal.ledger()
    assert ledger.difference == 0
    with closing(sqlite3.connect(path)) as db:
        known = {name for (name,) in db.execute("SELECT id FROM events")}
        open_ones = {
            str(seq) for (seq,) in db.execute("SELECT seq FROM deliveries WHERE state NOT IN (4, 5, 7)")
        }
    assert told["taken"] - known == set()
    assert told["done"] & open_ones == set()
    await journal.close()


# --- the process ends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.soak)])
async def test_a_killed_process_loses_nothing(tmp_path, kills):
    """However often it is killed: what it said it has is there, what it said is done is; books balance."""
    path, told = tmp_path / "journal.db", {"taken": set(), "done": set()}
    for number in range(kills):
        async with working(path, f"run{number}") as worker:
            await worker.says(random.randint(1, 300))
        for what, names in worker.told.items():
            told[what] |= names
        await prove_sound(path, told)
    assert told["done"]


# --- the power goes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.soak)])
async def test_the_files_as_they_are_at_any_moment_are_a_journal(tmp_path, rounds):
    """File and log, copied at any moment of writing, open and hold everything that was acknowledged by then.

    The process stands still while its files are copied, as when the power goes; every other copy gets a torn
    end, as from a write that was under way.
    """
    for number in range(rounds):
        path = tmp_path / f"run{number}" / "journal.db"
        path.parent.mkdir()
        async with working(path, f"power{number}") as worker:
            for cut in range(20):
                await worker.says(random.randint(1, 20))
                told = {what: set(names) for what, names in worker.told.items()}
                copy = tmp_path / f"copy{number}-{cut}" / "journal.db"
                copy.parent.mkdir()
                os.kill(worker.process.pid, signal.SIGSTOP)
                for end in ("", "-wal"):
                    shutil.copyfile(f"{path}{end}", f"{copy}{end}")
                os.kill(worker.process.pid, signal.SIGCONT)
                if cut % 2:
                    tear(Path(f"{copy}-wal"))
                await prove_sound(copy, told)
                shutil.rmtree(copy.parent)
        shutil.rmtree(path.parent)


def tear(log: Path) -> None:
    """Add to a log what a write that was under way may have left."""
    with log.open("ab") as file:
        file.write(os.urandom(random.randint(1, 9000)))


# --- the disk is full ---------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """Give a folder on a disk of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["/bin/mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no right to mount a small disk; the same is tested with a bound on the file's pages")
    yield folder
    subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)


def message(name: str) -> Receipt:
    """Give a message of 20 kB that can't be compressed."""
    raw = RawRecord.of(RawMessage(os.urandom(20_000), transport="cfx", received_at=NOW))
    event = Event(EventType.TEST_RESULT, {"unit_id": name}, source="station", id=name)
    return Receipt(raw, (Routed(event, ("reports",)),))


async def fill(journal: SQLiteJournal, prefix: str) -> list[str]:
    """Append, several at a time, until the journal is full; give what was acknowledged."""
    taken: list[str] = []
    for number in range(10_000):
        names = [f"{prefix}{number}-{part}" for part in range(4)]
        answers = await asyncio.gather(
            *(journal.append([message(name)]) for name in names), return_exceptions=True
        )
        taken += [name for name, answer in zip(names, answers, strict=True) if isinstance(answer, list)]
        refused = [answer for answer in answers if not isinstance(answer, list)]
        if refused:
            assert {type(answer) for answer in refused} == {JournalFull}
            return taken
    pytest.fail("the disk was never full")


async def drain(journal: SQLiteJournal) -> list[str]:
    """Complete everything; give it."""
    done: list[str] = []
    while claimed := await journal.claim(limit=50, now=NOW, lease_seconds=60, handlers=("reports",)):
        done += [delivery.event.id for delivery in claimed]
        await journal.settle([Completed(delivery) for delivery in claimed], now=NOW)
    return done


async def test_a_full_disk_stops_what_comes_in_and_nothing_is_missing(small_disk):
    """Nothing acknowledged is missing; deliveries go on in what is kept free; then it takes in again."""
    journal = SQLiteJournal(small_disk / "journal.db", keep_free=2_000_000)
    await journal.open()
    taken = await fill(journal, "a")
    assert len(taken) > 50

    assert await drain(journal) == taken
    assert await journal.prune(done_before=NOW + timedelta(seconds=1)) == len(taken)
    assert len(await fill(journal, "b")) > 50
    assert (await journal.ledger()).difference == 0
    await journal.close()
    await prove_sound(small_disk / "journal.db", {"taken": set(taken), "done": set()})


async def test_a_disk_that_others_have_filled_loses_nothing(small_disk):
    """With not a byte left every write is refused as a whole; with room all goes on, also after a crash."""
    path, ballast = small_disk / "journal.db", small_disk / "ballast"
    journal = SQLiteJournal(path, keep_free=0)
    await journal.open()
    taken = await fill(journal, "a")
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(bytes(9_000_000))
    claimed = await journal.claim(limit=1000, now=NOW, lease_seconds=60, handlers=("reports",))
    assert [delivery.event.id for delivery in claimed] == taken
    verdicts = [Completed(delivery, {"said": "x" * 1000}) for delivery in claimed]
    with pytest.raises(JournalError, match="full; make room"):
        await journal.settle(verdicts, now=NOW)
    assert (await journal.ledger()).difference == 0

    ballast.unlink()
    shutil.copytree(small_disk, small_disk.parent / "copy")
    await prove_sound(small_disk.parent / "copy" / "journal.db", {"taken": set(taken), "done": set()})
    await journal.close()


# --- the disk is full from the start ------------------------------------------------------------------------


def leave(disk: Path, number: int) -> Path:
    """Fill a disk but for so many bytes; give the file that does."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        for _ in range(max(0, shutil.disk_usage(disk).free - number) // 4096):
            file.write(bytes(4096))
    return ballast


@pytest.mark.parametrize("room", [0, 4096, 8192, 20_480, 36_864, 40_960, 65_536, 102_400])
async def test_a_new_journal_on_a_full_disk_says_so_and_begins_when_there_is_room(small_disk, room):
    """Whatever the last bytes suffice for, it says that the disk is full; what was begun is no hindrance."""
    path, ballast = small_disk / "journal.db", leave(small_disk, room)
    with pytest.raises(JournalFull, match="is full; make room"):
        await SQLiteJournal(path, keep_free=0).open()
    ballast.unlink()
    with pytest.raises(JournalError, match="it first runs"):  # none yet, or empty
        await JournalBeside(path).open()

    journal = SQLiteJournal(path, keep_free=0)
    await journal.open()
    assert [each.new for each in await journal.append([message("a")])] == [("a",)]
    await journal.close()


async def allow(disk: Path, *, files: int) -> None:
    """Let a disk hold so many files, itself included."""
    remount = ["/bin/mount", "-o", f"remount,nr_inodes={files}", str(disk)]
    await asyncio.to_thread(subprocess.run, remount, check=True)


@pytest.mark.parametrize("files", [1, 2, 3, 4, 5])
async def test_a_disk_that_takes_no_file_more_is_full(small_disk, files):
    """The journal is several files; whichever of them finds no place, the error is that of a full disk."""
    await allow(small_disk, files=files)
    with pytest.raises(JournalFull, match="is full; make room"):
        await SQLiteJournal(small_disk / "journal.db", keep_free=0).open()
    await allow(small_disk, files=100)
    journal = SQLiteJournal(small_disk / "journal.db", keep_free=0)
    await journal.open()
    await journal.append([message("a")])
    await journal.close()


@pytest.mark.parametrize("room", [0, 20_480, 36_864, 65_536])
@pytest.mark.parametrize(
    "left", [("",), ("", "-wal"), ("", "-wal", "-shm")], ids=["closed", "power cut", "killed"]
)
async def test_a_journal_with_work_on_a_full_disk_says_so_or_goes_on(small_disk, tmp_path, left, room):
    """Closed, or left by a power cut or a kill: it says that the disk is full or goes on; nothing is lost."""
    first = SQLiteJournal(tmp_path / "journal.db", keep_free=0)
    await first.open()
    taken = [f"e{number}" for number in range(60)]
    for name in taken:
        await first.append([message(name)])
    if left == ("",):
        await first.close()
    for end in left:
        shutil.copyfile(tmp_path / f"journal.db{end}", small_disk / f"journal.db{end}")
    path, ballast = small_disk / "journal.db", leave(small_disk, room)

    journal = SQLiteJournal(path, keep_free=0)
    taken += await open_and_fill(journal)
    await journal.close()
    ballast.unlink()
    await journal.open()
    assert await drain(journal) == taken
    assert await journal.check() == []
    await journal.close()
    await first.close()


async def open_and_fill(journal: SQLiteJournal) -> list[str]:
    """Use it as far as its disk allows; give what was acknowledged."""
    try:
        await journal.open()
    except JournalFull:
        return []
    return await fill(journal, "more")


async def test_a_bridge_on_a_full_disk_ends_with_a_line_and_begins_when_there_is_room(small_disk, tmp_path):
    """What is wrong and what to do, once, and the exit code at which a service manager starts it again."""
    config = tmp_path / "bridge.toml"
    config.write_text(
        f'[wats]\nurl = "http://127.0.0.1:9"\ntoken = "t"\n[journal]\npath = "{small_disk / "journal.db"}"\n'
        'keep_free = 0\n[cfx.endpoint]\ncfx_handle = "Acme.MES.1"\nlisten = "amqp://127.0.0.1:0"\n'
    )
    ballast = leave(small_disk, 0)
    async with BridgeProcess.started(config) as bridge:
        assert await bridge.ended() == 1
    (line,) = filter(str.strip, bridge.lines)
    assert line.startswith(f"journal.path: journal {small_disk / 'journal.db'}: ")
    assert line.endswith("is full; make room")

    ballast.unlink()
    async with BridgeProcess.started(config) as bridge:
        await bridge.logged("bridge runs")
        bridge.signal()
        assert await bridge.ended() == 0
