"""An edge node of Sparkplug B with an oven behind it, and what it publishes."""

from __future__ import annotations

from samples.sparkplug.node import EdgeNode

__all__ = ["EdgeNode"]
