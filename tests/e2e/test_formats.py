"""Every format that a model may come in: packed, proven, served, equal to its library's answers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from cli import SAMOVAR, samovar
from samovar.model.audit import audit_file

TRAINER = Path(__file__).parents[1] / "data" / "format_models.py"
PINS = [
    "scikit-learn==1.7.2", "pandas==2.3.3", "skops==0.13.0", "cloudpickle==3.1.2",
    "skl2onnx==1.19.1", "protobuf<6", "onnxruntime==1.23.2", "lightgbm==4.6.0", "catboost==1.2.8",
    "xgboost-cpu==3.1.3" if sys.platform == "linux" else "xgboost==3.1.3",
]  # fmt: skip
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
# The folder of each model, and the format that the audit names.
FORMATS = {
    "pickle": "pickle", "joblib": "joblib", "cloudpickle": "pickle", "skops": "skops",
    "onnx": "onnx", "xgboost-ubj": "xgboost", "xgboost-json": "xgboost",
    "lightgbm": "lightgbm", "catboost": "catboost",
}  # fmt: skip


def write_toml(folder: Path, model: str, pins: list[str]) -> None:
    text = f"""
        [project]
        name = "{folder.name}"
        python = "{MINOR}"
        [model]
        {model}
        [examples]
        path = "examples.json"
        [environment]
        requirements = {json.dumps(pins)}
        platforms = ["linux/amd64"]
    """
    (folder / "samovar.toml").write_text(textwrap.dedent(text))


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A model in each format, all trained in one environment; the store is in ``home``."""
    folder = tmp_path_factory.mktemp("formats")
    environment = folder / "environment"
    environment.mkdir()
    write_toml(environment, 'path = "none"', PINS)
    venv = samovar("venv", "--json", cwd=environment, SAMOVAR_HOME=folder / "home").json
    subprocess.run([venv["python"], TRAINER, folder], check=True, timeout=120)
    for name in FORMATS:
        (model,) = (folder / name).glob("model.*")
        write_toml(folder / name, f'path = "{model.name}"', PINS)
        shutil.copy(environment / "pylock.toml", folder / name)
    return folder


def ask(url: str, rows: Any) -> Any:
    request = Request(f"{url}/predict", json.dumps(rows).encode())
    with urlopen(request, timeout=60) as response:
        return json.load(response)["predictions"]


def served(name: str, home: Path, rows: Any) -> Any:
    """Serve a bundle, ask it, end it."""
    server = subprocess.Popen(
        [SAMOVAR, "serve", name, "--port", "0", "--workers", "1", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"SAMOVAR_HOME": str(home), "PATH": "/usr/bin:/bin"},
        text=True,
    )
    try:
        assert server.stdout is not None
        return ask(json.loads(server.stdout.readline())["url"], rows)
    finally:
        server.terminate()
        assert server.wait(30) == 0
        server.stdout.close()


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_packed_proven_and_served(base, name):
    folder, home = base / name, base / "home"
    rows = json.loads((folder / "examples.json").read_text())
    answers = json.loads((folder / "answers.json").read_text())
    packed = samovar("pack", "--json", cwd=folder, SAMOVAR_HOME=home).json
    assert packed["audit"]["ok"]
    (model,) = folder.glob("model.*")
    assert audit_file(model).format == FORMATS[name]
    python = base / "environment" / ".venv" / "bin" / "python"
    verified = samovar("verify", name, "--python", python, "--json", SAMOVAR_HOME=home).json
    assert (verified["verdict"], verified["rows"]) == ("IDENTICAL", len(rows))
    assert served(name, home, rows) == answers


FACTORY = """
    import json
    from pathlib import Path

    import numpy as np

    class Scale:
        classes_ = np.array(["low", "high"])

        def __init__(self, factor):
            self.factor = factor

        def predict(self, rows):
            return self.classes_[(rows.sum(axis=1) * self.factor > 10).astype(int)]

    def make_model():
        return Scale(json.loads((Path(__file__).parent / "factor.json").read_text()))
"""


@pytest.fixture
def project(tmp_path) -> Path:
    folder = tmp_path / "scale"
    folder.mkdir()
    (folder / "scaling.py").write_text(textwrap.dedent(FACTORY))
    (folder / "factor.json").write_text("2.5")
    (folder / "examples.json").write_text("[[1, 2.5], [3, 4]]")
    write_toml(folder, 'factory = "scaling:make_model"', ["numpy==2.2.6"])
    return folder


def test_what_a_function_of_the_project_makes_is_a_model(project, tmp_path):
    packed = samovar("pack", "--json", cwd=project).json
    assert {file["path"] for file in packed["files"]} == {"scaling.py", "factor.json"}
    assert packed["signature"]["outputs"][0]["labels"] == ["low", "high"]
    shutil.move(project, tmp_path / "elsewhere")
    assert samovar("verify", "scale", "--json").json["verdict"] == "IDENTICAL"
    audit = samovar("audit", "scale", "--json").json
    assert (audit["format"], audit["globals"]) == ("python", ["scaling.make_model"])
    (tmp_path / "rows.json").write_text("[[1, 1], [9, 9]]")
    answer = samovar("predict", "scale", tmp_path / "rows.json", "--json").json
    assert answer["predictions"] == ["low", "high"]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ('factory = "scaling:nothing"', "nothing named nothing"),
        ('factory = "json:loads"', "json.py"),
        ('factory = "scaling"', "write module:name"),
        ('factory = "scaling:make_model"\npath = "x.pkl"', "not both"),
    ],
)
def test_a_factory_that_is_none_is_told(project, model, said):
    write_toml(project, model.replace("\n", "\n        "), ["numpy==2.2.6"])
    error = samovar("pack", "--json", cwd=project, code=2).error
    assert said in error["message"]


def test_a_module_of_the_environment_is_never_called_instead(project):
    """A file of the project does not stand before what the lock brings."""
    (project / "scaling.py").rename(project / "numpy.py")
    write_toml(project, 'factory = "numpy:array"', ["numpy==2.2.6"])
    error = samovar("pack", "--json", cwd=project, code=2).error
    assert error["code"] == "shadowed_module"
