"""``/api/Production/SerialNumbers``: numbers that are handed out, and the pools they come from."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pywats_api.server.bodies import read_one, takes
from pywats_api.server.documents import Refused
from pywats_api.server.production_bodies import SerialNumberTypeBody
from pywats_api.server.production_serials import as_file, in_file
from pywats_api.server.state import state_of
from pywats_api.server.uploads import FILE, read_file

_PATH = "/api/Production/SerialNumbers"
_XML: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/xml": {}, "text/csv": {}}, "description": "The numbers."}
}

router = APIRouter()

TypeName = Annotated[str, Query(alias="serialNumberType", min_length=1, max_length=100)]
Format = Annotated[Literal["XML", "CSV"], Query(alias="format")]
Start = Annotated[str | None, Query(alias="startAddress", max_length=100)]
End = Annotated[str | None, Query(alias="endAddress", max_length=100)]
StartDate = Annotated[str | None, Query(alias="startDate", max_length=50)]
EndDate = Annotated[str | None, Query(alias="endDate", max_length=50)]


@router.get(f"{_PATH}/Types")
async def get_types(request: Request) -> Response:
    """All pools."""
    state = state_of(request)
    return JSONResponse(await state.run(state.serial_numbers.types))


@router.post(f"{_PATH}/Take", responses=_XML)
async def take(
    request: Request,
    *,
    type_name: TypeName,
    quantity: Annotated[int, Query(alias="quantity", ge=1, le=10_000)],
    ref_sn: Annotated[str, Query(alias="refSN", max_length=100)] = "",
    ref_pn: Annotated[str, Query(alias="refPN", max_length=100)] = "",
    station: Annotated[str, Query(alias="stationName", max_length=100)] = "",
    in_sequence: Annotated[bool, Query(alias="onlyInSequence")] = False,
    file_format: Format = "XML",
) -> Response:
    """Hand numbers out."""
    state = state_of(request)
    numbers = await state.run(
        lambda connection: state.serial_numbers.take(
            connection,
            type_name,
            quantity,
            ref_sn=ref_sn,
            ref_pn=ref_pn,
            station=station,
            only_in_sequence=str(in_sequence).lower(),
        )
    )
    return _file(numbers, file_format)


@router.get(f"{_PATH}/ByRange", responses=_XML)
async def by_range(
    request: Request,
    *,
    type_name: TypeName,
    start: Start = None,
    end: End = None,
    start_date: StartDate = None,
    end_date: EndDate = None,
) -> Response:
    """Numbers that were handed out, between two of them."""
    return await _taken(
        request, type_name, start_address=start, end_address=end, start_date=start_date, end_date=end_date
    )


@router.get(f"{_PATH}/ByReference", responses=_XML)
async def by_reference(
    request: Request,
    *,
    type_name: TypeName,
    ref_sn: Annotated[str | None, Query(alias="refSN", max_length=100)] = None,
    ref_pn: Annotated[str | None, Query(alias="refPN", max_length=100)] = None,
    start_date: StartDate = None,
    end_date: EndDate = None,
) -> Response:
    """Numbers that were handed out for a unit or a product."""
    if not ref_sn and not ref_pn:
        raise Refused("refSN or refPN: one of them is required in the query.")
    return await _taken(
        request, type_name, ref_sn=ref_sn, ref_pn=ref_pn, start_date=start_date, end_date=end_date
    )


@router.get(_PATH, responses=_XML)
async def export(
    request: Request,
    *,
    type_name: TypeName,
    start: Start = None,
    end: End = None,
    start_date: StartDate = None,
    end_date: EndDate = None,
    file_format: Format = "XML",
) -> Response:
    """The numbers that were handed out, as a file."""
    return await _taken(
        request,
        type_name,
        file_format,
        start_address=start,
        end_address=end,
        start_date=start_date,
        end_date=end_date,
    )


@router.put(_PATH, openapi_extra=FILE)
async def upload(request: Request, type_name: TypeName, file_format: Format = "XML") -> Response:
    """Put the numbers of a file into a pool."""
    state = state_of(request)
    numbers = in_file((await read_file(request)).content, file_format)
    added = await state.run(lambda connection: state.serial_numbers.upload(connection, type_name, numbers))
    return JSONResponse({"insertCount": added})


@router.put("/local/serial-number-types", openapi_extra=takes(SerialNumberTypeBody))
async def put_type(request: Request) -> Response:
    """Make a pool, as an administrator does: ``{"name": "Boards", "format": "B#####"}``."""
    state = state_of(request)
    wanted = (await read_one(request, SerialNumberTypeBody)).members()
    await state.run(lambda connection: state.serial_numbers.put_type(connection, wanted))
    return Response(status_code=204)


async def _taken(
    request: Request, type_name: str, file_format: str = "XML", /, **options: str | None
) -> Response:
    state = state_of(request)
    numbers = await state.run(lambda connection: state.serial_numbers.taken(connection, type_name, options))
    return _file(numbers, file_format)


def _file(numbers: list[str], file_format: str) -> Response:
    text, media_type = as_file(numbers, file_format)
    return Response(text, media_type=media_type)
