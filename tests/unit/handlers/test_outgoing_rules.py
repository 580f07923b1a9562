"""What can be said of the way out, and which events a rule chooses."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from socket import gethostname

import pytest
from pydantic import ValidationError

from handlers.outgoing import Outgoing, check_loops
from handlers.outgoing_mqtt import topic_of
from handlers.outgoing_rules import OutgoingRule
from handlers.outgoing_webhook import webhook_id
from pywats_events import Event, EventType, PermanentError
from pywats_events.transports.webhook import WebhookConfig

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
URL = "https://mes.factory.local/hooks/T0KEN"


def rule(**given: object) -> OutgoingRule:
    return OutgoingRule.model_validate({"name": "andon", "events": ["test.result"], "url": URL, **given})


def result(verdict: object = "fail", *, source: str = "//Acme/L1/T1", **payload: object) -> Event:
    return Event(EventType.TEST_RESULT, {"unit_id": "SN1", "result": verdict, **payload}, source=source)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"url": None}, "give either url, for a webhook, or topic, for MQTT"),
        ({"topic": "a"}, "give either url, for a webhook, or topic, for MQTT"),
        ({"url": "ftp://x"}, "should look like https://"),
        ({"url": "https://u:hush@x/"}, "must not carry user, password or #"),
        ({"url": "https://x/ y"}, "should look like https://"),
        ({"secret": "hush"}, "secret should be whsec_"),
        ({"token": "hush hush"}, "without blanks"),
        ({"qos": 0}, "qos means nothing for a webhook"),
        ({"url": None, "topic": "a", "secret": SECRET}, "secret means nothing for MQTT"),
        ({"url": None, "topic": "a/{what}"}, "{what} is no part of an event; there are {key}, {source}"),
        ({"url": None, "topic": "a/#"}, "without + and #"),
        ({"url": None, "topic": "$SYS/x"}, "not begin with $"),
        ({"url": None, "topic": "a/{key"}, "should look like andon"),
        ({"url": "http://x", "ca_file": "x"}, "url does not say https"),
        ({"key_file": "x"}, "key_file is given without cert_file"),
        ({"events": []}, "names no type, so nothing would go out"),
        ({"events": ["test.resolt"]}, '"test.resolt" is no type of events; did you mean test.result?'),
        ({"events": ["?"]}, '"?" is no type of events, such as test.result: see docs/messages.md'),
        ({"name": "a/b"}, "pattern"),
        ({"wher": {}}, "not permitted"),
        ({"where": {"result": "NOK"}}, "result is never 'NOK', so nothing would go out; there are passed"),
        ({"where": {"result": ["failed", False]}}, "result is never False"),
    ],
)
def test_a_mistake_is_told_and_no_secret_with_it(given, reason):
    """Each says what is wrong; what was given as a secret is not quoted."""
    with pytest.raises(ValidationError) as told:
        rule(**given)
    assert reason in str(told.value)
    assert "hush" not in str(told.value)


def test_secrets_show_nowhere():
    """Not in its repr, nor in what stands for the receiver; many an address is a secret too."""
    given = rule(secret=[SECRET], token="hushhush")
    for shown in (repr(given), given.host, str(given)):
        assert "T0KEN" not in shown
        assert "MfKQ" not in shown
        assert "hush" not in shown
    assert given.host == "https://mes.factory.local"


def test_secrets_are_one_a_line_or_a_list():
    """A file with two lines signs with both, while the receiver changes."""
    assert len(rule(secret=f"{SECRET}\n whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD \n").keys) == 2
    assert len(rule(secret=[SECRET]).keys) == 1


@pytest.mark.parametrize(
    ("given", "event", "wanted"),
    [
        ({}, result(), True),
        ({}, Event(EventType.ASSET_FAULT), False),
        ({"where": {"result": "fail"}}, result("fail"), True),
        ({"where": {"result": "fail"}}, result("pass"), False),
        ({"where": {"result": ["fail", "error"]}}, result("error"), True),
        ({"where": {"result": "fail", "position": 2}}, result(position=2), True),
        ({"where": {"result": "fail", "position": 2}}, result(position=3), False),
        ({"where": {"recipe.name": "FCT"}}, result(recipe={"name": "FCT"}), True),
        ({"where": {"recipe.name": "FCT"}}, result(recipe="FCT"), False),
        ({"where": {"result": "failed"}}, result("fail"), True),
        ({"where": {"result": "fail"}}, result("failed"), True),
        ({"where": {"result": "failed"}}, result("unknown"), False),
        ({"where": {"result": "unknown"}}, result("bad"), False),
        ({"where": {"nothing": "x"}}, result(), False),
        ({"where": {"sampled": True}}, result(sampled=1), False),
        ({"where": {"sampled": True}}, result(sampled=True), True),
        ({"sources": ["//Acme/L1/*"]}, result(), True),
        ({"sources": ["//Acme/L2/*", "T1"]}, result(), False),
    ],
)
def test_a_rule_chooses_by_type_station_and_fields(given, event, wanted):
    """All that is said must hold; what is not said restricts nothing."""
    assert rule(**given).wants(event) is wanted


def test_a_target_does_not_hear_of_its_own_failures():
    """They could not be delivered either; those of others are what an andon light is for."""
    given = rule(events=["event.dead_letter", "handler.error"])
    own = Event(EventType.EVENT_DEAD_LETTER, {"handler": "outgoing-andon"}, source="bus")
    others = Event(EventType.EVENT_DEAD_LETTER, {"handler": "report"}, source="bus")
    assert (given.wants(own), given.wants(others)) == (False, True)


def test_two_targets_of_one_name_are_refused():
    """Their deliveries could not be told apart."""
    with pytest.raises(ValueError, match='two outgoing targets are named "andon"'):
        Outgoing([rule(), rule(name="Andon")])


def test_a_topic_without_a_broker_is_refused():
    """It says where the broker is given."""
    with pytest.raises(ValueError, match=r'outgoing "andon": topic needs the broker of \[mqtt\]'):
        Outgoing([rule(url=None, topic="andon/{key}")])


@pytest.mark.parametrize(
    ("topic", "subscription", "loops"),
    [
        ("andon/{source}/{type}", "factory/+/result", False),
        ("andon/{source}/{type}", "andon/#", True),
        ("andon/{source}/{type}", "+/L1/+/x", True),
        ("andon/{key}", "andon/+", True),
        ("andon/{key}", "andon/+/x", False),
        ("andon/{key}/x", "andon/+/y", False),
        ("{type}", "#", True),
        ("a/b", "a/b", True),
        ("a/b", "a/b/#", True),
        ("a", "a/b", False),
    ],
)
def test_what_would_come_in_again_is_found(topic, subscription, loops):
    """A bridge that reads what it publishes would never end."""
    told = check_loops([rule(url=None, topic=topic)], [subscription])
    assert bool(told) is loops
    if loops:
        assert told[0].startswith(f'outgoing "andon": topic "{topic}" is read by the subscription to')


@pytest.mark.parametrize(
    ("listen", "url", "loops"),
    [
        ("http://127.0.0.1:8085", "http://127.0.0.1:8085/hooks/mes", True),
        ("http://127.0.0.1:8085", "http://localhost:8085/hooks/mes", True),
        ("http://0.0.0.0:8085", "http://127.0.0.1:8085/hooks/mes", True),
        ("http://[::]:8085", "http://[::1]:8085/hooks/mes", True),
        ("http://0.0.0.0:8085", f"http://{gethostname().upper()}:8085/hooks/mes", True),
        ("http://10.0.0.1:80", "http://10.0.0.1/hooks/mes", True),
        ("http://10.0.0.1:8085", "http://127.0.0.1:8085/hooks/mes", False),
        ("http://127.0.0.1:8085", "https://127.0.0.1:8085/hooks/mes", False),
        ("http://127.0.0.1:8085", "http://127.0.0.1:8086/hooks/mes", False),
        ("http://0.0.0.0:8085", "http://mes.factory.local:8085/hooks/mes", False),
        ("", "http://127.0.0.1:8085/hooks/mes", False),
    ],
)
def test_a_url_that_leads_to_our_own_hooks_is_found(listen, url, loops):
    """By whatever name of this computer it is called."""
    told = check_loops([rule(url=url)], [], WebhookConfig(listen=listen))
    assert bool(told) is loops
    if loops:
        assert told[0].startswith('outgoing "andon": url leads to the bridge\'s own webhooks at http://')


@pytest.mark.parametrize(
    ("template", "topic"),
    [
        ("andon/{source}/{type}", "andon/Acme/L1/T1/test.result"),
        ("andon/{key}", "andon/SN%2F1%2B%23"),
        ("{source}", "Acme/L1/T1"),
        ("{id}/x", "e%00%251/x"),
    ],
)
def test_topics_are_made_of_what_events_say(template, topic):
    """A serial number with a slash is one level; a station keeps its levels."""
    event = Event(EventType.TEST_RESULT, {"unit_id": "SN/1+#"}, source="//Acme/L1//T1", id="e\0%1")
    assert topic_of(template, event) == topic


def test_a_topic_is_never_the_brokers_own_nor_empty_nor_endless():
    """Whatever machines call themselves."""
    assert topic_of("{source}", Event(EventType.ASSET_FAULT, source="$SYS/x")) == "%24SYS/x"
    assert topic_of("{source}/{key}", Event(EventType.ASSET_FAULT)) == "_/_"
    with pytest.raises(PermanentError, match="more than 65535 bytes"):
        topic_of("{key}", Event(EventType.ASSET_FAULT, key="ö" * 40_000))


def test_the_id_of_a_call_is_that_of_its_event():
    """As a header carries it: no line ends, no full stops, no more than a column holds."""
    assert webhook_id("3e0b2a4c-0d3f-5f1e-9a53-0c6d1c5f9b11") == "3e0b2a4c-0d3f-5f1e-9a53-0c6d1c5f9b11"
    assert webhook_id("//Acme/Zoë#1.5") == "//Acme/Zo%C3%AB#1%2E5"
    assert webhook_id("a\r\nx: y\ud800") == "a%0D%0Ax:%20y%ED%A0%80"
    assert len(webhook_id("x" * 1000)) == 64
    assert webhook_id("x" * 1000) != webhook_id("x" * 1001)


def test_the_page_shows_rules_that_can_be_used():
    """Its example is a configuration."""
    page = Path(__file__).parents[3] / "docs" / "outgoing.md"
    (block,) = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    shown = tomllib.loads(block)["outgoing"]
    for each in shown:
        if each.pop("secret_file", None):
            each["secret"] = SECRET
        if each.pop("url_file", None):
            each["url"] = URL
    rules = [OutgoingRule.model_validate(each) for each in shown]
    assert [one.name for one in rules] == ["andon", "line-board", "on-call"]
    assert rules[0].wants(result("failed"))
    assert not rules[0].wants(result("passed"))
    assert not check_loops(rules, ["factory/+/+/result"])
