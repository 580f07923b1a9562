"""Examples that mappings carry, tried."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pywats_events.event import Event
from pywats_events.mapping.reading import Example
from pywats_events.mapping.topics import TopicPattern
from pywats_events.message import Adapter, RawMessage, Unreadable

#: When examples come in: an event without a time of its own has this one.
RECEIVED: Final = datetime(2026, 1, 1, tzinfo=UTC)


class ExampleError(ValueError):
    """An example can't be tried."""


def try_example(example: Example, pattern: TopicPattern, adapter: Adapter, *, base: Path) -> list[str]:
    """Say in which ways an example does not become what it shall; none where it does.

    Args:
        example: the example.
        pattern: of the mapping that carries it.
        adapter: reads its message.
        base: folder that its file is looked for in.

    Raises:
        ExampleError: it can't be tried.
    """
    address = example.topic or (pattern.text if pattern.match(pattern.text) == {} else "")
    if pattern.match(address) is None:
        said = f'topic "{address}" does not match' if address else "needs a topic that matches"
        raise ExampleError(f"{said} {pattern.text}")
    message = RawMessage(
        body=_body(example, base),
        content_type="application/json",
        transport="example",
        address=address,
        properties=example.properties,
        received_at=RECEIVED,
    )
    parts = adapter(message)
    if example.refused is not None:
        return list(_not_refused(example.refused, parts))
    expected = example.expect if isinstance(example.expect, list) else [example.expect or {}]
    reasons = [part.reason for part in parts if isinstance(part, Unreadable)]
    if reasons:
        return reasons
    if len(parts) != len(expected):
        return [f"makes {len(parts)} events, not {len(expected)}"]
    return [
        f"event {index}: {fault}" if len(parts) > 1 else fault
        for index, (part, wanted) in enumerate(zip(parts, expected, strict=True))
        if isinstance(part, Event)
        for fault in _differences(wanted, _seen(part), "")
    ]


def _body(example: Example, base: Path) -> bytes:
    if example.file is not None:
        try:
            return (base / example.file).read_bytes()
        except OSError as error:
            raise ExampleError(f"{example.file} can't be read: {error.strerror}") from None
    if example.body is not None:
        return example.body.encode()
    return json.dumps(example.payload, default=str).encode()


def _not_refused(words: str, parts: Sequence[Event | Unreadable]) -> Sequence[str]:
    reasons = [part.reason for part in parts if isinstance(part, Unreadable)]
    if any(words in reason for reason in reasons):
        return ()
    said = " / ".join(reasons) or f"makes {len(parts)} events"
    return (f'is not refused with "{words}": {said}',)


def _seen(event: Event) -> dict[str, Any]:
    return {
        "event": event.event_type.value,
        "id": event.id,
        "source": event.source,
        "key": event.key,
        "time": event.time.isoformat(),
        "payload": event.payload,
    }


def _differences(wanted: Any, found: Any, place: str) -> Sequence[str]:
    """Compare what is wanted with what is there; what nobody wants may be there."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return [
            fault
            for name, value in wanted.items()
            for fault in _differences(value, found.get(name), f"{place}.{name}" if place else str(name))
        ]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [
            fault
            for index, (one, other) in enumerate(zip(wanted, found, strict=True))
            for fault in _differences(one, other, f"{place}[{index}]")
        ]
    if isinstance(wanted, datetime):
        wanted = wanted.isoformat()
    if wanted == found and isinstance(wanted, bool) == isinstance(found, bool):
        return ()
    return (f"{place} is {_shown(found)}, not {_shown(wanted)}",)


def _shown(value: Any) -> str:
    text = "missing" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 200 else f"{text[:200]}..."  # noqa: PLR2004
