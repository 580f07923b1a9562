"""What the answers of WATS mean for a unit: fit, or unfit and why. Without any input or output."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from handlers.names import short
from pywats_api.unit_phases import UnitPhaseFlag, phase_name, phase_of
from pywats_events.questions import AskedUnit, Fitness, ReasonCode, UnitAnswer, UnitsAnswer

if TYPE_CHECKING:  # the models are not quick, and the configuration needs the phases only
    from pywats_api.production_records import ProcessVerification, Unit, UnitVerification

#: What the configuration wants where nobody knows.
Policy: TypeAlias = Literal["fail", "pass"]

#: Known as failed, or gone. A repaired unit has to leave its repair phase before it may go on.
BLOCKING_PHASES: Final = (
    UnitPhaseFlag.SCRAPPED,
    UnitPhaseFlag.MISSING,
    UnitPhaseFlag.PRODUCTION_REPAIR,
    UnitPhaseFlag.WAITING_PRODUCTION_REPAIR,
)

_PASSED: Final = frozenset({"passed", "pass", "ok", "warning"})
_NAME_LENGTH: Final = 100
_REASON_LENGTH: Final = 400


@dataclass(frozen=True, slots=True)
class Verdict:
    """A fitness and why; the reason does not name the unit."""

    fitness: Fitness
    reason: str = ""
    code: int = ReasonCode.FIT


FIT: Final = Verdict(Fitness.FIT)
MARKED_BAD: Final = Verdict(
    Fitness.NOT_CHECKED, "marked as bad by the machine, not checked", ReasonCode.MARKED_BAD
)
NO_TRACE: Final = Verdict(
    Fitness.NOT_CHECKED,
    "not checked: WATS keeps nothing that traceability could be judged by",
    ReasonCode.NOT_CHECKABLE,
)


def unfit(reason: str, code: ReasonCode) -> Verdict:
    """Give the verdict that a unit may not be worked on."""
    return Verdict(Fitness.UNFIT, reason, code)


def by_policy(policy: Policy, reason: str, code: ReasonCode, *, key: str) -> Verdict:
    """Give the verdict that the configuration wants, naming the key that decided."""
    if policy == "pass":
        return Verdict(Fitness.FIT, f'{reason}; let pass ({key} is "pass")')
    return unfit(reason, code)


def phase_verdict(unit: Unit, blocking: Collection[int]) -> Verdict | None:
    """Judge the phase that a unit is in; None where it is in nobody's way."""
    phase = unit.unit_phase_id
    if phase is None and unit.unit_phase:
        try:
            phase = phase_of(unit.unit_phase)
        except ValueError:  # a phase that we have no name for can't be configured as blocking either
            return None
    if phase not in blocking:
        return None
    return unfit(f"is in phase {unit.unit_phase or phase_name(phase)}", ReasonCode.PHASE)


def sub_units(unit: Unit) -> Iterator[Unit]:
    """Give the units that are built into a unit, at any depth."""
    waiting = list(reversed(unit.sub_units))
    while waiting:
        child = waiting.pop()
        yield child
        waiting.extend(reversed(child.sub_units))


def operations_before(
    verification: UnitVerification, process: int | None, index: int | None
) -> Sequence[ProcessVerification]:
    """Give the operations that come before a station's, in their order; all where nobody knows.

    Args:
        verification: the answer of WATS.
        process: code of the station's operation.
        index: its ``processIndex`` on the account, for an operation that the rule does not name.
    """
    indexed = [
        (result.process_index, result)
        for result in verification.results
        if isinstance(result.process_index, int)
    ]
    if len(indexed) < len(verification.results):  # as listed, since their indexes do not tell
        operations, index = verification.results, None
    else:
        indexed.sort(key=lambda pair: pair[0])
        operations = [result for _, result in indexed]
    for place, operation in enumerate(operations):
        if process is not None and operation.process_code == process:
            return operations[:place]
    return operations if index is None else [result for number, result in indexed if number < index]


def operations_verdict(
    operations: Iterable[ProcessVerification], *, must_be_run: bool, zone: tzinfo | None = None
) -> Verdict | None:
    """Judge the operations that come before; None where none is in the way.

    Args:
        operations: they, in their order.
        must_be_run: whether one that was never run is in the way (route), or only a failed one (status).
        zone: of the machine, for times in the reason.
    """
    bad = [one for one in operations if not _is_passed(one) and (must_be_run or _is_run(one))]
    if not bad:
        return None
    first, more = bad[0], len(bad) - 1
    name = f"{first.process_name or 'operation'} ({first.process_code})"
    if _is_run(first):
        reason = f"{name} was not passed: {_last_run(first, zone)}"
        code = ReasonCode.NOT_PASSED
    else:
        reason, code = f"{name} was not passed: it was never run", ReasonCode.NOT_RUN
    return unfit(f"{reason}; {more} more not passed" if more else reason, code)


def has_runs(verification: UnitVerification | None) -> bool:
    """Tell whether WATS has seen a test of the unit."""
    return verification is not None and any(map(_is_run, verification.results))


def _is_run(operation: ProcessVerification) -> bool:
    if operation.total_count is None:
        return operation.start_utc is not None
    return operation.total_count > 0


def _is_passed(operation: ProcessVerification) -> bool:
    # only words that plainly say so: a status that nobody knows is no pass
    return operation.total_count != 0 and (operation.status or "").strip().lower() in _PASSED


def _last_run(operation: ProcessVerification, zone: tzinfo | None) -> str:
    words = ["last run", (operation.status or "without a result").lower()]
    if operation.start_utc is not None:
        moment = operation.start_utc.astimezone(zone or UTC)
        words.append(f"{moment:%Y-%m-%d %H:%M}{'' if moment.utcoffset() and zone else ' UTC'}")
    if operation.station_name:
        words.append(f"at {operation.station_name}")
    return " ".join(words)


def answer_of(unit: AskedUnit, name: str | None, verdict: Verdict) -> UnitAnswer:
    """Give the answer on a unit: its name stands before the reason."""
    reason = f"{short(name, _NAME_LENGTH) or 'unit'}: {verdict.reason}" if verdict.reason else ""
    return UnitAnswer(unit, verdict.fitness, one_line(reason), int(verdict.code))


def one_line(text: str) -> str:
    """Make a text one line that a machine's display can hold."""
    return short(" ".join(text.split()), _REASON_LENGTH) or ""


def answer_to_all(answers: Sequence[UnitAnswer], *, listed: bool = True) -> UnitsAnswer:
    """Put the answers together: unfit if any unit is, fit if any is and none is unfit.

    Args:
        answers: one for each unit, in their order.
        listed: whether the question lists its units.
    """
    by_fitness: Mapping[Fitness, list[UnitAnswer]] = {
        fitness: [answer for answer in answers if answer.fitness is fitness] for fitness in Fitness
    }
    fitness = next((one for one in (Fitness.UNFIT, Fitness.FIT) if by_fitness[one]), Fitness.NOT_CHECKED)
    deciding = by_fitness[fitness]
    first = next((answer for answer in deciding if answer.reason), None)
    reason = first.reason if first else ""
    if fitness is Fitness.UNFIT and len(answers) > 1:
        reason = one_line(f"{len(deciding)} of {len(answers)} units are unfit; {reason}")
    return UnitsAnswer(fitness, reason, first.code if first else 0, tuple(answers) if listed else ())
