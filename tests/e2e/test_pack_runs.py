"""A bundle of what a run wrote: it knows on which data and with what its model was trained."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from cli import copy_example, samovar
from toy import make_toy, train

if TYPE_CHECKING:
    from pathlib import Path

TRAIN = """
[train]
command = "python train.py"
code = ["train.py"]
data = ["data/titanic.csv"]
params_env = "PARAMS"
metrics = "out.json"
predictions = "preds.npy"
outputs = ["models/model.pkl"]
mlflow = "http://ada:secret@127.0.0.1:9"
"""


@pytest.fixture
def web(tmp_path: Path) -> Path:
    folder = copy_example(tmp_path / "web")
    samovar("init", "--yes", cwd=folder)
    settings = folder / "samovar.toml"
    settings.write_text(settings.read_text().partition("# [train]")[0] + TRAIN)
    return folder


def test_a_run_is_packed_from_its_record_alone_and_tells_its_story(web: Path, tmp_path: Path):
    run = train(web, "--name", "first", "--set", "C=2.0")
    data = samovar("runs", "show", "first", "--json").json["data"]
    shutil.rmtree(web)
    packed = samovar("pack", "first", "--json", cwd=tmp_path).json
    assert packed["name"] == "titanic"
    assert {file["path"] for file in packed["files"]} >= {"models/model.pkl", "server.py"}
    assert samovar("verify", packed["name"], "--json").json["verdict"] == "IDENTICAL"

    shown = samovar("inspect", packed["name"], "--json").json
    origin = shown["origin"]
    assert (origin["kind"], origin["run"], origin["name"]) == ("run", run["run"], "first")
    assert origin["metrics"] == run["metrics"]
    assert origin["params"] == {"C": 2.0}
    assert [file["digest"] for file in origin["data"]] == [data[0]["digest"]]
    assert origin["packages"]["scikit-learn"]
    trained_on = shown["receipt"]["trained_on"]
    assert trained_on["run"] == run["run"]
    assert trained_on["data"] == [{"path": "data/titanic.csv", "digest": data[0]["digest"]}]

    story = " ".join(samovar("inspect", packed["name"]).out.split())
    for said in ("python train.py", "data/titanic.csv", "C 2.0", "accuracy", "scikit-learn"):
        assert said in story
    assert "secret" not in story

    again = samovar("pack", run["run"], "--tag", "other", "--json", cwd=tmp_path).json
    assert (again["digest"], again["reused"]) == (packed["digest"], True)


def test_nothing_secret_of_the_settings_is_kept_with_a_run(web: Path, tmp_path: Path):
    train(web, "--name", "first")
    kept = samovar("runs", "show", "first", "--json").json["kept"]
    assert {file["path"] for file in kept} >= {"samovar.toml", "server.py", "examples.json"}
    samovar("save", "first", tmp_path / "run.tar")
    assert b"secret" not in (tmp_path / "run.tar").read_bytes()


def test_what_a_run_cannot_be_packed_for_is_said(tmp_path: Path):
    toy = make_toy(tmp_path / "toy")
    train(toy, "--name", "plain")
    rows = tmp_path / "rows.json"
    rows.write_text("[[1.0]]")

    def refused(*arguments: str | Path, code: int = 2) -> dict[str, str]:
        return samovar("pack", *arguments, "--json", cwd=tmp_path, code=code).error

    assert "models/model.json" in refused("plain", "--examples", rows)["message"]
    assert refused("plain", "--model", "nope.pkl")["code"] == "no_model"
    assert refused("nothing-like-it")["code"] == "not_found"
    assert refused("toy", "--model", "models/model.json")["code"] == "wrong_use"
    (toy / "train.py").write_text("raise SystemExit(1)\n")
    samovar("train", cwd=toy, code=3)
    (failed,) = samovar("runs", "--failed", "--json").json["runs"]
    assert "failed" in refused(failed["run"])["message"]


def test_a_run_without_example_rows_takes_them_from_the_line(web: Path, tmp_path: Path):
    settings = web / "samovar.toml"
    settings.write_text(settings.read_text().replace('path = "examples.json"', ""))
    rows = tmp_path / "rows.json"
    shutil.move(web / "examples.json", rows)
    train(web, "--name", "first")
    assert samovar("pack", "first", "--json", code=2).error["code"] == "no_examples"
    packed = samovar("pack", "first", "--examples", rows, "--json").json
    assert packed["receipt"]["rows"] == len(json.loads(rows.read_text()))
    assert "given-examples.json" not in {file["path"] for file in packed["files"]}
