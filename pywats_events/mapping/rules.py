"""Rules for single fields, as they stand in the configuration and as they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pywats_events.mapping.bounds import Budget, TooCostly
from pywats_events.mapping.conversions import (
    VERDICTS,
    ConversionError,
    number_of,
    said,
    table_text,
    time_reader,
    zone_of,
)
from pywats_events.mapping.expressions import Expression
from pywats_events.mapping.functions import EvaluationError
from pywats_events.mapping.names import Known

_PASSED: Final = frozenset({"pass", "passed"})


class FieldError(ValueError):
    """A field can't be made of this message.

    Attributes:
        field: its name within the rule, such as ``fields.result``.
        reason: why not.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class Rule(BaseModel):
    """How one value is made.

    Attributes:
        from_: expression, or several of which the first that finds something counts (``from``).
        constant: the value itself, in place of ``from``.
        default: the value where the message has none (nothing, null or an empty text).
        optional: leave the field out where the message has none.
        values: table of what the sender's words mean; capitals and blanks around do not matter.
        otherwise: the value for words that are not in the table.
        verdict: read the usual words for verdicts (pass, OK, NG...).
        number: read a number from text, with this decimal mark.
        unit: the unit that may follow the number.
        times: what the number is multiplied with.
        time: read a time: ``iso``, ``epoch``, ``epoch_ms``, or a form such as ``%d.%m.%Y %H:%M:%S``.
        zone: where the sender's clock is, for times that do not say it; UTC when left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True)

    from_: tuple[str, ...] = Field(default=(), alias="from")
    constant: Any = None
    default: Any = None
    optional: bool = False
    values: dict[str, Any] | None = None
    otherwise: Any = None
    verdict: bool = False
    number: Literal["point", "comma"] | None = None
    unit: str | None = None
    times: float | None = None
    time: str | None = None
    zone: str | None = None

    @field_validator("from_", mode="before")
    @classmethod
    def _one_or_several(cls, given: Any) -> Any:
        return (given,) if isinstance(given, str) else given

    @model_validator(mode="after")
    def _makes_sense(self) -> Rule:
        if bool(self.from_) is (self.constant is not None):
            raise ValueError("needs from (an expression) or constant (a value), one of them")
        if self.constant is not None and self.model_fields_set - {"constant"}:
            raise ValueError("a constant takes nothing beside it")
        kinds = [self.values is not None, self.verdict, self.number is not None, self.time is not None]
        if sum(kinds) > 1:
            raise ValueError("takes one of values, verdict, number and time")
        if self.otherwise is not None and self.values is None and not self.verdict:
            raise ValueError("otherwise belongs to values or verdict")
        if (self.unit is not None or self.times is not None) and self.number is None:
            raise ValueError("unit and times belong to number")
        if self.zone is not None and self.time is None:
            raise ValueError("zone belongs to time")
        for name in ("default", "otherwise"):
            if str(getattr(self, name)).strip().lower() in _PASSED:
                raise ValueError(f"{name} must not be a pass: what is missing or unknown has not passed")
        return self


@dataclass(frozen=True, slots=True)
class Value:
    """A rule, compiled.

    Attributes:
        field: its name, for errors.
        sources: expressions in order.
        convert: what is done with a value that was found.
        default: the value where nothing was found.
        is_optional: whether nothing is fine.
    """

    field: str
    sources: tuple[Expression, ...]
    convert: Callable[[Any], Any] | None
    default: Any
    is_optional: bool

    @classmethod
    def of(cls, field: str, given: Any, known: Known) -> Value:
        """Compile a rule: an expression, or a table with one.

        Raises:
            ValueError: it can't be used; the text names the field.
        """
        try:
            rule = Rule.model_validate({"from": given} if isinstance(given, str) else given)
            sources = tuple(each for text in rule.from_ if known.fits(each := Expression(text)))
            convert = _converter(rule)
            if len(rule.from_) > 1 and any(each.is_pass for each in sources):
                raise ValueError("from must not end with a pass: what is missing has not passed")  # noqa: TRY301
        except ValueError as error:
            raise ValueError(f"{field}: {first_mistake(error)}") from None
        default = rule.constant if rule.constant is not None else rule.default
        return cls(field, sources, convert, default, rule.optional)

    def __call__(self, scope: Mapping[str, Any], budget: Budget) -> Any:
        """Give the value; None where it may be left out.

        Raises:
            FieldError: the message has none, or one that is something else.
        """
        found: Any = None
        try:
            for source in self.sources:
                found = source(scope, budget)
                if found is not None and not (type(found) is str and not found.strip()):
                    break
                found = None
            if found is not None:
                return found if self.convert is None else self.convert(found)
        except (ConversionError, EvaluationError, TooCostly) as error:
            raise FieldError(self.field, f"{error} (from {self._said})") from error
        if self.default is not None or self.is_optional:
            return self.default
        raise FieldError(self.field, f"the message has no {self._said}")

    def names_any(self, *roots: str) -> bool:
        """Tell whether an expression begins with one of these names."""
        return any(names[0] in roots for source in self.sources for names in source.names)

    @property
    def _said(self) -> str:
        text = " or ".join(source.text for source in self.sources)
        return text if len(text) <= 200 else f"{text[:200]}..."  # noqa: PLR2004


def _converter(rule: Rule) -> Callable[[Any], Any] | None:
    if rule.verdict:
        return _by_table(dict(VERDICTS), rule.otherwise)
    if rule.values is not None:
        return _by_table({table_text(word): value for word, value in rule.values.items()}, rule.otherwise)
    if rule.number is not None:
        return _number(rule.number, rule.unit, rule.times)
    if rule.time is not None:
        read = time_reader(rule.time, zone_of(rule.zone) if rule.zone else UTC)
        return lambda value: read(value).isoformat()
    return None


def _by_table(table: Mapping[str, Any], otherwise: Any) -> Callable[[Any], Any]:
    loose: dict[str, Any] = {}
    for word, value in table.items():
        if loose.setdefault(word.lower(), value) != value:
            raise ValueError(f'values: "{word}" stands twice, but for capitals, with different meanings')

    def convert(value: Any) -> Any:
        word = table_text(value).lower()
        if word in loose:
            return loose[word]
        if otherwise is not None:
            return otherwise
        raise ConversionError(f"{said(value)} is none of {', '.join(table)}")

    return convert


def _number(
    mark: Literal["point", "comma"], unit: str | None, times: float | None
) -> Callable[[Any], float | int]:
    def convert(value: Any) -> float | int:
        number = number_of(value, mark=mark, unit=unit)
        return number if times is None else number * times

    return convert


def moment_of(text: Any) -> datetime:
    """Give the time of an event: what a rule with or without ``time`` made.

    Raises:
        ConversionError: it is none.
    """
    return _ISO(text)


_ISO: Final = time_reader("iso", UTC)


def first_mistake(error: ValueError) -> str:
    """Give what is wrong in one line, without the value."""
    errors = getattr(error, "errors", None)
    if errors is None:
        return str(error)
    first = errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    text = str(first["msg"]).removeprefix("Value error, ")
    return f"{place}: {text}" if place else text
