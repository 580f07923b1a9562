"""The field types of CFX and the base class of its structures: how wire values are read.

The rules, in one place: field names are compared without regard to case; null, missing and empty list mean
the same; numbers may stand in quotes; a member of an enumeration may come as name, number or number in
quotes, and an unknown one is kept as text; unknown fields and unknown ``$type`` are kept. A value of a wholly
different kind (a text where a list must be) is an error.
"""

from __future__ import annotations

from pywats_cfx.messages.descent import Descendants
from pywats_cfx.messages.fields import (
    CountOf,
    Guid,
    LabelledByHolder,
    Many,
    Older,
    Said,
    Unlabelled,
    Unusual,
    Usual,
)
from pywats_cfx.messages.members import CFXEnum, CodeEnum, NumberEnum, Open
from pywats_cfx.messages.structure import (
    CFXMessage,
    CFXStructure,
    may_be_misspelt,
    short_type,
    wire_name,
    wire_names,
)
from pywats_cfx.messages.times import FineSpan, FineTime, Moment, Span, known_moment

__all__ = [
    "CFXEnum",
    "CFXMessage",
    "CFXStructure",
    "CodeEnum",
    "CountOf",
    "Descendants",
    "FineSpan",
    "FineTime",
    "Guid",
    "LabelledByHolder",
    "Many",
    "Moment",
    "NumberEnum",
    "Older",
    "Open",
    "Said",
    "Span",
    "Unlabelled",
    "Unusual",
    "Usual",
    "known_moment",
    "may_be_misspelt",
    "short_type",
    "wire_name",
    "wire_names",
]
