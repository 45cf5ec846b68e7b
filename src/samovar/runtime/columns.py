"""Whole columns as they come from a file: into the model's input, without a row in between.

A column that arrives as a buffer has exactly the signature's dtype; one that arrives as values is
read by the codec, which checks each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from samovar.errors import InvalidInput, SamovarError, ScriptFailed
from samovar.runtime.column_rows import ColumnRows
from samovar.runtime.containers import array_dtype, series_builder
from samovar.runtime.outputs import Answer, arrange
from samovar.runtime.predictor import own_words
from samovar.runtime.values import WrongValueError, reader_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.core.frames import Part
    from samovar.core.signature import Column, Signature
    from samovar.runtime.predictor import Predictor


class ColumnReader:
    """Turns the parts of a frame into what the model is called with.

    Parameters
    ----------
    signature : Signature
        Of the model.
    """

    def __init__(self, signature: Signature) -> None:
        self._columns = signature.inputs
        self._container = signature.container
        self._readers = [reader_of(column) for column in signature.inputs]
        if self._container == "frame":
            import pandas as pd

            self._names = pd.Index([column.name for column in signature.inputs])
            self._builders = [series_builder(column) for column in signature.inputs]
        dtypes = {column.dtype for column in signature.inputs}
        self._is_block = self._container == "array" or (
            len(dtypes) == 1 and not array_dtype(signature.inputs).hasobject
        )

    def read(self, parts: Sequence[Part], first: int, surplus: int) -> Any:
        """Build the model's input.

        Parameters
        ----------
        parts : sequence of Part
            One for each column, in order.
        first : int
            Number of the first row, for messages.
        surplus : int
            How often the last row is repeated at the end.

        Raises
        ------
        InvalidInput
            Naming the row and the column of a value that does not fit.
        """
        if len(parts) != len(self._columns):
            raise InvalidInput(
                f"The input has {len(parts)} columns, the model takes {len(self._columns)}.",
                code="wrong_columns",
            )
        return self._build(self._arrays(parts, first, surplus))

    def read_rows(self, parts: Sequence[Part]) -> Any:
        """Read the columns of a request into rows that may meet those of others.

        Raises
        ------
        InvalidInput
            Naming the row and the column of a value that does not fit.
        """
        arrays = self._arrays(parts, 0, 0)
        return (
            ColumnRows(arrays, self._build) if self._container == "frame" else self._build(arrays)
        )

    def rows_of_block(self, block: Any) -> Any:
        """Give numbers of the signature's one dtype, an array of shape (n, k), as rows."""
        return block if self._container == "array" else ColumnRows(list(block.T), self._build)

    def _arrays(self, parts: Sequence[Part], first: int, surplus: int) -> list[Any]:
        return [self._array(place, part, first, surplus) for place, part in enumerate(parts)]

    def _build(self, arrays: Sequence[Any]) -> Any:
        if self._container == "texts":
            return list(arrays[0])
        if self._is_block:
            dtype = array_dtype(self._columns)
            if not dtype.hasobject:
                return self._framed(np.column_stack([_plain(array) for array in arrays]).astype(
                    dtype, copy=False))  # fmt: skip
            filled: Any = np.empty((len(arrays[0]), len(arrays)), dtype=object)
            for place, array in enumerate(arrays):
                filled[:, place] = [np.nan if value is None else value for value in array]
            return filled
        return self._frame(arrays)

    def _framed(self, block: Any) -> Any:
        if self._container == "array":
            return block
        import pandas as pd

        return pd.DataFrame(block, columns=self._names, copy=False)

    def _frame(self, arrays: Sequence[Any]) -> Any:
        import pandas as pd

        built = [
            array if isinstance(array, np.ndarray) else build(list(array))
            for build, array in zip(self._builders, arrays, strict=True)
        ]
        frame = pd.DataFrame(dict(enumerate(built)), copy=False)
        frame.columns = self._names
        return frame

    def _array(self, place: int, part: Part, first: int, surplus: int) -> Any:
        if part.dtype is not None:
            array = np.frombuffer(part.data, dtype=np.dtype(part.dtype))
            return np.concatenate([array, np.repeat(array[-1:], surplus)]) if surplus else array
        values = self._checked(self._columns[place], self._readers[place], part.data, first)
        return values + values[-1:] * surplus

    def _checked(self, column: Column, read: Any, values: list[Any], first: int) -> list[Any]:
        try:
            return [read(value) for value in values]
        except WrongValueError:
            for number, value in enumerate(values):
                try:
                    read(value)
                except WrongValueError as error:
                    raise InvalidInput(
                        f"Row {first + number}, column {column.name!r}: {error}.",
                        code="wrong_value",
                    ) from None
            raise


def _plain(array: Any) -> Any:
    """Give a list of checked numbers as an array; None is NaN."""
    if isinstance(array, np.ndarray):
        return array
    return np.array([np.nan if value is None else value for value in array])


def ask_columns(
    predictor: Predictor, reader: ColumnReader, parts: Sequence[Part], first: int
) -> tuple[Answer, ...]:
    """Answer a batch of columns in one call, or row by row where batching was not earned.

    Raises
    ------
    InvalidInput
        Naming the row that the model refuses.
    """
    count = parts[0].shape[0]
    if not predictor.is_batching:
        return _one_by_one(predictor, reader, parts, first)
    surplus = -count % predictor.rows_multiple
    rows = reader.read(parts, first, surplus)
    try:
        raw = predictor.call(rows)
    except (SamovarError, MemoryError):
        raise
    except Exception as error:  # a model may raise anything; its words go on
        _one_by_one(predictor, reader, parts, first)
        raise ScriptFailed(
            "The model refused the rows together, and takes each alone.",
            why=own_words(error),
            code="model_refused",
        ) from error
    answers = arrange(raw, count + surplus)
    return tuple(answer.rows(0, count) for answer in answers) if surplus else answers


def _one_by_one(
    predictor: Predictor, reader: ColumnReader, parts: Sequence[Part], first: int
) -> tuple[Answer, ...]:
    from samovar.runtime.outputs import concatenate

    answers = []
    for number in range(parts[0].shape[0]):
        row = [_one(part, number) for part in parts]
        rows = reader.read(row, first + number, predictor.rows_multiple - 1)
        try:
            raw = predictor.call(rows)
        except (SamovarError, MemoryError):
            raise
        except Exception as error:  # a model may raise anything; its words go on
            raise InvalidInput(
                f"The model refuses row {first + number}.",
                why=own_words(error),
                code="model_refused",
            ) from error
        arranged = arrange(raw, predictor.rows_multiple)
        answers.append(tuple(answer.rows(0, 1) for answer in arranged))
    return concatenate(answers)


def _one(part: Part, number: int) -> Part:
    from samovar.core.frames import Part as Column

    if part.dtype is None:
        data: Any = part.data[number : number + 1]
    else:
        size = np.dtype(part.dtype).itemsize
        data = part.data[number * size : (number + 1) * size]
    return Column(name=part.name, shape=(1,), dtype=part.dtype, data=data)
