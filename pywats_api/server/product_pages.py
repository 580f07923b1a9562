"""The pages of products: the list, and one product with its revisions, box builds and bills of materials."""

import sqlite3
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from pywats_api.server.pages import page_of, shown
from pywats_api.server.state import state_of
from pywats_api.server.tables import facts, further, link, table, tags_of

_PER_PAGE = 100

router = APIRouter(include_in_schema=False)


@router.get("/products")
async def list_page(request: Request, skip: Annotated[int, Query(ge=0, le=10**9)] = 0) -> Response:
    """All products, by part number."""
    state = state_of(request)

    def read(connection: sqlite3.Connection) -> list[dict[str, Any]]:
        state.products.all(connection)
        rows = connection.execute(
            "SELECT part_number FROM products ORDER BY part_number LIMIT ? OFFSET ?", (_PER_PAGE, skip)
        ).fetchall()
        found = [state.products.find(connection, row["part_number"]) for row in rows]
        return [product for product in found if product is not None]

    products = await state.run(read)
    rows = [
        (
            link("/products/product", product["partNumber"], part=product["partNumber"]),
            shown(product.get("name") or ""),
            _state(product),
            shown(", ".join(revision["revision"] for revision in product["revisions"])),
        )
        for product in products
    ]
    body = table(("Part number", "Name", "State", "Revisions"), rows, "No product is known yet.")
    return page_of(
        "Products", f"<p>{link('/', 'Reports')}</p>{body}{further('/products', len(rows), _PER_PAGE, skip)}"
    )


@router.get("/products/product")
async def product_page(request: Request, part: str) -> Response:
    """One product."""
    state = state_of(request)

    def read(connection: sqlite3.Connection) -> tuple[dict[str, Any], str] | None:
        product = state.products.find(connection, part)
        if product is None:
            return None
        revisions = [
            _revision(
                revision,
                state.box_builds.lines(connection, revision["productRevisionId"]),
                state.products.bom(connection, part, revision["revision"]),
            )
            for revision in product["revisions"]
        ]
        return product, "".join(revisions)

    found = await state.run(read)
    if found is None:
        return page_of("No such product", f"<p>{link('/products', 'All products')}</p>", status=404)
    product, revisions = found
    listing = facts(
        {
            "Name": shown(product.get("name") or ""),
            "Description": shown(product.get("description") or ""),
            "State": _state(product),
            "Tags": tags_of(product.get("tags")),
        }
    )
    return page_of(f"Product {part}", f"<p>{link('/products', 'All products')}</p>{listing}{revisions}")


def _revision(revision: Mapping[str, Any], lines: list[dict[str, Any]], bom: str | None) -> str:
    rows = [
        (
            link("/products/product", line["PartNumber"], part=line["PartNumber"]),
            shown(line["RevisionMask"] or line["Revision"]),
            shown(line["Quantity"]),
        )
        for line in lines
    ]
    listing = facts(
        {
            "Name": shown(revision.get("name") or ""),
            "Description": shown(revision.get("description") or ""),
            "State": _state(revision),
            "Tags": tags_of(revision.get("tags")),
        }
    )
    built = table(("Needs", "Revisions", "Quantity"), rows, "") if rows else ""
    document = f"<h3>Bill of materials</h3><pre>{shown(bom)}</pre>" if bom else ""
    return f"<h2>Revision {shown(revision['revision'])}</h2>{listing}{built}{document}"


def _state(thing: Mapping[str, Any]) -> str:
    return "active" if thing.get("state") == 1 else "inactive"
