"""What all commands share: exit codes, the configuration's option, and how a command ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, TypeVar

import typer

from pywats_bridge.loading import interrupt_as_usual
from pywats_bridge.printing import ago
from pywats_bridge.settings import ConfigurationError

T = TypeVar("T")

#: What was asked for did not work.
EXIT_FAILED: Final = 1
#: A mistake in what we were given.
EXIT_USAGE: Final = 2
#: Somebody interrupted it.
EXIT_INTERRUPTED: Final = 130

DEFAULT_CONFIG: Final = Path("bridge.toml")

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
Json = Annotated[bool, typer.Option("--json", help="JSON, one document per line, for programs.")]


def fail(text: str, code: int = EXIT_FAILED) -> NoReturn:
    """Say on standard error why a command ends, and end it."""
    typer.echo(text, err=True)
    raise typer.Exit(code)


def age(text: str, option: str) -> datetime:
    """Give the time so long ago; what is no age ends the command."""
    try:
        return ago(text)
    except ValueError as error:
        fail(f"{option}: {error}", EXIT_USAGE)


def refuse(error: ConfigurationError) -> NoReturn:
    """End a command whose configuration can't be used: a line for each mistake."""
    fail("\n".join(error.mistakes), EXIT_USAGE)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run async code to its end, or to Ctrl-C."""
    interrupt_as_usual()
    try:
        return asyncio.run(work)
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(EXIT_INTERRUPTED) from None
