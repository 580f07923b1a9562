"""The page on Sparkplug, and the node that plays it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from sparkplug_wire import RECEIVED

from pywats_events import Event, EventType, RawMessage
from pywats_events.sparkplug import SparkplugHost, SparkplugSettings
from samples.sparkplug import EdgeNode

PAGE = Path(__file__).parents[3] / "docs" / "sparkplug.md"
OVEN = "//Acme/Line1/Oven"


def configuration() -> SparkplugSettings:
    """Give the settings that the page shows."""
    block = re.search(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert block is not None
    return SparkplugSettings.model_validate(tomllib.loads(block[1])["mqtt"]["sparkplug"])


async def test_the_page_fits_the_sample():
    """The page's configuration makes of the sample's messages what the page says."""
    host = SparkplugHost(configuration())
    node = EdgeNode()
    told = [*node.births(), node.tell(state=3, temperature=181.25, total=7, code="SN-0007"), node.death()]
    events: list[Event] = []
    for topic, body in told:
        message = RawMessage(body, address=topic, received_at=RECEIVED)
        await host.prepare(message)
        parts = list(host.adapter(message))
        assert all(isinstance(part, Event) for part in parts)
        events += parts
    assert [(event.event_type, event.source) for event in events] == [
        (EventType.ASSET_CONNECTED, "//Acme/Line1/Edge1"),
        (EventType.ASSET_CONNECTED, OVEN),
        (EventType.ASSET_STATE_CHANGED, OVEN),
        (EventType.ASSET_COUNTERS, OVEN),
        (EventType.READINGS_RECORDED, OVEN),
        (EventType.ASSET_STATE_CHANGED, OVEN),
        (EventType.ASSET_COUNTERS, OVEN),
        (EventType.UNIT_IDENTIFIED, OVEN),
        (EventType.READINGS_RECORDED, OVEN),
        (EventType.ASSET_DISCONNECTED, "//Acme/Line1/Edge1"),
        (EventType.ASSET_DISCONNECTED, OVEN),
    ]
    assert events[5].payload["new_state"] == 5100
    (reading,) = events[8].payload["tests"][0]["measurements"]
    assert (reading["name"], reading["value"], reading["unit"]) == ("Zone 1/Temperature", 181.25, "°C")
