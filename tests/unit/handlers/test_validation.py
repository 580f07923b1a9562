"""May a machine work on these units? Answered from WATS: by route, phase and the station that asks."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import httpx
import pytest
from shopfloor import event, rules, taught

from handlers.validation import WatsUnitValidator
from pywats_api import AsyncWATS, Product, RetryConfig, Unit
from pywats_api.server import LocalWATS, process
from pywats_api.wsjf import Report, SeqCall, Step
from pywats_events.event import EventType
from pywats_events.questions import AskedUnit, Check, Fitness, ReasonCode, UnitsQuestion

FIT, UNFIT, NOT_CHECKED = Fitness.FIT, Fitness.UNFIT, Fitness.NOT_CHECKED
ICT, FCT, AOI, UNCONFIGURED = "//Acme/L1/ICT01", "//Acme/L1/FCT01", "//Acme/L1/AOI01", "//Acme/L1/OVEN"
LINE = {
    "stations": [
        {"handle": ICT, "process": 30, "part_number": "P1"},
        {"handle": FCT, "process": 60, "part_number": "P1"},
        {"handle": AOI, "process": 141, "part_number": "P1"},
        {"handle": UNCONFIGURED, "part_number": "P1"},
    ]
}
START = datetime(2026, 3, 3, 14, 3, tzinfo=UTC)
ASKED = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
async def rule(wats):
    """Sets the verification rule of a product."""

    async def put(*codes, part="P1"):
        async with httpx.AsyncClient(base_url=wats.url) as client:
            answer = await client.put(
                "/local/verification-rules", json={"partNumber": part, "processes": list(codes)}
            )
            answer.raise_for_status()

    return put


async def ran(api, code, result="P", *, sn="SN-1001", pn="P1", minutes=0, machine="ICT-01"):
    """A test that WATS has a report of."""
    step = Step(
        name="all", step_type="SequenceCall", status=result, seq_call=SeqCall(name="prog", version="1")
    )
    await api.report.submit(
        Report(
            id=uuid4(),
            pn=pn,
            sn=sn,
            rev="A",
            process_code=code,
            result=result,
            machine_name=machine,
            location="L1",
            purpose="Production",
            start=START + timedelta(minutes=minutes),
            root=step,
        )
    )


async def asked(api, question, *earlier, line=LINE, **options):
    journal = await taught(*earlier)
    return await WatsUnitValidator(api, rules(**line), journal, **options).validate(question)


def one(serial="SN-1001", *checks, asker=FCT, asked_at=ASKED):
    return UnitsQuestion(asker, serial, checks=frozenset(checks), asked_at=asked_at)


def panel(*units, primary="PANEL-7", asker=FCT, checks=()):
    return UnitsQuestion(asker, primary, tuple(units), frozenset(checks), ASKED)


# --- the route


async def test_a_unit_that_passed_what_comes_before_is_fit(api, rule):
    """The station's own operation and later ones need not be passed yet."""
    await rule(30, 60, 100)
    await ran(api, 30)
    answer = await asked(api, one())
    assert (answer.fitness, answer.reason, answer.code, answer.units) == (FIT, "", 0, ())


async def test_a_failed_operation_is_told_with_time_and_place(api, rule):
    """In the time of the machine that asks, in one line."""
    await rule(30, 60)
    await ran(api, 30, "P")
    await ran(api, 30, "F", minutes=5)
    answer = await asked(api, one(asked_at=ASKED.astimezone(timezone(timedelta(hours=1)))))
    assert (answer.fitness, answer.code) == (UNFIT, ReasonCode.NOT_PASSED)
    assert answer.reason == "SN-1001: ICT (30) was not passed: last run failed 2026-03-03 15:08 at ICT-01"


@pytest.mark.parametrize("result", ["F", "E", "T"])
async def test_only_a_pass_is_a_pass(api, rule, result):
    """An error or an aborted run is none, whatever was passed before it."""
    await rule(30, 60)
    await ran(api, 30, result)
    answer = await asked(api, one("SN-1001", Check.ROUTE))
    assert answer.fitness is UNFIT
    assert "2026-03-03 14:03 UTC at ICT-01" in answer.reason


async def test_a_missing_operation(api, rule):
    """The first one in the order of the line is named, and how many more there are."""
    await rule(141, 30, 60, 100)
    await ran(api, 60)
    answer = await asked(api, one())
    assert (answer.fitness, answer.code) == (UNFIT, ReasonCode.NOT_RUN)
    assert answer.reason == "SN-1001: AOI top (141) was not passed: it was never run; 1 more not passed"


async def test_a_station_may_repeat_its_own_operation(api, rule):
    """That the unit failed here, or further down the line, is why it is here again."""
    await rule(30, 60)
    await ran(api, 30, "F")
    await ran(api, 60, "F", minutes=5)
    assert (await asked(api, one(asker=ICT))).fitness is FIT


async def test_passed_in_the_end_is_fit(api, rule):
    """WATS calls it a Warning; it is fit nevertheless."""
    await rule(30, 60)
    await ran(api, 30, "F")
    await ran(api, 30, "P", minutes=5)
    await ran(api, 60, "P", minutes=6)
    assert (await api.production.get_unit_verification("SN-1001", "P1")).status == "Warning"
    assert (await asked(api, one(asker=UNCONFIGURED))).fitness is FIT


async def test_a_station_that_the_rule_does_not_name(api, rule):
    """Stands in the line where the account's list of operations puts it."""
    await rule(30, 60)
    await ran(api, 60)
    assert (await asked(api, one(asker=AOI))).fitness is FIT  # 141 has the index before ICT's


async def test_a_station_without_an_operation(api, rule):
    """Nobody knows what comes before it, so all operations do, and the reason says what is missing."""
    await rule(30, 60)
    await ran(api, 30)
    answer = await asked(api, one(asker=UNCONFIGURED))
    assert answer.fitness is UNFIT
    assert answer.reason.endswith("it was never run; no process is configured for this station")


@pytest.mark.parametrize(
    ("policy", "fitness", "code", "said"),
    [("pass", FIT, 0, 'let pass (no_rule is "pass")'), ("fail", UNFIT, ReasonCode.NO_RULE, "part P1")],
)
async def test_a_product_without_a_rule(api, policy, fitness, code, said):
    """Is no failed unit; what it is, the configuration says, and the reason says that it did."""
    await ran(api, 30)
    answer = await asked(api, one(), no_rule=policy)
    assert (answer.fitness, answer.code) == (fitness, code)
    assert "WATS has no verification rule for part P1" in answer.reason
    assert said in answer.reason


# --- what WATS knows of the unit


@pytest.mark.parametrize("checks", [(), (Check.STATUS,), (Check.ROUTE,)])
async def test_a_unit_that_nobody_has_seen(api, rule, checks):
    """Is unfit, unless the configuration lets it pass: nothing comes before the first station."""
    await rule(30, 60)
    answer = await asked(api, one("NEW", *checks, asker=ICT))
    assert (answer.fitness, answer.code) == (UNFIT, ReasonCode.UNKNOWN_UNIT)
    assert answer.reason == "NEW: WATS has never seen this unit of part P1"
    passed = await asked(api, one("NEW", *checks, asker=ICT), unknown_unit="pass")
    assert passed.fitness is FIT
    assert passed.reason.endswith('let pass (unknown_unit is "pass")')


async def test_a_unit_that_nobody_has_seen_has_passed_nothing(api, rule):
    """That unknown units are let pass does not let them past a missing operation."""
    await rule(30, 60)
    answer = await asked(api, one("NEW"), unknown_unit="pass")
    assert (answer.fitness, answer.code) == (UNFIT, ReasonCode.NOT_RUN)


@pytest.mark.parametrize("phase", ["Scrapped", "Missing", "Waiting for production repair"])
async def test_a_phase_that_blocks(api, rule, phase):
    """Whatever the unit has passed."""
    await rule(30)
    await ran(api, 30)
    await api.production.set_unit_phase("SN-1001", phase)
    answer = await asked(api, one())
    assert (answer.fitness, answer.code) == (UNFIT, ReasonCode.PHASE)
    assert answer.reason == f"SN-1001: is in phase {phase}"


async def test_phases_that_block_are_configurable(api):
    """A site decides which."""
    await ran(api, 30)
    await api.production.set_unit_phase("SN-1001", "Scrapped")
    assert (await asked(api, one(), blocking_phases=(2048,))).fitness is FIT
    await api.production.set_unit_phase("SN-1001", "Shipped")
    assert (await asked(api, one(), blocking_phases=(2048,))).fitness is UNFIT


async def test_the_status_asks_for_failures_only(api, rule):
    """An operation that was left out is a matter of the route."""
    await rule(141, 30, 60)
    await ran(api, 30)
    assert (await asked(api, one("SN-1001", Check.STATUS))).fitness is FIT
    assert (await asked(api, one("SN-1001", Check.ROUTE))).fitness is UNFIT
    await ran(api, 30, "F", minutes=5)
    answer = await asked(api, one("SN-1001", Check.STATUS))
    assert (answer.fitness, answer.code) == (UNFIT, ReasonCode.NOT_PASSED)


async def test_the_route_alone_does_not_look_at_phases(api, rule):
    """A machine gets what it asks for."""
    await rule(30)
    await ran(api, 30)
    await api.production.set_unit_phase("SN-1001", "Scrapped")
    assert (await asked(api, one("SN-1001", Check.ROUTE))).fitness is FIT


@pytest.mark.parametrize("trouble", ["phase", "test"])
async def test_units_that_are_built_in(api, rule, trouble):
    """Count where they are asked about, at any depth."""
    await rule(30, part="CHIP")
    await api.product.bulk_save_products([Product(part_number=part) for part in ("P1", "BOARD", "CHIP")])
    await api.production.create_units(
        [
            Unit(serial_number="SN-1001", part_number="P1"),
            Unit(serial_number="B", part_number="BOARD", parent_serial_number="SN-1001"),
            Unit(serial_number="C", part_number="CHIP", parent_serial_number="B"),
        ]
    )
    assert (await asked(api, one("SN-1001", Check.STATUS_WITH_SUB_UNITS))).fitness is FIT
    if trouble == "phase":
        await api.production.set_unit_phase("C", "Scrapped")
    else:
        await ran(api, 30, "F", sn="C", pn="CHIP")
    answer = await asked(api, one("SN-1001", Check.STATUS_WITH_SUB_UNITS))
    assert (answer.fitness, answer.code) == (UNFIT, ReasonCode.SUB_UNIT)
    assert answer.reason.startswith("SN-1001: sub-unit C: ")
    assert (await asked(api, one("SN-1001", Check.STATUS))).fitness is FIT


async def test_traceability_is_not_checked(api):
    """WATS has nothing to judge it by, and the answer does not pretend."""
    answer = await asked(api, one("SN-1001", Check.TRACE))
    assert (answer.fitness, answer.code) == (NOT_CHECKED, ReasonCode.NOT_CHECKABLE)


# --- which units


async def test_a_panel_with_mixed_verdicts(api, rule):
    """Each unit has its answer, in the order of the question; one unfit unit makes the panel unfit."""
    await rule(30, 60)
    await ran(api, 30, sn="S1")
    await ran(api, 30, "F", sn="S2")
    units = [AskedUnit("S1", 1), AskedUnit("S2", 2, "CIRCUIT2"), AskedUnit("S3", 3, marked_bad=True)]
    answer = await asked(api, panel(*units))
    assert [found.unit for found in answer.units] == units
    assert [found.fitness for found in answer.units] == [FIT, UNFIT, NOT_CHECKED]
    assert answer.fitness is UNFIT
    assert answer.reason.startswith("1 of 3 units are unfit; S2: ICT (30) was not passed")
    assert answer.units[2].reason == "S3: marked as bad by the machine, not checked"


async def test_a_panel_of_marked_units_is_not_checked(api):
    """Nobody has looked at any of them, so WATS is not asked."""
    answer = await asked(api, panel(AskedUnit("S1", 1, marked_bad=True)))
    assert answer.fitness is NOT_CHECKED


@pytest.mark.parametrize("shown_as", ["PANEL-7", "CARRIER-1", None])
async def test_units_known_by_their_place(api, rule, shown_as):
    """What earlier messages told of a panel's places serves, whichever identifier the machine gives."""
    await rule(30, 60)
    await ran(api, 30, sn="S1")
    marked = event(
        EventType.UNIT_INITIALIZED,
        {"panel_id": "PANEL-7", "units": [{"unit_id": f"S{n}", "position": n} for n in (1, 2)]},
        time=ASKED - timedelta(hours=1),
    )
    answer = await asked(api, panel(AskedUnit(shown_as, 1), AskedUnit(shown_as, 2)), marked)
    assert [found.fitness for found in answer.units] == [FIT, UNFIT]
    assert answer.units[1].reason.startswith("S2: ")


async def test_units_that_nobody_told_of_are_named_as_in_reports(api, rule):
    """By identifier and position, as the report of such a unit is."""
    await rule(30, 60)
    await ran(api, 30, sn="CARRIER-1-2")
    answer = await asked(api, panel(AskedUnit("CARRIER-1", 1), AskedUnit("CARRIER-1", 2)))
    assert [found.fitness for found in answer.units] == [UNFIT, FIT]
    assert answer.units[0].reason.startswith("CARRIER-1-1: ")


async def test_a_panel_that_is_named_without_its_units(api, rule):
    """Stands for the units that earlier messages put on it; the answer is one for all."""
    await rule(30, 60)
    await ran(api, 30, sn="S1")
    marked = event(
        EventType.UNIT_INITIALIZED,
        {"panel_id": "PANEL-7", "units": [{"unit_id": f"S{n}", "position": n} for n in (1, 2)]},
        time=ASKED - timedelta(hours=1),
    )
    answer = await asked(api, one("PANEL-7"), marked)
    assert (answer.fitness, answer.units) == (UNFIT, ())
    assert answer.reason.startswith("1 of 2 units are unfit; S2: WATS has never seen this unit")
    await ran(api, 30, sn="S2")
    assert (await asked(api, one("PANEL-7"), marked)).fitness is FIT


async def test_a_question_teaches_nothing(api):
    """What a machine asks about is not yet where it says."""
    journal = await taught()
    await WatsUnitValidator(api, rules(**LINE), journal).validate(
        panel(AskedUnit("S1", 1), AskedUnit("S2", 2))
    )
    assert await journal.recall(["serial:PANEL-7:1", "unit:S1", "panel:PANEL-7"]) == {}


async def test_without_a_part_number_the_serial_number_must_do(api, rule):
    """WATS finds the product by itself where serial numbers are unique."""
    await rule(30, 60)
    await ran(api, 30, "F")
    answer = await asked(api, one(asker="//Other/X"), line={"stations": [], "recipes": []})
    assert answer.reason.startswith("SN-1001: ICT (30) was not passed: last run failed")


@pytest.mark.parametrize(
    ("serial", "code"),
    [
        (None, ReasonCode.UNNAMED),
        (" ", ReasonCode.UNNAMED),
        ("x" * 101, ReasonCode.UNKNOWN_UNIT),
        ("a\x07b", ReasonCode.UNKNOWN_UNIT),
        ("\ud800", ReasonCode.UNKNOWN_UNIT),
    ],
)
async def test_a_unit_that_cannot_be(wats, api, serial, code):
    """Is unfit without WATS being asked."""
    await wats.stop()
    answer = await asked(api, one(serial))
    assert (answer.fitness, answer.code) == (UNFIT, code)
    assert answer.reason.isprintable()


@pytest.mark.parametrize("serial", ["A/B", "Prüfling Ω", "50%", "a?b#c", ".."])
async def test_any_serial_number(api, rule, serial):
    """Whatever it holds, and whichever way WATS has to be asked for it."""
    await rule(30, 60)
    await ran(api, 30, sn=serial)
    assert (await asked(api, one(serial))).fitness is FIT


async def test_two_hundred_units(api, rule):
    """Are asked about a few at a time and answered in their order."""
    await rule(30, 60)
    await asyncio.gather(*(ran(api, 30, "F" if n % 50 == 0 else "P", sn=f"S{n}") for n in range(200)))
    answer = await asked(api, panel(*(AskedUnit(f"S{n}", n + 1) for n in range(200))))
    assert [n for n, found in enumerate(answer.units) if found.fitness is UNFIT] == [0, 50, 100, 150]
    assert answer.reason.startswith("4 of 200 units are unfit; S0: ")


async def test_an_account_that_numbers_its_line_differently(tmp_path):
    """The order is that of the account, not of the codes."""
    own = [process(7, "Last", index=20), process(9, "First", index=10)]
    async with (
        LocalWATS(tmp_path / "own.sqlite", processes=own) as server,
        AsyncWATS(server.url, "t", retry_config=RetryConfig(max_attempts=1)) as api,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        await client.put("/local/verification-rules", json={"partNumber": "P1", "processes": [9, 7]})
        await ran(api, 7)
        line = {"stations": [{"handle": FCT, "process": 7, "part_number": "P1"}]}
        answer = await asked(api, one(), line=line)
    assert answer.reason == "SN-1001: First (9) was not passed: it was never run"


class Watched:
    """The client, with an eye on how many units are asked about at one time; one of them it never finds."""

    def __init__(self, api, hangs_on=None):
        self.process = api.process
        self.production = self
        self._api = api
        self._hangs_on = hangs_on
        self._now = self.most = 0

    async def get_unit(self, serial_number, part_number):
        """Ask, and count."""
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            if serial_number == self._hangs_on:
                await asyncio.Event().wait()
            return await self._api.production.get_unit(serial_number, part_number)
        finally:
            self._now -= 1

    async def get_unit_verification(self, serial_number, part_number):
        """Ask."""
        return await self._api.production.get_unit_verification(serial_number, part_number)


async def test_units_are_asked_about_together_and_not_all_at_once(api):
    """A panel takes no longer than it must, and leaves the connections that reports need."""
    watched = Watched(api)
    await asked(watched, panel(*(AskedUnit(f"S{n}", n + 1) for n in range(40))))
    assert watched.most == 8


# --- WATS in trouble


@pytest.mark.parametrize(("policy", "fitness"), [("fail", UNFIT), ("pass", FIT)])
async def test_what_is_known_of_a_unit_stands(wats, api, rule, policy, fitness):
    """One unit that WATS gives no answer about does not hide that another one is scrapped."""
    await rule(30, 60)
    for serial in ("S1", "S2"):
        await ran(api, 30, sn=serial)
    await api.production.set_unit_phase("S2", "Scrapped")
    wats.knobs.reject_next(status=500, text="odd", path="/api/Production/Unit/S1")
    answer = await asked(api, panel(AskedUnit("S1", 1), AskedUnit("S2", 2)), when_unanswered=policy)
    assert [found.fitness for found in answer.units] == [fitness, UNFIT]
    assert "S1: WATS answered with an error: odd" in answer.units[0].reason
    assert answer.fitness is UNFIT


async def test_a_late_unit_does_not_hide_the_others(api, rule):
    """What was answered before the time is up stands, the rest is as configured."""
    await rule(30, 60)
    for serial, result in (("S1", "P"), ("S2", "F"), ("LATE", "P")):
        await ran(api, 30, result, sn=serial)
    units = [AskedUnit("LATE", 1), AskedUnit("S1", 2), AskedUnit("S2", 3)]
    answer = await asked(Watched(api, hangs_on="LATE"), panel(*units), time_limit=1.0, when_unanswered="pass")
    assert [found.fitness for found in answer.units] == [FIT, FIT, UNFIT]
    assert answer.units[0].reason.startswith("LATE: no answer of WATS in time; let pass")
    assert answer.fitness is UNFIT


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (401, ReasonCode.NO_ACCESS, "WATS refuses the bridge's token"),
        (403, ReasonCode.NO_ACCESS, "WATS does not let the bridge ask (403)"),
        (503, ReasonCode.UNREACHABLE, "WATS can't be reached (503)"),
        (429, ReasonCode.UNREACHABLE, "WATS can't be reached (429)"),
        (500, ReasonCode.WATS_ERROR, "WATS answered with an error: because"),
    ],
)
async def test_a_refusal_is_told_in_the_words_of_the_shop_floor(wats, api, status, code, said):
    """The reason names what went wrong, not how HTTP calls it."""
    wats.knobs.reject_next(99, status=status, text="because", path="/api/Production")
    answer = await asked(api, one())
    assert (answer.fitness, answer.code, answer.reason) == (UNFIT, code, f"SN-1001: {said}")


async def test_trouble_with_wats_is_found_once(wats, api):
    """When WATS refuses the token, a panel of hundreds makes a handful of requests, not hundreds."""
    wats.knobs.reject_next(1000, status=401, path="/api/Production")
    answer = await asked(api, panel(*(AskedUnit(f"S{n}", n + 1) for n in range(300))))
    assert {found.code for found in answer.units} == {ReasonCode.NO_ACCESS}
    assert wats.knobs.reject.count > 980
