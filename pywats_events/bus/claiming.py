"""What may be claimed now: by breakers, rate limits, priorities, and the lane of fresh events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pywats_events.bus.destinations import Destinations, Permit
from pywats_events.bus.drains import Drains
from pywats_events.bus.lanes import Lane, Shares, lanes_of
from pywats_events.bus.subscription import Subscription
from pywats_events.clock import forward
from pywats_events.journal import Delivery, Journal
from pywats_events.policies import BreakerState, CircuitBreaker

#: Seconds for which a claim, or the right to probe, holds without being renewed.
LEASE: Final = 30.0
#: Seconds after which it is asked again whether we may probe, when another bridge does.
ASK_AGAIN: Final = 1.0
#: Shortest wait in seconds for a permit: many that come quickly are taken together.
SHORTEST_NAP: Final = 0.005


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that may be tried.

    Attributes:
        probed: the breaker of the destination, if this is the one delivery that tries whether it is back.
        permit: what the destination's rate limit has given for it.
    """

    delivery: Delivery
    probed: CircuitBreaker | None = None
    permit: Permit | None = None


class Claims:
    """Claims from the journal what may run now, and no more: what has to wait does so in the journal.

    Args:
        journal: where deliveries come from.
        subscriptions: the handlers by name; may change meanwhile.
        destinations: says which destinations may be asked, and how fast.
        drains: says where a backlog drains.
        lease: seconds for which a claim holds without being renewed.
    """

    def __init__(
        self,
        journal: Journal,
        subscriptions: Mapping[str, Subscription],
        destinations: Destinations,
        drains: Drains,
        *,
        lease: float = LEASE,
    ) -> None:
        self._journal = journal
        self._subscriptions = subscriptions
        self._destinations = destinations
        self._drains = drains
        self._lease = lease
        self._shares: defaultdict[str, Shares] = defaultdict(Shares)
        self._turn = 0
        self._nap: float | None = None
        self._lacks_permits = False

    @property
    def nap(self) -> float | None:
        """Seconds after which more may be claimed, without a change of the journal; None: nothing known."""
        return self._nap

    @property
    def lacks_permits(self) -> bool:
        """True if there may be more that is ready, and waits for permits only."""
        return self._lacks_permits

    async def claim(self, room: int) -> list[Claimed]:
        """Claim at most so many deliveries.

        Raises:
            JournalError: the journal can't be read or written.
        """
        self._nap, self._lacks_permits = None, False
        await self._destinations.learn_soon()
        free, bound = self._sorted(room)
        claimed: list[Claimed] = []
        for name in self._in_turn(list(bound)):
            claimed += await self._claim_bound(name, bound[name], room - len(claimed))
        # also for no names and no room: a claim tells the journal that we have seen what has changed so far,
        # without which ``wait_ready`` would return at once as long as every destination is down
        names = [one.name for one in free]
        for delivery in await self._take(names, room - len(claimed), free):
            subscription = self._subscriptions.get(delivery.handler)
            destination = None if subscription is None else subscription.destination
            permit = self._destinations.take_permit(destination)
            claimed.append(Claimed(delivery, permit=permit))
        return claimed

    def _sorted(self, room: int) -> tuple[list[Subscription], dict[str, list[Subscription]]]:
        """Give the handlers that may have anything, and the others by destination."""
        free: list[Subscription] = []
        bound: defaultdict[str, list[Subscription]] = defaultdict(list)
        for subscription in self._subscriptions.values():
            name = subscription.destination
            if name is not None:
                name = self._destinations.gate_of(name, subscription.part)
            if name is None or self._is_free(name, room):
                free.append(subscription)
            else:
                bound[name].append(subscription)
        return free, bound

    def _is_free(self, name: str, room: int) -> bool:
        """Tell whether nothing has to be divided: there are permits for all that we could run now."""
        if not self._destinations.is_open(name):
            return False
        if self._destinations.limit_of(name) is None:
            return True
        return self._drains.since(name) is None and self._destinations.permits(name, room) >= room

    def _in_turn(self, names: Sequence[str]) -> Sequence[str]:
        """Let another destination be first each time: one must not have all the room for ever."""
        self._turn += 1
        first = self._turn % len(names) if names else 0
        return (*names[first:], *names[:first])

    async def _claim_bound(self, name: str, subscriptions: list[Subscription], room: int) -> list[Claimed]:
        breaker = self._destinations.breaker_of(name)
        room = breaker.room(room)
        if breaker.state is BreakerState.OPEN:
            self._wake_in(breaker.seconds_to_probe)
        if room <= 0:
            return []
        permits = self._destinations.permits(name, room)
        if permits <= 0:
            self._lacks_permits = True
            self._wake_in(self._destinations.seconds_to_permit(name))
            return []
        probed = None if breaker.state is BreakerState.CLOSED else breaker
        if probed is not None and not await self._destinations.may_probe(name):
            self._wake_in(ASK_AGAIN)
            return []
        deliveries = await self._divide(name, subscriptions, permits)
        if probed is not None and deliveries:
            probed.probe_begins()
        claimed = [Claimed(one, probed, self._destinations.take_permit(name)) for one in deliveries]
        if len(deliveries) == permits and not self._destinations.permits(name, 1):
            self._lacks_permits = True  # there may be more
            self._wake_in(self._destinations.seconds_to_permit(name))
        return claimed

    async def _divide(self, name: str, subscriptions: list[Subscription], permits: int) -> list[Delivery]:
        """Claim for each lane its part, and let the others have what is left of it."""
        lanes = lanes_of(subscriptions, fresh_since=self._drains.since(name))
        shares = self._shares[name]
        deliveries: list[Delivery] = []
        hungry: list[Lane] = []
        for lane, part in zip(lanes, shares.split(lanes, permits), strict=True):
            got = await self._take(lane.handlers, part, subscriptions, lane.since) if part else []
            shares.note(lane, got=len(got), has_more=len(got) == part)
            if len(got) == part:
                hungry.append(lane)
            deliveries += got
        for lane in hungry:
            left = permits - len(deliveries)
            if left > 0:
                got = await self._take(lane.handlers, left, subscriptions, lane.since)
                shares.note(lane, got=len(got), has_more=len(got) == left)
                deliveries += got
        return deliveries

    async def _take(
        self,
        names: Collection[str],
        limit: int,
        subscriptions: Sequence[Subscription],
        since: datetime | None = None,
    ) -> list[Delivery]:
        coalesce = [
            one.name for one in subscriptions if one.coalesces and self._drains.since(one.destination)
        ]
        return await self._journal.claim(
            limit=limit,
            now=forward.now(),
            lease_seconds=self._lease,
            handlers=names,
            since=since,
            coalesce=coalesce,
        )

    def _wake_in(self, seconds: float) -> None:
        if seconds > 0:
            self._nap = seconds if self._nap is None else min(self._nap, seconds)
