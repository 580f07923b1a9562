"""Which units a machine asks about, by the same rules that reports are made by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from handlers import fact_keys as keys
from handlers.memory import FactStore
from handlers.rules import Rules
from handlers.serials import Serial, serial_of
from handlers.sources import Part, PartSource, Question, default_sources, find_part, find_process
from handlers.unit_context import Known, UnitContext, facts_of
from pywats_events.errors import NotReady
from pywats_events.event import Event, EventType
from pywats_events.questions import AskedUnit, UnitsQuestion

_MOST_ON_A_PANEL = 1000
_NO_PART = Part(part_number="", revision=None, process=None, rule="")


@dataclass(frozen=True, slots=True)
class Identity:
    """A unit as WATS knows it, and the operation that asks.

    Attributes:
        serial: its serial number, empty where the machine named neither unit nor panel.
        part_number: empty where nothing tells it; WATS then goes by the serial number alone.
        process: code of the test operation of the asking station; None where none is configured.
    """

    serial: str
    part_number: str = ""
    process: int | None = None


class Identities:
    """Finds the identities of one question's units.

    The question says where units lie on a panel, as a message of their arrival would. It teaches that for
    this question only: nothing of it is remembered.
    """

    def __init__(
        self,
        question: UnitsQuestion,
        rules: Rules,
        memory: FactStore,
        *,
        sources: Sequence[PartSource] | None = None,
    ) -> None:
        self._asker = question.asker
        self._listed = question.units
        self._primary = keys.clean_id(question.primary_id)
        self._rules = rules
        self._station = rules.station(question.asker)
        self._memory = memory
        self._sources = sources or default_sources()
        self._time = question.asked_at or datetime.now(UTC)
        self._siblings = Counter(map(self._identifier, question.units))
        arrived = self._event(
            EventType.UNIT_ARRIVED,
            panel_id=self._primary,
            units=[{"unit_id": unit.unit_id, "position": unit.position} for unit in question.units],
        )
        self._taught = {fact.key: fact.value for fact in facts_of(arrived)}
        self._context = UnitContext(self._recall)

    async def units(self) -> tuple[AskedUnit, ...]:
        """Give the units that are asked about: those listed, else those on the panel, else the one named.

        Of a panel that the machine names without its units, earlier messages told how many there are.
        """
        if self._listed:
            return self._listed
        alone = AskedUnit(self._primary)
        if self._primary is None or self._station.unit_ids == "unit":
            return (alone,)
        known = await self._known(self._primary, None)
        count = int(known.facts[keys.panel(self._primary)]["units"]) if known.is_panel else 1
        if not 1 < count <= _MOST_ON_A_PANEL:
            return (alone,)
        self._siblings[self._primary] = count
        return tuple(AskedUnit(self._primary, place) for place in range(1, count + 1))

    async def of(self, unit: AskedUnit) -> Identity:
        """Find out which unit is meant."""
        identifier = self._identifier(unit)
        if identifier is None:
            return Identity("")
        known = await self._known(identifier, unit.position)
        serial = await self._serial(known)
        asked = Question(rules=self._rules, station=self._station, known=known, serial=serial.value)
        try:
            part = find_part(asked, self._sources)
        except NotReady:
            part = _NO_PART
        try:
            process: int | None = find_process(asked, part)[0]
        except NotReady:
            process = None
        return Identity(serial.value, part.part_number, process)

    async def _serial(self, known: Known) -> Serial:
        unit_ids = self._station.unit_ids
        is_shared = known.siblings > 1 and known.position is not None
        if (
            is_shared
            and unit_ids != "unit"
            and self._primary not in {None, known.identifier}
            and not known.serial_at(known.identifier)
        ):
            # the identifier is a carrier's, and the units may have been told of under the panel on it
            panel = await self._known(self._primary or "", known.position)
            learnt = panel.serial_at(panel.identifier)
            if learnt:
                return Serial(learnt, "learnt for this place of the panel", panel.identifier)
        return serial_of(known, unit_ids=unit_ids, pattern=self._rules.report.composed_serial)

    async def _known(self, identifier: str, position: int | None) -> Known:
        siblings = max(self._siblings[identifier], 1)
        return await self._context.of(
            self._event(EventType.CUSTOM, unit_id=identifier, position=position, siblings=siblings)
        )

    def _identifier(self, unit: AskedUnit) -> str | None:
        return keys.clean_id(unit.unit_id) or self._primary

    def _event(self, event_type: EventType, **payload: Any) -> Event:
        said = {name: value for name, value in payload.items() if value is not None}
        return Event(event_type=event_type, payload=said, source=self._asker, time=self._time)

    async def _recall(self, wanted: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        said_now = {key: self._taught[key] for key in wanted if key in self._taught}
        return {**await self._memory.recall(wanted), **said_now}
