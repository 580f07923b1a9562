"""``--convert``: the domain events that messages become, and what WATS gets of those."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import entry_points
from typing import Final, TypeAlias

from pywats_cfx.adapter import cfx_adapter
from pywats_cfx.explorer.content import Content
from pywats_cfx.explorer.refusal import FAILED
from pywats_cfx.explorer.screen import Screen, clean, tell
from pywats_events.event import Event
from pywats_events.message import RawMessage, Unreadable

#: Says in lines of text what a destination gets of events.
Preview: TypeAlias = Callable[[Sequence[Event]], Iterable[str]]

#: Where those who know a destination register their preview.
GROUP: Final = "pywats_cfx.explorer"


def convert(screen: Screen, content: Content) -> int:
    """Show what becomes of the messages in a file; give the exit code."""
    made = cfx_adapter(RawMessage(content.body, transport="explorer", address=content.name))
    events = [each for each in made if isinstance(each, Event)]
    unreadable = [each for each in made if isinstance(each, Unreadable)]
    for number, event in enumerate(events, start=1):
        told = f"event {number} of {len(events)}: {event.event_type.value}, key {event.key}"
        screen.heading(clean(told))
        screen.json(event.to_cloudevent())
    if events:
        for line in _previews(events):
            screen.line(line)
    elif not unreadable:
        screen.plain("an empty list: no message, no event")
    for each in unreadable:
        tell(f"can't be read: {each.reason}")
    return FAILED if unreadable else 0


def _previews(events: Sequence[Event]) -> Iterator[str]:
    found = sorted(entry_points(group=GROUP), key=lambda each: each.name)
    if not found:
        yield (
            f'WATS: not shown; nothing is installed in the entry point group "{GROUP}" '
            "(the distribution pywats-bridge brings it)"
        )
    for entry in found:
        try:
            preview: Preview = entry.load()
            yield from preview(events)
        except Exception as error:  # noqa: BLE001  # a stranger's code; the events are shown all the same
            yield f"{entry.name}: can't be shown: {type(error).__name__}: {error}"
