"""The explorer's command line: lists, samples, conversion."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

import samples
from pywats_cfx import explorer
from pywats_cfx.explorer import converting
from pywats_cfx.messages.registry import NAMES


@pytest.fixture
def no_previews(monkeypatch):
    """Let nothing be installed that tells of WATS."""
    monkeypatch.setattr(converting, "entry_points", lambda **_: ())


@pytest.fixture
def terminal(monkeypatch):
    """Let rich believe that somebody looks, and how wide the window is."""

    def wide(columns: int) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", str(columns))

    return wide


def mistake(capsys, *arguments: str) -> str:
    """Give what is said of a mistake in the arguments."""
    try:
        code = explorer.main(arguments)
    except SystemExit as error:
        code = error.code
    said = capsys.readouterr()
    assert (code, said.out, said.err.count("\n")) == (2, "", 1)
    return said.err


def test_list_names_every_message_and_every_sample(capsys):
    """In a pipe: one line each, its name first, then what it is."""
    assert explorer.main(["--list"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert {words[0] for words in lines if words[1] != "sample"} == NAMES
    assert [words[0] for words in lines if words[1] == "sample"] == list(samples.names())


def test_list_says_what_a_message_becomes_and_which_sample_shows_it(capsys):
    """Kind, event type, summary and samples stand in its line."""
    assert explorer.main(["--list", "unitstested"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split()[:3] == ["CFX.Production.TestAndInspection.UnitsTested", "event", "test.result"]
    assert "Pass or fail of each unit" in line
    assert line.endswith("[units_tested_ict, units_tested_fct]")


def test_list_takes_a_word(capsys):
    """A namespace, a kind, an event type; what nothing holds is a mistake with the nearest names."""
    for word in ("Materials.Storage", "REQUEST", "asset.fault"):
        assert explorer.main(["--list", word]) == 0
        assert all(word.lower() in line.lower() for line in capsys.readouterr().out.splitlines())
    assert "UnitsTested" in mistake(capsys, "--list", "UnitTested")


def test_list_loads_no_models():
    """It is there at once: what it shows is read, not imported."""
    code = (
        "import sys; from pywats_cfx.explorer import main; main(['--list']); "
        "print([m for m in sys.modules if m.startswith('pywats_cfx.messages.production')], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == "[]\n"


@pytest.mark.parametrize("columns", [80, 140])
def test_a_list_fits_the_terminal(capsys, terminal, columns):
    """No line is longer than the window, and every message is there."""
    terminal(columns)
    assert explorer.main(["--list"]) == 0
    out = capsys.readouterr().out
    assert "\x1b[" in out
    assert all(name.rpartition(".")[2] in out for name in NAMES)


def test_sample_shows_the_message_as_it_is(capsys):
    """Piped, it is the very file."""
    assert explorer.main(["--sample", "fault_temp"]) == 0
    assert capsys.readouterr().out.encode() == samples.load("fault_temp")


@pytest.mark.parametrize("arguments", [["--sample", "nope"], ["--convert", "nope"]])
def test_an_unknown_name_is_one_line_with_the_known_ones(arguments, capsys):
    """The exit code is 2 and nothing else is said."""
    said = mistake(capsys, *arguments)
    assert all(name in said for name in samples.names())


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
    good = EntryPoint("wats", "cfx_previews:good", converting.GROUP)
    missing = EntryPoint("gone", "cfx_previews:gone", converting.GROUP)
    module = type(sys)("cfx_previews")
    module.good = lambda events: [f"POST report of {event.payload['unit_id']}" for event in events]
    monkeypatch.setitem(sys.modules, "cfx_previews", module)
    monkeypatch.setattr(
        converting, "entry_points", lambda group: [missing, good] if group == converting.GROUP else []
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
def test_convert_reads_a_body_alone(tmp_path, capsys):
    """Whoever says of which message it is needs no envelope; any case and the short name will do."""
    path = tmp_path / "body.json"
    path.write_bytes(gzip.compress(b'{"PrimaryIdentifier": "P1", "Lane": 1}'))
    assert explorer.main(["--convert", str(path), "--message", "workstarted"]) == 0
    assert "work.started" in capsys.readouterr().out


@pytest.mark.usefixtures("no_previews")
def test_convert_reads_standard_input(capsys, monkeypatch):
    """``-`` stands for it."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(samples.load("fault_temp"))))
    assert explorer.main(["--convert", "-"]) == 0
    assert "asset.fault" in capsys.readouterr().out


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
def test_on_a_terminal_it_is_coloured(capsys, terminal):
    """Rich is used only where somebody looks."""
    terminal(100)
    for arguments in (["--list"], ["--convert", "fault_cleared"], ["--sample", "fault_cleared"]):
        assert explorer.main(arguments) == 0
        assert "\x1b[" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required"),
        (["--list", "--json"], "--json goes with --validate"),
        (["--send", "fault_temp"], "--send needs --to"),
        (["--watch", "amqp://h", "--count", "0"], "whole number from 1"),
        (["--send", "fault_temp", "--to", "amqp://h", "--every", "nan"], "seconds from 0"),
        (["--watch", "amqp://h", "--address", "a", "--protocol", "0-9-1"], "AMQP 1.0"),
        (["--schema", "UnitTested"], "did you mean UnitsTested"),
        (["--convert", "fault_temp", "--message", "Nothing.At.All"], "no message is called"),
    ],
)
def test_a_mistake_is_one_line(capsys, arguments, said):
    """It says what is wrong, and the exit code is 2."""
    assert said in mistake(capsys, *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--watch", "http://user:geheim@host"],
        ["--watch", "amqp://user:ge@heim@host:99999"],
        ["--watch", "amqp://h", "amqp://user:geheim@host"],
        ["--send", "fault_temp", "--to", "amqp://user:geheim@host?x"],
    ],
)
def test_a_mistake_never_shows_the_password(capsys, arguments):
    """Whatever is wrong with a URL."""
    said = mistake(capsys, *arguments)
    assert "heim" not in said
