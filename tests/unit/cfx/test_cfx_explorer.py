"""The explorer's command line."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

import samples
from pywats_cfx import explorer


@pytest.fixture
def no_previews(monkeypatch):
    """Let nothing be installed that tells of WATS."""
    monkeypatch.setattr(explorer, "entry_points", lambda **_: ())


def test_list_names_every_sample(capsys):
    """One line each, with what it shows."""
    assert explorer.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(samples.names())


def test_sample_shows_the_message_as_it_is(capsys):
    """Piped, it is the very file."""
    assert explorer.main(["--sample", "fault_temp"]) == 0
    assert capsys.readouterr().out.encode() == samples.load("fault_temp")


@pytest.mark.parametrize("arguments", [["--sample", "nope"], ["--convert", "nope"]])
def test_an_unknown_name_is_one_line_with_the_known_ones(arguments, capsys):
    """The exit code is 2 and nothing else is said."""
    assert explorer.main(arguments) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert all(name in said.err for name in samples.names())


@pytest.mark.usefixtures("no_previews")
def test_convert_shows_the_events_and_how_to_get_the_rest(capsys):
    """Each event is JSON; without a preview it is said how to get one."""
    assert explorer.main(["--convert", "units_tested_ict"]) == 0
    out = capsys.readouterr().out
    assert "# event 1 of 2: test.result, key PNL26-00417#1" in out
    first = json.JSONDecoder().raw_decode(out[out.index("{") :])[0]
    assert first["data"]["result"] == "passed"
    assert "pywats-bridge" in out.splitlines()[-1]


def test_convert_shows_what_previews_say(capsys, monkeypatch):
    """An entry point gets all events and its lines are shown; one that breaks costs only its own lines."""
    good = EntryPoint("wats", "cfx_previews:good", explorer.GROUP)
    missing = EntryPoint("gone", "cfx_previews:gone", explorer.GROUP)
    module = type(sys)("cfx_previews")
    module.good = lambda events: [f"POST report of {event.payload['unit_id']}" for event in events]
    monkeypatch.setitem(sys.modules, "cfx_previews", module)
    monkeypatch.setattr(
        explorer, "entry_points", lambda group: [missing, good] if group == explorer.GROUP else []
    )
    assert explorer.main(["--convert", "units_tested_fct"]) == 0
    *_, first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("gone: can't be shown: AttributeError")
    assert second == "POST report of A72600417A"


@pytest.mark.usefixtures("no_previews")
def test_convert_reads_files(tmp_path, capsys):
    """Packed or not, a file is read as a broker's message would be."""
    path = tmp_path / "message.json.gz"
    path.write_bytes(gzip.compress(samples.load("work_started")))
    assert explorer.main(["--convert", str(path)]) == 0
    assert "work.started" in capsys.readouterr().out
    path.write_bytes(b"[]")
    assert explorer.main(["--convert", str(path)]) == 0
    assert capsys.readouterr().out == "an empty list: no message, no event\n"


@pytest.mark.usefixtures("no_previews")
def test_a_bad_file_gives_the_reason(tmp_path, capsys):
    """What can't be read ends with 1 and the field; what can be is shown all the same."""
    path = tmp_path / "bad.json"
    path.write_bytes(b'{"MessageName": "CFX.Production.WorkStarted", "MessageBody": {"Units": "none"}}')
    assert explorer.main(["--convert", str(path)]) == 1
    assert "MessageBody.Units: " in capsys.readouterr().err
    path.write_bytes(b'[{"MessageName": "CFX.Heartbeat"}, 5]')
    assert explorer.main(["--convert", str(path)]) == 1
    said = capsys.readouterr()
    assert "asset.heartbeat" in said.out
    assert "should be an envelope" in said.err
    assert explorer.main(["--convert", str(tmp_path)]) == 1
    assert "directory" in capsys.readouterr().err


def test_it_runs_outside_the_checkout(tmp_path):
    """As a module, from another directory, through a pipe that is not UTF-8."""
    done = subprocess.run(
        [sys.executable, "-m", "pywats_cfx.explorer", "--sample", "units_tested_fct"],
        cwd=tmp_path,
        env={"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert rb"\xc5sa" in done.stdout


@pytest.mark.usefixtures("no_previews")
def test_on_a_terminal_it_is_coloured(capsys, monkeypatch):
    """Rich is used only where somebody looks."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    for arguments in (["--list"], ["--convert", "fault_cleared"]):
        assert explorer.main(arguments) == 0
        assert "\x1b[" in capsys.readouterr().out
