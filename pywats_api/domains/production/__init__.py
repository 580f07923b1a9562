"""Where the documents of the WATS client import names of units from."""

from pywats_api import (
    AssemblyVerification,
    ProcessVerification,
    ProductionBatch,
    SerialNumberType,
    Unit,
    UnitChange,
    UnitPhase,
    UnitPhaseFlag,
    UnitVerification,
    UnitVerificationGrade,
)

__all__ = [
    "AssemblyVerification",
    "ProcessVerification",
    "ProductionBatch",
    "SerialNumberType",
    "Unit",
    "UnitChange",
    "UnitPhase",
    "UnitPhaseFlag",
    "UnitVerification",
    "UnitVerificationGrade",
]
