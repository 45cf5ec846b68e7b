"""Read a stream that joblib wrote: array bytes stand between the opcodes.

joblib pickles a ``NumpyArrayWrapper`` in place of an array; after the BUILD of the wrapper its
reader takes the array's bytes off the file (``joblib/numpy_pickle.py``, ``load_build`` and
``read_array``), or, for arrays of objects, a whole pickle.
"""

from __future__ import annotations

from typing import Any, Final

from samovar.core.allowlist import Global
from samovar.core.data_types import DataType, of_text
from samovar.core.guard import DATA_TYPE
from samovar.model.pickle_reader import PickleReader
from samovar.model.source import broken
from samovar.model.values import Instance, Mapping, Name

WRAPPER: Final = Global("joblib.numpy_pickle", "NumpyArrayWrapper")
_MAX_COUNT: Final = 1 << 48


class JoblibReader(PickleReader):
    """A pickle reader that passes over joblib's arrays."""

    def on_built(self, made: Instance) -> None:
        """Pass over the array that follows a wrapper, and put the array in its place."""
        if made.cls is None or made.cls.what != WRAPPER:
            return
        state = made.state
        if self.source.position() < self.frame_end:
            raise broken("An array stands inside a frame, where joblib's reader would not find it.")
        if not isinstance(state, Mapping) or state.has_odd_keys:
            raise broken("An array's description is no dictionary.")
        count = _count(state.get("shape"))
        item = self._item(state.get("dtype"))
        subtype = state.get("subclass")
        if not self.log.has_joblib_arrays:
            self.log.has_joblib_arrays = True
            self.log.begins_with_objects = item.has_objects
        if item.has_objects:
            self._nested()
        else:
            self._skip_array(state, count * (item.size or 0))
        self.stack[-1] = Instance(subtype if isinstance(subtype, Name) else None, (), known=False)

    def _item(self, value: Any) -> DataType:
        if not isinstance(value, Instance) or value.cls is None or value.cls.what != DATA_TYPE:
            raise broken("An array's data type is not numpy.dtype.")
        settled = self.guard.view.data_type(value)
        item = settled or (of_text(value.args[0]) if _is_text(value.args) else None)
        if item is None or item.size is None or (value.built and settled is None):
            raise broken("An array's data type cannot be worked out.")
        return item

    def _nested(self) -> None:
        # joblib reads these with the standard reader, for which a wrapper is an object like others.
        nested = PickleReader(
            self.source, self.policy, self.log, max_acts=self._max_acts - self.acts
        )
        nested.run()
        self.acts += nested.acts

    def _skip_array(self, state: Mapping, size: int) -> None:
        alignment = state.get("numpy_array_alignment_bytes")
        if alignment is not None:
            if type(alignment) is not int:
                raise broken("An array's alignment is no number.")
            self.source.skip(self.source.read(1)[0])
        self.source.skip(size)


def _is_text(args: tuple[Any, ...]) -> bool:
    return bool(args) and type(args[0]) is str


def _count(shape: Any) -> int:
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise broken("An array's shape is no tuple of numbers.")
    count = 1
    for length in shape:
        count *= length
        if count > _MAX_COUNT:
            raise broken(f"An array's shape {shape} is larger than any machine's memory.")
    return count
