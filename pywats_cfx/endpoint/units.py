"""``ValidateUnitsRequest`` as the question that it is, and the verdict as ``ValidateUnitsResponse``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pywats_cfx import messages as cfx
from pywats_cfx.envelope import CFXEnvelope
from pywats_events.questions import AskedUnit, Check, Fitness, UnitAnswer, UnitsAnswer, UnitsQuestion

_CHECKS: Final[Mapping[str, Check]] = {
    cfx.ValidationType.UnitRouteValidation: Check.ROUTE,
    cfx.ValidationType.UnitStatusValidation: Check.STATUS,
    cfx.ValidationType.UnitAndSubsStatusValidation: Check.STATUS_WITH_SUB_UNITS,
    cfx.ValidationType.UnitTraceValidation: Check.TRACE,
}
_VERDICTS: Final[Mapping[Fitness, cfx.ValidationStatus]] = {
    Fitness.FIT: cfx.ValidationStatus.Passed,
    Fitness.UNFIT: cfx.ValidationStatus.Failed,
    Fitness.NOT_CHECKED: cfx.ValidationStatus.Skipped,
}
_BAD: Final = frozenset({cfx.UnitStatus.Fail, cfx.UnitStatus.Scrap, cfx.UnitStatus.Skip})


def question_of(request: CFXEnvelope, message: cfx.ValidateUnitsRequest) -> UnitsQuestion:
    """Give the question that a machine asks.

    Args:
        request: the envelope, which says who asks.
        message: the request in it.
    """
    kinds = [kind for kind in message.validations if kind is not None]
    # a kind that we don't know stands for all: what is not looked at must not look like a pass
    checks = frozenset(_CHECKS[kind] for kind in kinds if kind in _CHECKS)
    return UnitsQuestion(
        asker=request.source or "",
        primary_id=message.primary_identifier or None,
        units=tuple(_asked(unit) for unit in message.units),
        checks=checks if all(kind in _CHECKS for kind in kinds) else frozenset(),
        asked_at=request.time_stamp,
    )


def response_of(question: UnitsQuestion, answer: UnitsAnswer) -> cfx.ValidateUnitsResponse:
    """Give the answer on the wire. An unfit unit is Failed in its entry; the request as such succeeded."""
    unsaid = UnitAnswer(AskedUnit(None), Fitness.NOT_CHECKED, "the validator said nothing of this unit")
    answers = [*answer.units, *[unsaid] * len(question.units)]
    return cfx.ValidateUnitsResponse(
        result=cfx.RequestResult(result=cfx.StatusResult.Success, result_code=0, message="OK"),
        primary_result=_verdict(question.primary_id, 0, answer),
        validation_results=[
            _verdict(unit.unit_id, unit.position or 0, said)
            for unit, said in zip(question.units, answers, strict=False)
        ],
    )


def _asked(unit: cfx.UnitPosition) -> AskedUnit:
    return AskedUnit(
        unit_id=unit.unit_identifier or None,
        position=unit.position_number or None,  # 0 when it was not set
        position_name=unit.position_name or None,
        marked_bad=unit.status in _BAD,
    )


def _verdict(unit_id: str | None, position: int, said: UnitAnswer | UnitsAnswer) -> cfx.ValidationResult:
    return cfx.ValidationResult(
        unique_identifier=unit_id,
        position_number=position,
        result=_VERDICTS[said.fitness],
        failure_code=said.code,
        message=said.reason or ("OK" if said.fitness is Fitness.FIT else said.fitness.value),
    )
