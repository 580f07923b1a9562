"""Mapping without code: messages of any make to events, as the configuration says."""

from __future__ import annotations

from pywats_events.mapping.adapter import adapter_of
from pywats_events.mapping.reading import Reading
from pywats_events.mapping.topics import TopicPattern

__all__ = ["Reading", "TopicPattern", "adapter_of"]
