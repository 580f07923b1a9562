"""A local WATS and a client that tries each call once."""

import pytest

from pywats_api import AsyncWATS
from pywats_api.retry import RetryConfig
from pywats_api.server import LocalWATS

TOKEN = "a-token-of-tests"


@pytest.fixture
async def wats(tmp_path):
    """The local server; its knobs make it fail."""
    async with LocalWATS(db=tmp_path / "wats.sqlite", token=TOKEN) as server:
        yield server


@pytest.fixture
async def api(wats):
    """A client as the bridge has it: the journal sees to retries."""
    async with AsyncWATS(
        base_url=wats.url,
        token=TOKEN,
        timeout=5.0,
        requests_per_minute=None,
        retry_config=RetryConfig(max_attempts=1),
    ) as client:
        yield client
