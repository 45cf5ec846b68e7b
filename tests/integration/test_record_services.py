"""Runs beside the tools that teams have: an MLflow server, DVC with a local remote, a registry."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest

from cli import samovar
from toy import make_toy

if TYPE_CHECKING:
    from pathlib import Path

    from engines.registry import Registry
    from engines.tools import MlflowServer, Tool

pytestmark = pytest.mark.engine

_PATIENCE_S = 60  # a busy machine is no failure


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_toy(tmp_path / "toy")


def test_mlflow_shows_the_run(project: Path, mlflow_server: MlflowServer) -> None:
    uri = mlflow_server.url
    document = samovar(
        "train", "--name", "first", "--json", cwd=project, MLFLOW_TRACKING_URI=uri
    ).json
    assert document["warnings"] == []
    api = f"{uri}/api/2.0/mlflow"
    experiment = httpx.get(
        f"{api}/experiments/get-by-name", params={"experiment_name": "toy"}, timeout=_PATIENCE_S
    ).json()["experiment"]["experiment_id"]
    found = httpx.post(
        f"{api}/runs/search", json={"experiment_ids": [experiment]}, timeout=_PATIENCE_S
    )
    (run,) = found.json()["runs"]
    tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    assert tags["samovar.run"] == "first"
    assert tags["samovar.digest"] == document["run"]
    logged = {metric["key"]: metric["value"] for metric in run["data"]["metrics"]}
    assert logged == document["metrics"]
    params = {param["key"]: param["value"] for param in run["data"]["params"]}
    assert params == {"seed": "1", "model.scale": "2.0"}
    assert run["info"]["status"] == "FINISHED"
    files = httpx.get(
        f"{api}/artifacts/list",
        params={"run_id": run["info"]["run_id"], "path": "outputs/models"},
        timeout=_PATIENCE_S,
    ).json()["files"]
    assert "outputs/models/model.json" in {file["path"] for file in files}


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
    assert document["metrics"]["n"] == 3


def test_data_that_only_dvc_could_fetch_is_named_where_it_cannot(project: Path) -> None:
    (project / "data" / "train.csv").unlink()
    (project / "data" / "train.csv.dvc").write_text("outs:\n- path: train.csv\n")
    answer = samovar("train", "--json", cwd=project, code=2, PATH="/usr/bin:/bin")
    assert answer.error["code"] == "no_dvc"
    assert "data/train.csv" in answer.error["message"]


def test_a_run_goes_by_its_name_through_a_registry_into_an_empty_home(
    project: Path, registry: Registry, tmp_path: Path
) -> None:
    run = samovar("train", "--name", "shared", "--json", cwd=project).json["run"]
    reference = f"{registry.host}/team/toy-run:1"
    assert samovar("push", "shared", reference, "--json").json["digest"] == run
    again = samovar("push", run.removeprefix("sha256:")[:8], reference, "--json").json
    assert again["uploaded_bytes"] == 0
    shutil.rmtree(project)
    empty = tmp_path / "empty"
    samovar("pull", reference, SAMOVAR_HOME=empty)
    for name in ("shared", reference):
        again = samovar("reproduce", name, "--json", cwd=tmp_path, SAMOVAR_HOME=empty).json
        assert again["verdict"] == "IDENTICAL"
    (listed,) = samovar("runs", "--json", SAMOVAR_HOME=empty).json["runs"]
    assert (listed["run"], listed["name"]) == (run, "shared")


def test_a_run_that_only_a_registry_has_is_pulled_by_whoever_needs_it(
    project: Path, registry: Registry, tmp_path: Path
) -> None:
    samovar("train", "--name", "one", cwd=project)
    samovar("train", "--name", "two", "--set", "model.scale=3", cwd=project)
    one, two = (f"{registry.host}/team/{name}:1" for name in ("one", "two"))
    samovar("push", "one", one)
    samovar("push", "two", two)
    empty = tmp_path / "empty"
    factors = samovar("diff", one, two, "--json", SAMOVAR_HOME=empty).json["factors"]
    assert [factor["factor"] for factor in factors] == ["param:model.scale"]
    missing = f"{registry.host}/team/three:1"
    samovar("reproduce", missing, "--json", code=2, SAMOVAR_HOME=empty)
    samovar("reproduce", missing, "--offline", "--json", code=2, SAMOVAR_HOME=empty)


def test_a_run_travels_in_a_tar_and_is_removed_by_its_name(project: Path, tmp_path: Path) -> None:
    run = samovar("train", "--name", "first", "--json", cwd=project).json["run"]
    samovar("save", "first", tmp_path / "run.tar")
    samovar("remove", "first")
    assert samovar("runs", "--json").json == {"runs": []}
    samovar("load", tmp_path / "run.tar")
    assert samovar("runs", "--json").json["runs"][0]["run"] == run
