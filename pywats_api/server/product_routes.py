"""``/api/Product``, what is internal beside it, and the groups that an administrator makes elsewhere."""

import sqlite3
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pywats_api.server.bodies import checked, read_many, read_one, takes
from pywats_api.server.documents import Refused
from pywats_api.server.odata import Column, Condition, parse_filter
from pywats_api.server.product_bodies import GroupBody, ProductBody, RelationBody, RevisionBody, VendorBody
from pywats_api.server.product_store import Taken
from pywats_api.server.product_xml import InvalidBom, read_bom
from pywats_api.server.requests import INTERNAL, not_found, read_body
from pywats_api.server.state import state_of

_DEFAULT_TOP = 1000
_MAX_TOP = 10_000
_FIELDS = {
    "partNumber": Column("part_number"),
    "name": Column("json_extract(body, '$.name')"),
    "category": Column("json_extract(body, '$.productCategoryName')"),
    "nonSerial": Column("json_extract(body, '$.nonSerial')", "number"),
    "state": Column("json_extract(body, '$.state')", "number"),
}
_GROUP_FIELDS = {
    "name": Column("name"),
    "productGroupName": Column("name"),
    "description": Column("json_extract(body, '$.description')"),
}

Part = Annotated[str, Query(alias="partNumber", min_length=1, max_length=100)]
Revision = Annotated[str, Query(alias="revision", max_length=100)]
Filter = Annotated[str | None, Query(alias="$filter")]
Top = Annotated[int | None, Query(alias="$top", ge=0, le=_MAX_TOP)]
Skip = Annotated[int, Query(alias="$skip", ge=0, le=10**9)]
Order = Annotated[str | None, Query(alias="$orderby")]

router = APIRouter()


@router.get("/api/Product/Query")
async def query(
    request: Request,
    condition: Filter = None,
    top: Top = None,
    skip: Skip = 0,
    order: Order = None,
) -> Response:
    """Look products up; at most 1000 where nothing is filtered."""
    state = state_of(request)
    where = parse_filter(condition, _FIELDS) if condition else Condition("1")
    by = _order(order)
    limit = top if top is not None else _MAX_TOP if condition else _DEFAULT_TOP

    def work(connection: sqlite3.Connection) -> list[dict[str, Any]]:
        state.products.all(connection)
        columns = ", ".join(f'{column.sql} AS "{name}"' for name, column in _FIELDS.items())
        rows = connection.execute(
            f"SELECT {columns} FROM products WHERE {where.sql} ORDER BY {by} LIMIT ? OFFSET ?",  # noqa: S608  # own SQL, values bound
            (*where.values, limit, skip),
        )
        return [{**dict(row), "nonSerial": bool(row["nonSerial"])} for row in rows]

    return JSONResponse(await state.run(work))


@router.put("/api/Product", openapi_extra=takes(ProductBody))
async def put_product(request: Request) -> Response:
    """Create a product, or update the one with its id."""
    state = state_of(request)
    wanted = (await read_one(request, ProductBody)).members()
    return await _stored(request, lambda connection: state.products.put(connection, wanted))


@router.put("/api/Products", openapi_extra=takes(ProductBody, many=True))
async def put_products(request: Request) -> Response:
    """Create products, or update those with these part numbers. All of them, or none."""
    state = state_of(request)
    wanted = [checked(one, ProductBody).members() for one in await read_many(request)]
    return JSONResponse(
        await state.run(lambda connection: [state.products.save(connection, one) for one in wanted])
    )


@router.put("/api/Product/Revision", openapi_extra=takes(RevisionBody))
async def put_revision(request: Request) -> Response:
    """Create a revision, or update the one with its id."""
    state = state_of(request)
    wanted = (await read_one(request, RevisionBody)).members()
    return await _stored(request, lambda connection: state.products.put_revision(connection, wanted))


@router.put("/api/Products/Revisions", openapi_extra=takes(RevisionBody, many=True))
async def put_revisions(request: Request) -> Response:
    """Create revisions, or update those there are. All of them, or none."""
    state = state_of(request)
    wanted = [checked(one, RevisionBody).members() for one in await read_many(request)]

    def work(connection: sqlite3.Connection) -> list[dict[str, Any]]:
        return [state.products.put_revision(connection, one, save=True) for one in wanted]

    return JSONResponse(await state.run(work))


@router.put(
    "/api/Product/BOM",
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/xml": {"schema": {"type": "string"}}}}
    },
    responses={500: {"description": "It is no bill of materials."}},
)
async def put_bom(request: Request) -> Response:
    """Replace a bill of materials. WATS answers 500, and not 400, to what is none."""
    state = state_of(request)
    sent = await read_body(request)
    try:
        text = sent.decode("utf-8-sig")
        part, revision = read_bom(text)
    except (UnicodeDecodeError, InvalidBom) as error:
        return JSONResponse({"Message": f"The BOM is not valid: {error}."}, status_code=500)
    await state.run(lambda connection: state.products.put_bom(connection, part, revision, text))
    return Response(status_code=200)


@router.get("/api/Product/Vendors")
async def get_vendors(request: Request) -> Response:
    """All vendors."""
    state = state_of(request)
    return JSONResponse(await state.run(state.products.vendors))


@router.put("/api/Product/Vendors", openapi_extra=takes(VendorBody, many=True))
async def put_vendors(request: Request) -> Response:
    """Make vendors known."""
    state = state_of(request)
    wanted = [checked(one, VendorBody).members() for one in await read_many(request)]
    await state.run(lambda connection: state.products.put_vendors(connection, wanted))
    return Response(status_code=200)


@router.delete("/api/Product/Vendors", openapi_extra=takes(VendorBody, many=True))
async def delete_vendors(request: Request) -> Response:
    """Forget vendors."""
    state = state_of(request)
    wanted = [checked(one, VendorBody).members() for one in await read_many(request)]
    await state.run(lambda connection: state.products.delete_vendors(connection, wanted))
    return Response(status_code=200)


@router.get("/api/Product/ProductGroupsByProduct")
async def groups_of(request: Request, part: Part, revision: Revision = "") -> Response:
    """The groups that a product is in."""
    state = state_of(request)
    return JSONResponse(
        await state.run(lambda connection: state.products.groups_of(connection, part, revision))
    )


@router.post("/api/Product/ProductGroupFilter")
async def add_filter(
    request: Request,
    group: Annotated[str, Query(alias="productGroup", min_length=1, max_length=100)],
    part: Part,
    revision: Annotated[str, Query(alias="revision", max_length=100)] = "%",
    exclude: Annotated[bool, Query(alias="exclude")] = False,
) -> Response:
    """Let products into a group, or keep them out."""
    state = state_of(request)
    await state.run(
        lambda connection: state.products.add_filter(
            connection, group, part, revision or "%", exclude=exclude
        )
    )
    return Response(status_code=200)


@router.get("/api/App/ProductGroups")
async def groups(request: Request, condition: Filter = None, top: Top = None) -> Response:
    """All product groups. WATS does not say that it filters here; the local server does."""
    state = state_of(request)
    where = parse_filter(condition, _GROUP_FIELDS) if condition else Condition("1")

    def work(connection: sqlite3.Connection) -> list[str]:
        rows = connection.execute(
            f"SELECT body FROM product_groups WHERE {where.sql} ORDER BY name LIMIT ?",  # noqa: S608  # own SQL, values bound
            (*where.values, _MAX_TOP if top is None else top),
        )
        return [row["body"] for row in rows]

    return Response(f"[{','.join(await state.run(work))}]", media_type="application/json")


@router.get("/api/internal/Product/GetProductByPN", dependencies=[INTERNAL])
async def product_by_part_number(
    request: Request, part: Annotated[str, Query(alias="PN", min_length=1, max_length=100)]
) -> Response:
    """A product whose part number cannot travel in a path."""
    return await _product(request, part)


@router.get("/api/internal/Product/GetProductInfo", dependencies=[INTERNAL])
async def product_info(request: Request, part: Part, revision: Revision) -> Response:
    """A product with one revision and its box-build template. The shape is made up: nobody wrote it down."""
    state = state_of(request)

    def work(connection: sqlite3.Connection) -> dict[str, Any] | None:
        product = state.products.find(connection, part)
        known = state.products.find_revision(connection, part, revision)
        if product is None or known is None:
            return None
        return {
            "ProductId": product["productId"],
            "PartNumber": part,
            "Name": product.get("name"),
            "ProductRevisionId": known["productRevisionId"],
            "Revision": revision,
            "ProductRevisionRelations": state.box_builds.lines(connection, known["productRevisionId"]),
        }

    info = await state.run(work)
    return not_found(f"Revision {revision} of product {part}") if info is None else JSONResponse(info)


@router.get("/api/internal/Product/Bom", dependencies=[INTERNAL])
async def bom(request: Request, part: Part, revision: Revision) -> Response:
    """A bill of materials as it was sent."""
    state = state_of(request)
    text = await state.run(lambda connection: state.products.bom(connection, part, revision))
    if text is None:
        return not_found(f"The bill of materials of {part} {revision}")
    return Response(text, media_type="application/xml")


@router.post(
    "/api/internal/Product/PostProductRevisionRelation",
    dependencies=[INTERNAL],
    openapi_extra=takes(RelationBody),
)
async def add_relation(request: Request) -> Response:
    """Add a line to a box-build template; the whole template comes back."""
    state = state_of(request)
    wanted = (await read_one(request, RelationBody)).members()
    return JSONResponse(await state.run(lambda connection: state.box_builds.add(connection, wanted)))


@router.put(
    "/api/internal/Product/PutProductRevisionRelation",
    dependencies=[INTERNAL],
    openapi_extra=takes(RelationBody),
)
async def change_relation(request: Request) -> Response:
    """Change a line of a box-build template."""
    state = state_of(request)
    wanted = (await read_one(request, RelationBody)).members()
    line = await state.run(lambda connection: state.box_builds.change(connection, wanted))
    return not_found("Such a line of a box-build template") if line is None else JSONResponse(line)


@router.delete("/api/internal/Product/DeleteProductRevisionRelation", dependencies=[INTERNAL])
async def remove_relation(
    request: Request,
    relation_id: Annotated[str, Query(alias="productRevisionRelationId", min_length=1, max_length=36)],
) -> Response:
    """Take a line out of a box-build template."""
    state = state_of(request)
    known = await state.run(lambda connection: state.box_builds.remove(connection, relation_id.lower()))
    return Response(status_code=200) if known else not_found(f"Line {relation_id} of a box-build template")


@router.get("/api/Product/{part}")
async def get_product(request: Request, part: str) -> Response:
    """A product with its revisions."""
    return await _product(request, part)


@router.get("/api/Product/{part}/{revision}")
async def get_revision(request: Request, part: str, revision: str) -> Response:
    """A revision of a product."""
    state = state_of(request)
    found = await state.run(lambda connection: state.products.find_revision(connection, part, revision))
    return not_found(f"Revision {revision} of product {part}") if found is None else JSONResponse(found)


@router.get("/local/product-groups")
async def get_groups(request: Request) -> Response:
    """All product groups."""
    return await groups(request)


@router.put("/local/product-groups", openapi_extra=takes(GroupBody))
async def put_group(request: Request) -> Response:
    """Make a product group, as an administrator does: ``{"name": "Boards"}``."""
    state = state_of(request)
    wanted = (await read_one(request, GroupBody)).members()
    await state.run(lambda connection: state.products.put_group(connection, wanted))
    return Response(status_code=204)


async def _product(request: Request, part: str) -> Response:
    state = state_of(request)
    found = await state.run(lambda connection: state.products.find(connection, part))
    return not_found(f"Product {part}") if found is None else JSONResponse(found)


async def _stored(request: Request, job: Any) -> Response:
    try:
        return JSONResponse(await state_of(request).run(job))
    except Taken as error:
        return JSONResponse({"Message": str(error)}, status_code=409)


def _order(text: str | None) -> str:
    name, _, direction = (text or "partNumber").strip().partition(" ")
    direction = direction.strip() or "asc"
    if name not in _FIELDS or direction not in {"asc", "desc"}:
        raise Refused(f"$orderby: cannot order by {(text or '')[:50]!r}.")
    return f"{_FIELDS[name].sql} {direction}, part_number"
