"""The keys under which facts are kept: one place, so that who teaches and who asks can't drift apart."""

from __future__ import annotations

from typing import Final

_NO_TRANSACTION: Final = frozenset({"", "00000000-0000-0000-0000-000000000000"})


def clean_id(text: str | None) -> str | None:
    """Give an identifier without blanks around it; None when nothing is left."""
    return (text or "").strip() or None


def transaction_of(text: str | None) -> str | None:
    """Give a transaction id in one spelling; the all-zero GUID stands for no transaction."""
    transaction = (text or "").strip().lower()
    return None if transaction in _NO_TRANSACTION else transaction


def work(handle: str, transaction: str) -> str:
    """The work that a station began under a transaction."""
    return _key("work", handle, transaction)


def work_on(handle: str, identifier: str) -> str:
    """The last work without a transaction that a station began on an identifier."""
    return _key("work-on", handle, identifier)


def place(handle: str, transaction: str, position: int | None) -> str:
    """What lies at a position, as said within a transaction."""
    return _key("place", handle, transaction, _place(position))


def serial(identifier: str, position: int | None) -> str:
    """The serial number of the unit at a position of a panel or carrier."""
    return _key("serial", identifier, _place(position))


def unit(serial_number: str) -> str:
    """A real serial number: on which panel, where."""
    return _key("unit", serial_number)


def panel(identifier: str) -> str:
    """An identifier that stands for several units."""
    return _key("panel", identifier)


def order(identifier: str) -> str:
    """The work order and batch of a unit, panel or carrier."""
    return _key("order", identifier)


def personal(identifier: str, position: int | None) -> str:
    """Values that a unit was given, such as its MAC address."""
    return _key("personal", identifier, _place(position))


def recipe(handle: str, lane: int | None = None) -> str:
    """The recipe that became active at a station last, at all or on a lane."""
    return _key("recipe", handle) if lane is None else _key("recipe", handle, str(lane))


def fault(handle: str, occurrence: str) -> str:
    """A fault, for the message that says it is over."""
    return _key("fault", handle, occurrence)


def report_key(serial_number: str, part_number: str, process: int, start: str) -> str:
    """What WATS takes for the identity of a run, whatever the report's id."""
    return f"report-key:{serial_number}|{part_number}|{process}|{start}"


def report_start(report_id: str) -> str:
    """The start that was settled on for a report."""
    return _key("report-start", report_id)


def asset_message_tried(event_id: str) -> str:
    """A message to an asset's log that may have been sent."""
    return _key("asset-message-tried", event_id)


def _place(position: int | None) -> str:
    return "-" if position is None else str(position)


def _key(kind: str, *parts: str) -> str:
    return ":".join((kind, *map(_escaped, parts)))


def _escaped(part: str) -> str:
    return part.replace("%", "%25").replace(":", "%3A") if "%" in part or ":" in part else part
