"""What all routes of one local server share."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from starlette.requests import Request

from pywats_api.server.asset_store import AssetStore
from pywats_api.server.database import Database
from pywats_api.server.knobs import Knobs
from pywats_api.server.product_box_build import BoxBuildStore
from pywats_api.server.product_store import ProductStore
from pywats_api.server.production_assembly import Assembler
from pywats_api.server.production_rules import RuleStore
from pywats_api.server.production_serials import SerialNumberStore
from pywats_api.server.production_store import ProductionStore
from pywats_api.server.report_store import ReportStore
from pywats_api.server.root_cause_store import RootCauseStore

_R = TypeVar("_R")


class State:
    """Database, knobs and account of a server."""

    def __init__(
        self,
        db_path: Path | str,
        *,
        knobs: Knobs,
        processes: Iterable[Mapping[str, Any]],
        fail_codes: Mapping[str, frozenset[str]],
        now: Callable[[], datetime],
    ) -> None:
        self.knobs = knobs
        self.processes = [dict(entry) for entry in processes]
        self.fail_codes = fail_codes
        self.now = now
        self.refused = 0
        self.reports = ReportStore(now)
        self.assets = AssetStore(now)
        self.products = ProductStore()
        self.box_builds = BoxBuildStore(self.products)
        self.production = ProductionStore(self.processes, self.products, now)
        self.rules = RuleStore(self.processes)
        self.assembler = Assembler(self.production, self.products, self.box_builds)
        self.serial_numbers = SerialNumberStore(now)
        self.root_cause = RootCauseStore(now)
        self._database = Database(db_path)

    async def open(self) -> None:
        """Open the database."""
        await self._database.open()
        await self.run(self.assets.prepare)
        await self.run(self.products.prepare)
        await self.run(self.box_builds.prepare)
        await self.run(self.production.prepare)
        await self.run(self.rules.prepare)
        await self.run(self.serial_numbers.prepare)
        await self.run(self.root_cause.prepare)

    async def close(self) -> None:
        """Close the database."""
        await self._database.close()

    async def run(self, job: Callable[[sqlite3.Connection], _R]) -> _R:
        """Run `job` on the database's thread."""
        return await self._database.run(job)


def state_of(request: Request) -> State:
    """The state of the server that serves `request`."""
    state: State = request.app.state.wats
    return state
