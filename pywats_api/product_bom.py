"""Bills of materials: WSBF, the XML in which WATS takes them, and their lines as records.

A bill of materials names the components of a board, so that a repair can choose the right one. Which
serialised units a box holds is said by its box-build template.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

from pydantic import model_validator

from pywats_api.records import Record

NAMESPACE = "http://wats.virinco.com/schemas/WATS/wsbf"
_OTHER_NAMES = {
    "component_ref": "reference_designator",
    "designators": "reference_designator",
    "revision_mask": "revision",
}


class BomItem(Record):
    """A component: what, how many, and where.

    Attributes:
        revision: of the component; a mask such as ``*`` where several fit.
        reference_designator: its places, separated by commas.
    """

    part_number: str
    revision: str = ""
    quantity: float | int = 1
    reference_designator: str | None = None
    description: str | None = None
    function_block: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _documented_names(cls, data: Any) -> Any:
        """Take the names that the documents use beside each other for the same member."""
        if not isinstance(data, Mapping):
            return data
        return {_OTHER_NAMES.get(str(name), name): value for name, value in data.items()}

    @property
    def designators(self) -> str | None:
        """The same as `reference_designator`."""
        return self.reference_designator

    @property
    def revision_mask(self) -> str:
        """The same as `revision`."""
        return self.revision

    @property
    def component_ref(self) -> str | None:
        """The same as `reference_designator`."""
        return self.reference_designator


class Bom(str):
    """A bill of materials: the text of its WSBF document, and what is in it."""

    __slots__ = ()

    @property
    def items(self) -> list[BomItem]:
        """The components, in the order of the document.

        Raises:
            ValueError: the text is no WSBF document.
        """
        return read_bom(self)


def write_bom(part_number: str, revision: str, items: Iterable[BomItem], description: str | None) -> Bom:
    """The WSBF document of a revision.

    Raises:
        ValueError: what the server would answer with 500: part number, revision, components or the number
            of one are missing.
    """
    for name, value in {"part_number": part_number, "revision": revision}.items():
        if not value.strip():
            raise ValueError(f"a bill of materials needs the {name} it belongs to")
    root = ET.Element("BOM", {"xmlns": NAMESPACE, "Partnumber": part_number, "Revision": revision})
    if description is not None:
        root.set("Desc", description)
    for number, item in enumerate(items):
        if not item.part_number.strip():
            raise ValueError(f"component {number} of {part_number} {revision} has no part_number")
        ET.SubElement(root, "Component", _attributes(item))
    if len(root) == 0:
        raise ValueError(f"the bill of materials of {part_number} {revision} has no component")
    return Bom(ET.tostring(root, encoding="unicode"))


def _attributes(item: BomItem) -> dict[str, str]:
    places = re.split(r"[,;]\s*", item.reference_designator or "")
    attributes = {
        "Number": item.part_number,
        "Rev": item.revision,
        "Ref": ";".join(filter(None, places)),
        "Qty": f"{item.quantity:g}",
    }
    more = {"Desc": item.description, "FunctionBlock": item.function_block}
    return attributes | {name: value for name, value in more.items() if value is not None}


def read_bom(text: str) -> list[BomItem]:
    """The components that a WSBF document names.

    Raises:
        ValueError: the text is no WSBF document.
    """
    if "<!DOCTYPE" in text:  # such a document could grow without end while it is read
        raise ValueError("a bill of materials has no document type")
    try:
        root = ET.fromstring(text)  # noqa: S314  # no document type, so no entities
    except ET.ParseError as error:
        raise ValueError(f"the bill of materials is no XML: {error}") from None
    return [
        BomItem(
            part_number=component.get("Number", ""),
            revision=component.get("Rev", ""),
            quantity=_quantity(component.get("Qty")),
            reference_designator=(component.get("Ref") or "").replace(";", ",") or None,
            description=component.get("Desc"),
            function_block=component.get("FunctionBlock"),
        )
        for component in root
        if component.tag.rpartition("}")[2] == "Component"
    ]


def _quantity(text: str | None) -> float | int:
    try:
        number = float(text or 1)
    except ValueError:
        raise ValueError(f"the quantity {text!r} is no number") from None
    return int(number) if number.is_integer() else number
