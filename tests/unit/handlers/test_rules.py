"""Where part number, revision, process and station's names come from, and what is said when they don't."""

import pytest
from pydantic import ValidationError
from shopfloor import ICT, NOON, WORK, built, event, result, rules, work_started

from handlers import Rules
from handlers import fact_keys as keys
from pywats_events.errors import NotReady
from pywats_events.event import EventType

RECIPE = {"recipe": "BRD-*", "part_number": "BY-RECIPE", "revision": "R"}
ORDER = {"work_order": "WO-1-*", "part_number": "BY-ORDER"}


def station(**said):
    return {"handle": ICT, "process": 30, **said}


async def source_of(made, *earlier, **changed):
    done = await built(made, *earlier, **{"recipes": [], **changed})
    return done.report.pn, done.report.rev, done.sources["part_number"]


STARTED = work_started(("SN1", 1), recipe="BRD-W", work_order={"id": "WO-1-7"})
ACTIVATED = event(EventType.RECIPE_ACTIVATED, {"asset_id": ICT, "recipe": "BRD-H"}, time=NOON.replace(hour=8))


@pytest.mark.parametrize(
    ("said", "changed", "expected"),
    [
        pytest.param(
            {}, {"recipes": [RECIPE], "work_orders": [ORDER]}, "BY-RECIPE", id="recipe of the message"
        ),
        pytest.param(
            {},
            {"recipes": [RECIPE], "stations": [station(recipes={"BRD-A": {"part_number": "OWN"}})]},
            "OWN",
            id="the station's own table",
        ),
        pytest.param(
            {},
            {"recipes": [{**RECIPE, "recipe": "BRD-W"}], "work_orders": [ORDER]},
            "BY-RECIPE",
            id="of the work",
        ),
        pytest.param(
            {},
            {"recipes": [{**RECIPE, "recipe": "BRD-H"}], "work_orders": [ORDER]},
            "BY-ORDER",
            id="work order",
        ),
        pytest.param({}, {"recipes": [{**RECIPE, "recipe": "BRD-H"}]}, "BY-RECIPE", id="active recipe"),
        pytest.param(
            {"unit_id": "PN77B0001"},
            {"serial_regexes": [r"^(?P<pn>PN\d\d)(?P<rev>[A-Z])"], "recipe_regexes": [r"(?P<pn>.*)"]},
            "PN77",
            id="serial number",
        ),
        pytest.param({}, {"recipe_regexes": [r"^(?P<pn>BRD)-"]}, "BRD", id="name of the recipe"),
        pytest.param({}, {"stations": [station(part_number="FIX", revision="Q")]}, "FIX", id="the station"),
    ],
)
async def test_first_hit_wins(said, changed, expected):
    """Sources are asked in their order, and the first that knows wins."""
    made = result(transaction_id=WORK, **said)
    part_number, _, rule = await source_of(made, ACTIVATED, STARTED, **changed)
    assert part_number == expected
    assert rule


MES = event(
    EventType.WORK_ORDER_CREATED,
    {"order": {"id": "WO-1-7"}, "part_number": "BY-MES", "part_revision": "M"},
    source="MES",
    time=NOON.replace(hour=7),
)


async def test_what_a_work_order_was_created_for():
    """Its product counts where no table says otherwise, and before what the station has active."""
    made = result(transaction_id=WORK)
    changed = {"recipes": [{**RECIPE, "recipe": "BRD-H"}]}
    part_number, revision, rule = await source_of(made, MES, ACTIVATED, STARTED, **changed)
    assert (part_number, revision) == ("BY-MES", "M")
    assert rule == 'product that work order "WO-1-7" was created for'
    assert (await source_of(made, MES, STARTED, work_orders=[ORDER]))[0] == "BY-ORDER"


async def test_the_order_may_be_told_of_the_unit_or_of_its_panel():
    """However it became known which order the unit belongs to, and in whichever batch."""
    whole = {"order": {"id": "WO-1-7", "batch": "B1"}, "part_number": "OF-BATCH"}
    batch = event(EventType.WORK_ORDER_CREATED, whole, source="MES")
    order = {"id": "WO-1-7", "batch": "B1"}
    units = [{"unit_id": "SN1", "position": 1}, {"unit_id": "SN2", "position": 2}]
    placed = event(EventType.UNIT_INITIALIZED, {"panel_id": "PANEL", "units": units, "work_order": order})
    for made in (result(), result(unit_id="PANEL", position=2, siblings=2)):
        assert (await source_of(made, MES, batch, placed))[0] == "OF-BATCH"


async def test_an_order_that_is_told_later():
    """The report waits for it."""
    with pytest.raises(NotReady) as caught:
        await source_of(result(transaction_id=WORK), STARTED)
    assert keys.work_order("WO-1-7") in caught.value.facts


async def test_every_value_remembers_where_it_came_from():
    """Part number and revision, process, serial number, work order and batch, program and operator."""
    done = await built(
        result(transaction_id=WORK),
        STARTED,
        stations=[station(revision="S")],
        recipes=[{"recipe": "BRD-A", "part_number": "X"}],
    )
    assert done.sources == {
        "part_number": 'recipe "BRD-A" by [[recipes]] "BRD-A"',
        "revision": f'revision of station "{ICT}"',
        "process": f'process of station "{ICT}"',
        "serial_number": "identifier of a single unit",
        "work_order": "start of the work",
        "program": "the message",
    }


async def test_revision_comes_with_the_part():
    """A revision is the product's: its rule's, else the station's, else the placeholder."""
    serial = {"serial_regexes": [r"^(?P<pn>PN\d\d)(?P<rev>[A-Z])"], "stations": [station()]}
    assert (await source_of(result(unit_id="PN77B0001"), **serial))[1] == "B"
    without = {"recipe": "BRD-A", "part_number": "X"}
    assert (await source_of(result(recipe_revision="7"), recipes=[without]))[1] == "-"
    own = {"recipes": [without], "stations": [station(revision="S")]}
    assert (await source_of(result(recipe_revision="7"), **own))[1] == "S"


async def test_nobody_knows_the_part_number():
    """The event waits, with a reason that names the unit, what was tried and what to do."""
    with pytest.raises(NotReady) as caught:
        await source_of(
            result(transaction_id=WORK, recipe="ICT-A"),
            recipes=[RECIPE],
            serial_regexes=[r"(?P<pn>PN\d+)"],
            report={"give_up_after": 42},
        )
    assert str(caught.value) == (
        'station "//Acme/L1/ICT01", unit "SN1": no part number. Tried: '
        'recipe "ICT-A" in [[recipes]] (no match); recipe of the work (none known); work order (none known); '
        "recipe of the station (none known); "
        'serial number "SN1" by 1 expressions (no match); '
        'part_number of station "//Acme/*" (none). Add a [[recipes]] or [[stations]] entry'
    )
    assert caught.value.give_up_after == 42
    assert {keys.work(ICT, WORK), keys.recipe(ICT), keys.order("SN1")} <= set(caught.value.facts)


async def test_no_process_is_configured():
    """A station nobody configured can't report; no later message will change that."""
    with pytest.raises(NotReady) as caught:
        await built(result(method="ICT"), stations=[])
    assert str(caught.value) == (
        'station "//Acme/L1/ICT01": no process is configured for it (method ICT); add it under [[stations]]'
    )
    assert caught.value.give_up_after == 0


@pytest.mark.parametrize(
    ("said", "rule", "process"),
    [
        ({}, {"process": 30}, 30),
        ({"method": "AOI"}, {"process": 30, "process_by_method": {"aoi": 41}}, 41),
        ({"method": "SPI"}, {"process": 30, "process_by_method": {"AOI": 41}}, 30),
        ({"method": "AOI"}, {"process_by_recipe": {"BRD-*": 42}, "process_by_method": {"AOI": 41}}, 42),
        ({}, {"process": 30, "recipes": {"BRD-A": {"part_number": "X", "process": 43}}}, 43),
        ({"method": "FPT"}, {}, 44),
    ],
)
async def test_process(said, rule, process):
    """The process is decided by recipe, by the product's rule, by method, by station, in this order."""
    stations = [{"handle": ICT, **rule}]
    done = await built(result(**said), stations=stations, process_by_method={"FPT": 44})
    assert done.report.process_code == process


@pytest.mark.parametrize(
    ("handle", "expected"),
    [
        ("//Acme/L1/ICT01", "exact"),
        ("//Acme/L1/ICT02", "line 1"),
        ("//Acme/L2/ICT01", "all"),
        ("//Other/L1/X", "//Other/L1/X"),
    ],
)
def test_station_rules(handle, expected):
    """An exact handle wins over patterns, and of those the first that fits."""
    ready = rules(
        stations=[
            {"handle": "//Acme/L1/*", "machine_name": "line 1"},
            {"handle": "//Acme/*", "machine_name": "all"},
            {"handle": "//Acme/L1/ICT01", "machine_name": "exact"},
        ]
    )
    rule = ready.station(handle)
    assert expected in {rule.machine_name, rule.handle}


@pytest.mark.parametrize(
    ("handle", "machine", "line"),
    [
        ("//Acme/L1/ICT01", "Acme-L1-ICT01", "L1"),
        ("Acme.Tester.T1", "Acme.Tester.T1", "-"),
        ("", "-", "-"),
        ("a/" * 80 + "z", ("a-" * 80)[:100].rstrip(), "a"),
    ],
)
def test_names_of_unknown_stations(handle, machine, line):
    """A station without names of its own is called by its handle, without path marks."""
    rule = Rules().station(handle)
    assert (rule.named(rule.machine_name, handle), rule.named(rule.location, handle)) == (machine, line)


@pytest.mark.parametrize(
    ("wrong", "where", "why"),
    [
        ({"stations": [{"handle": "x", "machin_name": "y"}]}, "machin_name", "Extra inputs"),
        ({"stations": [{"handle": "x", "process": "ICT"}]}, "process", "integer"),
        ({"stations": [{"handle": "x", "process": 40000}]}, "process", "32767"),
        (
            {"stations": [{"handle": "x", "machine_name": "{nam}"}]},
            "machine_name",
            "{handle}, {name} and {line}",
        ),
        ({"recipes": [{"recipe": "x"}]}, "part_number", "required"),
        ({"serial_regexes": ["(?P<pn>"]}, "serial_regexes", "not a regular expression"),
        ({"serial_regexes": [".*"]}, "serial_regexes", "needs a group (?P<pn>...)"),
        ({"recipe_regexes": ["(?P<pn>.)(?P<x>.)"]}, "recipe_regexes", "only the groups"),
        ({"report": {"composed_serial": "{unit_id}"}}, "composed_serial", "{position}"),
        ({"report": {"composed_serial": "{unit}-{position}"}}, "composed_serial", "{unit_id}"),
        ({"report": {"verdict": "best"}}, "verdict", "'worst' or 'station'"),
        ({"assets": {"create": True}}, "assets", "station_type"),
    ],
)
def test_mistakes_are_told(wrong, where, why):
    """A mistake in the configuration is refused, with its place and reason."""
    with pytest.raises(ValidationError) as caught:
        Rules.model_validate(wrong)
    assert where in str(caught.value)
    assert why in str(caught.value)
