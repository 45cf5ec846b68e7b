"""Put checked rows into what the model is called with: an array, a DataFrame, or a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from samovar.runtime.column_rows import ColumnRows
from samovar.runtime.values import BOOLEANS, FLOATS, INTEGERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from samovar.core.signature import Column, Signature

    Assembler = Callable[[Any], Any]

_NUMPY: Final = frozenset(
    name for name in (*FLOATS, *INTEGERS, *BOOLEANS) if name.islower() and name != "boolean"
)


def assembler_of(signature: Signature) -> Assembler:
    """Make the function that builds a model's input from rows of checked values."""
    if signature.container == "texts":
        return list
    if signature.container == "array":
        return _array_assembler(signature.inputs)
    return _frame_assembler(signature.inputs)


def array_dtype(columns: Sequence[Column]) -> Any:
    """Give the dtype of an array that holds all these columns."""
    if all(column.dtype in _NUMPY for column in columns):
        return np.result_type(*{np.dtype(column.dtype) for column in columns})
    return np.dtype(object)


def _array_assembler(columns: Sequence[Column]) -> Assembler:
    dtype = array_dtype(columns)
    width = len(columns)

    def assemble(rows: Any) -> Any:
        if isinstance(rows, np.ndarray):
            return rows
        if dtype.hasobject:
            filled: Any = np.empty((len(rows), width), dtype=object)
            for number, row in enumerate(rows):
                filled[number] = [np.nan if value is None else value for value in row]
            return filled
        # None becomes NaN where the dtype is floating; elsewhere the reader let none through.
        return np.array(rows, dtype=dtype)

    return assemble


def _frame_assembler(columns: Sequence[Column]) -> Assembler:
    import pandas as pd

    names = pd.Index([column.name for column in columns])
    dtypes = {column.dtype for column in columns}
    if len(dtypes) == 1 and dtypes <= _NUMPY:
        dtype = np.dtype(next(iter(dtypes)))

        def assemble_block(rows: Any) -> Any:
            if isinstance(rows, ColumnRows):
                return rows.build()
            return pd.DataFrame(np.array(rows, dtype=dtype), columns=names, copy=False)

        return assemble_block
    builders = [series_builder(column) for column in columns]

    def assemble(rows: Any) -> Any:
        if isinstance(rows, ColumnRows):
            return rows.build()
        arrays = [
            build(list(values))
            for build, values in zip(builders, zip(*rows, strict=True), strict=True)
        ]
        frame = pd.DataFrame(dict(enumerate(arrays)), copy=False)
        frame.columns = names
        return frame

    return assemble


def series_builder(column: Column) -> Assembler:
    """Make the function that turns one column's checked values into an array of its dtype."""
    import pandas as pd

    dtype = column.dtype
    if dtype in _NUMPY:
        numpy_dtype = np.dtype(dtype)
        return lambda values: np.array(values, dtype=numpy_dtype)
    if dtype in FLOATS or dtype in INTEGERS or dtype in BOOLEANS:
        return lambda values: pd.array(values, dtype=dtype)
    if dtype == "category":
        kind = pd.CategoricalDtype(list(column.categories or ()), ordered=column.ordered)
        return lambda values: pd.Categorical(values, dtype=kind)
    if dtype == "datetime":
        zone = f", {column.timezone}" if column.timezone else ""
        return lambda values: pd.array(values, dtype=f"datetime64[ns{zone}]")
    if dtype == "string" and _has_string_dtype():
        return lambda values: pd.array(values, dtype="str")
    return _object_array


def _has_string_dtype() -> bool:
    """Whether this pandas reads text as its own ``str`` dtype (from version 3 on)."""
    import pandas as pd

    return int(pd.__version__.partition(".")[0]) >= 3


def _object_array(values: list[Any]) -> Any:
    array: Any = np.empty(len(values), dtype=object)
    # pandas' readers give NaN for a missing cell of text.
    array[:] = [np.nan if value is None else value for value in values]
    return array
