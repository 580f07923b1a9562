"""Products, their revisions, bills of materials, box builds, groups, tags and vendors."""

import httpx
import pytest

from pywats_api import (
    BomItem,
    ConflictError,
    ErrorMode,
    NotFoundError,
    Product,
    ProductRevision,
    ProductState,
    ServerError,
    ValidationError,
)
from pywats_api.connection import Content

from .conftest import TOKEN, make_client, make_report


@pytest.fixture
async def http(server):
    headers = {"Authorization": f"Basic {TOKEN}", "Referer": server.url}
    async with httpx.AsyncClient(base_url=server.url, headers=headers) as client:
        yield client


@pytest.fixture
async def boards(api):
    """A box and what may be built into it."""
    await api.product.bulk_save_products([Product(part_number=part) for part in ("BOX", "BOARD", "PSU")])
    await api.product.bulk_save_revisions(
        [
            ProductRevision(part_number=part, revision=name)
            for part in ("BOX", "BOARD", "PSU")
            for name in "AB"
        ]
    )


# --- products and revisions


@pytest.mark.parametrize("part", ["P-1", "P 1#a?b", "A/B", "..", "Prüfling-Ω", "a+b&c", "50%25"])
async def test_a_product_is_found_by_its_part_number(api, part):
    """Whatever a part number holds, its revisions too."""
    await api.product.create_product(part, "Name", description="About it")
    await api.product.create_revision(part, "1/2", name="First")
    product = await api.product.get_product(part)
    assert (product.name, product.description, product.state) == ("Name", "About it", ProductState.ACTIVE)
    assert [revision.revision for revision in product.revisions] == ["1/2"]
    assert (await api.product.get_revision(part, "1/2")).name == "First"


async def test_a_report_makes_its_product_known(api):
    """With the revision that it names, and an id to change it by."""
    await api.report.submit(make_report(pn="P9", rev="C"))
    assert [view.part_number for view in await api.product.get_products()] == ["P9"]
    (revision,) = await api.product.get_revisions("P9")
    revision.description = "from a report"
    assert (await api.product.update_revision(revision)).revision == "C"


async def test_what_exists_is_not_made_again(api):
    """Making is not saving: a part number or revision that is taken is a conflict."""
    await api.product.create_product("P")
    await api.product.create_revision("P", "A")
    with pytest.raises(ConflictError, match="'P' exists already"):
        await api.product.create_product("P")
    with pytest.raises(ConflictError, match="revision 'A' already"):
        await api.product.create_revision("P", "A")


async def test_an_update_keeps_what_it_does_not_name(api):
    """Tags, revisions and members that the client does not know survive."""
    await api.product.bulk_save_products([Product(part_number="P", name="old", colour="red")])
    await api.product.create_revision("P", "A")
    await api.product.set_product_tags("P", [{"key": "Line", "value": "1"}])
    product = await api.product.get_product("P")
    product.name = "new"
    product.state = ProductState.OBSOLETE
    await api.product.update_product(product)
    again = await api.product.get_product("P")
    assert (again.name, again.model_extra["colour"], len(again.revisions)) == ("new", "red", 1)
    assert again.state is ProductState.INACTIVE
    assert not api.product.is_active(again)
    assert [(tag.key, tag.value) for tag in again.tags] == [("Line", "1")]


async def test_what_is_not_there_by_error_mode(api, server, fake_time):
    """Strict raises for it, lenient gives None."""
    for call in (
        api.product.get_product("X"),
        api.product.get_revision("X", "A"),
        api.product.get_product("X/Y"),
        api.product.get_revision("X/Y", "A"),
    ):
        with pytest.raises(NotFoundError):
            await call
    async with make_client(server, fake_time, error_mode=ErrorMode.LENIENT) as lenient:
        assert await lenient.product.get_product("X") is None
        assert await lenient.product.get_revision("X", "A") is None
        assert await lenient.product.get_revisions("X") == []
        assert await lenient.product.set_product_tags("X", []) is None


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"part_number": " "}, "partNumber"),
        ({"part_number": "P" * 101}, "partNumber: .* at most 100"),
        ({"name": "n" * 101}, "name: .* at most 100"),
        ({"state": 7}, "state"),
        ({"product_id": "no-guid"}, "productId: .* no GUID"),
        ({"product_id": "5f0d3a52-9a3e-4b53-8d0c-0c9f3b1f6a10"}, "no product has the id"),
        ({"xml_data": "<open"}, "xmlData: no XML"),
        ({"xml_data": "<!DOCTYPE x><Root/>"}, "document type is not allowed"),
        ({"tags": [{"key": ""}]}, r"tags\.0\.key"),
    ],
)
async def test_an_impossible_product_is_refused(api, wrong, reason):
    """With the member and the reason."""
    with pytest.raises(ValidationError, match=reason):
        await api.product.update_product(Product(**{"part_number": "P", **wrong}))


async def test_a_revision_needs_its_product(api):
    """Which a report or somebody has to have made before."""
    with pytest.raises(ValidationError, match="there is no product 'P'; create it first"):
        await api.product.create_revision("P", "A")


async def test_many_products_come_page_by_page(api):
    """All of them, though the server gives a thousand at a time; filters and limits hold."""
    await api.product.bulk_save_products([Product(part_number=f"P{n:04d}", state=n % 2) for n in range(1500)])
    assert len(await api.product.get_products()) == 1500
    assert len(await api.product.get_active_products()) == 750
    found = await api.product.get_products("startswith(partNumber, 'P00')", top=3, skip=2)
    assert [view.part_number for view in found] == ["P0002", "P0003", "P0004"]
    with pytest.raises(ValidationError, match="no field"):
        await api.product.get_products("colour eq 'red'")


async def test_many_at_once_each_with_its_outcome(api):
    """One that is missing does not take the others with it."""
    await api.product.create_product("P")
    found, lost = await api.product.get_products_batch(["P", "Q"])
    assert found.is_success
    assert found.value.part_number == "P"
    assert (lost.is_failure, lost.error_code) == (True, "NOT_FOUND")
    (revision,) = await api.product.get_revisions_batch([("P", "A")])
    assert revision.is_failure


async def test_tags_and_xml_say_the_same(api):
    """Two forms of one thing: what is written in one is read in the other."""
    await api.product.create_product("P", xml_data='<Root><Line Value="1"/></Root>')
    await api.product.add_product_tag("P", "Colour", 'r<e>"d')
    product = await api.product.get_product("P")
    assert [(tag["key"], tag.value) for tag in product.tags] == [("Line", "1"), ("Colour", 'r<e>"d')]
    assert product.xml_data.startswith('<Root><Line Value="1"/><Colour Value=')
    product.xml_data = '<Root><Only Value="x"/></Root>'
    await api.product.update_product(product)
    assert [tag.key for tag in await api.product.get_product_tags("P")] == ["Only"]


# --- bills of materials


async def test_a_bill_of_materials_comes_back(api):
    """Lines with their places; the text is the document, and product and revision are made."""
    items = [
        BomItem(
            part_number="R-1", revision="A", quantity=2, reference_designator="R1, R2", description="<10k>"
        ),
        BomItem(part_number="C-1", component_ref="C1"),
    ]
    await api.product.update_bom("P", "A", items, "A board")
    resistor, capacitor = await api.product.get_bom_items("P", "A")
    assert (resistor.quantity, resistor.designators, resistor.description) == (2, "R1,R2", "<10k>")
    assert (capacitor.part_number, capacitor.component_ref) == ("C-1", "C1")
    bom = await api.product.get_bom("P", "A")
    assert 'Ref="R1;R2"' in bom
    assert bom.items == [resistor, capacitor]
    assert await api.product.get_bom("P", "B") is None


@pytest.mark.parametrize(
    ("part", "items"), [("P", []), (" ", [BomItem(part_number="R")]), ("P", [{"part_number": ""}])]
)
async def test_a_bill_of_materials_that_is_none(api, part, items):
    """Is told before it is sent: the server would answer 500."""
    with pytest.raises(ValueError):
        await api.product.update_bom(part, "A", items)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<BOM/>",
        '<BOM xmlns="http://wats.virinco.com/schemas/WATS/wsbf" Partnumber="P" Revision="A"/>',
        '<BOM xmlns="http://wats.virinco.com/schemas/WATS/wsbf" Partnumber="P"><Component Number="R"/></BOM>',
        '<!DOCTYPE b [<!ENTITY a "a">]><BOM/>',
    ],
)
async def test_the_server_answers_500_to_what_is_no_bill_of_materials(api, text):
    """As WATS does, with the reason."""
    with pytest.raises(ServerError, match="BOM is not valid"):
        await api._connection.request(
            "test", "PUT", "/api/Product/BOM", body=Content(text.encode(), "application/xml")
        )


# --- box builds


@pytest.mark.usefixtures("boards")
async def test_a_template_is_changed_and_kept(api):
    """Lines are added, changed and removed; the order they were added in is theirs."""
    async with await api.product.get_box_build_template("BOX", "A") as template:
        template.add_subunit("BOARD", "A", quantity=2, revision_mask="*").add_subunit("PSU", "B")
    assert [
        (line.part_number, line.quantity, line.revision_mask, line.index) for line in template.subunits
    ] == [
        ("BOARD", 2, "%", 0),
        ("PSU", 1, None, 1),
    ]
    template = await api.product.get_box_build_template("BOX", "A")
    await template.update_subunit("BOARD", "A", quantity=3).remove_subunit("PSU", "B").save()
    (line,) = await api.product.get_box_build_subunits("BOX", "A")
    assert (line.child_part_number, line.quantity, line.revision_mask) == ("BOARD", 3, "%")
    assert await api.product.get_box_build_subunits("BOX", "B") == []


@pytest.mark.usefixtures("boards")
async def test_a_save_that_broke_off_can_be_repeated(api):
    """What was stored before the failure is not stored again."""
    template = await api.product.get_box_build_template("BOX", "A")
    template.add_subunit("BOARD", "A").add_subunit("PSU", "Z")
    with pytest.raises(NotFoundError, match="Revision Z"):
        await template.save()
    await api.product.create_revision("PSU", "Z")
    await template.save()
    assert [line.part_number for line in template.subunits] == ["BOARD", "PSU"]


@pytest.mark.usefixtures("boards")
async def test_templates_that_cannot_be(api):
    """A product in itself, a quantity of nothing, a line that is not there."""
    template = await api.product.get_box_build_template("BOX", "A")
    with pytest.raises(ValueError, match="quantity is 1 or more"):
        template.add_subunit("BOARD", "A", quantity=0)
    with pytest.raises(ValueError, match="no sub-unit PSU A"):
        template.remove_subunit("PSU", "A")
    await template.add_subunit("BOARD", "A").save()
    inner = await api.product.get_box_build_template("BOARD", "A")
    with pytest.raises(ValidationError, match="part of itself"):
        await inner.add_subunit("BOX", "A").save()
    with pytest.raises(NotFoundError):
        await api.product.get_box_build_template("BOX", "Z")


@pytest.mark.usefixtures("boards")
async def test_nothing_is_saved_after_an_error(api):
    """A block that fails stores none of its changes."""
    template = await api.product.get_box_build_template("BOX", "A")

    async def block():
        async with template:
            template.add_subunit("BOARD", "A")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await block()
    assert await api.product.get_box_build_subunits("BOX", "A") == []


# --- groups and vendors


async def test_groups_take_products_in_and_leave_them_out(api, http):
    """By filters with wildcards; the group has to exist."""
    await http.put("/local/product-groups", json={"name": "Boards"})
    await api.product.create_product("B-1", product_group="Boards")
    await api.product.add_to_group("Boards", "B-%")
    await api.product.add_to_group("Boards", "B-9", exclude=True)
    assert [group.name for group in await api.product.get_groups_for_product("B-2", "A")] == ["Boards"]
    assert await api.product.get_groups_for_product("B-9", "A") == []
    assert [group.name for group in await api.product.get_groups("contains(name, 'oard')")] == ["Boards"]
    with pytest.raises(ValidationError, match="no group 'Lost'"):
        await api.product.add_to_group("Lost", "B-1")


async def test_vendors_come_and_go(api):
    """By name, which is the only key that WATS has for them."""
    await api.product.save_vendor({"name": "Acme", "contact": "Ann"})
    assert [vendor["name"] for vendor in await api.product.get_vendors()] == ["Acme"]
    assert await api.product.delete_vendor("Acme")
    assert await api.product.get_vendors() == []
    with pytest.raises(ValueError, match="needs a name"):
        await api.product.save_vendor({"contact": "Ann"})
