"""Write a model as skops, which rebuilds it from named types instead of running a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samovar.runtime.codec import Codec
from samovar.runtime.exporting.converted import Original, cannot
from samovar.runtime.loading import load_model
from samovar.runtime.outputs import concatenate

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.runtime.codec import Rows
    from samovar.runtime.exporting.converted import Converted


def to_skops(original: Original, path: Path, precision: str) -> Converted:
    """Write the model and load it again, as any bundle of that format is loaded.

    Raises
    ------
    InvalidModel
        Where skops has no form for a part of it.
    Refused
        Where the file would need a type that nobody vouches for.
    """
    import skops.io

    if precision == "single":
        raise cannot(
            "skops in single precision",
            "skops keeps the model's own arithmetic.",
            "Leave --precision out.",
        )
    try:
        skops.io.dump(original.model, path)
    except (
        Exception
    ) as error:  # third-party objects raise whatever they like when they are taken apart
        raise cannot("skops", error, "skops holds scikit-learn's and NumPy's own types.") from error
    model = load_model(path, "skops", trusted=original.trusted, method=original.method)
    return SkopsFile(model, original)


class SkopsFile:
    """A model that was loaded from a skops file."""

    precision = "double"

    def __init__(self, model: Any, original: Original) -> None:
        codec = Codec(original.signature)
        self._predictors = {
            method: original.predictor(model, method, codec) for method in original.methods
        }
        self._method = original.method

    def answers(self, rows: Rows) -> list[Any]:
        """Ask the receipt's method as the receipt does."""
        return self._ask(self._method, rows)

    def scores(self, rows: Rows) -> list[Any]:
        """Ask for probabilities."""
        return self._ask("predict_proba", rows)

    def _ask(self, method: str, rows: Rows) -> list[Any]:
        predictor = self._predictors[method]
        answers = concatenate([predictor.ask([row]) for row in rows])
        return [answer.values for answer in answers]
