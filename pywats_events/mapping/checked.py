"""Payloads that mappings have built, held against their models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from pywats_events.event import EventType
from pywats_events.mapping.conversions import said
from pywats_events.mapping.rules import FieldError
from pywats_events.mapping.trees import Group
from pywats_events.payloads import DomainModel, Outcome


def check_whole(event: EventType, model: type[DomainModel], fields: Group) -> None:
    """Refuse a mapping that leaves out what its events must have.

    Raises:
        ValueError: it does.
    """
    given = {name for name, _ in fields.parts} | {"asset_id"}
    missing = [
        name for name, field in model.model_fields.items() if field.is_required() and name not in given
    ]
    if event in _JUDGED and "result" not in given:
        missing.append("result")
    if missing:
        raise ValueError(f"fields: {event.value} events need {' and '.join(missing)}")


#: Events that say whether a unit is good.
_JUDGED: Final = frozenset({EventType.TEST_RESULT, EventType.INSPECTION_RESULT})


def validated(model: type[DomainModel], built: dict[str, Any]) -> DomainModel:
    """Give the payload that a mapping has built.

    Raises:
        FieldError: it does not fit its model, or holds what would get lost in silence.
    """
    payload = _fitting(model, built)
    _check_values(payload, built, "fields")
    return payload


def _fitting(model: type[DomainModel], built: dict[str, Any]) -> DomainModel:
    try:
        return model.model_validate(built)
    except ValidationError as error:
        if not _number_texts(error, built):
            raise _mistakes(error) from None
    try:
        return model.model_validate(built)
    except ValidationError as error:
        raise _mistakes(error) from None


def _number_texts(error: ValidationError, built: Any) -> bool:
    """Write whole numbers out where a text belongs: many serial numbers are sent as numbers."""
    changed = False
    for each in error.errors(include_url=False, include_context=False):
        given = each["input"]
        if each["type"] != "string_type" or not isinstance(given, int) or isinstance(given, bool):
            continue
        *way, last = _way(each["loc"], built)
        place = built
        for step in way:
            place = place[step]
        place[last] = str(given)
        changed = True
    return changed


def _way(place: tuple[str | int, ...], built: Any) -> list[str | int]:
    """Give the steps of a place that are in the data: a union names its choice between them."""
    way = []
    for step in place:
        is_there = step in built if isinstance(built, dict) else isinstance(step, int)
        if is_there:
            way.append(step)
            built = built[step]
    return way


def _mistakes(error: ValidationError) -> FieldError:
    errors = error.errors(include_url=False, include_context=False)
    first = errors[0]
    place = _place("fields", *(step for step in first["loc"] if step not in _CHOICES))
    reason = f"{said(first['input'])}: {first['msg']}" if first["type"] != "missing" else "is missing"
    more = f"; and {len(errors) - 1} more" if len(errors) > 1 else ""
    return FieldError(place, f"{reason}{more}")


#: Names of choices of unions, which are no members.
_CHOICES: Final = frozenset({"numeric", "boolean", "text", "feature", "other"})


def _place(start: str, *steps: str | int) -> str:
    return start + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _check_values(made: Any, given: Any, place: str) -> None:
    """Refuse verdicts that nobody can read, and numbers without end: both would get lost in silence."""
    if isinstance(made, BaseModel) and isinstance(given, Mapping):
        for name, value in given.items():
            _check_values(getattr(made, name, None), value, _place(place, name))
    elif isinstance(made, list) and isinstance(given, list):
        for index, (each, value) in enumerate(zip(made, given, strict=False)):
            _check_values(each, value, _place(place, index))
    elif made is Outcome.UNKNOWN and str(given).strip().lower() != Outcome.UNKNOWN.value:
        raise FieldError(
            place,
            f"{said(given)} is no verdict (passed, failed, error, aborted, skipped): say what the sender's "
            "words mean, with values or verdict = true",
        )
    elif isinstance(made, float) and not math.isfinite(made):
        raise FieldError(place, f"{said(given)} is no finite number")
