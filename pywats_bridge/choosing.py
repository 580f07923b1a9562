"""Which dead letters a command means: the options by which people choose, and the query they become."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import astuple, dataclass, replace
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, Final, get_type_hints

import typer

from pywats_bridge.commands import EXIT_USAGE, age, fail
from pywats_bridge.printing import plain
from pywats_cfx.messages.registry import NAMES, right_name
from pywats_events.bus.dead_letters import DeadLetters
from pywats_events.journal import Query

#: What stands for the handler of a message that could not be read, which never came to one.
READING: Final = "(reading)"
#: Most groups that are looked through.
ALL_GROUPS: Final = 100_000

_Older = Annotated[str | None, typer.Option(metavar="AGE", help="Came longer ago than that: 30m, 2h, 3d.")]
_Newer = Annotated[str | None, typer.Option(metavar="AGE", help="Came after that: 30m, 2h, 3d.")]
_Handler = Annotated[
    str | None, typer.Option(help=f'Name of the handler; "{READING}" for what could not be read.')
]
_Error = Annotated[str | None, typer.Option(help="Class of the error, PermanentError for instance.")]
_Unit = Annotated[str | None, typer.Option(help="Identifier of the unit.")]
_Station = Annotated[str | None, typer.Option(help="Who sent it: the CFX handle.")]
_Message = Annotated[str | None, typer.Option(help="Name of the message; UnitsTested is enough for CFX.")]
_Text = Annotated[str | None, typer.Option(help="Part of unit, station, event id, message name or reason.")]
_Cause = Annotated[
    str | None, typer.Option(help="Cause of death as the list shows it; its beginning is enough.")
]


@dataclass(frozen=True, slots=True)
class Choice:
    """What the options say; each member is one. None: does not restrict."""

    older: _Older = None
    newer: _Newer = None
    handler: _Handler = None
    error: _Error = None
    unit: _Unit = None
    station: _Station = None
    message: _Message = None
    text: _Text = None
    cause: _Cause = None

    @property
    def is_empty(self) -> bool:
        """True when nothing restricts."""
        return all(one is None for one in astuple(self))

    async def query(self, letters: DeadLetters, *, limit: int = ALL_GROUPS) -> Query:
        """Give the query; an option that can't be understood ends the command.

        Raises:
            JournalError: the journal can't be read.
        """
        return Query(
            before=None if self.older is None else age(self.older, "--older"),
            since=None if self.newer is None else age(self.newer, "--newer"),
            handler="" if self.handler == READING else self.handler,
            error=self.error,
            unit=self.unit,
            source=self.station,
            message_name=None if self.message is None else _message(self.message),
            text=self.text,
            fingerprint=None if self.cause is None else await _cause(letters, self.cause),
            limit=limit,
        )


def with_choice(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command's parameter ``choice`` to people as options, one for each member of ``Choice``."""
    options = {
        name: _at_most_once(hint) for name, hint in get_type_hints(Choice, include_extras=True).items()
    }
    hints = {
        name: hint for name, hint in get_type_hints(command, include_extras=True).items() if name != "choice"
    }

    @wraps(command)
    def with_options(**given: Any) -> None:
        command(choice=Choice(**{name: _the_one(name, given.pop(name)) for name in options}), **given)

    own = signature(command).parameters.values()
    parameters = [
        *(one.replace(annotation=hints[one.name]) for one in own if one.name != "choice"),
        *(
            Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=hint)
            for name, hint in options.items()
        ),
    ]
    with_options.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
    with_options.__annotations__ = {**hints, **options}
    return with_options


def _at_most_once(hint: Any) -> Any:
    """Let the command line hand over all that was given; it would take the last one without a word."""
    option = copy(hint.__metadata__[0])
    option.metavar = option.metavar or "TEXT"
    return Annotated[list[str] | None, option]


def _the_one(name: str, given: list[str] | None) -> str | None:
    if given and len(given) > 1:
        fail(f"--{name}: is given {len(given)} times; give it once, and run the command for each", EXIT_USAGE)
    return given[0] if given else None


def _message(name: str) -> str:
    """Give the full name of a CFX message; the name as it is where it is none."""
    known = right_name(name)
    if known is not None:
        return known
    fitting = sorted(full for full in NAMES if full.lower().endswith(f".{name.strip().lower()}"))
    if len(fitting) > 1:
        fail(f"--message: {plain(name)} may be {' or '.join(fitting)}", EXIT_USAGE)
    return fitting[0] if fitting else name


async def _cause(letters: DeadLetters, beginning: str) -> str:
    causes = [group.fingerprint for group in await letters.groups(Query(limit=ALL_GROUPS))]
    fitting = [cause for cause in causes if cause.startswith(beginning.strip().lower())]
    if len(fitting) != 1:
        said = "several causes begin so; write more of it" if fitting else "no dead letter died of it"
        fail(f"--cause: {plain(beginning)}: {said}", EXIT_USAGE)
    return fitting[0]


async def count(letters: DeadLetters, query: Query) -> int:
    """Give how many dead letters a query means."""
    return sum(group.count for group in await letters.groups(replace(query, limit=ALL_GROUPS)))


async def why_none(letters: DeadLetters, choice: Choice) -> str:
    """Say that there is nothing, and what there is where the choice may have been wrong."""
    groups = [] if choice.is_empty else await letters.groups(Query(limit=ALL_GROUPS))
    if not groups:
        return "no dead letters"
    number = sum(group.count for group in groups)
    handlers = sorted({group.handler or READING for group in groups})
    errors = sorted({group.error for group in groups})
    return (
        f"no dead letter fits; there are {number} others: handlers {', '.join(map(plain, handlers))}; "
        f"errors {', '.join(map(plain, errors))}"
    )
