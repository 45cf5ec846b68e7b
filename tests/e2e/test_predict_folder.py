"""Score a folder: a file for a file, in order, whole or not there, and on from where it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pyarrow as arrow
import pytest
from pyarrow import parquet

from cli import SAMOVAR, copy_example, samovar

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ["day=1/a.parquet", "day=1/b.parquet", "day=2/a.parquet", "last.parquet"]
ROWS = 50


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    base = tmp_path_factory.mktemp("folder")
    project = copy_example(base / "web")
    samovar("init", "--yes", cwd=project, SAMOVAR_HOME=base / "home")
    samovar("pack", cwd=project, SAMOVAR_HOME=base / "home")
    return base / "home"


def table(number: int) -> Any:
    return arrow.table(
        {
            "id": list(range(number * ROWS, (number + 1) * ROWS)),
            "pclass": [1 + (row + number) % 3 for row in range(ROWS)],
            "male": [(row * 7 + number) % 2 for row in range(ROWS)],
            "adult": [1] * ROWS,
            "age": [float(row) for row in range(ROWS)],
        }
    )


@pytest.fixture
def rows(tmp_path) -> Path:
    folder = tmp_path / "rows"
    for number, name in enumerate(NAMES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(table(number), folder / name)
    (folder / "_SUCCESS").touch()
    return folder


def predict(home: Path, *arguments: Any, **options: Any) -> Any:
    return samovar("predict", "titanic", *arguments, "--json", SAMOVAR_HOME=home, **options)


def test_each_file_gets_a_file_and_keeps_its_order(home, rows, tmp_path):
    out = tmp_path / "out"
    answer = predict(home, rows, "-o", out, "--keep", "id").json
    assert answer == {"rows": 4 * ROWS, "files": 4, "done_before": 0, "engine": "scikit-learn",
                      "output": str(out)}  # fmt: skip
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.parquet")) == NAMES
    for number, name in enumerate(NAMES):
        found = parquet.read_table(out / name)
        assert found["id"].to_pylist() == table(number)["id"].to_pylist()
        alone = predict(home, rows / name).json["predictions"]
        assert found["prediction"].to_pylist() == alone
    again = predict(home, rows, "-o", out, "--keep", "id").json
    assert (again["rows"], again["files"], again["done_before"]) == (0, 0, 4)


def test_a_second_run_writes_what_is_missing_and_nothing_else(home, rows, tmp_path):
    out = tmp_path / "out"
    predict(home, rows, "-o", out)
    (out / NAMES[2]).unlink()
    (out / "day=1" / ".unfinished-x").write_bytes(b"left by a kill")
    kept = {name: (out / name).stat().st_mtime_ns for name in NAMES if name != NAMES[2]}
    answer = predict(home, rows, "-o", out).json
    assert (answer["rows"], answer["files"], answer["done_before"]) == (ROWS, 1, 3)
    assert {name: (out / name).stat().st_mtime_ns for name in kept} == kept
    assert not list(out.rglob(".unfinished-*"))


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_an_ended_run_is_gone_on_with(home, tmp_path, how, code):
    rows, out = tmp_path / "many", tmp_path / "out"
    rows.mkdir()
    names = [f"{number:03}.parquet" for number in range(300)]
    for number, name in enumerate(names):
        parquet.write_table(table(number), rows / name)
    with subprocess.Popen(
        [SAMOVAR, "predict", "titanic", str(rows), "-o", str(out)],
        env={**os.environ, "SAMOVAR_HOME": str(home)},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        while process.poll() is None and not (out / names[3]).exists():
            time.sleep(0.005)
        os.killpg(process.pid, how) if how == signal.SIGKILL else process.send_signal(how)
    assert process.returncode == code
    done = [name for name in names if (out / name).exists()]
    assert 0 < len(done) < len(names)
    for name in done:
        assert parquet.read_table(out / name).num_rows == ROWS
    answer = predict(home, rows, "-o", out).json
    assert (answer["files"], answer["done_before"]) == (len(names) - len(done), len(done))
    assert all(parquet.read_table(out / name).num_rows == ROWS for name in names)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda rows: parquet.write_table(table(9), rows / NAMES[1]),
            "day=1/b.parquet was changed",
        ),
        (lambda rows: (rows / NAMES[3]).unlink(), "last.parquet is gone"),
        (lambda rows: parquet.write_table(table(9), rows / "new.parquet"), "new.parquet is new"),
    ],
)
def test_changed_inputs_are_refused(home, rows, tmp_path, change, said):
    out = tmp_path / "out"
    predict(home, rows, "-o", out)
    (out / NAMES[0]).unlink()
    change(rows)
    error = predict(home, rows, "-o", out, code=2).error
    assert error["code"] == "changed"
    assert said in error["message"]
    assert "start anew" in error["hint"]
    assert not (out / NAMES[0]).exists()


def test_another_bundle_or_method_is_refused(home, rows, tmp_path):
    out = tmp_path / "out"
    predict(home, rows, "-o", out)
    error = predict(home, rows, "-o", out, "--method", "predict_proba", code=2).error
    assert "Another method" in error["message"]
    state = out / ".samovar-predict.json"
    document = json.loads(state.read_text())
    state.write_text(json.dumps({**document, "bundle": "sha256:" + "0" * 64}))
    assert "the bundle was" in predict(home, rows, "-o", out, code=2).error["message"].lower()
    state.write_text("[")
    assert "cannot be read" in predict(home, rows, "-o", out, code=2).error["message"]


def test_a_wrong_row_is_named_with_its_file_and_what_was_finished_stays(home, rows, tmp_path):
    out = tmp_path / "out"
    wrong = table(2).set_column(2, "male", [["x"] * ROWS])
    parquet.write_table(wrong, rows / NAMES[2])
    error = predict(home, rows, "-o", out, code=2).error
    assert "a.parquet" in error["message"]
    assert "'male'" in error["message"]
    assert (out / NAMES[0]).exists()
    assert not (out / NAMES[2]).exists()


def test_wrong_use_is_told(home, rows, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "a.xlsx").touch()
    for arguments, said in [
        ([rows], "into a folder"),
        ([tmp_path / "empty", "-o", tmp_path / "out"], "has no files"),
        ([tmp_path / "strange", "-o", tmp_path / "out"], "a.xlsx"),
        ([rows, "-o", rows / "out"], "in one another"),
        ([rows, "-o", tmp_path / "file"], "no folder"),
        ([rows / NAMES[0], "-o", tmp_path / "a.csv", "--executor", "ray"], "a folder of files"),
    ]:
        assert said in predict(home, *arguments, code=2).error["message"]
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "last.parquet").touch()
    assert "is there already" in predict(
        home, rows, "-o", tmp_path / "taken", code=2).error["message"]  # fmt: skip
