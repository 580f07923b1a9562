"""The rule that holds for a metric."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from pywats_events.sparkplug.settings import MetricRule, SparkplugSettings
from pywats_events.sparkplug.topics import SparkplugTopic


def rule_finder(settings: SparkplugSettings) -> Callable[[str, str], MetricRule | None]:
    """Give the function that finds the rule for a metric, by who tells it and by its name.

    What a node says of its own control is for hosts and never finds one.
    """
    rules = [(_pattern(rule.of), _pattern(rule.name), rule) for rule in settings.metrics]

    @lru_cache(maxsize=16_384)  # the metrics of a factory come again and again
    def find(descriptor: str, name: str) -> MetricRule | None:
        if name == "bdSeq" or name.startswith(("Node Control/", "Device Control/")):
            return None
        for of, wanted, rule in rules:
            if wanted.fullmatch(name) and of.fullmatch(descriptor):
                return None if rule.becomes == "nothing" else rule
        return None

    return find


def handle_of(topic: SparkplugTopic, settings: SparkplugSettings) -> str:
    """Give the handle of whom a message is about."""
    if topic.device is None:
        return settings.node.format(group=topic.group, node=topic.node, device="")
    return settings.device.format(group=topic.group, node=topic.node, device=topic.device)


def _pattern(text: str) -> re.Pattern[str]:
    """Give a pattern's expression. What a star has passed over is not tried again: no name costs much."""
    first, *others = (_literal(part) for part in text.split("*"))
    between = "".join(f"(?>.*?{part})" for part in others[:-1])
    return re.compile(first + between + "".join(f".*{part}" for part in others[-1:]), re.DOTALL)


def _literal(text: str) -> str:
    return ".".join(re.escape(part) for part in text.split("?"))
