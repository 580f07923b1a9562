"""Loads models, by the standard's names or by those that a package offers, when they are asked for."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

from pywats_cfx.messages.index import MESSAGES, STRUCTURES

_ROOT: Final = __name__.rpartition(".")[0]
#: No names beside those of the standard.
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


def load(full_name: str) -> Any:
    """Give the class of a message, structure or enumeration of the standard.

    Args:
        full_name: ``CFX.Production.WorkStarted``, or ``CFX.Structures.PCBInspection.Feature+Value``.

    Raises:
        KeyError: the standard has none of that name.
    """
    module = MESSAGES.get(full_name) or STRUCTURES[full_name]
    return getattr(import_module(f"{_ROOT}.{module}"), class_name(full_name))


def class_name(full_name: str) -> str:
    """Give the name of a class in Python: the last part of its full name, also where it is a nested one."""
    return re.split(r"[.+]", full_name)[-1]


def offered(package: str, namespace: str, others: Mapping[str, str] = NOTHING) -> Callable[[str], Any]:
    """Give a package its ``__getattr__``: the classes of its namespace, and its modules.

    Args:
        package: full name of the package.
        namespace: that of the standard which it stands for. ``CFX.Structures`` offers the namespaces below it
            as well, and ``CFX`` everything.
        others: names that the package offers beside those, with the modules they are in.
    """

    def get(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if (full_name := _offered(namespace).get(name)) is not None:
            found = load(full_name)
        elif name in others:
            found = getattr(import_module(f"{_ROOT}.{others[name]}"), name)
        elif f"{package}.{name}" in _modules():
            found = import_module(f"{package}.{name}")
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, found)
        return found

    return get


@cache
def _offered(namespace: str) -> Mapping[str, str]:
    """Give the full name behind each name; where two classes share one, that of the main namespace wins."""
    if namespace == "CFX":
        return _by_class([*MESSAGES, *STRUCTURES])
    if namespace == "CFX.Structures":
        return _by_class(STRUCTURES)
    return _by_class(name for name in [*MESSAGES, *STRUCTURES] if name.rpartition(".")[0] == namespace)


def _by_class(full_names: Iterable[str]) -> Mapping[str, str]:
    named: dict[str, str] = {}
    for full_name in full_names:
        named.setdefault(class_name(full_name), full_name)
    return named


@cache
def _modules() -> frozenset[str]:
    modules: set[str] = set()
    for module in [*MESSAGES.values(), *STRUCTURES.values()]:
        parts = module.split(".")
        modules.update(".".join([_ROOT, *parts[: depth + 1]]) for depth in range(len(parts)))
    return frozenset(modules)
