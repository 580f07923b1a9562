"""The protobuf schema of Sparkplug B payloads, as the specification's chapter on payloads gives it.

Written down as data, because the fields are few and nothing then has to be generated. Extension ranges are
left out: what a reader does not know, it skips.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE: Final = "pywats.sparkplug"
_TYPES: Final = {
    "uint32": descriptor_pb2.FieldDescriptorProto.TYPE_UINT32,
    "uint64": descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
    "float": descriptor_pb2.FieldDescriptorProto.TYPE_FLOAT,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
}
#: The values that metrics, properties, parameters and cells have in common; each is called ``..._value``.
_VALUES: Final = (
    "uint32 int",
    "uint64 long",
    "float float",
    "double double",
    "bool boolean",
    "string string",
)

#: Each message with its fields: number, then type and name; ``*`` is repeated, ``|`` is one of the values.
_MESSAGES: Final[dict[str, dict[int, str]]] = {
    "Payload": {
        1: "uint64 timestamp",
        2: "*Metric metrics",
        3: "uint64 seq",
        4: "string uuid",
        5: "bytes body",
    },
    "Metric": {
        1: "string name",
        2: "uint64 alias",
        3: "uint64 timestamp",
        4: "uint32 datatype",
        5: "bool is_historical",
        6: "bool is_transient",
        7: "bool is_null",
        8: "MetaData metadata",
        9: "PropertySet properties",
        **{10 + at: f"|{value}_value" for at, value in enumerate(_VALUES)},
        16: "|bytes bytes_value",
        17: "|DataSet dataset_value",
        18: "|Template template_value",
    },
    "MetaData": {
        1: "bool is_multi_part",
        2: "string content_type",
        3: "uint64 size",
        4: "uint64 seq",
        5: "string file_name",
        6: "string file_type",
        7: "string md5",
        8: "string description",
    },
    "PropertySet": {1: "*string keys", 2: "*PropertyValue values"},
    "PropertySetList": {1: "*PropertySet propertyset"},
    "PropertyValue": {
        1: "uint32 type",
        2: "bool is_null",
        **{3 + at: f"|{value}_value" for at, value in enumerate(_VALUES)},
        9: "|PropertySet propertyset_value",
        10: "|PropertySetList propertysets_value",
    },
    "DataSet": {1: "uint64 num_of_columns", 2: "*string columns", 3: "*uint32 types", 4: "*Row rows"},
    "Row": {1: "*DataSetValue elements"},
    "DataSetValue": {1 + at: f"|{value}_value" for at, value in enumerate(_VALUES)},
    "Template": {
        1: "string version",
        2: "*Metric metrics",
        3: "*Parameter parameters",
        4: "string template_ref",
        5: "bool is_definition",
    },
    "Parameter": {
        1: "string name",
        2: "uint32 type",
        **{3 + at: f"|{value}_value" for at, value in enumerate(_VALUES)},
    },
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_b.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if any(written.startswith("|") for written in fields.values()):
            message.oneof_decl.add(name="value")
        for number, written in fields.items():
            kind, field_name = written.lstrip("*|").split()
            field = message.field.add(name=field_name, number=number)
            field.label = field.LABEL_REPEATED if written.startswith("*") else field.LABEL_OPTIONAL
            if kind in _TYPES:
                field.type = _TYPES[kind]
            else:
                field.type, field.type_name = field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            if written.startswith("|"):
                field.oneof_index = 0
    return file


def _payload_class() -> Any:
    pool = descriptor_pool.DescriptorPool()  # our own: other programs' Sparkplug modules are not disturbed
    pool.Add(_file())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))


#: The class of a payload: ``PayloadMessage.FromString(body)``.
PayloadMessage: Final[Any] = _payload_class()
