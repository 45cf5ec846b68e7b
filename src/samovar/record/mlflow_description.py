"""Read the folder of a model of MLflow: which file is the model, its method, Python and rows.

References
----------
MLflow documentation, "MLflow Model" (storage format).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.core.run import path_inside
from samovar.errors import InvalidModel
from samovar.project.config import METHODS
from samovar.record.mlflow_models import DESCRIPTION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MAX_DESCRIPTION_BYTES: Final = 8 * 1024 * 1024
_PYFUNC: Final = "python_function"
_MODEL_KEYS: Final = ("pickled_model", "data", "model_data", "model_path", "python_model")
_FACTS: Final = ("mlflow_version", "run_id", "model_id", "model_uuid", "utc_time_created")


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowModel:
    """What a model's folder says.

    Parameters
    ----------
    folder : Path
        Has ``MLmodel``.
    name : str
        What to call it.
    file : str
        The model's own file, in the folder.
    method : str
        What its predictions come from.
    code : str or None
        Folder of Python files, which are imported by their names in it.
    python : str
        Minor version.
    rows : list or None
        Example rows.
    facts : mapping of str to str
        Where it comes from.
    """

    folder: Path
    name: str
    file: str
    method: str
    code: str | None
    python: str
    rows: list[Any] | None
    facts: Mapping[str, str]


def read_model(folder: Path, name: str) -> MlflowModel:
    """Read a model's description.

    Parameters
    ----------
    folder : Path
        Has ``MLmodel``.
    name : str
        What to call the model.

    Raises
    ------
    InvalidModel
        Where it is none, or names no file that could be packed.
    """
    document = _yaml(folder / DESCRIPTION)
    flavors = document.get("flavors")
    if not isinstance(flavors, dict) or not all(isinstance(one, dict) for one in flavors.values()):
        raise InvalidModel(f"{DESCRIPTION} lists no flavors.", hint="Is it a model of MLflow?")
    pyfunc = flavors.get(_PYFUNC, {})
    flavor, file = _file_of(folder, flavors)
    method = str(pyfunc.get("predict_fn", "predict"))
    facts = {key: str(document[key]) for key in _FACTS if document.get(key)}
    return MlflowModel(
        folder=folder,
        name=name,
        file=file,
        method=method if method in METHODS else "predict",
        code=None if pyfunc.get("code") is None else path_inside(pyfunc["code"]),
        python=_python_of(folder, pyfunc),
        rows=_rows_of(folder, document.get("saved_input_example_info")),
        facts={"flavor": flavor, **facts},
    )


def _yaml(path: Path) -> dict[str, Any]:
    import yaml

    if path.stat().st_size > _MAX_DESCRIPTION_BYTES:
        raise InvalidModel(f"{path.name} is too large for a description.")
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidModel(f"{path.name} is not YAML.", why=str(error)[:300]) from error
    if not isinstance(document, dict):
        raise InvalidModel(f"{path.name} is no description.", hint="Is it a model of MLflow?")
    return document


def _file_of(folder: Path, flavors: Mapping[str, Mapping[str, Any]]) -> tuple[str, str]:
    """Find the model's own file: the flavour that is not MLflow's wrapper says it best."""
    for flavor in sorted(flavors, key=lambda name: name == _PYFUNC):
        for key in _MODEL_KEYS:
            named = flavors[flavor].get(key)
            if isinstance(named, str) and (file := _one_file(folder, path_inside(named))):
                return flavor, file
    raise InvalidModel(
        f"The model of MLflow ({', '.join(flavors)}) names no single file that samovar could pack.",
        hint="Save it in the format of its library, for instance by mlflow.sklearn.save_model.",
        code="no_model",
    )


def _one_file(folder: Path, named: str) -> str | None:
    path = folder / named
    if path.is_dir():
        files = [one for one in path.rglob("*") if one.is_file()]
        path = files[0] if len(files) == 1 else path
    return path.relative_to(folder).as_posix() if path.is_file() else None


def _python_of(folder: Path, pyfunc: Mapping[str, Any]) -> str:
    version = pyfunc.get("python_version")
    if version is None and (folder / "python_env.yaml").is_file():
        version = _yaml(folder / "python_env.yaml").get("python")
    found = re.match(r"(3\.\d+)", str(version))
    if found is None:
        raise InvalidModel(
            "The model of MLflow does not say which Python it was made with.",
            hint="Save it again by a newer MLflow, which writes python_env.yaml.",
        )
    return found[1]


def _rows_of(folder: Path, info: Any) -> list[Any] | None:
    """Read the example rows: ``split``, ``records`` or plain lists, as MLflow writes them."""
    if not isinstance(info, dict) or not isinstance(info.get("artifact_path"), str):
        return None
    path = folder / path_inside(info["artifact_path"])
    if not path.is_file() or path.suffix != ".json":
        return None
    try:
        return _records(json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidModel(
            f"{path.name} has no example rows that samovar can read.", why=str(error)[:300]
        ) from error


def _records(document: Any) -> list[Any] | None:
    if isinstance(document, dict) and {"columns", "data"} <= set(document):
        return [dict(zip(document["columns"], row, strict=True)) for row in document["data"]]
    if isinstance(document, dict):
        document = document.get("inputs", [document])
    return document if isinstance(document, list) else None
