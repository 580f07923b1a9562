"""Which messages become events: none is forgotten, the page is true, nothing loads before its time."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cfx_shop import HANDLE, envelope, events, wire

from pywats_cfx import cfx_adapter, messages
from pywats_cfx.adapter import message_of
from pywats_cfx.mapping.table import MAPPED, maker_of
from pywats_events.event import Event, EventType
from pywats_events.message import RawMessage
from pywats_events.payloads import MODELS

PAGE = Path(__file__).parents[3] / "docs" / "messages.md"


@pytest.mark.parametrize("name", sorted(MAPPED))
def test_every_mapped_message_has_what_makes_its_events(name):
    """The function that the table names is there."""
    assert callable(maker_of(MAPPED[name]))


def test_nothing_is_mapped_that_the_standard_does_not_have():
    """A misspelt name in the table would never be met."""
    assert MAPPED.keys() <= messages.NAMES


def test_every_event_type_comes_of_some_message():
    """Only the bus's own types, a test's start (which CFX does not tell) and CUSTOM do not."""
    without = {EventType.TEST_STARTED, EventType.CUSTOM, *(each for each in EventType if each.is_system)}
    assert {mapped.event_type for mapped in MAPPED.values()} == set(EventType) - without


def test_only_an_answer_that_tells_something_new_makes_an_event():
    """Requests make none, and of the responses only what a scanner read when it was asked."""
    asked = {name for name in MAPPED if name.endswith(("Request", "Response"))}
    assert asked == {"CFX.Sensor.Identification.IdentifyUnitsResponse"}


@pytest.mark.parametrize("name", sorted(messages.NAMES))
@pytest.mark.parametrize("body", [{}, {"Vendor": {"deep": [1, None]}}])
def test_an_empty_message_is_never_a_crash(name, body):
    """Nothing but foreign fields: events, the body as it came, or the field that is missing."""
    made = list(cfx_adapter(RawMessage(wire(envelope(name, body)), transport="amqp")))
    assert made
    for each in made:
        if isinstance(each, Event):
            assert each.event_type in {EventType.CUSTOM, *(mapped.event_type for mapped in MAPPED.values())}
        else:
            assert f"MessageBody.{MAPPED[name].subject} is missing" in each.reason


def rows(title):
    """Give the cells of the page's table that begins with this title."""
    table = PAGE.read_text("utf-8").partition(f"| {title} |")[2].partition("\n\n")[0]
    lines = [line for line in table.splitlines()[2:] if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_page_names_every_mapped_message():
    """Message, event type and key stand there as the code has them."""
    written = {f"CFX.{name}": (event_type, key) for name, event_type, key, _ in rows("Message | Event type")}
    assert written == {name: (each.event_type.name, each.key.value) for name, each in MAPPED.items()}


@pytest.mark.parametrize("row", rows("Message | Event type"), ids=lambda row: row[0])
def test_the_page_names_members_that_exist(row):
    """What is said to be taken is a member of the payload, and no payload is left without a word."""
    model = MODELS.get(EventType[row[1]])
    named = set(re.findall(r"`([a-z_]+)`", re.sub(r"is `\w+`( \([^)]*\))?( and `\w+`)?", "", row[3])))
    assert named
    if model is not None:
        assert named <= model.model_fields.keys()


def test_the_page_gives_a_reason_for_every_other_event():
    """Every message without events of its own stands there, or is a request or a response."""
    written = {f"CFX.{name}": reason for name, reason in rows("Message | Why")}
    others = messages.NAMES - MAPPED.keys()
    events_without = {name for name in others if not name.endswith(("Request", "Response"))}
    assert {name for name in messages.NAMES & written.keys() if written[name]} == events_without


LOADED = """
import json, sys
from pywats_events.message import RawMessage
from pywats_cfx.adapter import cfx_adapter
for envelope in json.load(sys.stdin):
    for made in cfx_adapter(RawMessage(json.dumps(envelope).encode(), transport="t")):
        assert hasattr(made, "event_type"), made
print(json.dumps(sorted(name for name in sys.modules if name.startswith("pywats_cfx."))))
"""


def loaded_by(*envelopes):
    """Give the modules of ours that a fresh interpreter has loaded after these messages."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        input=json.dumps(envelopes),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(done.stdout))


def test_the_adapter_alone_loads_no_model():
    """Neither the models of the standard nor what maps them."""
    modules = loaded_by()
    assert not [name for name in modules if name.startswith("pywats_cfx.messages.structures")]
    assert not {"pywats_cfx.messages.production", "pywats_cfx.mapping.results"} & modules


def test_a_message_loads_its_own_family():
    """Who only tests never loads what maps material, and a message that travels as it is loads nothing."""
    unit = {"UnitIdentifier": "U", "OverallResult": "Passed"}
    tested = loaded_by(envelope("UnitsTested", {"TestedUnits": [unit]}))
    mapping = {name.rpartition(".")[2] for name in tested if name.startswith("pywats_cfx.mapping.")}
    assert "results" in mapping
    assert not mapping & {"stock", "materials", "process_data", "maintenance", "orders", "tools"}
    asked = loaded_by(envelope("CFX.Production.GetRecipeRequest", {"RecipeName": "R"}))
    assert not [
        name
        for name in asked
        if name.startswith(("pywats_cfx.messages.structures", "pywats_cfx.messages.prod"))
    ]


def test_a_custom_event_gives_its_typed_message():
    """A handler of one's own reads what it needs in the standard's types."""
    body = {"Recipe": {"Name": "R", "Revision": "2"}, "Result": {"Result": "Success"}}
    (event,) = events("CFX.Production.GetRecipeResponse", body)
    event = Event.from_json(event.to_json())
    assert (event.event_type, event.key, event.payload) == (EventType.CUSTOM, HANDLE, body)
    message = message_of(event)
    assert isinstance(message, messages.GetRecipeResponse)
    assert message.recipe is not None
    assert (message.recipe.name, message.recipe.revision) == ("R", "2")


def test_a_vendors_message_gives_its_body():
    """What the standard does not know is an unknown message."""
    (event,) = events("CFX.Vendor.New", {"x": [1]})
    message = message_of(event)
    assert isinstance(message, messages.UnknownMessage)
    assert (message.name, message.body) == ("CFX.Vendor.New", {"x": [1]})


def test_a_custom_message_with_a_wrong_field_still_travels():
    """Its body is delivered; only the typed message is refused, with the field."""
    (event,) = events("CFX.Production.GetRecipeRequest", {"RecipeName": {"not": "a text"}})
    with pytest.raises(ValueError, match="RecipeName"):
        message_of(event)


def test_the_typed_message_of_another_event_is_refused():
    """A domain payload is not a message body, and the error says what reads it."""
    (event,) = events("CFX.ResourcePerformance.StationOffline", {})
    with pytest.raises(ValueError, match=r"asset\.offline.*payloads\.parse"):
        message_of(event)
