"""The ground of what the configuration says to handlers."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Pattern = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
ProcessCode = Annotated[int, Field(ge=-(2**15), le=2**15 - 1)]


class Rule(BaseModel):
    """Ground of all rules: a member that nobody knows is a mistake and refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
