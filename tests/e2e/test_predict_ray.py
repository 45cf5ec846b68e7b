"""A folder scored on a Ray cluster of two nodes: the same files, the same bytes of answers."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pyarrow as arrow
import pytest
from pyarrow import parquet

from cli import copy_example, samovar

if TYPE_CHECKING:
    from pathlib import Path

    from engines.ray_cluster import RayCluster

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

COMMAND = "from samovar.cli.main import main; main()"


def test_a_folder_is_scored_by_the_nodes_as_it_is_here(
    tmp_path: Path, ray_cluster: RayCluster
) -> None:
    project, rows, home = copy_example(tmp_path / "web"), tmp_path / "rows", tmp_path / "home"
    samovar("init", "--yes", cwd=project, SAMOVAR_HOME=home)
    samovar("pack", cwd=project, SAMOVAR_HOME=home)
    (rows / "day=1").mkdir(parents=True)
    names = ["a.parquet", "b.parquet", "day=1/a.parquet", "z.parquet"]
    for number, name in enumerate(names):
        columns = {"pclass": [1, 2, 3], "male": [0, 1, number % 2], "adult": [1, 1, 0]}
        table = arrow.table({"id": [number] * 3, **columns, "age": [2.0, None, 30.0 + number]})
        parquet.write_table(table, rows / name)
    arguments = ["--keep", "id", "--method", "predict_proba", "--json"]
    here = tmp_path / "here"
    samovar("predict", "titanic", rows, "-o", here, *arguments, SAMOVAR_HOME=home)

    def on_ray(*more: Any, code: int = 0) -> Any:
        done = subprocess.run(
            [ray_cluster.tool.python, "-c", COMMAND, "predict", "titanic", rows, "-o",
             tmp_path / "there", "--executor", "ray", *arguments, *more],
            env={**ray_cluster.environment, "SAMOVAR_HOME": str(home)},
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    answer = on_ray()
    assert (answer["rows"], answer["files"], answer["done_before"]) == (12, 4, 0)
    for name in names:
        assert (tmp_path / "there" / name).read_bytes() == (here / name).read_bytes()
    assert len(ray_cluster.homes()) >= 1
    assert on_ray()["done_before"] == 4
    (tmp_path / "there" / names[0]).unlink()
    assert "--python" in on_ray("--python", ray_cluster.tool.python, code=2)["error"]["message"]
