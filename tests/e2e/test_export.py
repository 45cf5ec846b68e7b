"""Exported files answer the receipt in their own format's runtime, or are not written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli import EXAMPLE, samovar

TRAINER = Path(__file__).parents[1] / "data" / "export_models.py"
TOML = """
[project]
name = "{name}"
python = "{python}"
[model]
path = "{model}"
[examples]
path = "examples.json"
[environment]
requirements = {pins}
platforms = ["linux/amd64"]
"""
PINS = ("scikit-learn==1.7.2", "pandas==2.3.3")
"""Releases that all three converters know; the newest of scikit-learn, JPMML refuses by name."""


def write_toml(
    folder: Path, name: str, model: str = "model.pkl", pins: tuple[str, ...] = PINS
) -> None:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    text = TOML.format(name=name, python=python, model=model, pins=json.dumps(pins))
    (folder / "samovar.toml").write_text(text)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """Models that were trained and packed in one environment; the store is in ``home``."""
    folder = tmp_path_factory.mktemp("export")
    environment = folder / "environment"
    environment.mkdir()
    write_toml(environment, "environment")
    venv = samovar("venv", "--json", cwd=environment, SAMOVAR_HOME=folder / "home").json
    subprocess.run(
        [venv["python"], TRAINER, folder, EXAMPLE / "data" / "titanic.csv"], check=True, timeout=120
    )
    for name in ("titanic", "forest", "boosted", "texts"):
        shutil.copy(environment / "pylock.toml", folder / name)
        write_toml(folder / name, name)
        samovar("pack", cwd=folder / name, SAMOVAR_HOME=folder / "home")
    return folder


def export(base: Path, name: str, output: Path, *more: str, code: int = 0) -> Any:
    form = output.suffix.removeprefix(".")
    return samovar(
        "export", name, "--format", form, "-o", output, *more, "--json", code=code,
        SAMOVAR_HOME=base / "home",
    ).json  # fmt: skip


@pytest.mark.parametrize(
    ("name", "form", "precision"),
    [
        ("titanic", "onnx", "double"),
        ("titanic", "skops", "double"),
        ("titanic", "pmml", "double"),
        ("boosted", "onnx", "single"),
        ("texts", "onnx", "single"),
    ],
)
def test_what_is_written_answers_the_receipt(base, tmp_path, name, form, precision):
    output = tmp_path / f"model.{form}"
    answer = export(base, name, output)
    assert (answer["path"], answer["format"]) == (str(output), form)
    assert answer["verdict"] in ({"IDENTICAL"} if form == "skops" else {"IDENTICAL", "EQUIVALENT"})
    rows = json.loads((base / name / "examples.json").read_text())
    assert (answer["rows"], answer["labels_changed"]) == (len(rows), 0)
    assert answer["precision"] == precision
    assert answer["max_relative_difference"] <= {"double": 1e-12, "single": 1e-5}[precision]
    assert answer["neighbours"]["rows"] == (0 if name == "texts" else 2 * len(rows))
    assert output.stat().st_size > 0


def test_a_forest_whose_inputs_sit_on_its_thresholds_is_not_called_equal(base, tmp_path):
    """scikit-learn rounds to float32 before it compares; a graph in double precision does not."""
    output = tmp_path / "model.onnx"
    answer = export(base, "forest", output, code=1)
    assert (answer["verdict"], answer["path"]) == ("DIFFERENT", None)
    assert answer["max_relative_difference"] > 1e-3
    assert answer["differences"]
    said = samovar(
        "export", "forest", "--format", "onnx", "-o", output, code=1, SAMOVAR_HOME=base / "home"
    )
    assert "Nothing was written" in said.out
    assert "--precision single" in said.out
    assert list(tmp_path.iterdir()) == []
    assert export(base, "forest", output, "--precision", "single")["labels_changed"] == 0


def test_what_a_format_lacks_is_said_and_nothing_is_written(base, tmp_path):
    error = export(base, "texts", tmp_path / "model.pmml", code=2)["error"]
    assert error["code"] == "cannot_convert"
    assert "texts" in error["message"]
    assert "skops" in error["hint"]
    assert list(tmp_path.iterdir()) == []


def test_wrong_use_is_told_before_any_work(base, tmp_path):
    answer = export(base, "titanic", tmp_path / "none" / "model.onnx", code=2)
    assert "no folder" in answer["error"]["message"]
    (tmp_path / "folder.onnx").mkdir()
    answer = export(base, "titanic", tmp_path / "folder.onnx", code=2)
    assert "is a folder" in answer["error"]["message"]
    answer = samovar("export", "titanic", "--format", "tflite", "-o", "x", "--json", code=2)
    assert "tflite" in answer.error["message"]


def test_an_exported_graph_is_the_same_each_time_and_can_be_packed(base, tmp_path):
    folder = base / "again"
    folder.mkdir()
    export(base, "titanic", folder / "model.onnx")
    export(base, "titanic", tmp_path / "model.onnx", "--offline")
    assert (folder / "model.onnx").read_bytes() == (tmp_path / "model.onnx").read_bytes()
    write_toml(folder, "again", "model.onnx", ("onnxruntime==1.23.2", "pandas==2.3.3"))
    shutil.copy(base / "titanic" / "examples.json", folder)
    packed = samovar("pack", "--json", cwd=folder, SAMOVAR_HOME=base / "home").json
    assert packed["audit"]["ok"]
    verified = samovar("verify", "again", "--json", SAMOVAR_HOME=base / "home").json
    assert verified["verdict"] == "IDENTICAL"
    answers = [
        samovar(
            "predict", name, folder / "examples.json", "--json", SAMOVAR_HOME=base / "home"
        ).json["predictions"]
        for name in ("again", "titanic")
    ]
    assert answers[0] == answers[1]


@pytest.mark.engine
def test_another_language_replays_the_receipt(base, tmp_path, onnx_client):
    model, receipt = tmp_path / "model.onnx", tmp_path / "receipt.json"
    for name in ("titanic", "boosted"):
        export(base, name, model, "--receipt", receipt)
        rows = len(json.loads((base / name / "examples.json").read_text()))
        answer = replay(onnx_client, model, receipt)
        assert answer == (0, {"rows": rows, "labels_changed": 0, "max_relative_difference": 0})
    altered = json.loads(receipt.read_text())
    labels = altered["outputs"][0]["data"]
    labels[3] = {"over": "under", "under": "over"}[labels[3]]
    receipt.write_text(json.dumps(altered))
    code, answer = replay(onnx_client, model, receipt)
    assert (code, answer["labels_changed"]) == (1, 1)


def replay(client: Path, model: Path, receipt: Path) -> tuple[int, Any]:
    done = subprocess.run(
        ["node", "client.mjs", model, receipt],
        cwd=client,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode in {0, 1}, done.stderr
    return done.returncode, json.loads(done.stdout)
