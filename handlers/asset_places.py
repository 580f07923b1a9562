"""Which asset a station, a part of it or a tool is; and their registration when they are first seen."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import structlog

from handlers.asset_rules import AssetRules
from handlers.rules import StationRule
from pywats_api.asset_records import Asset, AssetType
from pywats_api.errors import NotFoundError
from pywats_events.errors import PermanentError

_log = structlog.get_logger(__name__)

_KEPT: Final = 10_000
_TYPE_KEYS: Final = {"station": "station_type", "tool": "tool_type", "line": "line_type"}


@dataclass(frozen=True, slots=True)
class AssetPlace:
    """An asset, and where it belongs if it has to be registered.

    Attributes:
        serial: its serial number, which WATS knows it by.
        kind: what it is to us; decides its type.
        name: for people.
        location: where it stands.
        above: the asset that it is a part of.
    """

    serial: str
    kind: Literal["station", "tool", "line"] = "station"
    name: str | None = None
    location: str | None = None
    above: AssetPlace | None = None


class Registry(Protocol):
    """``api.asset``, as far as registration goes."""

    async def get_asset(self, *, serial_number: str) -> Asset | None:
        """The asset with this serial number; raises NotFoundError, or None."""

    async def get_asset_types(self, filter_str: str, /, *, top: int) -> Sequence[AssetType]:
        """Asset types."""

    async def create_asset(
        self,
        serial_number: str,
        type_id: str,
        /,
        *,
        asset_name: str | None,
        location: str | None,
        parent_serial_number: str | None,
    ) -> Asset:
        """Register an asset."""


def station_place(station: StationRule, handle: str) -> AssetPlace:
    """Give the asset of a station: what its rule names, else its machine name."""
    location = station.named(station.location, handle)
    line = station.named(station.line_asset, handle) if station.line_asset else None
    return AssetPlace(
        serial=station.asset or station.named(station.machine_name, handle),
        location=location,
        above=AssetPlace(serial=line, kind="line", location=location) if line else None,
    )


def part_place(station: StationRule, handle: str, part: str) -> AssetPlace | None:
    """Give the asset of a part of a station; None where the rule names none."""
    whole = station_place(station, handle)
    if not part:
        return whole
    wanted = part.strip().lower()
    serial = next((name for key, name in station.part_assets.items() if key.strip().lower() == wanted), None)
    return AssetPlace(serial=serial, name=part, location=whole.location, above=whole) if serial else None


class Registrar:
    """Registers assets that WATS does not know, where the configuration wants it."""

    def __init__(self, assets: Registry, rules: AssetRules) -> None:
        self._assets = assets
        self._rules = rules
        self._seen: OrderedDict[str, None] = OrderedDict()

    async def see(self, place: AssetPlace) -> bool:
        """Register an asset unless WATS has it; tells whether WATS has it now.

        Raises:
            PyWATSError: WATS can't be asked.
            PermanentError: the type that the configuration names does not exist.
        """
        if place.serial in self._seen or await self.is_known(place.serial) or await self.register(place):
            self._remember(place.serial)
            return True
        return False

    async def is_known(self, serial: str) -> bool:
        """Tell whether WATS has an asset; raises PyWATSError when it can't be asked."""
        try:
            return await self._assets.get_asset(serial_number=serial) is not None
        except NotFoundError:
            return False

    async def register(self, place: AssetPlace) -> bool:
        """Register an asset, the ones above it first; False where the configuration says no.

        Raises as ``see``.
        """
        type_name: str | None = getattr(self._rules, _TYPE_KEYS[place.kind])
        if not self._rules.create or type_name is None:
            return False
        above = place.above if place.above and await self.see(place.above) else None
        quoted = type_name.replace("'", "''")
        types = await self._assets.get_asset_types(f"typeName eq '{quoted}'", top=1)
        type_id = types[0].type_id if types else None
        if type_id is None:
            key = f"assets.{_TYPE_KEYS[place.kind]}"
            raise PermanentError(f'asset "{place.serial}": WATS has no asset type "{type_name}"; see {key}')
        await self._assets.create_asset(
            place.serial,
            type_id,
            asset_name=place.name,
            location=place.location,
            parent_serial_number=above.serial if above else None,
        )
        self._remember(place.serial)
        _log.info("asset registered", asset=place.serial, asset_type=type_name)
        return True

    def _remember(self, serial: str) -> None:
        self._seen[serial] = None
        while len(self._seen) > _KEPT:
            self._seen.popitem(last=False)
