"""Where the documents of the WATS client import enumerations of units from."""

from pywats_api import (
    UnitPhase,
    UnitPhaseFlag,
    UnitVerificationGrade,
)

__all__ = [
    "UnitPhase",
    "UnitPhaseFlag",
    "UnitVerificationGrade",
]
