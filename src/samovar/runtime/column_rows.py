"""Rows of a request that came in columns, and stay in columns until the model is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class ColumnRows:
    """Checked rows, held column by column.

    Parameters
    ----------
    arrays : sequence of ndarray or list
        One for each column of the signature: of exactly its dtype, or checked values.
    frame : callable
        Makes the model's input of such columns.
    """

    __slots__ = ("_arrays", "_frame")

    def __init__(self, arrays: Sequence[Any], frame: Callable[[Sequence[Any]], Any]) -> None:
        self._arrays = arrays
        self._frame = frame

    def __len__(self) -> int:
        return len(self._arrays[0])

    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return ColumnRows([array[place] for array in self._arrays], self._frame)
        return next(iter(self[place : place + 1 or None]))

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Give row after row, as the codec gives those of JSON."""
        columns = [
            array.tolist() if isinstance(array, np.ndarray) else array for array in self._arrays
        ]
        return zip(*columns, strict=True)

    def build(self) -> Any:
        """Make the model's input."""
        return self._frame(self._arrays)
