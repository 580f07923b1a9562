"""The way out: chosen events go to other systems, under the same promises as those that go to WATS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from handlers.outgoing_rules import OutgoingRule
from pywats_events.event import Event, EventType
from pywats_events.handler import BaseHandler, Done, Dropped
from pywats_events.transports.mqtt.config import MQTTBroker
from pywats_events.transports.webhook.config import Place, WebhookConfig


class Target(Protocol):
    """Another system that takes events."""

    async def send(self, event: Event) -> Mapping[str, Any]:
        """Bring it an event; give what it answered, for the journal. Raises as ``BaseHandler.handle``."""

    async def aclose(self) -> None:
        """Let its connections go."""


class OutgoingHandler(BaseHandler):
    """Publishes events that a rule of ``[[outgoing]]`` chooses to one target.

    At least once: after a crash an event may be published a second time, with the same id.

    Args:
        rule: which events, and where to.
        target: who brings them there.
    """

    def __init__(self, rule: OutgoingRule, target: Target) -> None:
        self.rule = rule
        self.name = self.destination = rule.handler
        self._target = target

    @property
    def event_types(self) -> tuple[EventType, ...]:
        """The types that the rule names."""
        return self.rule.events

    def wants(self, event: Event) -> bool:
        """Tell whether the rule chooses an event: the filter for its subscription."""
        return self.rule.wants(event)

    async def handle(self, event: Event) -> Done | Dropped:
        """Publish an event."""
        if not self.rule.wants(event):  # subscribed without the filter, or the rule was changed since
            return Dropped(f"outgoing {self.rule.name}: where and sources do not choose it")
        return Done(dict(await self._target.send(event)))

    async def aclose(self) -> None:
        """Let the target's connections go."""
        await self._target.aclose()


def check_loops(
    rules: Sequence[OutgoingRule], filters: Sequence[str], hooks: WebhookConfig | None = None
) -> list[str]:
    """Name the rules that would publish to what the bridge itself reads: an event for ever.

    What this does not see is known by its mark when it comes in (``pywats_events.returned``).

    Args:
        rules: the way out.
        filters: topic filters of the subscriptions at the same broker.
        hooks: the bridge's own webhooks.
    """
    place = Place.of(hooks.listen) if hooks is not None and hooks.listen else None
    return [
        f'outgoing "{rule.name}": url leads to the bridge\'s own webhooks at {place}: what goes out would '
        "come in again, for ever; let it lead to another system"
        for rule in rules
        if place is not None and rule.leads_to(place)
    ] + [
        f'outgoing "{rule.name}": topic "{rule.topic}" is read by the subscription to "{one}": what goes out '
        "would come in again, for ever; publish below another topic"
        for rule in rules
        for one in filters
        if rule.may_reach(one)
    ]


class Outgoing:
    """All targets of a configuration. Close it when the bus has ended.

    Args:
        rules: the way out.
        mqtt: the broker that rules with a topic publish to.

    Attributes:
        handlers: one for each rule; subscribe each with its ``wants`` as filter.

    Raises:
        ValueError: a rule can't be used; the text names it.
    """

    def __init__(self, rules: Sequence[OutgoingRule], *, mqtt: MQTTBroker | None = None) -> None:
        names = [rule.name.lower() for rule in rules]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f'two outgoing targets are named "{twice}": give one of them another name')
        self.handlers = tuple(OutgoingHandler(rule, _target(rule, mqtt)) for rule in rules)

    async def aclose(self) -> None:
        """Let all connections go."""
        for handler in self.handlers:
            await handler.aclose()


def _target(rule: OutgoingRule, mqtt: MQTTBroker | None) -> Target:
    # each target has a connection of its own: one that is slow or refused holds up no other
    if rule.url is not None:
        from handlers.outgoing_webhook import Webhook  # noqa: PLC0415  # the libraries are for who uses them

        return Webhook(rule)
    if mqtt is None:
        raise ValueError(f'outgoing "{rule.name}": topic needs the broker of [mqtt]; give its host there')
    from handlers.outgoing_mqtt import Broker, Topics  # noqa: PLC0415  # as above

    return Topics(rule, Broker(mqtt))
