"""How the messages of one subscription or hook are read, as it stands in the configuration."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pywats_events.event import EventType


class Reading(BaseModel):
    """How messages of one subscription or hook are read.

    Attributes:
        format: what the messages are; ``json`` where a mapping or profile is given.
        profile: name of a ready-made mapping.
        event: the type of the events.
        source: expression for who says so.
        key: expression for what an event must stay in order with.
        id: expression for the identity of a message.
        time: expression for when it happened.
        fields: the payload of the event.
        examples: messages, with the events that they become.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    format: str | None = None
    profile: str | None = None
    event: EventType | None = None
    source: str | None = None
    key: str | None = None
    id: str | None = None
    time: Any = None
    fields: dict[str, Any] = Field(default_factory=dict)
    examples: tuple[dict[str, Any], ...] = ()
