"""Each way a call can fail is told apart, and says what to do."""

import builtins
from datetime import UTC, datetime, timedelta

import pytest

import pywats_api
from pywats_api import AsyncWATS, ErrorMode, RetryConfig
from pywats_api.answers import error_text, retry_after_seconds
from pywats_api.server import LocalWATS

from .conftest import TOKEN, make_client, make_report


@pytest.mark.parametrize(
    ("status", "kind", "reaction"),
    [
        (400, pywats_api.ValidationError, (False, False)),
        (401, pywats_api.AuthenticationError, (False, True)),
        (403, pywats_api.AuthorizationError, (False, False)),
        (404, pywats_api.NotFoundError, (False, False)),
        (405, pywats_api.WatsApiError, (False, False)),
        (409, pywats_api.ConflictError, (False, False)),
        (413, pywats_api.PayloadTooLargeError, (False, False)),
        (429, pywats_api.ThrottledError, (True, True)),
        (500, pywats_api.ServerError, (True, False)),
        (503, pywats_api.ServiceUnavailableError, (True, True)),
    ],
)
async def test_status_becomes_its_error(server, api, status, kind, reaction):
    """A refusal carries operation, request, status, the server's text, and (transient, unavailable)."""
    server.knobs.reject_next(status=status, text="because of that")
    with pytest.raises(kind) as caught:
        await api.report.submit(make_report())
    error = caught.value
    assert type(error) is kind
    assert (error.transient, error.unavailable) == reaction
    assert (error.operation, error.method, error.path) == ("report.submit", "POST", "/api/Report/WSJF")
    assert error.status_code == status
    assert error.server_text == "because of that"
    assert error.hint in str(error)
    assert "because of that" in str(error)


async def test_wrong_token_is_an_authentication_error(tmp_path, fake_time):
    """A server that knows its token refuses another one with 401."""
    async with (
        LocalWATS(tmp_path / "wats.sqlite", token="another") as server,
        make_client(server, fake_time) as api,
    ):
        with pytest.raises(pywats_api.AuthenticationError, match="Control Panel"):
            await api.app.get_version()


async def test_too_large_body_is_told(api):
    """A body beyond the server's limit comes back as 413, not as a broken connection."""
    with pytest.raises(pywats_api.PayloadTooLargeError, match="attachments"):
        await api.report.submit({"comment": "x" * (31 * 1024 * 1024)})


async def test_refused_connection(server, api):
    """Nobody listening is a connection error, also for code that catches Python's own."""
    await server.stop()
    with pytest.raises(pywats_api.ConnectionError) as caught:
        await api.app.get_version()
    assert isinstance(caught.value, builtins.ConnectionError)
    assert caught.value.transient
    assert caught.value.unavailable
    assert caught.value.status_code is None


async def test_cut_connection(server, api):
    """A connection cut before the answer is a connection error, not a timeout."""
    server.knobs.outage = "drop"
    with pytest.raises(pywats_api.ConnectionError):
        await api.report.submit(make_report())


async def test_timeout(server, fake_time):
    """An answer that does not come in time is a timeout, which says how long was waited."""
    server.knobs.latency = 60
    async with make_client(server, fake_time, timeout=0.05) as api:
        with pytest.raises(pywats_api.TimeoutError, match=r"within 0\.05 s") as caught:
            await api.app.get_version()
    assert isinstance(caught.value, builtins.TimeoutError)
    assert caught.value.transient


async def test_page_instead_of_json(server, fake_time):
    """A page where JSON should be is an error, never a success."""
    async with make_client(server, fake_time) as api:
        connection = api.app._connection
        with pytest.raises(pywats_api.InvalidResponseError, match="not JSON"):
            await connection.request("test", "GET", "/")


async def test_missing_things_by_error_mode(server, api, fake_time):
    """Strict raises for a missing thing; lenient gives None."""
    nobody = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(pywats_api.NotFoundError):
        await api.asset.get_asset_by_serial("nobody")
    with pytest.raises(pywats_api.NotFoundError):
        await api.report.get(nobody)
    with pytest.raises(pywats_api.EmptyResponseError):
        await api.process.get_process("no such")
    async with make_client(server, fake_time, error_mode=ErrorMode.LENIENT) as lenient:
        assert await lenient.asset.get_asset_by_serial("nobody") is None
        assert await lenient.report.get(nobody) is None
        assert await lenient.process.get_process(31999) is None


async def test_lenient_does_not_hide_real_errors(server, fake_time):
    """Lenient or not, a refused report raises."""
    async with make_client(server, fake_time, error_mode=ErrorMode.LENIENT) as api:
        with pytest.raises(pywats_api.ValidationError):
            await api.report.submit({"id": "x"})


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'"bare text"', "bare text"),
        (b"plain", "plain"),
        (b'{"message": "m", "error": "e"}', "m"),
        (b'{"Message": "M", "ModelState": {"a": ["b"]}}', 'M; ModelState: {"a": ["b"]}'),
        (b'{"error": {"code": 1}}', '{"code": 1}'),
        (b'{"detail": "d", "title": "t"}', "d"),
        (b"<html><style>x</style><h1>Bad  gateway</h1></html>", "Bad gateway"),
        (b"", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_reason_is_found_in_any_form(body, text):
    """Whatever form an error body has, its reason is found."""
    assert error_text(body) == text


def test_long_reason_is_cut():
    """A server that answers with a novel does not fill the log."""
    assert len(error_text(b"x" * 100_000)) < 2100


def test_retry_after_in_both_forms():
    """Retry-After counts as seconds or as a date; nonsense counts as nothing."""
    now = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)
    assert retry_after_seconds("7", now=now) == 7
    assert retry_after_seconds("Fri, 30 Jan 2026 12:00:30 GMT", now=now) == 30
    assert retry_after_seconds("Fri, 30 Jan 2026 11:00:00 GMT", now=now) == 0
    for nothing in (None, "", "soon", "-5", "Fri, 99 Foo"):
        assert retry_after_seconds(nothing, now=now + timedelta(0)) is None


@pytest.mark.parametrize(
    ("base_url", "cleaned"),
    [
        ("https://acme.wats.com/api/", "https://acme.wats.com"),
        ("http://host/wats/API", "http://host/wats"),
        ("http://host/api/api", "http://host/api"),
        ("http://host/", "http://host"),
    ],
)
async def test_base_url_ends_without_api(base_url, cleaned):
    """An ending /api is taken off the base URL once."""
    async with AsyncWATS(base_url, TOKEN) as api:
        assert api.base_url == cleaned


@pytest.mark.parametrize("base_url", ["acme.wats.com", "ftp://host", "https://user:pw@host", ""])
def test_unusable_base_url_is_refused(base_url):
    """A base URL that cannot work is refused at once, without repeating a password in it."""
    with pytest.raises(ValueError) as caught:
        AsyncWATS(base_url, TOKEN)
    assert "pw" not in str(caught.value).replace("password", "")


def test_attempts_count_from_one():
    """No attempt at all is no configuration."""
    with pytest.raises(ValueError, match="1 or more"):
        RetryConfig(max_attempts=0)
