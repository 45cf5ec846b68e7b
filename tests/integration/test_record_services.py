"""Runs beside the tools that teams have: an MLflow server, DVC with a local remote, a registry."""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
from typing import TYPE_CHECKING

import httpx
import pytest

from cli import samovar

if TYPE_CHECKING:
    from pathlib import Path

    from engines.registry import Registry
    from engines.tools import MlflowServer, Tool

pytestmark = pytest.mark.engine
SCRIPT = """
    import json
    rows = open("data/train.csv").read().split()[1:]
    json.dump({"mean": sum(map(float, rows)) / len(rows)}, open("out.json", "w"))
    open("preds.csv", "w").write("p\\n" + "\\n".join(rows) + "\\n")
    open("model.json", "w").write("{}")
"""
TOML = """
    [project]
    name = "toy"
    python = "3.11"
    [environment]
    requirements = []
    [train]
    command = "python train.py"
    code = ["train.py"]
    data = ["data/train.csv"]
    params = "params.json"
    metrics = "out.json"
    predictions = "preds.csv"
    outputs = ["model.json"]
"""


@pytest.fixture
def project(tmp_path) -> Path:
    folder = tmp_path / "toy"
    (folder / "data").mkdir(parents=True)
    for name, text in (
        ("train.py", SCRIPT),
        ("samovar.toml", TOML),
        ("params.json", '{"depth": 3}'),
        ("data/train.csv", "x\n1\n2\n6\n"),
    ):
        (folder / name).write_text(textwrap.dedent(text).lstrip())
    return folder


def test_mlflow_shows_the_run(project: Path, mlflow_server: MlflowServer) -> None:
    uri = mlflow_server.url
    document = samovar(
        "train", "--name", "first", "--json", cwd=project, MLFLOW_TRACKING_URI=uri
    ).json
    assert document["warnings"] == []
    api = f"{uri}/api/2.0/mlflow"
    experiment = httpx.get(
        f"{api}/experiments/get-by-name", params={"experiment_name": "toy"}
    ).json()["experiment"]["experiment_id"]
    (run,) = httpx.post(f"{api}/runs/search", json={"experiment_ids": [experiment]}).json()["runs"]
    tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    assert tags["samovar.run"] == "first"
    assert tags["samovar.digest"] == document["run"]
    assert run["data"]["metrics"][0]["value"] == 3.0
    assert run["data"]["params"] == [{"key": "depth", "value": "3"}]
    assert run["info"]["status"] == "FINISHED"
    files = httpx.get(
        f"{api}/artifacts/list", params={"run_id": run["info"]["run_id"], "path": "outputs"}
    ).json()["files"]
    assert "outputs/model.json" in {file["path"] for file in files}


def test_an_mlflow_server_that_is_away_costs_a_warning_and_not_the_run(project: Path) -> None:
    document = samovar(
        "train", "--json", cwd=project, MLFLOW_TRACKING_URI="http://127.0.0.1:9"
    ).json
    assert any("not logged to MLflow" in warning for warning in document["warnings"])
    assert len(samovar("runs", "--json").json["runs"]) == 1


def test_data_that_dvc_tracks_is_fetched(project: Path, dvc: Tool, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{dvc.bin}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }

    def run(*command: str) -> None:
        subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True)

    run("git", "init", "-q")
    run("dvc", "init", "-q")
    run("dvc", "remote", "add", "-d", "here", str(tmp_path / "remote"))
    run("dvc", "add", "-q", "data/train.csv")
    run("dvc", "push", "-q")
    (project / "data" / "train.csv").unlink()
    shutil.rmtree(project / ".dvc" / "cache")
    document = samovar("train", "--json", cwd=project, PATH=environment["PATH"]).json
    assert document["metrics"] == {"mean": 3.0}


def test_data_that_only_dvc_could_fetch_is_named_where_it_cannot(project: Path) -> None:
    (project / "data" / "train.csv").unlink()
    (project / "data" / "train.csv.dvc").write_text("outs:\n- path: train.csv\n")
    answer = samovar("train", "--json", cwd=project, code=2, PATH="/usr/bin:/bin")
    assert answer.error["code"] == "no_dvc"
    assert "data/train.csv" in answer.error["message"]


def test_a_run_goes_through_a_registry_into_an_empty_home(
    project: Path, registry: Registry, tmp_path: Path
) -> None:
    document = samovar("train", "--name", "shared", "--json", cwd=project).json
    reference = f"{registry.host}/team/toy-run:1"
    samovar("push", document["run"], reference)
    shutil.rmtree(project)
    empty = tmp_path / "empty"
    samovar("pull", reference, SAMOVAR_HOME=empty)
    again = samovar("reproduce", reference, "--json", cwd=tmp_path, SAMOVAR_HOME=empty).json
    assert again["verdict"] == "IDENTICAL"
    (listed,) = samovar("runs", "--json", SAMOVAR_HOME=empty).json["runs"]
    assert listed["run"] == document["run"]
