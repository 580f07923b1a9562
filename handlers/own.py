"""Handlers of users: found by the configuration, or by the entry points of installed packages."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from handlers.memory import FactStore
from handlers.rules import Rules
from pywats_events.handler import BaseHandler, wanted_types

#: Packages name their handlers under it: ``[project.entry-points."pywats_bridge.handlers"]``.
GROUP: Final = "pywats_bridge.handlers"


class UnfitHandler(Exception):  # noqa: N818  # says what it is about
    """A handler of the user's can't be had; the text names it and the reason, in one line."""


def own_handlers(
    api: Any, rules: Rules, memory: FactStore, *, installed: Iterable[EntryPoint] | None = None
) -> tuple[BaseHandler, ...]:
    """Make the handlers that the configuration names (``handlers``), and those of installed packages.

    A handler's class is made with what it asks for by these names of its arguments: ``api`` (the WATS
    client), ``rules`` (the configuration's rules), ``memory`` (what is kept from one event to the next).

    Args:
        api: the WATS client.
        rules: the configuration; ``rules.handlers`` are texts like ``package.module:Class``.
        memory: the journal, or the part of it that keeps facts.
        installed: entry points; those of the group ``pywats_bridge.handlers`` when left out.

    Raises:
        UnfitHandler: one can't be had.
    """
    given = {"api": api, "rules": rules, "memory": memory}
    found = entry_points(group=GROUP) if installed is None else installed
    made: list[BaseHandler] = []
    for name, load in (*_configured(rules.handlers), *_installed(found, but=rules.handlers)):
        try:
            made.append(_made(load(), given))
        except UnfitHandler as error:
            raise UnfitHandler(f"{name}: {error}") from None
        except Exception as error:  # somebody else's code may fail in any way
            raise UnfitHandler(f"{name}: {type(error).__name__}: {' '.join(str(error).split())}") from error
    return tuple(made)


def _configured(paths: Iterable[str]) -> Iterator[tuple[str, Callable[[], Any]]]:
    for path in paths:
        yield path, partial(_load, path)


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _installed(found: Iterable[EntryPoint], *, but: Iterable[str]) -> Iterator[tuple[str, Callable[[], Any]]]:
    named = set(but)
    for entry in found:
        if entry.value not in named:  # one that the configuration names too is one
            yield f"{entry.value} (entry point {entry.name})", entry.load


def _made(kind: Any, given: dict[str, Any]) -> BaseHandler:
    if not callable(kind):
        raise UnfitHandler("is no class")
    wanted = inspect.signature(kind).parameters.values()
    plain = [each for each in wanted if each.kind not in {each.VAR_POSITIONAL, each.VAR_KEYWORD}]
    unknown = [each.name for each in plain if each.name not in given and each.default is each.empty]
    if unknown:
        raise UnfitHandler(f"asks for {', '.join(unknown)}; it may ask for {', '.join(given)}")
    handler = kind(**{each.name: given[each.name] for each in plain if each.name in given})
    if not isinstance(handler, BaseHandler):
        raise UnfitHandler("is no pywats_events.BaseHandler")
    wanted_types(handler)
    return handler
