"""What events teach, and what they must not."""

import pytest
from shopfloor import ICT, NOON, WORK, event, result, work_started

from handlers import fact_keys as keys
from handlers import facts_of
from pywats_events.event import EventType


def taught(made):
    return {fact.key: fact.value for fact in facts_of(made)}


def units(*places):
    return [{"unit_id": identifier, "position": position} for identifier, position in places]


def test_work_started_teaches_the_transaction():
    """Recipe, order, lane, panel and start of a work are known under its station and transaction."""
    facts = taught(
        work_started(
            ("SN1", 1),
            ("SN2", 2, "Skip"),
            panel_id="P1",
            lane=1,
            recipe="BRD-A",
            recipe_revision="7",
            work_order={"id": "WO1", "batch": "B1"},
        )
    )
    work = facts[keys.work(ICT, WORK)]
    assert (work["recipe"], work["work_order"], work["batch"], work["lane"], work["panel"]) == (
        "BRD-A",
        "WO1",
        "B1",
        1,
        "P1",
    )
    assert [unit.get("status") for unit in work["units"]] == [None, "Skip"]


def test_a_panel_with_real_serials_teaches_the_places():
    """Different identifiers on one panel are the units' own."""
    facts = taught(work_started(("SN1", 1), ("SN2", 2), panel_id="P1"))
    assert facts[keys.serial("P1", 2)]["serial"] == "SN2"
    assert facts[keys.unit("SN2")]["panel"] == "P1"


@pytest.mark.parametrize("panel", [None, "C1"])
@pytest.mark.parametrize("kind", [EventType.WORK_STARTED, EventType.UNIT_INITIALIZED, EventType.UNIT_ARRIVED])
def test_a_repeated_carrier_teaches_no_serials(kind, panel):
    """A message that names the carrier at every position says nothing of serial numbers."""
    facts = taught(
        event(kind, {"panel_id": panel, "units": units(("C1", 1), ("C1", 2)), "transaction_id": WORK})
    )
    assert not any(key.startswith(("serial:", "unit:")) for key in facts)
    assert facts[keys.panel("C1")]["units"] == 2


def test_a_lone_identifier_may_be_a_carrier():
    """One unit without a panel beside it is not taken for a real serial number."""
    assert keys.unit("SN1") not in taught(work_started(("SN1", 1)))


def test_a_first_unit_that_names_the_panel_is_real():
    """A panel known by its first unit's serial number still has that unit."""
    facts = taught(work_started(("SN1", 1), ("SN2", 2), panel_id="SN1"))
    assert facts[keys.serial("SN1", 1)]["serial"] == "SN1"
    assert facts[keys.serial("SN1", 2)]["serial"] == "SN2"


def test_initialized_units_have_their_order():
    """Units that enter the flow are known with work order and batch."""
    facts = taught(
        event(
            EventType.UNIT_INITIALIZED,
            {
                "panel_id": "P1",
                "units": units(("SN1", 1), ("SN2", 2)),
                "work_order": {"id": "WO1", "batch": "B1"},
                "transaction_id": WORK,
            },
        )
    )
    assert facts[keys.order("SN2")]["work_order"] == "WO1"
    assert facts[keys.order("P1")]["batch"] == "B1"
    assert facts[keys.place(ICT, WORK, 2)]["serial"] == "SN2"


def test_personalized_units_get_a_serial_and_keep_the_rest():
    """A characteristic that is a serial number names the unit; a MAC address is kept beside it."""
    facts = taught(
        event(
            EventType.UNIT_PERSONALIZED,
            {
                "transaction_id": WORK,
                "units": [
                    {
                        "unit_id": "C1",
                        "position": 2,
                        "characteristics": {"Serial Number": " SN9 ", "MAC": "00:11", "Empty": " "},
                    }
                ],
            },
        )
    )
    assert facts[keys.serial("C1", 2)]["serial"] == "SN9"
    assert facts[keys.place(ICT, WORK, 2)]["serial"] == "SN9"
    assert facts[keys.personal("C1", 2)]["values"] == {"MAC": "00:11"}
    assert facts[keys.personal("SN9", None)]["values"] == {"MAC": "00:11"}


def test_active_recipe_is_kept_per_lane():
    """A recipe that becomes active is known for the station and for its lane."""
    payload = {"asset_id": ICT, "recipe": "BRD-A", "lane": 2, "work_order": {"id": "WO1"}}
    facts = taught(event(EventType.RECIPE_ACTIVATED, payload))
    assert facts[keys.recipe(ICT)]["recipe"] == "BRD-A"
    assert facts[keys.recipe(ICT, 2)]["work_order"] == "WO1"


@pytest.mark.parametrize("transaction", [None, "", "00000000-0000-0000-0000-000000000000"])
def test_no_transaction_is_kept_by_unit(transaction):
    """The all-zero GUID is no transaction; such work is known by its units."""
    facts = taught(work_started(("SN1", 1), transaction=transaction, recipe="BRD-A"))
    assert facts[keys.work_on(ICT, "SN1")]["recipe"] == "BRD-A"
    assert not any(key.startswith("work:") for key in facts)


@pytest.mark.parametrize(
    "made",
    [
        result(),
        event(EventType.WORK_STARTED, {"units": "nonsense"}),
        event(EventType.RECIPE_ACTIVATED, {}),
        event(EventType.CUSTOM, {"anything": 1}),
    ],
)
def test_what_nobody_can_read_teaches_nothing(made):
    """Learning never stands in the way of the intake."""
    assert facts_of(made) == ()


def test_facts_are_as_old_as_their_event():
    """The event's time decides which of two facts holds."""
    assert {fact.time for fact in facts_of(work_started(("SN1", 1), time=NOON))} == {NOON}


def test_keys_do_not_run_into_each_other():
    """Identifiers with colons make keys of their own."""
    assert keys.serial("a:1", None) != keys.serial("a", 1)
    assert keys.work("h:a", "b") != keys.work("h", "a:b")


def test_a_work_order_teaches_what_it_makes():
    """Part number and revision are known by the order, and by its batch."""
    made = event(
        EventType.WORK_ORDER_CREATED,
        {"order": {"id": "WO1", "batch": "B1"}, "part_number": "100-200", "part_revision": "C", "lot": "L"},
        source="MES",
    )
    facts = taught(made)
    assert facts[keys.work_order("WO1")]["part_number"] == "100-200"
    assert facts[keys.work_order("WO1", "B1")]["revision"] == "C"


@pytest.mark.parametrize("said", [{"status": "InProcess"}, {"quantity": 5}, {"part_number": " "}])
def test_a_new_status_does_not_blot_out_what_an_order_makes(said):
    """An update that names no part teaches nothing."""
    assert taught(event(EventType.WORK_ORDER_UPDATED, {"order": {"id": "WO1"}, **said})) == {}


def test_a_scanner_teaches_what_lies_where():
    """Identifiers that were read are known as those of units that arrived."""
    payload = {"panel_id": "P1", "hermes_id": "H1", "units": units(("SN1", 1), ("SN2", 2))}
    facts = taught(event(EventType.UNIT_IDENTIFIED, payload))
    assert facts[keys.serial("P1", 2)]["serial"] == "SN2"
    assert facts[keys.unit("SN1")]["panel"] == "P1"
    assert facts[keys.hermes("H1")]["identifier"] == "P1"


def test_units_on_a_pallet_are_known_by_their_place():
    """A carrier that is loaded stands where a panel would."""
    payload = {"panel_id": "PALLET", "units": units(("SN1", 1), ("SN2", 2))}
    facts = taught(event(EventType.UNIT_LOADED, payload))
    assert facts[keys.serial("PALLET", 1)]["serial"] == "SN1"


def test_a_magazine_teaches_orders_and_products_of_its_boards():
    """By barcode and by the identity that board handling gave."""
    board = {"hermes_id": "H1", "top_barcode": "SN1", "product": "BRD-A", "work_order": {"id": "WO1"}}
    facts = taught(
        event(EventType.MAGAZINE_ARRIVED, {"asset_id": ICT, "magazine_id": "M", "boards": [board]})
    )
    assert facts[keys.order("SN1")]["work_order"] == "WO1"
    assert facts[keys.product("H1")]["product"] == "BRD-A"
    assert facts[keys.hermes("H1")]["identifier"] == "SN1"
    assert not any(key.startswith(("panel:", "unit:")) for key in facts)


def test_who_works_at_a_station_is_known_after_they_left():
    """An event from before the end of a shift may be handled after it; leaving is a fact of its own."""
    person = {"id": "007", "last_name": "Bond"}
    came = taught(event(EventType.OPERATOR_ACTIVATED, {"asset_id": ICT, "operator": person}))
    went = taught(event(EventType.OPERATOR_DEACTIVATED, {"asset_id": ICT, "operator": person}))
    assert came[keys.operator(ICT)]["last_name"] == "Bond"
    assert went.keys() == {keys.operator_gone(ICT, "007")}


def test_tools_are_known_at_their_station_and_by_themselves():
    """What was put in, and where each tool is."""
    payload = {"asset_id": ICT, "loaded": [{"id": "T1", "kind": "SMTStencil"}], "unloaded": [{"id": "T2"}]}
    facts = taught(event(EventType.TOOL_CHANGED, payload))
    assert [tool["id"] for tool in facts[keys.tools(ICT)]["tools"]] == ["T1"]
    assert (facts[keys.tool("T1")]["loaded"], facts[keys.tool("T2")]["loaded"]) == (True, False)
    emptied = taught(event(EventType.TOOL_CHANGED, {"asset_id": ICT, "unloaded": [{"id": "T1"}]}))
    assert emptied.keys() == {keys.tool("T1")}


@pytest.mark.parametrize("transaction", [WORK, None])
def test_tools_used_on_a_unit_are_known_by_its_work(transaction):
    """With the cycles that a report will count."""
    use = {"tool": {"id": "T1", "name": "Nozzle"}, "cycles": 3}
    payload = {"asset_id": ICT, "unit_id": "P1", "position": 2, "transaction_id": transaction, "uses": [use]}
    facts = taught(event(EventType.TOOL_USED, payload))
    assert facts[keys.tools_used(ICT, transaction, "P1", 2)]["uses"] == [
        {"id": "T1", "name": "Nozzle", "cycles": 3}
    ]


def test_installed_material_is_known_by_unit_and_part():
    """Packages and lots in short by the unit; a part with a serial number by that number."""
    material = {
        "package_id": "R1",
        "part_number": "P",
        "batch": "L",
        "quantity": 2,
        "placements": [{"designator": "R1"}, {"designator": "U1", "unit_id": "CHILD"}],
    }
    payload = {"unit_id": "SN1", "position": 1, "transaction_id": WORK, "materials": [material]}
    facts = taught(event(EventType.MATERIAL_INSTALLED, payload))
    assert facts[keys.installed(ICT, "SN1", 1)]["materials"] == [
        {"package": "R1", "part_number": "P", "batch": "L", "quantity": 2}
    ]
    child = facts[keys.child("CHILD")]
    assert (child["unit"], child["position"], child["designator"], child["installed"]) == (
        "SN1",
        1,
        "U1",
        True,
    )
    removed = {"unit_id": "SN1", "materials": [{"placements": [{"unit_id": "CHILD"}]}]}
    assert taught(event(EventType.MATERIAL_REMOVED, removed))[keys.child("CHILD")]["installed"] is False


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (EventType.ASSET_HEARTBEAT, {"asset_id": ICT, "active_recipes": [{"recipe": "BRD-A"}]}),
        (EventType.RECIPE_DEACTIVATED, {"asset_id": ICT, "recipe": "BRD-A"}),
    ],
)
def test_what_would_make_a_fact_look_younger_or_gone_teaches_nothing(kind, payload):
    """Events from before it are handled after it, and still need the recipe."""
    assert facts_of(event(kind, payload)) == ()
