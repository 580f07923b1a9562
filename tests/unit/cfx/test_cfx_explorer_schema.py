"""The explorer's JSON Schemas."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest
from cfx_shop import REFERENCE

from pywats_cfx import explorer
from pywats_cfx.explorer.schema import schema_of
from pywats_cfx.messages.registry import NAMES

EXAMPLES = sorted((REFERENCE / "examples").glob("*.json"))
NUMERIC = "CFX.Structures.NumericMeasurement, CFX"
TESTED = "CFX.Production.TestAndInspection.UnitsTested"


def one_unit(**unit: object) -> dict[str, object]:
    return {"TestedUnits": [unit]}


@pytest.fixture(scope="module")
def schema() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema_of(TESTED))


def test_every_message_has_a_valid_schema():
    """Draft 2020-12, all 183, every reference in them found."""
    assert len(NAMES) == 183
    for name in NAMES:
        made = json.loads(json.dumps(schema_of(name)))
        jsonschema_rs.meta.validate(made)
        jsonschema_rs.Draft202012Validator(made)
        assert made["title"] == name


def test_the_standards_examples_are_valid():
    """All of them, each by the schema of its message."""
    assert EXAMPLES, f"{REFERENCE} is missing: the shared folder belongs beside the checkout"
    for path in EXAMPLES:
        name = path.name.rsplit(".", 2)[0]
        body = json.loads(path.read_text("utf-8-sig"))
        errors = jsonschema_rs.Draft202012Validator(schema_of(name)).iter_errors(body)
        assert [(path.name, error.message) for error in errors] == []


@pytest.mark.parametrize(
    "wrong",
    [
        one_unit(UnitIdentifier=[]),
        one_unit(Tests={"TestName": "T"}),
        one_unit(OverallResult={}),
        one_unit(Tests=[{"TestStartTime": "yesterday"}]),
        one_unit(Tests=[{"Measurements": [{"$type": NUMERIC, "MeasuredValue": 1}]}]),
        {"TransactionId": []},
    ],
)
def test_what_cannot_be_read_is_not_valid(schema, wrong):
    """Values of a wholly different kind, also in a class that only its $type names."""
    assert not schema.is_valid(wrong)


def test_it_has_wire_names_words_and_members(capsys):
    """Found by a short name in any case, printed as JSON."""
    assert explorer.main(["--schema", "unitstested"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["properties"]["TransactionId"]["description"].startswith("identity of the work transaction")
    members, *_ = made["$defs"]["CFX.Structures.TestResult"]["anyOf"]
    assert members == {"enum": ["Passed", "Failed", "Error", "Aborted", "Skipped"]}
