"""Who answers whether units may be worked on: WATS, a validator of one's own, or nobody."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from handlers import Rules
from pywats_api import AsyncWATS, RetryConfig, Unit
from pywats_api.server import LocalWATS
from pywats_bridge.settings import ConfigurationError, ValidationSettings, settings_of
from pywats_bridge.validating import validator_of
from pywats_events.journal.memory import MemoryJournal
from pywats_events.questions import Fitness, ReasonCode, UnitsAnswer, UnitsQuestion

QUESTION = UnitsQuestion("//Acme/L1/ICT01", "SN-1")
LEAST: dict[str, Any] = {"wats": {"url": "https://acme.wats.com", "token": "a-token"}, "cfx": {}}
OWN = """
from pywats_events.questions import Fitness, UnitsAnswer

class Plain:
    async def validate(self, question):
        return UnitsAnswer(Fitness.FIT, f"own: {question.primary_id}")

class OfClient(Plain):
    def __init__(self, api):
        self.api = api
    async def validate(self, question):
        return UnitsAnswer(Fitness.FIT, f"own, with {self.api!r}")

class Late(Plain):
    async def validate(self, question):
        import asyncio
        await asyncio.Event().wait()

class Blocking:
    def validate(self, question):
        return None

class Greedy(Plain):
    def __init__(self, one, two): ...

class Broken(Plain):
    def __init__(self):
        raise RuntimeError("no\\nlicence")

number = 5
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of a user's, installed."""
    (tmp_path / "own_validators.py").write_text(OWN, encoding="utf-8")
    (tmp_path / "own_mistake.py").write_text("import nothing_of_that_name", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)


async def answer(api: AsyncWATS | None = None, **settings: Any) -> UnitsAnswer:
    client = api or AsyncWATS("http://127.0.0.1:9", "a-token", retry_config=RetryConfig(max_attempts=1))
    try:
        validator = validator_of(
            ValidationSettings.model_validate({"enabled": True, **settings}), client, Rules(), MemoryJournal()
        )
        assert validator is not None
        return await validator.validate(QUESTION)
    finally:
        await client.aclose()


async def test_nobody_answers_unless_it_is_enabled():
    """To let machines depend on the bridge is somebody's decision."""
    async with AsyncWATS("http://127.0.0.1:9", "a-token") as api:
        assert validator_of(ValidationSettings(), api, Rules(), MemoryJournal()) is None


async def test_wats_answers_by_the_settings(tmp_path):
    """Phases and policies reach it."""
    async with LocalWATS(tmp_path / "wats.sqlite") as server:
        unknown = await answer(AsyncWATS(server.url, "t"))
        passed = await answer(AsyncWATS(server.url, "t"), unknown_unit="pass", no_rule="fail")
        async with AsyncWATS(server.url, "t") as api:
            await api.product.create_product("P")
            await api.production.create_unit(Unit(serial_number="SN-1", part_number="P", unit_phase_id=2048))
        shipped = await answer(AsyncWATS(server.url, "t"), blocking_phases=["Shipped"])
    assert unknown.code == ReasonCode.UNKNOWN_UNIT
    assert passed.code == ReasonCode.NO_RULE
    assert shipped.code == ReasonCode.PHASE


@pytest.mark.parametrize(("policy", "fitness"), [("fail", Fitness.UNFIT), ("pass", Fitness.FIT)])
async def test_wats_that_is_not_there_by_the_settings(policy, fitness):
    """The policy holds for units as for whole questions."""
    assert (await answer(when_unanswered=policy)).fitness is fitness


@pytest.mark.usefixtures("own")
async def test_a_validator_of_ones_own():
    """It is made without arguments, or with the client where it needs one."""
    assert (await answer(validator="own_validators:Plain")).reason == "own: SN-1"
    assert "AsyncWATS" in (await answer(validator="own_validators:OfClient")).reason


@pytest.mark.usefixtures("own")
async def test_the_time_limit_holds_for_ones_own_too():
    """And so does the policy."""
    late = await answer(validator="own_validators:Late", time_limit=0.05, when_unanswered="pass")
    assert late.fitness is Fitness.FIT
    assert "no answer within 0.05 s" in late.reason


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("own_nothing:X", "ModuleNotFoundError: No module named 'own_nothing'"),
        ("own_mistake:X", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("own_validators:Nobody", "AttributeError: module 'own_validators' has no attribute 'Nobody'"),
        ("own_validators:number", "is no class"),
        ("own_validators:Blocking", "has no method: async def validate(self, question)"),
        ("own_validators:Greedy", "takes (one, two); it should take nothing, or the WATS client"),
        ("own_validators:Broken", "RuntimeError: no licence"),
    ],
)
async def test_a_mistake_in_it_is_one_line(path, line):
    """Known when the bridge starts, not when the first machine asks."""
    with pytest.raises(ConfigurationError) as refused:
        await answer(validator=path)
    assert refused.value.mistakes == [f"validation.validator: {path}: {line}"]


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ({"enable": True}, "validation.enable: no such key; did you mean enabled?"),
        ({"time_limit": 0}, "validation.time_limit: Input should be greater than 0"),
        ({"when_unanswered": "maybe"}, "validation.when_unanswered: Input should be 'fail' or 'pass'"),
        ({"validator": "own.py"}, "validation.validator: should look like package.module:Class"),
        ({"blocking_phases": "Scrapped"}, "validation.blocking_phases: should be a list"),
        (
            {"blocking_phases": ["Scraped"]},
            "validation.blocking_phases: 'Scraped' is no unit phase; WATS knows",
        ),
        ({"blocking_phases": [3]}, "validation.blocking_phases: 3 is no unit phase"),
    ],
)
def test_a_mistake_in_the_section_is_one_line(section, line):
    """With its key and the reason."""
    with pytest.raises(ConfigurationError) as refused:
        settings_of({**LEAST, "validation": section}, base=Path())
    (mistake,) = refused.value.mistakes
    assert mistake.startswith(line)


def test_the_environment_sets_it_too(monkeypatch):
    """As every other key of the page."""
    monkeypatch.setenv("PYWATS_BRIDGE_VALIDATION__ENABLED", "true")
    monkeypatch.setenv("PYWATS_BRIDGE_VALIDATION__BLOCKING_PHASES", '["Shipped", 32]')
    validation = settings_of(LEAST, base=Path()).validation
    assert (validation.enabled, validation.blocking_phases) == (True, ("Shipped", 32))


def test_the_page_lists_the_codes():
    """A machine's display shows a number; the configuration page says what it means."""
    page = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"Answers carry a number.*?failed\.", page, flags=re.DOTALL)
    numbers = {int(number) for number in re.findall(r"\b\d+\b", listed)}
    assert numbers == set(map(int, ReasonCode))
