"""Lay a run's model out as a folder of MLflow: its own clients load it, and predict the same.

The signature and the example are those of the bundle that the run makes, so the model was audited,
loaded and asked before. Its own file is untouched.

References
----------
MLflow documentation, "MLflow Model" (storage format).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from samovar.errors import InvalidModel
from samovar.record.mlflow_models import DESCRIPTION
from samovar.record.mlflow_signature import input_example, model_signature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samovar.bundle.opened import Bundle
    from samovar.core.run import RunFile
    from samovar.record.runs import Run

CODE: Final = "code"
_LOADER: Final = Path(__file__).parent / "mlflow_code" / "samovar_model.py"
_PICKLES: Final = ("pickle", "cloudpickle")
_BY_FLAVOR: Final = ("predict", "predict_proba")
_LOADED: Final = (*_PICKLES, "joblib", "dill", "skops", "xgboost", "lightgbm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a model is logged to.

    Parameters
    ----------
    version : str
        Of MLflow on the server.
    run : str
        MLflow's name of the run.
    model : str
        MLflow's name of the model.
    is_beside : bool
        Whether the model stands beside its run, as from MLflow 3 on.
    path : str
        Where its files are: a name below the run's, or an address.
    time : str
        Now, UTC, ``2026-01-31 12:00:00.000000``.
    """

    version: str
    run: str
    model: str
    is_beside: bool
    path: str
    time: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidOut:
    """A model's folder.

    Parameters
    ----------
    files : mapping of str to bytes or RunFile
        By path in the folder.
    description : mapping
        What ``MLmodel`` says.
    has_signature : bool
        Whether MLflow has words for what the model takes.
    """

    files: Mapping[str, bytes | RunFile]
    description: Mapping[str, Any]
    has_signature: bool


def lay_out_model(bundle: Bundle, code: Mapping[str, bytes], run: Run, place: Place) -> LaidOut:
    """Give the folder of a run's model.

    Parameters
    ----------
    bundle : Bundle
        Of the run.
    code : mapping of str to bytes
        The project's own files that go along, by path.
    run : Run
        Has the model among its outputs.
    place : Place
        Where it goes.

    Raises
    ------
    InvalidModel
        Where nothing of MLflow's could load such a file.
    """
    model = bundle.document.model
    if model.format not in _LOADED:
        raise InvalidModel(
            f"MLflow would not answer as the model does: it is of the format {model.format}."
        )
    file = next(one for one in run.record.outputs if one.path == model.path)
    modules = dict(code) if model.trusted else {}
    if _is_sklearn(bundle, run):
        path, flavors = "model.pkl", _sklearn(bundle, run, with_code=bool(modules))
    else:
        modules[_LOADER.name] = _LOADER.read_bytes()
        path = f"model.{model.format}"
        loader = {"loader_module": _LOADER.stem, "data": path, "code": CODE}
        flavors = {"python_function": {**_function(bundle, run), **loader}}
    signature = model_signature(bundle.document.signature)
    info, examples = input_example(bundle.document.signature, bundle.receipt)
    description = {
        "artifact_path": place.path,
        "flavors": flavors,
        "metadata": {"samovar.run": str(run.digest)},
        "mlflow_version": place.version,
        "model_id": place.model if place.is_beside else None,
        "model_size_bytes": file.size_bytes,
        "model_uuid": place.model,
        "run_id": place.run,
        "saved_input_example_info": info,
        "utc_time_created": place.time,
        **({} if signature is None else {"signature": signature}),
    }
    files: dict[str, bytes | RunFile] = {
        DESCRIPTION: _yaml(description),
        path: file,
        **{name: json.dumps(value).encode() for name, value in examples.items()},
        **{f"{CODE}/{name}": data for name, data in sorted(modules.items())},
        **_environment(run, place.version),
    }
    return LaidOut(files=files, description=description, has_signature=signature is not None)


def _function(bundle: Bundle, run: Run) -> dict[str, Any]:
    return {
        "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
        "predict_fn": bundle.document.model.method,
        "python_version": run.record.python,
    }


def _sklearn(bundle: Bundle, run: Run, *, with_code: bool) -> dict[str, Any]:
    path, code = "model.pkl", CODE if with_code else None
    function = {**_function(bundle, run), "loader_module": "mlflow.sklearn", "model_path": path}
    return {
        "sklearn": {
            "code": code,
            "pickled_model": path,
            "serialization_format": bundle.document.model.format,
            "sklearn_version": run.record.packages["scikit-learn"],
        },
        "python_function": {**function, "code": code} if with_code else function,
    }


def _is_sklearn(bundle: Bundle, run: Run) -> bool:
    """Say whether MLflow's flavour of scikit-learn calls the model as samovar does."""
    model = bundle.document.model
    return (
        model.format in _PICKLES
        and model.method in _BY_FLAVOR
        and "scikit-learn" in run.record.packages
    )


def _environment(run: Run, version: str) -> dict[str, bytes]:
    """Write the versions of the lock, in the three files that MLflow reads; MLflow joins them."""
    record = run.record
    packages = {"mlflow": version, **record.packages}
    pins = [f"{name}=={packages[name]}" for name in sorted(packages)]
    conda = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [f"python={record.python}", "pip", {"pip": pins}],
    }
    virtual = {
        "python": record.python,
        "build_dependencies": ["pip", "setuptools", "wheel"],
        "dependencies": ["-r requirements.txt"],
    }
    return {
        "requirements.txt": "\n".join([*pins, ""]).encode(),
        "conda.yaml": _yaml(conda),
        "python_env.yaml": _yaml(virtual),
    }


def _yaml(document: Mapping[str, Any]) -> bytes:
    text: str = yaml.safe_dump(document, sort_keys=False)
    return text.encode()
