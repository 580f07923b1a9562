"""Every example of the standard and all recorded traffic: read whole, and written again with all they say."""

from __future__ import annotations

import base64
import json

import pytest
from cfx_facts import classes, known_fields, lost
from cfx_shop import REFERENCE

from pywats_cfx import decode
from pywats_cfx.messages.declared import declared
from pywats_cfx.messages.lazy import load
from pywats_cfx.messages.mending import mended
from pywats_cfx.messages.registry import read_message, read_message_json
from pywats_cfx.messages.wire import CFXMessage, CFXStructure
from pywats_cfx.messages.writing import to_wire

EXAMPLES = sorted(path.name for path in REFERENCE.glob("examples/*.json")) or ["none"]
OTHERS = sorted(path.name for path in REFERENCE.glob("examples-other/CFX.Structures*.json")) or ["none"]
CAPTURES = sorted(path.name for path in REFERENCE.glob("wire/*.json")) or ["none"]


def parsed(reference, name):
    """Give the JSON of a reference file."""
    return json.loads(reference(name).decode("utf-8-sig"))


def check(name, body):
    """Read a body both ways, write it, read it again; give the message."""
    message = read_message(name, body)
    assert isinstance(message, CFXMessage)
    assert read_message_json(name, json.dumps({"MessageBody": body}).encode()) == message
    written = json.loads(json.dumps(to_wire(message), allow_nan=False))
    # Labels that a class got by its shape are written, so only the readings after that are the same.
    again = read_message(name, written)
    assert to_wire(again) == written
    assert lost(name, body, written) == []
    assert lost(name, written, to_wire(again)) == []
    nothing_known_is_left_over(message)
    return message


def nothing_known_is_left_over(structure):
    """Fields of the standard's own class are attributes, not extras, at any depth."""
    known = known_fields(structure.CFX_NAME, {"$type": structure.CFX_NAME}) if structure.CFX_NAME else {}
    assert not {name for name in structure.model_extra if name.lower() in known}, structure
    for field in declared(type(structure)):
        value = getattr(structure, field.attribute)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, CFXStructure):
                nothing_known_is_left_over(each)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_read_and_written_with_all_it_says(reference, name):
    """No example is refused, and none loses a fact."""
    check(name.rsplit(".", 2)[0], parsed(reference, f"examples/{name}"))


@pytest.mark.parametrize("name", OTHERS)
def test_an_example_of_a_structure_is_read_and_written(reference, name):
    """Structures alone are read as those in messages are."""
    full_name = name.rsplit(".", 2)[0]
    body = parsed(reference, f"examples-other/{name}")
    structure = load(full_name)
    read = structure.model_validate(mended(structure, body))
    assert lost(full_name, body, to_wire(read)) == []
    assert structure.model_validate(to_wire(read)).model_dump(exclude={"type_name"}) == read.model_dump(
        exclude={"type_name"}
    )


@pytest.mark.parametrize("name", CAPTURES)
def test_recorded_traffic_is_written_again_as_it_was(reference, name):
    """What the standard's own writers wrote is given back by ours, label for label and null for null."""
    for message in parsed(reference, f"wire/{name}")["messages"]:
        for envelope in decode(base64.b64decode(message["body_b64"])):
            body = envelope.body
            typed = check(envelope.message_name, body)
            same_labels_and_names(body, to_wire(typed), envelope.message_name)


def same_labels_and_names(given, written, path):
    """Objects have the same names; ``$type`` stands where it stood, and first."""
    if isinstance(given, dict):
        assert given.keys() == written.keys(), path
        assert given.get("$type") == written.get("$type"), path
        assert "$type" not in written or next(iter(written)) == "$type"
        for name in given:
            same_labels_and_names(given[name], written[name], f"{path}.{name}")
    elif isinstance(given, list):
        for one, other in zip(given, written, strict=True):
            same_labels_and_names(one, other, path)


def test_every_message_of_the_standard_has_a_model(reference):
    """All 183, with their 271 structures and 101 enumerations."""
    content = parsed(reference, "catalogue.json")
    assert (len(content["messages"]), len(content["structures"]), len(content["enums"])) == (183, 271, 101)
    for name in [*classes(), *content["enums"]]:
        assert load(name) is not None
