"""Fixtures: a runtime's folder and small recorded models, made once a session."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from runtime_tree import Service, make_bundle, make_runtime, record_into, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the runtime's folder."""
    return make_runtime(tmp_path_factory.mktemp("runtime"))


@pytest.fixture(scope="session")
def iris_bundle(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a bundle of a model over four numbers that answers a class."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    rows, species = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(rows, species)
    bundle = make_bundle(tmp_path_factory.mktemp("iris") / "bundle", model)
    record_into(runtime, bundle, rows[::30].tolist())
    return bundle


@pytest.fixture(scope="session")
def passengers_bundle(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a bundle of a pipeline over named columns of several types."""
    bundle = make_bundle(
        tmp_path_factory.mktemp("passengers") / "bundle",
        passengers_model(),
        method="predict_proba",
        name="passengers",
    )
    record_into(runtime, bundle, PASSENGERS)
    return bundle


@pytest.fixture(scope="session")
def slow_bundle(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a bundle whose model sleeps; it is found in a module beside it."""
    folder = tmp_path_factory.mktemp("slow")
    source = (
        "import time\n\n\nclass Slow:\n"
        "    def predict(self, rows):\n"
        "        time.sleep(0.3)\n"
        "        return rows[:, 0] * 2.0\n"
    )
    (folder / "slow_model.py").write_text(source, encoding="utf-8")
    sys.path.insert(0, str(folder))
    try:
        model = import_module("slow_model").Slow()
        bundle = make_bundle(folder / "bundle", model, files={"slow_model.py": source})
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("slow_model", None)
    document = json.loads((bundle / "samovar.json").read_text())
    document["model"]["trusted"] = ["slow_model.Slow"]
    (bundle / "samovar.json").write_text(json.dumps(document))
    record_into(runtime, bundle, [[1.0], [2.0]])
    return bundle


@pytest.fixture(scope="session")
def iris(runtime: Path, iris_bundle: Path) -> Iterator[Service]:
    """Serve the iris model for the whole session."""
    with serving(runtime, iris_bundle) as service:
        yield service


@pytest.fixture(scope="session")
def passengers(runtime: Path, passengers_bundle: Path) -> Iterator[Service]:
    """Serve the passengers' model for the whole session."""
    with serving(runtime, passengers_bundle, name="passengers") as service:
        yield service


PASSENGERS: list[Any] = [
    {"class": 1, "sex": "male", "age": 24.0},
    {"class": 3, "sex": "female", "age": None},
    {"class": 2, "sex": "female", "age": 30.5},
]


def passengers_model() -> Any:
    """Fit a pipeline with an encoder and an imputer on made-up passengers."""
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = pd.DataFrame(
        {
            "class": [1, 2, 3, 1, 2, 3] * 5,
            "sex": ["male", "female", "female"] * 10,
            "age": [20.0, None, 31.0, 40.0, 50.0, 3.0] * 5,
        }
    )
    columns = ColumnTransformer(
        [
            ("kind", OneHotEncoder(handle_unknown="ignore"), ["class", "sex"]),
            ("age", SimpleImputer(), ["age"]),
        ]
    )
    return make_pipeline(columns, LogisticRegression()).fit(frame, [0, 1, 1] * 10)
