"""The operations and fail codes of the local server's account, which an administrator sets on a real one."""

from typing import Any, Literal


def process(
    code: int,
    name: str,
    kind: Literal["test", "repair", "wip"] = "test",
    *,
    description: str = "",
    index: int | None = None,
) -> dict[str, Any]:
    """One operation as ``GET /api/App/Processes`` lists it."""
    entry: dict[str, Any] = {
        "code": code,
        "name": name,
        "description": description,
        "isTestOperation": kind == "test",
        "isRepairOperation": kind == "repair",
        "isWipOperation": kind == "wip",
        "processIndex": code if index is None else index,
        "state": 1,
    }
    if kind == "repair":
        entry |= {"uutBinding": 1, "bomBinding": 1, "vendorBinding": 1, "imageConstraint": 1, "repairType": 0}
    return entry


# The first dozen and the repairs are what a new account brings. WATS knows no codes of its own for optical,
# X-ray and structural test: those from 130 on are made up here, as an administrator would make them up.
DEFAULT_PROCESSES: tuple[dict[str, Any], ...] = (
    process(10, "SW Debug"),
    process(20, "First of line test"),
    process(30, "ICT", description="In-circuit test", index=70),
    process(40, "Programming", index=75),
    process(50, "PCBA test", index=80),
    process(60, "Functional test", index=85),
    process(70, "Insulation test", index=90),
    process(80, "Stress test", index=95),
    process(90, "Burn In test", index=100),
    process(100, "End of line test", index=105),
    process(110, "RMA test", index=110),
    process(120, "Manual inspection", index=65),
    process(130, "SPI", description="Solder paste inspection", index=30),
    process(140, "AOI bottom", description="Optical inspection, bottom side", index=40),
    process(141, "AOI top", description="Optical inspection, top side", index=45),
    process(142, "AOI pre-reflow", description="Optical inspection before the oven", index=35),
    process(150, "AXI", description="X-ray inspection", index=50),
    process(160, "Flying probe", description="Structural test without a fixture", index=55),
    process(170, "Boundary scan", index=60),
    process(300, "Assembly", "wip", index=5),
    process(500, "Repair", "repair"),
    process(510, "RMA repair", "repair"),
)

# Category -> codes, the same for every repair operation of the local server.
FAIL_CODES: dict[str, frozenset[str]] = {
    "Component": frozenset(
        {
            "Defect",
            "Missing",
            "Wrong",
            "Wrong polarity",
            "Misplaced",
            "Tombstone",
            "Burned Component",
            "Other",
        }
    ),
    "Solder Process": frozenset(
        {"Appearance", "Bridge", "Open", "Insufficient", "Excess", "Cold joint", "Other"}
    ),
    "Assembly Process": frozenset({"Missing component", "Wrong part", "Damage", "Misaligned", "Other"}),
    "Board": frozenset({"Defect", "Contamination", "Warp", "Other"}),
    "Software": frozenset({"Wrong version", "Programming failed", "Other"}),
    "No fault found": frozenset({"No fault found"}),
}
