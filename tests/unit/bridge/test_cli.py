"""The command line: what it says, where, and with which exit code."""

from __future__ import annotations

import gzip
import json
import os
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import structlog
from click.testing import Result
from typer.testing import CliRunner

import samples
from pywats_bridge.cli import app
from pywats_cfx import explorer

COMMANDS = (
    *("run", "check", "convert", "demo", "record", "replay"),
    *("dead-letters", "ledger", "trace", "journal"),
)
RULES = """
[[stations]]
handle = "//Acme/*"
process = 31
machine_name = "{name}"

[[recipes]]
recipe = "ICT_*"
part_number = "PCB-100"
revision = "C"
"""
WRONG = """
[wats]
url = "wats"
token = 5
[cfx.amqp]
prefech = 1
"""


def call(*arguments: str | Path) -> Result:
    """Run a command in this process; what is shown has no colours, as in a pipe."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def program(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program as another one would: through pipes."""
    return subprocess.run(
        [sys.executable, "-m", "pywats_bridge", *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.fixture
def message(tmp_path: Path) -> Path:
    """One UnitsTested in a file."""
    path = tmp_path / "message.json"
    path.write_bytes(samples.load("units_tested_ict"))
    return path


def documents(shown: Result) -> list[dict]:
    return [json.loads(line) for line in shown.stdout.splitlines()]


def reports(shown: Result) -> list[dict]:
    return [call["body"] for document in documents(shown) for call in document.get("calls", ())]


# --- all commands


def test_the_version_is_that_of_the_distribution():
    """--version says it and does nothing else."""
    shown = call("--version")
    assert (shown.exit_code, shown.stdout) == (0, f"pywats-bridge {version('pywats-bridge')}\n")


def test_without_arguments_it_says_what_it_can_do():
    """All commands are named."""
    shown = call()
    assert all(f" {name} " in shown.output for name in COMMANDS)


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_wrong_configuration_ends_with_2_and_its_mistakes(tmp_path, command):
    """One line for each on standard error; nothing on standard output."""
    path = tmp_path / "bridge.toml"
    path.write_text(WRONG)
    shown = call(command, "--config", path)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert shown.stderr.splitlines() == [
        "wats.url: should look like https://acme.wats.com",
        "wats.token: should be text, in quotes",
        "cfx.amqp.prefech: no such key; did you mean prefetch?",
    ]


def test_a_wrong_configuration_is_no_traceback(tmp_path):
    """The program itself, as a service manager starts it."""
    path = tmp_path / "bridge.toml"
    path.write_text(WRONG)
    done = program("run", "--config", path)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 3)
    assert "Traceback" not in done.stderr


INTERRUPTED = """
import os, signal, sys

class MakingAClass:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), signal.SIGINT)

class Finder:
    def find_spec(self, name, path, target=None):
        if name == INTERRUPTED_AT:
            type("Made", (), {"attribute": MakingAClass()})

INTERRUPTED_AT = sys.argv.pop(1)
sys.meta_path.insert(0, Finder())
from pywats_bridge.__main__ import main
sys.argv.append("check")
main()
"""


@pytest.mark.parametrize("module", ["pywats_bridge.settings", "pywats_bridge.checking"])
def test_ctrl_c_while_it_loads_is_no_traceback(tmp_path, module):
    """Also in the middle of making a class, where Python turns the interruption into another error."""
    path = tmp_path / "bridge.toml"
    path.write_text('[wats]\nurl = "http://w"\ntoken = "t"\n[cfx]\n')
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, module],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_reader_that_goes_away_ends_a_check_quietly(tmp_path):
    """`check | head`: what is under way with WATS is closed, and nothing is told of it."""
    with socket.create_server(("127.0.0.1", 0)) as wats:
        path = tmp_path / "bridge.toml"
        path.write_text(
            f'[wats]\nurl = "http://127.0.0.1:{wats.getsockname()[1]}"\ntoken = "t"\n[cfx.amqp]\nport = 1\n'
        )
        with subprocess.Popen(
            [sys.executable, "-m", "pywats_bridge", "check", "--config", path],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            asking, _ = wats.accept()
            process.stdout.close()
            asking.recv(65536)
            asking.sendall(
                b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n"1.0"'
            )
            said = process.stderr.read()
            asking.close()
    assert (process.returncode, said) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_a_full_disk_behind_the_output_is_one_line(message):
    """`convert > file` where there is no room: what, why, and no traceback."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pywats_bridge", "convert", message],
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
    said = "standard output: No space left on device; make room, or write elsewhere\n"
    assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.parametrize("command", ["run", "check"])
def test_no_configuration_is_one_line(tmp_path, monkeypatch, command):
    """Started in the wrong folder, it says which file it looked for and how to name one."""
    monkeypatch.chdir(tmp_path)
    shown = call(command)
    assert shown.exit_code == 2
    assert shown.stderr == "bridge.toml: there is no such file; give another one with --config\n"


def test_convert_reads_only_the_rules(tmp_path, message):
    """Neither servers nor secrets are needed; a mistake in the rules ends with 2."""
    path = tmp_path / "bridge.toml"
    path.write_text(WRONG + RULES)
    shown = call("convert", "--json", "--config", path, message)
    assert shown.exit_code == 0
    assert [(report["pn"], report["rev"], report["processCode"]) for report in reports(shown)] == [
        ("PCB-100", "C", 31)
    ] * 2
    path.write_text("[[recipes]]\n")
    shown = call("convert", "--config", path, message)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert shown.stderr.splitlines() == [
        "recipes[1].part_number: is missing",
        "recipes[1].recipe: is missing",
    ]


# --- convert


def test_convert_shows_events_and_calls(message):
    """One event for each unit, the report of each, and how its part number was found."""
    shown = call("convert", message)
    assert shown.exit_code == 0
    assert shown.stdout.count("test.result CFX.Production.TestAndInspection.UnitsTested") == 2
    assert shown.stdout.count("-> POST /api/Report/WSJF") == 2
    assert 'part_number: recipe "ICT_CTRL-A7" by the expression' in shown.stdout
    assert shown.stderr == ""


def test_convert_in_json_is_one_document_a_line(message):
    """Each holds the event as it travels and the calls as they would be made."""
    shown = call("convert", "--json", message)
    assert shown.exit_code == 0
    first, second = documents(shown)
    assert first["event"]["specversion"] == "1.0"
    assert first["event"]["data"]["position"] == 1
    assert (first["reason"], second["reason"]) == (None, None)
    assert [report["result"] for report in reports(shown)] == ["P", "F"]
    assert first["calls"][0]["path"] == "/api/Report/WSJF"


def test_earlier_files_teach_later_ones(tmp_path, message):
    """With the start of the work before it, a panel's result knows the serial numbers."""
    start = tmp_path / "start.json"
    start.write_bytes(samples.load("work_started"))
    alone = [report["sn"] for report in reports(call("convert", "--json", message))]
    taught = [report["sn"] for report in reports(call("convert", "--json", start, message))]
    assert alone == ["PNL26-00417-1", "PNL26-00417-2"]
    assert taught == ["A72600417A", "A72600417B"]


def test_a_packed_batch_is_read_as_it_is_published(tmp_path):
    """A list of envelopes in gzip, whatever the file is called."""
    path = tmp_path / "published.bin"
    both = b"[" + samples.load("work_started") + b"," + samples.load("units_tested_ict") + b"]"
    path.write_bytes(gzip.compress(both))
    shown = call("convert", "--json", path)
    assert shown.exit_code == 0
    assert [report["sn"] for report in reports(shown)] == ["A72600417A", "A72600417B"]


def test_what_cannot_be_read_is_told_and_the_rest_is_shown(tmp_path, message):
    """The file's name and the reason; the exit code is 1."""
    garbage, empty = tmp_path / "garbage.json", tmp_path / "empty.json"
    garbage.write_bytes(b"\xff\x00nope")
    empty.write_bytes(b"")
    shown = call("convert", garbage, empty, message)
    assert shown.exit_code == 1
    assert f"source {garbage}\n" in shown.stdout
    assert "dead letter: CFX message: not JSON" in shown.stdout
    assert "dead letter: CFX message: the body is empty" in shown.stdout
    assert shown.stdout.count("-> POST /api/Report/WSJF") == 2
    shown = call("convert", "--json", garbage)
    (document,) = documents(shown)
    assert shown.exit_code == 1
    assert document["source"] == str(garbage)
    assert document["error"] == "CFXDecodeError"


def test_a_message_with_a_wrong_field_names_it(tmp_path):
    """As a dead letter would."""
    path = tmp_path / "wrong.json"
    document = json.loads(samples.load("units_tested_fct"))
    document["MessageBody"]["TestedUnits"][0]["Tests"] = "three"
    path.write_text(json.dumps(document))
    shown = call("convert", path)
    assert shown.exit_code == 1
    assert "UnitsTested" in shown.stdout
    assert "MessageBody.TestedUnits[0].Tests" in shown.stdout


def test_an_empty_list_is_said_to_be_one(tmp_path):
    """Nothing shown at all would look like a fault."""
    path = tmp_path / "list.json"
    path.write_bytes(b"[]")
    shown = call("convert", path)
    assert (shown.exit_code, shown.stdout) == (0, "an empty list: no message, no event\n")
    assert call("convert", "--json", path).stdout == ""


@pytest.mark.parametrize(("name", "reason"), [("gone.json", "No such file"), (".", "directory")])
def test_a_file_that_is_none_ends_with_2(tmp_path, name, reason):
    """One line on standard error, whichever command should read it."""
    config = tmp_path / "bridge.toml"
    config.write_text("[cfx.amqp]\nhost = 'mq'\nusername = 'u'\npassword = 'p'\n", encoding="utf-8")
    for command in (["convert"], ["replay", "--dry", "--config", config]):
        shown = call(*command, tmp_path / name)
        assert (shown.exit_code, shown.stdout, shown.stderr.count("\n")) == (2, "", 1)
        assert f"{tmp_path / name}: can't be read: " in shown.stderr
        assert reason in shown.stderr


MAPPED = """
[[stations]]
handle = "*"
process = 31
part_number = "PCB-100"

[mqtt]
[[mqtt.subscriptions]]
topic = "testers/{station}/simple"
profile = "pass-fail"

[webhook]
[[webhook.hooks]]
name = "mes"
secret_file = "not-needed-for-this"
profile = "unit-scan"
"""


def test_files_are_read_as_a_topic_or_a_hook_would(tmp_path):
    """With the mapping of the configuration, and neither its secrets nor any server."""
    config = tmp_path / "bridge.toml"
    config.write_text(MAPPED)
    folder = Path(samples.__file__).parent
    by_topic = call(
        *("convert", "--json", "-c", config, "--topic", "testers/T1/simple"),
        folder / "mqtt" / "pass-fail.json",
    )
    (report,) = reports(by_topic)
    assert (report["sn"], report["result"], report["pn"]) == ("SN-1001", "P", "PCB-100")
    by_hook = call(
        *("convert", "--json", "-c", config, "--hook", "mes"), folder / "webhook" / "unit-scan.json"
    )
    (document,) = documents(by_hook)
    assert document["event"]["type"] == "unit.identified"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--topic", "t"],
            "--topic: how its messages are read stands in a configuration; give it with --config",
        ),
        (["--topic", "t", "--hook", "h"], "--topic and --hook: messages come by one of them; give one"),
        (["--topic", "t", "-c"], 'nothing is configured to read messages from "t"; there are: '),
        (["--hook", "erp", "-c"], 'nothing is configured to read messages from "/hooks/erp"; there are: '),
    ],
)
def test_a_topic_or_hook_that_nothing_reads_is_one_line(tmp_path, message, options, said):
    """Exit code 2, and what there is."""
    config = tmp_path / "bridge.toml"
    config.write_text(MAPPED)
    shown = call("convert", *options, *([config] if options[-1] == "-c" else []), message)
    assert (shown.exit_code, shown.stdout, len(shown.stderr.splitlines())) == (2, "", 1)
    assert shown.stderr.startswith(said)


def test_markup_in_a_message_is_shown_as_it_is(tmp_path):
    """Square brackets of names are no colours of ours, and break nothing."""
    document = json.loads(samples.load("units_tested_fct"))
    document["Source"] = "//Acme/[/red]"
    document["MessageName"] = "CFX.Vendor.[bold]Thing[/]"
    document["MessageBody"] = {"What": "[/]"}
    path = tmp_path / "[red]markup.json"
    path.write_text(json.dumps(document))
    shown = call("convert", path)
    assert shown.exit_code == 0
    assert "custom CFX.Vendor.[bold]Thing[/]" in shown.stdout
    assert "source //Acme/[/red]" in shown.stdout
    assert '"What": "[/]"' in shown.stdout


def test_piped_output_is_plain_and_holds_every_character(tmp_path):
    """No escape codes, and serial numbers in any script, also where the system's encoding lacks them."""
    document = json.loads(samples.load("units_tested_fct"))
    document["MessageBody"]["TestedUnits"][0]["UnitIdentifier"] = "序列号-Ω-0001"
    path = tmp_path / "message.json"
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    done = program("convert", path, PYTHONIOENCODING="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert "序列号-Ω-0001" in done.stdout
    assert "\x1b" not in done.stdout
    done = program("convert", "--json", path, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["event"]["data"]["result"] == "failed"


# --- the explorer, with what the bridge tells it


def explored(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = explorer.main(arguments)
    said = capsys.readouterr()
    return code, said.out, said.err


REPORTS = {"units_tested_ict": 2, "units_tested_fct": 1, "units_inspected_aoi": 2, "units_inspected_spi": 2}
LINES = {"fault_temp": 1, "fault_feeder": 1, "fault_cleared": 1}


@pytest.mark.parametrize("name", samples.names())
def test_the_explorer_shows_the_calls_that_a_sample_becomes(capsys, name):
    """All samples convert; what is for WATS is shown as it would be sent, and nothing is logged between."""
    code, out, err = explored(capsys, "--convert", name)
    assert (code, err) == (0, "")
    assert out.count("POST /api/Report/WSJF\n") == REPORTS.get(name, 0)
    assert out.count("POST /api/Asset/Message?serialNumber=") == LINES.get(name, 0)
    for line in out.splitlines():
        assert "[debug" not in line
        assert "report sent" not in line
    if name not in REPORTS | LINES:
        assert out.splitlines()[-1] in ("remembered for later events", "no handler wants it")


def test_the_explorer_leaves_the_logs_of_a_program_as_they_were(capsys):
    """Whoever calls it from a program of his own keeps his settings."""
    before = structlog.get_config()
    explored(capsys, "--convert", "units_tested_fct")
    assert structlog.get_config() == before


def test_the_explorer_knows_thirteen_samples(capsys):
    """Named with a line each; another name ends with 2."""
    code, out, _ = explored(capsys, "--list")
    listed = [line.split() for line in out.splitlines()]
    assert (code, sum(words[1] == "sample" for words in listed)) == (0, 13)
    code, out, err = explored(capsys, "--convert", "units_tested_xyz")
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_the_explorer_writes_no_logs_into_a_pipe():
    """The program itself: what is behind the pipe gets events and calls, and nothing else."""
    done = subprocess.run(
        [sys.executable, "-m", "pywats_cfx.explorer", "--convert", "units_tested_fct"],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    _, _, call_shown = done.stdout.partition("POST /api/Report/WSJF\n")
    body = json.JSONDecoder().raw_decode(call_shown)[0]
    assert body["sn"] == "A72600417A"
    assert "report sent" not in done.stdout
