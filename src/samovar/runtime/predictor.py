"""A loaded model and how it is called."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from samovar.errors import InvalidModel, SamovarError, ScriptFailed
from samovar.runtime.outputs import Answer, arrange, concatenate

if TYPE_CHECKING:
    from samovar.runtime.codec import Codec, Rows
    from samovar.runtime.engines import Engine


class Predictor:
    """A model behind one method, called with checked rows.

    Parameters
    ----------
    model : object
        Has the method.
    method : str
        ``predict``, ``predict_proba``, ``decision_function``, ``transform``, ``score_samples``.
    codec : Codec
        Turns checked rows into what the model is called with.
    is_batching : bool
        Whether several rows may be asked in one call (the receipt's word); else each row is a
        call of its own.
    rows_multiple : int
        See core/receipt.py.

    Attributes
    ----------
    engine : Engine, optional
        Answers calls of up to ``engine_rows`` rows instead of the model.
    """

    def __init__(
        self,
        model: Any,
        method: str,
        codec: Codec,
        *,
        is_batching: bool,
        rows_multiple: int = 1,
    ) -> None:
        self.model = model
        self.rows_multiple = rows_multiple
        self.codec = codec
        self.is_batching = is_batching
        self.call = bound_method(model, method)
        self.engine: Engine | None = None
        self.engine_rows = 0

    def __call__(self, rows: Rows) -> tuple[Answer, ...]:
        """Answer rows, in one call where batching was earned.

        Raises
        ------
        ScriptFailed
            With the model's own words, where it raises.
        """
        if self.is_batching or len(rows) == 1:
            return self.ask(rows)
        return concatenate([self.ask(rows[i : i + 1]) for i in range(len(rows))])

    def ask(self, rows: Rows) -> tuple[Answer, ...]:
        """Call the model once with these rows."""
        count = len(rows)
        surplus = -count % self.rows_multiple
        try:
            if surplus:
                rows = self.codec.concatenate([rows, [rows[-1]] * surplus])
            call = self.call
            if self.engine is not None and len(rows) <= self.engine_rows:
                call = self.engine.call
            raw = call(self.codec.assemble(rows))
        except (SamovarError, MemoryError):
            raise
        except Exception as error:  # a model may raise anything; its words go on
            raise ScriptFailed(
                "The model refused the rows.", why=own_words(error), code="model_refused"
            ) from error
        answers = arrange(raw, count + surplus)
        return tuple(answer.rows(0, count) for answer in answers) if surplus else answers


def bound_method(model: Any, method: str) -> Any:
    """Give the model's method.

    Raises
    ------
    InvalidModel
        Where it has none of that name.
    """
    try:
        call = getattr(model, method)
    except AttributeError:
        call = None
    if not callable(call):
        known = ("predict", "predict_proba", "decision_function", "transform", "score_samples")
        has = [name for name in known if callable(getattr(model, name, None))]
        raise InvalidModel(
            f"The model ({class_name(model)}) has no method {method!r}.",
            hint=f"It has: {', '.join(has)}." if has else "Is it a fitted model?",
            code="no_method",
        )
    return call


def class_name(model: Any) -> str:
    """Name an object's class with its module."""
    kind = type(model)
    return f"{kind.__module__}.{kind.__qualname__}"


def own_words(error: BaseException) -> str:
    """Give an exception's own message, on one line and not too long."""
    text = " ".join(str(error).split())
    shown = text if len(text) <= 500 else text[:497] + "..."
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__


def quiet_about_names() -> None:
    """Silence scikit-learn's warning about arrays without names.

    The signature checked names and order before the model was called.
    """
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
