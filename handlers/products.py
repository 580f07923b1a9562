"""The product of a unit: as the rules find it, else as WATS knows it."""

from __future__ import annotations

from handlers import fact_keys as keys
from handlers.rules import Rules
from handlers.serials import Serial, serial_of
from handlers.sources import Part, Question, default_sources, find_part, with_revision
from handlers.unit_context import Known, Recall
from handlers.wats_units import UnitLookup
from pywats_events.errors import NotReady


class Products:
    """Finds serial numbers and products of units that are named in any message.

    Many messages (UnitsDisqualified...) name no work that would tell the product. Then what was found when
    the unit was moved before counts, and WATS is asked last.

    Args:
        rules: the configuration.
        lookup: asks WATS, where ``report.ask_wats`` lets it.
        recall: asks the journal what was found of a unit before.
    """

    def __init__(self, rules: Rules, lookup: UnitLookup, recall: Recall) -> None:
        self._rules = rules
        self._lookup = lookup
        self._recall = recall
        self._sources = default_sources()

    def serial_of(self, known: Known) -> Serial:
        """Give the serial number of a unit."""
        station = self._rules.station(known.handle)
        return serial_of(known, unit_ids=station.unit_ids, pattern=self._rules.report.composed_serial)

    async def part_of(self, known: Known, serial: str) -> Part:
        """Give the product of a unit, with a revision.

        Raises:
            NotReady: nobody told yet which it is.
            DestinationUnavailable, TransientError, PermanentError: WATS can't be asked.
        """
        station = self._rules.station(known.handle)
        question = Question(rules=self._rules, station=station, known=known, serial=serial)
        part: Part | None
        try:
            part = find_part(question, self._sources)
        except NotReady:
            part = await self._found_before(serial)
            if part is None and self._rules.report.ask_wats:
                part = await self._lookup.part_of(serial)
            if part is None:
                raise
        return with_revision(part, station, self._rules.report.default_revision)

    async def _found_before(self, serial: str) -> Part | None:
        key = keys.unit_moved(serial)
        fact = (await self._recall([key])).get(key)
        if fact is None:
            return None
        rule = fact["rule"]
        return Part(fact["part_number"], fact["revision"], None, f"found for the unit before: {rule}")
