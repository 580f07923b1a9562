"""``pywats-bridge dead-letters`` beside a bridge that runs on the journal, and with none."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from shutil import copy

import pytest
from journal_steps import (
    STATION,
    Report,
    a_day,
    call,
    configured,
    journal_of,
    lay_in,
    look,
    running,
    started,
    units_tested,
)

from pywats_bridge.choosing import Choice
from pywats_bridge.requests import REQUESTS, NotAnswered, ask_to_discard
from pywats_events import AsyncEventBus, DestinationUnavailable, Done, Event
from pywats_events.bus.dead_letters import DeadLetters
from pywats_events.bus.replay_jobs import JobState, ReplayJob
from pywats_events.journal import DeliveryState, Query
from pywats_events.journal.sqlite_beside import JournalBeside, is_in_use

GROUPS = ["cause", "letters", "handler", "error", "reason", "last died", "newest"]


@pytest.fixture(scope="module")
def a_days_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("day")
    asyncio.run(a_day(configured(folder)))
    return folder / "bridge.journal"


@pytest.fixture
def config(tmp_path: Path, a_days_journal: Path) -> Path:
    """A configuration whose journal has a day behind it."""
    copy(a_days_journal, tmp_path)
    return configured(tmp_path)


# --- looking


def test_the_list_is_by_cause_the_largest_first(config):
    """In a pipe: names of the columns, then a line for each cause, with tabs and nothing cut."""
    listed = look(config, "dead-letters", "list")
    header, refused, garbage = listed.rows
    assert (listed.code, listed.err, header) == (0, "", GROUPS)
    assert refused[1:5] == ["2", "report", "PermanentError", "unit …: WATS refused the report"]
    assert garbage[1:4] == ["1", "(reading)", "CFXDecodeError"]
    assert [refused[6], garbage[6]] == ["4", "1"]


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ([], "4 3 1"),
        (["--handler", "report"], "4 3"),
        (["--handler", "(reading)"], "1"),
        (["--error", "CFXDecodeError"], "1"),
        (["--unit", "BAD-1"], "3"),
        (["--station", STATION], "4 3"),
        (["--message", "UnitsTested"], "4 3"),
        (["--message", "cfx.production.testandinspection.unitstested"], "4 3"),
        (["--text", "bad-2"], "4"),
        (["--newer", "1h"], "4 3 1"),
        (["--older", "1h"], ""),
        (["--unit", "BAD-1", "--handler", "(reading)"], ""),
        (["--limit", "1"], "4"),
    ],
)
def test_options_choose(config, options, ids):
    """Each restricts, together they restrict more; single letters come newest first."""
    listed = look(config, "dead-letters", "list", "--flat", "--json", *options)
    assert (listed.code, " ".join(one["id"] for one in listed.documents)) == (0, ids)


def test_a_cause_is_chosen_by_its_beginning(config):
    """As the list shows it; one that is no cause is a mistake."""
    _, (cause, *_), _ = look(config, "dead-letters", "list").rows
    listed = look(config, "dead-letters", "list", "--flat", "--cause", cause)
    assert [row[3] for row in listed.rows[1:]] == ["BAD-2", "BAD-1"]
    wrong = look(config, "dead-letters", "list", "--cause", "none")
    assert (wrong.code, wrong.out, wrong.err) == (2, "", "--cause: none: no dead letter died of it\n")


async def test_nothing_is_said_to_be_nothing(tmp_path, config):
    """What does not fit names what there is; an empty journal has no dead letters."""
    listed = await call(config, "dead-letters", "list", "--handler", "repord")
    assert listed.code == 0
    assert listed.out == (
        "no dead letter fits; there are 3 others: handlers (reading), report; "
        "errors CFXDecodeError, PermanentError\n"
    )
    (tmp_path / "other").mkdir()
    other = configured(tmp_path / "other")
    await lay_in(other)
    assert (await call(other, "dead-letters", "list")).out == "no dead letters\n"
    assert (await call(other, "dead-letters", "list", "--json")).out == ""
    assert (await call(other, "dead-letters", "jobs", "list")).out == "no replay jobs\n"


def test_a_letter_is_shown_with_all_that_is_known(config):
    """Why, each try, the event, the message unpacked and readable, and what to do."""
    shown = look(config, "dead-letters", "show", "4")
    assert shown.code == 0
    lines = [line.strip() for line in shown.out.splitlines()]
    assert lines[0] == "dead letter 4"
    assert 'PermanentError: unit "BAD-2": WATS refused the report' in lines
    assert "what it came through (tries that failed: 1)" in lines
    assert '"UnitIdentifier": "BAD-2",' in lines
    assert '"unit_id": "BAD-2",' in lines
    assert "pywats-bridge dead-letters replay 4" in lines
    unknown = look(config, "dead-letters", "show", "99")
    assert (unknown.code, unknown.out, len(unknown.err.splitlines())) == (1, "", 1)


def test_shown_and_exported_as_json_nothing_is_missing(config, tmp_path):
    """The message's bytes are those that came; an export has a line for each letter, overwriting nothing."""
    (shown,) = look(config, "dead-letters", "show", "1", "--json").documents
    assert b64decode(shown["raw"]["body_base64"]) == b"garbage"
    file = tmp_path / "dead.jsonl"
    assert look(config, "dead-letters", "export", "--to", str(file)).code == 0
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in lines] == ["1", "3", "4"]
    again = look(config, "dead-letters", "export", "--to", str(file))
    assert (again.code, again.err) == (2, f"{file}: is there already; name a new file\n")
    piped = look(config, "dead-letters", "export", "--to", "-", "--unit", "BAD-1")
    assert [line["id"] for line in piped.documents] == ["3"]


async def test_what_a_letter_came_through_is_shown_and_exported(config):
    """Tries that failed, being left alone, having been put through again, in order, as ``trace`` tells."""
    handler = Away("BAD-1")
    async with running(config, handler) as bus:
        assert await bus.dead_letters.replay(Query(ids=("3",))) == 1
        async with asyncio.timeout(30):
            while len(await bus.dead_letters.find()) < 3:  # noqa: ASYNC110  # a drain waits for none left alone
                await asyncio.sleep(0.02)
    shown = await call(config, "dead-letters", "show", "3")
    lines = [line.split("  ") for line in shown.out.splitlines()]
    at = next(number for number, line in enumerate(lines) if line[0].startswith("what it came through"))
    assert [line[2].strip() for line in lines[at + 1 : at + 6]] == [
        "failed",
        "replayed",
        "parked",
        "freed",
        "failed",
    ]
    exported = await call(config, "dead-letters", "export", "--to", "-", "--unit", "BAD-1")
    (letter,) = exported.documents
    assert [one["what"] for one in letter["history"]] == ["failed", "replayed", "parked", "failed"]
    assert letter["history"][2]["freed"] is not None
    assert len(letter["attempts"]) == 2


async def test_what_machines_write_steers_no_terminal(tmp_path):
    """Control characters in a serial number are shown as what they are."""
    config = configured(tmp_path)
    await lay_in(config, units_tested("SN\x1b[2J\x85\u202e1"), refused=("SN\x1b[2J\x85\u202e1",))
    for arguments in (["list", "--flat"], ["show", "1"]):
        shown = await call(config, "dead-letters", *arguments)
        assert "SN\\x1b[2J\\x85\\u202e1" in shown.out
        assert not set("\x1b\x85\u202e") & set(shown.out)


# --- discarding


def test_many_are_discarded_only_when_that_is_meant(config):
    """Nobody to ask and no --yes: nothing happens. The journal keeps the reason, and its books balance."""
    asked = look(config, "dead-letters", "discard", "--all", "--reason", "a trial")
    assert (asked.code, asked.err) == (2, "3 dead letters would be discarded; add --yes if that is meant\n")
    one = look(config, "dead-letters", "discard", "1", "--reason", "garbage")
    assert (one.code, one.out) == (0, "1 discarded: garbage\n")
    rest = look(config, "dead-letters", "discard", "--handler", "report", "--reason", "scrapped", "--yes")
    assert (rest.code, rest.out) == (0, "2 discarded: scrapped\n")
    (books,) = look(config, "ledger", "--json").documents
    assert (books["messages"]["cfx"]["discarded"], books["difference"]) == (3, 0)
    assert "discarded: scrapped" in look(config, "dead-letters", "show", "4").out


async def test_a_running_bridge_discards_what_is_asked_for(config):
    """The command leaves it to the process that has the journal, and says what that has done."""
    async with running(config, Report()) as bus:
        done = await call(
            config, "dead-letters", "discard", "--all", "--reason", "a trial", "--yes", "--json"
        )
        assert (done.code, done.documents) == (0, [{"discarded": 3}])
        assert await bus.dead_letters.find() == []
        assert await bus.journal.notes(REQUESTS) == {}


async def test_a_request_that_nobody_answers_is_taken_back(config):
    """It is not done later, when nobody thinks of it any more."""
    owner = journal_of(config)
    await owner.open()  # a process that has the journal, and answers nobody
    beside = JournalBeside(config.parent / "bridge.journal")
    await beside.open()
    with pytest.raises(NotAnswered, match="did not answer"):
        await ask_to_discard(beside, Query(limit=3), reason="a trial", patience=0.2)
    assert await owner.notes() == {}
    await beside.close()
    await owner.close()
    async with running(config, Report()) as bus:
        assert len(await bus.dead_letters.find()) == 3


# --- putting through again


async def test_a_running_bridge_puts_them_through_again(config):
    """After the cause is mended: a job, its progress, and 0 when all went through."""
    async with running(config, Report()) as bus:
        replayed = await call(config, "dead-letters", "replay", "--handler", "report")
        assert (replayed.code, replayed.err) == (0, "")
        first, *_, last = replayed.out.splitlines()
        assert first.endswith("2 dead letters to put through again")
        assert last.endswith("is done: 2 put through, 0 died again")
        (left,) = await bus.dead_letters.find()
        assert left.id == "1"
        (job,) = (await call(config, "dead-letters", "jobs", "list", "--json")).documents
        assert (job["state"], job["put_through"], job["which"]) == ("done", 2, "handler report")
        assert (await call(config, "dead-letters", "jobs", "forget", job["id"])).code == 0
        assert (await call(config, "dead-letters", "jobs", "list")).out == "no replay jobs\n"


async def test_what_dies_again_stops_the_job_and_ends_with_1(config):
    """The rest stays dead; the last reason is said."""
    handler = Report("BAD-1", "BAD-2")
    async with running(config, handler):
        replayed = await call(config, "dead-letters", "replay", "--handler", "report")
    assert replayed.code == 1
    assert "WATS refused the report" in replayed.out
    assert len(handler.tried) == 1
    assert "jobs resume" in replayed.out


async def test_a_job_waits_for_a_bridge(config):
    """With none running it is kept, said to wait, and begins with the next bridge."""
    replayed = await call(config, "dead-letters", "replay", "3", "4")
    assert replayed.code == 0
    assert replayed.out.endswith("no bridge runs on this journal; the job begins when one does\n")
    assert (await call(config, "dead-letters", "jobs", "list")).rows[1][1] == "waits for a bridge"
    handler = Report()
    async with running(config, handler) as bus:
        (job,) = await bus.dead_letters.jobs.all()
        await until(bus, job.id, lambda job: bool(job.owner) or job.state.is_over)
        followed = await call(config, "dead-letters", "jobs", "follow", job.id)
    assert (followed.code, sorted(handler.tried)) == (0, ["BAD-1", "BAD-2"])


async def until(bus: AsyncEventBus, job_id: str, holds: Callable[[ReplayJob], bool]) -> None:
    """Wait for a job to be so; who runs it tells nobody but the journal."""
    while not holds(await bus.dead_letters.jobs.get(job_id)):  # noqa: ASYNC110
        await asyncio.sleep(0.02)


class Away(Report):
    """A handler whose destination is away at the first call."""

    async def handle(self, event: Event) -> Done:
        """Find nobody there, later do as ever."""
        if not self.tried:
            self.tried.append("nobody")
            raise DestinationUnavailable("WATS", retry_after=0.01)
        return await super().handle(event)


class Held(Report):
    """A handler whose calls each wait until they may end."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: asyncio.Queue[str] = asyncio.Queue(maxsize=10)
        self.may_end = asyncio.Semaphore(0)

    async def handle(self, event: Event) -> Done:
        """Tell that it has begun, and wait."""
        await self.begun.put(event.payload["unit_id"])
        await self.may_end.acquire()
        return await super().handle(event)


async def test_ctrl_c_pauses_the_job_and_resume_goes_on(config):
    """Nothing more is put through by a job that its starter has left, until somebody says so."""
    handler = Held()
    async with running(config, handler) as bus, asyncio.timeout(100):
        process = await started(config, "dead-letters", "replay", "--handler", "report")
        assert process.stdout is not None
        assert process.stderr is not None
        job_id = (await process.stdout.readline()).decode().split()[1].rstrip(":")
        assert await handler.begun.get() == "BAD-1"
        process.send_signal(signal.SIGINT)
        said = (await process.stderr.read()).decode()
        assert await process.wait() == 130
        assert said.endswith(f"pywats-bridge dead-letters jobs resume {job_id}\n")
        await until(bus, job_id, lambda job: job.state is JobState.PAUSED)
        handler.may_end.release()
        assert await bus.drain(timeout=30)
        assert handler.tried == ["BAD-1"]
        assert handler.begun.empty()
        assert (await call(config, "dead-letters", "jobs", "resume", job_id)).code == 0
        assert await handler.begun.get() == "BAD-2"
        assert (await call(config, "dead-letters", "jobs", "cancel", job_id)).code == 0
        followed = await call(config, "dead-letters", "jobs", "follow", job_id, "--json")
        handler.may_end.release()
        assert followed.code == 1
        assert followed.documents[0]["state"] == "cancelled"


def test_only_what_is_dead_is_put_through_again(config):
    """An id that is none, or that of something done, is named, and nothing happens."""
    replayed = look(config, "dead-letters", "replay", "2", "3", "77")
    assert (replayed.code, replayed.out) == (1, "")
    assert replayed.err == "2: is done, not dead\n77: no entry of this id\nnothing was done\n"
    assert look(config, "dead-letters", "jobs", "list").out == "no replay jobs\n"


# --- mistakes


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["replay"], "say which: ids, options such as --cause, or --all; the list shows them"),
        (["replay", "3", "--all"], "give either ids, or options such as --cause, or --all"),
        (["replay", "--all", "--rate", "0"], "--rate: should be letters per second above 0, not 0"),
        (["replay", "--all", "--rate", "nan"], "--rate: should be letters per second above 0, not nan"),
        (["discard", "3", "--reason", " "], "--reason: is empty; say why nobody will miss them"),
        (
            ["list", "--unit", "A", "--unit", "B"],
            "--unit: is given 2 times; give it once, and run the command for each",
        ),
        (["list", "--older", "soon"], '--older: "soon" is no age; write one such as 90s, 15m, 2h, 3d or 1w'),
        (["jobs", "pause", "x"], "replay job x: there is none of this id; list them to see those there are"),
    ],
)
def test_a_mistake_is_one_line(config, arguments, said):
    """Exit code 2, or 1 for what is not there; nothing on standard output."""
    done = look(config, "dead-letters", *arguments)
    assert (done.code, done.out, done.err) == (1 if arguments[0] == "jobs" else 2, "", f"{said}\n")


@pytest.mark.parametrize("number", ["0" * 500, "9" * 25, "-1", "1e3", "²", "x" * 100_000])
def test_strange_ids_are_ids_of_nothing(config, number):
    """However long."""
    for command in (["dead-letters", "show"], ["trace"], ["ledger"]):
        done = look(config, *command, "--", number)
        assert (done.code, done.out) == (1, "")


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (
            "[journal]\npath = 'none.journal'\n",
            1,
            "there is none yet; the bridge makes it when it first runs",
        ),
        ("[journal]\nkind = 'memory'\n", 2, 'keep the journal in a file ("sqlite")'),
        ("[journal]\nkind = 'paper'\n", 2, "journal.kind: "),
        ("[journal]\npath = 'bridge.toml'\n", 1, "is not a journal"),
    ],
)
def test_no_journal_is_one_line(tmp_path, text, code, said):
    """And none is made by looking for it."""
    config = configured(tmp_path, text)
    done = look(config, "dead-letters", "list")
    assert (done.code, done.out, len(done.err.splitlines())) == (code, "", 1)
    assert said in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["bridge.toml"]


def test_a_configuration_without_a_journal_means_the_file_beside_it(tmp_path, monkeypatch):
    """Not one in the folder that the command was started in."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    done = look(configured(tmp_path, 'log_level = "info"\n'), "dead-letters", "list")
    assert done.code == 1
    assert done.err.startswith(f"journal {tmp_path / 'pywats-bridge.journal'}: there is none yet")


def test_a_journal_of_another_version_is_left_alone(config):
    """Who looks does not bring it up to date."""
    with sqlite3.connect(config.parent / "bridge.journal") as file:
        file.execute("PRAGMA user_version = 1")
    file.close()
    done = look(config, "dead-letters", "list")
    assert (done.code, done.out) == (1, "")
    assert "start the bridge once, which brings it up to date" in done.err


async def test_looking_never_keeps_a_bridge_from_starting(config):
    """A journal that is open for looking is no journal in use, and can be written by its bridge."""
    beside = JournalBeside(config.parent / "bridge.journal")
    await beside.open()
    assert not is_in_use(config.parent / "bridge.journal")
    async with running(config, Report()) as bus:
        assert is_in_use(config.parent / "bridge.journal")
        assert await bus.dead_letters.discard(Query(ids=("1",)), reason="garbage") == 1
        left = await DeadLetters(beside).find(await Choice().query(DeadLetters(beside)))
        assert [entry.id for entry in left] == ["3", "4"]
        await beside.put_note("a", {"b": 1})
        assert await bus.journal.notes("a") == {"a": {"b": 1}}
    assert (await beside.search(Query(states=(DeliveryState.DISCARDED,))))[0].rule == "garbage"
    await beside.close()
