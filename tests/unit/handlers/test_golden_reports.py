"""Reports written by hand from messages of the standard, member by member."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from jsonschema_rs import Draft202012Validator
from shopfloor import SHARED_SCHEMA, built, event, rules

from pywats_events.event import EventType

NEW_YORK = timezone(timedelta(hours=-4))


def climate(temperature, humidity):
    return [
        {"name": "Temperature", "unit": "\u00b0C", **temperature},
        {"name": "Humidity", "unit": "%", **humidity},
    ]


def span(mean, maximum, minimum):
    return {"mean": mean, "median": 0.0, "maximum": maximum, "minimum": minimum}


def number_property(name, value):
    return {"name": name, "type": "Number", "value": value}


def climate_group(name, unit, mean, maximum, minimum):
    return {
        "name": name,
        "props": [
            number_property("mean", mean),
            number_property("median", "0.0"),
            number_property("maximum", maximum),
            number_property("minimum", minimum),
            {"name": "unit", "type": "String", "value": unit},
        ],
    }


HOT_AND_COLD = event(
    EventType.TEST_RESULT,
    {
        "unit_id": "UNIT123456789",
        "position": 1,
        "siblings": 1,
        "repeat": 0,
        "result": "passed",
        "method": "Automated",
        "transaction_id": "1b3524e0-fd4f-4bd8-93a7-992d12bdb418",
        "operator": {
            "id": "BADGE489499",
            "login": "joseph.smith@abcdrepairs.com",
            "first_name": "Joseph",
            "last_name": "Smith",
            "kind": "Human",
        },
        "sampling": {"method": "NoSampling"},
        "tests": [
            {
                "id": "5de9b7e9-9c7c-4e88-9d40-07c7618248a2",
                "name": "HOT_TEST",
                "started_at": "2018-10-03T16:02:33.283198-04:00",
                "ended_at": "2018-10-03T16:03:05.284200-04:00",
                "result": "passed",
                "conditions": climate(span(45.2, 45.8, 44.9), span(85.5, 85.7, 85.4)),
            },
            {
                "id": "c2668251-aaba-4ceb-a584-55e8b10f0de1",
                "name": "COLD_TEST",
                "started_at": "2018-10-03T16:02:33.284200-04:00",
                "ended_at": "2018-10-03T16:03:05.284200-04:00",
                "result": "passed",
                "conditions": climate(span(-6.5, -6.4, -6.7), span(22.5, 22.7, 22.4)),
            },
        ],
    },
    source="//Acme/L1/CLIMATE01",
    time=datetime(2018, 10, 3, 16, 3, 6, tzinfo=NEW_YORK),
    event_id="a2b9a2bb-8a1f-4ee3-a0a7-6b1f0f5d3f7e",
)

HOT_AND_COLD_REPORT = {
    "id": "3e475e04-1fc2-5eb5-948b-16d36c01693a",
    "type": "T",
    "pn": "100-300",
    "sn": "UNIT123456789",
    "rev": "B",
    "processCode": 90,
    "result": "P",
    "machineName": "CLIMATE01",
    "location": "L1",
    "purpose": "Production",
    "start": "2018-10-03T16:02:33.283-04:00",
    "startUTC": "2018-10-03T20:02:33.283Z",
    "root": {
        "id": 0,
        "group": "M",
        "stepType": "SequenceCall",
        "name": "MainSequence Callback",
        "status": "P",
        "seqCall": {"path": "Climate", "name": "Climate"},
        "steps": [
            {
                "id": 1,
                "group": "M",
                "stepType": "ET_PFT",
                "name": "HOT_TEST",
                "status": "P",
                "start": "2018-10-03T16:02:33.283-04:00",
                "totTime": 32.001002,
                "booleanMeas": [{"status": "P"}],
                "additionalResults": [
                    climate_group("Temperature", "\u00b0C", "45.2", "45.8", "44.9"),
                    climate_group("Humidity", "%", "85.5", "85.7", "85.4"),
                ],
            },
            {
                "id": 2,
                "group": "M",
                "stepType": "ET_PFT",
                "name": "COLD_TEST",
                "status": "P",
                "start": "2018-10-03T16:02:33.284-04:00",
                "totTime": 32.0,
                "booleanMeas": [{"status": "P"}],
                "additionalResults": [
                    climate_group("Temperature", "\u00b0C", "-6.5", "-6.4", "-6.7"),
                    climate_group("Humidity", "%", "22.5", "22.7", "22.4"),
                ],
            },
        ],
    },
    "uut": {"user": "BADGE489499", "execTime": 32.001002, "testSocketIndex": 1},
}


async def test_units_tested_of_the_standard():
    """The standard's own example of UnitsTested becomes the report that an engineer would write."""
    done = await built(
        HOT_AND_COLD,
        stations=[
            {
                "handle": "//Acme/L1/CLIMATE01",
                "machine_name": "{name}",
                "process": 90,
                "part_number": "100-300",
                "revision": "B",
                "program": "Climate",
            }
        ],
    )
    assert done.report.to_wire() == HOT_AND_COLD_REPORT


TESTER = "Acme.Tester.T1"
WORK_STARTED = event(
    EventType.WORK_STARTED,
    {
        "panel_id": "PNL-000123",
        "transaction_id": "cb8c3b29-965c-4c7b-a368-ec6eb3ee1fc4",
        "lane": 1,
        "units": [
            {"unit_id": "SN-1001", "position": 1, "name": "CIRCUIT1", "status": "Pass"},
            {"unit_id": "SN-1002", "position": 2, "name": "CIRCUIT2", "status": "Pass"},
        ],
        "recipe": "BRD-A",
        "recipe_revision": "C",
        "surface": "Unspecified",
    },
    source=TESTER,
    time=datetime(2026, 11, 21, 0, 10, 45, 195409, tzinfo=UTC),
)
OPERATOR = {
    "id": "OP-0417",
    "login": "zoe.mueller",
    "first_name": "Zo\u00eb",
    "last_name": "M\u00fcller",
    "kind": "Human",
}


def of_capture(event_id, **unit):
    return event(
        EventType.TEST_RESULT,
        {
            "siblings": 1,
            "method": "Automated",
            "transaction_id": "cb8c3b29-965c-4c7b-a368-ec6eb3ee1fc4",
            "operator": OPERATOR,
            "recipe": "ICT-A",
            "recipe_revision": "7",
            "sampling": {"method": "NoSampling"},
            **unit,
        },
        source=TESTER,
        time=datetime(2026, 11, 21, 0, 10, 45, 195418, tzinfo=UTC),
        event_id=event_id,
    )


PASSED = of_capture(
    "097508d3-08b3-4781-817a-2c491e39ab7a:1",
    unit_id="SN-1001",
    position=1,
    result="passed",
    tests=[
        {
            "id": "1303ae77-d4a8-45d2-9bb2-61748af719f5",
            "name": "RES_R1",
            "started_at": "2026-11-21T00:10:42.192212+00:00",
            "ended_at": "2026-11-21T00:10:45.192232Z",
            "result": "passed",
            "measurements": [
                {
                    "kind": "numeric",
                    "id": "34247efb-8a7e-4f73-82ce-7e6de5163782",
                    "name": "R1",
                    "sequence": 1,
                    "recorded_at": "2026-11-21T00:10:45.192324+00:00",
                    "result": "passed",
                    "designators": ["R1"],
                    "value": 10012.5,
                    "unit": "Ohm",
                    "expected": 10.0,
                    "expected_unit": "kOhm",
                    "low": 9.9,
                    "high": 10.1,
                },
                {
                    "kind": "text",
                    "name": "FW_VERSION",
                    "sequence": 2,
                    "result": "passed",
                    "value": "1.4.2-\u03b2",
                    "expected": "1.4.2-\u03b2",
                },
                {
                    "kind": "boolean",
                    "name": "LED_ON",
                    "sequence": 3,
                    "result": "passed",
                    "value": True,
                    "expected": True,
                },
            ],
        }
    ],
)
FAILED = of_capture(
    "097508d3-08b3-4781-817a-2c491e39ab7a:2",
    unit_id="SN-1002",
    position=2,
    result="failed",
    tests=[
        {
            "id": "ea043311-d9f6-4c9d-9253-06494977e3fd",
            "name": "RES_R22",
            "result": "failed",
            "error": "over limit",
            "symptoms": [
                {
                    "id": "77860910-9b4a-408a-a1a8-dcca12578dd6",
                    "code": "RES_HI",
                    "category": "Electrical",
                    "description": "Resistance out of tolerance",
                    "status": "NewlyDiscovered",
                    "designators": ["R22"],
                    "part_numbers": ["PN-RES-10K"],
                    "priority": 1,
                }
            ],
            "measurements": [
                {
                    "kind": "numeric",
                    "name": "R22",
                    "sequence": 1,
                    "result": "failed",
                    "designators": ["R22"],
                    "value": 12.75,
                    "unit": "kOhm",
                    "expected": 10.0,
                    "expected_unit": "kOhm",
                    "low": 9.9,
                    "high": 10.1,
                }
            ],
        }
    ],
)

HEAD = {
    "type": "T",
    "pn": "100-200",
    "rev": "-",
    "processCode": 30,
    "machineName": "Acme.Tester.T1",
    "location": "-",
    "purpose": "Production",
    "miscInfos": [
        {"description": "Panel", "text": "PNL-000123"},
        {"description": "Lane", "text": "1"},
        {"description": "Recipe", "text": "BRD-A"},
    ],
}
PROGRAM = {"path": "ICT-A", "name": "ICT-A", "version": "7"}

PASSED_REPORT = {
    **HEAD,
    "id": "893fd5a1-1611-56b0-bb9f-ac7f240c4da5",
    "sn": "SN-1001",
    "result": "P",
    "start": "2026-11-21T00:10:42.192+00:00",
    "startUTC": "2026-11-21T00:10:42.192Z",
    "uut": {"user": "OP-0417", "execTime": 3.00002, "testSocketIndex": 1},
    "root": {
        "id": 0,
        "group": "M",
        "stepType": "SequenceCall",
        "name": "MainSequence Callback",
        "status": "P",
        "seqCall": PROGRAM,
        "steps": [
            {
                "id": 1,
                "group": "M",
                "stepType": "SequenceCall",
                "name": "RES_R1",
                "status": "P",
                "start": "2026-11-21T00:10:42.192+00:00",
                "totTime": 3.00002,
                "seqCall": {"path": "RES_R1", "name": "RES_R1"},
                "steps": [
                    {
                        "id": 2,
                        "group": "M",
                        "stepType": "ET_NLT",
                        "name": "R1",
                        "status": "P",
                        "reportText": "Expected: 10 kOhm\n"
                        "Limits as sent: from 9.9 kOhm to 10.1 kOhm\n"
                        "Designators: R1",
                        "numericMeas": [
                            {
                                "compOp": "GELE",
                                "status": "P",
                                "unit": "Ohm",
                                "value": 10012.5,
                                "lowLimit": 9900.0,
                                "highLimit": 10100.0,
                            }
                        ],
                    },
                    {
                        "id": 3,
                        "group": "M",
                        "stepType": "ET_SVT",
                        "name": "FW_VERSION",
                        "status": "P",
                        "stringMeas": [
                            {
                                "compOp": "CASESENSIT",
                                "status": "P",
                                "value": "1.4.2-\u03b2",
                                "limit": "1.4.2-\u03b2",
                            }
                        ],
                    },
                    {
                        "id": 4,
                        "group": "M",
                        "stepType": "ET_PFT",
                        "name": "LED_ON",
                        "status": "P",
                        "reportText": "Value: true\nExpected: true",
                        "booleanMeas": [{"status": "P"}],
                    },
                ],
            }
        ],
    },
}

FAILED_REPORT = {
    **HEAD,
    "id": "54d4c7cb-20dd-53fb-8914-ddd9c859b7ae",
    "sn": "SN-1002",
    "result": "F",
    "start": "2026-11-21T00:10:45.195+00:00",
    "startUTC": "2026-11-21T00:10:45.195Z",
    "uut": {"user": "OP-0417", "execTime": 0.000009, "testSocketIndex": 2},
    "root": {
        "id": 0,
        "group": "M",
        "stepType": "SequenceCall",
        "name": "MainSequence Callback",
        "status": "F",
        "seqCall": PROGRAM,
        "steps": [
            {
                "id": 1,
                "group": "M",
                "stepType": "SequenceCall",
                "name": "RES_R22",
                "status": "F",
                "errorMessage": "over limit; RES_HI Resistance out of tolerance",
                "reportText": "Error: over limit\nSymptom: RES_HI Resistance out of tolerance at R22",
                "additionalResults": [
                    {
                        "name": "Symptom 1",
                        "props": [
                            {"name": "id", "type": "String", "value": "77860910-9b4a-408a-a1a8-dcca12578dd6"},
                            {"name": "code", "type": "String", "value": "RES_HI"},
                            {"name": "category", "type": "String", "value": "Electrical"},
                            {
                                "name": "description",
                                "type": "String",
                                "value": "Resistance out of tolerance",
                            },
                            {"name": "status", "type": "String", "value": "NewlyDiscovered"},
                            {"name": "priority", "type": "Number", "value": "1"},
                            {"name": "designators", "type": "String", "value": "R22"},
                            {"name": "part_numbers", "type": "String", "value": "PN-RES-10K"},
                        ],
                    }
                ],
                "seqCall": {"path": "RES_R22", "name": "RES_R22"},
                "steps": [
                    {
                        "id": 2,
                        "group": "M",
                        "stepType": "ET_NLT",
                        "name": "R22",
                        "status": "F",
                        "causedSeqFailure": True,
                        "causedUUTFailure": True,
                        "reportText": "Expected: 10 kOhm\nDesignators: R22",
                        "numericMeas": [
                            {
                                "compOp": "GELE",
                                "status": "F",
                                "unit": "kOhm",
                                "value": 12.75,
                                "lowLimit": 9.9,
                                "highLimit": 10.1,
                            }
                        ],
                    }
                ],
            }
        ],
    },
}

LINE = {
    "stations": [{"handle": TESTER, "process": 30}],
    "recipes": [{"recipe": "ICT-A", "part_number": "100-200"}],
}


async def test_passed_unit_of_the_wire_capture():
    """A unit of a panel that passed, with limits in another unit than the value's."""
    done = await built(PASSED, WORK_STARTED, **LINE)
    assert done.report.to_wire() == PASSED_REPORT


async def test_failed_unit_of_the_wire_capture():
    """A unit of a panel that failed over a limit, with its symptom."""
    done = await built(FAILED, WORK_STARTED, **LINE)
    assert done.report.to_wire() == FAILED_REPORT


async def test_every_hit_names_its_rule():
    """The audit says where part number, process and serial number came from."""
    done = await built(FAILED, WORK_STARTED, **LINE)
    assert done.sources == {
        "part_number": 'recipe "ICT-A" by [[recipes]] "ICT-A"',
        "revision": "report.default_revision",
        "process": 'process of station "Acme.Tester.T1"',
        "serial_number": "learnt from the start of the work",
        "program": "the message",
        "operator": "the message",
    }
    assert rules(**LINE).station(TESTER).process == 30


@pytest.mark.parametrize("golden", [HOT_AND_COLD_REPORT, PASSED_REPORT, FAILED_REPORT])
def test_the_reference_schema_takes_them(golden):
    """What was written by hand is what the reference of the format takes, not only our copy of it."""
    if not SHARED_SCHEMA.exists():
        pytest.skip("the reference schema (../shared/wats) is not beside this checkout")
    schema = Draft202012Validator(json.loads(SHARED_SCHEMA.read_text("utf-8")))
    assert [fault.message for fault in schema.iter_errors(golden)] == []
