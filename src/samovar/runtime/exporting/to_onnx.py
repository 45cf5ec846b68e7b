"""Write a model as an ONNX graph by skl2onnx, and ask the graph by onnxruntime.

References
----------
ONNX operator schemas, ``ai.onnx`` 18 and ``ai.onnx.ml`` 3: the newest that skl2onnx writes in
double precision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from samovar.errors import InvalidModel
from samovar.runtime.containers import array_dtype, assembler_of
from samovar.runtime.estimators import parts
from samovar.runtime.exporting.converted import Original, cannot
from samovar.runtime.onnx_model import OnnxModel
from samovar.runtime.predictor import own_words
from samovar.runtime.values import BOOLEANS, FLOATS, INTEGERS

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.core.signature import Column, Signature
    from samovar.runtime.codec import Rows
    from samovar.runtime.exporting.converted import Converted

_OPSETS: Final = {"": 18, "ai.onnx.ml": 3}
_INPUT: Final = "input"
_OF_TEXTS: Final = ("CountVectorizer", "TfidfVectorizer")
_FIRST: Final = ("predict", "transform")
_HINT: Final = (
    "skl2onnx lists what it converts. Export to skops or pmml, or serve the bundle itself."
)


def to_onnx(original: Original, path: Path, precision: str) -> Converted:
    """Write a graph whose inputs have the signature's types, or single precision.

    Parameters
    ----------
    original : Original
        Of scikit-learn.
    path : Path
        Where the graph goes.
    precision : str
        ``double``, ``single``, or ``auto``: double where the graph runs in it, else single.

    Raises
    ------
    InvalidModel
        Where the model or its inputs have no form in ONNX.
    """
    if precision != "auto":
        return _try(original, path, precision)
    try:
        return _try(original, path, "double")
    except InvalidModel as in_double:
        try:
            return _try(original, path, "single")
        except InvalidModel as in_single:
            raise cannot("onnx", f"{in_double.why}\n{in_single.why}", _HINT) from in_single


def _try(original: Original, path: Path, precision: str) -> Converted:
    try:
        _write(original, path, precision)
        return OnnxFile(path, original, precision)
    except Exception as error:  # converter and runtime have errors of many kinds
        why = f"In {precision} precision: {own_words(_first_cause(error))}"
        raise cannot("onnx", why, _HINT) from error


def _first_cause(error: BaseException) -> BaseException:
    """Give what went wrong first: skl2onnx wraps it in a listing of whole nodes."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _write(original: Original, path: Path, precision: str) -> None:
    from skl2onnx import convert_sklearn

    from samovar.runtime.exporting.onnx_imputer import converters

    graph = convert_sklearn(
        original.model,
        name=original.name,
        initial_types=_inputs(original.signature, precision),
        options=_options(original),
        target_opset=_OPSETS,
        custom_conversion_functions=converters(),
    )
    path.write_bytes(graph.SerializeToString(deterministic=True))


def _options(original: Original) -> dict[int, dict[str, Any]]:
    """Say for the model and its parts how they are to be written, by their identity."""
    options: dict[int, dict[str, Any]] = {}
    for part in parts(original.model):
        if type(part).__name__ in _OF_TEXTS:
            # The default is a locale that a small system lacks.
            options[id(part)] = {"locale": "C"}
    own: dict[str, Any] = {}
    if original.is_classifier:
        own["zipmap"] = False
    if original.method == "decision_function":
        own["raw_scores"] = True
    if original.method == "score_samples":
        own["score_samples"] = True
    if own:
        options[id(original.model)] = own
    return options


def _inputs(signature: Signature, precision: str) -> list[tuple[str, Any]]:
    """Give the graph's inputs: one tensor for an array, one for each column of a frame."""
    from skl2onnx.common.data_types import StringTensorType

    if signature.container == "texts":
        return [(_INPUT, StringTensorType([None, 1]))]
    if signature.container == "array":
        width = len(signature.inputs)
        dtype = str(array_dtype(signature.inputs))
        return [(_INPUT, _tensor(dtype, precision)([None, width]))]
    return [(column.name, _of_column(column, precision)([None, 1])) for column in signature.inputs]


def _of_column(column: Column, precision: str) -> Any:
    from skl2onnx.common.data_types import StringTensorType

    dtype = column.dtype
    if dtype == "category":
        kinds = {type(category) for category in column.categories or ()}
        dtype = {int: "int64", float: "float64"}.get(next(iter(kinds), str), "string")
    if dtype in {"string", "object"}:
        return StringTensorType
    if column.nullable and dtype in INTEGERS:
        dtype = "float64"  # a tensor of integers has no null
    return _tensor(dtype, precision, column.name)


def _tensor(dtype: str, precision: str, name: str = "") -> Any:
    from skl2onnx.common import data_types as types

    if dtype in FLOATS:
        is_single = precision == "single" or dtype.lower() == "float32"
        return types.FloatTensorType if is_single else types.DoubleTensorType
    if dtype in INTEGERS:
        return types.Int64TensorType
    if dtype in BOOLEANS:
        return types.BooleanTensorType
    where = f"column {name!r} is" if name else "the inputs are"
    raise TypeError(f"{where} of the type {dtype}, which no tensor has")


class OnnxFile:
    """A graph that was loaded by onnxruntime, asked as a bundle of that format is."""

    def __init__(self, path: Path, original: Original, precision: str) -> None:
        self._model = OnnxModel(path)
        self._assemble = assembler_of(original.signature)
        self._is_first = original.method in _FIRST
        self.precision = precision if self._model.is_double else "single"

    def answers(self, rows: Rows) -> list[Any]:
        """Ask for labels or values, or for the scores beside them."""
        table = self._assemble(rows)
        return [self._model.predict(table) if self._is_first else self._model.predict_proba(table)]

    def scores(self, rows: Rows) -> list[Any]:
        """Ask for probabilities."""
        return [self._model.predict_proba(self._assemble(rows))]
