"""An ONNX file as a model with ``predict`` and, where it gives probabilities, ``predict_proba``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from samovar.errors import InvalidModel

if TYPE_CHECKING:
    from pathlib import Path

_TYPES: Final = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}


class OnnxModel:
    """Runs an ONNX graph on the processor; the file holds no Python.

    Parameters
    ----------
    path : Path
        A serialised ``onnx.ModelProto``.
    """

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4  # what it logs as an error, it raises too
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._inputs = self._session.get_inputs()
        self._outputs = [output.name for output in self._session.get_outputs()]
        if len(self._outputs) > 1:
            self.predict_proba = self._predict_proba

    @property
    def is_double(self) -> bool:
        """Whether no input or output of the graph is of single precision."""
        ends = [*self._inputs, *self._session.get_outputs()]
        return not any("float" in end.type for end in ends)

    def predict(self, rows: Any) -> Any:
        """Give the first output for rows of shape (n, columns)."""
        import numpy as np

        answer = np.asarray(self._run(rows, self._outputs[0]))
        return answer[:, 0] if answer.ndim == 2 and answer.shape[1] == 1 else answer

    def _predict_proba(self, rows: Any) -> Any:
        import numpy as np

        answer = self._run(rows, self._outputs[1])
        if isinstance(answer, list):  # a sequence of maps: one dictionary of labels a row
            return np.array([list(row.values()) for row in answer])
        return np.asarray(answer)

    def _run(self, rows: Any, output: str) -> Any:
        import numpy as np

        table = rows if hasattr(rows, "columns") else np.asarray(rows)
        feed = {}
        for at, column in enumerate(self._inputs):
            kind = _TYPES.get(column.type)
            if kind is None:
                raise InvalidModel(f"The graph takes {column.type}, which no rows can give.")
            part = table if len(self._inputs) == 1 else _column(table, column.name, at)
            values = np.asarray(part)
            if values.ndim < len(column.shape):  # texts are a list, and a column in the graph
                values = values.reshape(-1, 1)
            feed[column.name] = _texts(values) if kind == "object" else values.astype(kind)
        return self._session.run([output], feed)[0]


def _texts(values: Any) -> Any:
    """Give an array of strings: ONNX has no missing text, and an empty one stands for it."""
    import numpy as np

    listed = [value if isinstance(value, str) else "" for value in values.ravel().tolist()]
    return np.array(listed, dtype=object).reshape(values.shape)


def _column(table: Any, name: str, at: int) -> Any:
    """Take one column as a table of one column, by its name where there are names."""
    if hasattr(table, "columns"):
        return table[[name]] if name in table.columns else table.iloc[:, [at]]
    return table[:, [at]]
