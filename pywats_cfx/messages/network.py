"""The root namespace ``CFX``: presence on the network."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pywats_cfx.messages.structures.faults import AnyFault
from pywats_cfx.messages.structures.general import Stage
from pywats_cfx.messages.wire import CFXMessage, CFXStructure, Many, Span


class RecipeIdentifier(CFXStructure):
    """A recipe by name and revision."""

    CFX_NAME = "CFX.Structures.RecipeIdentifier"

    recipe_name: str | None = None
    revision: str | None = None


class ActiveRecipe(CFXStructure):
    """A recipe that is active somewhere on the machine."""

    CFX_NAME = "CFX.Structures.ActiveRecipe"

    recipe_identifier: RecipeIdentifier | None = None
    recipe: dict[str, Any] | None = None
    lane: int | None = None
    stage: Stage | None = None


class Heartbeat(CFXMessage):
    """The endpoint is alive."""

    CFX_NAME = "CFX.Heartbeat"

    cfx_handle: str | None = Field(default=None, alias="CFXHandle")
    heartbeat_frequency: Span = None
    active_faults: Many[AnyFault] = Field(default_factory=list)
    active_recipes: Many[ActiveRecipe] = Field(default_factory=list)


class EndpointConnected(CFXMessage):
    """The endpoint has come."""

    CFX_NAME = "CFX.EndpointConnected"

    cfx_handle: str | None = Field(default=None, alias="CFXHandle")
    request_network_uri: str | None = None
    request_target_address: str | None = None


class EndpointShuttingDown(CFXMessage):
    """The endpoint goes."""

    CFX_NAME = "CFX.EndpointShuttingDown"

    cfx_handle: str | None = Field(default=None, alias="CFXHandle")
