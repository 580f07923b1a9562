"""The main job on a simulated line: no broker, no account; everything else is what a factory runs.

The stations are machines on a network: they publish over AMQP 1.0 to the bridge's listener, and the testers
ask it which boards they may work on.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from handlers import Rules
from pywats_api import AsyncWATS
from pywats_api.retry import RetryConfig
from pywats_api.server import LocalWATS
from pywats_bridge import demo_view, logs
from pywats_bridge.composition import Bridge
from pywats_bridge.settings import DeliverySettings, ValidationSettings
from pywats_bridge.validating import validator_of
from pywats_cfx import messages as cfx
from pywats_cfx.amqp10 import ProtonMissing, require_proton
from pywats_cfx.config import CFXConfig
from pywats_cfx.endpoint.endpoint import Endpoint
from pywats_cfx.endpoint.errors import RequestError
from pywats_events.journal import DeliveryState, Entry, Query, Stats
from pywats_events.journal.memory import MemoryJournal
from samples.line import SmtLine, Step
from samples.panels import FCT, ICT, STATIONS
from samples.truth import Truth

if TYPE_CHECKING:
    from samples.publishing import Network

#: Panels that enter the line in each second that is shown.
_PANELS_PER_SECOND: Final = 0.8
#: Seconds at the end for what is still on its way.
_SETTLING: Final = 20.0

CONFIG: Final = CFXConfig.model_validate(
    {"endpoint": {"cfx_handle": "//Acme/WATS/Bridge", "listen": "amqp://127.0.0.1:0"}}
)
#: What each board must have passed, in this order: SPI, AOI, in-circuit test, function test.
_ROUTE: Final = (130, 141, 30, 60)
_ASKING: Final = frozenset({ICT, FCT})

RULES: Final = Rules.model_validate(
    {
        "stations": [
            {"handle": "//Acme/Line1/SPI*", "machine_name": "{name}", "process": 130},
            {"handle": "//Acme/Line1/AOI*", "machine_name": "{name}", "process": 141},
            {"handle": "//Acme/Line1/ICT*", "machine_name": "{name}", "process": 30},
            {"handle": "//Acme/Line1/FCT*", "machine_name": "{name}", "process": 60},
            {"handle": "//Acme/Line1/*", "machine_name": "{name}"},
        ],
        "recipes": [{"recipe": "*CTRL-A7*", "part_number": "CTRL-A7", "revision": "C"}],
        "work_orders": [{"work_order": "WO-26-*", "part_number": "CTRL-A7", "revision": "C"}],
    }
)


@dataclass(slots=True)
class Outcome:
    """What the demo did, and what is to be found afterwards.

    Attributes:
        truth: what the line says it did.
        stats: the sums of the journal.
        reports: number of reports in WATS by station and result.
        serials: serial numbers in WATS, by station.
        faults_logged: lines about faults in the assets' logs.
        dead: the dead letters.
        asked: boards that stations asked about, by the answer.
        seconds: how long it took.
        db: the database of the local WATS.
    """

    truth: Truth
    stats: Stats
    reports: dict[str, Counter[str]] = field(default_factory=dict)
    serials: dict[str, Counter[str]] = field(default_factory=dict)
    faults_logged: int = 0
    dead: list[Entry] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    db: Path = Path()

    def losses(self) -> list[str]:
        """Say what is missing or too much, in lines for people; none when the books balance."""
        lines = []
        for handle, told in {**self.truth.tested, **self.truth.inspected}.items():
            station = handle.rsplit("/", 1)[-1]
            found = self.reports.get(station, Counter())
            lines += [
                f"{station}: the line says {told[verdict]} {verdict}, WATS has {found[verdict]}"
                for verdict in ("Passed", "Failed")
                if told[verdict] != found[verdict]
            ]
            lines += [
                f"{station}: WATS has {number} reports that say {verdict}, and the line said no such thing"
                for verdict, number in found.items()
                if verdict not in ("Passed", "Failed")
            ]
        lines += [
            f"{handle.rsplit('/', 1)[-1]}: unit {serial} has no report"
            for (handle, serial), verdict in self.truth.last_result.items()
            if verdict != "Skipped" and not self.serials.get(handle.rsplit("/", 1)[-1], Counter())[serial]
        ]
        if self.faults_logged != 2 * self.truth.faults:
            lines.append(
                f"faults: {self.truth.faults} came and went, {self.faults_logged} lines are in the logs"
            )
        if self.stats.open:
            lines.append(f"{self.stats.open} deliveries are not settled")
        if sum(self.stats.received.values()) != self.truth.messages:
            lines.append(f"{self.truth.messages} messages sent, {sum(self.stats.received.values())} received")
        if self.asked["unanswered"]:
            lines.append(f"{self.asked['unanswered']} questions about boards were not answered")
        unexplained = len(self.dead) - self.truth.bad_messages
        if unexplained:
            lines.append(f"{len(self.dead)} dead letters for {self.truth.bad_messages} bad messages")
        return lines


async def demo(*, seconds: float, seed: int, db: Path | None) -> bool:
    """Run the line for a while and compare what it says with what is in WATS.

    Args:
        seconds: how long the line produces.
        seed: another number makes another day.
        db: where the local WATS keeps its reports. Default: a new temporary folder.

    Returns:
        True when nothing was lost and nothing doubled.
    """
    try:
        require_proton()
    except ProtonMissing as error:
        sys.stderr.write(f"the demo speaks AMQP 1.0: {error}\n")
        return False
    from pywats_cfx.amqp10.listener import CFXListener  # noqa: PLC0415  # needs proton
    from samples.publishing import Network  # noqa: PLC0415  # as well

    logs.set_up("critical")  # the page shows what happens
    path = db or Path(tempfile.mkdtemp(prefix="pywats-bridge-demo-")) / "wats.sqlite"
    started = asyncio.get_running_loop().time()
    async with LocalWATS(path) as server:
        api = AsyncWATS(
            server.url, "demo", requests_per_minute=None, retry_config=RetryConfig(max_attempts=1)
        )
        await _register_stations(api)
        await _set_route(server.url)
        journal = MemoryJournal()
        validator = validator_of(ValidationSettings(enabled=True, unknown_unit="pass"), api, RULES, journal)
        listener = CFXListener(CONFIG, name="line", endpoint=Endpoint(CONFIG.endpoint, validator=validator))
        bridge = Bridge(
            api=api, transports=(listener,), rules=RULES, delivery=DeliverySettings(), journal=journal
        )
        async with bridge, Network(await listener.listening(), CONFIG.endpoint.cfx_handle) as network:
            outcome = Outcome(Truth(), await journal.stats(), db=path)
            steps = _steps(seconds, seed, outcome.truth)
            page = demo_view.Page(total=outcome.truth.messages, url=server.url, asked=outcome.asked)
            bridge.bus.on_event(page.note)
            async with page.shown(journal.stats):
                await _play(steps, network, seconds, outcome.asked)
                await _settle(bridge)
            outcome.stats = await journal.stats()
            outcome.dead = await journal.search(Query(states=(DeliveryState.DEAD,), limit=1000))
            await _look_into_wats(api, outcome)
    outcome.seconds = asyncio.get_running_loop().time() - started
    demo_view.show_summary(outcome, where=demo_view.where_to_look(path))
    return not outcome.losses()


def _steps(seconds: float, seed: int, truth: Truth) -> list[Step]:
    panels = max(1, round(seconds * _PANELS_PER_SECOND))
    line = SmtLine(seed=seed, panels=panels, bad_every=45, duplicate_every=40)
    length = timedelta(seconds=sum(step.delay for step in line.steps()))
    # the last message is of now: a test that starts in the future would be quarantined
    return list(replace(line, start=datetime.now(UTC) - length).steps(truth))


async def _play(steps: list[Step], network: Network, seconds: float, asked: Counter[str]) -> None:
    """Send the messages at the line's own rhythm, as much faster as it takes."""
    clock = asyncio.get_running_loop().time
    begin, total, at = clock(), sum(step.delay for step in steps) or 1.0, 0.0
    for step in steps:
        at += step.delay
        await asyncio.sleep(max(0.0, begin + at / total * seconds - clock()))
        if step.kind == "message" and step.handle in _ASKING:
            await _ask(step, network, asked)
        await network.publish(step)


async def _ask(step: Step, network: Network, asked: Counter[str]) -> None:
    """Let a tester ask, before it begins, whether it may work on the boards."""
    for envelope in step.envelopes:
        work = envelope.message
        if not isinstance(work, cfx.WorkStarted):
            continue
        question = cfx.ValidateUnitsRequest(
            validations=[cfx.ValidationType.UnitRouteValidation, cfx.ValidationType.UnitStatusValidation],
            primary_identifier=work.primary_identifier,
            units=work.units,
        )
        try:
            answer = await network.ask(step.handle, question)
        except RequestError:
            answer = None
        if answer is None:
            asked["unanswered"] += 1
        else:
            asked.update(str(each.result) for each in answer.validation_results)


async def _settle(bridge: Bridge) -> None:
    """Wait for what is on its way: deliveries that run, and those that wait for a retry."""
    try:
        async with asyncio.timeout(_SETTLING):
            while (await bridge.journal.stats()).open:
                await bridge.bus.drain()
                await asyncio.sleep(0.05)
    except TimeoutError:
        return  # the summary says what is not settled


async def _register_stations(api: AsyncWATS) -> None:
    (station,) = await api.asset.get_asset_types("typeName eq 'Station'", top=1)
    for handle in STATIONS:
        rule = RULES.station(handle)
        if station.type_id is not None:
            await api.asset.create_asset(rule.named(rule.machine_name, handle), station.type_id)


async def _set_route(url: str) -> None:
    """Tell the local WATS what a board of this product must have passed."""
    async with httpx.AsyncClient(base_url=url) as client:
        rule = {"partNumber": "CTRL-A7", "processes": list(_ROUTE)}
        (await client.put("/local/verification-rules", json=rule)).raise_for_status()


async def _look_into_wats(api: AsyncWATS, outcome: Outcome) -> None:
    for header in await api.report.query_uut_headers(top=10_000):
        station = header.station_name or ""
        outcome.reports.setdefault(station, Counter())[header.result or ""] += 1
        outcome.serials.setdefault(station, Counter())[header.serial_number or ""] += 1
    lines = await api.asset.get_asset_log("type eq 0", top=10_000)
    outcome.faults_logged = sum("Fault" in (line.comment or "") for line in lines)
