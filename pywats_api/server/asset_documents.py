"""What the OpenAPI document says of the routes of assets."""

from typing import Any

from pywats_api.server.asset_fields import ASSET_TEXTS, MAX_TEXT

_STATE = {"type": "integer", "minimum": 0, "maximum": 6}
_COUNT = {"type": "integer", "minimum": 0, "maximum": 999_999_999}
_MOMENT = {"type": "string", "format": "date-time"}
_NUMBER = {"type": ["number", "null"]}


def parameter(name: str, schema: dict[str, Any], text: str, *, required: bool = False) -> dict[str, Any]:
    """One parameter of the query."""
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": text}


KEY = [
    parameter("id", {"type": "string"}, "Id of the asset; or serialNumber."),
    parameter("serialNumber", {"type": "string"}, "Serial number of the asset; or id."),
]
CULTURE = parameter("cultureCode", {"type": "string"}, "Taken and ignored: there are English texts only.")
COMMENT = parameter("comment", {"type": "string", "maxLength": MAX_TEXT}, "For the log.")
TRANSLATE = parameter("translate", {"type": "boolean", "default": True}, "Words in place of keys.")
STATE = parameter("state", _STATE, "Where the asset is.", required=True)
LEVEL = parameter("level", _COUNT, "How far down; 0 for all the way.")
MOMENT = parameter("dateTime", _MOMENT, "When; now, if left out. Without offset it is UTC.")
SPAN = [
    parameter("fromDate", _MOMENT, "When it was done.", required=True),
    parameter("toDate", _MOMENT, "When the next one is due.", required=True),
]
COUNT = [
    parameter("incrementBy", _COUNT | {"minimum": 1}, "Uses to add; or totalCount."),
    parameter("totalCount", _COUNT, "Total to raise both counts to; or incrementBy."),
    parameter("incrementChildren", {"type": "boolean", "default": False}, "Count what lies below as well."),
]
RUNNING_COUNT = parameter("runningCount", _COUNT, "The count.", required=True)
TOTAL_COUNT = parameter("totalCount", _COUNT, "The count.", required=True)
ODATA = [
    parameter("$filter", {"type": "string"}, "OData expression."),
    parameter("$top", _COUNT | {"maximum": 10_000, "default": 1000}, "How many at most."),
    parameter("$skip", _COUNT, "How many to leave out at the beginning."),
    parameter("$orderby", {"type": "string"}, "Fields to sort by, each with asc or desc behind it."),
]
BLOB_OWNER = parameter("assetId", {"type": "string"}, "Id of the asset.", required=True)
BLOB_NAME = parameter("filename", {"type": "string"}, "Name of the file.", required=True)

ASSET = {
    "type": "object",
    "required": ["serialNumber", "typeId"],
    "properties": {
        **{name: {"type": "string", "maxLength": length} for name, length in ASSET_TEXTS.items()},
        "assetId": {"type": ["string", "null"]},
        "typeId": {"type": "string", "format": "uuid"},
        "parentAssetId": {"type": ["string", "null"]},
        "parentSerialNumber": {"type": ["string", "null"]},
        "state": _STATE,
        "tags": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["key"],
                "properties": {
                    "key": {"type": "string", "minLength": 1},
                    "value": {"type": "string"},
                    "change": {"type": "integer", "minimum": 0, "maximum": 6},
                },
            },
        },
    },
}
ASSET_TYPE = {
    "type": "object",
    "required": ["typeName"],
    "properties": {
        "typeId": {"type": "string", "format": "uuid"},
        "typeName": {"type": "string", "minLength": 1, "maxLength": ASSET_TEXTS["assetName"]},
        "runningCountLimit": {"type": ["integer", "null"], "minimum": -1},
        "totalCountLimit": {"type": ["integer", "null"], "minimum": -1},
        "calibrationInterval": _NUMBER,
        "maintenanceInterval": _NUMBER,
        "warningThreshold": _NUMBER,
        "alarmThreshold": _NUMBER,
        "icon": {"type": ["string", "null"]},
    },
}
MESSAGE = {
    "type": "object",
    "required": ["content"],
    "properties": {"content": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}},
}
FILE_NAMES = {"type": "array", "items": {"type": "string"}}


def described(
    *parameters: dict[str, Any],
    body: dict[str, Any] | None = None,
    content_type: str = "application/json",
) -> dict[str, Any]:
    """Query and body of a route, and that a bad one is answered with its reason."""
    said: dict[str, Any] = {
        "parameters": list(parameters),
        "responses": {
            "400": {"description": "What is wrong with the request."},
            "404": {"description": "There is no such thing."},
        },
    }
    if body is not None:
        said["requestBody"] = {"required": True, "content": {content_type: {"schema": body}}}
    return said
