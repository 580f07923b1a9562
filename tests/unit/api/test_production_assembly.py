"""Units built into units by a box build, their changes, tags, batches, and the numbers they get."""

import httpx
import pytest

from pywats_api import (
    ErrorMode,
    NotFoundError,
    Product,
    ProductionBatch,
    ProductRevision,
    Unit,
    UnitVerificationGrade,
    ValidationError,
)

from .conftest import TOKEN, make_client, make_report

pytestmark = pytest.mark.usefixtures("line")


@pytest.fixture
async def http(server):
    headers = {"Authorization": f"Basic {TOKEN}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers) as client:
        yield client


@pytest.fixture
async def line(api):
    """A box that needs two boards of revision 1.x and a supply, and units of them, finalized but for B3."""
    parts = ("BOX", "BOARD", "PSU", "OTHER")
    await api.product.bulk_save_products([Product(part_number=part) for part in parts])
    await api.product.bulk_save_revisions(
        [ProductRevision(part_number=part, revision=name) for part in parts for name in ("1.0", "1.1", "2.0")]
    )
    template = await api.product.get_box_build_template("BOX", "1.0")
    await template.add_subunit("BOARD", "1.0", 2, "1.%").add_subunit("PSU", "1.0").save()
    units = [
        ("X", "BOX", "1.0", 2),
        ("B1", "BOARD", "1.0", 16),
        ("B2", "BOARD", "1.1", 16),
        ("B3", "BOARD", "1.0", 2),
        ("B4", "BOARD", "2.0", 16),
        ("B5", "BOARD", "1.0", 16),
        ("S1", "PSU", "1.0", 16),
        ("O1", "OTHER", "1.0", 16),
    ]
    await api.production.create_units(
        [
            Unit(serial_number=serial, part_number=part, revision=revision, unit_phase_id=phase)
            for serial, part, revision, phase in units
        ]
    )


# --- assembly


async def test_a_box_is_built_up_and_taken_apart(api):
    """What is missing is told until nothing is; a unit that was taken out can be built in again."""
    verdict = await api.production.verify_assembly("X", "BOX", "1.0")
    assert [(part.part_number, part.quantity, part.index) for part in verdict.missing_parts] == [
        ("BOARD", 2, 0),
        ("PSU", 1, 1),
    ]
    assert (verdict.is_complete, verdict.missing_count, verdict.get("is_complete")) == (False, 3, False)
    for child, part in (("B1", "BOARD"), ("B2", "BOARD"), ("S1", "PSU")):
        assert await api.production.add_child_to_assembly("X", "BOX", child, part)
    assert (await api.production.verify_assembly("X", "BOX", "1.0")).is_complete
    box = await api.production.get_unit("X", "BOX")
    assert [unit.serial_number for unit in box.sub_units] == ["B1", "B2", "S1"]
    await api.production.remove_child_from_assembly("X", "BOX", "B1", "BOARD")
    await api.production.remove_child_from_assembly("X", index=0)
    box = await api.production.get_unit("X", "BOX")
    assert [unit.serial_number for unit in box.sub_units] == ["S1"]
    await api.production.add_child_to_assembly("X", "B1", 0)
    assert (await api.production.get_unit("B1")).parent_serial_number == "X"


@pytest.mark.parametrize(
    ("child", "reason"),
    [
        ("B3", "must be in phase Finalized: B3 is in phase Under production"),
        ("B4", "box build must define the child unit as valid: BOX 1.0 has no place for BOARD 2.0"),
        ("O1", "box build must define the child unit as valid"),
        ("X", "would be part of itself"),
    ],
)
async def test_a_child_that_does_not_fit_is_refused(api, child, reason):
    """With the rule that it breaks."""
    with pytest.raises(ValidationError, match=reason):
        await api.production.add_child_to_assembly("X", child)


async def test_a_child_has_one_parent_and_a_place_one_child(api):
    """Neither a second parent nor a third board where two are needed."""
    await api.production.add_child_to_assembly("X", "B1")
    with pytest.raises(ValidationError, match="must not already have a parent: B1 is part of X"):
        await api.production.add_child_to_assembly("X", "B1")
    await api.production.add_child_to_assembly("X", "B2")
    with pytest.raises(ValidationError, match=r"no place for BOARD 1\.0"):
        await api.production.add_child_to_assembly("X", "B5")
    with pytest.raises(ValidationError, match="no relation: B5 is not part of X"):
        await api.production.remove_child_from_assembly("X", "BOX", "B5", "BOARD")


async def test_a_child_checked_against_what_the_caller_says(api):
    """In place of the box build, masks included."""
    await api.production.add_child_to_assembly(
        "X", "BOX", "O1", "OTHER", check_part_number="OTHER", check_revision="1.%"
    )
    with pytest.raises(ValidationError):
        await api.production.add_child_to_assembly("X", "BOX", "B4", "BOARD", check_revision="1.%")
    assert "OTHER 1.0 (O1) is not in the box build" in (await api.production.verify_assembly("X")).problems


async def test_a_place_of_the_template(api):
    """Counted piece by piece; the child is checked against its line."""
    with pytest.raises(ValidationError):
        await api.production.add_child_to_assembly(parent_serial="X", child_serial="S1", index=0)
    await api.production.add_child_to_assembly(parent_serial="X", child_serial="S1", index=2)
    with pytest.raises(ValueError, match="has 3 places, none at 3"):
        await api.production.add_child_to_assembly(parent_serial="X", child_serial="B1", index=3)
    with pytest.raises(ValueError, match="1 sub-units, none at 1"):
        await api.production.remove_child_from_assembly("X", index=1)


async def test_another_phase_may_stand_for_finalized(api):
    """Where the tag of the child's revision says so."""
    await api.product.add_revision_tag("BOARD", "1.0", "PhaseFinalized", "In storage")
    with pytest.raises(ValidationError, match="must be in phase In storage"):
        await api.production.add_child_to_assembly("X", "B1")
    await api.production.set_unit_phase("B1", "BOARD", "In storage")
    assert await api.production.add_child_to_assembly("X", "B1")


async def test_units_that_only_reports_made_known_are_built_in(api):
    """A tested board need not be created, only finalized."""
    await api.report.submit(make_report(pn="BOARD", sn="R1", rev="1.0"))
    await api.production.set_unit_phase("R1", "Finalized")
    await api.production.add_child_to_assembly("X", "R1")
    assert (await api.production.get_unit("X")).sub_units[0].serial_number == "R1"


async def test_assemblies_of_units_that_are_not_there(api, server, fake_time):
    """Are not found; lenient look-ups give None."""
    for call in (
        api.production.add_child_to_assembly("nobody", "B1"),
        api.production.add_child_to_assembly("X", "nobody"),
        api.production.verify_assembly("nobody"),
    ):
        with pytest.raises(NotFoundError, match="Unit nobody does not exist"):
            await call
    with pytest.raises(ValueError, match="child_serial"):
        await api.production.add_child_to_assembly("X")
    async with make_client(server, fake_time, error_mode=ErrorMode.LENIENT) as lenient:
        assert await lenient.production.verify_assembly("nobody") is None
    wrong = await api.production.verify_assembly("X", "BOX", "2.0")
    assert "the unit is revision 1.0, not 2.0" in wrong.problems


# --- units


@pytest.mark.parametrize(
    ("part", "revision", "reason"),
    [("LOST", None, "there is no product 'LOST'; create it first"), ("BOX", "9", "has no revision '9'")],
)
async def test_a_unit_needs_its_product_and_revision(api, part, revision, reason):
    """Which are created before, or named by a report."""
    with pytest.raises(ValidationError, match=reason):
        await api.production.create_unit(Unit(serial_number="N", part_number=part, revision=revision))


async def test_other_words_for_members_of_a_unit(api):
    """Those that the documents use reach the server under its own names."""
    unit = Unit(serial_number="N", part_number="BOX", part_revision="1.0", lot_number="L", location="Rack")
    unit = await api.production.create_unit(unit)
    assert (unit.revision, unit.batch_number, unit.current_location) == ("1.0", "L", "Rack")
    unit.location = "Line"
    assert (await api.production.update_unit(unit)).location == "Line"
    found = await api.production.get_unit("N")
    assert (found.product.part_number, found.product_revision.revision) == ("BOX", "1.0")


async def test_tags_are_merged_and_nothing_else_is_changed(api):
    """A key that the unit has gets the new value."""
    await api.production.set_unit_tags("X", [{"key": "Lot", "value": "1"}, {"key": "WO", "value": "7"}])
    await api.production.set_unit_tags("X", [{"key": "Lot", "value": "2"}])
    assert [(tag.key, tag.value) for tag in await api.production.get_unit_tags("X")] == [
        ("Lot", "2"),
        ("WO", "7"),
    ]
    assert (await api.production.get_unit("X")).revision == "1.0"


async def test_part_number_and_phase_in_either_order(api):
    """Both spellings of the documents, and an operation is left again."""
    assert await api.production.set_unit_phase("X", "BOX", "Scrapped")
    assert await api.production.set_unit_phase("X", part_number="BOX", phase=16, comment="done")
    assert (await api.production.get_unit("X")).current_phase == "Finalized"
    await api.production.set_unit_process("X", "BOX", process_code="30")
    assert (await api.production.get_unit("X")).current_process == "30"
    await api.production.set_unit_process("X", "BOX", process_code=None)
    assert (await api.production.get_unit("X")).current_process is None
    with pytest.raises(ValueError, match="phase"):
        await api.production.set_unit_phase("X")


async def test_the_grade_of_a_unit(api, http):
    """In one word, with how many operations were passed and failed."""
    await http.put("/local/verification-rules", json={"partNumber": "BOX", "processes": [30, 60]})
    assert await api.production.get_unit_grade("X", "BOX") is UnitVerificationGrade.NOT_TESTED
    await api.report.submit(make_report(pn="BOX", sn="X", rev="1.0", process_code=30))
    found = await api.production.verify_unit("X", "BOX", "1.0")
    assert found.grade is UnitVerificationGrade.INCOMPLETE
    assert (found.passed_step_count, found.failed_step_count) == (1, 0)


async def test_changes_wait_until_they_are_acknowledged(api):
    """What a unit became, oldest first; an acknowledged one does not come again."""
    await api.production.set_unit_phase("X", "Finalized")
    await api.production.add_child_to_assembly("X", "B1")
    created, phase = await api.production.get_unit_changes("X")
    assert (created.new_part_number, phase.new_part_number) == ("BOX", None)
    assert (phase.old_phase, phase.new_phase) == ("Under production", "Finalized")
    (*_, built) = await api.production.get_unit_changes("B1", "BOARD")
    assert built.new_parent_serial_number == "X"
    assert await api.production.acknowledge_unit_change(phase.change_id)
    assert len(await api.production.get_unit_changes("X")) == 1
    assert len(await api.production.get_unit_changes(top=3)) == 3
    with pytest.raises(NotFoundError):
        await api.production.acknowledge_unit_change(phase.change_id)


async def test_batches_are_stored(api, http):
    """WATS does not give them back; the local server shows them to a test."""
    await api.production.save_batches([ProductionBatch(batch_number="L1", batch_size=50)])
    assert (await http.get("/local/batches")).json() == [{"batchNumber": "L1", "batchSize": 50}]
    with pytest.raises(ValidationError, match="batchSize"):
        await api.production.save_batches([ProductionBatch(batch_number="L1", batch_size=-1)])


# --- serial numbers


async def test_numbers_are_taken_once(api):
    """Each call gives others, and they are found by what they were taken for."""
    first = await api.production.allocate_serial_numbers("Production_SN", 3, part_number="BOX")
    second = await api.production.allocate_serial_numbers(serial_type_id=1, serial_number="X")
    assert (first, second) == (["SN00000001", "SN00000002", "SN00000003"], ["SN00000004"])
    find = api.production.find_serial_numbers_by_reference
    assert await find("Production_SN", part_number="BOX") == first
    assert await find("Production_SN", serial_number="X") == second
    ranged = await api.production.find_serial_numbers_in_range("Production_SN", "SN00000002", "SN00000003")
    assert ranged == first[1:]
    with pytest.raises(ValueError, match="one of them is needed"):
        await find("Production_SN")


async def test_numbers_of_a_file_are_taken_first(api, http):
    """From either format; a pool has its own pattern."""
    await http.put("/local/serial-number-types", json={"name": "Own", "format": "A##Z"})
    await api.production.import_serial_numbers("Own", b"A05Z\r\nA01Z\r\n", file_format="CSV")
    await api.production.import_serial_numbers("Own", b'<SerialNumbers><SN id="A00Z"/></SerialNumbers>')
    taken = await api.production.allocate_serial_numbers("Own", 4)
    assert taken == ["A00Z", "A01Z", "A05Z", "A02Z"]
    assert b"A02Z\r\n" in await api.production.export_serial_numbers("Own", file_format="CSV")
    own = (await api.production.get_serial_number_types())[-1]
    assert (own.name, own.pattern, own.identifier_name) == ("Own", "A##Z", "Serial number")
    assert len(await api.production.allocate_serial_numbers("Own", 1000)) == 96


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"type_name": "Lost"}, ValidationError),
        ({"serial_type_id": 9}, NotFoundError),
        ({}, ValueError),
        ({"type_name": "MAC", "quantity": 0}, ValueError),
        ({"type_name": "MAC", "quantity": 10_001}, ValidationError),
    ],
)
async def test_numbers_that_cannot_be_taken(api, arguments, error):
    """A pool that there is not, none named, or too few or many."""
    with pytest.raises(error):
        await api.production.allocate_serial_numbers(**arguments)


@pytest.mark.parametrize("content", [b"", b"<SN", b"<SerialNumbers/>", b"<!DOCTYPE x><SN id='1'/>", b"\xff"])
async def test_a_file_without_numbers_is_refused(api, content):
    """With the reason, and nothing is stored."""
    with pytest.raises(ValidationError, match="file: "):
        await api.production.import_serial_numbers("MAC", content)
