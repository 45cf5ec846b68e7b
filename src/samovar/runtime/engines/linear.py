"""Linear models: the product and the sum that scikit-learn does, without its checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_REGRESSORS: Final = frozenset({
    "LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet", "ElasticNetCV",
    "BayesianRidge", "HuberRegressor", "SGDRegressor", "Lars", "LassoLars",
})  # fmt: skip
_CLASSIFIERS: Final = frozenset({
    "LogisticRegression", "LogisticRegressionCV", "RidgeClassifier", "SGDClassifier", "LinearSVC",
    "Perceptron",
})  # fmt: skip
_MODULES: Final = ("sklearn.linear_model.", "sklearn.svm._classes")


def linear_engine(model: Any, method: str) -> Callable[[Any], Any] | None:
    """Build the function for a linear model's method; None where there is none.

    Parameters
    ----------
    model : object
        Fitted.
    method : str
        ``predict`` or ``decision_function``.
    """
    kind = type(model)
    if not kind.__module__.startswith(_MODULES):
        return None
    if kind.__name__ in _REGRESSORS and method == "predict":
        return _scores(model)
    if kind.__name__ not in _CLASSIFIERS or getattr(model, "classes_", None) is None:
        return None
    if isinstance(model.classes_, list):
        return None
    scores = _scores(model)
    if method == "decision_function":
        return lambda rows: _flat(scores(rows))
    return _labels(scores, model.classes_) if method == "predict" else None


def _scores(model: Any) -> Callable[[Any], Any]:
    weights = model.coef_ if model.coef_.ndim == 1 else model.coef_.T
    intercept = model.intercept_
    return lambda rows: rows @ weights + intercept


def _flat(scores: Any) -> Any:
    return scores.reshape(-1) if scores.ndim == 2 and scores.shape[1] == 1 else scores


def _labels(scores: Callable[[Any], Any], classes: Any) -> Callable[[Any], Any]:
    def call(rows: Any) -> Any:
        found = _flat(scores(rows))
        chosen = (found > 0).astype(np.intp) if found.ndim == 1 else found.argmax(axis=1)
        return classes.take(chosen, axis=0)

    return call
