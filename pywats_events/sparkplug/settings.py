"""What Sparkplug metrics become, as it stands in the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pywats_events.sparkplug.payload import MAX_BYTES

_NAMED: Final = frozenset({"group", "node", "device"})


def _check_template(template: str) -> str:
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{error}; write a brace that is meant as such twice") from error
    for _, name, form, conversion in parts:
        if name is not None and (name not in _NAMED or form or conversion):
            raise ValueError(f'"{{{name}}}" is none of {{group}}, {{node}} and {{device}}')
    return template


_Template = Annotated[str, Field(min_length=1), AfterValidator(_check_template)]


class MetricRule(BaseModel):
    """What the metrics of a name become.

    Attributes:
        name: the metric's name, with ``*`` for any text and ``?`` for any character. A member of a template
            is called ``TEMPLATE/MEMBER``.
        of: who tells it: ``GROUP/NODE`` or ``GROUP/NODE/DEVICE``, with ``*`` and ``?``.
        becomes: ``state``: the asset's state. ``reading``: a measurement. ``counter``: a total that the asset
            counts. ``unit``: the identifier of a unit that was scanned. ``nothing``: nothing.
        label: what the reading or counter is called; default: the metric's name.
        unit: its unit of measure; default: the one that the metric's properties say (``engUnit``).
        of_unit: the reading is of the unit that the same message identifies (a metric that becomes ``unit``),
            not of the machine. Where it identifies none, or several, the reading is of the machine after all.
        values: SEMI E10 code of each value that a state may have (``{ "3" = 1100, "Down" = 5000 }``). Without
            it, values of 1000 to 6999 are taken for such codes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    of: str = Field(default="*", min_length=1)
    becomes: Literal["state", "reading", "counter", "unit", "nothing"]
    label: str | None = None
    unit: str | None = None
    of_unit: bool = False
    values: Mapping[str, int] = Field(default_factory=lambda: MappingProxyType({}))


class SparkplugSettings(BaseModel):
    """How Sparkplug B messages are read.

    Attributes:
        device: handle of a device behind an edge node, by which stations are configured. ``{group}``,
            ``{node}`` and ``{device}`` stand for the parts of the topic.
        node: handle of an edge node itself.
        metrics: what metrics become; the first rule that fits holds, and what none fits becomes nothing.
        rebirth: ask nodes for their birth (``Node Control/Rebirth``) when it or a message was missed. Off:
            nothing is published, and what can't be read for want of a birth becomes a dead letter, to be
            replayed after the node's next one.
        rebirth_patience: seconds that messages wait for the birth that was asked for.
        rebirth_interval: seconds before the same node is asked again.
        max_bytes: largest payload; a larger one becomes a dead letter.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: _Template = "//{group}/{node}/{device}"
    node: _Template = "//{group}/{node}"
    metrics: tuple[MetricRule, ...] = ()
    rebirth: bool = True
    rebirth_patience: float = Field(default=5.0, gt=0, le=60)
    rebirth_interval: float = Field(default=30.0, gt=0)
    max_bytes: int = Field(default=MAX_BYTES, ge=1024)
