"""Sparkplug B payloads, written: the request for a birth, and what samples and tests publish."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pywats_events.sparkplug.datatypes import INTEGERS, TEXTS, DataType
from pywats_events.sparkplug.schema import PayloadMessage
from pywats_events.sparkplug.topics import NAMESPACE

REBIRTH: Final = "Node Control/Rebirth"
_LONGS: Final = frozenset({DataType.INT64, DataType.UINT64, DataType.UINT32, DataType.DATETIME})
_FIELDS: Final = {
    DataType.FLOAT: "float_value",
    DataType.DOUBLE: "double_value",
    DataType.BOOLEAN: "boolean_value",
    **dict.fromkeys(_LONGS, "long_value"),
    **dict.fromkeys(TEXTS, "string_value"),
    **{kind: "int_value" for kind in INTEGERS if kind not in _LONGS},
}
_WIDTHS: Final = {"int_value": 32, "long_value": 64}


@dataclass(frozen=True, slots=True)
class Said:
    """A metric to be written.

    Attributes:
        name: left out where ``alias`` alone stands for it.
        kind: its datatype; left out of the payload where ``with_type`` is off.
        value: None is written as null. A DATETIME is given in milliseconds since 1970; arrays and files are
            given as their bytes.
        timestamp: milliseconds since 1970.
        properties: quality as a number, others as text.
        members: the metrics of a template, in place of a value.
    """

    name: str | None
    kind: DataType
    value: bool | float | str | bytes | None = None
    alias: int | None = None
    timestamp: int | None = None
    is_historical: bool = False
    with_type: bool = True
    properties: Mapping[str, int | str] = field(default_factory=dict)
    members: tuple[Said, ...] | None = None


def write_payload(metrics: Iterable[Said], *, timestamp: int | None = None, seq: int | None = None) -> bytes:
    """Write a payload.

    Args:
        metrics: what it says.
        timestamp: milliseconds since 1970 when it is sent.
        seq: its number within the session; deaths and commands have none.
    """
    payload = PayloadMessage()
    if timestamp is not None:
        payload.timestamp = timestamp
    if seq is not None:
        payload.seq = seq
    for metric in metrics:
        _write(metric, payload.metrics.add())
    return bytes(payload.SerializeToString(deterministic=True))


def rebirth_request(group: str, node: str, *, timestamp: int) -> tuple[str, bytes]:
    """Give topic and payload of the command by which a node tells its births again.

    It goes with QoS 0 and without retain (specification 3.0, tck-id-operational-behavior-data-commands).
    """
    wanted = Said(REBIRTH, DataType.BOOLEAN, value=True, timestamp=timestamp)
    return f"{NAMESPACE}/{group}/NCMD/{node}", write_payload([wanted], timestamp=timestamp)


def _write(said: Said, metric: Any) -> None:
    for name in ("name", "alias", "timestamp"):
        if getattr(said, name) is not None:
            setattr(metric, name, getattr(said, name))
    if said.with_type:
        metric.datatype = said.kind
    if said.is_historical:
        metric.is_historical = True
    for key, told in said.properties.items():
        metric.properties.keys.append(key)
        kind = DataType.INT32 if isinstance(told, int) else DataType.STRING
        setattr(metric.properties.values.add(type=kind), _FIELDS[kind], told)
    if said.members is not None:
        metric.template_value.is_definition = False
        for member in said.members:
            _write(member, metric.template_value.metrics.add())
    elif said.value is None:
        metric.is_null = True
    else:
        name = _FIELDS.get(said.kind, "bytes_value")
        value = said.value
        if name in _WIDTHS:
            value = int(value) & ((1 << _WIDTHS[name]) - 1)
        setattr(metric, name, value)
