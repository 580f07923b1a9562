"""Free data from plain Python: what is shown with a report or step, but not searched."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from pywats_api.wsjf import AdditionalData, ArrayElement, Property, PropertyArray

Value: TypeAlias = "str | bool | int | float | Mapping[str, Value] | Sequence[Value]"


def free_data(name: str, members: Mapping[str, Value]) -> AdditionalData:
    """A named group of values: numbers, texts, booleans, mappings of such, and lists of one kind."""
    return AdditionalData(name=name, props=[_property(key, value) for key, value in members.items()])


def _property(name: str, value: Value) -> Property:
    if isinstance(value, bool):
        return Property(name=name, type="Bool", value="True" if value else "False")
    if isinstance(value, int | float):
        return Property(name=name, type="Number", value=repr(value))
    if isinstance(value, str):
        return Property(name=name, type="String", value=value)
    if isinstance(value, Mapping):
        return Property(name=name, type="Obj", props=[_property(key, item) for key, item in value.items()])
    elements = [
        ArrayElement(text=f"[{index}]", indexes=[index], value=_property(f"[{index}]", item))
        for index, item in enumerate(value)
    ]
    kind = elements[0].value.type if elements else "String"
    return Property(name=name, type="Array", array=PropertyArray(dimension=1, type=kind, indexes=elements))
