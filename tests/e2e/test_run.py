"""Replicas with limits behind one address: one dies, and no request is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from cli import SAMOVAR, copy_example, samovar
from engines.processes import need

if TYPE_CHECKING:
    from pathlib import Path

ROW = [1, 0, 1, 24]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A home that has the example's bundle."""
    base = tmp_path_factory.mktemp("run")
    project = copy_example(base / "web")
    samovar("init", "--yes", cwd=project, SAMOVAR_HOME=base / "home")
    samovar("pack", cwd=project, SAMOVAR_HOME=base / "home")
    return base / "home"


class Running:
    """`samovar run`, started and ended by the test."""

    def __init__(self, home: Path, *arguments: str, **variables: str) -> None:
        self.process = subprocess.Popen(
            [SAMOVAR, "run", "titanic", "--port", "0", "--json", *arguments],
            env={**os.environ, "SAMOVAR_HOME": str(home), **variables},
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"no ready line; exit {self.process.wait()}"
        self.ready = json.loads(line)
        self.url = self.ready["url"]

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(90) == 0
        assert self.process.stdout is not None
        assert self.process.stdout.read() == ""
        self.process.stdout.close()

    def ask(self, count: int) -> list[int]:
        """Send requests one after another and give their statuses."""
        with httpx.Client(trust_env=False) as client:
            return [
                client.post(f"{self.url}/predict", json=ROW, timeout=20).status_code
                for _ in range(count)
            ]


def ask_while(running: Running, happens) -> list[int]:
    """Keep asking while something happens in the middle; give all statuses."""
    statuses: list[int] = []
    asking = threading.Thread(target=lambda: statuses.extend(running.ask(300)))
    asking.start()
    happens()
    asking.join()
    return statuses


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_one_process_answers_within_its_limits_and_is_gone_afterwards(home):
    with Running(home, "--cpus", "0.5", "--memory", "700m") as running:
        (replica,) = running.ready["replicas"]
        assert replica["limits"]["cpus"] == 0.5
        assert replica["limits"]["memory_bytes"] == 700 * 1024 * 1024
        assert set(replica["limits"]["not_enforced"]) <= {"cpus", "memory"}
        assert running.ask(5) == [200] * 5
    assert not is_alive(int(replica["id"]))


@pytest.mark.engine
def test_a_killed_process_loses_no_request(home):
    need("nginx", "apt install nginx")
    with Running(home, "--replicas", "2") as running:
        first, second = (int(replica["id"]) for replica in running.ready["replicas"])
        statuses = ask_while(running, lambda: os.kill(first, signal.SIGKILL))
        assert statuses == [200] * 300
    assert not is_alive(second)


@pytest.mark.engine
@pytest.mark.timeout(600)
def test_a_killed_container_loses_no_request_and_limits_are_the_engines(home, docker_engine):
    need("nginx", "apt install nginx")
    variables = {"DOCKER_HOST": docker_engine.host}
    arguments = ["--isolation", "docker", "--replicas", "2", "--cpus", "0.5", "--memory", "512m"]
    docker = ["docker", "-H", docker_engine.host]
    with Running(home, *arguments, **variables) as running:
        ids = [replica["id"] for replica in running.ready["replicas"]]
        inspected = json.loads(
            subprocess.run([*docker, "inspect", *ids], check=True, capture_output=True).stdout
        )
        for container in inspected:
            assert container["HostConfig"]["Memory"] == 512 * 1024 * 1024
            assert container["HostConfig"]["NanoCpus"] == 500_000_000
            assert container["HostConfig"]["ReadonlyRootfs"] is True

        def kill() -> None:
            subprocess.run([*docker, "kill", ids[0]], check=True, capture_output=True)

        assert ask_while(running, kill) == [200] * 300
    left = subprocess.run([*docker, "ps", "-aq"], check=True, capture_output=True).stdout
    assert not any(one[:12].encode() in left for one in ids)


def test_a_taken_port_is_named(home):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = samovar("run", "titanic", "--port", str(port), "--json", code=3, SAMOVAR_HOME=home)
        assert answer.json["error"]["message"]
