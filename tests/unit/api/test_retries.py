"""What is tried again, what never, and how long the client waits between."""

import random

import pytest

from pywats_api import RateLimiter, RetryConfig, ServerError, ServiceUnavailableError, ThrottledError
from pywats_api.server.asset_store import DEFAULT_TYPES

from .conftest import make_client, make_report


async def received(api):
    return await api.report._connection.request("test", "GET", "/local/reports")


async def test_report_is_sent_again_until_it_is_in(server, fake_time):
    """A report that met two outages is sent a third time and is in."""
    server.knobs.reject_next(2, status=503)
    async with make_client(server, fake_time, attempts=3) as api:
        submitted = await api.report.submit(make_report())
        assert await api.report.get_header(submitted.uuid) is not None
    assert len(fake_time.slept) == 2


async def test_waits_grow_and_are_capped(server, fake_time):
    """Without jitter the waits double up to their cap; with jitter they stay below."""
    server.knobs.outage = "unavailable"
    config = RetryConfig(max_attempts=6, base_delay=1, max_delay=5, jitter=False)
    async with make_client(server, fake_time, retry_config=config) as api:
        with pytest.raises(ServiceUnavailableError):
            await api.app.get_version()
    assert fake_time.slept == [1, 2, 4, 5, 5]


async def test_jitter_is_full(server, fake_time):
    """With jitter a wait lies anywhere between nothing and its upper end."""
    server.knobs.outage = "unavailable"
    random.seed(1)
    config = RetryConfig(max_attempts=40, base_delay=1, max_delay=2)
    async with make_client(server, fake_time, retry_config=config) as api:
        with pytest.raises(ServiceUnavailableError):
            await api.app.get_version()
    assert all(0 <= wait <= 2 for wait in fake_time.slept)
    assert min(fake_time.slept) < 0.5
    assert max(fake_time.slept) > 1.5


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_retry_after_wins(server, fake_time, form):
    """The wait is the server's Retry-After, in either form, and never shorter."""
    server.knobs.throttle = 1
    server.knobs.retry_after_form = form
    async with make_client(server, fake_time, attempts=2) as api:
        await api.app.get_version()
        with pytest.raises(ThrottledError) as caught:
            await api.app.get_version()
    assert 57 <= caught.value.retry_after <= 60
    assert 57 <= fake_time.slept[0] <= 60


async def test_too_long_retry_after_is_left_to_the_caller(server, fake_time):
    """A Retry-After beyond what the client is ready to wait ends the attempts and is handed on."""
    server.knobs.outage = "unavailable"
    server.knobs.outage_retry_after = 3600
    async with make_client(server, fake_time, attempts=5) as api:
        with pytest.raises(ServiceUnavailableError) as caught:
            await api.app.get_version()
    assert caught.value.retry_after == 3600
    assert fake_time.slept == []


async def test_one_attempt_means_none_again(server, api):
    """With one attempt nothing is tried again: the caller does that."""
    server.knobs.reject_next(1, status=503)
    with pytest.raises(ServiceUnavailableError):
        await api.report.submit(make_report())


async def test_refusal_is_not_repeated(server, fake_time):
    """What the server refuses for good is sent once."""
    server.knobs.reject_next(1, status=400)
    async with make_client(server, fake_time, attempts=5) as api:
        with pytest.raises(Exception, match="400"):
            await api.report.submit(make_report())
    assert fake_time.slept == []


@pytest.mark.parametrize("status", [500, 0])
async def test_lost_answer_leaves_one_report(server, fake_time, status):
    """A report whose answers got lost, by error or by a cut connection, is stored once."""
    server.knobs.error_rate = 1
    server.knobs.error_status = status
    server.knobs.errors_after_work = True
    async with make_client(server, fake_time, attempts=3) as api:
        with pytest.raises(Exception, match=r"report\.submit"):
            await api.report.submit(make_report())
        server.knobs.reset()
        stored = await received(api)
    assert [entry["receiveCount"] for entry in stored] == [3]


async def test_message_is_never_repeated(server, fake_time):
    """A line in an asset's log is written at most once, whatever goes wrong with the answer."""
    async with make_client(server, fake_time, attempts=5) as api:
        await api.asset.create_asset("FIX-7", DEFAULT_TYPES["Fixture"])
        server.knobs.error_rate = 1
        server.knobs.errors_after_work = True
        with pytest.raises(ServerError):
            await api.asset.post_message("Fault E12", serial_number="FIX-7")
        server.knobs.reset()
        lines = await api.asset.get_asset_log("type eq 0")
    assert [line.comment for line in lines] == ["Fault E12"]
    assert fake_time.slept == []


async def test_limiter_keeps_the_rate_in_every_window(fake_time):
    """No 60 seconds see more requests than allowed, however many ask at once."""
    limiter = RateLimiter(3, clock=fake_time.clock, sleep=fake_time.sleep)
    starts = []
    for _ in range(8):
        await limiter.wait()
        starts.append(fake_time.now)
    assert starts == [0, 0, 0, 60, 60, 60, 120, 120]


async def test_limiter_holds_everybody_back_after_a_throttle(fake_time):
    """A pause the server asked for counts for all calls of the client."""
    limiter = RateLimiter(None, clock=fake_time.clock, sleep=fake_time.sleep)
    limiter.pause(30)
    limiter.pause(5)
    await limiter.wait()
    assert fake_time.now == 30


async def test_client_counts_all_domains_together(server, fake_time):
    """The limit is one for all calls of a client, whichever domain they belong to."""
    async with make_client(server, fake_time, requests_per_minute=2) as api:
        await api.app.get_version()
        await api.asset.get_assets()
        assert fake_time.slept == []
        await api.report.query_headers()
    assert fake_time.slept == [60]


def test_limit_below_one_is_refused():
    """No request a minute is no limit but a mistake."""
    with pytest.raises(ValueError, match="1 or more"):
        RateLimiter(0)


async def test_a_lost_answer_is_not_asked_for_again_behind_our_back(server, fake_time):
    """A connection that breaks on a PUT is an error; the transport must not send it twice by itself."""
    async with make_client(server, fake_time) as api:
        (kind, *_) = await api.asset.get_asset_types()
        await api.asset.create_asset("DMM-1", kind.type_id)
        server.knobs.error_rate, server.knobs.error_status, server.knobs.errors_after_work = 1, 0, True
        with pytest.raises(ConnectionError):
            await api.asset.increment_count(serial_number="DMM-1")
        server.knobs.reset()
        assert (await api.asset.get_asset_by_serial("DMM-1")).total_count == 1
