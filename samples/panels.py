"""Panels, the boards on them, and the stations that they pass."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final, Literal
from uuid import UUID

from pywats_cfx import messages as cfx

LASER: Final = "//Acme/Line1/LASER01"
SPI: Final = "//Acme/Line1/SPI01"
PLACER: Final = "//Acme/Line1/PLACE01"
AOI: Final = "//Acme/Line1/AOI01"
ICT: Final = "//Acme/Line1/ICT01"
FCT: Final = "//Acme/Line1/FCT01"
STATIONS: Final = (LASER, SPI, PLACER, AOI, ICT, FCT)
Verdict = Literal["Passed", "Failed", "Skipped"]


OPERATOR: Final = cfx.Operator(
    operator_identifier="OP-0417",
    actor_type=cfx.ActorType.Human,
    last_name="Lindqvist",
    first_name="Åsa",
    login_name="asa.lindqvist",
)


@dataclass(frozen=True, slots=True)
class Circuit:
    """One board on a panel.

    Attributes:
        serial: the number that the laser gave it.
        position: its place on the panel.
        skipped: marked bad before the line began; nobody works on it.
    """

    serial: str
    position: int
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel and the boards on it."""

    name: str
    circuits: tuple[Circuit, ...]


def new_id(rng: Random) -> str:
    """Give a guid that depends on nothing but the random numbers."""
    return str(UUID(int=rng.getrandbits(128), version=4))


def positions(panel: Panel, *, by_serial: bool) -> list[cfx.UnitPosition]:
    """Give the table of units that flow messages carry.

    Args:
        panel: the panel.
        by_serial: True for a station that reads every board's number, False where only the panel's is read.
    """
    return [
        cfx.UnitPosition(
            unit_identifier=circuit.serial if by_serial else panel.name,
            position_number=circuit.position,
            position_name=f"CIRCUIT{circuit.position}",
            x=12.5 + 60.0 * ((circuit.position - 1) % 2),
            y=20.0 + 45.0 * ((circuit.position - 1) // 2),
            z=None,
            rotation=0.0,
            flip_x=False,
            flip_y=False,
            status=cfx.UnitStatus.Skip if circuit.skipped else cfx.UnitStatus.Pass,
        )
        for circuit in panel.circuits
    ]
