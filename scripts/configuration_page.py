"""Writes docs/configuration.md from the models that read the configuration, so that it can't be wrong.

``--check`` writes nothing and fails when the page is not what it should be.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from pywats_bridge.settings import BridgeSettings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

HEAD = """# bridge.toml

Every key, with its default. `make configuration-page` writes this page from the program.

- A key is overridden by an environment variable: `PYWATS_BRIDGE_`, then the way to the key with `__` between,
  such as `PYWATS_BRIDGE_WATS__TOKEN` or `PYWATS_BRIDGE_CFX__AMQP__HOST`.
- A secret may stand in a file of its own: `token_file`, `password_file`, `secret_file` and `url_file` in
  place of `token`, `password`, `secret` and `url`.
- Relative paths, those of certificates too, start from the folder of `bridge.toml`.
- Lists and tables in the environment are JSON.
- Paths on Windows: write them with `/`, or in single quotes.
- `pywats-bridge check` names each mistake with its key.
"""


def main() -> int:
    """Write or check the page."""
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write("docs/configuration.md is not what the program says: make configuration-page\n")
    return 1


def page() -> str:
    """Give the page's text."""
    return "\n".join([HEAD, *_sections(BridgeSettings, ())]).rstrip() + "\n"


def _sections(model: type[BaseModel], path: tuple[str, ...], *, repeated: bool = False) -> Iterator[str]:
    described = _attributes(model)
    plain: list[str] = []
    inner: list[tuple[str, type[BaseModel], bool, str]] = []
    for name, field in model.model_fields.items():
        text = field.description or described.get(name, "")
        nested = _model_in(field.annotation)
        if nested is None:
            plain.append(_row(name, field, text))
        else:
            inner.append((name, nested, _is_list(field.annotation), text))
    if plain:
        title = ".".join(path)
        if path:
            yield f"## `[[{title}]]`\n" if repeated else f"## `[{title}]`\n"
        else:
            yield "## Top of the file\n"
        yield f"{_summary(model)}\n"
        yield "| key | type | default | meaning |\n|---|---|---|---|"
        yield "\n".join(plain) + "\n"
    for name, nested, is_list, _ in inner:
        # the rules stand at the top of the file
        below = () if (path, name) == ((), "rules") else (*path, name)
        yield from _sections(nested, below, repeated=is_list)


def _row(name: str, field: FieldInfo, text: str) -> str:
    if field.is_required():
        default = "required"
    elif isinstance(field.default, SecretStr):
        default = "(a secret)"
    else:
        value = field.get_default(call_default_factory=True)
        default = "" if value in (None, (), {}, []) else f"`{_toml(value)}`"
    return f"| `{field.alias or name}` | {_type(field.annotation)} | {default} | {_cell(text)} |"


def _toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case tuple() | list():
            return f"[{', '.join(_toml(one) for one in value)}]"
    return str(value)


def _type(annotation: Any) -> str:  # one answer for each kind of type
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{one}`" for one in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(one) for one in arguments if one is not type(None)))
    if origin in (tuple, list):
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"table of {_type(arguments[1])}"
    if hasattr(annotation, "__metadata__"):
        return _type(annotation.__origin__)
    names = {bool: "boolean", int: "number", float: "number", str: "text", Path: "path", SecretStr: "text"}
    return names.get(annotation, "text")


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        found = _model_in(inner)
        if found is not None:
            return found
    return None


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) in (tuple, list)


def _summary(model: type[BaseModel]) -> str:
    paragraphs = inspect.cleandoc(model.__doc__ or "").split("\n\n")
    return "\n\n".join(one for one in paragraphs if not one.startswith("Attributes:")).replace("``", "`")


def _attributes(model: type[BaseModel]) -> dict[str, str]:
    """Read the Attributes sections of the docstrings of a model and those that it is made from."""
    described: dict[str, str] = {}
    for one in reversed(model.__mro__):
        text = inspect.cleandoc(one.__doc__ or "") if issubclass(one, BaseModel) else ""
        _, _, section = text.partition("Attributes:\n")
        found = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", section, flags=re.MULTILINE)
        described |= {name: " ".join(words.split()) for name, words in found}
    return described


def _cell(text: str) -> str:
    return " ".join(text.replace("``", "`").replace("|", "\\|").split())


if __name__ == "__main__":
    sys.exit(main())
