"""Messages as the standard's SDK writes them, and the reports of them, written by hand."""

from __future__ import annotations

from typing import Any, Final

#: The start of a work on a panel of two, then its in-circuit test, each as its own message.
WORK_STARTED: Final = """{
  "MessageName": "CFX.Production.WorkStarted", "Version": "2.1",
  "TimeStamp": "2026-02-11T06:10:40.5+00:00", "UniqueID": "2d1f2b2e-6c2f-4f0c-8d0c-0a4d1a1b7c11",
  "Source": "Acme.Tester.T7", "Target": null, "RequestID": null,
  "MessageBody": {
    "$type": "CFX.Production.WorkStarted, CFX",
    "PrimaryIdentifier": "PNL-000777", "HermesIdentifier": null,
    "TransactionID": "7a0a3b29-0000-4c7b-a368-ec6eb3ee1fc4", "Lane": 1, "UnitCount": 2,
    "Units": [
      {"UnitIdentifier": "SN-7001", "PositionNumber": 1, "PositionName": "CIRCUIT1", "X": 10.25, "Y": 20.5,
       "Z": null, "Rotation": 0.0, "FlipX": false, "FlipY": false, "Status": "Pass"},
      {"UnitIdentifier": "SN-7002", "PositionNumber": 2, "PositionName": "CIRCUIT2", "X": 60.25, "Y": 20.5,
       "Z": null, "Rotation": 90.0, "FlipX": false, "FlipY": false, "Status": "Pass"}
    ],
    "RecipeName": "BRD-B", "Revision": "D", "RelevantSurface": "Unspecified",
    "WorkOrderIdentifier": {"WorkOrderId": "WO-5", "Batch": "WO-5-B1"}
  }
}"""

IN_CIRCUIT: Final = """{
  "MessageName": "CFX.Production.TestAndInspection.UnitsTested", "Version": "2.1",
  "TimeStamp": "2026-02-11T06:10:45.25+00:00", "UniqueID": "5b0c9d4e-08b3-4781-817a-2c491e39ab7a",
  "Source": "Acme.Tester.T7", "Target": null, "RequestID": null,
  "MessageBody": {
    "$type": "CFX.Production.TestAndInspection.UnitsTested, CFX",
    "TransactionId": "7a0a3b29-0000-4c7b-a368-ec6eb3ee1fc4", "TestMethod": "Automated",
    "Tester": {"OperatorIdentifier": "OP-0042", "ActorType": "Human", "LastName": "Müller",
               "FirstName": "Zoë", "LoginName": "zoe.mueller"},
    "RecipeName": "ICT-B", "RecipeRevision": "9",
    "SamplingInformation": {"SamplingMethod": "NoSampling", "LotSize": null, "SampleSize": null},
    "TestedUnits": [
      {"UnitIdentifier": "SN-7001", "UnitPositionNumber": 1, "OverallResult": "Passed", "Tests": [
        {"UniqueIdentifier": "1303ae77-d4a8-45d2-9bb2-61748af719f5", "TestName": "RES_R1",
         "TestStartTime": "2026-02-11T06:10:42.125+00:00", "TestEndTime": "2026-02-11T06:10:45.125Z",
         "TestConditions": [], "TestProcedure": null, "Comments": null, "Result": "Passed", "Error": null,
         "SymptomsFound": [], "DefectsFound": [], "Measurements": [
          {"$type": "CFX.Structures.NumericMeasurement, CFX",
           "MeasuredValue": {"Value": 4705.5, "ValueUnits": "Ohm",
             "ExpectedValue": 4.7, "ExpectedValueUnits": "kOhm",
             "MinimumAcceptableValue": 4.6, "MinimumAcceptableValueUnits": null,
             "MaximumAcceptableValue": 4.8, "MaximumAcceptableValueUnits": null},
           "UniqueIdentifier": "34247efb-8a7e-4f73-82ce-7e6de5163782", "MeasurementName": "R1",
           "TimeRecorded": "2026-02-11T06:10:45+00:00", "Sequence": 1, "Result": "Passed", "CRDs": "R1"},
          {"$type": "CFX.Structures.TextMeasurement, CFX", "Value": "2.0-β", "ExpectedValue": "2.0-β",
           "UniqueIdentifier": "02947686-4822-4038-a47c-cc4e8dedf2b8", "MeasurementName": "FW_VERSION",
           "TimeRecorded": null, "Sequence": 2, "Result": "Passed", "CRDs": null},
          {"$type": "CFX.Structures.BooleanMeasurement, CFX", "Value": true, "ExpectedValue": true,
           "UniqueIdentifier": "5666eb29-b7b5-4fda-a69d-48a27d593db0", "MeasurementName": "LED_ON",
           "TimeRecorded": null, "Sequence": 3, "Result": "Passed", "CRDs": null}
         ]}
      ]},
      {"UnitIdentifier": "SN-7002", "UnitPositionNumber": 2, "OverallResult": "Failed", "Tests": [
        {"UniqueIdentifier": "ea043311-d9f6-4c9d-9253-06494977e3fd", "TestName": "RES_R22",
         "TestStartTime": null, "TestEndTime": null, "TestConditions": [], "TestProcedure": null,
         "Comments": null, "Result": "Failed", "Error": "over limit", "SymptomsFound": [
          {"UniqueIdentifier": "77860910-9b4a-408a-a1a8-dcca12578dd6", "SymptomCode": "RES_HI",
           "SymptomCategory": "Electrical", "Description": "Resistance out of tolerance", "Comments": null,
           "Status": "NewlyDiscovered", "ComponentsOfInterest": [
            {"ReferenceDesignator": "R22", "UnitPosition": null, "PartNumber": "PN-RES-4K7"}],
           "RegionOfInterest": null, "Priority": 1, "RelatedMeasurements": null}
         ],
         "DefectsFound": [], "Measurements": [
          {"$type": "CFX.Structures.NumericMeasurement, CFX",
           "MeasuredValue": {"Value": 6.75, "ValueUnits": "kOhm",
             "ExpectedValue": 4.7, "ExpectedValueUnits": "kOhm",
             "MinimumAcceptableValue": 4.6, "MinimumAcceptableValueUnits": null,
             "MaximumAcceptableValue": 4.8, "MaximumAcceptableValueUnits": null},
           "UniqueIdentifier": "99a52281-aa5e-4b6c-92a0-59aa1ca98ee3", "MeasurementName": "R22",
           "TimeRecorded": null, "Sequence": 1, "Result": "Failed", "CRDs": "R22"}
         ]}
      ]}
    ]
  }
}"""

#: A unit in a climate chamber, without recipe and measurements, in an envelope without a label on the body.
CLIMATE: Final = """{
  "MessageName": "CFX.Production.TestAndInspection.UnitsTested", "Version": "1.7",
  "TimeStamp": "2026-02-11T16:03:06-05:00", "UniqueID": "a2b9a2bb-8a1f-4ee3-a0a7-6b1f0f5d3f7e",
  "Source": "//Acme/L1/CLIMATE01", "Target": null, "RequestID": null,
  "MessageBody": {
    "TransactionId": "1b3524e0-fd4f-4bd8-93a7-992d12bdb418", "TestMethod": "Automated",
    "Tester": {"OperatorIdentifier": "BADGE489499", "ActorType": "Human", "LastName": "Smith",
               "FirstName": "Joseph", "LoginName": "joseph.smith@acme.example"},
    "SamplingInformation": {"SamplingMethod": "NoSampling", "LotSize": null, "SampleSize": null},
    "TestedUnits": [
      {"UnitIdentifier": "UNIT987654321", "UnitPositionNumber": 1, "OverallResult": "Passed", "Tests": [
        {"UniqueIdentifier": "5de9b7e9-9c7c-4e88-9d40-07c7618248a2", "TestName": "HOT_TEST",
         "TestStartTime": "2026-02-11T16:02:33.2831984-05:00",
         "TestEndTime": "2026-02-11T16:03:05.2831984-05:00",
         "TestConditions": [
          {"$type": "CFX.Structures.Temperature, CFX", "StartTime": null, "EndTime": null,
           "MeanValue": 45.2, "MedianValue": 0.0, "MaxValue": 45.8, "MinValue": 44.9},
          {"$type": "CFX.Structures.Humidity, CFX", "StartTime": null, "EndTime": null,
           "MeanValue": 85.5, "MedianValue": 0.0, "MaxValue": 85.7, "MinValue": 85.4}
         ],
         "TestProcedure": null, "Comments": null, "Result": "Passed", "Error": null,
         "SymptomsFound": [], "DefectsFound": [], "Measurements": []},
        {"UniqueIdentifier": "c2668251-aaba-4ceb-a584-55e8b10f0de1", "TestName": "COLD_TEST",
         "TestStartTime": "2026-02-11T16:02:33.2841984-05:00",
         "TestEndTime": "2026-02-11T16:03:05.2841984-05:00",
         "TestConditions": [
          {"$type": "CFX.Structures.Temperature, CFX", "StartTime": null, "EndTime": null,
           "MeanValue": -6.5, "MedianValue": 0.0, "MaxValue": -6.4, "MinValue": -6.7}
         ],
         "TestProcedure": null, "Comments": null, "Result": "Passed", "Error": null,
         "SymptomsFound": [], "DefectsFound": [], "Measurements": []}
      ]}
    ]
  }
}"""

#: What the configuration says of the two stations.
RULES: Final[dict[str, Any]] = {
    "stations": [
        {"handle": "Acme.Tester.T7", "process": 30, "location": "Hall 1"},
        {
            "handle": "//Acme/L1/CLIMATE01",
            "machine_name": "{name}",
            "process": 90,
            "part_number": "100-300",
            "revision": "B",
            "program": "Climate",
        },
    ],
    "recipes": [{"recipe": "ICT-B", "part_number": "100-200", "revision": "C"}],
}

_IN_CIRCUIT_HEAD: Final[dict[str, Any]] = {
    "type": "T",
    "pn": "100-200",
    "rev": "C",
    "processCode": 30,
    "machineName": "Acme.Tester.T7",
    "location": "Hall 1",
    "purpose": "Production",
    "miscInfos": [
        {"description": "Work order", "text": "WO-5"},
        {"description": "Panel", "text": "PNL-000777"},
        {"description": "Lane", "text": "1"},
        {"description": "Recipe", "text": "BRD-B"},
    ],
}


def _root(status: str, program: dict[str, str], *steps: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": 0,
        "group": "M",
        "stepType": "SequenceCall",
        "name": "MainSequence Callback",
        "status": status,
        "seqCall": program,
        "steps": list(steps),
    }


_ICT_B: Final = {"path": "ICT-B", "name": "ICT-B", "version": "9"}

IN_CIRCUIT_PASSED: Final[dict[str, Any]] = {
    **_IN_CIRCUIT_HEAD,
    "sn": "SN-7001",
    "result": "P",
    "start": "2026-02-11T06:10:42.125+00:00",
    "startUTC": "2026-02-11T06:10:42.125Z",
    "uut": {"user": "OP-0042", "execTime": 3.0, "testSocketIndex": 1, "batchSN": "WO-5-B1"},
    "root": _root(
        "P",
        _ICT_B,
        {
            "id": 1,
            "group": "M",
            "stepType": "SequenceCall",
            "name": "RES_R1",
            "status": "P",
            "start": "2026-02-11T06:10:42.125+00:00",
            "totTime": 3.0,
            "seqCall": {"path": "RES_R1", "name": "RES_R1"},
            "steps": [
                {
                    "id": 2,
                    "group": "M",
                    "stepType": "ET_NLT",
                    "name": "R1",
                    "status": "P",
                    "reportText": "Expected: 4.7 kOhm\n"
                    "Limits as sent: from 4.6 kOhm to 4.8 kOhm\n"
                    "Designators: R1",
                    "numericMeas": [
                        {
                            "compOp": "GELE",
                            "status": "P",
                            "unit": "Ohm",
                            "value": 4705.5,
                            "lowLimit": 4600.0,
                            "highLimit": 4800.0,
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
                        {"compOp": "CASESENSIT", "status": "P", "value": "2.0-β", "limit": "2.0-β"}
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
        },
    ),
}

IN_CIRCUIT_FAILED: Final[dict[str, Any]] = {
    **_IN_CIRCUIT_HEAD,
    "sn": "SN-7002",
    "result": "F",
    "start": "2026-02-11T06:10:40.500+00:00",
    "startUTC": "2026-02-11T06:10:40.500Z",
    "uut": {"user": "OP-0042", "execTime": 4.75, "testSocketIndex": 2, "batchSN": "WO-5-B1"},
    "root": _root(
        "F",
        _ICT_B,
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
                        {"name": "description", "type": "String", "value": "Resistance out of tolerance"},
                        {"name": "status", "type": "String", "value": "NewlyDiscovered"},
                        {"name": "priority", "type": "Number", "value": "1"},
                        {"name": "designators", "type": "String", "value": "R22"},
                        {"name": "part_numbers", "type": "String", "value": "PN-RES-4K7"},
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
                    "reportText": "Expected: 4.7 kOhm\nDesignators: R22",
                    "numericMeas": [
                        {
                            "compOp": "GELE",
                            "status": "F",
                            "unit": "kOhm",
                            "value": 6.75,
                            "lowLimit": 4.6,
                            "highLimit": 4.8,
                        }
                    ],
                }
            ],
        },
    ),
}


def _climate(name: str, unit: str, mean: str, maximum: str, minimum: str) -> dict[str, Any]:
    numbers = {"mean": mean, "median": "0.0", "maximum": maximum, "minimum": minimum}
    props = [{"name": key, "type": "Number", "value": value} for key, value in numbers.items()]
    return {"name": name, "props": [*props, {"name": "unit", "type": "String", "value": unit}]}


CLIMATE_PASSED: Final[dict[str, Any]] = {
    "type": "T",
    "pn": "100-300",
    "rev": "B",
    "processCode": 90,
    "machineName": "CLIMATE01",
    "location": "L1",
    "purpose": "Production",
    "sn": "UNIT987654321",
    "result": "P",
    "start": "2026-02-11T16:02:33.283-05:00",
    "startUTC": "2026-02-11T21:02:33.283Z",
    "uut": {"user": "BADGE489499", "execTime": 32.001, "testSocketIndex": 1},
    "root": _root(
        "P",
        {"path": "Climate", "name": "Climate"},
        {
            "id": 1,
            "group": "M",
            "stepType": "ET_PFT",
            "name": "HOT_TEST",
            "status": "P",
            "start": "2026-02-11T16:02:33.283-05:00",
            "totTime": 32.0,
            "booleanMeas": [{"status": "P"}],
            "additionalResults": [
                _climate("Temperature", "°C", "45.2", "45.8", "44.9"),
                _climate("Humidity", "%", "85.5", "85.7", "85.4"),
            ],
        },
        {
            "id": 2,
            "group": "M",
            "stepType": "ET_PFT",
            "name": "COLD_TEST",
            "status": "P",
            "start": "2026-02-11T16:02:33.284-05:00",
            "totTime": 32.0,
            "booleanMeas": [{"status": "P"}],
            "additionalResults": [_climate("Temperature", "°C", "-6.5", "-6.4", "-6.7")],
        },
    ),
}
