"""``pywats-bridge ledger`` and ``trace``: what became of everything, and of one unit, event or message."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from pywats_bridge.choosing import READING
from pywats_bridge.commands import DEFAULT_CONFIG, EXIT_FAILED, ConfigOption, Json, fail, run
from pywats_bridge.journal_access import access
from pywats_bridge.printing import clock_time, console, json_line, plain, say, seconds_time, table
from pywats_bridge.story import MOST, Kind, entries_of, named, near, story_of, unit_of
from pywats_events.bus.drains import Forecast
from pywats_events.bus.presence import forecasts_of
from pywats_events.journal import DeliveryState, Entry, Hold, Journal, Ledger, MessageSums, Query
from pywats_events.journal.fates import Fate, fate_of

#: What stands for messages that came by no transport: events that were published.
PUBLISHED: Final = "(published)"

_SUMS: Final = ("received", "repeated", "done", "dropped", "discarded", "dead", "waiting", "difference")
_STYLES: Final = {
    "done": "green",
    "failed": "yellow",
    "parked": "yellow",
    "dead": "red",
    "received": "bold",
}

As = Annotated[
    Kind | None, typer.Option("--as", help="What it is; by default whatever is found first, in this order.")
]


# --- ledger ----------------------------------------------------------------------------------------------


def ledger(
    what: Annotated[
        str | None, typer.Argument(metavar="[UNIT_OR_ID]", help="One unit, event, dead letter or message.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    kind: As = None,
    as_json: Json = False,
) -> None:
    """Show the books: what became of every message received. Ends with 1 when they do not balance."""

    async def show() -> None:
        async with access(config) as journal:
            if what is None:
                kept = journal.journal
                _show_books(
                    await kept.ledger(), await kept.holds(), await forecasts_of(kept), as_json=as_json
                )
            else:
                entries = await _found(journal.journal, what, kind)
                await _show_entries(journal.journal, entries, as_json=as_json)

    run(show())


def _show_books(
    books: Ledger, held: Mapping[str, Hold], forecasts: Sequence[Forecast], *, as_json: bool
) -> None:
    if as_json:
        json_line(
            {
                "messages": {name: _sums(sums) for name, sums in sorted(books.messages.items())},
                "deliveries": {
                    name: {state.value: number for state, number in states.items()}
                    for name, states in sorted(books.deliveries.items())
                },
                "left_alone": {name: _hold(hold) for name, hold in sorted(held.items())},
                "forecasts": {one.destination: _forecast(one) for one in forecasts},
                "difference": books.difference,
            }
        )
    elif not books.messages:
        typer.echo("nothing was received yet")
    else:
        _tables(books)
        say()
        for name, hold in sorted(held.items()):
            mend = ", somebody must mend that" if hold.needs_attention else ""
            say(
                f"{name} is left alone since {seconds_time(hold.since)}, "
                f"tried again at {seconds_time(hold.probe_at)}{mend}: {plain(hold.reason)}",
                "red" if hold.needs_attention else "yellow",
            )
        for one in forecasts:
            say(f"{one.destination}: {one}")
        balance = "the books balance" if not books.difference else "they do not balance: check the journal"
        say(f"difference {books.difference}: {balance}", "red" if books.difference else "green")
    if books.difference:
        raise typer.Exit(EXIT_FAILED)


def _tables(books: Ledger) -> None:
    rows: list[tuple[Any, ...]] = [
        (name or PUBLISHED, *_sums(sums).values()) for name, sums in sorted(books.messages.items())
    ]
    if len(rows) > 1:
        rows.append(("all", *(sum(row[column] for row in rows) for column in range(1, len(_SUMS) + 1))))
    table(("transport", *_SUMS), rows, numbers=_SUMS)
    states = [state.value for state in DeliveryState]
    say()
    table(
        ("handler", *(state.replace("_", " ") for state in states)),
        (
            (name or READING, *(by_state.get(state, 0) for state in DeliveryState))
            for name, by_state in sorted(books.deliveries.items())
        ),
        numbers=[state.replace("_", " ") for state in states],
    )


def _hold(hold: Hold) -> dict[str, Any]:
    return {
        "since": hold.since.isoformat(),
        "next_try": hold.probe_at.isoformat(),
        "needs_attention": hold.needs_attention,
        "reason": hold.reason,
    }


def _forecast(one: Forecast) -> dict[str, Any]:
    return {
        "waiting": one.waiting,
        "allowed_per_second": one.allowed,
        "measured_per_second": one.measured,
        "empty_at": None if one.empty_at is None else one.empty_at.isoformat(),
    }


def _sums(sums: MessageSums) -> dict[str, int]:
    return {name: getattr(sums, name) for name in _SUMS}


async def _show_entries(journal: Journal, entries: Sequence[Entry], *, as_json: bool) -> None:
    fates = await _fates(journal, entries)
    difference = sum(fates.values()) - len(_messages(entries))
    if as_json:
        json_line(
            {
                "messages": dict(fates),
                "deliveries": [_document(entry) for entry in entries],
                "difference": difference,
            }
        )
        return
    table(
        ("id", "message", "name", "unit", "handler", "state", "since", "said"),
        (
            (
                entry.id,
                entry.message_id or PUBLISHED,
                (entry.message_name or "-").rpartition(".")[2],
                named(entry) or "-",
                entry.handler or READING,
                entry.state.value,
                seconds_time(entry.changed),
                entry.rule or (f"{entry.error}: {entry.reason}" if entry.error else "-"),
            )
            for entry in entries
        ),
        numbers=("id",),
    )
    say()
    number = len(_messages(entries))
    parts = " + ".join(f"{count} {fate}" for fate, count in fates.items())
    say(f"{number} message{'s' if number > 1 else ''} = {parts}; difference {difference}")


def _messages(entries: Sequence[Entry]) -> dict[str, str | None]:
    """Give the messages of entries; an event that was published is a message of its own."""
    return {
        entry.message_id or f"event {entry.event.id if entry.event else entry.id}": entry.message_id
        for entry in entries
    }


async def _fates(journal: Journal, entries: Sequence[Entry]) -> Mapping[str, int]:
    fates: Counter[Fate] = Counter()
    for name, message_id in _messages(entries).items():
        if message_id is None:
            its = [one for one in entries if one.event and f"event {one.event.id}" == name]
        else:
            its = await journal.search(Query(message_id=message_id, limit=MOST))
        fates[fate_of(entry.state for entry in its)] += 1
    return {fate.value: fates[fate] for fate in Fate if fates[fate]}


def _document(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "message_id": entry.message_id,
        "message_name": entry.message_name,
        "event_id": entry.part_id if entry.event is None else entry.event.id,
        "unit": unit_of(entry),
        "handler": entry.handler,
        "state": entry.state.value,
        "changed": entry.changed.isoformat(),
        "rule": entry.rule,
        "error": entry.error,
        "reason": entry.reason,
    }


# --- trace -----------------------------------------------------------------------------------------------


def trace(
    what: Annotated[str, typer.Argument(metavar="UNIT_OR_ID", help="A unit, event, dead letter or message.")],
    config: ConfigOption = DEFAULT_CONFIG,
    kind: As = None,
    as_json: Json = False,
) -> None:
    """Tell the story of a unit or event: received when, from where, became what, sent where, answer."""

    async def show() -> None:
        async with access(config) as journal:
            entries = await _found(journal.journal, what, kind)
            for chapter in await story_of(journal.journal, entries):
                if as_json:
                    json_line({"time": chapter.time.isoformat(), "what": chapter.what, **chapter.facts})
                    continue
                line = clock_time(chapter.time), chapter.what, plain(chapter.said)
                if console().is_terminal:
                    say("{}  {:<10} {}".format(*line), _STYLES.get(chapter.what, ""))
                else:
                    typer.echo("\t".join(line))

    run(show())


async def _found(journal: Journal, what: str, kind: Kind | None) -> list[Entry]:
    entries = await entries_of(journal, what, kind)
    if not entries:
        others = await near(journal, what)
        hint = f"; it is mentioned with {', '.join(others)}" if others else ""
        kinds = kind.value if kind else "unit, event, dead letter or message"
        unread = ["pywats-bridge", "dead-letters", "list", f"--text={what}"]
        fail(
            f"{plain(what)}: the journal knows no {kinds} of this name{plain(hint)}; "
            "what is done is kept for as long as journal.keep_done_days says; "
            f"a message that could not be read is found by: {plain(shlex.join(unread))}"
        )
    return entries
