"""``deploy swarm`` on three real engines: a node is lost, an update rolls, no request fails."""

from __future__ import annotations

import json
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from cli import copy_example, samovar
from engines.processes import wait_until
from engines.swarm import run_swarm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engines.swarm import Node, Swarm

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

PORT = 8080
ROW = [1, 0, 1, 24]
PAUSE_S = 0.01
"""Between two requests of a client: three engines on one machine need processors too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stacked:
    """A stack that runs, and the one that it is to be replaced by."""

    swarm: Swarm
    folder: Path

    def deploy(self, version: str) -> None:
        stack = self.folder / version / "stack.yml"
        self.swarm.nodes[0].engine.docker("stack", "deploy", "-c", stack, "titanic")

    def replicas(self) -> Counter[str]:
        """Count the running replicas by their image."""
        shown = self.swarm.nodes[0].engine.docker(
            "service", "ps", "titanic_replica", "--filter", "desired-state=running",
            "--format", "{{.Image}} {{.CurrentState}}",
        )  # fmt: skip
        lines = [line.split() for line in shown.stdout.splitlines()]
        return Counter(words[0] for words in lines if words[1] == "Running")


@pytest.fixture(scope="module")
def stacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stacked]:
    folder = tmp_path_factory.mktemp("stacked")
    home, project = folder / "home", copy_example(folder / "web")
    samovar("init", "--name", "titanic", "--yes", cwd=project, SAMOVAR_HOME=home)
    archives = []
    for version in ("1", "2"):
        archives.append(folder / f"{version}.tar")
        samovar(
            "build", "--tag", f"titanic:{version}", "--archive", "docker", "-o", archives[-1],
            cwd=project, SAMOVAR_HOME=home,
        )  # fmt: skip
    with run_swarm(tmp_path_factory.mktemp("swarm")) as swarm:
        swarm.load(*archives)
        for version in ("1", "2"):
            samovar(
                "deploy", "swarm", "-o", folder / version, "--image", f"titanic:{version}",
                "--replicas", "3", "--cpus", "1", "--memory", "256m", "--port", str(PORT),
                "--balancer", swarm.balancer, cwd=project, SAMOVAR_HOME=home,
            )  # fmt: skip
        stacked = Stacked(swarm=swarm, folder=folder)
        stacked.deploy("1")
        wait_until(lambda: stacked.replicas()["titanic:1"] == 3, within_s=300)
        for node in swarm.nodes:
            wait_until(lambda node=node: answers(node), within_s=60)
        yield stacked


def answers(node: Node) -> bool:
    try:
        return ask(httpx, node) == 200
    except httpx.TransportError:
        return False


def ask(client: httpx.Client, node: Node) -> int:
    url = f"http://{node.address}:{PORT}/predict"
    return int(client.post(url, json=ROW, timeout=60).status_code)


@contextmanager
def load(node: Node) -> Iterator[list[int | str]]:
    """Ask one node's balancer from three clients while the block runs; gives what was answered."""
    stop, seen = threading.Event(), []

    def keep_asking() -> None:
        with httpx.Client(trust_env=False) as client:
            while not stop.wait(PAUSE_S):
                try:
                    seen.append(ask(client, node))
                except httpx.TransportError as error:
                    seen.append(repr(error))

    clients = [threading.Thread(target=keep_asking) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        wait_until(lambda: len(seen) > 20)
        yield seen
        before = len(seen)
        wait_until(lambda: len(seen) > before + 100)
    finally:
        stop.set()
        for client in clients:
            client.join()


def test_replicas_are_spread_and_have_their_limits(stacked: Stacked) -> None:
    for node in stacked.swarm.nodes:
        shown = node.engine.docker("ps", "-q", "--filter", "name=titanic_replica").stdout.split()
        (container,) = json.loads(node.engine.docker("inspect", *shown).stdout)
        assert container["HostConfig"]["NanoCpus"] == 1_000_000_000
        assert container["HostConfig"]["Memory"] == 256 * 1024 * 1024
        assert container["HostConfig"]["ReadonlyRootfs"] is True


def test_a_rolling_update_loses_no_request(stacked: Stacked) -> None:
    with load(stacked.swarm.nodes[1]) as seen:
        stacked.deploy("2")
        wait_until(lambda: stacked.replicas() == {"titanic:2": 3}, within_s=300)
    assert Counter(seen) == {200: len(seen)}


def test_a_lost_node_loses_no_request(stacked: Stacked) -> None:
    with load(stacked.swarm.nodes[0]) as seen:
        stacked.swarm.nodes[2].lose()
        before = len(seen)
        wait_until(lambda: len(seen) > before + 300, within_s=120)
    assert Counter(seen) == {200: len(seen)}
