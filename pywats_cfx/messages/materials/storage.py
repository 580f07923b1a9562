"""``CFX.Materials.Storage``."""

from __future__ import annotations

from pydantic import Field

from pywats_cfx.messages.structures.materials import MaterialLocation
from pywats_cfx.messages.wire import CFXMessage, Many


class MaterialsLoaded(CFXMessage):
    """Packages were put into the slots of a machine."""

    CFX_NAME = "CFX.Materials.Storage.MaterialsLoaded"

    materials: Many[MaterialLocation] = Field(default_factory=list)
