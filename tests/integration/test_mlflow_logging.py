"""A run's model is logged to MLflow with signature and example; its own client predicts the same."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from cli import samovar
from samovar.bundle.resolve import resolve
from samovar.bundle.target import read_target
from samovar.store.home import Home
from samovar.store.layout import Store
from toy import write

if TYPE_CHECKING:
    from pathlib import Path

    from engines.browser import Chromium
    from engines.tools import MlflowServer, Tool

pytestmark = pytest.mark.engine

TRAIN = """
    import json, pickle
    import joblib
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from own_steps import Doubled
    table = pd.read_csv("train.csv")
    how = json.load(open("params.json"))
    x, y = table[["age", "fare"]], table["alive"]
    if how["doubled"]:
        model = Doubled().fit(x.to_numpy(), y)
    else:
        model = LogisticRegression(C=how["C"]).fit(x, y)
    if how["save"] == "pickle":
        pickle.dump(model, open("model.bin", "wb"), protocol=4)
    else:
        joblib.dump(model, "model.bin")
    json.dump({"accuracy": model.score(x.to_numpy() if how["doubled"] else x, y)}, open("out.json", "w"))
"""
OWN = """
    from sklearn.linear_model import LogisticRegression
    class Doubled(LogisticRegression):
        def predict(self, X):
            return super().predict(X) * 2
"""
TOML = """
    [project]
    name = "alive"
    python = "3.11"
    [environment]
    requirements = ["requirements.txt"]
    [model]
    path = "model.bin"
    method = "{method}"
    trusted = ["own_steps.Doubled"]
    [examples]
    path = "{examples}"
    [service]
    code = ["own_steps.py"]
    [train]
    command = "python train.py"
    code = ["train.py", "own_steps.py"]
    data = ["train.csv"]
    params = "params.json"
    metrics = "out.json"
    outputs = ["model.bin"]
"""
CLIENT = """
import json, sys
import mlflow
told = {}
for name, address in json.loads(sys.argv[1]).items():
    model = mlflow.pyfunc.load_model(address)
    example = model.input_example
    told[name] = {
        "signature": model.metadata.signature.to_dict(),
        "flavors": sorted(model.metadata.flavors),
        "predicted": model.predict(example).ravel().tolist(),
        "example": getattr(example, "values", example).tolist(),
    }
print(json.dumps(told))
"""
VERSIONS = """
import importlib.metadata
for name in ("scikit-learn", "pandas", "numpy", "scipy", "joblib"):
    print(f"{name}=={importlib.metadata.version(name)}")
"""
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "joblib": {"save": "joblib", "method": "decision_function"},
    "probabilities": {"method": "predict_proba"},
    "own-joblib": {"examples": "array.json", "save": "joblib", "doubled": True},
    "own-pickle": {"examples": "array.json", "doubled": True},
}


@dataclass(frozen=True, kw_only=True)
class Logged:
    server: str
    runs: dict[str, dict[str, Any]]
    """As MLflow has them."""
    models: dict[str, dict[str, Any]]
    warnings: dict[str, list[str]]
    recorded: dict[str, list[Any]]
    """What samovar's receipt has for the example rows."""
    told: dict[str, dict[str, Any]]
    """What MLflow's client says."""


def make_project(mlflow: Tool, folder: Path) -> Path:
    """Write a project whose versions are those that MLflow's own environment has."""
    pins = subprocess.run(
        [mlflow.python, "-c", VERSIONS], check=True, capture_output=True, text=True
    ).stdout
    write(folder / "train.py", TRAIN)
    write(folder / "own_steps.py", OWN)
    write(folder / "requirements.txt", pins)
    rows = "".join(f"{age},{fare},{int(age < fare)}\n" for age in range(9) for fare in range(9))
    write(folder / "train.csv", "age,fare,alive\n" + rows)
    write(folder / "frame.csv", "age,fare\n1,3\n5,2\n7,8\n")
    write(folder / "array.json", "[[1, 3], [5, 2.5]]")
    return folder


def train(
    project: Path, server: str, name: str, *, method="predict", examples="frame.csv", save="pickle",
    doubled=False,
) -> list[str]:  # fmt: skip
    write(project / "samovar.toml", TOML.format(method=method, examples=examples))
    write(project / "params.json", json.dumps({"C": 1.0, "save": save, "doubled": doubled}))
    return samovar("train", "--name", name, "--json", cwd=project, MLFLOW_TRACKING_URI=server).json[
        "warnings"
    ]


def logged_runs(server: str, experiment: str) -> dict[str, dict[str, Any]]:
    api = f"{server}/api/2.0/mlflow"
    named = httpx.get(f"{api}/experiments/get-by-name", params={"experiment_name": experiment})
    wanted = {"experiment_ids": [named.json()["experiment"]["experiment_id"]]}
    found = httpx.post(f"{api}/runs/search", json=wanted).json()["runs"]
    return {run["info"]["run_name"]: run for run in found}


def receipt_of(run: str) -> list[Any]:
    """Give what the bundle of a run recorded, as one flat list."""
    samovar("pack", run, "--tag", "proof")
    home = Home.locate()
    store = Store(home.store)
    bundle = resolve(home, store, read_target("proof", store), lambda _text: None)[1]
    return [value for tensor in bundle.receipt.outputs for value in tensor.data]


@pytest.fixture(scope="module")
def logged(
    mlflow: Tool, mlflow_server: MlflowServer, tmp_path_factory: pytest.TempPathFactory
) -> Logged:
    server, api = mlflow_server.url, f"{mlflow_server.url}/api/2.0/mlflow"
    project = make_project(mlflow, tmp_path_factory.mktemp("logged") / "alive")
    warnings = {name: train(project, server, name, **way) for name, way in WAYS.items()}
    runs, models = logged_runs(server, "alive"), {}
    for name, run in runs.items():
        (output,) = run["outputs"]["model_outputs"]
        models[name] = httpx.get(f"{api}/logged-models/{output['model_id']}").json()["model"]
    addresses = {name: f"models:/{model['info']['model_id']}" for name, model in models.items()}
    addresses["by run"] = f"runs:/{runs['plain']['info']['run_id']}/model"
    told = subprocess.run(
        [mlflow.python, "-c", CLIENT, json.dumps(addresses)],
        env={**os.environ, "MLFLOW_TRACKING_URI": server, "GIT_PYTHON_REFRESH": "quiet"},
        cwd=project.parent, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return Logged(
        server=server,
        runs=runs,
        models=models,
        warnings=warnings,
        recorded={name: receipt_of(name) for name in WAYS},
        told=json.loads(told.stdout.splitlines()[-1]),
    )


def test_the_model_stands_beside_its_run_with_signature_and_example(logged: Logged) -> None:
    run, model, told = logged.runs["plain"], logged.models["plain"], logged.told["plain"]
    assert model["info"]["status"] == "LOGGED_MODEL_READY"
    assert model["info"]["source_run_id"] == run["info"]["run_id"]
    assert {"key": "C", "value": "1.0"} in model["data"]["params"]
    assert model["data"]["metrics"][0]["key"] == "accuracy"
    assert json.loads(told["signature"]["inputs"]) == [
        {"type": "double", "name": "age", "required": True},
        {"type": "double", "name": "fare", "required": True},
    ]
    assert json.loads(told["signature"]["outputs"])[0]["tensor-spec"]["dtype"] == "int64"
    assert told["example"] == [[1, 3], [5, 2], [7, 8]]
    assert told["flavors"] == ["python_function", "sklearn"]
    assert logged.told["by run"] == told


@pytest.mark.parametrize("way", WAYS)
def test_mlflow_predicts_what_the_receipt_has(logged: Logged, way: str) -> None:
    assert logged.warnings[way] == []
    # MLflow pins neither kernels nor threads, so the last bits are the machine's.
    assert logged.told[way]["predicted"] == pytest.approx(logged.recorded[way], rel=1e-12)


def test_an_array_is_a_tensor(logged: Logged) -> None:
    (tensor,) = json.loads(logged.told["own-pickle"]["signature"]["inputs"])
    assert tensor["tensor-spec"] == {"dtype": "float64", "shape": [-1, 2]}


def test_a_logged_model_comes_back_as_a_bundle(logged: Logged) -> None:
    run = logged.runs["plain"]["info"]["run_id"]
    packed = samovar(
        "pack", "--from-mlflow", f"runs:/{run}/model", "--json", MLFLOW_TRACKING_URI=logged.server
    ).json
    assert packed["receipt"]["rows"] == 3
    assert samovar("verify", packed["name"], "--json").json["verdict"] == "IDENTICAL"


def test_a_model_that_cannot_be_proven_is_said_and_the_run_is_kept(
    mlflow: Tool, mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    project = make_project(mlflow, tmp_path / "alive")
    (warning,) = train(project, mlflow_server.url, "bare", examples="missing.csv")
    assert warning.startswith("the model is not logged to MLflow: ")
    assert "missing.csv" in warning
    run = logged_runs(mlflow_server.url, "alive")["bare"]
    assert run["info"]["status"] == "FINISHED"
    assert not run.get("outputs")


def test_the_interface_shows_the_run_with_its_model(logged: Logged, chromium: Chromium) -> None:
    info, model = logged.runs["plain"]["info"], logged.models["plain"]["info"]["model_id"]
    experiment = f"{logged.server}/#/experiments/{info['experiment_id']}"
    shown = chromium.dom(f"{experiment}/runs/{info['run_id']}", after_ms=8000)
    assert "samovar.digest" in shown
    assert f"/models/{model}" in shown
    page = chromium.dom(f"{experiment}/models/{model}", after_ms=8000)
    assert "accuracy" in page
    assert logged.runs["plain"]["info"]["run_name"] in page
