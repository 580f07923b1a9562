"""Readings: of units, and of the machine itself."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from pywats_cfx.mapping.measurements import outcome
from pywats_cfx.mapping.origin import Origin, known_guid
from pywats_cfx.mapping.process_data import process_steps, step
from pywats_cfx.mapping.units import group_if_named, unit_key
from pywats_cfx.mapping.values import finite, moment, said, text, without_none
from pywats_cfx.messages import structures as cfx
from pywats_cfx.messages.writing import write_not_finite
from pywats_events.event import Event, EventType
from pywats_events.payloads import ReadingsRecordedEvent

if TYPE_CHECKING:
    from pywats_cfx.messages import ProcessDataRecorded, ReadingsRecorded


def readings_recorded(message: ReadingsRecorded, origin: Origin) -> Iterator[Event]:
    """One READINGS_RECORDED for each unit, and one for the readings that name none."""
    transaction = known_guid(message.transaction_id)
    readings = message.readings
    groups = group_if_named(readings, [each.unit_position_number for each in readings])
    siblings = Counter(unit_id for unit_id, _ in groups)
    for (unit_id, position), entries in groups.items():
        payload = ReadingsRecordedEvent(
            asset_id=origin.source,
            unit_id=unit_id,
            position=position,
            siblings=siblings[unit_id],
            transaction_id=transaction,
        ).to_payload()
        measured = [each for _, reading in entries for each in _reading(reading)]
        payload["tests"] = [step("Readings", measured)]
        yield origin.event(
            EventType.READINGS_RECORDED,
            payload,
            part=entries[0][0],
            key=unit_key(unit_id, position) if unit_id else "",
            correlation_id=transaction,
        )


def process_data_recorded(message: ProcessDataRecorded, origin: Origin) -> Iterator[Event]:
    """One READINGS_RECORDED of the machine itself; none where there are no data."""
    if message.process_data is not None:
        payload = ReadingsRecordedEvent(asset_id=origin.source).to_payload()
        payload["tests"] = process_steps(message.process_data)
        yield origin.event(EventType.READINGS_RECORDED, payload)


def _reading(given: cfx.Reading) -> Iterator[dict[str, Any]]:
    result, word = (None, None) if given.result is None else outcome(given.result)
    common = {
        "name": text(given.reading_identifier),
        "sequence": given.reading_sequence,
        "recorded_at": moment(given.time_recorded),
        "result": result and result.value,
        "result_said": word,
        "designators": [name for each in given.components if (name := text(each.reference_designator))],
    }
    yield without_none(common | _value(given))
    if isinstance(given, cfx.CoatingProcessReading):
        for name, value in (
            ("ChamberPressure", given.chamber_pressure),
            ("VaporizerTemperature", given.vaporizer_temperature),
        ):
            yield without_none({"name": name, "designators": [], "kind": "numeric", "value": finite(value)})


_NUMBERS: Final = frozenset({cfx.DataType.Numeric, cfx.DataType.Integer})
_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}


def _value(given: cfx.Reading) -> dict[str, Any]:
    """Give the value, which the standard writes as text, as what its type says that it is.

    Text is also what a sender that sets no type seems to say. Where it gives limits, and they and the value
    are numbers, a number is meant.
    """
    value = _number(given.value)
    low, high = _number(given.minimum_acceptable_value), _number(given.maximum_acceptable_value)
    if value is not None and (given.value_data_type in _NUMBERS or low is not None or high is not None):
        return {
            "kind": "numeric",
            "value": value if math.isfinite(value) else None,
            "value_text": None if math.isfinite(value) else write_not_finite(value),
            "unit": text(given.value_units),
            "expected": finite(_number(given.expected_value)),
            "expected_unit": text(given.expected_value_units),
            "low": finite(low),
            "high": finite(high),
        }
    if given.value_data_type == cfx.DataType.Boolean and (truth := _truth(given.value)) is not None:
        return {"kind": "boolean", "value": truth, "expected": _truth(given.expected_value)}
    if given.value is None and given.binary_value:
        return {
            "kind": "other",
            "type_name": said(given.value_data_type),
            "fields": without_none(
                {"mime_type": text(given.value_mime_type), "bytes": len(given.binary_value)}
            ),
        }
    return {"kind": "text", "value": given.value, "expected": given.expected_value}


def _number(said_as: str | None) -> float | None:
    try:
        return None if said_as is None else float(said_as)
    except ValueError:
        return None


def _truth(said_as: str | None) -> bool | None:
    return None if said_as is None else _TRUTHS.get(said_as.strip().lower())
