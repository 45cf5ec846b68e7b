"""Ask a service from Python with the types of a DataFrame on both sides."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import httpx

from samovar.bundle.arrow_bodies import STREAM, arrays_of, bodies_of, table_of
from samovar.bundle.arrow_columns import plain_values
from samovar.errors import InvalidInput, ScriptFailed, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMEOUT_S: Final = 300.0
_ROWS: Final = 10_000
_VALUES: Final = 500_000
"""In one request: well within the limits of a body, and enough to make its costs small."""
_MODELS: Final = "/v2/models/"
_INFER: Final = "/infer"
_NUMPY: Final = {
    "BOOL": "bool", "FP16": "float16", "FP32": "float32", "FP64": "float64",
    **{f"{kind}{bits}": f"{kind.lower()}{bits}" for kind in ("INT", "UINT")
       for bits in (8, 16, 32, 64)},
}  # fmt: skip


class RemoteModel:
    """A service's model.

    Parameters
    ----------
    url : str
        ``http://host:port``.

    Raises
    ------
    Unavailable
        Where nobody answers there.
    InvalidInput
        Where it is another kind of service.
    """

    def __init__(self, url: str) -> None:
        self._base = url.rstrip("/")
        self._client = httpx.Client(timeout=_TIMEOUT_S, trust_env=True)
        description = self._json(self._send("GET", "/openapi.json"))
        paths = [path for path in description.get("paths", {}) if path.endswith(_INFER)]
        if not paths:
            raise _no_service(self._base)
        self.name = unquote(paths[0].removeprefix(_MODELS).removesuffix(_INFER))
        metadata = self._json(self._send("GET", paths[0].removesuffix(_INFER)))
        self._outputs: list[dict[str, Any]] = metadata["outputs"]
        self._takes_arrow = STREAM in _bodies_of_predict(description)
        self._names = _names(description)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> RemoteModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def predict(self, rows: Any) -> Any:
        """Answer rows by the service's method; parameters and result as `samovar.load`'s.

        Raises
        ------
        InvalidInput
            In the service's own words, where it refuses a row.
        Unavailable
            Where it went away, or is overloaded.
        """
        is_numbers = all(output["datatype"] in _NUMPY for output in self._outputs)
        is_listed = isinstance(rows, (list, tuple))
        table = table_of(rows, self._names) if self._takes_arrow and not is_listed else None
        if table is not None and table.num_rows and is_numbers:
            streams = [self._send("POST", "/predict", part).content for part in bodies_of(table)]
            described = [(_NUMPY[one["datatype"]], one["shape"][1:]) for one in self._outputs]
            arrays = arrays_of(streams, described)
            return arrays[0] if len(arrays) == 1 else arrays
        return self._as_json(rows)

    def _as_json(self, rows: Any) -> Any:
        """Ask and be answered in JSON, which keeps the types of labels."""
        predictions: list[Any] = []
        for part in _documents(rows):
            answer = self._json(self._send("POST", "/predict", part))
            predictions += answer["predictions"]
        if len(self._outputs) == 1:
            return _array(predictions, self._outputs[0])
        return [
            _array([row[output["name"]] for row in predictions], output) for output in self._outputs
        ]

    def _send(self, method: str, path: str, document: Any = None) -> httpx.Response:
        content: dict[str, Any] = {"json": document}
        if isinstance(document, bytes):
            content = {"content": document, "headers": {"Content-Type": STREAM, "Accept": STREAM}}
        try:
            answer = self._client.request(method, f"{self._base}{path}", **content)
        except httpx.HTTPError as error:
            raise Unavailable(
                f"Nobody answers at {self._base}.",
                why=str(error) or type(error).__name__,
                hint="Start the service, or check the address and the port.",
                code="service_unreachable",
            ) from error
        except httpx.InvalidURL as error:
            raise InvalidInput(f"{self._base} is no address.", why=str(error)) from error
        if answer.status_code == httpx.codes.OK:
            return answer
        raise self._refused(answer)

    def _refused(self, answer: httpx.Response) -> Exception:
        said = self._json(answer).get("error")
        if not isinstance(said, dict):
            return _no_service(self._base)
        message, hint = str(said.get("message")), said.get("hint") or None
        code = str(said.get("code", "service"))
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return Unavailable(message, hint=hint, code=code)
        if answer.is_client_error:
            return InvalidInput(message, hint=hint, code=code)
        return ScriptFailed(message, hint=hint, code=code)

    def _json(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            document = answer.json()
        except ValueError:
            raise _no_service(self._base) from None
        if not isinstance(document, dict):
            raise _no_service(self._base)
        return document


def _no_service(base: str) -> InvalidInput:
    return InvalidInput(
        f"{base} is no service of samovar's.",
        hint="Give the address that 'samovar serve' prints.",
        code="not_a_service",
    )


def _bodies_of_predict(description: dict[str, Any]) -> dict[str, Any]:
    body = description["paths"].get("/predict", {}).get("post", {}).get("requestBody", {})
    content: dict[str, Any] = body.get("content", {})
    return content


def _names(description: dict[str, Any]) -> list[str]:
    """Give the columns in the signature's order: what a record of the service must have."""
    schemas = description.get("components", {}).get("schemas", {})
    forms = schemas.get("Row", {}).get("oneOf", [{}])
    return list(forms[-1].get("properties", {}))


def _documents(rows: Any) -> Iterator[list[Any]]:
    """Cut rows into lists that JSON can hold: records where columns have names."""
    if isinstance(rows, (list, tuple)):
        listed = list(rows)
    elif hasattr(rows, "columns"):
        import pyarrow as arrow

        table = arrow.Table.from_pandas(rows, preserve_index=False)
        columns = [
            [value for chunk in column.chunks for value in plain_values(chunk)]
            for column in table.columns
        ]
        names = [str(name) for name in table.column_names]
        listed = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    else:
        listed = [[None if _is_nan(value) else value for value in row] for row in rows.tolist()]
    width = len(listed[0]) if listed and isinstance(listed[0], (list, tuple, dict)) else 1
    count = max(1, min(_ROWS, _VALUES // max(1, width)))
    for start in range(0, len(listed), count):
        yield listed[start : start + count]


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _array(values: list[Any], output: dict[str, Any]) -> Any:
    import numpy as np

    dtype = _NUMPY.get(output["datatype"])
    if dtype is None:
        labels: Any = np.empty(len(values), dtype=object)
        labels[:] = values
        return labels
    if dtype.startswith("float"):
        # JSON has null where the model gave NaN.
        return np.array(values, dtype=object).astype(dtype)
    return np.array(values, dtype=dtype)
