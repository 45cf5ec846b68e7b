"""Engines give scikit-learn's own bits, for every size of call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from samovar.runtime.engines import find_engine, same_bits

FLOWERS, SPECIES = load_iris(return_X_y=True)
PATIENTS, PROGRESS = load_diabetes(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[SPECIES]


@pytest.mark.parametrize(
    ("model", "rows", "target", "method", "name"),
    [
        (LinearRegression(), PATIENTS, PROGRESS, "predict", "linear"),
        (Ridge(), PATIENTS, np.c_[PROGRESS, -PROGRESS], "predict", "linear"),
        (LogisticRegression(max_iter=500), FLOWERS, NAMES, "predict", "linear"),
        (LogisticRegression(max_iter=500), FLOWERS, SPECIES > 0, "predict", "linear"),
        (LogisticRegression(max_iter=500), FLOWERS, SPECIES > 0, "decision_function", "linear"),
        (RidgeClassifier(), FLOWERS, SPECIES, "decision_function", "linear"),
        (LinearSVC(), FLOWERS, SPECIES, "predict", "linear"),
        (make_pipeline(StandardScaler(), Ridge()), PATIENTS, PROGRESS, "predict", "linear"),
        (RandomForestRegressor(30), PATIENTS, PROGRESS, "predict", "trees"),
        (RandomForestClassifier(30), FLOWERS, NAMES, "predict", "trees"),
        (RandomForestClassifier(30), FLOWERS, NAMES, "predict_proba", "trees"),
        (ExtraTreesRegressor(30), PATIENTS, PROGRESS, "predict", "trees"),
        (ExtraTreesClassifier(30), FLOWERS, SPECIES, "predict_proba", "trees"),
        (DecisionTreeRegressor(), PATIENTS, PROGRESS, "predict", "trees"),
        (DecisionTreeClassifier(), FLOWERS, NAMES, "predict", "trees"),
        (DecisionTreeClassifier(max_depth=1), FLOWERS, NAMES, "predict_proba", "trees"),
    ],
)
def test_engines_give_the_models_bits(
    model: Any, rows: Any, target: Any, method: str, name: str
) -> None:
    model.fit(rows, target)
    engine = find_engine(model, method)
    assert engine is not None
    assert engine.name == name
    for size in (1, 2, 3, 16, 17, len(rows)):
        part = np.ascontiguousarray(rows[:size])
        assert same_bits(getattr(model, method)(part), engine.call(part)), size


def test_forests_walk_large_calls_in_parts() -> None:
    model = RandomForestRegressor(50, max_depth=4).fit(PATIENTS, PROGRESS)
    many = np.tile(PATIENTS, (10, 1))
    engine = find_engine(model, "predict")
    assert engine is not None
    assert same_bits(model.predict(many), engine.call(many))


def test_values_on_thresholds_go_where_scikit_learn_sends_them() -> None:
    model = DecisionTreeRegressor().fit(PATIENTS, PROGRESS)
    engine = find_engine(model, "predict")
    assert engine is not None
    tree = model.tree_
    inner = tree.feature >= 0
    rows = np.repeat(PATIENTS[:1], inner.sum(), axis=0)
    rows[np.arange(len(rows)), tree.feature[inner]] = tree.threshold[inner]
    for nudged in (rows, np.nextafter(rows, np.inf), np.nextafter(rows, -np.inf)):
        assert same_bits(model.predict(nudged), engine.call(nudged))


def test_what_overflows_single_precision_is_refused_as_scikit_learn_does() -> None:
    model = RandomForestRegressor(3).fit(PATIENTS, PROGRESS)
    engine = find_engine(model, "predict")
    assert engine is not None
    huge = np.full((1, PATIENTS.shape[1]), 1e300)
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="float32"):
        engine.call(huge)


class Doubled(LinearRegression):
    def predict(self, rows: Any) -> Any:
        return 2 * super().predict(rows)


@pytest.mark.parametrize(
    ("model", "method"),
    [
        (Doubled(), "predict"),
        (GradientBoostingRegressor(n_estimators=3), "predict"),
        (RandomForestRegressor(3), "apply"),
        (LinearRegression(), "score_samples"),
        (make_pipeline(MinMaxScaler(), LinearRegression()), "predict"),
        (make_pipeline(StandardScaler(with_mean=False), LinearRegression()), "predict"),
        (object(), "predict"),
    ],
)
def test_there_is_no_engine_for_the_rest(model: Any, method: str) -> None:
    if hasattr(model, "fit"):
        model.fit(PATIENTS, PROGRESS)
    assert find_engine(model, method) is None


def test_bits_dtypes_and_shapes_are_compared() -> None:
    assert same_bits(np.array(["a"], dtype=object), np.array(["a"], dtype=object))
    assert not same_bits(np.array([0.0]), np.array([-0.0]))
    assert not same_bits(np.array([1]), np.array([1.0]))
    assert not same_bits(np.array([1.0]), np.array([[1.0]]))
