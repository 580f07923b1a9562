"""An answer in time, whatever becomes of the validator that is asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from handlers.names import short
from handlers.validation import reason_of
from handlers.validation_verdicts import MARKED_BAD, Policy, Verdict, answer_of, answer_to_all, by_policy
from pywats_api.errors import PyWATSError
from pywats_events.questions import (
    AskedUnit,
    Fitness,
    ReasonCode,
    UnitAnswer,
    UnitsAnswer,
    UnitsQuestion,
    UnitValidator,
)

_log = structlog.get_logger(__name__)

_MOST_LEFT: Final = 100
_NAME_LENGTH: Final = 100


class TimedValidator:
    """Asks another validator, and answers by the configuration where that one does not.

    A validator that is late is cancelled and left to itself: the machine hears its answer even when the
    validator does not end. One that leaves too many questions unended is asked no more until some end.
    Each question is one line in the log.
    """

    def __init__(
        self,
        validator: UnitValidator,
        *,
        time_limit: float = 5.0,
        when_unanswered: Policy = "fail",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wrap a validator.

        Args:
            validator: the one that knows.
            time_limit: seconds after which the machine gets its answer.
            when_unanswered: what that answer is then: ``fail`` (unfit) or ``pass`` (fit).
            clock: seconds that only go forward, for the log.
        """
        self._validator = validator
        self._time_limit = time_limit
        self._when_unanswered: Policy = when_unanswered
        self._clock = clock
        self._left: set[asyncio.Task[UnitsAnswer]] = set()

    async def validate(self, question: UnitsQuestion) -> UnitsAnswer:
        """Answer within the time limit; raises nothing but the end of the program."""
        started = self._clock()
        if len(self._left) >= _MOST_LEFT:
            answer = self._unanswered(question, "the validator does not end", ReasonCode.VALIDATOR_FAILED)
        else:
            answer = await self._in_time(question)
        verdicts = [one.fitness for one in answer.units] or [answer.fitness]
        _log.info(
            "units validated",
            asker=question.asker,
            unit_id=_name(question),
            outcome=answer.fitness.value,
            code=answer.code,
            reason=answer.reason,
            units=len(verdicts),
            unfit=verdicts.count(Fitness.UNFIT),
            seconds=round(self._clock() - started, 3),
        )
        return answer

    async def _in_time(self, question: UnitsQuestion) -> UnitsAnswer:
        task = asyncio.create_task(self._ask(question), name="validate units")
        try:
            await asyncio.wait({task}, timeout=self._time_limit)
        finally:
            if not task.done():
                self._leave(task)
        if task in self._left:
            reason = f"no answer within {self._time_limit:g} s"
            return self._unanswered(question, reason, ReasonCode.NO_ANSWER)
        if task.cancelled():  # by the validator itself
            return self._unanswered(question, "the validator gave up", ReasonCode.VALIDATOR_FAILED)
        return task.result()

    async def _ask(self, question: UnitsQuestion) -> UnitsAnswer:
        try:
            answer = await self._validator.validate(question)
            _check(answer, question)
        except PyWATSError as error:
            return self._unanswered(question, *reason_of(error))
        except Exception as error:  # noqa: BLE001  # whatever it is: a machine waits, and its line stands still
            _log.exception("validator failed", asker=question.asker, unit_id=_name(question))
            reason = f"the validator failed ({type(error).__name__})"
            return self._unanswered(question, reason, ReasonCode.VALIDATOR_FAILED)
        return answer

    def _leave(self, task: asyncio.Task[UnitsAnswer]) -> None:
        self._left.add(task)
        task.add_done_callback(self._left.discard)
        task.cancel()

    def _unanswered(self, question: UnitsQuestion, reason: str, code: ReasonCode) -> UnitsAnswer:
        verdict = by_policy(self._when_unanswered, reason, code, key="when_unanswered")
        units = question.units or (AskedUnit(question.primary_id),)
        answers = [self._by_verdict(unit, question.primary_id, verdict) for unit in units]
        return answer_to_all(answers, listed=bool(question.units))

    @staticmethod
    def _by_verdict(unit: AskedUnit, primary_id: str | None, verdict: Verdict) -> UnitAnswer:
        name = unit.unit_id or primary_id
        return answer_of(unit, name, MARKED_BAD if unit.marked_bad else verdict)  # no policy makes it good


def _check(answer: object, question: UnitsQuestion) -> None:
    if not isinstance(answer, UnitsAnswer):
        raise TypeError(f"the validator answered with {type(answer).__name__}, not UnitsAnswer")
    if len(answer.units) != len(question.units):
        raise ValueError(f"the validator answered {len(answer.units)} of {len(question.units)} units")


def _name(question: UnitsQuestion) -> str | None:
    first = question.units[0].unit_id if question.units else None
    return short(question.primary_id or first, _NAME_LENGTH)
