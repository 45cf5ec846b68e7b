"""The arrays that joblib writes between the opcodes of a pickle.

References
----------
``joblib/numpy_pickle.py``, ``NumpyArrayWrapper.read_array``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from samovar.core.allowlist import Global
from samovar.errors import InvalidModel

if TYPE_CHECKING:
    from samovar.runtime.bounded import BoundedFile

WRAPPER: Final = Global("joblib.numpy_pickle", "NumpyArrayWrapper")


class ArrayInStream:
    """Stands in for joblib's ``NumpyArrayWrapper``: the same state, a bounded way of reading."""

    subclass: Any
    shape: tuple[int, ...]
    order: str
    dtype: Any
    allow_mmap: bool
    numpy_array_alignment_bytes: int | None = None

    def has_objects(self) -> bool:
        """Say whether a pickle follows in place of bytes."""
        import numpy as np

        shape = getattr(self, "shape", None)
        if not isinstance(getattr(self, "dtype", None), np.dtype) or not isinstance(shape, tuple):
            raise InvalidModel("An array in the file has no data type or no shape.")
        if not all(type(length) is int and length >= 0 for length in shape):
            raise InvalidModel(f"An array in the file has the shape {shape}.")
        return bool(self.dtype.hasobject)

    def read(self, file: BoundedFile) -> Any:
        """Read the array's bytes; byte order becomes the machine's, as joblib makes it."""
        import numpy as np

        count = 1
        for length in self.shape:
            count *= length
        if self.numpy_array_alignment_bytes is not None:
            file.read(file.read(1)[0])
        size = count * self.dtype.itemsize
        file.require(size)
        array = np.empty(count, dtype=self.dtype)
        if size:
            file.fill(memoryview(array.view(np.uint8)))
        if self.order == "F":
            array = array.reshape(self.shape[::-1]).transpose()
        else:
            array = array.reshape(self.shape)
        if _is_foreign(self.dtype):
            array = array.byteswap().view(array.dtype.newbyteorder("="))
        # NumPy 1 let joblib give the subclass back; with NumPy 2 it gives plain arrays.
        if hasattr(array, "__array_prepare__") and self.subclass is not np.ndarray:
            return array.view(self.subclass)
        return array


def _is_foreign(dtype: Any) -> bool:
    """Say whether every part is of the other byte order; mixed records stay as they are."""
    if dtype.fields:
        return all(_is_foreign(field[0]) for field in dtype.fields.values())
    return not dtype.isnative
