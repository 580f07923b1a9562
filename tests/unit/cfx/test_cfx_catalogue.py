"""The models are those of the standard, in its namespaces, and loaded only when asked for."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cfx_facts import catalogue, classes

from pywats_cfx import messages
from pywats_cfx.messages.declared import declared
from pywats_cfx.messages.lazy import class_name, load
from pywats_cfx.messages.registry import MODELS, NAMES, right_name
from pywats_cfx.messages.wire import CFXMessage, NumberEnum, wire_names

ROOT = Path(__file__).parents[3]
ENUMS = sorted(catalogue()["enums"]) or ["none"]
CLASSES = sorted(classes()) or ["none"]


def test_modules_are_what_the_catalogue_says():
    """Nobody edited a generated module, or the catalogue without writing the modules anew."""
    script = [sys.executable, str(ROOT / "scripts" / "cfx_models.py"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.usefixtures("reference")
def test_a_class_has_the_standards_fields(name):
    """No field more, none less, with their lists, what may be null, and what they count."""
    given = classes()[name]
    structure = load(name)
    fields = {field.name: field for field in declared(structure)}
    assert set(fields) - {"$values"} == {field["name"] for field in given["fields"]}
    assert name == structure.CFX_NAME
    assert issubclass(structure, CFXMessage) == ("kind" in given)
    for field in given["fields"]:
        ours = fields[field["name"]]
        assert ours.many == field["list"]
        assert ours.mapping == field.get("dict", False)
        assert (ours.counted is not None) == field.get("derived_value", False)
        assert ours.replaced == field.get("input_only", False)
        if not (field["list"] or ours.counted or ours.usual is not None):
            assert ours.nullable == field["nullable"], field["name"]
        if field["type"] in classes():
            assert ours.kind is load(field["type"])


@pytest.mark.parametrize("name", ENUMS)
@pytest.mark.usefixtures("reference")
def test_an_enumeration_has_the_standards_members(name):
    """Names, numbers and the form on the wire."""
    given, enum = catalogue()["enums"][name], load(name)
    expected = {member["value"]: member["name"] for member in given["members"]}
    assert {number: member.rstrip("_") for number, member in enum.numbers().items()} == expected
    assert issubclass(enum, NumberEnum) == (given["wire"] == "int")
    for member in given["members"]:
        written = member.get("wire", member["name"])
        assert enum(member["name"]) is enum(str(member["value"])) is enum(written.upper())
        assert enum(member["name"]).value == written


@pytest.mark.usefixtures("reference")
def test_every_message_is_found_in_its_namespace():
    """CFX.Production.TestAndInspection.UnitsTested is messages.production.test_and_inspection.UnitsTested."""
    for name in catalogue()["messages"]:
        _, *parts, last = name.split(".")
        place = messages
        for part in parts or ["Network"]:
            place = getattr(place, snake(part))
        model = getattr(place, last)
        assert model is MODELS[name] is getattr(messages, last)
        assert model.__module__.startswith(place.__name__)


@pytest.mark.usefixtures("reference")
def test_every_structure_is_found_in_its_namespace():
    """CFX.Structures.SolderReflow.ReflowZone is messages.structures.solder_reflow.ReflowZone."""
    for name in [*catalogue()["structures"], *catalogue()["enums"]]:
        _, _, *parts, last = name.split(".")
        place = messages.structures
        for part in parts:
            place = getattr(place, snake(part))
        assert load(name).__module__.startswith(place.__name__)
        assert getattr(place, class_name(last)) is load(name)


def snake(name):
    """Give the module's name for a part of a namespace."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def test_of_two_of_one_name_the_message_and_the_main_namespace_win():
    """The short name is a promise."""
    assert messages.ConsumptionDetail.CFX_NAME == "CFX.ResourcePerformance.ConsumptionDetail"
    assert messages.structures.ConsumptionDetail.CFX_NAME == "CFX.Structures.ConsumptionDetail"
    assert messages.Component.CFX_NAME == "CFX.Structures.HandSoldering.Component"
    component = messages.structures.pcb_inspection.Component
    assert component.CFX_NAME == "CFX.Structures.PCBInspection.Component"


def test_all_that_packages_offer_is_there():
    """Every name in __all__ can be had, and no other."""
    for package in (messages, messages.structures, messages.production, messages.resource_performance):
        for name in package.__all__:
            assert getattr(package, name) is not None
        with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
            _ = package.Nonsense


def test_message_names_are_known_in_any_case():
    """Without loading a model."""
    assert "CFX.Heartbeat" in NAMES
    assert right_name("cfx.production.WORKSTARTED ") == "CFX.Production.WorkStarted"
    assert right_name("CFX.Nonsense") is None
    assert set(MODELS) == NAMES
    assert "CFX.Nonsense" not in MODELS
    with pytest.raises(KeyError):
        MODELS["CFX.Structures.Fault"]


@pytest.mark.parametrize(
    ("code", "present", "absent"),
    [
        ("import pywats_cfx.messages", [], ["pydantic", "pywats_cfx.messages.wire"]),
        ("from pywats_cfx.messages.registry import NAMES, right_name", [], ["pydantic"]),
        (
            "from pywats_cfx.messages.registry import read_message\nread_message('CFX.Nonsense', {})",
            [],
            ["pydantic"],
        ),
        (
            "from pywats_cfx.messages import UnitsTested\nUnitsTested(tested_units=[{}])",
            ["structures.testing", "structures.measurements"],
            ["pywats_cfx.messages.network", "pywats_cfx.messages.structures.hand_soldering"],
        ),
    ],
)
def test_only_what_is_needed_is_loaded(code, present, absent):
    """Importing costs little; reading one message loads no other's models."""
    listing = f"{code}\nimport sys, json\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert {f"pywats_cfx.messages.{name}" for name in present} <= loaded
    assert not loaded & set(absent)


@pytest.mark.usefixtures("reference")
def test_everything_is_described_in_words_of_our_own():
    """Each class and each field says what it is, and no sentence is taken over."""
    theirs = {given["summary"] for given in classes().values()}
    for path in (ROOT / "catalogue").rglob("*.toml"):
        for said in tomllib.loads(path.read_text(encoding="utf-8")).values():
            if isinstance(said, dict):
                assert said["about"].endswith(".")
                assert said["about"] not in theirs
                assert all(field["about"] for field in said.get("fields", {}).values())


@pytest.mark.usefixtures("reference")
def test_a_wire_name_is_given_only_where_it_does_not_follow_from_the_attribute():
    """Names are the standard's, misspellings included."""
    assert wire_names(messages.Heartbeat)["cfx_handle"] == "CFXHandle"
    assert wire_names(messages.WorkStarted)["transaction_id"] == "TransactionID"
    assert wire_names(messages.UnitsTested)["transaction_id"] == "TransactionId"
