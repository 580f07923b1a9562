"""``docs/mapping.md``: each configuration is loaded, and each message becomes what the page says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pywats_bridge.converting import reader_for, readings_of
from pywats_bridge.mapping_checks import mapping_findings
from pywats_events.event import Event
from pywats_events.mapping import profile_names
from pywats_events.message import RawMessage, Unreadable

PAGE = (Path(__file__).parents[3] / "docs" / "mapping.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"```(toml|json|text)\n(.*?)```", re.DOTALL)


class Shown(NamedTuple):
    """A message on the page, and what it becomes."""

    section: str
    config: str
    address: str
    body: str
    kind: str
    outcome: str


def sections() -> dict[str, str]:
    parts = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def shown() -> Iterator[Shown]:
    for title, text in sections().items():
        if not title.startswith("Example"):
            continue
        blocks = list(_BLOCK.finditer(text))
        assert blocks[0][1] == "toml", title
        for message, outcome in zip(blocks[1::2], blocks[2::2], strict=True):
            address = re.findall(r"`(\S+/\S+)`", text[: message.start()])[-1]
            yield Shown(title, blocks[0][2], address, message[2], outcome[1], outcome[2])


def adapter_for(config: str, address: str, folder: Path) -> Any:
    path = folder / "bridge.toml"
    path.write_text(config, encoding="utf-8")
    return reader_for(readings_of(path), address, {})


def seen(event: Event, wanted: dict[str, Any]) -> dict[str, Any]:
    document = event.to_cloudevent()
    return {name: document.get(name) for name in wanted}


def test_the_page_has_five_examples():
    """Worked ones, each with a configuration, a message and what it becomes."""
    titles = [title for title in sections() if title.startswith("Example")]
    assert [title.split(":")[0] for title in titles] == [f"Example {number}" for number in range(1, 6)]
    assert len(list(shown())) >= 8


@pytest.mark.parametrize("each", list(shown()), ids=lambda each: f"{each.section} {each.body[:30]}")
def test_a_message_becomes_what_the_page_says(each, tmp_path):
    """Event or reason, as they are shown."""
    message = RawMessage(body=each.body.encode(), address=each.address)
    parts = adapter_for(each.config, each.address, tmp_path)(message)
    if each.kind == "text":
        assert [part.reason for part in parts if isinstance(part, Unreadable)] == [each.outcome.strip()]
        return
    wanted = json.loads(each.outcome)
    wanted = wanted if isinstance(wanted, list) else [wanted]
    assert not [part.reason for part in parts if isinstance(part, Unreadable)]
    assert [seen(part, one) for part, one in zip(parts, wanted, strict=True)] == wanted


@pytest.mark.parametrize("title", [title for title, text in sections().items() if "```toml" in text])
def test_each_configuration_of_the_page_passes_the_check(title, tmp_path):
    """Its own examples among them."""
    for block in _BLOCK.finditer(sections()[title]):
        if block[1] == "toml":
            path = tmp_path / "bridge.toml"
            path.write_text(block[2], encoding="utf-8")
            findings = list(mapping_findings(readings_of(path), formats={}, base=tmp_path))
            assert findings
            assert all(good for good, _, _ in findings), findings


def test_the_page_names_each_profile():
    """With its members."""
    for name in profile_names():
        assert f"### {name}\n" in PAGE
