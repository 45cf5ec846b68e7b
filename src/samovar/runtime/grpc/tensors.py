"""Tensors of gRPC messages into what the codec reads, and answers into messages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from samovar.errors import InvalidInput
from samovar.runtime.protocols.tensors import binary_of, read_inputs, texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from samovar.runtime.codec import Codec, Rows
    from samovar.runtime.outputs import Answer

_CONTENTS: Final = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""The field that holds a datatype's values; half floats travel raw only."""
_FLOATS: Final = frozenset({"fp32_contents", "fp64_contents"})


def read_request(codec: Codec, request: Any) -> Rows:
    """Read the tensors of a ``ModelInferRequest`` into checked rows.

    Raises
    ------
    InvalidInput
        Naming the tensor, and the row and column of a wrong value.
    """
    raw = request.raw_input_contents
    if not raw:
        return read_inputs(codec, [_plain(tensor) for tensor in request.inputs], memoryview(b""))
    if len(raw) != len(request.inputs):
        raise InvalidInput(
            f"There are {len(request.inputs)} inputs and {len(raw)} raw contents.",
            hint="Send raw contents for all inputs or for none.",
            code="malformed_body",
        )
    tensors = [
        {**_head(tensor), "parameters": {"binary_data_size": len(blob)}}
        for tensor, blob in zip(request.inputs, raw, strict=True)
    ]
    return read_inputs(codec, tensors, memoryview(b"".join(raw)))


def write_response(
    response: Any, answers: Sequence[Answer], wanted: Sequence[str], *, is_raw: bool
) -> None:
    """Put outputs into a ``ModelInferResponse``, raw where the request was or where they must be.

    Parameters
    ----------
    response : ModelInferResponse
        Is filled.
    answers : sequence of Answer
        Of the model.
    wanted : sequence of str
        Names of the outputs, in order.
    is_raw : bool
        Whether the request's tensors were raw.
    """
    named = {answer.name: answer for answer in answers}
    chosen = [named[name] for name in wanted]
    is_raw = is_raw or any(answer.datatype not in _CONTENTS for answer in chosen)
    for answer in chosen:
        tensor = response.outputs.add(
            name=answer.name, datatype=answer.datatype, shape=answer.values.shape
        )
        if is_raw:
            response.raw_output_contents.append(binary_of(answer))
            continue
        values = answer.values.ravel().tolist()
        if answer.datatype == "BYTES":
            values = [text.encode() for text in texts_of(answer)]
        getattr(tensor.contents, _CONTENTS[answer.datatype]).extend(values)


def wanted_outputs(request: Any, outputs: Sequence[str]) -> list[str]:
    """Give the names of the outputs that a request asks for; all where it names none."""
    wanted = [output.name for output in request.outputs]
    for name in wanted:
        if name not in outputs:
            raise InvalidInput(
                f"There is no output {name[:80]!r}.",
                hint=f"The outputs are: {', '.join(outputs)}.",
                code="wrong_outputs",
            )
    return wanted or list(outputs)


def _plain(tensor: Any) -> dict[str, Any]:
    field = _CONTENTS.get(tensor.datatype)
    values: list[Any] = list(getattr(tensor.contents, field)) if field else []
    if tensor.datatype == "BYTES":
        try:
            values = [value.decode() for value in values]
        except UnicodeDecodeError as error:
            raise InvalidInput(
                f"The input {tensor.name[:80]!r} is not UTF-8.", code="wrong_value"
            ) from error
    elif field in _FLOATS:
        # NaN is how a tensor of floats says null.
        values = [None if math.isnan(value) else value for value in values]
    return {**_head(tensor), "data": values}


def _head(tensor: Any) -> Mapping[str, Any]:
    return {"name": tensor.name, "shape": list(tensor.shape), "datatype": tensor.datatype}
