"""The board that the sample line builds: its parts, its recipes, its tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WORK_ORDER: Final = "WO-26-00417"
BATCH: Final = "WO-26-00417-1"
BOARD: Final = "CTRL-A7"
BOARD_REVISION: Final = "C"
FIRMWARE: Final = "3.4.1"

#: Recipe and revision at each station that has them.
PLACER_RECIPE: Final = ("SMT_CTRL-A7_TOP", "9")
ICT_RECIPE: Final = ("ICT_CTRL-A7", "12")
FCT_RECIPE: Final = ("FCT_CTRL-A7", "4")


@dataclass(frozen=True, slots=True)
class Part:
    """A component of the board, and the reel that it comes from.

    Attributes:
        designator: where it goes.
        part_number: what it is.
        reel: the package that the machine takes it from.
        slot: where on the machine that package is.
        nominal: its value, for those that are measured in circuit.
        unit: unit of the value.
        tolerance: how far off it may be, as a fraction.
    """

    designator: str
    part_number: str
    reel: str
    slot: str
    nominal: float | None = None
    unit: str = ""
    tolerance: float = 0.05


PARTS: Final = (
    Part("R1", "RES-0603-10K", "REEL-77001", "SLOT11", 10.0, "kOhm", 0.01),
    Part("R2", "RES-0603-10K", "REEL-77001", "SLOT11", 10.0, "kOhm", 0.01),
    Part("R3", "RES-0603-4K7", "REEL-77002", "SLOT12", 4.7, "kOhm", 0.01),
    Part("R7", "RES-0805-120R", "REEL-77003", "SLOT13", 120.0, "Ohm", 0.05),
    Part("C1", "CAP-0603-100N", "REEL-77010", "SLOT21", 100.0, "nF", 0.10),
    Part("C4", "CAP-1206-10U", "REEL-77011", "SLOT22", 10.0, "uF", 0.20),
    Part("L1", "IND-1210-22U", "REEL-77020", "SLOT31", 22.0, "uH", 0.20),
    Part("U1", "MCU-LQFP48-F4", "TRAY-88001", "TRAY1"),
    Part("J2", "CON-M12-5P", "TUBE-88010", "TUBE2"),
)

#: Parts that are put in by hand or by the insertion machine, after the surface-mounted ones.
THROUGH_HOLE: Final = ("J2",)


@dataclass(frozen=True, slots=True)
class Rail:
    """A voltage or current that the function test measures."""

    name: str
    nominal: float
    unit: str
    low: float
    high: float


RAILS: Final = (
    Rail("3V3", 3.3, "V", 3.20, 3.40),
    Rail("5V0", 5.0, "V", 4.85, 5.15),
    Rail("Idle current", 84.0, "mA", 70.0, 95.0),
    Rail("RF power", 13.8, "dBm", 12.5, 15.0),
)
