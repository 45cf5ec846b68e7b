"""`why` on a Ray cluster of two nodes, one of which is killed in the middle."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from cli import samovar
from engines.ray_cluster import beside_ray
from toy import SETTINGS, write

if TYPE_CHECKING:
    from pathlib import Path

    from engines.ray_cluster import RayCluster
    from engines.tools import Tool

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

SCRIPT = """
    import json, time
    P = json.load(open("params.json"))
    time.sleep(4)
    json.dump({"score": float(P["a"])}, open("out.json", "w"))
"""
COMMAND = "from samovar.cli.main import main; main()"


def train(folder: Path, name: str, value: int) -> None:
    write(folder / "train.py", SCRIPT)
    write(folder / "samovar.toml", SETTINGS)
    params = {"a": value, **{f"unused{number}": value for number in range(7)}}
    write(folder / "params.json", json.dumps(params))
    samovar("train", "--name", name, "--json", cwd=folder)


def test_a_lost_node_loses_no_answer(tmp_path: Path, ray_cluster: RayCluster) -> None:
    train(tmp_path / "a", "a", 0)
    train(tmp_path / "b", "b", 1)
    command = [ray_cluster.tool.python, "-c", COMMAND, "why", "a", "b", "--executor", "ray"]
    asked = subprocess.Popen(
        [*command, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ray_cluster.environment,
    )
    with asked:
        ray_cluster.wait_for_both_nodes()
        ray_cluster.kill_second_node()
        out, err = asked.communicate(timeout=600)
    assert asked.returncode == 0, err
    answer = json.loads(out)
    assert [culprit["factor"] for culprit in answer["culprits"]] == ["param:a"]
    assert answer["unchanged_factors"] == 7
    again = subprocess.run(
        [*command, "--json"],
        check=True,
        capture_output=True,
        text=True,
        env=ray_cluster.environment,
    )
    assert json.loads(again.stdout)["runs"] == 0


def test_no_cluster_is_said(tmp_path: Path, ray_tool: Tool) -> None:
    train(tmp_path / "a", "a", 0)
    train(tmp_path / "b", "b", 1)
    done = subprocess.run(
        [ray_tool.python, "-c", COMMAND, "why", "a", "b", "--executor", "ray", "--json"],
        check=False,
        capture_output=True,
        text=True,
        env=beside_ray("127.0.0.1:9"),
    )
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["code"] == "no_cluster"
