"""A Ray cluster of two nodes on this machine, each with a home of its own; one can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import pytest

from engines.tools import ROOT, Tool, tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Runs in the environment that has Ray; lines on stdin are commands.
_CLUSTER = """
import sys
from pathlib import Path
from ray.cluster_utils import Cluster

homes = [Path(sys.argv[1]) / name for name in ("first", "second")]
variables = [{"SAMOVAR_HOME": str(home), "OMP_NUM_THREADS": "1"} for home in homes]
cluster = Cluster(
    initialize_head=True,
    head_node_args={"num_cpus": 1, "env_vars": variables[0], "include_dashboard": False},
)
second = cluster.add_node(num_cpus=1, env_vars=variables[1])
cluster.wait_for_nodes()
print(cluster.address, flush=True)
for line in sys.stdin:
    if line.strip() == "kill":
        cluster.remove_node(second, allow_graceful=False)
        print("killed", flush=True)
cluster.shutdown()
"""


@dataclass(frozen=True, slots=True)
class RayCluster:
    """A running cluster, and the environment that has Ray and samovar's dependencies."""

    tool: Tool
    address: str
    folder: Path
    process: subprocess.Popen[str]

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which samovar runs beside Ray."""
        return beside_ray(self.address)

    def homes(self) -> list[Path]:
        """The homes of the nodes on which something was executed."""
        return sorted(home for home in self.folder.iterdir() if (home / "store").is_dir())

    def wait_for_both_nodes(self, within_s: float = 300) -> None:
        """Return once something runs on either node."""
        until = time.monotonic() + within_s
        while len(self.homes()) < 2 and time.monotonic() < until:
            time.sleep(0.1)
        assert len(self.homes()) == 2

    def kill_second_node(self) -> None:
        """End one node at once, whatever it runs."""
        _pipe(self.process.stdin).write("kill\n")
        _pipe(self.process.stdin).flush()
        assert _pipe(self.process.stdout).readline() == "killed\n"


def beside_ray(address: str) -> dict[str, str]:
    """Give the variables with which samovar runs in Ray's environment."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), "RAY_ADDRESS": address}


@pytest.fixture(scope="session")
def ray_tool() -> Tool:
    """An environment with Ray and what samovar depends on."""
    return tool("ray")


@pytest.fixture
def ray_cluster(tmp_path: Path, ray_tool: Tool) -> Iterator[RayCluster]:
    """Two nodes with one processor each."""
    folder = tmp_path / "nodes"
    folder.mkdir()
    with (tmp_path / "cluster.log").open("w") as log:
        process = subprocess.Popen(
            [ray_tool.python, "-c", _CLUSTER, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )
    address = _pipe(process.stdout).readline().strip()
    if not address:
        pytest.fail(f"The cluster did not start: {(tmp_path / 'cluster.log').read_text()[-2000:]}")
    try:
        yield RayCluster(ray_tool, address, folder, process)
    finally:
        try:
            # Closing stdin is how the cluster is asked to end.
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None, sys.platform
    return pipe
