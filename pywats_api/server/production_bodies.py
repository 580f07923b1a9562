"""What the routes of production take."""

from pydantic import Field

from pywats_api.server.bodies import Body, Name, Required, Tag, Text


class UnitBody(Body):
    """A unit. Members that only the server writes are ignored."""

    serial_number: Required
    part_number: Required
    revision: Name | None = None
    parent_serial_number: Name | None = None
    batch_number: Name | None = None
    serial_date: Name | None = None
    current_location: Name | None = None
    xml_data: Text | None = None
    unit_phase_id: int | None = None
    process_code: int | Name | None = None
    tags: list[Tag] | None = None


class BatchBody(Body):
    """A named lot of units."""

    batch_number: Required
    batch_size: int | None = Field(default=None, ge=0, le=2**31 - 1)


class RuleBody(Body):
    """The verification rule of a product: codes of test operations, in their order."""

    part_number: Required
    processes: list[int]


class SerialNumberTypeBody(Body):
    """A pool of serial numbers, which an administrator makes; ``#`` stands for the digits of a counter."""

    name: Required
    description: Text | None = None
    format: Required
    reg_ex: Name | None = None
    identifier: int = Field(default=0, ge=0, le=2)
