"""Notebooks as training commands, executed by the real jupyter and papermill."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cli import samovar

REQUIREMENTS = Path(__file__).parents[2] / "requirements" / "notebooks.txt"
SETTINGS = """
[project]
name = "notebook"
python = "3.11"
[environment]
requirements = ["requirements.txt"]
platforms = ["linux/amd64"]
[train]
command = "jupyter execute train.ipynb"
code = ["train.ipynb"]
data = ["rows.csv"]
metrics = "out.json"
"""
READ = "import json\nrows = [float(line) for line in open('rows.csv')]"
SUM = "total = sum(rows)\ntotal"
WRITE = "json.dump({'total': total}, open('out.json', 'w'))"


def write_notebook(path: Path, *sources: str, printed: str = "") -> None:
    output = {"output_type": "stream", "name": "stdout", "text": [printed]}
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "id": "title", "metadata": {}, "source": ["# Training"]}
    ]
    cells += [
        {
            "cell_type": "code", "id": f"cell-{number}", "metadata": {}, "execution_count": None,
            "outputs": [output] if printed else [], "source": source.splitlines(keepends=True),
        }
        for number, source in enumerate(sources)
    ]  # fmt: skip
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    document = {
        "cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5,
    }  # fmt: skip
    path.write_text(json.dumps(document))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "notebook"
    folder.mkdir()
    (folder / "samovar.toml").write_text(SETTINGS)
    (folder / "rows.csv").write_text("1\n2\n4\n")
    shutil.copy(REQUIREMENTS, folder / "requirements.txt")
    write_notebook(folder / "train.ipynb", READ, SUM, WRITE)
    return folder


def train(project: Path, *words: str, code: int = 0) -> Any:
    return samovar(
        "train", *words, "--json", cwd=project, code=code, shows_traceback=code != 0
    ).json


def test_a_notebook_is_recorded_and_made_again_and_its_failing_cell_is_named(project: Path) -> None:
    document = train(project, "--name", "first")
    assert document["metrics"] == {"total": 7.0}
    assert document["warnings"] == []
    assert samovar("reproduce", "first", "--json").json["verdict"] == "IDENTICAL"

    write_notebook(project / "train.ipynb", READ + "  # as before", SUM, WRITE, printed="7.0\n")
    train(project, "--name", "printed")
    assert samovar("diff", "first", "printed", "--json").json == {"factors": []}

    write_notebook(project / "train.ipynb", READ, "pass", "pass\ntotal = rows[9]", WRITE)
    error = train(project, code=3)["error"]
    assert "cell 3 of train.ipynb, line 2: total = rows[9]" in error["message"]
    assert "IndexError: list index out of range" in error["message"]
    assert samovar("runs", "--json").json["runs"][-1]["name"] == "printed"


def test_papermill_names_its_cell_too(project: Path) -> None:
    settings = (project / "samovar.toml").read_text()
    command = settings.replace("jupyter execute train.ipynb", "papermill train.ipynb done.ipynb")
    (project / "samovar.toml").write_text(command)
    assert train(project)["metrics"] == {"total": 7.0}
    write_notebook(project / "train.ipynb", READ, "total = nothing", WRITE)
    error = train(project, code=3)["error"]
    assert "cell 2 of train.ipynb" in error["message"]
    assert "NameError: name 'nothing' is not defined" in error["message"]
