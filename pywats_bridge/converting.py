"""Dry runs: what the messages in files would become."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from pydantic import ValidationError

from handlers import Rules
from pywats_bridge.preview import Outlook, preview
from pywats_bridge.readers import formats
from pywats_bridge.settings import ConfigurationError
from pywats_cfx import cfx_adapter
from pywats_events import Event, RawMessage, Unreadable
from pywats_events.mapping import Reading, TopicPattern, adapter_of
from pywats_events.message import Adapter

#: How messages are read, by the pattern of their address.
Readings: TypeAlias = Sequence[tuple[TopicPattern, Reading]]

_KEYS: Final = frozenset({*Reading.model_fields, "as"})


@dataclass(frozen=True, slots=True)
class Source:
    """A file and its bytes, and how they are read.

    Attributes:
        name: of the file.
        body: its bytes.
        adapter: reads them.
        address: topic or path that they came by; the file's name where there is none.
    """

    name: str
    body: bytes
    adapter: Adapter = cfx_adapter
    address: str | None = None

    @classmethod
    def read(cls, path: Path, *, adapter: Adapter = cfx_adapter, address: str | None = None) -> Source:
        """Read a file.

        Raises:
            OSError: it can't be read.
        """
        return cls(str(path), path.read_bytes(), adapter, address)

    def parts(self) -> Iterator[Event | Unreadable]:
        """Give its events, and what no event can be made of."""
        address = self.address or self.name
        yield from self.adapter(RawMessage(body=self.body, transport="file", address=address))


async def convert(sources: list[Source], rules: Rules) -> AsyncIterator[Outlook | Unreadable]:
    """Say what becomes of the messages, in order; earlier files teach later ones."""
    parts = [part for source in sources for part in source.parts()]
    for part in parts:
        if isinstance(part, Unreadable):
            yield part
    async for outlook in preview([part for part in parts if isinstance(part, Event)], rules):
        yield outlook


def readings_of(path: Path) -> Readings:
    """Read only how messages are read: subscriptions and hooks, without the secrets and files they need.

    Raises:
        ConfigurationError: they can't be read or used; each mistake has its line.
    """
    try:
        document = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ConfigurationError([f"{path}: can't be read: {error}"]) from None
    mistakes: list[str] = []
    readings = [
        (pattern, reading)
        for where, text, table in _tables(document)
        for pattern, reading in _reading(where, text, table, mistakes)
    ]
    if mistakes:
        raise ConfigurationError(mistakes)
    return readings


def reader_of(path: Path | None = None, address: str | None = None) -> Adapter:
    """Give what reads messages that come by an address, as a configuration says; CFX where there is none.

    Raises:
        ConfigurationError: nothing reads messages from there, or what does can't be used.
    """
    if path is None or address is None:
        return cfx_adapter
    return reader_for(readings_of(path), address, formats())


def reader_for(readings: Readings, address: str, formats: Mapping[str, Adapter]) -> Adapter:
    """Give the adapter for messages that come by an address.

    Args:
        readings: those of the configuration.
        address: a topic, or ``/hooks/`` and the name of a hook.
        formats: adapters of the formats that may be configured.

    Raises:
        ConfigurationError: nothing reads messages from there, or what does can't be used.
    """
    if not any(pattern.match(address) is not None for pattern, _ in readings):
        known = ", ".join(pattern.text for pattern, _ in readings) or "none"
        raise ConfigurationError(
            [f'nothing is configured to read messages from "{address}"; there are: {known}']
        )
    try:
        return adapter_of(readings, formats=formats)
    except ValueError as error:
        raise ConfigurationError([str(error)]) from None


def _tables(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Give each table that says how messages are read: its key, its address, itself."""
    brokers = document.get("mqtt", {})
    for broker in brokers if isinstance(brokers, list) else [brokers]:
        for index, each in enumerate(_list(broker, "subscriptions")):
            yield f"mqtt.subscriptions[{index + 1}]", str(each.get("topic", "")), each
    for index, each in enumerate(_list(document.get("webhook", {}), "hooks")):
        yield f"webhook.hooks[{index + 1}]", f"/hooks/{each.get('name', '')}", each


def _list(table: Any, key: str) -> list[Mapping[str, Any]]:
    found = table.get(key, []) if isinstance(table, Mapping) else []
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _reading(
    where: str, text: str, table: Mapping[str, Any], mistakes: list[str]
) -> Iterator[tuple[TopicPattern, Reading]]:
    given = {key: value for key, value in table.items() if key in _KEYS}
    if where.startswith("webhook") and not given.keys() & {"format", "profile", "event", "fields"}:
        given["format"] = "cloudevents"  # as HookConfig has it
    try:
        yield TopicPattern.parse(text), Reading.model_validate(given)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False, include_context=False):
            key = ".".join([where, *(str(part) for part in fault["loc"])])
            mistakes.append(f"{key}: {fault['msg'].removeprefix('Value error, ')}")
    except ValueError as error:
        mistakes.append(f"{where}: {error}")
