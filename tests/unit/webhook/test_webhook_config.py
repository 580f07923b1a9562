"""What can be said of webhooks in the configuration, and how mistakes are told."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from pywats_events.transports.webhook import WebhookConfig

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def config_of(*hooks, **more):
    """Give a configuration."""
    return WebhookConfig(hooks=hooks, **more)


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        ({}, "name"),
        ({"name": "a b", "auth": "none"}, "name"),
        ({"name": "../x", "auth": "none"}, "name"),
        ({"name": "mes"}, 'auth = "none"'),
        ({"name": "mes", "auth": "standard"}, "needs a secret"),
        ({"name": "mes", "auth": "hmac"}, "needs a secret"),
        ({"name": "mes", "auth": "bearer"}, "needs a token"),
        ({"name": "mes", "auth": "none", "secret": SECRET}, "nobody signs"),
        ({"name": "mes", "secret": SECRET, "token": "a-token-of-mine"}, "one of them"),
        ({"name": "mes", "auth": "none", "token": "a-token-of-mine"}, "nobody shows one"),
        ({"name": "mes", "secret": "hunter2-hunter2"}, "openssl rand -base64 32"),
        ({"name": "mes", "secret": "whsec_c2hvcnQ="}, "24 bytes"),
        ({"name": "mes", "secret": [SECRET, "nope-nope"]}, "openssl rand -base64 32"),
        ({"name": "mes", "auth": "hmac", "secret": "short"}, "8 characters"),
        ({"name": "mes", "token": "short"}, "8 characters"),
        ({"name": "mes", "token": "with a blank in it"}, "no blanks"),
        ({"name": "mes", "secret": "\n\n"}, "say how callers prove"),
        ({"name": "mes", "secret": SECRET, "certificate_names": ["x"]}, "certificate_names"),
        ({"name": "mes", "auth": "none", "headers": ["Authorization"]}, "never kept"),
        ({"name": "mes", "auth": "none", "headers": ["a b"]}, "no name of a header"),
        (
            {"name": "mes", "auth": "hmac", "secret": "It's a secret", "headers": ["X-Hub-Signature-256"]},
            "kept",
        ),
        ({"name": "mes", "auth": "certificate"}, "ca_file"),
        ({"name": "mes", "auth": "none", "max_depth": 201}, "max_depth"),
        ({"name": "mes", "auth": "none", "profile": "no-such-thing"}, "no profile"),
        ({"name": "mes", "auth": "none", "secrte_file": "x"}, "secrte_file"),
    ],
)
def test_mistakes_are_told(hook, said):
    """Each mistake names the key and what to do, and quotes no secret."""
    with pytest.raises(ValidationError) as refused:
        config_of(hook)
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_two_hooks_of_one_name():
    """Names are paths, so there is one of each."""
    hook = {"name": "mes", "auth": "none"}
    with pytest.raises(ValidationError, match='two hooks are named "mes"'):
        config_of(hook, hook)


@pytest.mark.parametrize(
    "listen", ["8085", "ftp://x", "http://", "http://x/hooks", "http://a:b@x", "http://x:99999"]
)
def test_places_that_are_none(listen):
    """An address that nobody can listen on is told, and not quoted."""
    with pytest.raises(ValidationError, match=r"should look like http://0\.0\.0\.0:8085"):
        config_of(listen=listen)


def test_secrets_are_never_shown():
    """Neither secrets nor tokens stand in what is printed of a configuration."""
    config = config_of(
        {"name": "a", "secret": f"{SECRET}\n"}, {"name": "b", "token": ["token-of-b-1", "token-of-b-2"]}
    )
    assert SECRET[6:] not in repr(config)
    assert "token-of-b" not in repr(config)
    assert [hook.authentication for hook in config.hooks] == ["standard", "bearer"]


def test_several_secrets_one_a_line():
    """A file may hold the old secret and the new one, one a line."""
    hook = config_of({"name": "a", "secret": f"{SECRET}\r\n\r\n {SECRET[6:]} \n"}).hooks[0]
    assert len(hook.keys) == 2
    assert hook.keys[0] == hook.keys[1]


def test_what_is_read_unless_told():
    """A hook without a mapping takes CloudEvents; one with a mapping takes JSON."""
    plain, mapped = config_of(
        {"name": "a", "auth": "none"}, {"name": "b", "auth": "none", "profile": "pass-fail"}
    ).readings
    assert (plain[0].text, plain[1].format, mapped[1].format) == ("/hooks/a", "cloudevents", None)
