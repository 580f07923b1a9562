"""Units are created and moved in WATS as the line tells, never backwards, and built into each other."""

import json
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from shopfloor import NOON, WORK, event, rules, taught, work_started

from handlers import AssemblyHandler, ProductionHandler, facts_of
from pywats_api.product_records import Product, ProductRevision
from pywats_api.production_records import Unit
from pywats_events.errors import DestinationUnavailable, NotReady, PermanentError
from pywats_events.event import EventType
from pywats_events.handler import Done, Dropped

PACK = "//Acme/L1/PACK01"
CONFIGURED = {
    "stations": [
        {"handle": PACK, "machine_name": "{name}", "process": 60, "last": True},
        {"handle": "//Acme/*", "machine_name": "{name}", "process": 30},
    ],
    "production": {"enabled": True, "create_products": True},
    "materials": {"box_build": True},
    "report": {"give_up_after": 60},
}


class Floor:
    """Handlers on one journal, and events in the order in which they come in."""

    def __init__(self, api, journal, **changes):
        self.api, self.journal = api, journal
        own = rules(**{**CONFIGURED, **changes})
        self.handlers = [kind(api, own, journal) for kind in (ProductionHandler, AssemblyHandler)]

    @classmethod
    async def of(cls, api, *earlier, **changes):
        """A floor that learnt from earlier events."""
        return cls(api, await taught(*earlier), **changes)

    async def comes(self, one):
        """An event comes in and is handled."""
        await self.journal.remember(facts_of(one))
        (handler,) = [each for each in self.handlers if one.event_type in each.event_types]
        return await handler.handle(one)

    async def unit(self, serial="SN1"):
        """A unit as WATS has it: part, revision, phase, operation."""
        found = await self.api.production.get_unit(serial)
        return found.part_number, found.revision, found.unit_phase, found.process_code


def started(*units, minutes=0, **said):
    units = units or (("SN1", 1),)
    return work_started(*units, time=NOON + timedelta(minutes=minutes), recipe="BRD-A", **said)


def told(kind, minutes=0, source=PACK, **payload):
    at = NOON + timedelta(minutes=minutes)
    return event(kind, payload, source=source, time=at, event_id=f"{kind.value}-{minutes}")


def completed(minutes=0, result="Completed", source=PACK, **said):
    return told(
        EventType.WORK_COMPLETED, minutes, source, transaction_id=WORK, result=result, units=[], **said
    )


def disqualified(minutes=0, **said):
    return told(EventType.UNIT_DISQUALIFIED, minutes, unit_id="SN1", **said)


def renamed(payload, serial):
    return json.loads(json.dumps(payload).replace('"SN1"', f'"{serial}"'))


def installed(serial, part="RADIO-1", minutes=0, kind=EventType.MATERIAL_INSTALLED, unit="SN1"):
    material = {"part_number": part, "placements": [{"unit_id": serial}]}
    return told(kind, minutes, unit_id=unit, materials=[material])


async def test_the_first_work_creates_a_unit(api):
    """With product and revision, in production, in the station's operation; a repeat changes nothing."""
    floor = await Floor.of(api)
    done = await floor.comes(started())
    assert done.detail["units"][0]["created"]
    assert await floor.unit() == ("100-200", "C", "Under production", "30")
    await floor.comes(started())
    assert await floor.unit() == ("100-200", "C", "Under production", "30")


async def test_units_of_a_panel(api):
    """Each unit of a panel is created but those that are marked as bad."""
    floor = await Floor.of(api)
    await floor.comes(started(("SN1", 1), ("SN2", 2), ("SN3", 3, "Skip")))
    assert (await floor.unit("SN2"))[2] == "Under production"
    with pytest.raises(Exception, match="SN3"):
        await floor.unit("SN3")


async def test_the_last_station_finishes_a_unit(api):
    """Completed work names no units, so those are meant that it was started with."""
    floor = await Floor.of(api)
    await floor.comes(work_started(("SN1", 1), source=PACK, recipe="BRD-A"))
    await floor.comes(completed(1))
    assert (await floor.unit())[2] == "Finalized"


@pytest.mark.parametrize(
    ("result", "source"), [("Completed", "//Acme/L1/ICT01"), ("Aborted", PACK), ("Failed", PACK)]
)
async def test_work_that_moves_nothing(api, result, source):
    """Other stations, other results: unchanged unless a site says otherwise."""
    floor = await Floor.of(api)
    assert isinstance(await floor.comes(completed(1, result, source)), Dropped)


async def test_late_messages_move_nothing_backwards(api):
    """Work that began before the unit was finished does not undo that, however late it is told."""
    floor = await Floor.of(api)
    await floor.comes(work_started(("SN1", 1), source=PACK, recipe="BRD-A"))
    await floor.comes(completed(1))
    late = await floor.comes(started(minutes=-5))
    assert "moved by a later message already (Finalized)" in late.rule
    assert (await floor.unit())[2:] == ("Finalized", "60")


async def test_late_messages_still_tell_what_is_missing(api):
    """In whichever order messages come, the unit ends with the batch and operation that it has in order."""
    order = {"id": "WO-1", "batch": "B-1"}
    life = [
        told(
            EventType.UNIT_INITIALIZED,
            units=[{"unit_id": "SN1", "position": 1}],
            work_order=order,
            transaction_id=None,
        ),
        started(minutes=1),
        work_started(("SN1", 1), time=NOON + timedelta(minutes=2), source=PACK, recipe="BRD-A"),
        disqualified(3),
    ]
    orders = [{"work_order": "WO-*", "part_number": "100-200", "revision": "C"}]
    for number, places in enumerate(permutations(range(len(life)))):
        serial = f"U{number}"
        own = [replace(one, payload=renamed(one.payload, serial)) for one in life]
        floor = await Floor.of(api, *own, work_orders=orders)
        for place in places:
            await floor.comes(own[place])
        assert await floor.unit(serial) == ("100-200", "C", "Scrapped", "60"), places
        assert (await api.production.get_unit(serial)).batch_number == "B-1", places


async def test_work_that_is_completed_before_its_start_is_told(api):
    """The unit is finished when the start comes, from another queue."""
    floor = await Floor.of(api)
    with pytest.raises(NotReady, match="its start has not been told") as caught:
        await floor.comes(completed(1))
    begun = work_started(("SN1", 1), source=PACK, recipe="BRD-A")
    assert {fact.key for fact in facts_of(begun)} >= set(caught.value.facts)
    await floor.comes(begun)
    await floor.comes(completed(1))
    assert (await floor.unit())[2] == "Finalized"


async def test_scrap_stays_scrap(api):
    """A disqualified unit that is worked on all the same stays scrapped; so does one that people scrapped."""
    floor = await Floor.of(api)
    await floor.comes(started())
    await floor.comes(disqualified(1, reason="DefectiveRepairNotPossible"))
    assert (await floor.unit())[2] == "Scrapped"
    assert "stays Scrapped" in (await floor.comes(started(minutes=5))).rule
    assert (await floor.unit())[2] == "Scrapped"


async def test_the_reason_decides(api):
    """A site may want units with wrong material repaired rather than scrapped."""
    own = {**CONFIGURED["production"], "reasons": {"DefectiveMaterials": "Waiting for production repair"}}
    floor = await Floor.of(api, production=own)
    await floor.comes(started())
    await floor.comes(disqualified(1, reason="DefectiveMaterials"))
    assert (await floor.unit())[2] == "Waiting for production repair"


@pytest.mark.parametrize(
    ("result", "phase"),
    [
        ("RepairSuccessful", "Under production"),
        ("UnableToRepair", "Waiting for production repair"),
        ("Scrap", "Scrapped"),
    ],
)
async def test_repairs(api, result, phase):
    """The result of a repair says where the unit goes."""
    floor = await Floor.of(api, started(source=PACK))
    repaired = told(EventType.UNIT_REPAIRED, 1, unit_id="SN1", result=result, repairs=[], transaction_id=WORK)
    await floor.comes(repaired)
    assert (await floor.unit())[2] == phase


async def test_a_unit_that_is_initialised(api):
    """It is created with its batch; one that has a life already keeps it."""
    named = told(
        EventType.UNIT_INITIALIZED,
        units=[{"unit_id": "SN1", "position": 1}],
        work_order={"id": "WO-1", "batch": "B-1"},
    )
    orders = [{"work_order": "WO-*", "part_number": "100-200", "revision": "C"}]
    floor = await Floor.of(api, work_orders=orders)
    await floor.comes(named)
    assert (await api.production.get_unit("SN1")).batch_number == "B-1"
    await api.production.set_unit_phase("SN1", "In storage")
    floor = await Floor.of(api, work_orders=orders)
    assert "is In storage already" in (await floor.comes(named)).rule


async def test_an_unknown_product(api):
    """A unit whose product nobody told is waited for; a product that WATS lacks is told."""
    floor = await Floor.of(api, recipes=[])
    with pytest.raises(NotReady, match="no part number"):
        await floor.comes(started())
    floor = await Floor.of(api, production={"enabled": True})
    with pytest.raises(PermanentError, match="100-200"):
        await floor.comes(started())


async def test_an_account_without_the_module(wats, api):
    """The handler is left out until somebody has seen to it; nothing dies of it, and nobody else waits."""
    floor = await Floor.of(api)
    wats.knobs.reject_next(9, status=404, text="No HTTP resource was found", path="/api/Production")
    with pytest.raises(DestinationUnavailable, match=r"production\.enabled.*No HTTP resource") as caught:
        await floor.comes(started())
    assert caught.value.needs_attention
    assert caught.value.only_for_handler


async def test_the_module_is_off_by_default(api):
    """Many accounts do not have it."""
    floor = await Floor.of(api, production={}, materials={})
    assert [each.event_types for each in floor.handlers] == [(), ()]


async def boxed(api, *, phase="Finalized", allowed=True):
    """A box SN1 under production, and a radio; the box build allows one."""
    floor = await Floor.of(api)
    await floor.comes(started(source=PACK))
    await api.product.bulk_save_products([Product(part_number="RADIO-1")])
    await api.product.bulk_save_revisions([ProductRevision(part_number="RADIO-1", revision="A")])
    if allowed:
        async with await api.product.get_box_build_template("100-200", "C") as template:
            template.add_subunit("RADIO-1", "A")
    await api.production.create_units([Unit(serial_number="RAD-1", part_number="RADIO-1", revision="A")])
    await api.production.set_unit_phase("RAD-1", phase)
    return floor


async def test_a_part_is_built_in(api):
    """A finished part becomes a child of its unit, once; taken out, it is nobody's."""
    floor = await boxed(api)
    added = installed("RAD-1", minutes=1)
    assert isinstance(await floor.comes(added), Done)
    assert (await api.production.get_unit("RAD-1")).parent_serial_number == "SN1"
    assert (await floor.comes(added)).detail["added"][0]["found"] == "built in already"
    await floor.comes(installed("RAD-1", minutes=2, kind=EventType.MATERIAL_REMOVED))
    assert (await api.production.get_unit("RAD-1")).parent_serial_number is None


async def test_a_part_that_is_not_finished(api):
    """It may be finished soon: its unit waits for it."""
    floor = await boxed(api, phase="Under production")
    with pytest.raises(NotReady, match='part "RAD-1" of unit "SN1" is Under production'):
        await floor.comes(installed("RAD-1", minutes=1))
    await api.production.set_unit_phase("RAD-1", "Finalized")
    assert isinstance(await floor.comes(installed("RAD-1", minutes=1)), Done)


async def test_a_part_that_has_no_place(api):
    """What the box build does not allow is a dead letter that says so."""
    floor = await boxed(api, allowed=False)
    with pytest.raises(PermanentError, match="box build"):
        await floor.comes(installed("RAD-1", minutes=1))


async def test_a_part_that_nobody_knows(api):
    """It is waited for, as another line may just be telling of it."""
    floor = await boxed(api)
    with pytest.raises(NotReady, match=r'part "RAD-9" .* unknown to WATS'):
        await floor.comes(installed("RAD-9", minutes=1))
