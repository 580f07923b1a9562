"""Whether units may be worked on, answered from what WATS knows of them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final, Protocol

import structlog

from handlers.memory import FactStore
from handlers.rules import Rules
from handlers.sources import PartSource
from handlers.validation_units import Identities, Identity
from handlers.validation_verdicts import (
    BLOCKING_PHASES,
    FIT,
    MARKED_BAD,
    NO_TRACE,
    Policy,
    Verdict,
    answer_of,
    answer_to_all,
    by_policy,
    has_runs,
    operations_before,
    operations_verdict,
    phase_verdict,
    sub_units,
    unfit,
)
from handlers.wats import told
from pywats_api.errors import AuthenticationError, AuthorizationError, NotFoundError, PyWATSError
from pywats_api.process_records import Process
from pywats_api.production_records import Unit, UnitVerification
from pywats_api.wsjf import find_forbidden
from pywats_events.questions import (
    AskedUnit,
    Check,
    Fitness,
    ReasonCode,
    UnitAnswer,
    UnitsAnswer,
    UnitsQuestion,
)

_log = structlog.get_logger(__name__)

_AT_ONCE: Final = 8  # units of one question; the client bounds all its requests together
_SERIAL_LENGTH: Final = 100
_IN_TIME: Final = 0.9  # of the time limit: units that are answered by then keep their own answer
_STATUSES: Final = frozenset({Check.STATUS, Check.STATUS_WITH_SUB_UNITS})


class Production(Protocol):
    """``api.production``."""

    async def get_unit(self, serial_number: str, part_number: str, /) -> Unit | None:
        """Give a unit with those built into it."""

    async def get_unit_verification(self, serial_number: str, part_number: str, /) -> UnitVerification | None:
        """Say how a unit stands against its verification rule."""


class Processes(Protocol):
    """``api.process``."""

    async def get_processes(self) -> list[Process]:
        """List the operations of the account."""


class ProductionSource(Protocol):
    """The part of the WATS client that is used here."""

    @property
    def production(self) -> Production:
        """Units."""

    @property
    def process(self) -> Processes:
        """Operations."""


class WatsUnitValidator:
    """Answers by the phase of a unit and by the verification rule of its product.

    | check | a unit is unfit when |
    |---|---|
    | status | WATS does not know it; its phase blocks; an operation before this station's failed last |
    | status with sub-units | the same, and for the units that are built into it |
    | route | an operation before this station's was not passed |
    | trace | never: WATS keeps nothing to judge it by (not checked where nothing else is asked) |

    What comes before is decided by the order of WATS and by the operation that is configured for the asking
    station. Without one, all operations of the rule come before.
    """

    def __init__(
        self,
        api: ProductionSource,
        rules: Rules,
        memory: FactStore,
        *,
        blocking_phases: Collection[int] = BLOCKING_PHASES,
        no_rule: Policy = "pass",
        unknown_unit: Policy = "fail",
        when_unanswered: Policy = "fail",
        time_limit: float | None = None,
        sources: Sequence[PartSource] | None = None,
    ) -> None:
        """Make the validator.

        Args:
            api: the WATS client.
            rules: the configuration: stations, products, serial numbers.
            memory: the journal, or the part of it that keeps facts.
            blocking_phases: numbers of the phases that no unit may be worked on in.
            no_rule: what becomes of units of a product without a verification rule.
            unknown_unit: what becomes of units that WATS has never seen.
            when_unanswered: what becomes of units that WATS gave no answer about.
            time_limit: seconds for a whole question; a little is left for the way back.
            sources: where part numbers come from, in order; the default ones when left out.
        """
        self._api = api
        self._rules = rules
        self._memory = memory
        self._blocking = frozenset(map(int, blocking_phases))
        self._no_rule: Policy = no_rule
        self._unknown_unit: Policy = unknown_unit
        self._when_unanswered: Policy = when_unanswered
        self._time_limit = time_limit
        self._sources = sources

    async def validate(self, question: UnitsQuestion) -> UnitsAnswer:
        """Answer a question. A unit that WATS gives no answer about does not hide what is known of others."""
        identities = Identities(question, self._rules, self._memory, sources=self._sources)
        units = await identities.units()
        asking = _Asking(question, identities, _deadline(self._time_limit))
        answers: dict[int, UnitAnswer] = {}
        waiting = iter(enumerate(units))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(_AT_ONCE, len(units))):
                group.create_task(self._work(asking, waiting, answers))
        return answer_to_all([answers[place] for place in range(len(units))], listed=bool(question.units))

    async def _work(
        self, asking: _Asking, waiting: Iterator[tuple[int, AskedUnit]], answers: dict[int, UnitAnswer]
    ) -> None:
        for place, unit in waiting:
            answers[place] = await self._answer(asking, unit)

    async def _answer(self, asking: _Asking, unit: AskedUnit) -> UnitAnswer:
        name = unit.unit_id or asking.question.primary_id
        if unit.marked_bad:
            return answer_of(unit, name, MARKED_BAD)
        if asking.checks == {Check.TRACE}:
            return answer_of(unit, name, NO_TRACE)
        if asking.trouble is not None:
            return answer_of(unit, name, self._unanswered(*reason_of(asking.trouble)))
        try:
            async with asyncio.timeout_at(asking.deadline):
                identity = await asking.identities.of(unit)
                name = identity.serial or name
                verdict = _wrong_serial(identity.serial) or await self._verdict(asking, identity)
        except PyWATSError as error:
            if error.unavailable or isinstance(error, AuthorizationError):
                asking.trouble = error  # the other units need not ask in vain
            _log.debug("unit not validated", unit_id=name, error=told(error))
            verdict = self._unanswered(*reason_of(error))
        except TimeoutError:
            verdict = self._unanswered("no answer of WATS in time", ReasonCode.NO_ANSWER)
        return answer_of(unit, name, verdict)

    def _unanswered(self, reason: str, code: ReasonCode) -> Verdict:
        return by_policy(self._when_unanswered, reason, code, key="when_unanswered")

    async def _verdict(self, asking: _Asking, identity: Identity) -> Verdict:
        needs_status = bool(asking.checks & _STATUSES)
        unit = await self._unit(identity) if needs_status else None
        blocked = phase_verdict(unit, self._blocking) if unit is not None else None
        if blocked is not None:
            return blocked
        verification = await self._verification(identity.serial, identity.part_number)
        if not needs_status and not has_runs(verification):
            unit = await self._unit(identity)
        is_unknown = unit is None and not has_runs(verification)
        if is_unknown and self._unknown_unit == "fail":
            return self._unknown(identity)
        verdict = await self._by_operations(asking, identity, verification)
        if verdict.fitness is Fitness.FIT and unit and Check.STATUS_WITH_SUB_UNITS in asking.checks:
            verdict = await self._by_sub_units(asking, unit) or verdict
        return self._unknown(identity) if is_unknown and not verdict.reason else verdict

    def _unknown(self, identity: Identity) -> Verdict:
        of = f" of part {identity.part_number}" if identity.part_number else ""
        return by_policy(
            self._unknown_unit,
            f"WATS has never seen this unit{of}",
            ReasonCode.UNKNOWN_UNIT,
            key="unknown_unit",
        )

    async def _by_operations(
        self, asking: _Asking, identity: Identity, verification: UnitVerification | None
    ) -> Verdict:
        needs_route = Check.ROUTE in asking.checks
        if verification is None or not (verification.results or verification.is_passing):
            if not needs_route:
                return FIT
            of = f"part {identity.part_number}" if identity.part_number else "its product"
            return by_policy(
                self._no_rule,
                f"WATS has no verification rule for {of}",
                ReasonCode.NO_RULE,
                key="no_rule",
            )
        if verification.is_passing:
            return FIT
        index = await self._index(identity.process, verification)
        before = operations_before(verification, identity.process, index)
        found = operations_verdict(before, must_be_run=needs_route, zone=asking.zone)
        if found is None:
            return FIT
        if identity.process is None:
            return unfit(f"{found.reason}; no process is configured for this station", ReasonCode(found.code))
        return found

    async def _index(self, process: int | None, verification: UnitVerification) -> int | None:
        """Give the place of a station's operation in the line, where the rule does not name it."""
        if process is None or any(result.process_code == process for result in verification.results):
            return None
        known = await self._api.process.get_processes()
        return next((entry.process_index for entry in known if entry.code == process), None)

    async def _by_sub_units(self, asking: _Asking, unit: Unit) -> Verdict | None:
        for child in sub_units(unit):
            found = phase_verdict(child, self._blocking)
            if found is None:
                verification = await self._verification(child.serial_number, child.part_number or "")
                if verification is not None and not verification.is_passing:
                    found = operations_verdict(verification.results, must_be_run=False, zone=asking.zone)
            if found is not None:
                return unfit(f"sub-unit {child.serial_number}: {found.reason}", ReasonCode.SUB_UNIT)
        return None

    async def _unit(self, identity: Identity) -> Unit | None:
        try:
            return await self._api.production.get_unit(identity.serial, identity.part_number)
        except NotFoundError:
            return None

    async def _verification(self, serial: str, part_number: str) -> UnitVerification | None:
        try:
            return await self._api.production.get_unit_verification(serial, part_number)
        except NotFoundError:
            return None


@dataclass(slots=True)
class _Asking:
    """A question on its way.

    Attributes:
        trouble: why it is in vain to ask WATS about the units that are left.
    """

    question: UnitsQuestion
    identities: Identities
    deadline: float | None
    trouble: PyWATSError | None = None

    @property
    def checks(self) -> frozenset[Check]:
        return self.question.checks or frozenset(Check)

    @property
    def zone(self) -> tzinfo | None:
        return self.question.asked_at.tzinfo if self.question.asked_at else None


def reason_of(error: PyWATSError) -> tuple[str, ReasonCode]:
    """Say in a few words for a machine's operator why WATS gave no answer."""
    if isinstance(error, AuthenticationError):
        return "WATS refuses the bridge's token", ReasonCode.NO_ACCESS
    if isinstance(error, AuthorizationError):
        return "WATS does not let the bridge ask (403)", ReasonCode.NO_ACCESS
    if isinstance(error, TimeoutError):
        return "no answer of WATS in time", ReasonCode.NO_ANSWER
    if error.unavailable:
        status = f" ({error.status_code})" if error.status_code else ""
        return f"WATS can't be reached{status}", ReasonCode.UNREACHABLE
    said = error.server_text or type(error).__name__
    return f"WATS answered with an error: {said}", ReasonCode.WATS_ERROR


def _deadline(time_limit: float | None) -> float | None:
    return None if time_limit is None else asyncio.get_running_loop().time() + time_limit * _IN_TIME


def _wrong_serial(serial: str) -> Verdict | None:
    """Judge a serial number that no unit in WATS can have, without asking."""
    if not serial:
        return unfit("the machine names neither the unit nor its panel", ReasonCode.UNNAMED)
    if len(serial) > _SERIAL_LENGTH:
        reason = f"its serial number has {len(serial)} characters, WATS takes {_SERIAL_LENGTH}"
        return unfit(reason, ReasonCode.UNKNOWN_UNIT)
    forbidden = find_forbidden(serial)
    if forbidden:
        return unfit(f"its serial number holds {forbidden}", ReasonCode.UNKNOWN_UNIT)
    return None
