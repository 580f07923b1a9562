"""What the bridge knows of an event's unit, work and station from earlier events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeAlias

from handlers import fact_keys as keys
from handlers.unit_facts import SERIAL_NAMES, facts_of
from pywats_events.event import Event

__all__ = ["SERIAL_NAMES", "Known", "Recall", "Recipe", "UnitContext", "Work", "facts_of"]

#: ``Journal.recall``: the values of the facts that are known, by key.
Recall: TypeAlias = Callable[[Collection[str]], Awaitable[Mapping[str, Mapping[str, Any]]]]

#: What was learnt of a panel longer ago than this is taken for another panel's: carriers are used again.
_VALID_FOR = timedelta(days=30)

#: Who began work at a station longer ago than this is taken to have left without saying so.
_SHIFT = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe, its version, and who named it."""

    name: str
    revision: str | None
    said_by: str


@dataclass(frozen=True, slots=True)
class Work:
    """What a station said when it began to work on units."""

    recipe: str | None = None
    recipe_revision: str | None = None
    work_order: str | None = None
    batch: str | None = None
    lane: int | None = None
    panel: str | None = None
    surface: str | None = None
    started_at: datetime | None = None
    units: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def of(cls, fact: Mapping[str, Any]) -> Work:
        """Read the fact that a started work left."""
        started = fact.get("started_at")
        return cls(
            **{name: fact.get(name) for name in ("recipe", "recipe_revision", "work_order", "batch")},
            **{name: fact.get(name) for name in ("lane", "panel", "surface")},
            started_at=datetime.fromisoformat(started) if started else None,
            units=tuple(fact.get("units", ())),
        )


@dataclass(frozen=True, slots=True)
class Order:
    """The work order that a unit is made for.

    Attributes:
        id: its name.
        batch: the batch of it.
        said_by: where that was said, for the audit.
    """

    id: str | None
    batch: str | None
    said_by: str


@dataclass(frozen=True)  # no slots: its answers are found once and kept
class Known:
    """Everything known about the unit of one event; the answers that need no further look-up.

    Attributes:
        handle: the station that speaks.
        identifier: how it names the unit: the unit's own identifier, or its panel's or carrier's.
        position: place on that panel or carrier.
        siblings: how many units of the message share the identifier.
        transaction: the work that the event belongs to.
        facts: what was recalled, by key.
        missing: keys that were asked for and not known: what may still come.
        tools: the uses of tools that the report of the event counts, see ``ToolBook``.
    """

    handle: str
    identifier: str
    position: int | None = None
    siblings: int = 1
    transaction: str | None = None
    time: datetime | None = None
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    tools: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def nothing(cls, event: Event) -> Known:
        """Give the context of an event before anything was learnt."""
        said = event.payload
        position, siblings = said.get("position"), said.get("siblings")
        return cls(
            handle=event.source,
            identifier=keys.clean_id(str(said.get("unit_id") or "")) or "",
            position=position if isinstance(position, int) else None,
            siblings=siblings if isinstance(siblings, int) else 1,
            transaction=keys.transaction_of(str(said.get("transaction_id") or "")),
            time=event.time,
        )

    @cached_property
    def work(self) -> Work | None:
        """The work in which the event happened."""
        if self.transaction:
            fact = self._fact(keys.work(self.handle, self.transaction))
        else:
            fact = self._past(keys.work_on(self.handle, self.identifier))
        return Work.of(fact) if fact else None

    @cached_property
    def work_order(self) -> Order | None:
        """Work order and batch: of the work, else of the unit or its panel, else of the active recipe."""
        work = self.work
        if work and (work.work_order or work.batch):
            return Order(work.work_order, work.batch, "start of the work")
        for identifier in (self.identifier, self.serial_at(self.identifier), self.panel):
            fact = self._recent(keys.order(identifier)) if identifier else None
            if fact:
                return Order(fact.get("work_order"), fact.get("batch"), f'what was told of "{identifier}"')
        fact = self._active_recipe or {}
        if fact.get("work_order") or fact.get("batch"):
            return Order(fact.get("work_order"), fact.get("batch"), "active recipe of the station")
        return None

    @cached_property
    def order_product(self) -> Mapping[str, Any] | None:
        """What the work order makes, as it was told when it was created or changed."""
        return next((fact for key in self.keys_of_order if (fact := self._fact(key))), None)

    @cached_property
    def operator(self) -> Mapping[str, Any] | None:
        """Who began work at the station last, and has not ended it before the event."""
        fact = self._past(keys.operator(self.handle))
        if fact is None or (self.time and self.time - datetime.fromisoformat(fact["at"]) > _SHIFT):
            return None
        gone = self._past(keys.operator_gone(self.handle, fact.get("id") or fact.get("login") or ""))
        return None if gone and gone["at"] >= fact["at"] else fact

    @cached_property
    def recipes(self) -> tuple[Recipe, ...]:
        """The recipes of the work and of the station, the closest first."""
        found = []
        work = self.work
        if work and work.recipe:
            found.append(Recipe(work.recipe, work.recipe_revision, "the work"))
        fact = self._active_recipe
        if fact and fact.get("recipe"):
            found.append(Recipe(fact["recipe"], fact.get("recipe_revision"), "the station"))
        return tuple(found)

    @property
    def lane(self) -> int | None:
        """Lane of the work."""
        work = self.work
        return work.lane if work else None

    @property
    def surface(self) -> str | None:
        """Side of the board that is worked on, where the work or the recipe says so."""
        work = self.work
        surface = (work.surface if work else None) or (self._active_recipe or {}).get("surface")
        return surface if surface and surface.lower() not in {"unspecified", "unknown"} else None

    @cached_property
    def panel(self) -> str | None:
        """Identifier of the panel or carrier that the unit lies on."""
        work = self.work
        if work and work.panel:
            return work.panel
        fact = self.unit
        if fact and fact.get("panel"):
            panel: str = fact["panel"]
            return panel
        stands_for_several = self.siblings > 1 or self.is_panel or self.serial_at(self.identifier)
        return self.identifier if stands_for_several else None

    @cached_property
    def is_panel(self) -> bool:
        """True when the identifier is known to stand for several units."""
        return self._recent(keys.panel(self.identifier)) is not None

    @cached_property
    def unit(self) -> Mapping[str, Any] | None:
        """Where the identifier lies, when it is known to be a unit's own."""
        return self._recent(keys.unit(self.identifier))

    @property
    def place(self) -> Mapping[str, Any] | None:
        """What was said of the position within the transaction, beside the start of the work."""
        if not self.transaction:
            return None
        return self._fact(keys.place(self.handle, self.transaction, self.position))

    def serial_at(self, identifier: str) -> str | None:
        """Give the serial number learnt for the event's position of a panel or carrier."""
        fact = self._recent(keys.serial(identifier, self.position))
        if fact is None and self.position in {0, 1} and self.siblings == 1:
            fact = self._recent(keys.serial(identifier, None))
        return fact["serial"] if fact else None

    def personal(self, serial: str) -> Mapping[str, str]:
        """Give the values that the unit was given (MAC address and the like)."""
        for key in _personal_keys(self.identifier, self.position, serial):
            fact = self._recent(key)
            if fact:
                values: Mapping[str, str] = fact["values"]
                return values
        return {}

    @property
    def tools_used(self) -> Mapping[str, Any] | None:
        """The last message of tools that the station used on the unit in this work."""
        return self._fact(keys.tools_used(self.handle, self.transaction, self.identifier, self.position))

    @property
    def keys_of_order(self) -> list[str]:
        """The keys of what the work order makes: of its batch, and of it as a whole."""
        order = self.work_order
        if order is None or order.id is None:
            return []
        return [*([keys.work_order(order.id, order.batch)] if order.batch else []), keys.work_order(order.id)]

    @cached_property
    def _active_recipe(self) -> Mapping[str, Any] | None:
        lane = self.lane
        if lane is not None:
            fact = self._past(keys.recipe(self.handle, lane))
            if fact:
                return fact
        fact = self._past(keys.recipe(self.handle))
        if fact and lane is not None and fact.get("lane") not in {None, lane}:
            return None
        return fact

    def _fact(self, key: str) -> Mapping[str, Any] | None:
        return self.facts.get(key)

    def _past(self, key: str) -> Mapping[str, Any] | None:
        """Give a fact of the same station, unless it became true after the event."""
        fact = self.facts.get(key)
        later = fact and self.time and datetime.fromisoformat(fact["at"]) > self.time
        return None if later else fact

    def _recent(self, key: str) -> Mapping[str, Any] | None:
        """Give a fact of any station, unless it is too old to be about the same board."""
        fact = self.facts.get(key)
        old = fact and self.time and self.time - datetime.fromisoformat(fact["at"]) > _VALID_FOR
        return None if old else fact


class UnitContext:
    """Asks the journal what is known about the unit of an event.

    Works for every payload that says ``unit_id`` and, where there are any, ``position``, ``siblings`` and
    ``transaction_id``.
    """

    def __init__(self, recall: Recall) -> None:
        self._recall = recall

    async def of(self, event: Event) -> Known:
        """Recall what earlier events taught; two questions to the journal at most."""
        known = Known.nothing(event)
        asked = _first_keys(known)
        known = await self._learn(known, asked)
        for further in (_second_keys, _third_keys):
            more = [key for key in further(known) if key not in known.facts and key not in known.missing]
            known = await self._learn(known, more) if more else known
        return known

    async def _learn(self, known: Known, asked: Collection[str]) -> Known:
        found = await self._recall(asked)
        return Known(
            handle=known.handle,
            identifier=known.identifier,
            position=known.position,
            siblings=known.siblings,
            transaction=known.transaction,
            time=known.time,
            facts={**known.facts, **found},
            missing=(*known.missing, *(key for key in asked if key not in found)),
        )


def _first_keys(known: Known) -> list[str]:
    identifier, position = known.identifier, known.position
    asked = [
        keys.serial(identifier, position),
        keys.unit(identifier),
        keys.panel(identifier),
        keys.order(identifier),
        keys.recipe(known.handle),
        keys.operator(known.handle),
        keys.tools_used(known.handle, known.transaction, identifier, position),
        *_personal_keys(identifier, position, identifier),
    ]
    if position is not None:
        asked.append(keys.serial(identifier, None))
    if known.transaction:
        asked.append(keys.work(known.handle, known.transaction))
        asked.append(keys.place(known.handle, known.transaction, position))
    else:
        asked.append(keys.work_on(known.handle, identifier))
    return list(dict.fromkeys(asked))


def _second_keys(known: Known) -> list[str]:
    asked = []
    panel = known.panel
    if panel and panel != known.identifier:
        asked += [keys.serial(panel, known.position), keys.order(panel)]
    if known.lane is not None:
        asked.append(keys.recipe(known.handle, known.lane))
    serial = known.serial_at(known.identifier)
    if serial:
        asked += [keys.personal(serial, None), keys.order(serial)]
    if operator := known.operator:
        asked.append(keys.operator_gone(known.handle, operator.get("id") or operator.get("login") or ""))
    return asked + known.keys_of_order


def _third_keys(known: Known) -> list[str]:
    return known.keys_of_order


def _personal_keys(identifier: str, position: int | None, serial: str) -> tuple[str, ...]:
    places = (None, position) if position is not None else (None,)
    by_serial = keys.personal(serial, None)
    return tuple(
        dict.fromkeys([by_serial, *(keys.personal(identifier, place) for place in reversed(places))])
    )
