"""Bodies that routes take: what they must hold, checked and told in the OpenAPI document from one model."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, StringConstraints, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from starlette.requests import Request

from pywats_api.records import Record
from pywats_api.server.documents import Refused, parse_json
from pywats_api.server.requests import off_loop_if_long, read_body

_B = TypeVar("_B", bound="Body")
_MAX_ENTRIES = 10_000

Name = Annotated[str, StringConstraints(max_length=100)]
Required = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"\S")]
Text = Annotated[str, StringConstraints(max_length=5000)]


def _is_guid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise ValueError("is no GUID") from None


Guid = Annotated[str, AfterValidator(_is_guid)]


class Body(Record):
    """An object that a client sends: members in any case, unknown ones kept, types taken as they are."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow", strict=True)

    def members(self) -> dict[str, Any]:
        """What was sent, by the server's names."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Tag(Body):
    """A pair of key and value."""

    key: Required
    value: Text | None = None


async def read_one(request: Request, model: type[_B]) -> _B:
    """The object in the body.

    Raises:
        Refused: it is none, or breaks a rule of the model.
    """
    return checked(await _document(request), model)


async def read_many(request: Request) -> list[Any]:
    """The entries of the array in the body, for `checked`.

    Raises:
        Refused: it is no array, or too long.
    """
    document = await _document(request)
    if not isinstance(document, list):
        raise Refused("The body is not a JSON array.")
    if len(document) > _MAX_ENTRIES:
        raise Refused(f"The body has {len(document)} entries, {_MAX_ENTRIES} are allowed.")
    return document


def checked(document: Any, model: type[_B]) -> _B:
    """A document as the model has it.

    Raises:
        Refused: it breaks a rule of the model.
    """
    if not isinstance(document, dict):
        raise Refused("The body is not a JSON object.")
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise Refused(f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from None


def takes(model: type[Body], *, many: bool = False) -> dict[str, Any]:
    """What a route says of its body in the OpenAPI document."""
    adapter: TypeAdapter[Any] = TypeAdapter(list[model] if many else model)  # type: ignore[valid-type]
    schema = adapter.json_schema(by_alias=True, mode="validation")
    definitions = schema.pop("$defs", {})
    content = {"application/json": {"schema": _inlined(schema, definitions)}}
    return {"requestBody": {"required": True, "content": content}}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
        return {name: _inlined(value, definitions) for name, value in schema.items()}
    if isinstance(schema, Sequence) and not isinstance(schema, str):
        return [_inlined(value, definitions) for value in schema]
    return schema


async def _document(request: Request) -> Any:
    body = await read_body(request)
    return await off_loop_if_long(body, parse_json, body)
