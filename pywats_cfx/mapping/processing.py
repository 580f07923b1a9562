"""UnitsProcessed, and what selective soldering says in its own way: one event for each unit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pywats_cfx.mapping.origin import Origin, known_guid
from pywats_cfx.mapping.process_data import process_steps
from pywats_cfx.mapping.units import group_if_named, unit_key
from pywats_cfx.mapping.values import moment, said, text, without_none
from pywats_cfx.messages import structures as cfx
from pywats_events.event import Event, EventType
from pywats_events.message import Unreadable
from pywats_events.payloads import Outcome, UnitProcessedEvent

if TYPE_CHECKING:
    from pywats_cfx.messages import PCBSelectiveSoldered, UnitsProcessed

_U = TypeVar("_U", cfx.ProcessedUnit, cfx.SelectiveSolderedPCB)

_SUCCEEDED: Final = cfx.ProcessingResult.Succeeded
_OUTCOMES: Final = {
    cfx.ProcessingResult.Succeeded: Outcome.PASSED,
    cfx.ProcessingResult.Failed: Outcome.FAILED,
    cfx.ProcessingResult.Error: Outcome.ERROR,
    cfx.ProcessingResult.Aborted: Outcome.ABORTED,
    cfx.ProcessingResult.Skipped: Outcome.SKIPPED,
}


def units_processed(message: UnitsProcessed, origin: Origin) -> Iterator[Event | Unreadable]:
    """One UNIT_PROCESSED for each unit; one for the work as a whole where no unit is named.

    The data that all units have in common stand before those of each, so that every event is complete.
    """
    common = message.common_process_data
    units = message.unit_process_data
    if common is None and not units and message.transaction_id is None:
        return
    shared = {
        "transaction_id": known_guid(message.transaction_id),
        "work_result": said(message.overall_result),
    }
    steps = process_steps(common)
    if not units:
        unit_id = text(common.barcode) if isinstance(common, cfx.ReflowProfilingProcessData) else None
        said_of_all = {"unit_id": unit_id, **_result(message.overall_result), **_head(common)}
        yield _event(origin, shared | said_of_all, steps, 0)
        return
    if (refusal := _too_much(steps, len(units))) is not None:
        yield origin.unreadable("CommonProcessData", refusal)
        return
    is_explained = any(each.unit_result != _SUCCEEDED for each in units)
    for place, (index, unit) in _placed(units):
        own = unit.unit_process_data
        head = _head(common) | _head(own)
        # Senders write Succeeded also where they set nothing: alone it can't outweigh a work that failed.
        stands_alone = is_explained or message.overall_result in {None, _SUCCEEDED}
        verdict = _result(unit.unit_result if stands_alone else message.overall_result)
        yield _event(origin, shared | place | verdict | head, [*steps, *process_steps(own)], index)


def selective_soldered(message: PCBSelectiveSoldered, origin: Origin) -> Iterator[Event | Unreadable]:
    """One UNIT_PROCESSED for each board; the machine gives no verdict that the standard knows."""
    header = message.header_data
    boards = message.soldered_pcbs
    shared = {
        "transaction_id": known_guid(message.transaction_id),
        "work_result": text(header.process_status) if header else None,
        "recipe": text(header.recipe_name) if header else None,
    }
    steps = process_steps(header)
    if (refusal := _too_much(steps, len(boards))) is not None:
        yield origin.unreadable("HeaderData", refusal)
        return
    for place, (index, board) in _placed(boards):
        zones = [step for zone in board.zone_data for step in _zone(zone)]
        yield _event(origin, shared | place, [*steps, *zones], index)


_MOST_TEXT: Final = 64 * 1024 * 1024


def _too_much(steps: list[dict[str, Any]], units: int) -> str | None:
    """Say why data can't be repeated for each unit; a small message must not grow without bounds by it."""
    size = len(json.dumps(steps)) if units > 1 else 0
    if size * units <= _MOST_TEXT:
        return None
    return f"holds {size} bytes that belong to each of {units} units, which is more than can be told of each"


def _zone(zone: cfx.ZoneData) -> Iterable[dict[str, Any]]:
    number = zone.stage_sequence
    return [
        {**step, "name": step["name"] if number is None else f"{step['name']} {number}"}
        for step in process_steps(zone)
    ]


def _placed(units: Sequence[_U]) -> Iterator[tuple[dict[str, Any], tuple[int, _U]]]:
    """Go through units by identifier and position; neither need be told where the transaction is."""
    siblings = Counter(text(each.unit_identifier) for each in units)
    groups = group_if_named(units, [each.unit_position_number for each in units])
    for (unit_id, position), entries in groups.items():
        for repeat, entry in enumerate(entries):
            place = {"unit_id": unit_id, "position": position, "repeat": repeat}
            yield place | {"siblings": siblings[unit_id]}, entry


def _result(given: cfx.ProcessingResult | str | None) -> dict[str, Any]:
    known = _OUTCOMES.get(given) if isinstance(given, cfx.ProcessingResult) else None
    return {"result": known} if known else {"result": Outcome.UNKNOWN, "result_said": said(given)}


def _head(data: cfx.ProcessData | None) -> dict[str, Any]:
    """Give what data of some kinds say of the unit's whole way through the machine."""
    times = _TIMES.get(type(data), ("", ""))
    return without_none(
        {
            "recipe": text(getattr(data, "recipe_name", None)),
            "started_at": moment(getattr(data, times[0], None)),
            "ended_at": moment(getattr(data, times[1], None)),
        }
    )


_TIMES: Final[dict[type, tuple[str, str]]] = {
    cfx.ReflowProfilingProcessData: ("time_date_unit_in", "time_date_unit_out"),
    cfx.HandSolderingBoardProcessData: ("started_at", "finished_at"),
}


def _event(origin: Origin, members: dict[str, Any], steps: list[dict[str, Any]], index: int) -> Event:
    payload = UnitProcessedEvent(asset_id=origin.source, **members).to_payload()
    payload["tests"] = steps
    unit_id, transaction = members["unit_id"], members["transaction_id"]
    return origin.event(
        EventType.UNIT_PROCESSED,
        payload,
        part=index,
        key=unit_key(unit_id, members.get("position")) if unit_id else "",
        correlation_id=transaction,
    )
