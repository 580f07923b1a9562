"""The demo tells the truth: about what it did, and about what is missing."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from pywats_api import AsyncWATS
from pywats_api.server import Knobs, LocalWATS, Rejection
from pywats_bridge import demo
from pywats_cfx.amqp10 import ProtonMissing
from pywats_events.journal import Entry, Stats
from samples.truth import Truth


def told(seconds: float, seed: int) -> Truth:
    """Give what the line says of a demo of this length."""
    truth = Truth()
    demo._steps(seconds, seed, truth)
    return truth


def station(handle: str) -> str:
    return handle.rsplit("/", 1)[-1]


async def in_wats(db: Path) -> dict[str, Counter[str]]:
    """Count the reports in a database by station and result."""
    found: dict[str, Counter[str]] = {}
    async with LocalWATS(db) as server, AsyncWATS(server.url, "any", requests_per_minute=None) as api:
        for header in await api.report.query_uut_headers(top=10_000):
            found.setdefault(header.station_name or "", Counter())[header.result or ""] += 1
    return found


async def test_the_numbers_of_the_summary_are_those_of_the_line_and_of_wats(tmp_path):
    """Exit code 0, nothing lost, plain text in a pipe; and the database holds what the summary says."""
    db = tmp_path / "wats.sqlite"
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "pywats_bridge", "demo", "--seconds", "3", "--seed", "7", "--db", str(db)],
        capture_output=True,
        encoding="utf-8",
        timeout=90,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "nothing lost, nothing doubled" in done.stdout

    truth, stored = told(3, 7), await in_wats(db)
    for handle, verdicts in {**truth.tested, **truth.inspected}.items():
        (row,) = (line for line in done.stdout.splitlines() if re.match(rf"\W*{station(handle)}\b", line))
        passed, failed, skipped = (verdicts[name] for name in ("Passed", "Failed", "Skipped"))
        numbers = [int(number) for number in re.findall(r"(?<!\w)\d+(?!\w)", row)]
        assert numbers == [passed + failed, passed, failed, skipped, passed + failed, passed, failed]
        assert stored[station(handle)] == +Counter(Passed=passed, Failed=failed)
    assert f"{truth.messages} received, of {truth.messages} sent" in done.stdout
    (answers,) = re.findall(r"asked before work\s+(\d+) boards: (\d+) .*? (\d+) .*? (\d+) ", done.stdout)
    asked, *verdicts = map(int, answers)
    assert asked == sum(verdicts) > 0


async def test_a_wats_that_refuses_every_report_is_not_a_success(tmp_path, monkeypatch, capsys):
    """The demo says what is lost, and gives its caller a False."""
    refusing = partial(LocalWATS, knobs=Knobs(reject=Rejection(count=1_000_000)))
    monkeypatch.setattr(demo, "LocalWATS", refusing)
    assert await demo.demo(seconds=1, seed=1, db=tmp_path / "wats.sqlite") is False
    shown = capsys.readouterr().out
    assert "LOST OR DOUBLED: ICT" in shown
    assert "nothing lost" not in shown


async def test_without_amqp_1_0_the_demo_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    """One line, and no success."""

    def missing() -> None:
        raise ProtonMissing("AMQP 1.0 needs python-qpid-proton: pip install it")

    monkeypatch.setattr(demo, "require_proton", missing)
    assert await demo.demo(seconds=1, seed=1, db=tmp_path / "wats.sqlite") is False
    (line,) = capsys.readouterr().err.splitlines()
    assert "pip install" in line


def good() -> demo.Outcome:
    """Give the outcome of a day on which nothing was lost."""
    truth = told(3, 1)
    reports = {
        station(handle): Counter({name: verdicts[name] for name in ("Passed", "Failed")})
        for handle, verdicts in {**truth.tested, **truth.inspected}.items()
    }
    serials: dict[str, Counter[str]] = {}
    for (handle, serial), verdict in truth.last_result.items():
        if verdict != "Skipped":
            serials.setdefault(station(handle), Counter())[serial] += 1
    return demo.Outcome(
        truth,
        Stats({"line": truth.messages}, {}, 0, 0, {}, None),
        reports=reports,
        serials=serials,
        faults_logged=2 * truth.faults,
        dead=[Entry] * truth.bad_messages,  # type: ignore[list-item]  # only counted
    )


def test_balanced_books_are_no_loss():
    """The ground on which the next tests stand."""
    assert good().losses() == []


@pytest.mark.parametrize("change", [-1, 1])
def test_one_report_too_few_or_too_many_is_a_loss(change):
    """At any station, passed or failed."""
    for name in list(good().reports):
        for verdict in ("Passed", "Failed"):
            outcome = good()
            outcome.reports[name][verdict] += change
            assert [line.split(":")[0] for line in outcome.losses()] == [name]


def test_a_unit_without_a_report_is_a_loss_though_the_sums_are_right():
    """Another unit's report that came twice does not hide it."""
    outcome = good()
    serials = outcome.serials["ICT01"]
    lost, doubled, *_ = serials
    serials[lost] -= 1
    serials[doubled] += 1
    assert outcome.losses() == [f"ICT01: unit {lost} has no report"]


def test_a_report_under_another_verdict_is_a_loss():
    """A failed unit that stands in WATS as passed is two lines: one too many there, one missing here."""
    outcome = good()
    name = next(name for name, found in outcome.reports.items() if found["Passed"])
    outcome.reports[name]["Passed"] -= 1
    outcome.reports[name]["Failed"] += 1
    assert len(outcome.losses()) == 2


def test_lines_messages_and_dead_letters_are_counted_too():
    """A fault not logged, a message that never came, an unexpected dead letter, a question without answer."""
    outcome = good()
    outcome.faults_logged += 1
    outcome.stats.received["line"] -= 1
    outcome.dead.append(Entry)  # type: ignore[arg-type]
    outcome.asked["unanswered"] += 1
    assert len(outcome.losses()) == 4
