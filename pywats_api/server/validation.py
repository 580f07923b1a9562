"""Is this a report the server takes? Shape by JSON Schema, the rest by the rules beside it."""

import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

import jsonschema_rs

from pywats_api.server.documents import Refused, json_path
from pywats_api.server.rules import check_rules

SCHEMA: dict[str, Any] = json.loads(files("pywats_api.server").joinpath("wsjf.schema.json").read_bytes())
_VALIDATOR = jsonschema_rs.validator_for(SCHEMA)
_MAX_REASON = 300


def validate_report(
    report: Any,
    processes: Iterable[Mapping[str, Any]],
    fail_codes: Mapping[str, frozenset[str]],
) -> None:
    """Raise `Refused` with path and reason if the server would answer 400 to this report.

    The report comes from `parse_json`: the schema's engine could hold neither lone surrogates nor any depth.
    """
    error = next(iter(_VALIDATOR.iter_errors(report)), None)
    if error is not None:
        raise Refused(f"{json_path(error.instance_path)}: {_reason(error)}.")
    check_rules(report, processes, fail_codes)


def _reason(error: jsonschema_rs.ValidationError) -> str:
    """The comment of the broken rule if it has one: "{...} is not allowed" helps nobody."""
    rule: Any = SCHEMA
    for key in error.schema_path[:-1]:
        rule = rule[key]
    comment = rule.get("$comment") if isinstance(rule, dict) else None
    reason = str(comment or error.message).rstrip(".")
    # A message begins with the value it is about, which may be a whole tree, and ends with the reason.
    return reason if len(reason) <= _MAX_REASON else f"…{reason[-_MAX_REASON:]}"
