"""The example does what its README says, in the environment that its requirements.txt names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli import EXAMPLE
from samovar.env.interpreters import find_interpreter

BIN = "Scripts" if os.name == "nt" else "bin"


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """The interpreter of a fresh environment made of the example's requirements.txt."""
    environment = tmp_path_factory.mktemp("example") / "venv"
    uv = str(Path(sys.executable).with_name("uv"))
    base = find_interpreter("3.11").path
    subprocess.run([uv, "venv", "-q", "--python", str(base), str(environment)], check=True)
    made = environment / BIN / "python"
    requirements = EXAMPLE / "requirements.txt"
    subprocess.run(
        [uv, "pip", "install", "-q", "--python", str(made), "-r", str(requirements)], check=True
    )
    return made


def train(python: Path, folder: Path, **variables: str) -> Path:
    """Train in a copy of the example from which everything that training makes is gone."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("models", "out.json", "*.npy"))
    environment = {**os.environ, **variables}
    subprocess.run([str(python), "train.py"], cwd=folder, env=environment, check=True)
    return folder


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "1", "LC_ALL": "C"},
        {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "1"},
        {"OPENBLAS_CORETYPE": "Prescott"},
    ],
    ids=["as it is", "elsewhere", "one processor", "another processor"],
)
def test_training_makes_the_very_same_model(python, tmp_path, variables):
    folder = train(python, tmp_path / "web", **variables)
    made = (folder / "models" / "model.pkl").read_bytes()
    assert made == (EXAMPLE / "models" / "model.pkl").read_bytes()
    metrics = json.loads((folder / "out.json").read_text())
    assert set(metrics) == {"accuracy", "precision"}
    assert 0.7 < metrics["accuracy"] < 1
    assert (folder / "preds.npy").is_file()


def test_parameters_make_another_model(python, tmp_path):
    folder = train(python, tmp_path / "web", PARAMS='{"C": 0.01}')
    made = (folder / "models" / "model.pkl").read_bytes()
    assert made != (EXAMPLE / "models" / "model.pkl").read_bytes()


def test_the_environment_is_what_pip_freeze_says(python):
    uv = str(Path(sys.executable).with_name("uv"))
    frozen = subprocess.run(
        [uv, "pip", "freeze", "--python", str(python)],
        check=True, capture_output=True, encoding="utf-8",
    ).stdout  # fmt: skip
    wanted = (EXAMPLE / "requirements.txt").read_text()
    assert sorted(frozen.lower().split()) == sorted(wanted.lower().split())


def test_every_example_row_is_a_passenger():
    rows = json.loads((EXAMPLE / "examples.json").read_text())
    assert len(rows) >= 20
    for pclass, male, adult, age in rows:
        assert pclass in {1, 2, 3}
        assert male in {0, 1}
        assert adult in {0, 1}
        assert age is None or 0 < age <= 80
