"""Goes over the body of a message beside its model, and tells what the reader would put right or refuse."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Any, Final, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pywats_cfx.explorer.findings import Findings
from pywats_cfx.explorer.oddities import oddity, shown
from pywats_cfx.messages.declared import Declared, declared
from pywats_cfx.messages.fields import Labels
from pywats_cfx.messages.lazy import load
from pywats_cfx.messages.mending import mended
from pywats_cfx.messages.registry import UnknownMessage, WrongType, read_message
from pywats_cfx.messages.structure import CFXStructure, short_type

_LABEL: Final = "$type"
_VALUES: Final = "$values"


def check_body(name: str, body: dict[str, Any], findings: Findings, *, under: str) -> None:
    """Tell what is wrong with a body.

    Args:
        name: full name of its message, which is known.
        body: its fields.
        findings: hears of each.
        under: path of the body.
    """
    refused = _refusal_of(name, body)
    _Walk(findings).structure(load(name), body, under)
    if refused is not None:
        path = _under(under, refused.path)
        if path not in {finding.path for finding in findings.all}:
            findings.error(path, refused.reason, "write what the standard has there (--schema tells)")


def _refusal_of(name: str, body: dict[str, Any]) -> WrongType | None:
    """Read it as everybody does; that also makes the models ready which the walk asks."""
    try:
        message = read_message(name, body)
    except WrongType as error:
        return error
    assert not isinstance(message, UnknownMessage)  # noqa: S101  # its name is known
    return None


class _Walk:
    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def structure(
        self,
        structure: type[CFXStructure],
        value: Mapping[str, Any],
        path: str,
        *,
        others: Iterable[type[CFXStructure]] = (),
    ) -> None:
        """Look at all fields of an object."""
        fields = _by_lower(structure)
        for name, member in value.items():
            where = _under(path, name)
            if name == _LABEL:
                self._label_place(value, path)
                continue
            field = fields.get(name.lower())
            if field is None:
                self._unknown(structure, name, where, others)
                continue
            if field.name != name:
                if field.name in value:
                    self._findings.warning(
                        where, f"stands beside {field.name}, and is not read", f"write {field.name} alone"
                    )
                    continue
                self._findings.warning(
                    where, "the standard spells this field in another case", f"write {field.name}"
                )
            self.field(structure, field, member, where)

    def field(self, structure: type[CFXStructure], field: Declared, value: Any, path: str) -> None:
        """Look at the value of a field."""
        if field.counted is not None:
            return
        if field.replaced and value is not None:
            self._findings.warning(path, "a field of older senders: read, and moved", "write its successor")
        if value is None:
            self._nothing(field, path)
        elif field.mapping:
            self._refused(structure, field, value, path)
        elif field.many:
            self._list(structure, field, value, path)
        else:
            self._one(structure, field, value, path)

    def _nothing(self, field: Declared, path: str) -> None:
        if not field.nullable:
            advice = f"leave the field out, or write {field.unset}" if field.unset else "leave the field out"
            self._findings.warning(path, "null, which the standard's own readers don't take there", advice)

    def _list(self, structure: type[CFXStructure], field: Declared, value: Any, path: str) -> None:
        items = value.get(_VALUES) if isinstance(value, dict) else value
        if not isinstance(items, list):
            self._refused(structure, field, value, path)
            return
        for number, item in enumerate(items):
            where = f"{path}[{number}]"
            if item is None and issubclass(field.kind, CFXStructure):
                self._findings.warning(where, "null in a list of objects: left out", "leave it out")
            elif item is not None:
                self._one(structure, field, item, where)

    def _one(self, structure: type[CFXStructure], field: Declared, value: Any, path: str) -> None:
        if not issubclass(field.kind, CFXStructure):
            odd = oddity(field, value)
            if odd is not None and not self._refused(structure, field, value, path):
                self._findings.warning(path, odd.problem, odd.advice)
        elif isinstance(value, dict):
            self._object(field, value, path)
        else:
            self._refused(structure, field, value, path)

    def _object(self, field: Declared, value: Mapping[str, Any], path: str) -> None:
        kind: type[CFXStructure] = field.kind
        label = value.get(_LABEL)
        picked = field.family.pick(value) if field.family is not None else None
        names: tuple[str, ...] = getattr(field.family, "names", ())
        if label is None and picked is not None and field.labels is Labels.ALWAYS:
            self._findings.warning(
                path,
                f"$type is missing: read as {picked.__name__} by its fields",
                f'begin the object with "$type": "{picked.CFX_NAME}, CFX"',
            )
        elif label is not None:
            self._label(label, picked or kind, (kind.CFX_NAME, *names), path)
        others = [cast("type[CFXStructure]", load(name)) for name in names] if picked is None else ()
        self.structure(picked or kind, value, path, others=others)

    def _label(self, label: Any, read_as: type[CFXStructure], names: tuple[str, ...], path: str) -> None:
        where = _under(path, _LABEL)
        name = short_type(label)
        if name is None:
            self._findings.error(where, f"should be a text, but is {shown(label)}", f"write {names[0]}, CFX")
        elif name != read_as.CFX_NAME:
            alike = get_close_matches(name[:200], names, n=1) or [read_as.CFX_NAME]
            self._findings.warning(
                where,
                f"{shown(label)} is no class that can stand here: read as {read_as.__name__}",
                f'did you mean "{alike[0]}, CFX"?',
            )

    def _label_place(self, value: Mapping[str, Any], path: str) -> None:
        if next(iter(value)) != _LABEL:
            self._findings.warning(
                _under(path, _LABEL), "does not come first", "put it first: other readers look no further"
            )

    def _unknown(
        self, structure: type[CFXStructure], name: str, path: str, others: Iterable[type[CFXStructure]]
    ) -> None:
        if self._findings.cut_short:
            return
        owners = [each for each in others if name.lower() in _by_lower(each)]
        if owners:
            advice = f'say by $type which class the object is: "{owners[0].CFX_NAME}, CFX"' + (
                f" or {len(owners) - 1} others have this field" if len(owners) > 1 else ""
            )
        else:
            spelling = _alike(structure, name)
            advice = f"did you mean {spelling}?" if spelling else "take it out, if nobody needs it"
        self._findings.warning(path, f"{structure.__name__} has no such field; kept as it is", advice)

    def _refused(self, structure: type[CFXStructure], field: Declared, value: Any, path: str) -> bool:
        """Let the reader read this field alone; note its refusal as an error."""
        try:
            structure.model_validate(mended(structure, {field.name: value}), by_alias=True, by_name=False)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_context=False)
            first = next((each for each in errors if not each["type"].startswith("union_tag")), errors[0])
            self._findings.error(path, f"{_said(first)}, but is {shown(value)}", _form(field))
            return True
        return False


def _said(error: ErrorDetails) -> str:
    """Give what the reader says, without what only its makers understand."""
    match error["type"]:
        case "model_type" | "model_attributes_type" | "dict_type":
            return "should be an object"
        case "enum":
            return "should be the name or number of a member"
        case "list_type" | "cfx_list":
            return "should be a list"
    return error["msg"][:1].lower() + error["msg"][1:]


_FORMS: Final = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "Decimal": "a number",
    "bool": "true or false",
}


def _form(field: Declared) -> str:
    kind = _FORMS.get(field.kind.__name__) or f"a {field.kind.__name__}"
    if field.mapping:
        return "write an object of texts"
    return f"write a list, each entry {kind}" if field.many else f"write {kind}"


@lru_cache(maxsize=1024)
def _alike(structure: type[CFXStructure], name: str) -> str | None:
    alike = get_close_matches(name[:100].lower(), _by_lower(structure), n=1, cutoff=0.7)
    return _by_lower(structure)[alike[0]].name if alike else None


@cache
def _by_lower(structure: type[CFXStructure]) -> dict[str, Declared]:
    return {field.name.lower(): field for field in declared(structure)}


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name
