"""What can be wrong with a Sparkplug message."""

from __future__ import annotations


class SparkplugError(ValueError):
    """A topic, payload or metric is not as Sparkplug B wants it; the text names it."""


class NoBirth(SparkplugError):  # noqa: N818  # as the specification calls it
    """A message speaks of metrics by numbers whose names its node has not told yet."""
