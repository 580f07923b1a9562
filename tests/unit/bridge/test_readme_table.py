"""The README's table of messages and events, held against the adapter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pywats_cfx import cfx_adapter
from pywats_events import Event, RawMessage

README = Path(__file__).parents[3] / "README.md"
UNIT = {"UnitIdentifier": "SN-1", "PositionNumber": 1}
OTHER = {"UnitIdentifier": "SN-2", "PositionNumber": 2}
TESTED = {"UnitIdentifier": "SN-1", "UnitPositionNumber": 1, "OverallResult": "Passed"}
FAULT = {"FaultOccurrenceId": "0fa54bd3-89dc-487b-9f71-4680296034bf", "FaultCode": "E1"}

#: A body for each message of the table, with two units where it has units.
BODIES: dict[str, dict[str, Any]] = {
    "CFX.Production.TestAndInspection.UnitsTested": {"TestedUnits": [TESTED, {**TESTED, **OTHER}]},
    "CFX.Production.TestAndInspection.UnitsInspected": {"InspectedUnits": [TESTED, {**TESTED, **OTHER}]},
    "CFX.ResourcePerformance.FaultOccurred": {"Fault": FAULT},
    "CFX.ResourcePerformance.FaultCleared": {"FaultOccurrenceId": FAULT["FaultOccurrenceId"]},
    "CFX.Production.WorkStarted": {"PrimaryIdentifier": "P", "Units": [UNIT, OTHER]},
    "CFX.Production.UnitsInitialized": {"PrimaryIdentifier": "P", "Units": [UNIT, OTHER]},
    "CFX.Production.UnitsArrived": {"PrimaryIdentifier": "P", "Units": [UNIT, OTHER]},
    "CFX.Production.Assembly.UnitsPersonalized": {"PersonalizedUnits": [TESTED, {**TESTED, **OTHER}]},
    "CFX.Production.RecipeActivated": {"RecipeName": "R"},
    "CFX.Production.WorkCompleted": {"PrimaryIdentifier": "P", "Result": "Completed"},
    "CFX.Production.Assembly.MaterialsInstalled": {
        "InstalledMaterials": [
            {"UnitIdentifier": "SN-1", "Material": {"UniqueIdentifier": "REEL-1"}},
            {"UnitIdentifier": "SN-2", "Material": {"UniqueIdentifier": "REEL-1"}},
        ]
    },
    "CFX.Production.ReworkAndRepair.UnitsRepaired": {"RepairedUnits": [TESTED, {**TESTED, **OTHER}]},
    "CFX.ResourcePerformance.MaintenancePerformed": {"Tasks": [{"TaskName": "grease"}]},
    "CFX.ResourcePerformance.CalibrationPerformed": {"Calibration": {"Status": "OK"}},
    "CFX.ResourcePerformance.StationStateChanged": {"OldState": "1100", "NewState": "2200"},
    "CFX.Production.UnitsDisqualified": {"Units": [UNIT, OTHER]},
    "CFX.Heartbeat": {"CFXHandle": "//Acme"},
    "CFX.EndpointConnected": {"CFXHandle": "//Acme"},
}


def rows() -> Iterator[tuple[str, str, bool]]:
    """Give message, event type, and whether there is one for each unit."""
    _, _, section = README.read_text(encoding="utf-8").partition("\n## What each CFX message becomes\n")
    section = section.partition("\n## ")[0]
    for line in section.splitlines():
        if not line.startswith("| `CFX."):
            continue
        messages, events, _ = line.strip("| ").split(" | ")
        first, *others = re.findall(r"`([\w.]+)`", messages)
        names = [first, *(name if name.startswith("CFX.") else f"CFX.Production.{name}" for name in others)]
        types = re.findall(r"`([\w.]+)`", events)
        for name, event_type in zip(names, types, strict=True):
            yield name, event_type, "one for each unit" in events


TABLE = list(rows())


def made_of(name: str, body: dict[str, Any]) -> list[Event]:
    document = {"MessageName": name, "Source": "//Acme/Line1/ST", "MessageBody": body}
    made = list(cfx_adapter(RawMessage(json.dumps(document).encode())))
    assert all(isinstance(each, Event) for each in made), made
    return [each for each in made if isinstance(each, Event)]


def test_the_table_is_read():
    """Each of its messages has a body here, and none here is missing there."""
    assert {name for name, _, _ in TABLE} >= BODIES.keys()


@pytest.mark.parametrize(("name", "event_type", "each"), TABLE)
def test_a_message_becomes_the_events_that_the_table_names(name, event_type, each):
    """The type, and one for each unit where the table says so."""
    made = made_of(name, BODIES.get(name, {"Units": [UNIT, OTHER]}))
    assert {event.event_type.value for event in made} == {event_type}
    assert len(made) == (2 if each else 1)


@pytest.mark.parametrize(
    "name",
    [
        "CFX.Production.SetupRequirementsChanged",
        "CFX.Production.GetRecipeRequest",
        "CFX.Acme.ThingHappened",
        "Acme.Thing",
    ],
)
def test_every_other_message_is_custom_with_its_body(name):
    """Known to the standard or not."""
    (event,) = made_of(name, {"What": "something", "Number": 5})
    assert event.event_type.value == "custom"
    assert event.payload["What"] == "something"
    assert event.metadata.message_name == name
