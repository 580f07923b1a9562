"""Sparkplug B payloads, read from their bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from google.protobuf.message import DecodeError

from pywats_events.sparkplug.datatypes import DataType, Value, datatype, read_value
from pywats_events.sparkplug.errors import NoBirth, SparkplugError
from pywats_events.sparkplug.schema import PayloadMessage

#: Bytes of a payload: what protobuf makes of them takes up to fifty times as much memory.
MAX_BYTES: Final = 1 << 20
#: Metrics of a payload, those of templates among them.
MAX_METRICS: Final = 50_000
#: Characters of a metric's name.
MAX_NAME: Final = 1000
#: Templates within templates.
MAX_DEPTH: Final = 8

#: The metric that joins the birth and the death of one session.
BIRTH_DEATH_SEQUENCE: Final = "bdSeq"
#: Fields whose values mean one thing only.
_PLAIN_FIELDS: Final = {
    "boolean_value": DataType.BOOLEAN,
    "float_value": DataType.FLOAT,
    "double_value": DataType.DOUBLE,
    "string_value": DataType.STRING,
}
#: What payloads are marked with whose real one is packed into their body: no part of the specification.
_COMPRESSED: Final = "SPBV1.0_COMPRESSED"
_GOOD: Final = 192
#: Properties of a metric that are looked at.
_MAX_PROPERTIES: Final = 1000
_QUALITY: Final = "quality"
_UNIT: Final = "engunit"


@dataclass(slots=True)  # not frozen: making one would take half as long again, and births have thousands
class Metric:
    """One metric of a payload; the members of a template are metrics of their own, ``TEMPLATE/MEMBER``.

    Attributes:
        index: its place in the payload, members of templates counted.
        name: its name. Where ``anchor`` is given, what comes after the name that the anchor stands for; None
            where that is all.
        anchor: alias by which the metric, or a template that it is a member of, goes in place of a name.
        datatype: number of its type; None where only its birth says so.
        timestamp: milliseconds since 1970 when its value was taken; None where nothing or 0 is said.
        is_historical: it was kept back and is not the present value.
        is_null: it has no value now.
        quality: 192 good, 0 bad, 500 stale, or another number; None where nothing is said.
        unit: engineering unit, where the properties name one.
    """

    index: int
    name: str | None
    anchor: int | None
    datatype: int | None
    timestamp: int | None
    is_historical: bool
    is_null: bool
    quality: int | None
    unit: str | None
    _field: str | None = field(repr=False)
    _given: Any = field(repr=False)

    @property
    def is_good(self) -> bool:
        """True unless its node says that the value is bad or stale."""
        return self.quality in (None, _GOOD)

    def value(self, kind: int | None) -> Value | None:
        """Read the value.

        Args:
            kind: number of its datatype; None where nobody said it.

        Returns:
            None where it is null.

        Raises:
            SparkplugError: it is no value of that type, or can't be read without one.
        """
        if self.is_null or self._field is None:
            return None
        if kind is not None:
            return read_value(self._field, self._given, datatype(kind))
        plain = _PLAIN_FIELDS.get(self._field)
        if plain is None:
            raise NoBirth("nobody said its datatype: neither the message nor a birth before it")
        return read_value(self._field, self._given, plain)


@dataclass(frozen=True, slots=True)
class Payload:
    """A payload.

    Attributes:
        timestamp: milliseconds since 1970 when it was sent; None where nothing or 0 is said.
        seq: its number within the node's session, 0 to 255, then 0 again.
        metrics: its metrics, members of templates among them; definitions of templates are left out.
        aliases: the names that it gives to aliases, as births do.
    """

    timestamp: int | None
    seq: int | None
    metrics: tuple[Metric, ...]
    aliases: Mapping[int, str]

    @property
    def bdseq(self) -> int | None:
        """The number that joins a birth and its death; None where there is none.

        Raises:
            SparkplugError: it is no number.
        """
        for metric in self.metrics:
            if metric.name == BIRTH_DEATH_SEQUENCE:
                value = metric.value(metric.datatype or DataType.UINT64)
                if isinstance(value, int):
                    return value
        return None


def read_payload(body: bytes, *, max_bytes: int = MAX_BYTES) -> Payload:
    """Read a payload.

    Raises:
        SparkplugError: it is none, or too large.
    """
    if len(body) > max_bytes:
        raise SparkplugError(f"payload: {len(body)} bytes, {max_bytes} are the most (sparkplug.max_bytes)")
    return _read(body)


@lru_cache(maxsize=2)  # the host reads a message right before the adapter does
def _read(body: bytes) -> Payload:
    try:
        given = PayloadMessage.FromString(body)
    except DecodeError as error:
        raise SparkplugError(f"payload: not the protobuf of Sparkplug B: {error}") from error
    if given.uuid == _COMPRESSED:
        raise SparkplugError(f"payload: it is compressed ({_COMPRESSED}); switch that off at the node")
    seq = given.seq if given.HasField("seq") else None
    if seq is not None and seq > 0xFF:  # noqa: PLR2004  # one byte
        raise SparkplugError(f"payload: seq {seq} is not 0 to 255")
    reader = _Reader()
    return Payload(
        timestamp=given.timestamp or None,
        seq=seq,
        metrics=tuple(reader.metrics(given.metrics)),
        aliases=reader.aliases,
    )


class _Reader:
    """Flattens the metrics of one payload, and counts them."""

    def __init__(self) -> None:
        self.aliases: dict[int, str] = {}
        self._count = 0

    def metrics(
        self, given: Any, anchor: int | None = None, prefix: str = "", depth: int = 0
    ) -> Iterator[Metric]:
        if self._count + len(given) > MAX_METRICS:
            raise SparkplugError(f"payload: more than {MAX_METRICS} metrics")
        if depth > MAX_DEPTH:
            raise SparkplugError(f"payload: templates nested deeper than {MAX_DEPTH}")
        for each in given:
            base, name = self._named(each, anchor, prefix)
            value = each.WhichOneof("value")
            if value != "template_value":
                yield self._metric(each, value, base, name)
            elif not each.template_value.is_definition:
                inner = f"{name}/" if name else ""
                yield from self.metrics(each.template_value.metrics, base, inner, depth + 1)

    def _named(self, given: Any, anchor: int | None, prefix: str) -> tuple[int | None, str | None]:
        """Give what a metric's name begins with, and the rest of it."""
        name = _name(given)
        alias = given.alias if given.HasField("alias") else None
        if name is None and alias is not None:
            return alias, None
        whole = prefix + (name or "")
        if len(whole) > MAX_NAME:
            raise SparkplugError(f"payload: a metric's name is longer than {MAX_NAME} characters")
        if alias is not None and anchor is None:
            self.aliases[alias] = whole
        return anchor, whole

    def _metric(self, given: Any, value: str | None, anchor: int | None, name: str | None) -> Metric:
        index = self._count
        self._count += 1
        if self._count > MAX_METRICS:
            raise SparkplugError(f"payload: more than {MAX_METRICS} metrics")
        quality, unit = _properties(given.properties) if given.HasField("properties") else (None, None)
        return Metric(
            index=index,
            name=name,
            anchor=anchor,
            datatype=given.datatype or None,
            timestamp=given.timestamp or None,
            is_historical=given.is_historical,
            is_null=given.is_null,
            quality=quality,
            unit=unit,
            _field=value,
            _given=None if value is None else getattr(given, value),
        )


def _name(given: Any) -> str | None:
    name = given.name
    if not name:
        return None
    if isinstance(name, bytes):  # protobuf gives the bytes where they are no UTF-8
        raise SparkplugError(f"payload: a metric's name that is not UTF-8: {name[:50]!r}")
    return str(name)


def _properties(given: Any) -> tuple[int | None, str | None]:
    """Give quality and engineering unit of a metric."""
    quality, unit = None, None
    for key, each in islice(zip(given.keys, given.values, strict=False), _MAX_PROPERTIES):
        name = str(key).lower()
        if name == _QUALITY and each.WhichOneof("value") in ("int_value", "long_value"):
            quality = each.int_value or each.long_value
        elif name == _UNIT and isinstance(each.string_value, str):
            unit = each.string_value or None
    return quality, unit
