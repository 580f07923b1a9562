"""Ready-made mappings, one file each, in the form of the configuration."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def profile_names() -> tuple[str, ...]:
    """Give the names of all profiles."""
    names = (each.name for each in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


@cache
def profile(name: str) -> dict[str, Any]:
    """Give what a profile's file says. It is shared: nobody changes it."""
    return tomllib.loads(files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))
