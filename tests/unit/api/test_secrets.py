"""The token stays inside."""

import logging
import traceback

import pytest
import structlog

from pywats_api import AsyncWATS, PyWATSError, pyWATS

from .conftest import TOKEN, make_client, make_report


def everything_about(error):
    return "".join(
        [*traceback.format_exception(error), repr(error), str(error), repr(vars(error)), str(error.details)]
    )


async def test_token_is_in_no_repr(server, fake_time):
    """Neither client nor connection shows the token."""
    async with make_client(server, fake_time) as api:
        for thing in (api, api._connection, vars(api._connection), api._connection._client):
            assert TOKEN not in repr(thing)


def test_token_is_in_no_repr_of_the_sync_client():
    """Nor does the blocking client."""
    with pyWATS("http://127.0.0.1:1", TOKEN) as api:
        assert TOKEN not in repr(api)


async def test_token_is_in_no_error_and_no_log(server, fake_time, caplog):
    """No failure, not even a server that repeats the token, brings it into an error or a log."""
    caplog.set_level(logging.DEBUG)
    errors = []
    with structlog.testing.capture_logs() as logs:
        async with make_client(server, fake_time, attempts=2, timeout=0.2) as api:
            for turn in (
                lambda knobs: knobs.reject_next(2, status=500, text=f"bad token {TOKEN}"),
                lambda knobs: setattr(knobs, "outage", "drop"),
                lambda knobs: setattr(knobs, "latency", 60),
            ):
                server.knobs.reset()
                turn(server.knobs)
                with pytest.raises(PyWATSError) as caught:
                    await api.report.submit(make_report())
                errors.append(caught.value)
            await server.stop()
            with pytest.raises(PyWATSError) as caught:
                await api.report.submit(make_report())
            errors.append(caught.value)
    assert all(TOKEN not in everything_about(error) for error in errors)
    assert "***" in str(errors[0])
    assert logs
    assert TOKEN not in repr(logs)
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("token", ["", "two words secret", "line\nsecret", "sécret"])
def test_impossible_token_is_refused_without_repeating_it(token):
    """A token that cannot be a header is refused, and the message does not show it."""
    with pytest.raises(ValueError, match="token") as caught:
        AsyncWATS("http://host", token)
    assert "secret" not in str(caught.value)
