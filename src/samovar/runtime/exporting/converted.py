"""What every converter gives: a file that can be asked, and errors that say why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from samovar.errors import InvalidModel
from samovar.runtime.outputs import Answer, to_tensor
from samovar.runtime.predictor import Predictor, own_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from samovar.core.signature import Signature
    from samovar.runtime.codec import Codec, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The model that is converted.

    Parameters
    ----------
    model : object
        As it was loaded from the bundle.
    method : str
        What the receipt recorded.
    signature : Signature
        Of the bundle.
    name : str
        Of the bundle.
    trusted : tuple of str
        Names that the project vouches for.
    rows_multiple : int
        How the receipt called it (core/receipt.py).
    """

    model: Any
    method: str
    signature: Signature
    name: str
    trusted: tuple[str, ...]
    rows_multiple: int

    @property
    def is_classifier(self) -> bool:
        """Whether its answers are labels of known classes."""
        return hasattr(self.model, "classes_")

    @property
    def has_scores(self) -> bool:
        """Whether labels come with probabilities that can be compared too."""
        if self.method != "predict" or not self.is_classifier:
            return False
        return callable(getattr(self.model, "predict_proba", None))

    @property
    def methods(self) -> tuple[str, ...]:
        """What is compared: the receipt's method, and probabilities where there are any."""
        return (self.method, "predict_proba") if self.has_scores else (self.method,)

    def predictor(self, model: Any, method: str, codec: Codec) -> Predictor:
        """Call a model as the receipt called this one."""
        return Predictor(model, method, codec, is_batching=True, rows_multiple=self.rows_multiple)


class Converted(Protocol):
    """A file in another format, loaded from the disk by the format's own library.

    Attributes
    ----------
    precision : str
        ``double`` or ``single``: what the file computes with.
    """

    precision: str

    def answers(self, rows: Rows) -> list[Any]:
        """Give the outputs of the receipt's method, an array each."""
        ...

    def scores(self, rows: Rows) -> list[Any]:
        """Give probabilities, for a classifier that was recorded by its labels."""
        ...


class Converter(Protocol):
    """Writes a model to a file and opens it."""

    def __call__(self, original: Original, path: Path, precision: str) -> Converted:
        """Convert; raise `cannot` where that is not possible."""
        ...


def cannot(target: str, why: BaseException | str, hint: str) -> InvalidModel:
    """Make the error for a model that the format cannot hold."""
    return InvalidModel(
        f"The model cannot be converted to {target}.",
        why=own_words(why) if isinstance(why, BaseException) else why,
        hint=hint,
        code="cannot_convert",
    )


def aligned(observed: Any, recorded: Answer) -> Answer:
    """Bring an output into the type and shape of the recorded one, if nothing is lost by it.

    Formats have fewer types than NumPy, and most give a column where scikit-learn gives a vector.
    """
    wanted = recorded.values
    values = np.asarray(observed)
    if values.size == wanted.size and values.shape != wanted.shape:
        values = values.reshape(wanted.shape)
    if wanted.dtype.kind in "fiub" and values.dtype.kind in "fiub":
        cast = values.astype(wanted.dtype)
        if wanted.dtype.kind == "f" or np.array_equal(cast, values):
            values = cast
    elif wanted.dtype == object:
        values = values.astype(object)
    return Answer(recorded.name, values)


def as_tensors(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Give outputs in the receipt's form."""
    return [to_tensor(answer).to_json() for answer in answers]
