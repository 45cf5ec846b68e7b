"""What a model answers, brought into named arrays, tensors and JSON.

Every output is a NumPy array whose first axis counts the rows; labels that are not numbers are
arrays of objects.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from samovar.core.receipt import Tensor
from samovar.errors import ScriptFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

DATATYPES: Final = {
    "b1": "BOOL",
    "i1": "INT8", "i2": "INT16", "i4": "INT32", "i8": "INT64",
    "u1": "UINT8", "u2": "UINT16", "u4": "UINT32", "u8": "UINT64",
    "f2": "FP16", "f4": "FP32", "f8": "FP64",
}  # fmt: skip
"""NumPy's kind and size of item, and the Open Inference Protocol's word for it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One output for a number of rows.

    Parameters
    ----------
    name : str
        ``prediction``, or ``prediction_0``, ... for several.
    values : ndarray, shape (n_rows, ...)
        Of a number type, bool, or object.
    """

    name: str
    values: Any

    def rows(self, start: int, stop: int) -> Answer:
        """Give the part for some of the rows."""
        return Answer(self.name, self.values[start:stop])

    @property
    def datatype(self) -> str:
        """The Open Inference Protocol's datatype; BYTES for what is no number."""
        return DATATYPES.get(self.values.dtype.str[1:], "BYTES")


def arrange(raw: Any, rows: int) -> tuple[Answer, ...]:
    """Bring a model's answer into named arrays.

    Parameters
    ----------
    raw : object
        Array, sparse matrix, list, Series, DataFrame, or a list of arrays (several outputs).
    rows : int
        How many rows the model was asked.

    Raises
    ------
    ScriptFailed
        Where the answer has not one entry for each row.
    """
    if _is_several(raw, rows):
        parts = [_as_array(part) for part in raw]
        answers = tuple(Answer(f"prediction_{i}", part) for i, part in enumerate(parts))
    else:
        answers = (Answer("prediction", _as_array(raw)),)
    for answer in answers:
        if not answer.values.shape or answer.values.shape[0] != rows:
            shape = answer.values.shape
            raise ScriptFailed(
                f"The model answered {rows} rows with an array of shape {shape}.",
                hint="A model must give one answer for each row.",
                code="model_answer",
            )
    return answers


def to_tensor(answer: Answer) -> Tensor:
    """Give an output in the form of a receipt."""
    return Tensor(
        name=answer.name,
        datatype=answer.datatype,
        shape=tuple(int(size) for size in answer.values.shape),
        data=tuple(_receipt_value(value) for value in answer.values.ravel().tolist()),
    )


def json_values(answer: Answer) -> list[Any]:
    """Give an output as JSON values, a list with one entry for each row; NaN stays NaN."""
    if answer.values.dtype == object:
        return _json_nested(answer.values.tolist())
    values: list[Any] = answer.values.tolist()
    return values


def json_scalar(value: Any) -> Any:
    """Turn a label of any type into a JSON value."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.generic):
        return json_scalar(value.item())
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, (list, tuple)):
        return [json_scalar(item) for item in value]
    if isinstance(value, dict):
        return {str(key): json_scalar(item) for key, item in value.items()}
    isoformat = getattr(value, "isoformat", None)
    return str(isoformat()) if callable(isoformat) else str(value)


def concatenate(parts: Sequence[tuple[Answer, ...]]) -> tuple[Answer, ...]:
    """Join the answers to consecutive rows, asked one after the other."""
    if len(parts) == 1:
        return parts[0]
    return tuple(
        Answer(column[0].name, np.concatenate([answer.values for answer in column]))
        for column in zip(*parts, strict=True)
    )


def _is_several(raw: Any, rows: int) -> bool:
    """Whether an answer is a list of arrays, one an output, as multi-output classifiers give."""
    if not isinstance(raw, (list, tuple)) or not raw:
        return False
    if not all(isinstance(part, np.ndarray) and part.ndim >= 1 for part in raw):
        return False
    has_rows = all(part.shape[0] == rows for part in raw)
    return has_rows and (len(raw) != rows or all(part.ndim > 1 for part in raw))


def _as_array(raw: Any) -> Any:
    if hasattr(raw, "toarray"):
        raw = raw.toarray()
    elif hasattr(raw, "to_numpy"):
        raw = raw.to_numpy()
    array = np.asarray(raw) if not isinstance(raw, (list, tuple)) else _of_list(raw)
    if array.dtype.str[1:] in DATATYPES:
        # Big-endian arrays come out of old pickles; answers have the machine's byte order.
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind == "f":
        return array.astype(np.float64)
    if array.dtype.kind in "Mm":
        return (
            np.datetime_as_string(array).astype(object)
            if array.dtype.kind == "M"
            else (array.astype(str).astype(object))
        )
    return array.astype(object)


def _of_list(raw: Sequence[Any]) -> Any:
    try:
        array = np.asarray(raw)
    except ValueError:  # rows of different lengths
        array = None
    kinds = {type(value) for value in raw}
    if array is None or (array.dtype.kind in "US" and kinds != {str}) or len(kinds) > 1:
        # NumPy would turn [1, "a"] into two strings; labels keep their own types.
        ragged: Any = np.empty(len(raw), dtype=object)
        ragged[:] = list(raw)
        return ragged if not kinds <= {int, float} else array
    return array


def _receipt_value(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return json_scalar(value)


def _json_nested(values: list[Any]) -> list[Any]:
    return [json_scalar(value) for value in values]
