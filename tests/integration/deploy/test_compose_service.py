"""``deploy compose --apply``: three replicas behind NGINX on a real engine, one of them killed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from engines.processes import free_port, need, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines.docker import DockerEngine

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

SAMOVAR = Path(sys.executable).with_name("samovar")
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "web"
ROW = [1, 0, 1, 24]


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    folder: Path
    project: Path
    port: int
    balancer: str
    engine: DockerEngine

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def container(self, number: int) -> str:
        command = ["docker-compose", "ps", "-q", f"titanic-{number}"]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.engine.env,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def health(self, number: int) -> str:
        shown = self.engine.docker(
            "inspect", "-f", "{{.State.Health.Status}}", self.container(number)
        )
        return shown.stdout.strip()


@pytest.fixture(scope="module")
def composed(
    docker_engine: DockerEngine, nginx_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Composed]:
    need("docker-compose", "apt install docker-compose")
    folder = tmp_path_factory.mktemp("composed")
    env = {**docker_engine.env, "SAMOVAR_HOME": str(folder / "home")}
    project, target, port = folder / "web", folder / "service", free_port()
    shutil.copytree(EXAMPLE, project)

    def samovar(*words: str | Path) -> str:
        done = subprocess.run(
            [SAMOVAR, *words, "--json"], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    samovar("init", project, "--name", "titanic", "--yes")
    samovar("build", project, "--tag", "titanic:test", "--load")
    shown = samovar(
        "deploy", "compose", project, "-o", target, "--replicas", "3", "--cpus", "0.5",
        "--memory", "256m", "--port", str(port), "--image", "titanic:test",
        "--balancer", nginx_image, "--apply",
    )  # fmt: skip
    assert json.loads(shown)["endpoints"] == [f"http://127.0.0.1:{port}"]
    yield Composed(
        folder=target, project=project, port=port, balancer=nginx_image, engine=docker_engine
    )
    subprocess.run(
        ["docker-compose", "down", "-t", "5"], cwd=target, env=env, check=True, capture_output=True
    )


def image_for_elsewhere(folder: Path) -> Path:
    """Make an archive of an image with nothing in it, for a machine that this one is not."""
    layer = folder / "layer.tar"
    tarfile.open(layer, "w").close()
    digest = hashlib.sha256(layer.read_bytes()).hexdigest()
    config = {
        "architecture": "s390x", "os": "linux", "config": {"Cmd": ["/nothing"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    listed = {"Config": "config.json", "RepoTags": ["titanic:elsewhere"], "Layers": ["layer.tar"]}
    (folder / "manifest.json").write_text(json.dumps([listed]))
    with tarfile.open(folder / "image.tar", "w") as image:
        for name in ("manifest.json", "config.json", "layer.tar"):
            image.add(folder / name, name)
    return folder / "image.tar"


@pytest.mark.parametrize("wrong", ["port_taken", "wrong_platform"])
def test_what_cannot_start_is_explained_and_not_left_half_started(
    composed: Composed, wrong: str, tmp_path: Path
) -> None:
    docker, taken = composed.engine.docker, wrong == "port_taken"
    if not taken:
        docker("load", "-i", str(image_for_elsewhere(tmp_path)))
    before = docker("ps", "-aq").stdout.split()
    done = subprocess.run(
        [
            SAMOVAR, "deploy", "compose", composed.project, "-o", tmp_path / wrong,
            "--port", str(composed.port if taken else free_port()),
            "--image", "titanic:test" if taken else "titanic:elsewhere",
            "--balancer", composed.balancer, "--apply", "--json",
        ],
        env={**composed.engine.env, "SAMOVAR_HOME": str(composed.project.with_name("home"))},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["code"] == wrong
    assert ("--port" if taken else "--platform") in error["hint"]
    assert docker("ps", "-aq").stdout.split() == before


def test_each_replica_has_its_limits_and_no_rights(composed: Composed) -> None:
    shown = composed.engine.docker("inspect", *(composed.container(n) for n in (1, 2, 3)))
    for container in json.loads(shown.stdout):
        limits = container["HostConfig"]
        assert limits["NanoCpus"] == 500_000_000
        assert limits["Memory"] == limits["MemorySwap"] == 256 * 1024 * 1024
        assert limits["ReadonlyRootfs"] is True
        assert limits["CapDrop"] == ["ALL"]


def test_a_killed_replica_costs_no_request(composed: Composed) -> None:
    stop, answers = threading.Event(), []

    def load() -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            while not stop.is_set():
                answers.append(client.post(f"{composed.url}/predict", json=ROW).status_code)

    clients = [threading.Thread(target=load) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        wait_until(lambda: len(answers) > 50)
        composed.engine.docker("kill", composed.container(2))
        seen = len(answers)
        wait_until(lambda: len(answers) > seen + 300, within_s=60)
        composed.engine.docker("start", composed.container(2))
        wait_until(lambda: composed.health(2) == "healthy", within_s=120)
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert set(answers) == {200}


def test_a_rollout_replaces_every_replica_and_loses_no_request(composed: Composed) -> None:
    before = {composed.container(number) for number in (1, 2, 3)}
    stop, answers = threading.Event(), []

    def load() -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            while not stop.is_set():
                answers.append(client.post(f"{composed.url}/predict", json=ROW).status_code)

    client = threading.Thread(target=load)
    client.start()
    try:
        subprocess.run(
            [composed.folder / "rollout.sh"],
            env={**composed.engine.env, "PATH": os.environ["PATH"]},
            check=True,
            capture_output=True,
        )
    finally:
        stop.set()
        client.join()
    assert not before & {composed.container(number) for number in (1, 2, 3)}
    assert set(answers) == {200}
