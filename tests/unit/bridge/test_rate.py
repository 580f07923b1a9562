"""What the bridge does to stay below the server's limit of requests."""

from __future__ import annotations

from contextvars import ContextVar

import pytest

from pywats_api import AsyncWATS
from pywats_api.server import LocalWATS
from pywats_bridge.composition import rate_of
from pywats_bridge.settings import WatsSettings

who: ContextVar[str] = ContextVar("who", default="nobody")


@pytest.mark.parametrize("most", [1, 2, 10, 499, 500, 100_000])
def test_no_minute_has_more_than_the_limit(most):
    """Permits of a minute and those that have gathered before it are together what the server takes."""
    rate = rate_of(WatsSettings(url="http://wats", token="t", requests_per_minute=most))
    assert rate.counts_requests
    assert rate.most >= 1
    assert most == 1 or rate.per_minute + rate.most <= most


async def test_each_request_is_told_of_where_it_is_made(tmp_path):
    """The client tells of its requests, one by one, in the context of whoever makes them."""
    told = []
    async with LocalWATS(tmp_path / "wats.sqlite") as server, AsyncWATS(server.url, "any") as api:
        api.on_request(lambda: told.append(who.get()))
        who.set("report")
        await api.asset.get_asset_types(top=1)
        who.set("line")
        await api.asset.get_asset_types(top=1)
    assert told == ["report", "line"]
