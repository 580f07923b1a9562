"""``record`` and ``replay`` on the command line: what they refuse, and what a dry replay shows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import typer
from click.testing import Result
from typer.testing import CliRunner

from pywats_bridge.feeding import replay
from pywats_bridge.recording import record

GOOD = '{"received": "2026-03-02T08:00:00Z", "transport": "mqtt", "text": "{}"}'
PASS_FAIL = '{"serial": "SN1", "result": "PASS", "program": "leak-test", "time": "2026-03-02T09:15:27+01:00"}'
STATIONS = """
[[stations]]
handle = "*"
process = 60
part_number = "PCB-100"
revision = "A"
"""
HOOK = """
[webhook]
[[webhook.hooks]]
name = "testers"
token = "the-callers-own-token"
profile = "pass-fail"
"""
WATS = """
[wats]
url = "http://127.0.0.1:9"
token = "t"
"""


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no variable of the machine decide a test, and undo what a command does to the logs."""
    for name in os.environ:
        if name.startswith("PYWATS_BRIDGE_"):
            monkeypatch.delenv(name)
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def call(*arguments: str | Path) -> Result:
    app = typer.Typer()
    app.command("record")(record)
    app.command("replay")(replay)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("source", "sources", "reason"),
    [
        ("mqtt", "[cfx.amqp]\n", "mqtt: is missing, there is no broker to record from"),
        ("hook", "[cfx.amqp]\n", "webhook: is missing, there are no hooks to record"),
        ("amqp", '[webhook]\nlisten = ""\n', "cfx.amqp: is missing, there is no broker to record from"),
        ("hook", '[webhook]\nlisten = ""\n', "webhook.listen: is empty; say where to listen with --listen"),
        (
            "amqp",
            "[cfx.amqp]\ndeclare_queue = false\n",
            "cfx.amqp: the bridge reads a queue that others bind",
        ),
        ("telex", "[cfx.amqp]\n", '--from: "telex" is no source; there are amqp, mqtt, hook'),
    ],
)
def test_what_cannot_be_recorded_is_one_line(tmp_path, source, sources, reason):
    """No file is made, nothing is connected to, and a token for WATS is not asked for."""
    path, config = tmp_path / "line.jsonl", tmp_path / "bridge.toml"
    config.write_text(sources)
    shown = call("record", "--from", source, "--to", path, "--config", config)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert shown.stderr.startswith(reason)
    assert shown.stderr.count("\n") == 1
    assert not path.exists()


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--queue", "lines", "--queue lines: is the bridge's own; recording would take its messages away\n"),
        ("--for", "long", '--for: "long" is no time; write one such as 90s, 15m, 8h or 1d\n'),
    ],
)
def test_an_option_that_is_wrong_is_one_line(tmp_path, option, value, reason):
    """By a slip of the pen no message of the bridge is taken away."""
    config = tmp_path / "bridge.toml"
    config.write_text('[cfx.amqp]\nqueue = "lines"\n')
    shown = call("record", "--from", "amqp", "--to", tmp_path / "x", "--config", config, option, value)
    assert (shown.exit_code, shown.stderr) == (2, reason)


def test_a_place_to_listen_that_is_none_is_one_line(tmp_path):
    """It looks as the configuration's would."""
    config = tmp_path / "bridge.toml"
    config.write_text(HOOK)
    shown = call("record", "--from", "hook", "--to", tmp_path / "x", "--config", config, "--listen", "8085")
    assert (shown.exit_code, shown.stderr) == (
        2,
        "--listen: should look like http://0.0.0.0:8085 or https://0.0.0.0:8443\n",
    )


@pytest.mark.parametrize("command", ["record", "replay"])
def test_a_configuration_that_is_missing_is_one_line(tmp_path, command):
    """As with all commands."""
    (tmp_path / "line.jsonl").write_text('{"capture": 1}\n')
    given = ("--from", "amqp", "--to", tmp_path / "x") if command == "record" else (tmp_path / "line.jsonl",)
    shown = call(command, *given, "--config", tmp_path / "no.toml")
    assert shown.exit_code == 2
    assert shown.stderr == f"{tmp_path}/no.toml: there is no such file; give another one with --config\n"


def test_a_dry_replay_shows_what_would_become_of_it(tmp_path):
    """Events, calls and dead letters; neither WATS nor a token is needed, and nothing is written."""
    config, path = tmp_path / "bridge.toml", tmp_path / "calls.jsonl"
    config.write_text(HOOK + STATIONS)
    about = {"received": "2026-03-02T08:00:00Z", "transport": "webhook", "address": "/hooks/testers"}
    bodies = [{**about, "content_type": "application/json", "text": text} for text in (PASS_FAIL, "garbage")]
    path.write_text("".join(json.dumps(line) + "\n" for line in ({"capture": 1}, *bodies)))
    shown = call("replay", path, "--config", config, "--dry")
    assert shown.exit_code == 1
    assert "line 2: test.result SN1 from" in shown.stdout
    assert "  POST /api/Report/WSJF" in shown.stdout
    assert "line 3: dead letter: " in shown.stdout
    last = shown.stdout.splitlines()[-1]
    assert last == "2 messages, 1 event, 1 call, 1 dead letter; nothing was sent"
    assert not list(tmp_path.glob("*.journal*"))


def test_damaged_lines_and_other_transports_are_named_first(tmp_path):
    """Before anything is brought in; the damaged ones may be left out."""
    config, path = tmp_path / "bridge.toml", tmp_path / "line.jsonl"
    config.write_text("[cfx.amqp]\n" + WATS)
    path.write_text(f'{{"capture": 1}}\n{GOOD}\nnonsense\n{GOOD}\n{{}}\n')
    shown = call("replay", path, "--config", config)
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert [line.split(": ")[1] for line in shown.stderr.splitlines()[:2]] == ["line 3", "line 5"]
    assert shown.stderr.endswith(
        "nothing was brought in; mend these lines, or leave them out with --skip-damaged\n"
    )
    shown = call("replay", path, "--config", config, "--skip-damaged")
    assert (shown.exit_code, shown.stdout) == (1, "")
    told = f'{path}: {config} does not configure transport "mqtt", of which it holds 2 messages'
    assert told in shown.stderr


@pytest.mark.parametrize("speed", ["fast", "0x", "-1", "x"])
def test_a_speed_that_is_none_is_refused(tmp_path, speed):
    """It says what one looks like."""
    shown = call("replay", tmp_path / "x", f"--speed={speed}")
    reason = f'--speed: "{speed}" is no speed; write one such as 1x, 10x, 0.5x or max\n'
    assert (shown.exit_code, shown.stderr) == (2, reason)
