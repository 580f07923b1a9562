"""What a person sees of units, products and tickets, by clicking through from one page to the next."""

import re
from html import unescape

import httpx
import pytest

from pywats_api import BomItem, TicketStatus, Unit

from .conftest import make_report


@pytest.fixture
async def page(server):
    """Follow links by their text: the page that the last one leads to."""
    async with httpx.AsyncClient(base_url=server.url) as browser:

        async def follow(path, *links):
            answer = await browser.get(path)
            for text in links:
                found = re.search(rf'<a href="([^"]+)">{re.escape(text)}</a>', answer.text)
                assert found, f"no link {text!r} on {answer.url}"
                answer = await browser.get(unescape(found[1]))
            assert answer.status_code == 200
            return unescape(answer.text)

        yield follow


async def test_from_a_box_to_what_is_built_in_and_its_report(api, page):
    """The assembly is shown with what it lacks, its units with their tests."""
    await api.report.submit(make_report(pn="BOARD/1", sn="B <1>"))
    await api.product.create_product("BOX", "A box")
    await api.product.create_revision("BOX", "1")
    async with await api.product.get_box_build_template("BOX", "1") as template:
        template.add_subunit("BOARD/1", "A", quantity=2)
    await api.production.create_unit(Unit(serial_number="X", part_number="BOX", revision="1"))
    await api.production.set_unit_phase("B <1>", "Finalized")
    await api.production.add_child_to_assembly("X", "BOX", "B <1>", "BOARD/1")
    box = await page("/units", "X")
    assert "1 of BOARD/1 A missing" in box
    assert "<1>" in await page("/units", "X", "B &lt;1&gt;")
    assert "Report of B" in await page("/units", "X", "B &lt;1&gt;", make_report().to_wire()["start"])
    assert "Needs" in await page("/units", "X", "BOX")


async def test_a_product_with_its_bill_of_materials(api, page):
    """Everything that was stored of a product is on its page."""
    await api.product.update_bom("P&L", "A", [BomItem(part_number="RES-10K", quantity=5)])
    await api.product.add_revision_tag("P&L", "A", "ECO", "17")
    shown = await page("/products", "P&amp;L")
    assert "RES-10K" in shown
    assert "ECO: 17" in shown


async def test_a_ticket_with_its_history(api, page):
    """A ticket leads to its history; what it is about is never taken for HTML."""
    ticket = await api.rootcause.create_ticket("<b>Hot</b>", assignee="ann", initial_comment="<script>")
    await api.rootcause.change_status(ticket.ticket_id, TicketStatus.SOLVED)
    shown = await page("/tickets", "&lt;b&gt;Hot&lt;/b&gt;")
    assert "Solved" in shown
    assert "ann" in shown


@pytest.mark.parametrize(
    "path", ["/units/unit?serial=x", "/products/product?part=x", "/tickets/ticket?ticket=x"]
)
async def test_what_is_not_there(server, path):
    """Gets 404, with a way back to the list."""
    async with httpx.AsyncClient(base_url=server.url) as browser:
        answer = await browser.get(path)
    assert answer.status_code == 404
    assert "<a href=" in answer.text
