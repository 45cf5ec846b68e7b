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

from cli import samovar
from engines.processes import need
from running import Running, is_alive

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(example_home) -> Path:
    """A home that has the example's bundle."""
    return example_home


def ask_while(running: Running, happens) -> list[int]:
    """Keep asking while something happens in the middle; give all statuses."""
    statuses: list[int] = []
    asking = threading.Thread(target=lambda: statuses.extend(running.ask(300)))
    asking.start()
    happens()
    asking.join()
    return statuses


def test_one_process_answers_within_its_limits_and_is_gone_afterwards(home):
    assert samovar("ps", "--json", SAMOVAR_HOME=home).json == {"runs": []}
    with Running(home, "--cpus", "0.5", "--memory", "700m") as running:
        (run,) = samovar("ps", "--json", SAMOVAR_HOME=home).json["runs"]
        assert (run["id"], run["url"]) == (running.ready["id"], running.url)
        assert run["state"] == run["replicas"][0]["state"] == "running"
        assert samovar("logs", "--json", SAMOVAR_HOME=home).json["id"] == run["id"]
        assert run["id"] in samovar("ps", SAMOVAR_HOME=home).out
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
        (run,) = samovar("ps", "--json", SAMOVAR_HOME=home).json["runs"]
        assert [replica["state"] for replica in run["replicas"]] == ["died", "running"]
        assert "1 of 2 replicas, 1 died" in samovar("ps", SAMOVAR_HOME=home).out
    assert not is_alive(second)


def test_stop_ends_a_run_by_the_beginning_of_its_id(home):
    with Running(home) as running:
        answer = samovar("stop", running.ready["id"][:5], "--json", SAMOVAR_HOME=home).json
        assert answer == {"stopped": [running.ready["id"]]}
        assert running.process.wait(60) == 0
    assert samovar("ps", "--json", SAMOVAR_HOME=home).json == {"runs": []}


def test_a_run_whose_last_replica_dies_ends_and_says_so(home):
    running = Running(home)
    os.kill(int(running.ready["replicas"][0]["id"]), signal.SIGKILL)
    assert running.process.wait(60) == 3
    running.process.stdout.close()
    assert samovar("ps", "--json", SAMOVAR_HOME=home).json == {"runs": []}


@pytest.mark.engine
def test_what_a_killed_run_left_is_told_and_stopped(home):
    need("nginx", "apt install nginx")
    running = Running(home, "--replicas", "2")
    running.process.kill()
    running.process.wait()
    running.process.stdout.close()
    (run,) = samovar("ps", "--json", SAMOVAR_HOME=home).json["runs"]
    assert run["state"] == "died"
    assert [replica["state"] for replica in run["replicas"]] == ["running", "running"]
    assert running.ask(2) == [200, 200]
    samovar("stop", "titanic", SAMOVAR_HOME=home)
    assert not any(is_alive(int(replica["id"])) for replica in run["replicas"])
    with pytest.raises(httpx.ConnectError):
        running.ask(1)
    assert samovar("ps", "--json", SAMOVAR_HOME=home).json == {"runs": []}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("logs",), "not_found"),
        (("logs", "titanic"), "not_found"),
        (("stop", "none"), "not_found"),
        (("stop",), "wrong_use"),
        (("stop", "--all", "x"), "wrong_use"),
    ],
)
def test_what_does_not_run_is_told(home, words, code):
    error = samovar(*words, "--json", code=2, SAMOVAR_HOME=home).error
    assert error["code"] == code
    assert error["hint"]


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
        (run,) = samovar("ps", "--json", SAMOVAR_HOME=home, **variables).json["runs"]
        assert [replica["state"] for replica in run["replicas"]] == ["died", "running"]
        logs = samovar("logs", "--tail", "5", "--json", SAMOVAR_HOME=home, **variables).json
        assert [replica["id"] for replica in logs["replicas"]] == ids
        assert any(replica["lines"] for replica in logs["replicas"])
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
