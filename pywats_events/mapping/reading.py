"""How the messages of one subscription or hook are read, as it stands in the configuration."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pywats_events.event import EventType
from pywats_events.mapping.body import USUAL, Limits
from pywats_events.mapping.profiles import profile_names


def _known_type(given: object) -> object:
    if isinstance(given, str) and given not in set(EventType):
        close = get_close_matches(given, list(EventType), n=1)
        meant = f"; did you mean {close[0]}?" if close else ", such as test.result: see docs/messages.md"
        raise ValueError(f'"{given[:100]}" is no type of events{meant}')
    return given


#: The type of an event as it is named in a configuration.
NamedType = Annotated[EventType, BeforeValidator(_known_type)]

#: What a source, a key and so on may be given as: an expression, or a table with more (see ``rules.Rule``).
Given = str | dict[str, Any] | None


class Example(BaseModel):
    """A message, and what shall become of it.

    Attributes:
        topic: where it comes in; needed where the pattern has parts that may be anything.
        payload: the message as a table or value, in place of its text.
        body: its text.
        file: a file with it, beside the configuration.
        properties: what the broker or server says besides.
        expect: what its event shall have at least (``event``, ``id``, ``source``, ``key``, ``time``,
            ``payload``); a list of them where it makes several.
        refused: words of the reason, where it shall make none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    topic: str = ""
    payload: Any = None
    body: str | None = None
    file: Path | None = None
    properties: dict[str, Any] = Field(default_factory=dict)
    expect: dict[str, Any] | list[dict[str, Any]] | None = None
    refused: str | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if sum(each is not None for each in (self.payload, self.body, self.file)) != 1:
            raise ValueError("an example needs payload, body or file, one of them")
        if (self.expect is None) is (self.refused is None):
            raise ValueError("an example needs expect or refused, one of them")
        return self


class Reading(BaseModel):
    """How messages of one subscription or hook are read.

    Attributes:
        format: what the messages are: ``json`` (what a mapping or profile reads), ``cloudevents``, ``events``
            (domain events as the bridge itself writes them), ``cfx`` and so on.
        profile: name of a ready-made mapping; what stands beside it wins over it.
        event: the type of the events, such as ``test.result``.
        source: who says so; the address where it is left out.
        key: what an event must stay in order with; its unit or else its source where it is left out.
        id: what tells a message from all others of this source.
        id_property: name of the broker's or server's property that does so.
        repeat_window: seconds after which a message that says the same as one before is another one, where
            neither an id, its time nor the transport tells. Without it: never.
        time: when it happened; when it came where this is left out.
        each: expression for the items of a message that makes several events.
        item: what an item is called in the expressions.
        fields: the payload of the event.
        examples: messages, with what shall become of them; ``pywats-bridge check`` tries them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True)

    format: str | None = None
    profile: str | None = None
    event: NamedType | None = None
    source: Given = None
    key: Given = None
    id: Given = None
    id_property: str | None = None
    repeat_window: float | None = Field(default=None, gt=0)
    time: Given = None
    each: Given = None
    item: str = Field(default="item", alias="as")
    fields: dict[str, Any] = Field(default_factory=dict)
    examples: tuple[Example, ...] = ()

    @property
    def is_mapped(self) -> bool:
        """Whether a mapping makes the events, not an adapter of the format."""
        return self.event is not None or self.profile is not None

    @property
    def limits(self) -> Limits:
        """How much of one message a mapping reads."""
        return USUAL

    @property
    def mapping_keys(self) -> frozenset[str]:
        """What of a mapping is given."""
        return _OF_A_MAPPING & self.model_fields_set

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.profile is not None and self.profile not in profile_names():
            raise ValueError(f'there is no profile "{self.profile}"; there are {", ".join(profile_names())}')
        if self.profile is not None and self.event is not None:
            raise ValueError(f'profile "{self.profile}" says what the events are: leave event out')
        if self.is_mapped and self.format not in {None, "json"}:
            raise ValueError(
                f'format "{self.format}" needs no event, profile or fields: a mapping is for format json'
            )
        if not self.is_mapped and self.format in {None, "json"}:
            raise ValueError("says not how it is read: give it profile, event with fields, or another format")
        if not self.is_mapped and self.mapping_keys:
            given = ", ".join(sorted(self.mapping_keys))
            raise ValueError(f'{given} belong to a mapping, which format "{self.format}" has none of')
        return self


_OF_A_MAPPING = frozenset(
    {"source", "key", "id", "id_property", "repeat_window", "time", "each", "item", "fields"}
)
