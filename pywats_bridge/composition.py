"""The parts of a bridge, put together."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from handlers import (
    AssemblyHandler,
    FaultHandler,
    MaterialHandler,
    NotesHandler,
    ProductionHandler,
    RepairHandler,
    ReportHandler,
    Rules,
    StateHandler,
    TicketHandler,
    ToolCountHandler,
    ToolUseHandler,
    UnfitHandler,
    UpkeepHandler,
    facts_of,
    own_handlers,
)
from handlers.assembly import Assemblies
from handlers.asset_state import StateOfAssets
from handlers.asset_upkeep import UpkeepOfAssets
from handlers.memory import FactStore
from handlers.outgoing import Outgoing, check_loops
from handlers.production import ProductList, Units
from handlers.repair import RepairReports
from handlers.tickets import Tickets
from handlers.tool_counts import CountsOfAssets
from handlers.wats import DESTINATION
from pywats_api import AsyncWATS
from pywats_api.retry import RetryConfig
from pywats_bridge.own_faults import OwnFaults
from pywats_bridge.readers import MQTT, WEBHOOK, readers_of
from pywats_bridge.settings import (
    BridgeSettings,
    ConfigurationError,
    DeliverySettings,
    JournalSettings,
    WatsSettings,
)
from pywats_bridge.validating import validator_of
from pywats_cfx import CFXTransport
from pywats_cfx.amqp10 import ProtonMissing, require_proton
from pywats_cfx.config import CFXConfig
from pywats_cfx.endpoint.endpoint import Endpoint
from pywats_cfx.endpoint.presence import Faults, Presence
from pywats_cfx.mapping.table import MAPPED
from pywats_events import AsyncEventBus, BaseHandler
from pywats_events.journal import Journal, JournalError
from pywats_events.journal.memory import MemoryJournal
from pywats_events.journal.sqlite import SQLiteJournal
from pywats_events.policies import CircuitBreaker, ErrorPolicy, RateLimit, RetryPolicy
from pywats_events.questions import UnitValidator
from pywats_events.transports import BaseTransport

if TYPE_CHECKING:
    from pywats_events.journal.postgres import PostgresJournal


class Bridge:
    """Transports, journal, handlers and the WATS client, wired.

    Args:
        api: the WATS client; closed with the bridge.
        transports: where messages come from.
        rules: what the handlers are configured by.
        delivery: how events are delivered.
        journal: where they are kept. Default: in memory.
        high_water: from so many undelivered events on, transports wait.
        handler_timeout: seconds that a delivery may take, the wait for the client's own limit included.
        rate: how fast WATS may be asked. Default: as fast as it answers.
        outgoing: other systems that events go to; closed with the bridge.
        keep_jobs: how long replay jobs that are over stay to be looked at. Default: until they are forgotten.
    """

    def __init__(
        self,
        *,
        api: AsyncWATS,
        transports: tuple[BaseTransport, ...],
        rules: Rules,
        delivery: DeliverySettings,
        journal: Journal | None = None,
        high_water: int = 10_000,
        handler_timeout: float = 120.0,
        rate: RateLimit | None = None,
        outgoing: Outgoing | None = None,
        keep_jobs: timedelta | None = None,
    ) -> None:
        self.api = api
        self._outgoing = outgoing or Outgoing(())
        self.journal = journal or MemoryJournal()
        self._stop_timeout = delivery.stop_timeout
        self.bus = AsyncEventBus(
            journal=self.journal,
            retry_policy=RetryPolicy(
                max_retries=delivery.max_retries,
                initial_delay=delivery.initial_delay,
                max_delay=delivery.max_delay,
            ),
            error_policy=ErrorPolicy(
                circuit_breaker=CircuitBreaker(delivery.failure_threshold, delivery.reset_timeout)
            ),
            concurrency=delivery.concurrency,
            handler_timeout=handler_timeout,
            high_water=high_water,
            rate_limits={DESTINATION: rate} if rate is not None else None,
            lease=delivery.lease,
            keep_jobs=keep_jobs,
        )
        api.on_request(partial(self.bus.note_request, DESTINATION))
        self.bus.observe(facts_of)
        for handler in handlers_of(api, rules, self.journal):
            self.bus.subscribe(handler)
        for target in self._outgoing.handlers:
            self.bus.subscribe(target, filter=target.wants)
        for transport in transports:
            self.bus.register_transport(transport)

    async def __aenter__(self) -> Self:
        try:
            await self.bus.start()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # the second signal may come before the end that the first one asked for has begun
        is_hurried = isinstance(error, asyncio.CancelledError)
        try:
            await self.bus.stop(timeout=0 if is_hurried else self._stop_timeout)
        except asyncio.CancelledError:  # told to end a second time
            await self.bus.stop(timeout=0)
            raise
        finally:
            await self._close()

    async def _close(self) -> None:
        await self._outgoing.aclose()
        await self.api.aclose()


class Assets(StateOfAssets, UpkeepOfAssets, CountsOfAssets, Protocol):
    """``api.asset``, as far as handlers use it."""


class UnitsInProduction(Units, Assemblies, Protocol):
    """``api.production``, as far as handlers use it."""


class WatsSink(Protocol):
    """The part of the WATS client that the handlers use."""

    @property
    def report(self) -> RepairReports:
        """Reports."""

    @property
    def production(self) -> UnitsInProduction:
        """Units."""

    @property
    def rootcause(self) -> Tickets:
        """Root-cause tickets."""

    @property
    def product(self) -> ProductList:
        """Products."""

    @property
    def asset(self) -> Assets:
        """Assets."""


def handlers_of(api: WatsSink, rules: Rules, memory: FactStore) -> tuple[BaseHandler, ...]:
    """Make the handlers for WATS, and those of the user.

    Raises:
        ConfigurationError: a handler of the user can't be had.
    """
    return (
        MaterialHandler(rules, memory),
        ReportHandler(api, rules, memory),
        RepairHandler(api, rules, memory),
        ProductionHandler(api, rules, memory),
        AssemblyHandler(api, rules, memory),
        FaultHandler(api, rules, memory),
        StateHandler(api, rules, memory),
        UpkeepHandler(api, rules, memory),
        NotesHandler(api, rules, memory),
        TicketHandler(api, rules, memory),
        ToolUseHandler(rules, memory),
        ToolCountHandler(api, rules, memory),
        *_own_handlers(api, rules, memory),
    )


def _own_handlers(api: WatsSink, rules: Rules, memory: FactStore) -> tuple[BaseHandler, ...]:
    try:
        return own_handlers(api, rules, memory)
    except UnfitHandler as error:
        raise ConfigurationError([f"handlers: {error}"]) from error


def wats_client(settings: WatsSettings) -> AsyncWATS:
    """Make the client for handlers. It tries each call once: the journal sees to retries."""
    return AsyncWATS(
        base_url=settings.url,
        token=settings.token,
        timeout=settings.timeout,
        requests_per_minute=settings.requests_per_minute,
        max_connections=settings.connections,
        retry_config=RetryConfig(max_attempts=1),
        verify=settings.verify,
        ca_file=settings.ca_file,
        proxy=settings.proxy.get_secret_value() if settings.proxy is not None else None,
    )


def rate_of(settings: WatsSettings) -> RateLimit:
    """Give the rate at which deliveries may ask WATS: what it lets through in a minute, spread over it.

    The client's own limit lets all of them go at once and nothing after; it stays as the last guard, and is
    seldom met: the rate leaves room for its burst.
    """
    most = settings.requests_per_minute
    burst = max(1, most // 25)
    return RateLimit(per_minute=max(most - burst, most / 2), burst=burst, counts_requests=True)


def bridge_of(settings: BridgeSettings, *, journal: Journal | None = None) -> Bridge:
    """Put a bridge together by its configuration; nothing is connected before it is entered.

    Raises:
        ConfigurationError: something that the configuration wants can't be had.
    """
    api = wats_client(settings.wats)
    journal = journal or journal_of(settings.journal)
    faults = OwnFaults(journal, lambda: bridge.bus.breakers)
    validator = validator_of(settings.validation, api, settings.rules, journal)
    bridge = Bridge(
        api=api,
        transports=transports_of(settings, journal, faults=faults, validator=validator),
        rules=settings.rules,
        delivery=settings.delivery,
        journal=journal,
        high_water=settings.journal.high_water,
        rate=rate_of(settings.wats),
        outgoing=outgoing_of(settings),
        keep_jobs=timedelta(days=settings.journal.keep_done_days),
        # a call may wait a minute for its turn under the limit of requests per minute
        handler_timeout=settings.wats.timeout + 90.0,
    )
    return bridge


def outgoing_of(settings: BridgeSettings) -> Outgoing:
    """Make what brings events to other systems than WATS.

    Raises:
        ConfigurationError: a rule can't be used, or would bring back what it sends.
    """
    read = settings.mqtt.subscriptions if settings.mqtt is not None else ()
    loops = check_loops(settings.outgoing, [one.pattern.filter for one in read], settings.webhook)
    if loops:
        raise ConfigurationError(loops)
    try:
        return Outgoing(settings.outgoing, mqtt=settings.mqtt)
    except ValueError as error:
        raise ConfigurationError([str(error)]) from None


def transports_of(
    settings: BridgeSettings, journal: Journal, *, faults: Faults, validator: UnitValidator | None
) -> tuple[BaseTransport, ...]:
    """Make the ways that messages come in.

    Raises:
        ConfigurationError: something that the configuration wants can't be had.
    """
    readers = readers_of(settings)
    transports: list[BaseTransport] = []
    if settings.cfx is not None:
        endpoint = Endpoint(settings.cfx.endpoint, validator=validator, consumes=MAPPED)
        transports += _cfx_transports(settings.cfx, endpoint, faults=faults)
    if settings.mqtt is not None and settings.mqtt.subscriptions:
        from pywats_events.transports.mqtt import MQTTTransport  # noqa: PLC0415  # those without it need no library

        mqtt = MQTTTransport(settings.mqtt, adapter=readers.adapters[MQTT], name=MQTT, journal=journal)
        transports.append(readers.before(mqtt))
    if settings.webhook is not None:
        from pywats_events.transports.webhook import WebhookTransport  # noqa: PLC0415  # as above

        transports.append(WebhookTransport(settings.webhook, adapter=readers.adapters[WEBHOOK], name=WEBHOOK))
    return tuple(transports)


def _cfx_transports(config: CFXConfig, endpoint: Endpoint, *, faults: Faults) -> tuple[BaseTransport, ...]:
    """Make the ways that CFX comes in: from a broker, from machines that connect to us, or both."""
    transports: list[BaseTransport] = []
    if config.broker is not None:
        transports.append(Presence(CFXTransport(config), endpoint, faults=faults))
    if config.endpoint.listen:
        try:
            require_proton()
        except ProtonMissing as error:
            raise ConfigurationError([f"cfx.endpoint.listen: {error}"]) from None
        from pywats_cfx.amqp10.listener import CFXListener  # noqa: PLC0415  # proton is needed for this alone

        transports.append(CFXListener(config, endpoint=endpoint))
    return tuple(transports)


def journal_of(settings: JournalSettings, *, is_kept: bool = True) -> Journal:
    """Make the journal of a configuration; it is not opened.

    Args:
        settings: which, and how.
        is_kept: remove by itself what is done; not for who only looks for a moment.

    Raises:
        ConfigurationError: it can't be had.
    """
    if settings.kind == "postgres":
        return postgres_of(settings, is_kept=is_kept)
    if settings.kind == "memory":
        return MemoryJournal()
    return SQLiteJournal(
        settings.path,
        max_bytes=settings.max_bytes,
        keep_free=settings.keep_free,
        retention=settings.retention if is_kept else None,
    )


def postgres_of(settings: JournalSettings, *, is_kept: bool = True) -> PostgresJournal:
    """Make the journal in PostgreSQL; raises as ``journal_of``."""
    try:
        from pywats_events.journal.postgres import PostgresJournal  # noqa: PLC0415  # an extra that not all need
    except ImportError as error:
        why = f"needs psycopg: pip install 'pywats-bridge[postgres]' ({error})"
        raise ConfigurationError([f"journal.kind: {why}"]) from None
    try:
        url = settings.url.get_secret_value() if settings.url else ""
        return PostgresJournal(url, retention=settings.retention if is_kept else None)
    except JournalError as error:
        raise ConfigurationError([f"journal.url: {error}"]) from None
