"""Tools: put in, taken out, used, cleaned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pywats_cfx.mapping.origin import Origin, known_guid
from pywats_cfx.mapping.units import group_if_named, unit_key
from pywats_cfx.mapping.values import details, finite, kind_of, said, seconds, text
from pywats_cfx.messages import structures as cfx
from pywats_events.event import Event, EventType
from pywats_events.payloads import Tool, ToolChangedEvent, ToolCleanedEvent, ToolUse, ToolUsedEvent

if TYPE_CHECKING:
    from pywats_cfx.messages import (
        SqueegeeCleaned,
        StencilCleaned,
        ToolChanged,
        ToolsCleaned,
        ToolsLoaded,
        ToolsUnloaded,
        ToolsUsed,
    )


def changed(message: ToolChanged, origin: Origin) -> Iterator[Event]:
    """One TOOL_CHANGED; none where no tool is named."""
    payload = ToolChangedEvent(
        asset_id=origin.source,
        loaded=_tools(message.new_tool, message.loaded_from_holder),
        unloaded=_tools(message.old_tool, message.returned_to_holder),
    )
    if payload.loaded or payload.unloaded:
        yield origin.event(EventType.TOOL_CHANGED, payload)


def loaded(message: ToolsLoaded, origin: Origin) -> Iterator[Event]:
    """One TOOL_CHANGED; none where no tool is named."""
    if message.tools:
        yield _changed(origin, message.transaction_id, loaded=[_tool(each) for each in message.tools])


def unloaded(message: ToolsUnloaded, origin: Origin) -> Iterator[Event]:
    """One TOOL_CHANGED; none where no tool is named."""
    if message.tools:
        yield _changed(origin, message.transaction_id, unloaded=[_tool(each) for each in message.tools])


def _changed(origin: Origin, transaction_id: str | None, **tools: list[Tool]) -> Event:
    transaction = known_guid(transaction_id)
    payload = ToolChangedEvent.model_validate(
        {"asset_id": origin.source, "transaction_id": transaction, **tools}
    )
    return origin.event(EventType.TOOL_CHANGED, payload, correlation_id=transaction)


def used(message: ToolsUsed, origin: Origin) -> Iterator[Event]:
    """One TOOL_USED for each unit, and one for the uses that name none."""
    transaction = known_guid(message.transaction_id)
    rows = message.used_tools
    groups = group_if_named(rows, [each.unit_position_number for each in rows])
    for (unit_id, position), entries in groups.items():
        payload = ToolUsedEvent(
            asset_id=origin.source,
            unit_id=unit_id,
            position=position,
            transaction_id=transaction,
            uses=[_use(each) for _, each in entries],
        )
        yield origin.event(
            EventType.TOOL_USED,
            payload,
            part=entries[0][0],
            key=unit_key(unit_id, position) if unit_id else "",
            correlation_id=transaction,
        )


def _use(given: cfx.ToolUsed) -> ToolUse:
    return ToolUse(
        tool=Tool() if given.tool is None else _tool(given.tool),
        cycles=given.usage_cycles,
        designators=[
            name for each in given.installed_components if (name := text(each.reference_designator))
        ],
    )


def cleaned(message: ToolsCleaned, origin: Origin) -> Iterator[Event]:
    """One TOOL_CLEANED; none where neither tool nor step is named."""
    if message.tools or message.cleaning_steps:
        transaction = known_guid(message.transaction_id)
        payload = ToolCleanedEvent(
            asset_id=origin.source,
            transaction_id=transaction,
            tools=[_tool(each) for each in message.tools],
            steps=[_step(each) for each in message.cleaning_steps],
        )
        yield origin.event(EventType.TOOL_CLEANED, payload, correlation_id=transaction)


def _step(given: cfx.CleaningStep) -> dict[str, Any]:
    step: dict[str, Any] = {
        "kind": said(given.cleaning_step_type),
        "seconds": finite(given.cleaning_step_time),
    }
    step["readings"] = [
        {"name": said(each.reading_type), "value": finite(each.reading_value)} for each in given.readings
    ]
    return step


def squeegee_cleaned(message: SqueegeeCleaned, origin: Origin) -> Iterator[Event]:
    """One TOOL_CLEANED."""
    payload = ToolCleanedEvent(
        asset_id=origin.source,
        tools=_tools(message.squeegee),
        mode=said(message.squeegee_clean_type),
        cycles=message.squeegee_clean_cycles,
        seconds=seconds(message.squeegee_clean_time),
        cycles_since_last=message.cycles_since_last_clean,
        seconds_since_last=seconds(message.time_since_last_clean),
    )
    yield origin.event(EventType.TOOL_CLEANED, payload)


def stencil_cleaned(message: StencilCleaned, origin: Origin) -> Iterator[Event]:
    """One TOOL_CLEANED."""
    payload = ToolCleanedEvent(
        asset_id=origin.source,
        tools=_tools(message.stencil),
        mode=said(message.stencil_clean_mode),
        cycles=message.stencil_clean_cycles,
        seconds=seconds(message.stencil_clean_time),
        cycles_since_last=message.cycles_since_last_clean,
        seconds_since_last=seconds(message.time_since_last_clean),
    )
    yield origin.event(EventType.TOOL_CLEANED, payload)


def _tools(tool: cfx.Tool | None, holder: cfx.ToolHolder | None = None) -> list[Tool]:
    if tool is None:
        return []
    made = _tool(tool)
    if holder is not None:
        made.holder = text(holder.location_name) or text(holder.location_unique_identifier)
    return [made]


def _tool(given: cfx.Tool) -> Tool:
    return Tool(
        id=text(given.unique_identifier),
        name=text(given.name),
        kind=kind_of(given, cfx.Tool),
        details=details(given, cfx.Tool),
    )
