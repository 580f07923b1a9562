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


def work_order(order: str, batch: str | None = None) -> str:
    """What a work order makes: part number and revision; of one batch of it where batches are told apart."""
    return _key("work-order", order) if batch is None else _key("work-order", order, batch)


def product(identifier: str) -> str:
    """The kind of product that a board is, as board handling knows it."""
    return _key("product", identifier)


def hermes(board: str) -> str:
    """The identifier that was read of a board which board handling knows by an identity of its own."""
    return _key("hermes", board)


def operator(handle: str) -> str:
    """Who began work at a station last."""
    return _key("operator", handle)


def operator_gone(handle: str, person: str) -> str:
    """Somebody who ended work at a station."""
    return _key("operator-gone", handle, person)


def tools(handle: str) -> str:
    """The tools that were put into a station last."""
    return _key("tools", handle)


def tool(identifier: str) -> str:
    """Where a tool is: put into a station, or taken out of it."""
    return _key("tool", identifier)


def tools_used(handle: str, transaction: str | None, identifier: str, position: int | None) -> str:
    """The tools that a station used last on a unit in a work, or at all where it names no work."""
    return _key("tools-used", handle, transaction or "", identifier, _place(position))


def tools_entered(handle: str, transaction: str, identifier: str, position: int | None) -> str:
    """All the tools that a station used on a unit in a work, by the events that told of them."""
    return _key("tools-entered", handle, transaction, identifier, _place(position))


def tool_use(event_id: str) -> str:
    """What counts the tools that an event tells of: a report, or the event by itself."""
    return _key("tool-use", event_id)


def installed(handle: str, identifier: str, position: int | None) -> str:
    """What a station installed into a unit last."""
    return _key("installed", handle, identifier, _place(position))


def child(serial_number: str) -> str:
    """The unit that a part with a serial number of its own was built into, or taken out of."""
    return _key("child", serial_number)


def fault(handle: str, occurrence: str) -> str:
    """A fault, for the message that says it is over."""
    return _key("fault", handle, occurrence)


def report_key(serial_number: str, part_number: str, process: int, start: str) -> str:
    """What WATS takes for the identity of a run, whatever the report's id."""
    return f"report-key:{serial_number}|{part_number}|{process}|{start}"


def report_start(report_id: str) -> str:
    """The start that was settled on for a report."""
    return _key("report-start", report_id)


def material_told(identifier: str, position: int | None) -> str:
    """The last message about material of a unit, as a station named the unit."""
    return _key("material-told", identifier, _place(position))


def components(serial_number: str) -> str:
    """All that was built into a unit, or taken out of it."""
    return _key("components", serial_number)


def components_given(serial_number: str) -> str:
    """Which report told of which of it."""
    return _key("components-given", serial_number)


def unit_moved(serial_number: str) -> str:
    """When we moved a unit last, and into which phase."""
    return _key("unit-moved", serial_number)


def finding(identifier: str) -> str:
    """A defect or symptom, by the id that the station gave it."""
    return _key("finding", identifier)


def failed(identifier: str, position: int | None) -> str:
    """The last result of a unit that was no pass, as a station named the unit."""
    return _key("failed", identifier, _place(position))


def reported(event_id: str) -> str:
    """The report that became of a result that was no pass, or found something."""
    return _key("reported", event_id)


def failed_report(serial_number: str) -> str:
    """The last report of a unit that was no pass."""
    return _key("failed-report", serial_number)


def asset_entry(event_id: str, kind: str) -> str:
    """An entry in an asset's log that may have been made, or was."""
    return _key("asset-entry", event_id, kind)


def asset_state_said(handle: str, part: str) -> str:
    """The state that a station, or a part of it, said it was in last."""
    return _key("asset-state-said", handle, part)


def asset_state_set(serial_number: str) -> str:
    """The state that an asset was in when we were through last, and the one that we gave it ourselves."""
    return _key("asset-state-set", serial_number)


def faults_logged(serial_number: str) -> str:
    """When faults were written into an asset's log lately."""
    return _key("faults-logged", serial_number)


def _place(position: int | None) -> str:
    return "-" if position is None else str(position)


def _key(kind: str, *parts: str) -> str:
    return ":".join((kind, *map(_escaped, parts)))


def _escaped(part: str) -> str:
    return part.replace("%", "%25").replace(":", "%3A") if "%" in part or ":" in part else part
