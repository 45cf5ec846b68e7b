"""The frameworks, each in an environment of its own, started as its documentation says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.serving.load import PREDICTION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

APPS = Path(__file__).parent / "apps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """One of those that are measured.

    Parameters
    ----------
    name : str
        As people call it.
    packages : tuple of str
        What its environment has beside the model's libraries.
    command : callable
        Given its environment's ``bin``, a folder of its own and a port, gives how to start it.
    path : str
        Of the request.
    body : callable
        Writes a row as its request.
    answer : str
        Lua pattern whose capture is the prediction.
    """

    name: str
    packages: tuple[str, ...]
    command: Callable[[Path, Path, int], list[str]]
    path: str
    body: Callable[[Sequence[float]], str]
    answer: str = PREDICTION


def _row(row: Sequence[float]) -> str:
    return json.dumps(list(row), separators=(",", ":"))


def _record(row: Sequence[float]) -> str:
    return json.dumps({"row": list(row)}, separators=(",", ":"))


def _tensor(row: Sequence[float]) -> str:
    tensor = {"name": "input", "shape": [1, len(row)], "datatype": "FP64", "data": list(row)}
    return json.dumps({"inputs": [tensor]}, separators=(",", ":"))


def _inputs(row: Sequence[float]) -> str:
    return json.dumps({"inputs": [list(row)]}, separators=(",", ":"))


def _bentoml(path: Path, _folder: Path, port: int) -> list[str]:
    return [
        str(path / "bentoml"), "serve", "bentoml_app:Model", "--host", "127.0.0.1",
        "--port", str(port), "--working-dir", str(APPS),
    ]  # fmt: skip


def _litserve(path: Path, _folder: Path, port: int) -> list[str]:
    return [str(path / "python"), str(APPS / "litserve_app.py"), str(port)]


def _mlserver(path: Path, folder: Path, port: int) -> list[str]:
    settings = {
        "host": "127.0.0.1", "http_port": port, "grpc_port": port + 1, "metrics_port": port + 2,
        # With workers it took its model for "not ready yet" for minutes; in its process it answers.
        "parallel_workers": 0, "debug": False, "extensions": [],
    }  # fmt: skip
    model = {"name": "model", "implementation": "mlserver_app.Model"}
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(model))
    return [str(path / "mlserver"), "start", str(folder)]


def _mlflow(path: Path, folder: Path, port: int) -> list[str]:
    saved = folder / "model"
    subprocess.run(
        [path / "python", APPS / "mlflow_app.py", saved], check=True, capture_output=True
    )
    return [
        str(path / "mlflow"), "models", "serve", "-m", str(saved), "--env-manager", "local",
        "--host", "127.0.0.1", "--port", str(port), "--workers", "2",
    ]  # fmt: skip


def _ray(path: Path, _folder: Path, port: int) -> list[str]:
    return [str(path / "python"), str(APPS / "ray_app.py"), str(port)]


FRAMEWORKS = (
    Framework(
        name="BentoML", packages=("bentoml",), command=_bentoml, path="/predict", body=_record
    ),
    Framework(
        name="LitServe", packages=("litserve",), command=_litserve, path="/predict", body=_record
    ),
    Framework(
        name="MLServer",
        packages=("mlserver",),
        command=_mlserver,
        path="/v2/models/model/infer",
        body=_tensor,
        answer=r'"data": ?%[([-0-9.e]+)',
    ),
    Framework(
        name="MLflow",
        packages=("mlflow",),
        command=_mlflow,
        path="/invocations",
        body=_inputs,
        answer=r'"predictions": ?%[([-0-9.e]+)',
    ),
    Framework(name="Ray Serve", packages=("ray[serve]",), command=_ray, path="/predict", body=_row),
)


def make_environment(folder: Path, framework: Framework, requirements: Sequence[str]) -> Path:
    """Make a framework's environment and give its ``bin``."""
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, folder], check=True)
    subprocess.run(
        [*uv, "pip", "install", "-q", "--python", folder / "bin" / "python",
         *framework.packages, *requirements],
        check=True,
    )  # fmt: skip
    return folder / "bin"


def variables(model: Path, path: Path) -> dict[str, str]:
    """Give what a framework's process is told."""
    return {
        "MODEL": str(model),
        "PYTHONPATH": str(APPS),
        "PATH": f"{path}{os.pathsep}{os.environ.get('PATH', '')}",
        "BENTOML_DO_NOT_TRACK": "True",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }
