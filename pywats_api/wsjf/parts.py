"""What hangs on a report beside its steps: the run's header, sub-units, misc infos, assets, free data."""

from base64 import b64decode
from typing import Literal, Self
from uuid import UUID

from pydantic import Field, ValidationInfo, field_validator, model_validator

from pywats_api.wsjf.values import (
    Int16,
    Int32,
    Moment,
    Name,
    Name50,
    Name100,
    Name200,
    Seconds,
    Text,
    Text30,
    Text50,
    Text100,
    Text500,
    Text5000,
    WireModel,
    is_stored,
)


class UutInfo(WireModel):
    """How the unit was tested. Everything is optional."""

    user: Text100 | None = Field(default=None, description="Operator.")
    comment: Text5000 | None = None
    exec_time: Seconds | None = Field(default=None, description="Duration of the run in seconds.")
    fixture_id: Text100 | None = None
    test_socket_index: Int16 | None = Field(default=None, description="-1 stands for no socket.")
    batch_sn: Text100 | None = Field(
        default=None, alias="batchSN", description="The lot the unit belongs to."
    )
    batch_fail_count: Int32 | None = None
    batch_loop_index: Int32 | None = None
    error_code: Int32 | None = None
    error_message: Text500 | None = Field(default=None, description="Why the run failed, in short.")
    step_id_caused_uut_failure: Int32 | None = Field(
        default=None, alias="stepIdCausedUUTFailure", description="The server works it out."
    )


class UurInfo(WireModel):
    """How the unit was repaired.

    `process_code` is the test operation the unit failed in; the repair operation is the report's own code.
    """

    process_code: Int16
    process_name: Text100 | None = Field(default=None, description="If sent, exactly the server's name.")
    user: Text100 | None = Field(default=None, description="Repairer.")
    comment: Text5000 | None = None
    ref_uut: UUID | None = Field(default=None, alias="refUUT", description="Id of the failed test report.")
    confirm_date: Moment | None = None
    finalize_date: Moment | None = None
    exec_time: Seconds | None = Field(default=None, description="Duration of the repair in seconds.")
    parent: UUID | None = Field(default=None, description="Id of the repair this one is a part of.")


class Attachment(WireModel):
    """A file on a step; a step holds one at most."""

    name: Name
    content_type: Name100 = Field(description="MIME type.")
    data: str | None = Field(description="The bytes in base64; keep files below some megabytes.")

    @field_validator("data")
    @classmethod
    def _is_base64(cls, data: str | None, info: ValidationInfo) -> str | None:
        if data and not is_stored(info):
            try:
                b64decode(data, validate=True)
            except ValueError:
                raise ValueError("not base64") from None
        return data

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        return b64decode(self.data or "")


class FileData(Attachment):
    """A file on a failure or on a repair report."""

    id: UUID | None = None


class MiscInfo(WireModel):
    """A searchable key and value of the report; one of `text` and `numeric` is needed.

    `numeric` is a 16-bit integer on the server: any other number belongs in `text`.
    """

    description: Name100
    text: Text100 | None = None
    numeric: Int16 | None = None
    typedef: Text30 | None = None

    @model_validator(mode="after")
    def _has_value(self) -> Self:
        if self.text is None and self.numeric is None:
            raise ValueError(f'misc info "{self.description}" needs text or numeric')
        return self


class Failure(WireModel):
    """A fault found on a unit. Category and code must be configured for the report's repair operation."""

    category: Name
    code: Name
    comment: Text | None = None
    com_ref: Text50 | None = Field(default=None, description="Designator of the component.")
    func_block: Text100 | None = None
    ref_step_id: Int32 | None = Field(default=None, description="Id of the failing step in the test report.")
    art_number: Text100 | None = None
    art_rev: Text100 | None = None
    art_vendor: Text500 | None = None
    art_description: Text500 | None = None
    attachments: list[FileData] | None = None


class SubUnit(WireModel):
    """A serialised part that the unit contains; in a repair also the unit itself, at `idx` 0.

    Material without a serial number has no place here: put lots in a misc info.
    """

    part_type: Name50 = Field(description="Free category, such as PCBA or Module.")
    pn: Name100
    sn: Name100
    rev: Text100 | None = None
    position: Int16 | None = None
    idx: Int32 | None = None
    parent_idx: Int32 | None = None
    replaced_idx: Int32 | None = Field(default=None, description="Index of the unit that took its place.")
    failures: list[Failure] | None = None


class AssetUse(WireModel):
    """A registered asset the run used, and by how much its counts rise."""

    asset_sn: Name100 = Field(alias="assetSN")
    usage_count: int = Field(default=1, ge=0, le=2**31 - 1)


class ArrayElement(WireModel):
    """One element of an array property."""

    text: Text = Field(description="Index as shown, such as [0][1].")
    indexes: list[int]
    value: "Property"


class PropertyArray(WireModel):
    """The content of a property of type Array."""

    dimension: int
    type: Text = Field(description="Type of the elements.")
    indexes: list[ArrayElement]


class Property(WireModel):
    """One named value of free data. The value is a text, for numbers and booleans too."""

    name: Text
    type: Literal["Number", "String", "Bool", "Obj", "Array"]
    value: Text | None = None
    comment: Text | None = None
    flags: Int32 | None = None
    num_format: Text | None = None
    props: list["Property"] | None = Field(default=None, description="Members of a property of type Obj.")
    array: PropertyArray | None = None


class AdditionalData(WireModel):
    """A named group of free data: shown with the report or step, but not searchable."""

    name: Name200
    props: list[Property]
