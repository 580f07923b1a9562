"""A local WATS per test, and clients for it."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from pywats_api import AsyncWATS, RetryConfig
from pywats_api.server import LocalWATS
from pywats_api.wsjf import NumericMeas, Report, SeqCall, Step

TOKEN = "bG9jYWwtdG9rZW4tdGhhdC1tdXN0LW5vdC1sZWFr"
SAMPLES = Path(__file__).parents[4] / "shared" / "wats"


class FakeTime:
    """A clock that only moves when somebody sleeps."""

    def __init__(self):
        self.now = 0.0
        self.slept = []

    def clock(self):
        """Seconds passed."""
        return self.now

    async def sleep(self, seconds):
        """Let time pass at once."""
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def fake_time():
    return FakeTime()


@pytest.fixture
async def server(tmp_path):
    async with LocalWATS(tmp_path / "wats.sqlite") as running:
        yield running


@pytest.fixture
async def api(server, fake_time):
    """A client that never waits and never retries."""
    async with make_client(server, fake_time) as client:
        yield client


def make_client(server, fake_time, *, attempts=1, **options):
    defaults = {
        "retry_config": RetryConfig(max_attempts=attempts),
        "clock": fake_time.clock,
        "sleep": fake_time.sleep,
    }
    return AsyncWATS(server.url, TOKEN, **(defaults | options))


def make_report(**changes):
    members = {
        "id": uuid4(),
        "pn": "P1",
        "sn": "S1",
        "rev": "A",
        "process_code": 60,
        "result": "P",
        "machine_name": "FCT-1",
        "location": "Line 1",
        "purpose": "Production",
        "start": datetime(2026, 1, 30, 10, 49, 36, 919_000, tzinfo=UTC),
        "root": Step(
            name="MainSequence Callback",
            step_type="SequenceCall",
            status=changes.get("result", "P"),
            seq_call=SeqCall(name="prog", version="1.0"),
            steps=[
                Step(
                    name="Supply",
                    step_type="ET_NLT",
                    status=changes.get("result", "P"),
                    numeric_meas=[
                        NumericMeas(
                            value=3.3, status="P", comp_op="GELE", low_limit=3.2, high_limit=3.4, unit="V"
                        )
                    ],
                )
            ],
        ),
    }
    return Report(**(members | changes))
