"""Tokens in all their forms, and where they come from; none of it shows in an error."""

import base64

import pytest

from pywats_api import AsyncWATS, AuthenticationError, pyWATS, token_of_user
from pywats_api.auth import access
from pywats_api.server import LocalWATS

from .conftest import TOKEN, make_client


@pytest.mark.parametrize("form", ["{}", "  {}\n", "Basic {}", "basic  {}"])
async def test_a_token_in_each_form_is_sent_as_it_is(tmp_path, form):
    """Copied with blanks, or with the whole header: the server gets what it issued."""
    async with (
        LocalWATS(tmp_path / "wats.sqlite", token=TOKEN) as server,
        AsyncWATS(server.url, form.format(TOKEN)) as api,
    ):
        assert await api.test_connection()
        assert (await api.get_version()).startswith("local")


async def test_a_wrong_token_says_what_to_do(tmp_path):
    """401 is told once, without either token in it."""
    wrong = token_of_user("operator", "hunter2")
    async with (
        LocalWATS(tmp_path / "wats.sqlite", token=TOKEN) as server,
        AsyncWATS(server.url, wrong) as api,
    ):
        with pytest.raises(AuthenticationError, match="valid token of the WATS Control Panel") as caught:
            await api.test_connection()
    said = f"{caught.value}{caught.value!r}{caught.value.details}"
    assert not any(secret in said for secret in (TOKEN, "hunter2", wrong.get_secret_value()))


def test_user_and_password_make_a_token():
    """As servers before 2025.2 take it; it does not show itself."""
    token = token_of_user("operator", "pass:word")
    assert base64.b64decode(token.get_secret_value()) == b"operator:pass:word"
    assert token.get_secret_value() not in repr(token)
    for user in ("", "a:b"):
        with pytest.raises(ValueError, match="without a colon"):
            token_of_user(user, "secret")


async def test_the_environment_serves_where_nothing_is_given(server, monkeypatch):
    """Under either pair of names; what is given wins."""
    monkeypatch.setenv("WATS_BASE_URL", server.url)
    monkeypatch.setenv("WATS_AUTH_TOKEN", TOKEN)
    async with AsyncWATS() as api:
        assert await api.test_connection()
    with pyWATS() as blocking:
        assert TOKEN not in repr(blocking)
    environment = {"PYWATS_SERVER_URL": "http://a", "PYWATS_API_TOKEN": "t"}
    assert access(None, None, environment) == ("http://a", "t")
    assert access("http://b", "u", environment) == ("http://b", "u")


@pytest.mark.parametrize("missing", ["WATS_BASE_URL", "WATS_AUTH_TOKEN"])
def test_what_is_given_nowhere_is_named(missing):
    """With the names of the variables it was looked for in."""
    environment = {"WATS_BASE_URL": "http://a", "WATS_AUTH_TOKEN": "secret"}
    del environment[missing]
    with pytest.raises(ValueError, match=missing) as caught:
        access(None, None, environment)
    assert "secret" not in str(caught.value)


async def test_the_account_tells_what_it_knows(server, fake_time):
    """Operations and groups, asked for anew each time."""
    async with make_client(server, fake_time) as api:
        assert {entry.code for entry in await api.app.get_processes()} >= {30, 500}
        assert await api.app.get_product_groups() == []
