"""Say in MLflow's words what a model takes and gives, and show it an example.

References
----------
MLflow documentation, "Model Signatures and Input Examples".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.core.receipt import Receipt
    from samovar.core.signature import Column, Output, Signature

EXAMPLE: Final = "input_example.json"
SERVING_EXAMPLE: Final = "serving_input_example.json"
_EXAMPLE_ROWS: Final = 5
_COLUMN_TYPES: Final = {
    "bool": "boolean", "int8": "integer", "int16": "integer", "int32": "integer",
    "uint8": "integer", "uint16": "integer", "int64": "long", "uint32": "long",
    "float32": "float", "float64": "double", "string": "string",
}  # fmt: skip
_WIDER: Final = ("bool", "int64", "float64")
"""What rows of JSON become: an array takes the widest of its columns."""
_TENSOR_TYPES: Final = {
    "BOOL": "bool", "INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64",
    "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64",
    "FP16": "float16", "FP32": "float32", "FP64": "float64", "BYTES": "object",
}  # fmt: skip


def model_signature(signature: Signature) -> dict[str, Any] | None:
    """Give a ``ModelSignature`` as ``MLmodel`` has it; None where MLflow has no words for it.

    MLflow holds inputs to a signature, and turns away what its types cannot say: categories, zones,
    nullable integers. A model that takes such is logged without one.
    """
    inputs = _inputs(signature)
    if inputs is None:
        return None
    named = len(signature.outputs) > 1
    outputs = [_tensor_of(output, named=named) for output in signature.outputs]
    return {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs), "params": None}


def input_example(signature: Signature, receipt: Receipt) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give what ``MLmodel`` says of the example, and the documents by file name."""
    rows = [_typed(row, signature.inputs) for row in receipt.rows[:_EXAMPLE_ROWS]]
    info = {"artifact_path": EXAMPLE, "serving_input_path": SERVING_EXAMPLE}
    if _has_columns(signature):
        table = {"columns": [column.name for column in signature.inputs], "data": rows}
        return (
            {**info, "type": "dataframe", "pandas_orient": "split"},
            {EXAMPLE: table, SERVING_EXAMPLE: {"dataframe_split": table}},
        )
    kind = "json_object" if signature.container == "texts" else "ndarray"
    return {**info, "type": kind}, {EXAMPLE: rows, SERVING_EXAMPLE: {"inputs": rows}}


def _inputs(signature: Signature) -> list[dict[str, Any]] | None:
    if signature.container == "texts":
        return [_tensor("str", (-1,))]
    if not _has_columns(signature):
        dtype = _array_type(signature.inputs)
        return None if dtype is None else [_tensor(dtype, (-1, len(signature.inputs)))]
    if any(column.dtype not in _COLUMN_TYPES for column in signature.inputs):
        return None
    return [
        {"type": _COLUMN_TYPES[column.dtype], "name": column.name, "required": True}
        for column in signature.inputs
    ]


def _has_columns(signature: Signature) -> bool:
    """Say whether the model was fitted with names.

    samovar gives it an array where that is proven to be the same; MLflow's users have tables.
    """
    if signature.container != "array":
        return signature.container == "frame"
    return any(column.name != f"x{place}" for place, column in enumerate(signature.inputs))


def _typed(row: Any, columns: Sequence[Column]) -> Any:
    """Write whole numbers as 1.0 where the column is of floats: MLflow reads types off the text."""
    if isinstance(row, str):
        return row
    return [
        float(value) if column.dtype.startswith("float") and value is not None else value
        for value, column in zip(row, columns, strict=True)
    ]


def _array_type(columns: Sequence[Column]) -> str | None:
    """Give the type of an array of all columns, where it is certain."""
    types = {column.dtype for column in columns}
    if types <= set(_WIDER):
        return max(types, key=_WIDER.index)
    (one, *more) = types
    return None if more or one not in _COLUMN_TYPES or one == "string" else one


def _tensor_of(output: Output, *, named: bool) -> dict[str, Any]:
    tensor = _tensor(_TENSOR_TYPES.get(output.datatype, "object"), (-1, *output.shape))
    return {"name": output.name, **tensor} if named else tensor


def _tensor(dtype: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(shape)}}
