"""``/api/internal/Process``: what the server's own pages read of operations."""

from typing import Any
from uuid import UUID, uuid5

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pywats_api.server.requests import INTERNAL, not_found
from pywats_api.server.state import State, state_of

_NAMESPACE = UUID("b0d8f1b4-4f0e-4bb1-9d0f-5a3c0c1f7e02")
_NAMES = {
    "code": "Code",
    "name": "Name",
    "description": "Description",
    "processIndex": "ProcessIndex",
    "state": "State",
    "isTestOperation": "IsTestOperation",
    "isWipOperation": "IsWIPOperation",
    "isRepairOperation": "IsRepairOperation",
}

router = APIRouter(prefix="/api/internal/Process", dependencies=[INTERNAL])


@router.get("/GetProcesses")
async def get_processes(request: Request) -> Response:
    """All operations, inactive ones included."""
    return JSONResponse([_process(entry) for entry in state_of(request).processes])


@router.get("/GetProcess/{process_id}")
async def get_process(request: Request, process_id: str) -> Response:
    """One operation by its id."""
    found = [_process(entry) for entry in state_of(request).processes if _id(entry) == process_id.lower()]
    return JSONResponse(found[0]) if found else not_found(f"Process {process_id}")


@router.get("/GetRepairOperations")
async def get_repair_operations(request: Request) -> Response:
    """What repairs ask, by the code of the operation."""
    state = state_of(request)
    return JSONResponse(
        {str(entry["code"]): _repair(entry, state) for entry in state.processes if entry["isRepairOperation"]}
    )


@router.get("/GetRepairOperation/{process_id}")
async def get_repair_operation(request: Request, process_id: str) -> Response:
    """What repairs of one operation ask."""
    state = state_of(request)
    for entry in state.processes:
        if entry["isRepairOperation"] and _id(entry) == process_id.lower():
            return JSONResponse(_repair(entry, state))
    return not_found(f"Repair operation {process_id}")


def _process(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "ProcessID": _id(entry),
        **{wire: entry.get(name) for name, wire in _NAMES.items()},
        "Properties": None,
    }


def _id(entry: dict[str, Any]) -> str:
    return str(uuid5(_NAMESPACE, str(entry["code"])))


def _repair(entry: dict[str, Any], state: State) -> dict[str, Any]:
    categories = [
        _category(number, name, sorted(codes), entry)
        for number, (name, codes) in enumerate(sorted(state.fail_codes.items()))
    ]
    return {
        "Description": entry["name"],
        "UUTRequired": entry.get("uutBinding", 1),
        "CompRefMask": "",
        "CompRefMaskDescription": "",
        "BomConstraint": "",
        "BOMRequired": entry.get("bomBinding", 1),
        "VendorRequired": entry.get("vendorBinding", 1),
        "Categories": categories,
        "MiscInfos": [],
    }


def _category(number: int, name: str, codes: list[str], entry: dict[str, Any]) -> dict[str, Any]:
    common = {
        "Selectable": True,
        "FailureType": 0,
        "ImageConstraint": entry.get("imageConstraint", 1),
        "Status": 1,
    }
    return {
        "GUID": str(uuid5(_NAMESPACE, name)),
        "Description": name,
        "SortOrder": number,
        **common,
        "Failcodes": [
            {
                "GUID": str(uuid5(_NAMESPACE, f"{name}/{code}")),
                "Description": code,
                "SortOrder": order,
                **common,
            }
            for order, code in enumerate(codes)
        ],
    }
