"""``samovar init`` on folders as people have them: ``tests/projects/CASE``, and hostile ones."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli import EXAMPLE, SAMOVAR, copy_example, samovar

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECTS = Path(__file__).parents[1] / "projects"
CASES = sorted(path.name for path in PROJECTS.iterdir() if (path / "case.json").is_file())
MODEL = EXAMPLE / "models" / "model.pkl"


def make(folder: Path, *models: str, **files: str) -> Path:
    """Make a folder with copies of the example's model, and texts by name (``__`` is a dot)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in models:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(MODEL, folder / name)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return folder


def snapshot(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def values(folder: Path) -> dict[str, Any]:
    """Give the values of ``samovar.toml`` by dotted key."""
    document = tomllib.loads((folder / "samovar.toml").read_text(encoding="utf-8"))
    return {f"{section}.{key}": value for section, keys in document.items()
            for key, value in keys.items()}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_folders_as_people_have_them(name, tmp_path):
    case = json.loads((PROJECTS / name / "case.json").read_text(encoding="utf-8"))
    folder = tmp_path / case.get("folder_name", "web")
    shutil.copytree(PROJECTS / name / "folder", folder)
    make(folder, *case.get("models", []))
    before = snapshot(folder)
    answer = samovar(
        "init", folder, "--yes", "--json", *case.get("arguments", []),
        code=case.get("exit", 0), VIRTUAL_ENV="",
    )  # fmt: skip
    after = snapshot(folder)
    if "exit" in case:
        assert answer.error["code"] == case["code"]
        assert [said for said in case["said"] if said not in answer.error["message"]] == []
        assert case.get("hint", "") in answer.error["hint"]
        assert answer.error["hint"]
        assert after == before
        return
    written = set(answer.json["written"])
    assert written == {path for path in after if before.get(path) != after[path]}
    found = values(folder)
    assert {key: found.get(key) for key in case.get("toml", {})} == case.get("toml", {})
    told = "\n".join(answer.json["notes"])
    assert [note for note in case.get("notes", []) if note not in told] == []
    if "examples" in case:
        assert json.loads(after["examples.json"]) == case["examples"]
    text = after["samovar.toml"].decode()
    assert [line for line in case.get("keeps", []) if line not in text] == []
    if case.get("line_ends") == "\r\n":
        for path in ("samovar.toml", ".gitignore"):
            assert after[path].count(b"\n") == after[path].count(b"\r\n")
            assert after[path].startswith(before[path])
    again = samovar("init", folder, "--yes", "--json", VIRTUAL_ENV="").json
    assert again["written"] == []
    assert snapshot(folder) == after


def test_the_example_is_adopted_as_the_tutorial_says(tmp_path):
    folder = copy_example(tmp_path / "web")
    before = snapshot(folder)
    document = samovar("init", "--yes", "--json", cwd=folder).json
    assert document["project"] == "titanic"
    assert document["written"] == ["samovar.toml", ".gitignore"]
    found = values(folder)
    assert found["model.path"] == "models/model.pkl"
    assert found["service.app"] == "server:app"
    assert found["project.python"] == "3.11"
    assert found["environment.requirements"] == ["requirements.txt"]
    assert found["examples.path"] == "examples.json"
    assert "*venv/" in (folder / ".gitignore").read_text().splitlines()
    assert {path: snapshot(folder)[path] for path in before} == before


def test_rows_come_from_the_client_where_there_are_no_examples(tmp_path):
    folder = copy_example(tmp_path / "web")
    (folder / "examples.json").unlink()
    document = samovar("init", "--yes", "--json", cwd=folder).json
    assert "examples.json" in document["written"]
    assert json.loads((folder / "examples.json").read_text()) == [[1, 0, 1, 24]]


def test_nothing_is_imported_executed_or_unpickled(tmp_path):
    trace = tmp_path / "trace"
    leave = f"open({str(trace)!r}, 'w').close()\n"
    folder = make(
        tmp_path / "web", "models/model.pkl", server__py=f"{leave}app = None\n",
        setup__py=leave, conftest__py=leave, sitecustomize__py=leave, sklearn__py=leave,
    )  # fmt: skip

    class Hostile:
        def __reduce__(self):
            return (exec, (leave,))

    (folder / "hostile.pkl").write_bytes(pickle.dumps(Hostile()))
    for arguments in (["--model", "models/model.pkl"], ["--model", "hostile.pkl"]):
        samovar("init", "--yes", *arguments, cwd=folder)
    assert not trace.exists()


def test_a_hostile_model_is_told_of(tmp_path):
    folder = make(tmp_path / "web")
    (folder / "model.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    notes = samovar("init", folder, "--yes", "--json").json["notes"]
    assert any("os.system" in note and "refuse" in note for note in notes)


def test_a_truncated_model_is_said_and_nothing_is_written(tmp_path):
    folder = make(tmp_path / "web", "model.pkl")
    whole = (folder / "model.pkl").read_bytes()
    (folder / "model.pkl").write_bytes(whole[: len(whole) // 2])
    before = snapshot(folder)
    for arguments in ([], ["--model", "model.pkl"]):
        error = samovar("init", folder, "--yes", "--json", *arguments, code=2).error
        assert "model.pkl" in error["message"]
        assert snapshot(folder) == before


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_links_out_of_the_project_are_neither_followed_nor_written_through(tmp_path):
    outside = make(tmp_path / "outside", "model.pkl", bashrc="alias ls=ls\n")
    folder = make(tmp_path / "web", requirements__txt="scikit-learn==1.7.2\n")
    (folder / "model.pkl").symlink_to(outside / "model.pkl")
    error = samovar("init", folder, "--yes", "--json", code=2).error
    assert "leads out of the project" in error["message"]
    shutil.copy(MODEL, folder / "own.pkl")
    (folder / ".gitignore").symlink_to(outside / "bashrc")
    samovar("init", folder, "--yes", "--json", code=2)
    assert (outside / "bashrc").read_text() == "alias ls=ls\n"
    assert not (folder / "samovar.toml").exists()


def test_what_the_command_line_says_changes_what_stands_there(tmp_path):
    folder = make(tmp_path / "web", "a.pkl", "b.pkl", requirements__txt="scikit-learn==1.7.2\n")
    samovar("init", folder, "--yes", "--model", "a.pkl", "--name", "first")
    text = (folder / "samovar.toml").read_text().replace("[model]", "[model]  # mine")
    (folder / "samovar.toml").write_text(text)
    samovar("init", folder, "--yes", "--model", "b.pkl", "--app", "web.api:make()")
    found = values(folder)
    assert found["project.name"] == "first"
    assert found["model.path"] == "b.pkl"
    assert found["service.app"] == "web.api:make()"
    assert "[model]  # mine" in (folder / "samovar.toml").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--name", "Not A Name"],
        ["--name", "../up"],
        ["--python", "2.7"],
        ["--python", "3.9"],
        ["--app", "no application"],
        ["--model", "absent.pkl"],
        ["--model", "../outside.pkl"],
        ["--examples", "absent.json"],
    ],
)
def test_wrong_wishes_change_nothing(tmp_path, arguments):
    make(tmp_path, "outside.pkl")
    folder = make(tmp_path / "web", "model.pkl", requirements__txt="scikit-learn==1.7.2\n")
    before = snapshot(folder)
    answer = samovar("init", folder, "--yes", "--json", *arguments, code=2)
    assert answer.error["hint"]
    assert snapshot(folder) == before


def test_pins_are_proposed_from_the_interpreter_that_is_named(tmp_path):
    folder = make(tmp_path / "web", "model.pkl", use__py="import numpy, click, absent_thing\n")
    samovar("init", folder, "--yes", "--python", sys.executable)
    import click
    import numpy as np

    proposed = values(folder)["environment.requirements"]
    assert f"numpy=={np.__version__}" in proposed
    assert any(one.startswith("click==") for one in proposed), click.__name__
    assert "scikit-learn==1.7.2" in proposed
    assert values(folder)["project.python"] == ".".join(map(str, sys.version_info[:2]))


@pytest.mark.skipif(os.name == "nt", reason="there is no pseudo-terminal")
def test_a_terminal_is_asked_which_model(tmp_path):
    import pty

    folder = make(tmp_path / "web", "a.pkl", "b.pkl", requirements__txt="scikit-learn==1.7.2\n")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [SAMOVAR, "init", str(folder)],
        stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, b"b.pkl\n")
    _, err = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 0, err
    assert "Which one" in err
    assert values(folder)["model.path"] == "b.pkl"


def test_environments_and_modules_of_others_are_not_looked_into(tmp_path):
    folder = make(tmp_path / "web", "model.pkl", requirements__txt="scikit-learn==1.7.2\n")
    for parent in ("node_modules/x", "venv/lib/site-packages/y", "odd/lib", ".cache/z"):
        for number in range(50):
            deep = folder / parent / str(number)
            deep.mkdir(parents=True)
            (deep / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
            (deep / "other.pkl").write_bytes(MODEL.read_bytes())
    (folder / "odd" / "pyvenv.cfg").write_text("version = 3.12.1\n")
    samovar("init", folder, "--yes", VIRTUAL_ENV="")
    found = values(folder)
    assert found["model.path"] == "model.pkl"
    assert "service.app" not in found
    assert found["project.python"] == "3.12"


def test_the_commented_training_section_trains_where_it_is_uncommented(tmp_path):
    folder = copy_example(tmp_path / "web")
    samovar("init", "--yes", cwd=folder)
    path = folder / "samovar.toml"
    before, mark, after = path.read_text(encoding="utf-8").partition("# [train]")
    uncommented = [line.removeprefix("# ") for line in (mark + after).splitlines()]
    path.write_text(before + "\n".join(uncommented) + "\n", encoding="utf-8")
    found = values(folder)
    assert found["train.data"] == ["data/titanic.csv"]
    assert found["train.metrics"] == "out.json"
    assert found["train.predictions"] == "preds.npy"
    answer = samovar("train", "--set", "C=0.5", "--json", cwd=folder)
    assert set(answer.json["metrics"]) == {"accuracy", "precision"}
