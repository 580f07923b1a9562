"""The flow of units becomes their life in the Production module of WATS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol, cast
from weakref import WeakValueDictionary

import structlog

from handlers import fact_keys as keys
from handlers.memory import FactStore
from handlers.moved_units import MovedUnit, MovedUnits
from handlers.products import Products
from handlers.rules import Rules
from handlers.unit_context import UnitContext, Work
from handlers.unit_rules import UNCHANGED, PhaseName
from handlers.wats import DESTINATION, unfit_data, wats_failures
from handlers.wats_units import Headers, UnitLookup
from pywats_api.errors import NotFoundError
from pywats_api.product_records import Product, ProductRevision
from pywats_api.production_records import Unit
from pywats_api.unit_phases import UnitPhaseFlag, phase_name, phase_of
from pywats_events.errors import DestinationUnavailable, NotReady, PermanentError
from pywats_events.event import Event, EventType
from pywats_events.handler import BaseHandler, Done, Dropped
from pywats_events.journal import Fact
from pywats_events.payloads import (
    UnitDisqualifiedEvent,
    UnitInitializedEvent,
    UnitPlace,
    UnitRepairedEvent,
    UnitsMoved,
    WorkCompletedEvent,
    WorkStartedEvent,
    parse,
)

_log = structlog.get_logger(__name__)

_MOVING: Final = (
    EventType.UNIT_INITIALIZED,
    EventType.WORK_STARTED,
    EventType.WORK_COMPLETED,
    EventType.UNIT_DISQUALIFIED,
    EventType.UNIT_REPAIRED,
)


class Units(Protocol):
    """``api.production``."""

    async def get_unit(self, serial_number: str, part_number: str = "", /) -> Unit | None:
        """A unit; raises NotFoundError, or None."""

    async def create_units(self, units: Sequence[Unit], /) -> Any:
        """Create units, or update those there are."""

    async def set_unit_phase(self, serial_number: str, phase: int, /, *, part_number: str) -> Any:
        """Put a unit into a phase."""

    async def set_unit_process(self, serial_number: str, process: int, /, *, part_number: str) -> Any:
        """Say which operation a unit is in, by its code."""


class ProductList(Protocol):
    """``api.product``."""

    async def get_product(self, part_number: str, /) -> Product | None:
        """A product with its revisions; raises NotFoundError, or None."""

    async def bulk_save_products(self, products: Sequence[Product], /) -> Any:
        """Create products, or update those there are."""

    async def bulk_save_revisions(self, revisions: Sequence[ProductRevision], /) -> Any:
        """Create revisions, or update those there are."""


class ProductionSink(Protocol):
    """The part of the WATS client that is used here."""

    @property
    def report(self) -> Headers:
        """Reports."""

    @property
    def production(self) -> Units:
        """Units."""

    @property
    def product(self) -> ProductList:
        """Products."""


class ProductionHandler(BaseHandler):
    """Creates units and moves them through their phases and operations.

    | event (CFX) | unit in WATS |
    |---|---|
    | UNIT_INITIALIZED (UnitsInitialized) | created with part, revision, batch (``PUT Production/Units``) |
    | WORK_STARTED (WorkStarted) | created if new; ``production.started``; operation of the station |
    | WORK_COMPLETED Completed (WorkCompleted) at a station that is ``last`` | Finalized |
    | WORK_COMPLETED Failed | ``production.failed`` |
    | WORK_COMPLETED, other results | unchanged |
    | UNIT_DISQUALIFIED (UnitsDisqualified) | ``production.reasons``, else ``production.disqualified`` |
    | UNIT_REPAIRED (UnitsRepaired) | ``production.repairs`` by the result |
    | UNIT_ARRIVED, UNIT_DEPARTED | teach where units are; they move nothing |

    A message that happened before the one that moved a unit last moves it no more, however late it comes; it
    still tells the batch, and the operation where no later one did. A unit in a phase of
    ``production.final`` stays in it, whoever put it there. What a unit is already is not sent again.
    Completed work without units means those that it was started with, and waits for that start to be told
    (``report.give_up_after``). On an account without the module all of this waits, and the log says so;
    other handlers go on.
    """

    name = "production"
    destination = DESTINATION

    def __init__(self, api: ProductionSink, rules: Rules, memory: FactStore) -> None:
        """Make the handler.

        Args:
            api: the WATS client.
            rules: the configuration.
            memory: the journal, or the part of it that keeps facts.
        """
        self._api = api
        self._rules = rules
        self._memory = memory
        self._units = MovedUnits(
            UnitContext(memory.recall), Products(rules, UnitLookup(api.report, api.production), memory.recall)
        )
        self._moving: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._ensured: set[tuple[str, str]] = set()

    @property
    def event_types(self) -> tuple[EventType, ...]:
        """What moves units, where the account has the module."""
        return _MOVING if self._rules.production.enabled else ()

    async def handle(self, event: Event) -> Done | Dropped:
        """Move the units of the message."""
        with unfit_data("payload"):
            payload = parse(event)
        phase = self._phase(event, payload)
        if isinstance(phase, Dropped):
            return phase
        moves = [await self._move(event, unit, phase) async for unit in self._named(event, payload)]
        if not moves:
            return Dropped("the message names no unit that is moved")
        if all("left" in move for move in moves):
            return Dropped("; ".join(f'unit "{move["serial_number"]}": {move["left"]}' for move in moves))
        return Done({"units": moves})

    def _phase(self, event: Event, payload: Any) -> UnitPhaseFlag | Dropped:
        rules = self._rules.production
        match payload:
            case UnitInitializedEvent() | WorkStartedEvent():
                name = rules.started
            case WorkCompletedEvent():
                result = (payload.result or "").strip().lower()
                if result == "completed" and self._rules.station(event.source).last:
                    return UnitPhaseFlag.FINALIZED
                name = rules.failed if result == "failed" else UNCHANGED
            case UnitDisqualifiedEvent():
                name = rules.reasons.get((payload.reason or "").strip(), rules.disqualified)
            case UnitRepairedEvent():
                name = rules.repairs.get((payload.result or "").strip(), UNCHANGED)
            case _:
                raise PermanentError(f"{event.event_type.value} events do not move units")
        if name == UNCHANGED:
            return Dropped("this leaves the phase of units as it is ([production])")
        return phase_of(name)

    async def _named(self, event: Event, payload: Any) -> AsyncIterator[MovedUnit]:
        if not isinstance(payload, UnitsMoved):
            yield await self._units.one(event)
            return
        units = payload.units
        panel, transaction = payload.panel_id, keys.transaction_of(payload.transaction_id)
        if not units and transaction and isinstance(payload, WorkCompletedEvent):
            key = keys.work(event.source, transaction)
            fact = (await self._memory.recall([key])).get(key)
            if fact is None:
                raise NotReady(
                    f'work "{transaction}" of station "{event.source}" names no units, '
                    "and its start has not been told",
                    facts=(key,),
                    give_up_after=self._rules.report.give_up_after,
                )
            started = Work.of(fact)
            units = [
                UnitPlace(unit_id=each["unit"], position=each.get("position"), status=each.get("status"))
                for each in started.units
            ]
            panel = panel or started.panel
        async for unit in self._units.of(event, units, panel=panel, transaction=transaction):
            yield unit

    async def _move(self, event: Event, unit: MovedUnit, phase: UnitPhaseFlag) -> dict[str, Any]:
        serial, part, production = unit.serial.value, unit.part, self._api.production
        detail: dict[str, Any] = {
            "serial_number": serial,
            "part_number": part.part_number,
            "sources": {"serial_number": unit.serial.how, "part_number": part.rule},
        }
        if unit.order and unit.order.batch:
            detail["sources"]["batch"] = unit.order.said_by
        lock = self._moving.setdefault(serial, asyncio.Lock())
        async with lock:
            key = keys.unit_moved(serial)
            last = (await self._memory.recall([key])).get(key, {})
            is_late = _is_later(last.get("at"), event)
            process = None if _is_later(last.get("process_at"), event) else self._process(event)
            with wats_failures():
                found = await self._found(serial, part.part_number)
                if found is None:
                    if not self._rules.production.create_units:
                        return {**detail, "left": "is unknown to WATS (production.create_units is off)"}
                    await self._create(unit, phase)
                    detail["created"] = True
                else:
                    detail |= await self._name_batch(unit, found)
                    left = _left(event, found, phase, last if is_late else {}, self._rules.production.final)
                    if left and (process is None or not is_late or found.unit_phase_id != last["phase"]):
                        return detail if "batch" in detail else {**detail, "left": left}
                    if not left and found.unit_phase_id != phase:
                        await production.set_unit_phase(serial, int(phase), part_number=part.part_number)
                        detail["phase_before"] = phase_name(found.unit_phase_id)
                if process is not None and (found is None or str(found.process_code) != str(process)):
                    await production.set_unit_process(serial, process, part_number=part.part_number)
                    detail["process"] = process
            told = {"at": last["at"], "phase": last["phase"]} if is_late else {}
            value = {
                "at": event.time.isoformat(),
                "phase": int(phase),
                "process_at": last.get("process_at") if process is None else event.time.isoformat(),
                "part_number": part.part_number,
                "revision": part.revision,
                "rule": part.rule,
                **told,
            }
            await self._memory.remember([Fact(key=key, value=value, time=datetime.now(UTC))])
        _log.debug("unit moved", unit_id=serial, phase=phase_name(value["phase"]), event_id=event.id)
        return {**detail, "phase": phase_name(value["phase"])}

    async def _name_batch(self, unit: MovedUnit, found: Unit) -> dict[str, Any]:
        """Give a unit the batch that it lacks: what says so may come after what moved it."""
        batch = unit.order.batch if unit.order else None
        if not batch or found.batch_number:
            return {}
        await self._api.production.create_units([found.model_copy(update={"batch_number": batch})])
        return {"batch": batch}

    def _process(self, event: Event) -> int | None:
        if event.event_type is not EventType.WORK_STARTED or not self._rules.production.processes:
            return None
        station = self._rules.station(event.source)
        return station.process if station.unit_process is None else station.unit_process

    async def _found(self, serial: str, part_number: str) -> Unit | None:
        try:
            return await self._api.production.get_unit(serial, part_number)
        except NotFoundError:
            return None

    async def _create(self, unit: MovedUnit, phase: UnitPhaseFlag) -> None:
        part_number, revision = unit.part.part_number, cast("str", unit.part.revision)
        if self._rules.production.create_products:
            await self._ensure_product(part_number, revision)
        new = Unit(
            serial_number=unit.serial.value,
            part_number=part_number,
            revision=revision,
            batch_number=unit.order.batch if unit.order else None,
            unit_phase_id=int(phase),
        )
        try:
            await self._api.production.create_units([new])
        except NotFoundError as error:  # the call names nothing that could be missing but the route itself
            reason = f"the account seems to lack the Production module (production.enabled): {error}"
            raise DestinationUnavailable(
                DESTINATION, reason, needs_attention=True, only_for_handler=True
            ) from error

    async def _ensure_product(self, part_number: str, revision: str) -> None:
        if (part_number, revision) in self._ensured:
            return
        try:
            product = await self._api.product.get_product(part_number)
        except NotFoundError:
            product = None
        if product is None:
            await self._api.product.bulk_save_products([Product(part_number=part_number)])
            _log.info("product created", part_number=part_number)
        if product is None or all(each.revision != revision for each in product.revisions):
            await self._api.product.bulk_save_revisions(
                [ProductRevision(part_number=part_number, revision=revision)]
            )
        self._ensured.add((part_number, revision))


def _is_later(told: str | None, event: Event) -> bool:
    return told is not None and datetime.fromisoformat(told) > event.time


def _left(
    event: Event, found: Unit, phase: UnitPhaseFlag, later: Mapping[str, Any], final: Collection[PhaseName]
) -> str | None:
    """Say why a unit stays in the phase that it is in; None where it does not, or is in the wanted one."""
    if later:
        return f"moved by a later message already ({phase_name(later['phase'])})"
    if found.unit_phase_id == phase:
        return None
    before = phase_name(found.unit_phase_id)
    if before in final:
        return f"stays {before} (production.final)"
    return f"is {before} already" if _only_names(event, found) else None


def _only_names(event: Event, found: Unit) -> bool:
    """Tell whether a unit that is initialised has a life in WATS already, which goes on."""
    is_new = found.unit_phase_id in {None, UnitPhaseFlag.UNKNOWN}
    return event.event_type is EventType.UNIT_INITIALIZED and not is_new
