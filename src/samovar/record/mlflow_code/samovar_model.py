"""Load the model that this module came with: MLflow calls ``_load_pyfunc``, and nobody else.

samovar put it here, for a format that MLflow has no flavour for. It needs what the model needs, and
nothing of samovar.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any


def _load_pyfunc(path: str) -> Any:
    """Give the model in a file, as its library loads it; the ending of the file says which one."""
    return _LOADERS[Path(path).suffix](path)


def _pickle(path: str) -> Any:
    return pickle.loads(Path(path).read_bytes())  # noqa: S301 - audited when it was logged


def _joblib(path: str) -> Any:
    import joblib

    return joblib.load(path)


def _dill(path: str) -> Any:
    import dill

    return dill.loads(Path(path).read_bytes())  # noqa: S301 - audited when it was logged


def _skops(path: str) -> Any:
    import skops.io

    return skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))


def _xgboost(path: str) -> Any:
    import xgboost

    kind = json.loads(xgboost.Booster(model_file=path).attr("scikit_learn") or "{}")
    classes = {"classifier": xgboost.XGBClassifier, "ranker": xgboost.XGBRanker}
    model = classes.get(kind.get("_estimator_type"), xgboost.XGBRegressor)()
    model.load_model(path)
    return model


def _lightgbm(path: str) -> Any:
    import lightgbm

    return lightgbm.Booster(model_file=path)


_LOADERS = {
    ".pickle": _pickle,
    ".cloudpickle": _pickle,
    ".joblib": _joblib,
    ".dill": _dill,
    ".skops": _skops,
    ".xgboost": _xgboost,
    ".lightgbm": _lightgbm,
}
