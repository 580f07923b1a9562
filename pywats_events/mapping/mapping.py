"""One mapping: from a JSON message to its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pywats_events.event import Event, EventMetadata, EventType
from pywats_events.mapping.body import BodyError, Limits, read_json
from pywats_events.mapping.bounds import Budget, TooCostly
from pywats_events.mapping.checked import check_whole, validated
from pywats_events.mapping.conversions import ConversionError, said
from pywats_events.mapping.identity import Identity, digest_of, text_property
from pywats_events.mapping.names import Known
from pywats_events.mapping.profiles import profile
from pywats_events.mapping.reading import Reading
from pywats_events.mapping.rules import FieldError, Value, moment_of
from pywats_events.mapping.trees import Group, group_of, items_of
from pywats_events.message import RawMessage, Unreadable
from pywats_events.payloads import MODELS

#: Units that an event costs beside its fields.
_EVENT: Final = 50


@dataclass(frozen=True, slots=True)
class _Run:
    """One message as it is read: itself, what it may still cost, and how its events are known."""

    raw: RawMessage
    budget: Budget
    identity: Identity


@dataclass(frozen=True, slots=True)
class MessageMapping:
    """A mapping, compiled.

    Attributes:
        rule: what errors call it: the pattern of its addresses.
        name: name of the profile, if it is one.
        event: the type of its events.
        is_id_of_item: whether each item says its own id, not the message for all of them.
        limits: how much of one message is read.
    """

    rule: str
    name: str | None
    event: EventType
    source: Value | None
    key: Value | None
    id: Value | None
    is_id_of_item: bool
    id_property: str | None
    repeat_window: float | None
    time: Value | None
    each: Value | None
    item: str
    fields: Group
    limits: Limits

    @classmethod
    def of(cls, reading: Reading, *, rule: str, parts: frozenset[str]) -> MessageMapping:
        """Compile a mapping.

        Args:
            reading: what stands in the configuration.
            rule: what errors call it.
            parts: names of the parts of its addresses.

        Raises:
            ValueError: it can't be used; the text names the rule and the field.
        """
        try:
            return cls._compiled(reading, rule, parts)
        except ValueError as error:
            raise ValueError(f"{rule}: {error}") from None

    @classmethod
    def _compiled(cls, reading: Reading, rule: str, parts: frozenset[str]) -> MessageMapping:
        given = {name: getattr(reading, name) for name in reading.mapping_keys}
        own = Known(parts)
        shared = Known(parts, is_shared=True)
        made = profile(reading.profile) if reading.profile is not None else {}
        event = reading.event or EventType(made["event"])
        model = MODELS.get(event)
        if event.is_system:
            raise ValueError(f'event "{event.value}" is what the bridge says of itself')
        each = given.get("each", made.get("each"))
        item = given.get("item", made.get("as", "item"))

        def value(name: str, *, in_item: bool = True) -> Value | None:
            known = own if name in given else shared
            rule = given.get(name, made.get(name))
            return (
                None
                if rule is None
                else Value.of(name, rule, known.within(item) if in_item and each else known)
            )

        def group(fields: Mapping[str, Any], known: Known) -> Group:
            return group_of(
                "fields", fields, known.within(item) if each else known, () if model is None else (model,)
            )

        mine = group(given.get("fields", {}), own)
        names = {name for name, _ in mine.parts}
        others = {name: rule for name, rule in made.get("fields", {}).items() if name not in names}
        fields = Group((*group(others, shared).parts, *mine.parts))
        if model is not None:
            check_whole(event, model, fields)
        made_id = value("id")
        return cls(
            rule=rule,
            name=reading.profile,
            event=event,
            source=value("source"),
            key=value("key"),
            id=made_id,
            is_id_of_item=made_id is not None and bool(each) and made_id.names_any(item, "index"),
            id_property=reading.id_property,
            repeat_window=given.get("repeat_window", made.get("repeat_window")),
            time=value("time"),
            each=value("each", in_item=False),
            item=item,
            fields=fields,
            limits=reading.limits,
        )

    def __call__(self, raw: RawMessage, parts: Mapping[str, str]) -> list[Event | Unreadable]:
        """Give the events of a message, and what of it can't be read. Raises nothing.

        Args:
            raw: the message.
            parts: the named parts of its address.
        """
        budget = Budget()
        scope: dict[str, Any] = {
            "topic": dict(parts),
            "properties": dict(raw.properties),
            "received": raw.received_at.isoformat(),
        }
        made: list[Event | Unreadable] = []
        try:
            scope["payload"] = read_json(raw.body, raw.content_encoding, self.limits)
            scopes = [scope] if self.each is None else self._scopes(self.each, scope, budget)
            run = _Run(raw, budget, Identity(raw, several=len(scopes) > 1))
            made.extend(self._event_or_not(run, each, index) for index, each in enumerate(scopes))
        except (BodyError, FieldError, TooCostly) as error:
            # what was made already goes too: all of a message that costs too much, or none
            return [self._unreadable(str(error), raw, 0)]
        return made

    def _scopes(self, each: Value, scope: Mapping[str, Any], budget: Budget) -> list[dict[str, Any]]:
        items = items_of(each, scope, budget)
        budget.spend(_EVENT * len(items))
        return [{**scope, self.item: item, "index": index} for index, item in enumerate(items)]

    def _event_or_not(self, run: _Run, scope: Mapping[str, Any], index: int) -> Event | Unreadable:
        source = ""
        try:
            source = self._text(self.source, scope, run.budget) or run.raw.address or run.raw.transport
            return self._event(run, scope, index, source)
        except FieldError as error:
            place = f"{self.item}[{index}]: " if self.each is not None else ""
            return self._unreadable(f"{place}{error}", run.raw, index, source)

    def _event(self, run: _Run, scope: Mapping[str, Any], index: int, source: str) -> Event:
        raw = run.raw
        happened = self._time(run, scope)
        payload = self._payload(self.fields(scope, run.budget) or {}, source)
        transaction = payload.get("transaction_id")
        event = Event(
            event_type=self.event,
            payload=payload,
            source=source,
            id=self._id(run, scope, index, source, is_timed=happened is not None),
            time=happened or raw.received_at,
            key=self._text(self.key, scope, run.budget) or "",
            metadata=EventMetadata(
                correlation_id=transaction if isinstance(transaction, str) else None,
                message_name=self.name,
                transport=raw.transport or None,
                received_at=raw.received_at,
                traceparent=text_property(raw, "traceparent"),
                tracestate=text_property(raw, "tracestate"),
            ),
        )
        try:
            event.to_json_bytes().decode()
        except (TypeError, ValueError, RecursionError) as error:
            why = str(error).encode(errors="replace").decode()[:200]
            raise FieldError("fields", f"hold what can't be written as JSON: {why}") from None
        return event

    def _time(self, run: _Run, scope: Mapping[str, Any]) -> datetime | None:
        time = None if self.time is None else self.time(scope, run.budget)
        try:
            return None if time is None else moment_of(time)
        except ConversionError as error:
            how = "say in which form it is: time = { from = ..., time = ... }"
            raise FieldError("time", f"{error}; {how}") from None

    def _id(self, run: _Run, scope: Mapping[str, Any], index: int, source: str, *, is_timed: bool) -> str:
        said_id = self._text(self.id, scope, run.budget)
        given = None if said_id is None else f"{source}#{self.event.value}#{said_id}"
        if given is not None and self.is_id_of_item:
            return run.identity.by_item(index, given)
        window = None if is_timed else self.repeat_window
        return run.identity.by_message(index, given, self.id_property, window)

    def _text(self, value: Value | None, scope: Mapping[str, Any], budget: Budget) -> str | None:
        found = None if value is None else value(scope, budget)
        if found is None or isinstance(found, str):
            return found
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
        assert value is not None  # noqa: S101  # or nothing was found
        raise FieldError(value.field, f"{said(found)} is no text")

    def _payload(self, built: dict[str, Any], source: str) -> dict[str, Any]:
        model = MODELS.get(self.event)
        if model is None:
            return built
        if "asset_id" in model.model_fields:
            built.setdefault("asset_id", source)
        # what the message says not is left out: a verdict that nobody gave is not one that nobody can read
        return validated(model, built).model_dump(mode="json", exclude_none=True, exclude_unset=True)

    def _unreadable(self, reason: str, raw: RawMessage, index: int, source: str = "") -> Unreadable:
        return Unreadable(
            id=f"{digest_of(raw, None)}/unreadable/{index}",
            reason=f"{self.rule}: {reason}",
            error="MappingError",
            source=source or raw.address or raw.transport,
            message_name=self.name,
        )
