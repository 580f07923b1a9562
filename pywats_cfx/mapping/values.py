"""Small values that messages of every domain carry: people, work orders, numbers."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pywats_cfx.messages.structure import CFXStructure, short_type
from pywats_cfx.messages.writing import write_not_finite
from pywats_events.payloads.common import Person, Stage, WorkOrder

if TYPE_CHECKING:
    from pywats_cfx.messages import structures as cfx


def text(value: str | None) -> str | None:
    """Give a text without the blanks around it; None where nothing is left."""
    return (value.strip() or None) if value else None


def plain(value: Any) -> Any:
    """Give a copy of JSON data in which numbers that JSON can't hold are texts."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return write_not_finite(value)
    return value


def finite(value: float | None) -> float | None:
    """Give a number, or None where it is none that JSON can hold."""
    return value if value is not None and math.isfinite(value) else None


def moment(value: datetime | None) -> str | None:
    """Give a time as payload data holds it."""
    if value is None:
        return None
    written = value.isoformat()
    return f"{written[:-6]}Z" if written.endswith("+00:00") else written


def said(value: str | None, unset: str | None = None) -> str | None:
    """Give the word of an enumeration as plain text; None where it is the word for "not set"."""
    return None if value is None or value == unset else str(value)


def person(operator: cfx.Operator | None) -> Person | None:
    """Give who acted; None when only the kind of actor is said."""
    if operator is None:
        return None
    given = Person(
        id=text(operator.operator_identifier),
        login=text(operator.login_name),
        first_name=text(operator.first_name),
        last_name=text(operator.last_name),
        kind=said(operator.actor_type),
    )
    return given if given.id or given.login or given.first_name or given.last_name else None


def work_order(identifier: cfx.WorkOrderIdentifier | None) -> WorkOrder | None:
    """Give the work order; None when it has neither number nor batch."""
    if identifier is None:
        return None
    order = WorkOrder(id=text(identifier.work_order_id), batch=text(identifier.batch))
    return order if order.id or order.batch else None


def stage(given: cfx.Stage | None) -> Stage | None:
    """Give the stage of a station."""
    if given is None:
        return None
    return Stage(sequence=given.stage_sequence, name=text(given.stage_name), kind=said(given.stage_type))


def stage_name(given: cfx.Stage | None) -> str | None:
    """Give the name of a stage, else its number."""
    if given is None:
        return None
    return text(given.stage_name) or (None if given.stage_sequence is None else str(given.stage_sequence))


def seconds(span: timedelta | None) -> float | None:
    """Give a time span in seconds."""
    return None if span is None else span.total_seconds()


def kind_of(given: CFXStructure, plain_kind: type[CFXStructure]) -> str | None:
    """Give what special kind of structure it is, by its short name in the standard; None for the plain one.

    One of a kind that the standard does not know is named by the label that it came with.
    """
    name = short_type(given.type_name) if type(given) is plain_kind else type(given).CFX_NAME
    if not name or name == plain_kind.CFX_NAME:
        return None
    return name.rpartition(".")[2].rpartition("+")[2]


def details(given: CFXStructure, plain_kind: type[CFXStructure]) -> dict[str, Any]:
    """Give what only this kind of structure says, by the names of our models; unknown fields as they came."""
    own = given.model_dump(mode="json", exclude=set(plain_kind.model_fields), exclude_none=True)
    return _said_only(plain(own)) or {}


def _said_only(value: Any) -> Any:
    """Take out of nested data what is empty; None where nothing is left."""
    if isinstance(value, dict):
        return {
            name: kept for name, member in value.items() if (kept := _said_only(member)) is not None
        } or None
    return value


def without_none(data: dict[str, Any]) -> dict[str, Any]:
    """Give the members that say something."""
    return {name: value for name, value in data.items() if value is not None}
