"""The Open Inference Protocol, version 2, over HTTP, with the binary tensor extension.

References
----------
Open Inference Protocol, specification/protocol/inference_rest.md; Triton's
protocol/extension_binary_data.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from samovar.errors import InvalidInput
from samovar.runtime.http.replies import JSON
from samovar.runtime.outputs import json_values
from samovar.runtime.protocols.bodies import check_json_type, decode_json, plain_body
from samovar.runtime.protocols.tensors import (
    binary_of,
    column_datatype,
    matrix_datatype,
    read_inputs,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from samovar.core.signature import Signature
    from samovar.runtime.codec import Codec
    from samovar.runtime.http.exchange import Exchange
    from samovar.runtime.outputs import Answer

MATRIX_NAME: Final = "input"
_JSON_LENGTH: Final = b"inference-header-content-length"
_BINARY: Final = b"application/octet-stream"
_ENCODER: Final = msgspec.json.Encoder()
_KNOWN: Final = frozenset({"id", "parameters", "inputs", "outputs"})


class InferProtocol:
    """Reads and answers ``/v2/models/NAME/infer``.

    Parameters
    ----------
    name, version : str
        Of the model.
    codec : Codec
        Checks rows.
    submit : callable
        Queues an exchange whose rows were read.
    """

    def __init__(
        self, name: str, version: str, codec: Codec, submit: Callable[[Exchange], None]
    ) -> None:
        self._name = name
        self._version = version
        self._codec = codec
        self._submit = submit
        self._outputs = tuple(output.name for output in codec.signature.outputs)

    def handle(self, exchange: Exchange) -> None:
        """Read the tensors and queue their rows."""
        body = plain_body(exchange)
        head = exchange.head
        binary = memoryview(b"")
        length = head.headers.get(_JSON_LENGTH)
        if length is None:
            check_json_type(head)
        else:
            if not length.isdigit() or int(length) > len(body):
                raise InvalidInput(
                    "Inference-Header-Content-Length is not a length within the body.",
                    code="malformed_request",
                )
            body, binary = body[: int(length)], memoryview(body)[int(length) :]
        request = decode_json(body)
        _check_request(request)
        exchange.parameters = (request.get("id"), self._wanted(request))
        exchange.rows = read_inputs(self._codec, request["inputs"], binary)
        exchange.encode = self._encode
        self._submit(exchange)

    def _wanted(self, request: Mapping[str, Any]) -> list[tuple[str, bool]]:
        """Give the names of the outputs asked for, and whether each is to be binary."""
        parameters = request.get("parameters") or {}
        binary = parameters.get("binary_data_output") is True
        outputs = request.get("outputs")
        if not outputs:
            return [(name, binary) for name in self._outputs]
        wanted = []
        for output in outputs:
            name = output.get("name") if isinstance(output, dict) else None
            if name not in self._outputs:
                raise InvalidInput(
                    f"There is no output {name!r}.",
                    hint=f"The outputs are: {', '.join(self._outputs)}.",
                    code="wrong_outputs",
                )
            own = output.get("parameters") or {}
            wanted.append((name, own.get("binary_data", binary) is True))
        return wanted

    def _encode(self, exchange: Exchange, answers: Sequence[Answer]) -> tuple[bytes, bytes, bytes]:
        """Write the response; binary tensors follow the JSON."""
        request_id, wanted = exchange.parameters
        named = {answer.name: answer for answer in answers}
        tensors: list[dict[str, Any]] = []
        blobs: list[bytes] = []
        for name, is_binary in wanted:
            answer = named[name]
            tensor: dict[str, Any] = {
                "name": name,
                "datatype": answer.datatype,
                "shape": list(answer.values.shape),
            }
            if is_binary:
                blob = binary_of(answer)
                tensor["parameters"] = {"binary_data_size": len(blob)}
                blobs.append(blob)
            else:
                tensor["data"] = _data(answer)
            tensors.append(tensor)
        document: dict[str, Any] = {
            "model_name": self._name,
            "model_version": self._version,
            "outputs": tensors,
        }
        if request_id is not None:
            document["id"] = request_id
        text = _ENCODER.encode(document)
        if not blobs:
            return text, JSON, b""
        header = b"Inference-Header-Content-Length: %d\r\n" % len(text)
        return b"".join([text, *blobs]), _BINARY, header


def metadata(signature: Signature, name: str, version: str, platform: str) -> dict[str, Any]:
    """Describe the model's tensors.

    A model over numbers of one kind takes one tensor of shape [-1, k]; others one for each column.
    """
    datatype = matrix_datatype(signature)
    if datatype is not None:
        inputs = [{"name": MATRIX_NAME, "datatype": datatype, "shape": [-1, len(signature.inputs)]}]
    else:
        inputs = [
            {"name": column.name, "datatype": column_datatype(column), "shape": [-1]}
            for column in signature.inputs
        ]
    return {
        "name": name,
        "versions": [version],
        "platform": platform,
        "inputs": inputs,
        "outputs": [
            {"name": output.name, "datatype": output.datatype, "shape": [-1, *output.shape]}
            for output in signature.outputs
        ],
    }


def _data(answer: Answer) -> list[Any]:
    flat = answer.values.ravel()
    values = json_values(type(answer)(answer.name, flat))
    if answer.datatype != "BYTES":
        return values
    return [value if isinstance(value, str) or value is None else msgspec_text(value)
            for value in values]  # fmt: skip


def msgspec_text(value: Any) -> str:
    """Write a label that is no string as the text of its JSON."""
    return _ENCODER.encode(value).decode()


def _check_request(request: Any) -> None:
    if not isinstance(request, dict) or not isinstance(request.get("inputs"), list):
        raise InvalidInput(
            'An inference request is an object with "inputs", a list of tensors.',
            code="malformed_body",
        )
    unknown = [name for name in request if name not in _KNOWN]
    if unknown:
        raise InvalidInput(
            f"The inference request has the unknown field {unknown[0][:80]!r}.",
            code="malformed_body",
        )
    for field, kind in (("parameters", dict), ("outputs", list), ("id", str)):
        if request.get(field) is not None and not isinstance(request[field], kind):
            raise InvalidInput(f"{field!r} is not valid.", code="malformed_body")
    for output in request.get("outputs") or ():
        if not isinstance(output, dict) or not isinstance(output.get("parameters") or {}, dict):
            raise InvalidInput("'outputs' is not valid.", code="malformed_body")
