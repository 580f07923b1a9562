"""Ground of what the server answers with: read leniently, since names and members vary by version."""

from functools import cache
from typing import Any, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from pywats_api.errors import EmptyResponseError, ErrorMode, InvalidResponseError
from pywats_api.errors import ValidationError as RefusedError


class Record(BaseModel):
    """An object the server answered with.

    Member names are matched whatever their case. Members not modelled are kept, so that an object can be
    changed and sent back without losing them.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow")

    @model_validator(mode="before")
    @classmethod
    def _names_in_any_case(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        known = _wire_names(cls)
        return {known.get(str(name).lower(), name): value for name, value in data.items()}

    @classmethod
    def read(cls, answer: Any, operation: str) -> Self:
        """The record in an answer of the server, which may be wrapped in an array of one."""
        if isinstance(answer, list) and len(answer) == 1:
            answer = answer[0]
        try:
            return cls.model_validate(answer)
        except ValidationError as error:
            raise _unreadable(error, operation) from error

    @classmethod
    def read_list(cls, answer: Any, operation: str) -> list[Self]:
        """The records in an answer; an empty answer is an empty list."""
        if isinstance(answer, dict):  # some servers wrap OData answers
            answer = answer.get("value", [answer])
        return [cls.read(item, operation) for item in answer or ()]

    def to_wire(self) -> dict[str, Any]:
        """The JSON object to send, without members that have no value."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


@cache
def _wire_names(cls: type[Record]) -> dict[str, str]:
    names = {}
    for attribute, field in cls.model_fields.items():
        alias = field.alias or attribute
        names[alias.lower()] = alias
        names[attribute.lower()] = alias
    return names


def _unreadable(error: ValidationError, operation: str) -> InvalidResponseError:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "answer"
    return InvalidResponseError(
        f"the server's answer is not as documented: {place}: {first['msg']}", operation=operation
    )


def missing(operation: str, what: str, error_mode: ErrorMode) -> None:
    """Say that a thing asked for is not there, the way the client's error mode wants it."""
    if error_mode is ErrorMode.STRICT:
        raise EmptyResponseError(f"the server has no {what}", operation=operation)


def check_counters(operation: str, path: str, answer: Any, sent: str) -> None:
    """Some bulk routes answer how many were taken; an error among them is a failure, though it says 200.

    Raises:
        ValidationError: the server refused some of what was sent.
    """
    counters = answer if isinstance(answer, dict) else {}
    refused = next((value for name, value in counters.items() if name.lower() == "errorcount"), 0)
    if refused:
        raise RefusedError(
            f"the server refused {refused} of {sent}: {counters}",
            operation=operation,
            method="PUT",
            path=path,
            status_code=200,
            server_text=str(counters),
        )


def path_segment(value: str) -> str:
    """A value as one segment of a path. A slash cannot travel there reliably, so it is refused."""
    text = str(value)
    if not text.strip() or "/" in text or "\\" in text or text in {".", ".."}:
        raise ValueError(f"{text!r} cannot be part of a URL path; ask with a filter instead")
    return quote(text, safe="")


def odata_text(value: str) -> str:
    """A text as OData writes it: in single quotes, which are doubled inside."""
    return "'" + value.replace("'", "''") + "'"
