"""``CFX.Production.Assembly``."""

from __future__ import annotations

from pydantic import Field

from pywats_cfx.messages.structures.general import Characteristic
from pywats_cfx.messages.structures.materials import InstalledMaterial
from pywats_cfx.messages.wire import CFXMessage, CFXStructure, Many


class MaterialsInstalled(CFXMessage):
    """Components were installed on units."""

    CFX_NAME = "CFX.Production.Assembly.MaterialsInstalled"

    transaction_id: str | None = None
    installed_materials: Many[InstalledMaterial] = Field(default_factory=list)


class PersonalizedUnit(CFXStructure):
    """A unit and the values that it was given."""

    CFX_NAME = "CFX.Structures.PersonalizedUnit"

    unit_identifier: str | None = None
    unit_position_number: int | None = None
    characteristics: Many[Characteristic] = Field(default_factory=list)


class UnitsPersonalized(CFXMessage):
    """Units were given values of their own."""

    CFX_NAME = "CFX.Production.Assembly.UnitsPersonalized"

    transaction_id: str | None = None
    personalized_units: Many[PersonalizedUnit] = Field(default_factory=list)
