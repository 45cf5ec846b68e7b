"""Faster ways to compute what a model answers, each proven on the receipt before it is used.

scikit-learn checks its input anew in every call and asks the trees of a forest one after another;
for a few rows that costs more than the answer. An engine does the model's own arithmetic in the
same order, on rows that the codec has checked already: it gives the same bits or is not used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Engine(NamedTuple):
    """One way to answer.

    Parameters
    ----------
    name : str
        ``linear`` or ``trees``.
    call : callable
        Takes a C-ordered array of float64, shape (n_rows, n_columns), without NaN; gives what the
        model's method gives for it.
    """

    name: str
    call: Callable[[Any], Any]


def find_engine(model: Any, method: str) -> Engine | None:
    """Build the engine for a model's method, where there is one.

    Parameters
    ----------
    model : object
        Fitted. Only scikit-learn's own classes are looked at: a subclass may do anything.
    method : str
        ``predict``, ``predict_proba`` or ``decision_function``.
    """
    from samovar.runtime.engines.linear import linear_engine
    from samovar.runtime.engines.trees import trees_engine

    kind = type(model)
    if not kind.__module__.startswith("sklearn."):
        return None
    steps = getattr(model, "steps", None)
    if kind.__name__ == "Pipeline" and steps and len(steps) > 1:
        return _after_scaling(steps, method)
    call = linear_engine(model, method)
    if call is not None:
        return Engine("linear", call)
    call = trees_engine(model, method)
    return None if call is None else Engine("trees", call)


def same_bits(one: Any, other: Any) -> bool:
    """Whether two answers are the same array to the last bit, dtype and shape included."""
    import numpy as np

    a, b = np.asarray(one), np.asarray(other)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return np.array_equal(a, b) if a.dtype.hasobject else a.tobytes() == b.tobytes()


def _after_scaling(steps: list[tuple[str, Any]], method: str) -> Engine | None:
    """Build an engine for standard scalers before another engine."""
    scalers = [step for _, step in steps[:-1]]
    last = find_engine(steps[-1][1], method)
    is_plain = all(
        type(step).__module__ == "sklearn.preprocessing._data"
        and type(step).__name__ == "StandardScaler"
        and step.mean_ is not None
        and step.scale_ is not None
        and step.with_mean
        and step.with_std
        for step in scalers
    )
    if last is None or not is_plain:
        return None
    scales = [(step.mean_, step.scale_) for step in scalers]
    inner = last.call

    def call(rows: Any) -> Any:
        scaled = rows.copy()
        for mean, scale in scales:
            scaled -= mean
            scaled /= scale
        return inner(scaled)

    return Engine(last.name, call)
