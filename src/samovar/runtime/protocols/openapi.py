"""An OpenAPI document made from the signature.

References
----------
OpenAPI 3.1.0; JSON Schema 2020-12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from samovar.runtime.arrow.writing import MEDIA_TYPE
from samovar.runtime.protocols.v2 import metadata
from samovar.runtime.values import BOOLEANS, FLOATS, INTEGERS, wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.core.signature import Column, Output, Signature
    from samovar.runtime.loaded import Loaded

_STRING_FORMATS: Final = {"datetime": "date-time"}
_FLOAT_MAX: Final = {"float32": 3.4028234663852886e38, "float64": 1.7976931348623157e308}
_ARROW: Final = {
    MEDIA_TYPE.decode(): {"schema": {"type": "string", "contentMediaType": MEDIA_TYPE.decode()}}
}
_NUMBER: Final = ("FP16", "FP32", "FP64")


def openapi_document(loaded: Loaded) -> dict[str, Any]:
    """Describe the service's paths.

    Parameters
    ----------
    loaded : Loaded
        The model and what the bundle says of it.
    """
    signature = loaded.signature
    base = f"/v2/models/{loaded.name}"
    example = loaded.receipt.rows[0]
    paths: dict[str, Any] = {
        "/": _get("What the project says.", "text/plain", {"type": "string"}),
        "/predict": {"post": _predict(example)},
        f"{base}/infer": {"post": _infer(signature, example)},
        base: _get("Names, datatypes and shapes of the tensors.", schema={"type": "object"}),
        "/invocations": {"post": _invocations(example)},
        "/v2": _get("What the server can.", schema={"type": "object"}),
        "/v2/health/live": _get("Whether the process lives.", schema={"type": "object"}),
        "/v2/health/ready": _ready("Whether a prediction would be answered."),
        f"{base}/ready": _ready("Whether the model would answer."),
        "/ping": _ready("Whether a prediction would be answered (MLflow's path)."),
        "/version": _get("Of the server.", "text/plain", {"type": "string"}),
        "/metrics": _get("Counts for Prometheus.", "text/plain", {"type": "string"}),
        "/openapi.json": _get("This document.", schema={"type": "object"}),
        "/docs": _get("A page to try the model.", "text/html", {"type": "string"}),
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": loaded.name,
            "version": loaded.version,
            "description": f"{loaded.method} of {loaded.platform}, served by samovar.",
        },
        "paths": paths,
        "components": {"schemas": _schemas(signature)},
    }


def column_schema(column: Column) -> dict[str, Any]:
    """Give the JSON Schema of a column's values."""
    schema: dict[str, Any] = {"description": wanted(column)}
    dtype = column.dtype.lower()
    if dtype in FLOATS:
        largest = _FLOAT_MAX[dtype]
        schema.update(type="number", minimum=-largest, maximum=largest)
    elif column.dtype in INTEGERS:
        low, high = INTEGERS[column.dtype]
        schema.update(type="integer", minimum=low, maximum=high)
    elif column.dtype in BOOLEANS:
        schema["type"] = "boolean"
    elif dtype == "category":
        schema["enum"] = [*(column.categories or ()), *([None] if column.nullable else [])]
        return schema
    elif dtype == "object":
        schema["type"] = ["string", "number", "boolean"]
    else:
        schema["type"] = "string"
        if dtype in _STRING_FORMATS:
            schema["format"] = _STRING_FORMATS[dtype]
    if column.nullable:
        kinds = schema["type"]
        schema["type"] = [*(kinds if isinstance(kinds, list) else [kinds]), "null"]
    return schema


def _schemas(signature: Signature) -> dict[str, Any]:
    columns = signature.inputs
    if signature.container == "texts":
        forms: list[dict[str, Any]] = [{"type": "string"}]
    else:
        count = len(columns)
        forms = [
            {
                "type": "array",
                "prefixItems": [column_schema(column) for column in columns],
                "minItems": count,
                "maxItems": count,
            }
        ]
    record = {
        "type": "object",
        "properties": {column.name: column_schema(column) for column in columns},
        "required": [column.name for column in columns],
        "additionalProperties": False,
    }
    return {
        "Row": {"oneOf": [*forms, record]},
        "Rows": {"type": "array", "items": {"$ref": "#/components/schemas/Row"}, "minItems": 1},
        "Prediction": _prediction(signature.outputs),
        "Error": {
            "type": "object",
            "required": ["error"],
            "properties": {
                "error": {
                    "type": "object",
                    "required": ["code", "message", "hint"],
                    "properties": {
                        name: {"type": "string"} for name in ("code", "message", "hint")
                    },
                }
            },
        },
    }


def _prediction(outputs: Sequence[Output]) -> dict[str, Any]:
    if len(outputs) == 1:
        return _output_schema(outputs[0])
    return {
        "type": "object",
        "properties": {output.name: _output_schema(output) for output in outputs},
        "required": [output.name for output in outputs],
    }


def _output_schema(output: Output) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    if output.datatype in _NUMBER:
        schema["type"] = ["number", "null"]
    elif output.datatype == "BOOL":
        schema["type"] = "boolean"
    elif output.datatype != "BYTES":
        schema["type"] = "integer"
    for size in reversed(output.shape):
        schema = {"type": "array", "items": schema, "minItems": size, "maxItems": size}
    return schema


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _get(about: str, kind: str = "application/json", schema: Any = None) -> dict[str, Any]:
    return {"get": {"summary": about, "responses": {"200": _response(about, schema, kind)}}}


def _ready(about: str) -> dict[str, Any]:
    path = _get(about, schema={"type": "object"})
    path["get"]["responses"]["503"] = _response("Not now.", {"type": "object"})
    return path


def _response(about: str, schema: Any, kind: str = "application/json") -> dict[str, Any]:
    return {"description": about, "content": {kind: {"schema": schema}}}


def _predict(example: Any) -> dict[str, Any]:
    one = {"type": "object", "required": ["prediction"],
           "properties": {"prediction": _reference("Prediction")}}  # fmt: skip
    answers = {"type": "array", "items": _reference("Prediction")}
    many = {"type": "object", "required": ["predictions"],
            "properties": {"predictions": answers}}  # fmt: skip
    return {
        "summary": "Predict one row, or a list of rows.",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"anyOf": [_reference("Row"), _reference("Rows")]},
                    "example": example,
                },
                **_ARROW,
            },
        },
        "responses": {
            "200": {
                "description": "The answer; an Arrow stream for one, or where Accept asks.",
                "content": {"application/json": {"schema": {"anyOf": [one, many]}}, **_ARROW},
            },
            **_errors(_reference("Error")),
        },
    }


def _infer(signature: Signature, example: Any) -> dict[str, Any]:
    inputs = metadata(signature, "", "", "")["inputs"]
    values = [example] if isinstance(example, str) else list(example)
    if len(inputs) == 1:
        tensors = [{**inputs[0], "shape": [1, *inputs[0]["shape"][1:]], "data": values}]
    else:
        tensors = [
            {**tensor, "shape": [1], "data": [value]}
            for tensor, value in zip(inputs, values, strict=True)
        ]
    tensor_schema = {
        "type": "object",
        "required": ["name", "shape", "datatype"],
        "properties": {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "datatype": {"type": "string"},
            "parameters": {"type": "object"},
            "data": {"type": "array"},
        },
    }
    output_schema = {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"enum": [output.name for output in signature.outputs]},
            "parameters": {"type": "object"},
        },
    }
    request = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "parameters": {"type": "object"},
            "inputs": {"type": "array", "items": tensor_schema, "minItems": 1},
            "outputs": {"type": "array", "items": output_schema},
        },
        "additionalProperties": False,
    }
    return {
        "summary": "Predict by the Open Inference Protocol, version 2.",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": request, "example": {"inputs": tensors}}},
        },
        "responses": {
            "200": _response("The response.", {"type": "object", "required": ["outputs"]}),
            **_errors({"type": "object", "required": ["error"]}),
        },
    }


def _invocations(example: Any) -> dict[str, Any]:
    schema = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 2,
        "properties": {
            "dataframe_split": {"type": "object"},
            "dataframe_records": {"type": "array"},
            "instances": {},
            "inputs": {},
            "params": {"type": "object"},
        },
        "additionalProperties": False,
    }
    return {
        "summary": "Predict by MLflow's scoring protocol.",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": schema, "example": {"inputs": [example]}},
                "text/csv": {"schema": {"type": "string"}},
            },
        },
        "responses": {
            "200": _response("The answers.", {"type": "object", "required": ["predictions"]}),
            **_errors({"type": "object", "required": ["error_code", "message"]}),
        },
    }


def _errors(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "400": _response("The body could not be read.", schema),
        "413": _response("The body is too large.", schema),
        "415": _response("The media type or coding is not read here.", schema),
        "422": _response("A row does not fit; row and column are named.", schema),
        "503": _response("Too many requests are waiting.", schema),
    }
