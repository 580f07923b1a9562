"""States of stations become states of their assets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, Protocol

import structlog

from handlers import fact_keys as keys
from handlers.asset_log import AssetLog, LogOfAssets, marked, unregistered
from handlers.asset_places import AssetPlace, Registrar, part_place
from handlers.asset_rules import STATE_NAMES, UNCHANGED, StateRules, state_of
from handlers.line_facts import part_name
from handlers.memory import FactStore
from handlers.rules import Rules
from handlers.wats import DESTINATION, unfit_data, wats_failures
from pywats_api.asset_records import Asset, AssetState
from pywats_api.errors import NotFoundError
from pywats_events.errors import NotReady, PermanentError
from pywats_events.event import Event, EventType
from pywats_events.handler import BaseHandler, Done, Dropped
from pywats_events.journal import Fact
from pywats_events.payloads import AssetStateChangedEvent, parse

_logger = structlog.get_logger(__name__)

_USUAL: Final[dict[int, str]] = {
    **dict.fromkeys((1000, 2000, 3000), "In operation"),
    **dict.fromkeys((4400, 4500, 4600, 5400, 5500), "In operation"),
    **dict.fromkeys((4100, 4200, 4300, 5100, 5200, 5300), "In maintenance"),
    **dict.fromkeys((4000, 4700, 5000, 5600, 6000), UNCHANGED),
}
#: Seconds after which a state that had to last has surely been looked at again.
_LASTED_LONG_AGO: Final = 3600.0


class StateOfAssets(LogOfAssets, Protocol):
    """``api.asset``, as far as states go."""

    async def set_asset_state(self, *, serial_number: str, state: AssetState) -> Any:
        """Say where an asset is; raises NotFoundError where there is no such asset."""


class StateSink(Protocol):
    """The part of the WATS client that is used here."""

    @property
    def asset(self) -> StateOfAssets:
        """Assets."""


def state_by_table(code: int, rules: StateRules) -> tuple[AssetState | None, str]:
    """Give the state of an asset for a state of a station, and the rule; None where it stays as it is.

    The code is looked for as it is, then rounded down to its hundred, then to its thousand; at each step the
    configured table comes before the usual one.
    """
    for rounded in dict.fromkeys((code, code // 100 * 100, code // 1000 * 1000)):
        configured = rules.table.get(str(rounded))
        name = configured or _USUAL.get(rounded)
        if name is not None:
            where = "states.table" if configured else "the usual table"
            return state_of(name), f'{code} is "{name}" by {rounded} of {where}'
    return None, f"{code} is a state that nobody knows"


class StateHandler(BaseHandler):
    """Puts the asset of a station, or of a part of it, into the state that the station says it is in.

    | event (CFX) | ``PUT /api/Asset/State`` |
    |---|---|
    | ASSET_STATE_CHANGED 1xxx, 2xxx, 3xxx (StationStateChanged, StageStateChanged) | 1 In operation |
    | 4400, 4500, 4600, 5400, 5500 (supplies, set-up, production test) | 1 In operation |
    | 4100, 4200, 4300, 5100, 5200, 5300 (maintenance, repair, and waiting for them) | 3 In maintenance |
    | 4000, 4700, 5000, 5600, 6xxx (no reason, facilities, not scheduled) | unchanged |
    | other codes | unchanged |

    ``states.table`` changes the table. A code is rounded down to its hundred, then to its thousand.

    - A line changes its state every few seconds, so a state is told only when it has lasted a while, when it
      is still the last one that the station told, and when it is another one than we told last.
    - States that people set (``states.kept``) stay, also where the station agreed with them for a while. So
      does any that was set while ours would be the same.
    - A stage or lane has a state of its own: it counts only where the station's rule gives it an asset.

    The newest state wins over older ones by a fact that is written when an event comes in. The bus's own
    dropping of what is superseded (``coalesces``) goes by the key, which is the station's for stages too.
    """

    name = "asset-states"
    destination = DESTINATION

    def __init__(self, api: StateSink, rules: Rules, memory: FactStore) -> None:
        """Make the handler.

        Args:
            api: the WATS client.
            rules: the configuration.
            memory: the journal, or the part of it that keeps facts.
        """
        self._assets = api.asset
        self._registrar = Registrar(api.asset, rules.assets)
        self._log = AssetLog(api.asset, rules.assets, memory)
        self._rules = rules
        self._memory = memory

    @property
    def event_types(self) -> tuple[EventType, ...]:
        """Changes of state."""
        return (EventType.ASSET_STATE_CHANGED,)

    async def handle(self, event: Event) -> Done | Dropped:
        """Set the state."""
        if not self._rules.states.enabled:
            return Dropped("states of stations do not become states of assets (states.enabled is off)")
        with unfit_data("payload"):
            payload = parse(event)
        if not isinstance(payload, AssetStateChangedEvent):
            raise PermanentError(f"{event.event_type.value} events are not about states")
        if payload.new_state is None:
            return Dropped(f'state "{payload.new_state_said or ""}" is not one of SEMI E10')
        state, rule = state_by_table(payload.new_state, self._rules.states)
        if state is None:
            return Dropped(f"the asset's state stays as it is: {rule}")
        handle = event.source or payload.asset_id
        part = part_name(payload.stage, payload.lane)
        place = part_place(self._rules.station(handle), handle, part)
        if place is None:
            return Dropped(f'"{part}" of station "{handle}" has no asset of its own (part_assets)')
        superseded = await self._superseded(event, handle, part)
        if superseded is not None:
            return superseded
        return await self._set(event, place, state, rule)

    async def _superseded(self, event: Event, handle: str, part: str) -> Dropped | None:
        key = keys.asset_state_said(handle, part)
        last = (await self._memory.recall([key])).get(key)
        if last is not None and datetime.fromisoformat(last["at"]) > event.time:
            return Dropped("the station has told a later state")
        received = event.metadata.received_at
        if received is not None and self._rules.states.debounce:
            left = self._rules.states.debounce - (datetime.now(UTC) - received).total_seconds()
            if left > 0:
                raise NotReady(
                    "the state has not lasted long enough yet (states.debounce)",
                    facts=(key,),
                    give_up_after=self._rules.states.debounce + _LASTED_LONG_AGO,
                )
        return None

    async def _set(self, event: Event, place: AssetPlace, state: AssetState, rule: str) -> Done | Dropped:
        key = keys.asset_state_set(place.serial)
        told = (await self._memory.recall([key])).get(key, {})
        detail = {"asset": place.serial, "state": STATE_NAMES[state], "sources": {"state": rule}}
        if told.get("state") == state:
            return Dropped(f'asset "{place.serial}" was told that it is {STATE_NAMES[state]} already')
        with wats_failures():
            asset = await self._asset(place)
            if asset is None:
                return Dropped(unregistered(place))
            found = asset.state
            if found == state:
                await self._note(key, state, by_us=told.get("by_us"))  # whoever put it there
                return Done({**detail, "found": "so already"})
            kept = _name(found) in self._rules.states.kept
            if kept and found != told.get("by_us"):
                return Dropped(f'asset "{place.serial}" is {_name(found)}, which people set (states.kept)')
            # before, so that a try whose answer was lost is known again as ours
            await self._note(key, told.get("state"), by_us=state)
            await self._assets.set_asset_state(serial_number=place.serial, state=state)
        await self._note(key, state, by_us=state)
        _logger.info("asset state set", asset=place.serial, state=STATE_NAMES[state], event_id=event.id)
        if self._rules.states.log:
            line = marked([f"State: {STATE_NAMES[state]}"], event)
            await self._log.write(event, place, line, kind="state")
        return Done({**detail, "before": _name(found)})

    async def _asset(self, place: AssetPlace) -> Asset | None:
        for is_last in (False, True):
            try:
                asset = await self._assets.get_asset(serial_number=place.serial)
            except NotFoundError:
                asset = None
            if asset is not None or is_last or not await self._registrar.register(place):
                return asset
        return None

    async def _note(self, key: str, state: int | None, *, by_us: int | None) -> None:
        value = {
            "state": None if state is None else int(state),
            "by_us": None if by_us is None else int(by_us),
        }
        await self._memory.remember([Fact(key=key, value=value, time=datetime.now(UTC))])


def _name(state: int | None) -> str:
    return STATE_NAMES.get(AssetState(state), str(state)) if state in set(AssetState) else str(state)
