"""A simulated SMT line: what its stations say while panels go through, and the truth to compare with.

The line is deterministic: the same settings give the same messages, byte for byte. It does no I/O and reads
no clock; whoever runs it sends each step's body after its delay, or at once.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final, Literal

from pywats_cfx import messages as cfx
from pywats_cfx.codec import encode
from pywats_cfx.envelope import CFXEnvelope
from samples import product, stations
from samples.stations import AOI, FCT, ICT, LASER, PLACER, SPI, Circuit, Panel, Verdict, new_id

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
_ICT_RECIPE: Final = ("ICT_CTRL-A7", "12")
_FCT_RECIPE: Final = ("FCT_CTRL-A7", "4")
_PLACER_RECIPE: Final = ("SMT_CTRL-A7_TOP", "9")
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


@dataclass(slots=True)
class Truth:
    """What really happened on the line, to compare reports with.

    Attributes:
        messages: messages sent, with duplicates and bad ones.
        envelopes: envelopes in the good messages, without duplicates.
        duplicates: messages that were sent once more.
        bad_messages: messages that nobody can read.
        panels: panels that went through.
        units: boards on them, those marked bad too.
        tested: for each test station how many units it says passed, failed, were skipped. A unit that was
            tested twice counts twice.
        inspected: the same for each inspection station.
        last_result: the last verdict of each test station on each serial number.
        faults: faults that occurred; all of them were cleared.
        disqualified: units that were scrapped.
    """

    messages: int = 0
    envelopes: int = 0
    duplicates: int = 0
    bad_messages: int = 0
    panels: int = 0
    units: int = 0
    tested: dict[str, Counter[str]] = field(default_factory=lambda: {ICT: Counter(), FCT: Counter()})
    inspected: dict[str, Counter[str]] = field(default_factory=lambda: {SPI: Counter(), AOI: Counter()})
    last_result: dict[tuple[str, str], str] = field(default_factory=dict)
    faults: int = 0
    disqualified: int = 0

    @property
    def units_tested(self) -> int:
        """How many unit results the test stations told, skipped ones too."""
        return sum(sum(verdicts.values()) for verdicts in self.tested.values())

    @property
    def test_reports(self) -> int:
        """How many of those are a test: all but the skipped."""
        return self.units_tested - sum(verdicts["Skipped"] for verdicts in self.tested.values())


@dataclass(frozen=True, slots=True)
class _Said:
    """Messages that a station sends together."""

    handle: str
    at: datetime
    messages: tuple[cfx.CFXMessage, ...]


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

    def _in_order(self, truth: Truth) -> Iterator[_Said]:
        """Let the panels follow each other through the line, several of them in it at a time."""
        waiting: list[tuple[datetime, int, _Said]] = []
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

    def _opening(self) -> Iterator[_Said]:
        for offset, handle in enumerate(stations.STATIONS):
            connected = cfx.EndpointConnected(
                cfx_handle=handle, request_network_uri=None, request_target_address=None
            )
            yield _Said(handle, self.start + timedelta(milliseconds=100 * offset), (connected,))
        for handle, (recipe, revision) in ((PLACER, _PLACER_RECIPE), (ICT, _ICT_RECIPE), (FCT, _FCT_RECIPE)):
            activated = stations.recipe_activated(recipe, revision)
            yield _Said(handle, self.start + timedelta(seconds=2), (activated,))

    def _closing(self) -> Iterator[_Said]:
        end = self.start + timedelta(seconds=5 + self.panels * _PANEL_SECONDS + 300)
        for handle in stations.STATIONS:
            yield _Said(
                handle, end, (cfx.Heartbeat(cfx_handle=handle, heartbeat_frequency=timedelta(minutes=1)),)
            )

    def _panel(self, number: int, begin: datetime, truth: Truth) -> Iterator[_Said]:
        rng = self._rng(number)
        count = self.circuits or rng.choice((2, 3, 4))
        circuits = tuple(
            Circuit(f"A7{self.seed:02}{number:05}{position}", position, rng.random() < self.skipping)
            for position in range(1, count + 1)
        )
        panel = Panel(f"PNL{self.seed:02}-{number:05}", circuits)
        truth.panels += 1
        truth.units += count
        journey = _Journey(panel, begin, rng, truth, self.failing)
        yield from journey.mark()
        yield from journey.inspect_paste()
        yield from journey.place(with_fault=bool(self.fault_every) and number % self.fault_every == 0)
        yield from journey.inspect_parts()
        yield from journey.test_in_circuit()
        yield from journey.test_function()

    def _step(self, said: _Said, rng: Random, delay: float) -> Step:
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


class _Journey:
    """One panel on its way through the line."""

    def __init__(self, panel: Panel, begin: datetime, rng: Random, truth: Truth, failing: float) -> None:
        self._panel = panel
        self._now = begin
        self._rng = rng
        self._truth = truth
        self._failing = failing
        self._scrapped: set[str] = set()

    def mark(self) -> Iterator[_Said]:
        message = stations.units_initialized(self._panel, new_id(self._rng))
        yield self._say(LASER, message)

    def inspect_paste(self) -> Iterator[_Said]:
        self._wait(12)
        transaction = new_id(self._rng)
        verdicts = self._verdicts(self._failing / 4)
        self._truth.inspected[SPI].update(verdicts)
        units = [
            stations.spi_unit(self._rng, self._panel, circuit, verdict)
            for circuit, verdict in zip(self._panel.circuits, verdicts, strict=True)
        ]
        method = cfx.InspectionMethod.SPI
        yield self._say(SPI, stations.units_inspected(units, transaction, method, "SPI_CTRL-A7"))

    def place(self, *, with_fault: bool) -> Iterator[_Said]:
        self._wait(10)
        transaction = new_id(self._rng)
        yield self._say(PLACER, stations.work_started(self._panel, transaction, *_PLACER_RECIPE))
        if with_fault:
            yield from self._fault(transaction)
        self._wait(20)
        # Two messages at once: this machine sends what it has as a list.
        yield self._say(
            PLACER,
            stations.materials_installed(self._panel, transaction, self._now),
            stations.work_completed(self._panel, transaction),
        )

    def _fault(self, transaction: str) -> Iterator[_Said]:
        self._wait(4)
        part = self._rng.choice(product.PARTS[:7])
        fault = stations.feeder_fault(self._rng, part, self._now, transaction)
        running, stopped = cfx.ResourceState.PRD_RegularWork, cfx.ResourceState.USD_ChangeOfConsumables
        yield self._say(PLACER, cfx.FaultOccurred(fault=fault))
        yield self._say(PLACER, stations.state_changed(running, stopped, timedelta(minutes=7), fault))
        self._wait(45)
        cleared = cfx.FaultCleared(fault_occurrence_id=fault.fault_occurrence_id, operator=stations.OPERATOR)
        yield self._say(PLACER, cleared)
        yield self._say(PLACER, stations.state_changed(stopped, running, timedelta(seconds=45)))
        self._truth.faults += 1

    def inspect_parts(self) -> Iterator[_Said]:
        self._wait(15)
        transaction = new_id(self._rng)
        verdicts = self._verdicts(self._failing / 3)
        self._truth.inspected[AOI].update(verdicts)
        units = [
            stations.aoi_unit(self._rng, self._panel, circuit, verdict)
            for circuit, verdict in zip(self._panel.circuits, verdicts, strict=True)
        ]
        method = cfx.InspectionMethod.AOI
        yield self._say(AOI, stations.units_inspected(units, transaction, method, "AOI_CTRL-A7_TOP"))

    def test_in_circuit(self) -> Iterator[_Said]:
        self._wait(18)
        verdicts = self._verdicts(self._failing)
        yield from self._ict(self._panel, verdicts)
        failed = [
            circuit
            for circuit, verdict in zip(self._panel.circuits, verdicts, strict=True)
            if verdict == "Failed"
        ]
        for circuit in failed:
            # Bad contact is the usual reason; the operator presses the board down and tries again.
            self._wait(8)
            verdict: Verdict = "Passed" if self._rng.random() < 0.6 else "Failed"  # noqa: PLR2004
            yield from self._ict(Panel(self._panel.name, (circuit,)), [verdict])
            if verdict == "Failed":
                self._scrapped.add(circuit.serial)
                self._truth.disqualified += 1
                yield self._say(ICT, stations.units_disqualified(self._panel, circuit))

    def _ict(self, panel: Panel, verdicts: list[Verdict]) -> Iterator[_Said]:
        transaction = new_id(self._rng)
        yield self._say(ICT, stations.work_started(panel, transaction, *_ICT_RECIPE))
        begin = self._now
        self._wait(6)
        units = [
            stations.ict_unit(self._rng, panel, circuit, verdict, begin)
            for circuit, verdict in zip(panel.circuits, verdicts, strict=True)
        ]
        self._count(ICT, panel, verdicts)
        message = stations.units_tested(units, transaction, cfx.TestMethod.ICT, *_ICT_RECIPE)
        yield self._say(ICT, message)
        yield self._say(ICT, stations.work_completed(panel, transaction))

    def test_function(self) -> Iterator[_Said]:
        for circuit in self._panel.circuits:
            if circuit.skipped or circuit.serial in self._scrapped:
                continue
            self._wait(5)
            single = Panel(self._panel.name, (circuit,))
            transaction = new_id(self._rng)
            yield self._say(FCT, stations.work_started(single, transaction, *_FCT_RECIPE, by_serial=True))
            begin = self._now
            self._wait(11)
            verdict: Verdict = "Failed" if self._rng.random() < self._failing else "Passed"
            self._count(FCT, single, [verdict])
            unit = stations.fct_unit(self._rng, circuit, verdict, begin)
            result = cfx.WorkResult.Completed if verdict == "Passed" else cfx.WorkResult.Failed
            yield self._say(
                FCT,
                stations.units_tested([unit], transaction, cfx.TestMethod.FCT, *_FCT_RECIPE),
                stations.work_completed(single, transaction, result),
            )

    def _verdicts(self, failing: float) -> list[Verdict]:
        return [
            "Skipped" if circuit.skipped else "Failed" if self._rng.random() < failing else "Passed"
            for circuit in self._panel.circuits
        ]

    def _count(self, handle: str, panel: Panel, verdicts: Iterable[Verdict]) -> None:
        for circuit, verdict in zip(panel.circuits, verdicts, strict=True):
            self._truth.tested[handle][verdict] += 1
            self._truth.last_result[handle, circuit.serial] = verdict

    def _wait(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds, milliseconds=self._rng.randrange(1000))

    def _say(self, handle: str, *messages: cfx.CFXMessage) -> _Said:
        said = _Said(handle, self._now, messages)
        self._now += timedelta(milliseconds=50)
        return said


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
