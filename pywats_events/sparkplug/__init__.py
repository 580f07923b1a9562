"""Sparkplug B over MQTT: births, deaths, and what metrics mean."""

from __future__ import annotations

from pywats_events.sparkplug.adapter import SparkplugAdapter
from pywats_events.sparkplug.errors import NoBirth, SparkplugError
from pywats_events.sparkplug.host import SparkplugHost
from pywats_events.sparkplug.settings import MetricRule, SparkplugSettings
from pywats_events.sparkplug.transport import SparkplugTransport

__all__ = [
    "MetricRule",
    "NoBirth",
    "SparkplugAdapter",
    "SparkplugError",
    "SparkplugHost",
    "SparkplugSettings",
    "SparkplugTransport",
]
