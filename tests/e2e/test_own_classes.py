"""Models made of a project's own classes: what is loaded, where, and after whose word."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from cli import samovar

MODULE = """
    import os

    import numpy as np

    class Doubler:
        '''Leaves a trace when it is unpickled.'''

        def __init__(self):
            self.factor = 2.0

        def __setstate__(self, state):
            self.__dict__ = state
            marker = os.environ.get("SAMOVAR_MARKER")
            if marker:
                open(marker, "a").write("loaded\\n")

        def predict(self, X):
            return np.asarray(X, dtype=float).sum(axis=1) * self.factor
"""
TOML = """
    [project]
    name = "doubler"
    python = "{python}"
    [model]
    path = "model.pkl"
    trusted = ["{trusted}"]
    [examples]
    path = "examples.json"
    [environment]
    requirements = {requirements}
    platforms = ["linux/amd64"]
"""
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
NUMPY = "numpy==2.2.6"


def make_project(
    folder: Path, module: str, *, requirements: str, trusted: str | None = None
) -> Path:
    """Write a project whose model is an instance of its own class."""
    folder.mkdir(parents=True, exist_ok=True)
    name = trusted if trusted is not None else f"{module}.Doubler"
    text = textwrap.dedent(TOML).format(python=MINOR, trusted=name, requirements=requirements)
    (folder / "samovar.toml").write_text(text)
    (folder / "examples.json").write_text("[[1, 2.5], [3, 4]]")
    # Written by hand, so that no NumPy is needed here: class, no arguments, state.
    state = pickle.dumps({"factor": 2.0}, protocol=2)[2:-1]
    stream = f"\x80\x02c{module}\nDoubler\n)\x81".encode("latin-1") + state + b"b."
    (folder / "model.pkl").write_bytes(stream)
    return folder


@pytest.fixture
def project(tmp_path) -> Path:
    folder = make_project(tmp_path / "doubler", "doubler", requirements=f'["{NUMPY}"]')
    (folder / "doubler.py").write_text(textwrap.dedent(MODULE))
    return folder


def bare_python(folder: Path, *packages: str) -> Path:
    uv = str(Path(sys.executable).parent / "uv")
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder)], check=True)
    python = folder / "bin" / "python"
    if packages:
        subprocess.run([uv, "pip", "install", "-q", "--python", str(python), *packages], check=True)
    return python


def test_nothing_is_unpickled_where_the_environment_does_not_answer_the_lock(project, tmp_path):
    marker = tmp_path / "marker"
    samovar("pack", cwd=project)
    for name, packages in (("without", ()), ("other", ("numpy==2.1.3",))):
        python = bare_python(tmp_path / name, *packages)
        answer = samovar(
            "verify", "doubler", "--python", python, "--json", code=3, SAMOVAR_MARKER=marker
        ).json
        assert answer["verdict"] == "CANNOT LOAD"
        found = None if not packages else "2.1.3"
        assert answer["environment"]["mismatches"] == [
            {"name": "numpy", "wanted": "2.2.6", "found": found}
        ]
        assert not marker.exists()
    samovar("verify", "doubler", SAMOVAR_MARKER=marker)
    assert marker.exists(), "the trace must show where the model is loaded"


def test_a_class_that_nobody_trusts_is_named_and_never_loaded(project, tmp_path):
    marker = tmp_path / "marker"
    text = (project / "samovar.toml").read_text().replace("doubler.Doubler", "other.Name")
    (project / "samovar.toml").write_text(text)
    answer = samovar("pack", "--json", cwd=project, code=1, SAMOVAR_MARKER=marker)
    assert answer.error["code"] == "refused"
    assert "doubler.Doubler" in answer.error["message"]
    assert not marker.exists()


def test_a_class_of_main_is_refused_with_a_hint(tmp_path):
    folder = make_project(tmp_path / "main", "__main__", requirements=f'["{NUMPY}"]', trusted="a.B")
    answer = samovar("pack", "--json", cwd=folder, code=1)
    assert "__main__" in answer.error["message"]
    assert "module" in answer.error["hint"]


def test_an_editable_package_travels_and_its_folder_may_be_gone(tmp_path):
    folder = make_project(tmp_path / "editable", "steps", requirements='["requirements.txt"]')
    package = folder / "package"
    (package / "src" / "steps").mkdir(parents=True)
    (package / "src" / "steps" / "__init__.py").write_text(textwrap.dedent(MODULE))
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "steps"\nversion = "1.0"\n'
    )
    (folder / "requirements.txt").write_text(f"-e ./package\n{NUMPY}\n")
    document = samovar("pack", "--json", cwd=folder).json
    assert any(file["path"].startswith("wheels/steps-1.0-") for file in document["files"])
    (package / "src" / "steps" / "__init__.py").unlink()
    package.rename(tmp_path / "gone")
    assert samovar("verify", "doubler", "--json", cwd=tmp_path).json["verdict"] == "IDENTICAL"
    (tmp_path / "rows.json").write_text("[[1, 1]]")
    answer = samovar("predict", "doubler", tmp_path / "rows.json", "--json", cwd=tmp_path).json
    assert answer["predictions"] == [4.0]
