"""One panel on its way through the line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from pywats_cfx import messages as cfx
from samples import electrical, flow, inspection, placement, product
from samples.panels import AOI, FCT, ICT, LASER, OPERATOR, PLACER, SPI, Panel, Verdict, new_id
from samples.truth import Truth


@dataclass(frozen=True, slots=True)
class Said:
    """Messages that a station sends together."""

    handle: str
    at: datetime
    messages: tuple[cfx.CFXMessage, ...]


class Journey:
    """One panel on its way through the line."""

    def __init__(self, panel: Panel, begin: datetime, rng: Random, truth: Truth, failing: float) -> None:
        self._panel = panel
        self._now = begin
        self._rng = rng
        self._truth = truth
        self._failing = failing
        self._scrapped: set[str] = set()

    def mark(self) -> Iterator[Said]:
        """The laser gives every board its number."""
        message = flow.units_initialized(self._panel, new_id(self._rng))
        yield self._say(LASER, message)

    def inspect_paste(self) -> Iterator[Said]:
        """The paste is measured."""
        self._wait(12)
        transaction = new_id(self._rng)
        verdicts = self._verdicts(self._failing / 4)
        self._truth.inspected[SPI].update(verdicts)
        units = [
            inspection.spi_unit(self._rng, self._panel, circuit, verdict)
            for circuit, verdict in zip(self._panel.circuits, verdicts, strict=True)
        ]
        method = cfx.InspectionMethod.SPI
        yield self._say(SPI, inspection.units_inspected(units, transaction, method, "SPI_CTRL-A7"))

    def place(self, *, with_fault: bool) -> Iterator[Said]:
        """Parts are placed; a feeder may run empty on the way."""
        self._wait(10)
        transaction = new_id(self._rng)
        yield self._say(PLACER, flow.work_started(self._panel, transaction, *product.PLACER_RECIPE))
        if with_fault:
            yield from self._fault(transaction)
        self._wait(20)
        # Two messages at once: this machine sends what it has as a list.
        yield self._say(
            PLACER,
            placement.materials_installed(self._panel, transaction, self._now),
            flow.work_completed(self._panel, transaction),
        )

    def _fault(self, transaction: str) -> Iterator[Said]:
        self._wait(4)
        part = self._rng.choice(product.PARTS[:7])
        fault = placement.feeder_fault(self._rng, part, self._now, transaction)
        running, stopped = cfx.ResourceState.PRD_RegularWork, cfx.ResourceState.USD_ChangeOfConsumables
        yield self._say(PLACER, cfx.FaultOccurred(fault=fault))
        yield self._say(PLACER, placement.state_changed(running, stopped, timedelta(minutes=7), fault))
        self._wait(45)
        cleared = cfx.FaultCleared(fault_occurrence_id=fault.fault_occurrence_id, operator=OPERATOR)
        yield self._say(PLACER, cleared)
        yield self._say(PLACER, placement.state_changed(stopped, running, timedelta(seconds=45)))
        self._truth.faults += 1

    def inspect_parts(self) -> Iterator[Said]:
        """The placed parts are looked at."""
        self._wait(15)
        transaction = new_id(self._rng)
        verdicts = self._verdicts(self._failing / 3)
        self._truth.inspected[AOI].update(verdicts)
        units = [
            inspection.aoi_unit(self._rng, self._panel, circuit, verdict)
            for circuit, verdict in zip(self._panel.circuits, verdicts, strict=True)
        ]
        method = cfx.InspectionMethod.AOI
        yield self._say(AOI, inspection.units_inspected(units, transaction, method, "AOI_CTRL-A7_TOP"))

    def test_in_circuit(self) -> Iterator[Said]:
        """All boards are measured at once; each that fails is tried again, then scrapped."""
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
                yield self._say(ICT, flow.units_disqualified(self._panel, circuit))

    def _ict(self, panel: Panel, verdicts: list[Verdict]) -> Iterator[Said]:
        transaction = new_id(self._rng)
        yield self._say(ICT, flow.work_started(panel, transaction, *product.ICT_RECIPE))
        begin = self._now
        self._wait(6)
        units = [
            electrical.ict_unit(self._rng, panel, circuit, verdict, begin)
            for circuit, verdict in zip(panel.circuits, verdicts, strict=True)
        ]
        self._count(ICT, panel, verdicts)
        message = electrical.units_tested(units, transaction, cfx.TestMethod.ICT, *product.ICT_RECIPE)
        yield self._say(ICT, message)
        yield self._say(ICT, flow.work_completed(panel, transaction))

    def test_function(self) -> Iterator[Said]:
        """The good boards are tried out one by one."""
        for circuit in self._panel.circuits:
            if circuit.skipped or circuit.serial in self._scrapped:
                continue
            self._wait(5)
            single = Panel(self._panel.name, (circuit,))
            transaction = new_id(self._rng)
            yield self._say(FCT, flow.work_started(single, transaction, *product.FCT_RECIPE, by_serial=True))
            begin = self._now
            self._wait(11)
            verdict: Verdict = "Failed" if self._rng.random() < self._failing else "Passed"
            self._count(FCT, single, [verdict])
            unit = electrical.fct_unit(self._rng, circuit, verdict, begin)
            result = cfx.WorkResult.Completed if verdict == "Passed" else cfx.WorkResult.Failed
            yield self._say(
                FCT,
                electrical.units_tested([unit], transaction, cfx.TestMethod.FCT, *product.FCT_RECIPE),
                flow.work_completed(single, transaction, result),
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

    def _say(self, handle: str, *messages: cfx.CFXMessage) -> Said:
        said = Said(handle, self._now, messages)
        self._now += timedelta(milliseconds=50)
        return said
