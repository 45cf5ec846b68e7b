"""Models of MLflow become bundles: out of a real server's registry, and out of folders."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from cli import samovar

if TYPE_CHECKING:
    from pathlib import Path

    from engines.tools import MlflowServer, Tool

pytestmark = pytest.mark.engine
LOG = """
import sys
import mlflow, mlflow.sklearn
import pandas as pd
from sklearn.linear_model import LogisticRegression
table = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [0.5, 1.5, 0.5, 1.5]})
model = LogisticRegression().fit(table, [0, 0, 1, 1])
mlflow.sklearn.save_model(model, sys.argv[1], input_example=table.head(3))
with mlflow.start_run() as run:
    mlflow.sklearn.log_model(
        model, name="model", input_example=table.head(3), registered_model_name="Toy"
    )
    mlflow.MlflowClient().set_registered_model_alias("Toy", "champion", "1")
    print(run.info.run_id)
"""


class Logged:
    def __init__(self, folder: Path, run: str, server: str) -> None:
        self.folder, self.run, self.server = folder, run, server


@pytest.fixture(scope="module")
def logged(
    mlflow: Tool, mlflow_server: MlflowServer, tmp_path_factory: pytest.TempPathFactory
) -> Logged:
    folder = tmp_path_factory.mktemp("saved") / "model"
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": mlflow_server.url,
        "PATH": f"{mlflow.bin}{os.pathsep}{os.environ['PATH']}",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    ended = subprocess.run(
        [mlflow.python, "-c", LOG, folder],
        env=environment, check=True, capture_output=True, text=True, cwd=folder.parent,
    )  # fmt: skip
    run = next(line for line in ended.stdout.split() if len(line) == 32)
    return Logged(folder, run, mlflow_server.url)


def test_a_registered_model_is_packed_with_its_environment_and_proven(logged: Logged) -> None:
    packed = samovar(
        "pack", "--from-mlflow", "models:/Toy/1", "--json", MLFLOW_TRACKING_URI=logged.server
    ).json
    assert packed["name"] == "toy"
    assert packed["receipt"]["rows"] == 3
    assert packed["audit"]["ok"]
    assert [column["name"] for column in packed["signature"]["inputs"]] == ["a", "b"]
    shown = samovar("inspect", "toy", "--json").json
    assert shown["origin"]["tool"] == "mlflow"
    assert shown["origin"]["facts"]["run_id"] == logged.run
    versions = {package["name"]: package["version"] for package in shown["packages"]}
    pins = (logged.folder / "requirements.txt").read_text().split()
    wanted = dict(pin.split("==") for pin in pins)
    wanted.pop("mlflow")
    assert wanted == {name: versions[name] for name in wanted}
    assert "mlflow" not in versions
    assert samovar("verify", "toy", "--json").json["verdict"] == "IDENTICAL"
    for address in ("models:/Toy@champion", "models:/Toy/latest"):
        again = samovar(
            "pack", "--from-mlflow", address, "--json", MLFLOW_TRACKING_URI=logged.server
        ).json
        assert again["digest"] == packed["digest"]
    of_run = samovar(
        "pack", "--from-mlflow", f"runs:/{logged.run}/model", "--tag", "of-run", "--json",
        MLFLOW_TRACKING_URI=logged.server,
    ).json  # fmt: skip
    assert of_run["files"] == packed["files"]


def test_a_folder_is_packed_without_a_server(logged: Logged) -> None:
    packed = samovar("pack", "--from-mlflow", logged.folder, "--json").json
    assert packed["name"] == "model"
    assert packed["origin"]["facts"]["flavor"] == "sklearn"


def test_a_model_with_code_in_it_is_refused(logged: Logged, tmp_path: Path) -> None:
    folder = shutil.copytree(logged.folder, tmp_path / "hostile")

    class Attack:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, ("true",)

    (folder / "model.skops").write_bytes(pickle.dumps(Attack()))
    answer = samovar("pack", "--from-mlflow", folder, "--json", code=1)
    assert answer.error["code"] == "refused"
    assert "system" in answer.error["message"]


@pytest.mark.parametrize(
    ("name", "text", "code", "said"),
    [
        ("requirements.txt", "-e .\n", 2, "built and so executed"),
        ("requirements.txt", "--index-url http://127.0.0.1:9/\nnumpy\n", 2, "come from"),
        ("MLmodel", "flavors: {sklearn: {pickled_model: ../../secret}}\n", 3, "no path within"),
        ("MLmodel", "flavors: [1]\n", 2, "no flavors"),
        ("MLmodel", "[", 2, "not YAML"),
        ("MLmodel", "flavors: {spark: {model_data: sparkml}}\n", 2, "no single file"),
        ("input_example.json", "{", 2, "no example rows"),
        ("input_example.json", '{"columns": ["a", "b"], "data": [[1]]}', 2, "no example rows"),
    ],
)
def test_a_folder_that_is_wrong_is_said_and_leaves_nothing(
    logged: Logged, tmp_path: Path, name: str, text: str, code: int, said: str
) -> None:
    folder = shutil.copytree(logged.folder, tmp_path / "wrong")
    (folder / name).write_text(text)
    answer = samovar("pack", "--from-mlflow", folder, "--json", code=code)
    assert said in answer.error["message"]
    assert samovar("list", "--json").json == {"bundles": []}


def test_a_link_out_of_the_folder_is_not_followed(logged: Logged, tmp_path: Path) -> None:
    folder = shutil.copytree(logged.folder, tmp_path / "linked")
    secret = tmp_path / "secret"
    shutil.copy(folder / "model.skops", secret)
    (folder / "model.skops").unlink()
    (folder / "model.skops").symlink_to(secret)
    answer = samovar("pack", "--from-mlflow", folder, "--json", code=3)
    assert "leads out" in answer.error["message"]


def test_what_is_not_there_is_said(logged: Logged, tmp_path: Path) -> None:
    def refused(address: str | Path, code: int, **variables: str) -> dict[str, str]:
        return samovar("pack", "--from-mlflow", address, "--json", code=code, **variables).error

    server = {"MLFLOW_TRACKING_URI": logged.server}
    assert refused("models:/Toy/99", 2, **server)["code"] == "not_found"
    assert refused("models:/Nobody/latest", 2, **server)["code"] == "not_found"
    assert refused("runs:/0/model", 2, **server)["code"] == "not_found"
    assert refused("models:/Toy", 2, **server)["code"] == "invalid_reference"
    assert refused("models:/Toy/1", 2)["code"] == "no_tracking_uri"
    away = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    assert refused("models:/Toy/1", 3, **away)["code"] == "unavailable"
    assert refused(tmp_path, 2)["code"] == "not_found"


def test_example_rows_are_taken_from_the_line_where_the_model_has_none(
    logged: Logged, tmp_path: Path
) -> None:
    folder = shutil.copytree(logged.folder, tmp_path / "bare")
    (folder / "input_example.json").unlink()
    assert samovar("pack", "--from-mlflow", folder, "--json", code=2).error["code"] == "no_examples"
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([{"a": 1.0, "b": 2.0}]))
    packed = samovar("pack", "--from-mlflow", folder, "--examples", rows, "--json").json
    assert packed["receipt"]["rows"] == 1
