"""Load a model file in the model's own environment, under the policy that the audit applied."""

from __future__ import annotations

import pickle
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from samovar.core.allowlist import Policy
from samovar.errors import EnvironmentMismatch, InvalidModel, Refused, SamovarError
from samovar.runtime.adapters import make_model
from samovar.runtime.bounded import BoundedFile
from samovar.runtime.loading_limits import limited
from samovar.runtime.unpickle import AllowedUnpickler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_METHODS: Final = ("predict", "predict_proba", "decision_function", "transform", "score_samples")


def load_model(
    path: Path,
    format: str,  # noqa: A002  the bundle's word
    *,
    trusted: Sequence[str] = (),
    method: str,
    factory: str = "",
) -> Any:
    """Load a model and make sure that it has the method.

    Parameters
    ----------
    path : Path
        The model file.
    format : str
        As the audit names it: ``pickle joblib cloudpickle dill skops xgboost lightgbm catboost
        onnx python``.
    trusted : sequence of str
        Exact dotted names that the project vouches for.
    method : str
        What will be called.
    factory : str
        ``module:name`` of the function that makes the model, where the format is ``python``.

    Returns
    -------
    object
        Has the method.

    Raises
    ------
    Refused
        Where the file does what the policy does not allow; that act is not carried out.
    EnvironmentMismatch
        Where the environment lacks a library or a name that the model needs.
    InvalidModel
        Where the file cannot be read, or the object in it lacks the method.
    """
    load = partial(make_model, factory) if format == "python" else _LOADERS.get(format)
    if load is None:
        raise InvalidModel(
            f"{path.name} is of the format {format}, which cannot be loaded as a model.",
            hint="Save the model with pickle, joblib, skops or the library's own format.",
            code="unsupported_format",
        )
    try:
        with limited(path.stat().st_size):
            model = load(path, trusted)
    except SamovarError:
        raise
    except ImportError as error:
        raise EnvironmentMismatch(
            f"{path.name} needs {error.name or error}, which this environment lacks.",
            why=str(error),
            code="missing_library",
        ) from error
    except MemoryError as error:
        raise Refused(
            f"{path.name} is refused: loading it takes more memory than a file of its size may."
        ) from error
    except Exception as error:
        # Constructors of any library run here, with arguments out of the file.
        raise InvalidModel(
            f"{path.name} cannot be loaded: {type(error).__name__}: {error}",
            hint="Load it with the library versions that it was made with.",
            code="unloadable_model",
        ) from error
    return _with_method(model, method, path)


def _with_method(model: Any, method: str, path: Path) -> Any:
    if callable(getattr(model, method, None)):
        return model
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    has = [name for name in _METHODS if callable(getattr(model, name, None))]
    raise InvalidModel(
        f"{path.name} holds a {kind}, which has no method {method}.",
        hint=f"It has {', '.join(has)}: set [model] method." if has else "It is no fitted model.",
        code="no_method",
    )


def load_stream(path: Path, trusted: Sequence[str] = ()) -> Any:
    """Load whatever object a pickle or joblib file holds."""
    with BoundedFile(path) as file:
        value = AllowedUnpickler(file, Policy(trusted)).load()
        if not file.at_end():
            raise Refused(f"{path.name} is refused: data follows the end of the pickle.")
    return value


def _pickle(path: Path, trusted: Sequence[str]) -> Any:
    try:
        return load_stream(path, trusted)
    except (pickle.UnpicklingError, EOFError, IndexError, KeyError) as error:
        raise InvalidModel(
            f"{path.name} is damaged or no pickle: {type(error).__name__}: {error}",
            code="broken_stream",
        ) from error


def _skops(path: Path, trusted: Sequence[str]) -> Any:
    import skops.io

    policy = Policy(trusted)
    wanted = sorted(str(name) for name in skops.io.get_untrusted_types(file=path))
    for name in wanted:
        if not policy.knows(name):
            raise Refused(
                f"{path.name} is refused: it uses {name}.",
                why=f"{name} is not on the allowlist",
                hint="List classes of your own in [model] trusted.",
            )
    return skops.io.load(path, trusted=wanted)


def _xgboost(path: Path, _trusted: Sequence[str]) -> Any:
    import json

    import xgboost

    booster = xgboost.Booster(model_file=str(path))
    kind = json.loads(booster.attr("scikit_learn") or "{}").get("_estimator_type")
    classes = {"classifier": xgboost.XGBClassifier, "ranker": xgboost.XGBRanker}
    model = classes.get(kind, xgboost.XGBRegressor)()
    model.load_model(str(path))
    return model


def _lightgbm(path: Path, _trusted: Sequence[str]) -> Any:
    import lightgbm

    return lightgbm.Booster(model_file=str(path))


def _catboost(path: Path, _trusted: Sequence[str]) -> Any:
    import catboost

    model = catboost.CatBoost().load_model(str(path))
    loss = str(model.get_all_params().get("loss_function", ""))
    if loss.startswith(("Logloss", "CrossEntropy", "Multi")) and loss != "MultiRMSE":
        return catboost.CatBoostClassifier().load_model(str(path))
    return catboost.CatBoostRegressor().load_model(str(path))


def _onnx(path: Path, _trusted: Sequence[str]) -> Any:
    from samovar.runtime.onnx_model import OnnxModel

    return OnnxModel(path)


_LOADERS: Final[dict[str, Callable[[Path, Sequence[str]], Any]]] = {
    "pickle": _pickle,
    "joblib": _pickle,
    "cloudpickle": _pickle,
    "dill": _pickle,
    "skops": _skops,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "catboost": _catboost,
    "onnx": _onnx,
}
