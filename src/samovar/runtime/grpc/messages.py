"""The messages of the Open Inference Protocol, made without generated code.

Generated code wants the protobuf that it was generated for; a model's environment may hold another
one. The descriptors are therefore put together here, from names and numbers of the published file.

References
----------
Open Inference Protocol, specification/protocol/open_inference_grpc.proto (package ``inference``).
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE: Final = "inference.GRPCInferenceService"
_FIELD: Final = descriptor_pb2.FieldDescriptorProto
_SCALARS: Final = {
    "bool": _FIELD.TYPE_BOOL,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "uint32": _FIELD.TYPE_UINT32,
    "uint64": _FIELD.TYPE_UINT64,
    "float": _FIELD.TYPE_FLOAT,
    "double": _FIELD.TYPE_DOUBLE,
    "string": _FIELD.TYPE_STRING,
    "bytes": _FIELD.TYPE_BYTES,
}
_PARAMETERS: Final = "map parameters"
_TENSOR: Final = ("string name", "string datatype", "* int64 shape")
# Fields in the order of their numbers, from 1; "*" repeats, "map" has texts and InferParameters.
_MESSAGES: Final = {
    "ServerLiveRequest": (),
    "ServerLiveResponse": ("bool live",),
    "ServerReadyRequest": (),
    "ServerReadyResponse": ("bool ready",),
    "ModelReadyRequest": ("string name", "string version"),
    "ModelReadyResponse": ("bool ready",),
    "ServerMetadataRequest": (),
    "ServerMetadataResponse": ("string name", "string version", "* string extensions"),
    "ModelMetadataRequest": ("string name", "string version"),
    "TensorMetadata": _TENSOR,
    "ModelMetadataResponse": (
        "string name", "* string versions", "string platform",
        "* TensorMetadata inputs", "* TensorMetadata outputs",
    ),
    "InferParameter": ("? bool bool_param", "? int64 int64_param", "? string string_param"),
    "InferTensorContents": (
        "* bool bool_contents", "* int32 int_contents", "* int64 int64_contents",
        "* uint32 uint_contents", "* uint64 uint64_contents", "* float fp32_contents",
        "* double fp64_contents", "* bytes bytes_contents",
    ),
    "InferInputTensor": (*_TENSOR, _PARAMETERS, "InferTensorContents contents"),
    "InferRequestedOutputTensor": ("string name", _PARAMETERS),
    "InferOutputTensor": (*_TENSOR, _PARAMETERS, "InferTensorContents contents"),
    "ModelInferRequest": (
        "string model_name", "string model_version", "string id", _PARAMETERS,
        "* InferInputTensor inputs", "* InferRequestedOutputTensor outputs",
        "* bytes raw_input_contents",
    ),
    "ModelInferResponse": (
        "string model_name", "string model_version", "string id", _PARAMETERS,
        "* InferOutputTensor outputs", "* bytes raw_output_contents",
    ),
}  # fmt: skip
# The published file nests these in the requests and responses that use them.
_NESTED: Final = {
    "TensorMetadata": "ModelMetadataResponse",
    "InferInputTensor": "ModelInferRequest",
    "InferRequestedOutputTensor": "ModelInferRequest",
    "InferOutputTensor": "ModelInferResponse",
}


def _describe() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="open_inference_grpc.proto", package="inference", syntax="proto3"
    )
    made: dict[str, Any] = {}
    for name in sorted(_MESSAGES, key=lambda name: name in _NESTED):
        parent = _NESTED.get(name)
        home = file.message_type if parent is None else made[parent].nested_type
        made[name] = home.add(name=name)
        for number, words in enumerate(_MESSAGES[name], 1):
            _add_field(made[name], number, words)
    return file


def _add_field(message: Any, number: int, words: str) -> None:
    *how, kind, name = words.split()
    field = message.field.add(name=name, number=number, label=_FIELD.LABEL_OPTIONAL)
    if kind == "map":
        entry = message.nested_type.add(name=f"{name.title()}Entry")
        entry.options.map_entry = True
        _add_field(entry, 1, "string key")
        _add_field(entry, 2, "InferParameter value")
        own = f"{_full_name(message.name)}.{entry.name}"
        field.label, field.type, field.type_name = _FIELD.LABEL_REPEATED, _FIELD.TYPE_MESSAGE, own
        return
    if how == ["*"]:
        field.label = _FIELD.LABEL_REPEATED
    elif how == ["?"]:
        if not message.oneof_decl:
            message.oneof_decl.add(name="parameter_choice")
        field.oneof_index = 0
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type, field.type_name = _FIELD.TYPE_MESSAGE, _full_name(kind)


def _full_name(name: str) -> str:
    parent = _NESTED.get(name)
    return f".inference.{name}" if parent is None else f".inference.{parent}.{name}"


def message_classes() -> dict[str, Any]:
    """Give the class of each message that is not nested, by its name.

    They live in a pool of their own: a program that also uses a client's generated messages keeps
    those.
    """
    pool = descriptor_pool.DescriptorPool()
    file = _describe()
    pool.AddSerializedFile(file.SerializeToString())
    find = getattr(message_factory, "GetMessageClass", None)
    if find is None:  # protobuf before 4.22
        find = message_factory.MessageFactory(pool).GetPrototype
    return {
        message.name: find(pool.FindMessageTypeByName(f"inference.{message.name}"))
        for message in file.message_type
    }
