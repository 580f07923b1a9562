"""Mapping without code: messages of any make to events, as the configuration says (``docs/mapping.md``)."""

from __future__ import annotations

from pywats_events.mapping.adapter import adapter_of
from pywats_events.mapping.examples import ExampleError, try_example
from pywats_events.mapping.profiles import profile_names
from pywats_events.mapping.reading import Example, Reading
from pywats_events.mapping.topics import TopicPattern

__all__ = [
    "Example",
    "ExampleError",
    "Reading",
    "TopicPattern",
    "adapter_of",
    "profile_names",
    "try_example",
]
