"""A machine that asks gets its answer in time, whatever becomes of who is asked."""

import asyncio

import pytest
from shopfloor import rules, taught
from structlog.testing import capture_logs

from handlers.validation import WatsUnitValidator
from handlers.validation_timed import TimedValidator
from pywats_api import AsyncWATS, RetryConfig, ServerError
from pywats_events.questions import (
    AskedUnit,
    Fitness,
    ReasonCode,
    UnitAnswer,
    UnitsAnswer,
    UnitsQuestion,
)

ASKER = "//Acme/L1/ICT01"
QUESTION = UnitsQuestion(ASKER, "PANEL-7", (AskedUnit("S1", 1), AskedUnit("S2", 2, marked_bad=True)))
GOOD = UnitsAnswer(Fitness.FIT, units=tuple(UnitAnswer(unit, Fitness.FIT) for unit in QUESTION.units))
POLICIES = [("fail", Fitness.UNFIT), ("pass", Fitness.FIT)]


class Says:
    """A validator of a user's: answers, raises, or does what it is given."""

    def __init__(self, outcome):
        self.outcome = outcome

    async def validate(self, question):
        """Answer as told."""
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return await self.outcome(question) if callable(self.outcome) else self.outcome


async def never(_):
    await asyncio.Event().wait()


async def over_wats(api, **options):
    return TimedValidator(WatsUnitValidator(api, rules(), await taught()), **options)


async def test_a_good_answer_is_passed_on():
    """As it is."""
    assert await TimedValidator(Says(GOOD)).validate(QUESTION) is GOOD


@pytest.mark.parametrize(("policy", "fitness"), POLICIES)
@pytest.mark.parametrize(
    ("outcome", "code", "said"),
    [
        (never, ReasonCode.NO_ANSWER, "no answer within 0.05 s"),
        (RuntimeError("s3cret"), ReasonCode.VALIDATOR_FAILED, "the validator failed (RuntimeError)"),
        (ExceptionGroup("two", [OSError()]), ReasonCode.VALIDATOR_FAILED, "failed (ExceptionGroup)"),
        (asyncio.CancelledError(), ReasonCode.VALIDATOR_FAILED, "the validator gave up"),
        (ServerError("500", server_text="odd"), ReasonCode.WATS_ERROR, "answered with an error: odd"),
        ("yes", ReasonCode.VALIDATOR_FAILED, "the validator failed (TypeError)"),
        (UnitsAnswer(Fitness.FIT), ReasonCode.VALIDATOR_FAILED, "the validator failed (ValueError)"),
    ],
)
async def test_no_answer_is_answered_as_configured(outcome, code, said, policy, fitness):
    """Late, broken or nonsense: the units are what the configuration says, and the reason says why."""
    validator = TimedValidator(Says(outcome), time_limit=0.05, when_unanswered=policy)
    answer = await validator.validate(QUESTION)
    first, marked = answer.units
    assert (answer.fitness, first.fitness, first.unit) == (fitness, fitness, QUESTION.units[0])
    assert first.code == (0 if policy == "pass" else code)
    assert said in first.reason
    assert "s3cret" not in answer.reason
    assert ("when_unanswered" in first.reason) == (policy == "pass")
    assert (marked.fitness, marked.code) == (Fitness.NOT_CHECKED, ReasonCode.MARKED_BAD)


async def test_a_validator_that_does_not_end_keeps_no_machine_waiting():
    """It is told to end and left to itself; when too many are left, no more are begun until some end."""
    begun, end = [], asyncio.Event()

    async def stubborn(_):
        begun.append(1)
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                continue
        return GOOD

    validator = TimedValidator(Says(stubborn), time_limit=0.001)
    for _ in range(105):
        assert (await validator.validate(QUESTION)).fitness is Fitness.UNFIT
    assert len(begun) == 100
    left = asyncio.all_tasks() - {asyncio.current_task()}
    end.set()
    await asyncio.gather(*left, return_exceptions=True)
    assert (await TimedValidator(Says(stubborn)).validate(QUESTION)) is GOOD
    assert (await validator.validate(QUESTION)) is GOOD


async def test_a_machine_that_goes_away_ends_the_asking():
    """A cancelled question is not asked on behind its back."""
    ended = asyncio.Event()
    begun = asyncio.Event()

    async def long(_):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    asking = asyncio.create_task(TimedValidator(Says(long), time_limit=60).validate(QUESTION))
    await begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await ended.wait()


async def test_each_question_is_one_line_in_the_log():
    """Who asked about what, and what came of it."""
    with capture_logs() as logs:
        await TimedValidator(Says(GOOD)).validate(QUESTION)
        await TimedValidator(Says(never), time_limit=0.01).validate(UnitsQuestion(ASKER, "SN-1"))
    first, second = logs
    assert (first["asker"], first["unit_id"], first["outcome"], first["units"]) == (
        ASKER,
        "PANEL-7",
        "fit",
        2,
    )
    assert (second["unit_id"], second["outcome"], second["code"]) == ("SN-1", "unfit", ReasonCode.NO_ANSWER)
    assert second["reason"] == "SN-1: no answer within 0.01 s"


# --- over WATS


@pytest.mark.parametrize(("policy", "fitness"), POLICIES)
async def test_wats_is_stopped(wats, api, policy, fitness):
    """The machine hears so, and not that its unit is bad."""
    await wats.stop()
    validator = TimedValidator(
        WatsUnitValidator(api, rules(), await taught(), when_unanswered=policy), when_unanswered=policy
    )
    answer = await validator.validate(UnitsQuestion(ASKER, "SN-1"))
    assert answer.fitness is fitness
    assert answer.reason.startswith("SN-1: WATS can't be reached")


async def test_wats_is_slower_than_a_machine_waits(wats, api):
    """The answer comes in time, without WATS."""
    wats.knobs.latency = 60
    answer = await (await over_wats(api, time_limit=0.1)).validate(QUESTION)
    assert (answer.units[0].fitness, answer.units[0].code) == (Fitness.UNFIT, ReasonCode.NO_ANSWER)


async def test_wats_refuses_the_token(wats):
    """Which is told in the words that somebody can act on, without the token."""
    options = {"requests_per_minute": None, "retry_config": RetryConfig(max_attempts=1)}
    async with AsyncWATS(wats.url, "a-wrong-token", **options) as api:
        answer = await (await over_wats(api)).validate(UnitsQuestion(ASKER, "SN-1"))
    assert (answer.fitness, answer.code) == (Fitness.UNFIT, ReasonCode.NO_ACCESS)
    assert answer.reason == "SN-1: WATS refuses the bridge's token"


async def test_a_journal_that_fails_is_a_failed_validator(api):
    """Even what should never happen has an answer, and a line in the log that tells more."""

    class Broken:
        async def recall(self, keys):
            raise OSError(f"disk is gone, and {len(keys)} facts with it")

        async def remember(self, facts):
            raise AssertionError(facts)

    with capture_logs() as logs:
        validator = TimedValidator(WatsUnitValidator(api, rules(), Broken()))
        answer = await validator.validate(UnitsQuestion(ASKER, "SN-1"))
    assert (answer.fitness, answer.code) == (Fitness.UNFIT, ReasonCode.VALIDATOR_FAILED)
    assert [entry["log_level"] for entry in logs] == ["error", "info"]
