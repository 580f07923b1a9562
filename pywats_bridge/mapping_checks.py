"""Trying out mappings: that each can be used, and that its examples become what they shall."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pywats_bridge.converting import Readings
from pywats_events.mapping import ExampleError, Reading, TopicPattern, adapter_of, try_example
from pywats_events.message import Adapter


def mapping_findings(
    readings: Readings, *, formats: Mapping[str, Adapter], base: Path
) -> Iterator[tuple[bool, str, str]]:
    """Look at how messages are read, one line for each address.

    Args:
        readings: subscriptions, hooks, with how their messages are read.
        formats: adapters of the formats that may be configured.
        base: the configuration's folder, in which files of examples are.

    Yields:
        Whether it is good, what was looked at, and what was found (as ``checking.Finding`` has them).
    """
    earlier: list[TopicPattern] = []
    for pattern, reading in readings:
        what = f"mapping {pattern.text}"
        try:
            adapter = adapter_of([(pattern, reading)], formats=formats)
        except ValueError as error:
            yield False, what, str(error).removeprefix(f"{pattern.text}: ")
            continue
        hider = next((each for each in earlier if _hides(each, pattern)), None)
        earlier.append(pattern)
        if hider is not None:
            said = f"is never used: {hider.text} stands before it and matches all of it; put it above"
            yield False, what, said
            continue
        faults = list(_faults(pattern, reading, adapter, base))
        for fault in faults:
            yield False, what, fault
        if not faults:
            yield True, what, _said(reading) + _repeats(pattern, reading)


def _faults(pattern: TopicPattern, reading: Reading, adapter: Adapter, base: Path) -> Iterator[str]:
    for number, example in enumerate(reading.examples, 1):
        try:
            for fault in try_example(example, pattern, adapter, base=base):
                yield f"example {number}: {fault}"
        except ExampleError as error:
            yield f"example {number}: {error}"


def _hides(above: TopicPattern, below: TopicPattern) -> bool:
    """Tell whether a pattern matches whatever another one does."""
    if above.rest is None and (below.rest is not None or len(above.levels) != len(below.levels)):
        return False
    if len(above.levels) > len(below.levels):
        return False
    is_open = not above.levels or above.levels[0] is None
    if is_open and below.levels and (below.levels[0] or "").startswith("$"):
        return False
    return all(one is None or one == other for one, other in zip(above.levels, below.levels, strict=False))


def _repeats(pattern: TopicPattern, reading: Reading) -> str:
    """Warn where content alone tells messages apart; MQTT has its window, profiles have theirs."""
    tells = {"id", "id_property", "time", "repeat_window"} & reading.model_fields_set
    if not pattern.text.startswith("/hooks/") or reading.event is None or tells:
        return ""
    return (
        "; a call that says the same as an earlier one, and has no webhook-id or Idempotency-Key, counts as "
        "that one: give id, time or repeat_window"
    )


def _said(reading: Reading) -> str:
    how = f"profile {reading.profile}" if reading.profile else None
    how = how or (reading.event.value if reading.event else f"format {reading.format}")
    count = len(reading.examples)
    if not reading.is_mapped and not count:
        return how
    tried = {0: "no examples to try", 1: "its example is right"}.get(count, f"all {count} examples are right")
    return f"{how}; {tried}"
