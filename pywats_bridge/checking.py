"""Trying out a configuration: every connection, one line each."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from handlers import Rules
from handlers.rules import PartRule, StationRule
from handlers.wats import told
from pywats_api import AsyncWATS
from pywats_api.errors import NotFoundError, PyWATSError
from pywats_api.process_records import Process
from pywats_bridge.composition import handlers_of, outgoing_of, postgres_of, wats_client
from pywats_bridge.dry_wats import DryWATS
from pywats_bridge.mapping_checks import mapping_findings
from pywats_bridge.readers import formats
from pywats_bridge.settings import BridgeSettings, ConfigurationError, JournalSettings
from pywats_cfx.amqp.probe import probe
from pywats_cfx.amqp.troubles import BrokerUnfit
from pywats_cfx.amqp10 import ProtonMissing, require_proton
from pywats_cfx.config import AMQPConfig
from pywats_cfx.endpoint.config import EndpointConfig, place_of
from pywats_events.errors import DestinationUnavailable
from pywats_events.handler import handler_name, wanted_types
from pywats_events.journal import JournalError
from pywats_events.journal.memory import MemoryJournal
from pywats_events.mapping import Reading, TopicPattern
from pywats_events.transports.mqtt.config import MQTTConfig
from pywats_events.transports.mqtt.probe import BrokerUnfit as MQTTBrokerUnfit
from pywats_events.transports.mqtt.probe import probe as probe_mqtt
from pywats_events.transports.webhook.config import Place, WebhookConfig

#: What to do about an address that can't be listened at.
_PORT_HINTS: Final = {
    errno.EADDRNOTAVAIL: "this machine has no such address: name one that it has, or 0.0.0.0 for all",
    errno.EACCES: "choose a port above 1023, or give this user the right to",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found.

    Attributes:
        good: whether the bridge can work with it.
        what: what was looked at.
        said: what was found and, where it is not good, what to do.
    """

    good: bool
    what: str
    said: str


async def check(settings: BridgeSettings, *, base: Path = Path()) -> AsyncGenerator[Finding]:
    """Look at everything that the configuration names; nothing is changed anywhere.

    Args:
        settings: the configuration.
        base: its folder, in which files of examples are.
    """
    yield _stations(settings.rules)
    yield _handlers(settings.rules)
    if settings.journal.kind == "sqlite":
        yield _journal(settings.journal.path)
    if settings.journal.kind == "postgres":
        yield await _database(settings.journal)
    async with wats_client(settings.wats) as api:
        wats = await _wats(api)
        yield wats
        if wats.good:
            async for finding in _processes(api, settings.rules):
                yield finding
            async for finding in _asset_types(api, settings.rules):
                yield finding
    async for finding in _sources(settings):
        yield finding
    for finding in _mappings(settings, base):
        yield finding
    async for finding in _outgoing(settings):
        yield finding


async def _sources(settings: BridgeSettings) -> AsyncIterator[Finding]:
    """Look at every way that messages come in."""
    if settings.cfx is not None:
        for broker in settings.cfx.broker.brokers if settings.cfx.broker is not None else ():
            yield await _broker(broker)
        if settings.cfx.endpoint.listen:
            yield await _listener(settings.cfx.endpoint)
    for mqtt in settings.mqtt.brokers if settings.mqtt is not None else ():
        yield await _mqtt_broker(mqtt)
    if settings.webhook is not None and settings.webhook.listen:
        yield await _webhooks(settings.webhook)


def _mappings(settings: BridgeSettings, base: Path) -> Iterator[Finding]:
    """Try how the messages of subscriptions and hooks are read, and the examples that they carry."""
    readings: list[tuple[TopicPattern, Reading]] = []
    if settings.mqtt is not None:
        readings += [(one.pattern, one) for one in settings.mqtt.subscriptions]
    if settings.webhook is not None:
        readings += settings.webhook.readings
    for good, what, said in mapping_findings(readings, formats=formats(), base=base):
        yield Finding(good=good, what=what, said=said)


async def _outgoing(settings: BridgeSettings) -> AsyncIterator[Finding]:
    """Say where events go besides WATS, and whether somebody is there; the broker is looked at by itself."""
    try:
        outgoing_of(settings)
    except ConfigurationError as error:
        for mistake in error.mistakes:
            yield Finding(good=False, what="outgoing", said=mistake)
        return
    for rule in settings.outgoing:
        what, types = f"outgoing {rule.name}", ", ".join(kind.value for kind in rule.events)
        try:
            if rule.url is not None:
                from handlers.outgoing_webhook import Webhook  # noqa: PLC0415  # it is not quick to load

                await Webhook(rule).reach()
        except DestinationUnavailable as error:
            yield Finding(
                good=False, what=what, said=str(error).removeprefix(f"{error.destination} is unavailable: ")
            )
        else:
            yield Finding(good=True, what=what, said=f"{types} to {rule.host}")


def _stations(rules: Rules) -> Finding:
    if not rules.stations:
        said = "no station is configured, so no report can be made: add [[stations]] with handle and process"
        return Finding(good=False, what="rules", said=said)
    products = len(rules.recipes) + len(rules.work_orders)
    return Finding(
        good=True, what="rules", said=f"{len(rules.stations)} stations, {products} recipes and work orders"
    )


def _journal(path: Path) -> Finding:
    what = f"journal {path}"
    if not path.parent.is_dir():
        return Finding(good=False, what=what, said=f"there is no folder {path.parent}: create it")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        return Finding(good=False, what=what, said="can't be written: give this user the right to")
    return Finding(good=True, what=what, said="is there" if path.exists() else "will be created")


async def _database(settings: JournalSettings) -> Finding:
    try:
        journal = postgres_of(settings)
    except ConfigurationError as error:
        return Finding(good=False, what="journal", said=str(error))
    what = f"journal {journal.where}"
    try:
        return Finding(good=True, what=what, said=await journal.inspect())
    except JournalError as error:
        return Finding(good=False, what=what, said=str(error).removeprefix(f"{what}: "))


async def _wats(api: AsyncWATS) -> Finding:
    what = f"WATS {api.base_url}"
    try:
        version = await api.app.get_version()
    except NotFoundError as error:
        answer = f"{error.status_code} for {error.path}"
        said = f"something answers, but no WATS ({answer}): is wats.url right?"
        return Finding(good=False, what=what, said=said)
    except PyWATSError as error:
        return Finding(good=False, what=what, said=told(error))
    return Finding(good=True, what=what, said=f"answers, version {version}")


async def _processes(api: AsyncWATS, rules: Rules) -> AsyncIterator[Finding]:
    try:
        known = {process.code: process for process in await api.process.get_processes()}
    except PyWATSError as error:
        yield Finding(good=False, what="processes", said=told(error))
        return
    wrong = False
    for finding in _other_codes(known, rules):
        wrong = True
        yield finding
    for code, where in sorted(set(_codes(rules))):
        process = known.get(code)
        if process is not None and process.is_test_operation:
            continue
        wrong = True
        fault = "does not exist in WATS" if process is None else f'is "{process.name}", not a test operation'
        yield Finding(good=False, what=f"process {code}", said=f"{fault}; {where} names it")
    if not wrong:
        yield Finding(good=True, what="processes", said="all that the rules name are test operations in WATS")


def _other_codes(known: Mapping[int, Process], rules: Rules) -> Iterator[Finding]:
    """Look at codes that need be no test operation's: of repairs, and of what units are worked on in."""
    code = rules.repair.process
    repair = known.get(code) if code is not None else None
    if code is not None and (repair is None or not repair.is_repair_operation):
        fault = "does not exist in WATS" if repair is None else f'is "{repair.name}", not a repair operation'
        yield Finding(good=False, what=f"process {code}", said=f"{fault}; repair.process names it")
    for station in rules.stations:
        code = station.unit_process
        if code is not None and code not in known:
            said = f'does not exist in WATS; unit_process of station "{station.handle}" names it'
            yield Finding(good=False, what=f"process {code}", said=said)


async def _asset_types(api: AsyncWATS, rules: Rules) -> AsyncIterator[Finding]:
    """Look whether the types are there that assets are registered with."""
    if not rules.assets.create:
        return
    try:
        known = {each.type_name for each in await api.asset.get_asset_types()}
    except PyWATSError as error:
        yield Finding(good=False, what="asset types", said=told(error))
        return
    for key in ("station_type", "tool_type", "line_type"):
        name = getattr(rules.assets, key)
        if name is not None and name not in known:
            said = f"does not exist in WATS; assets.{key} names it"
            yield Finding(good=False, what=f'asset type "{name}"', said=said)


def _handlers(rules: Rules) -> Finding:
    """Look whether the bridge's handlers and the user's can be had, and say which events they take."""
    try:
        made = handlers_of(DryWATS(), rules, MemoryJournal())
    except ConfigurationError as error:
        return Finding(good=False, what="handlers", said=str(error))
    taking = [handler_name(each) for each in made if wanted_types(each)]
    idle = [handler_name(each) for each in made if not wanted_types(each)]
    off = f"; off by configuration: {', '.join(idle)}" if idle else ""
    return Finding(good=True, what="handlers", said=f"{', '.join(taking)}{off}")


def _codes(rules: Rules) -> Iterator[tuple[int, str]]:
    for code in rules.process_by_method.values():
        yield code, "process_by_method"
    for recipe in rules.recipes:
        yield from _code_of(recipe, f'recipe "{recipe.recipe}"')
    for order in rules.work_orders:
        yield from _code_of(order, f'work order "{order.work_order}"')
    for station in rules.stations:
        where = f'station "{station.handle}"'
        yield from _code_of(station, where)
        for code in (*station.process_by_method.values(), *station.process_by_recipe.values()):
            yield code, where
        for part in station.recipes.values():
            yield from _code_of(part, where)


def _code_of(rule: PartRule | StationRule, where: str) -> Iterator[tuple[int, str]]:
    if rule.process is not None:
        yield rule.process, where


async def _broker(config: AMQPConfig) -> Finding:
    what = f"broker {config.broker}"
    try:
        return Finding(good=True, what=what, said=await probe(config))
    except BrokerUnfit as error:
        said = str(error)
        if said.startswith(f"connection to {config.broker} lost"):
            said = (
                f"ends the connection while we log in ({said}): is it such a broker, and is the port right?"
            )
        return Finding(good=False, what=what, said=said)


async def _mqtt_broker(config: MQTTConfig) -> Finding:
    what = f"broker {config.broker}"
    try:
        found = await probe_mqtt(config)
    except MQTTBrokerUnfit as error:
        return Finding(good=False, what=what, said=str(error).removeprefix(config.broker).lstrip(": "))
    topics = ", ".join(one.topic for one in config.subscriptions) or "none"
    return Finding(good=True, what=what, said=f"{found}; topics {topics}")


async def _listener(config: EndpointConfig) -> Finding:
    what = f"listener {config.listen}"
    try:
        require_proton()
    except ProtonMissing as error:
        return Finding(good=False, what=what, said=str(error))
    place = place_of(config.listen)
    who = "who knows the password" if config.username else "everybody"
    return await _port(what, place.host, place.port, f"{who} may send to {', '.join(config.accepted)}")


async def _webhooks(config: WebhookConfig) -> Finding:
    place = Place.of(config.listen)
    if not config.hooks:
        said = "there are no hooks, so every call is refused: add [[webhook.hooks]] with name and auth"
        return Finding(good=False, what=f"webhooks {config.listen}", said=said)
    hooks = ", ".join(f"{hook.name} ({hook.authentication})" for hook in config.hooks)
    return await _port(f"webhooks {config.listen}", place.host, place.port, f"hooks {hooks}")


async def _port(what: str, host: str, port: int, said: str) -> Finding:
    """Look whether a port can be listened to."""
    try:
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port)
    except OSError as error:
        hint = _PORT_HINTS.get(error.errno or 0, "free it, unless the bridge runs already, or change it")
        return Finding(good=False, what=what, said=f"{error.strerror or error}; {hint}")
    server.close()
    return Finding(good=True, what=what, said=f"can be listened to; {said}")
