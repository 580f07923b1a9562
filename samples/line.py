"""A simulated SMT line: what its stations say while panels go through, and the truth to compare with.

The line is deterministic: the same settings give the same messages, byte for byte. It does no I/O and reads
no clock; whoever runs it sends each step's body after its delay, or at once.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final, Literal

from pywats_cfx import messages as cfx
from pywats_cfx.codec import encode
from pywats_cfx.envelope import CFXEnvelope
from samples import flow, product
from samples.journey import Journey, Said
from samples.panels import AOI, FCT, ICT, LASER, PLACER, SPI, STATIONS, Circuit, Panel, new_id
from samples.truth import Truth

Form = Literal["plain", "gzip", "untyped"]

#: How each station's software writes: plain JSON, packed, or as an old release does, without ``$type``.
FORMS: Final[dict[str, Form]] = {
    LASER: "plain",
    SPI: "gzip",
    PLACER: "gzip",
    AOI: "plain",
    ICT: "plain",
    FCT: "untyped",
}
_PANEL_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Step:
    """One message of the line, ready to be sent.

    Attributes:
        delay: seconds after the step before it.
        handle: the station that sends it.
        envelopes: what it holds; empty when it is one of the bad ones.
        body: the bytes.
        content_encoding: ``gzip`` or None.
        kind: ``message``; ``duplicate`` for one that was sent before; ``bad`` for one that can't be read.
    """

    delay: float
    handle: str
    envelopes: tuple[CFXEnvelope, ...]
    body: bytes
    content_encoding: str | None = None
    kind: Literal["message", "duplicate", "bad"] = "message"


@dataclass(frozen=True, kw_only=True, slots=True)
class SmtLine:
    """A line with laser, paste inspection, placement, optical inspection, in-circuit and function test.

    Attributes:
        seed: another seed is another day.
        panels: how many panels go through.
        circuits: boards on a panel; None for two to four, by chance.
        start: time of the first message.
        failing: share of the units that fail each test.
        skipping: share of the boards that are marked bad from the start.
        fault_every: the placement machine has a fault at each so many panels; 0 for never.
        bad_every: after each so many messages comes one that nobody can read; 0 for never.
        duplicate_every: each so many messages one is sent twice; 0 for never.
    """

    seed: int = 1
    panels: int = 10
    circuits: int | None = None
    start: datetime = datetime(2026, 3, 17, 6, 0, tzinfo=UTC)
    failing: float = 0.12
    skipping: float = 0.05
    fault_every: int = 5
    bad_every: int = 0
    duplicate_every: int = 0

    def truth(self) -> Truth:
        """Run the whole line once and give what happened."""
        truth = Truth()
        for _ in self.steps(truth):
            pass
        return truth

    def steps(self, truth: Truth | None = None) -> Iterator[Step]:
        """Give the messages in the order of their time.

        Args:
            truth: is filled in; a panel counts from when it enters the line, so it is exact at the end only.
        """
        truth = Truth() if truth is None else truth
        rng = self._rng("line")
        before = self.start
        for count, said in enumerate(self._in_order(truth), start=1):
            step = self._step(said, rng, (said.at - before).total_seconds())
            before = said.at
            truth.messages += 1
            truth.envelopes += len(step.envelopes)
            yield step
            if self.duplicate_every and count % self.duplicate_every == 0:
                truth.messages += 1
                truth.duplicates += 1
                yield Step(0.2, step.handle, step.envelopes, step.body, step.content_encoding, "duplicate")
            if self.bad_every and count % self.bad_every == 0:
                truth.messages += 1
                truth.bad_messages += 1
                yield _bad(step.handle, truth.bad_messages)

    def __iter__(self) -> Iterator[Step]:
        """Give the messages in the order of their time."""
        return self.steps()

    def _rng(self, purpose: str | int) -> Random:
        return Random(f"{self.seed}/{purpose}")  # noqa: S311  # a simulation, no secrets

    def _in_order(self, truth: Truth) -> Iterator[Said]:
        """Let the panels follow each other through the line, several of them in it at a time."""
        waiting: list[tuple[datetime, int, Said]] = []
        order = 0
        for said in self._opening():
            heapq.heappush(waiting, (said.at, order := order + 1, said))
        for number in range(self.panels):
            begin = self.start + timedelta(seconds=5 + number * _PANEL_SECONDS)
            while waiting and waiting[0][0] < begin:
                yield heapq.heappop(waiting)[2]
            for said in self._panel(number, begin, truth):
                heapq.heappush(waiting, (said.at, order := order + 1, said))
        while waiting:
            yield heapq.heappop(waiting)[2]
        yield from self._closing()

    def _opening(self) -> Iterator[Said]:
        for offset, handle in enumerate(STATIONS):
            connected = cfx.EndpointConnected(
                cfx_handle=handle, request_network_uri=None, request_target_address=None
            )
            yield Said(handle, self.start + timedelta(milliseconds=100 * offset), (connected,))
        for handle, (recipe, revision) in (
            (PLACER, product.PLACER_RECIPE),
            (ICT, product.ICT_RECIPE),
            (FCT, product.FCT_RECIPE),
        ):
            activated = flow.recipe_activated(recipe, revision)
            yield Said(handle, self.start + timedelta(seconds=2), (activated,))

    def _closing(self) -> Iterator[Said]:
        end = self.start + timedelta(seconds=5 + self.panels * _PANEL_SECONDS + 300)
        for handle in STATIONS:
            yield Said(
                handle, end, (cfx.Heartbeat(cfx_handle=handle, heartbeat_frequency=timedelta(minutes=1)),)
            )

    def _panel(self, number: int, begin: datetime, truth: Truth) -> Iterator[Said]:
        rng = self._rng(number)
        count = self.circuits or rng.choice((2, 3, 4))
        circuits = tuple(
            Circuit(f"A7{self.seed:02}{number:05}{position}", position, rng.random() < self.skipping)
            for position in range(1, count + 1)
        )
        panel = Panel(f"PNL{self.seed:02}-{number:05}", circuits)
        truth.panels += 1
        truth.units += count
        journey = Journey(panel, begin, rng, truth, self.failing)
        yield from journey.mark()
        yield from journey.inspect_paste()
        yield from journey.place(with_fault=bool(self.fault_every) and number % self.fault_every == 0)
        yield from journey.inspect_parts()
        yield from journey.test_in_circuit()
        yield from journey.test_function()

    def _step(self, said: Said, rng: Random, delay: float) -> Step:
        envelopes = tuple(
            CFXEnvelope.of(message, source=said.handle, unique_id=new_id(rng), time_stamp=said.at)
            for message in said.messages
        )
        form = FORMS[said.handle]
        if form == "untyped":
            for envelope in envelopes:
                envelope.body.pop("$type", None)
        encoding = "gzip" if form == "gzip" else None
        return Step(delay, said.handle, envelopes, encode(envelopes, content_encoding=encoding), encoding)


def _bad(handle: str, number: int) -> Step:
    """Give a message that nobody can read, of one kind after the other."""
    name = "CFX.Production.TestAndInspection.UnitsTested"
    wrong = {"MessageName": name, "Source": handle, "MessageBody": {"TestedUnits": f"see file {number}"}}
    no_object = {"MessageName": name, "Source": handle, "MessageBody": [number]}
    bodies = (
        json.dumps(wrong).encode(),
        b"\x00\x01 no message %d" % number,
        json.dumps(wrong).encode()[:-2],
        json.dumps(no_object).encode(),
    )
    return Step(0.3, handle, (), bodies[(number - 1) % len(bodies)], kind="bad")
