"""The command line."""

from __future__ import annotations

import errno
import json
import os
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.json import JSON
from rich.text import Text

from pywats_bridge import __version__, books, dead_letters, feeding, journal_commands, logs, recording
from pywats_bridge.commands import DEFAULT_CONFIG, EXIT_FAILED, EXIT_USAGE, ConfigOption, fail, refuse
from pywats_bridge.commands import run as run_to_end
from pywats_bridge.preview import EXAMPLE_RULES, Outlook
from pywats_bridge.settings import BridgeSettings, ConfigurationError, load, rules_of
from pywats_events import Unreadable
from pywats_events.journal import JournalError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Brings what a factory's machines say (IPC-CFX, MQTT, webhooks) into WATS.",
    epilog="Exit codes: 0 done, 1 it did not work, 2 a mistake in what was given, 130 interrupted.",
)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a console that lacks a character must not end the program
    try:
        app()
    except OSError as error:  # the journal and files have said theirs; a closed pipe is no mistake
        if error.errno != errno.ENOSPC:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left of the output has no place either
        typer.echo(f"standard output: {error.strerror}; make room, or write elsewhere", err=True)
        sys.exit(EXIT_FAILED)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Show the version and end.")] = False,
) -> None:
    if version:
        typer.echo(f"pywats-bridge {__version__}")
        raise typer.Exit


@app.command()
def run(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Receive from the broker and deliver to WATS, until told to end (Ctrl-C or SIGTERM)."""
    from pywats_bridge.running import run as run_bridge  # noqa: PLC0415  # the broker's library is not quick

    settings = _settings(config)
    logs.set_up(settings.log_level)
    try:
        run_to_end(run_bridge(settings))
    except ConfigurationError as error:
        refuse(error)
    except JournalError as error:
        key = "url" if settings.journal.kind == "postgres" else "path"
        typer.echo(f"journal.{key}: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None


@app.command()
def demo(
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long the line produces.")] = 30.0,
    seed: Annotated[int, typer.Option(help="Another number makes another day on the line.")] = 1,
    db: Annotated[Path | None, typer.Option(help="Where the local WATS keeps its reports.")] = None,
) -> None:
    """Watch a simulated SMT line become reports in a local WATS: no broker, no account, nothing to set up."""
    from pywats_bridge.demo import demo as run_demo  # noqa: PLC0415  # only the demo needs a server

    if db is not None and db.exists():
        typer.echo(f"{db}: is there already; the demo counts reports, so it needs a new file", err=True)
        raise typer.Exit(EXIT_USAGE)
    if not run_to_end(run_demo(seconds=seconds, seed=seed, db=db)):
        raise typer.Exit(EXIT_FAILED)


@app.command()
def check(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Validate the configuration and try every connection, one line each. Changes nothing."""
    from pywats_bridge.checking import check as look  # noqa: PLC0415  # the broker's library is not quick

    settings = _settings(config)
    logs.set_up("error")
    console = Console(highlight=False, soft_wrap=True)

    def say(text: str, *, good: bool = True) -> None:
        console.print("[green]ok[/]   " if good else "[red]wrong[/]", end=" ")
        console.print(" ".join(text.split()), markup=False)

    async def show() -> bool:
        good = True
        say(f"configuration {config}: valid")
        async with aclosing(look(settings, base=config.parent)) as findings:
            async for finding in findings:
                say(f"{finding.what}: {finding.said}", good=finding.good)
                good = good and finding.good
        return good

    if not run_to_end(show()):
        raise typer.Exit(EXIT_FAILED)


@app.command()
def convert(
    files: Annotated[
        list[Path],
        typer.Argument(help="Files with messages, as published: CFX (JSON or gzip), or see below."),
    ],
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Rules of this configuration; default: example rules."),
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option(help="Read the files as MQTT messages of this topic, as the configuration says."),
    ] = None,
    hook: Annotated[
        str | None,
        typer.Option(help="Read the files as calls of the webhook of this name, as the configuration says."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document per line, for programs.")
    ] = False,
) -> None:
    """Show which events and WATS calls the messages in files become. Nothing is sent."""
    from pywats_bridge.converting import Source, reader_of  # noqa: PLC0415  # the messages' models are not quick
    from pywats_bridge.converting import convert as convert_sources  # noqa: PLC0415

    address = _address(topic, hook, config)
    try:
        rules = rules_of(config) if config else EXAMPLE_RULES
        reader = reader_of(config, address) if config else reader_of()
    except ConfigurationError as error:
        refuse(error)
    sources = []
    for path in files:
        try:
            sources.append(Source.read(path, adapter=reader, address=address))
        except OSError as error:
            typer.echo(f"{path}: can't be read: {error.strerror}", err=True)
            raise typer.Exit(EXIT_USAGE) from None
    logs.set_up("error")
    console = Console(highlight=False, soft_wrap=True)

    async def show() -> bool:
        good, nothing = True, True
        async for part in convert_sources(sources, rules):
            nothing = False
            if as_json:
                typer.echo(json.dumps(_document(part), ensure_ascii=False))
            else:
                _show(part, console)
            good = good and isinstance(part, Outlook) and not part.is_fault
        if nothing and not as_json:
            console.print("an empty list: no message, no event")
        return good

    if not run_to_end(show()):
        raise typer.Exit(EXIT_FAILED)


app.command("record")(recording.record)
app.command("replay")(feeding.replay)
app.command("ledger")(books.ledger)
app.command("trace")(books.trace)
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(journal_commands.app, name="journal")


def _address(topic: str | None, hook: str | None, config: Path | None) -> str | None:
    """Give where messages come by, as people have said it."""
    if topic is not None and hook is not None:
        fail("--topic and --hook: messages come by one of them; give one", EXIT_USAGE)
    if (topic is not None or hook is not None) and config is None:
        option = "--topic" if topic is not None else "--hook"
        fail(
            f"{option}: how its messages are read stands in a configuration; give it with --config",
            EXIT_USAGE,
        )
    return topic if hook is None else f"/hooks/{hook}"


def _show(part: Outlook | Unreadable, console: Console) -> None:
    if isinstance(part, Unreadable):
        console.rule(Text(f"unreadable {part.message_name or ''}", "red"), align="left")
        console.print(f"source {part.source}", style="dim", markup=False)
        console.print(f"dead letter: {part.reason}", style="red", markup=False)
        return
    event = part.event
    title = Text(event.event_type.value, "bold").append(f" {event.metadata.message_name or ''}", "not bold")
    console.rule(title, align="left")
    console.print(f"event {event.id}  key {event.key}  source {event.source}", style="dim", markup=False)
    console.print(JSON.from_data(event.payload))
    if part.reason:
        console.print(f"-> {part.reason}", style="red" if part.is_fault else "yellow", markup=False)
    for call in part.calls:
        console.print(f"-> {call.method} {call.path}", style="green", markup=False)
        console.print(JSON.from_data(dict(call.body)))
    for note in part.notes:
        console.print(f"   {note}", style="dim", markup=False)


def _document(part: Outlook | Unreadable) -> dict[str, Any]:
    if isinstance(part, Unreadable):
        return {
            "unreadable": part.reason,
            "error": part.error,
            "message": part.message_name,
            "source": part.source,
        }
    return {
        "event": part.event.to_cloudevent(),
        "calls": [{"method": call.method, "path": call.path, "body": dict(call.body)} for call in part.calls],
        "reason": part.reason,
        "notes": list(part.notes),
    }


def _settings(path: Path) -> BridgeSettings:
    try:
        return load(path)
    except ConfigurationError as error:
        refuse(error)
