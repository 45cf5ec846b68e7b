"""``deploy agent`` with a real registry: switches lose nothing, broken bundles are never served."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from broken import broken_of
from cli import SAMOVAR, copy_example, samovar
from engines.processes import end, free_port, need, wait_until
from engines.registry import run_registry
from running import ROW, Load
from samovar.core.reference import Reference
from samovar.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines.registry import Registry

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

INTERVAL_S = 0.5
PATIENCE_S = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundles:
    """Two good bundles, one whose receipt does not hold, and the home that has them."""

    home: Path
    first: str
    second: str
    broken: str

    def push(self, digest: str, reference: str) -> None:
        samovar("push", digest, reference, "--json", SAMOVAR_HOME=self.home)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    folder = tmp_path_factory.mktemp("packed")
    home, project = folder / "home", copy_example(folder / "web")
    samovar("init", "--name", "titanic", "--yes", cwd=project, SAMOVAR_HOME=home)

    def pack(version: str) -> str:
        toml = project / "samovar.toml"
        toml.write_text(toml.read_text().replace('version = "1.0.0"', f'version = "{version}"'))
        packed = samovar("pack", "--json", cwd=project, SAMOVAR_HOME=home)
        return str(packed.json["digest"])

    first, second = pack("1.0.0"), pack("2.0.0")
    return Bundles(
        home=home, first=first, second=second, broken=broken_of(home, second, folder / "staged")
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of every agent here: the environment is made once."""
    return tmp_path_factory.mktemp("host") / "home"


class Following:
    """A running agent."""

    def __init__(self, home: Path, reference: str, *arguments: str, port: int) -> None:
        self.folder = home / "agents" / Reference.parse(reference).name.replace("/", "-")
        self.url = f"http://127.0.0.1:{port}"
        command = [SAMOVAR, "deploy", "agent", reference, "--interval", str(INTERVAL_S)]
        self.process = subprocess.Popen(
            [*command, "--port", str(port), *arguments, "--json"],
            env={**os.environ, "SAMOVAR_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )

    def first_line(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def status(self) -> Any:
        return json.loads((self.folder / "status.json").read_text())

    def events(self) -> list[str]:
        path = self.folder / "events.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line)["event"] for line in lines]

    def serves(self, digest: str) -> bool:
        serving = self.status()["serving"]
        return serving is not None and serving["digest"] == digest

    def terminate(self) -> None:
        """End it as systemd does; nothing of it may be left."""
        left = {self.process.pid, *descendants(self.process.pid)}
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0
        assert not [pid for pid in left if Path(f"/proc/{pid}").exists()]
        assert list((self.folder / "servers").iterdir()) == []
        assert self.status()["state"] == "stopped"


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [found for child in map(int, children) for found in (child, *descendants(child))]


@contextmanager
def following(
    home: Path, reference: str, *arguments: str, port: int | None = None
) -> Iterator[Following]:
    agent = Following(home, reference, *arguments, port=port or free_port())
    try:
        yield agent
    finally:
        end(agent.process)
        if agent.process.stdout is not None:
            agent.process.stdout.close()


def test_new_bundles_are_served_without_a_lost_request_and_broken_ones_never(
    bundles: Bundles, registry: Registry, home: Path
) -> None:
    reference = f"{registry.host}/fleet/switched:prod"
    bundles.push(bundles.first, reference)
    with following(home, reference, "--status-port", "0") as agent:
        ready = agent.first_line()
        assert (ready["applied"], ready["endpoints"]) == (True, [agent.url])
        with Load(agent.url) as load:
            bundles.push(bundles.broken, reference)
            wait_until(lambda: bundles.broken in agent.status()["refused"], within_s=PATIENCE_S)
            assert agent.serves(bundles.first)
            bundles.push(bundles.second, reference)
            wait_until(lambda: agent.serves(bundles.second), within_s=PATIENCE_S)
        assert set(load.answers) == {200}
        metrics = httpx.get(f"{ready['page']}/metrics", trust_env=False).text
        assert "samovar_agent_switches_total 2\n" in metrics
        assert "samovar_agent_up_to_date 1\n" in metrics
        assert httpx.get(ready["page"], trust_env=False).json()["serving"] is not None
        agent.terminate()
    kept = Store(home / "store").names()
    assert str(kept[reference].digest) == bundles.second


def test_a_lost_registry_and_a_kill_change_nothing(
    bundles: Bundles, home: Path, tmp_path: Path
) -> None:
    port = free_port()
    with run_registry(tmp_path / "registry") as lost:
        reference = f"{lost.host}/fleet/killed:prod"
        bundles.push(bundles.first, reference)
        with following(home, reference, port=port) as agent:
            agent.first_line()
            end(lost.server.process)
            wait_until(lambda: agent.status()["registry"]["failures"] > 1, within_s=PATIENCE_S)
            with Load(agent.url) as load:
                agent.process.kill()
                agent.process.wait()
                orphan = agent.status()["serving"]["pid"]
                # Its server goes on, and the next agent takes over from it.
                with following(home, reference, port=port) as successor:
                    successor.first_line()
                    wait_until(lambda: not Path(f"/proc/{orphan}").exists(), within_s=PATIENCE_S)
                    assert successor.serves(bundles.first)
                    load.finish()
                    os.kill(successor.status()["serving"]["pid"], signal.SIGKILL)
                    # The door stays: who comes meanwhile waits for the next server.
                    answer = httpx.post(f"{agent.url}/predict", json=ROW, timeout=PATIENCE_S)
                    assert answer.json() == {"prediction": 1}
                    wait_until(lambda: "restarted" in successor.events(), within_s=PATIENCE_S)
                    successor.terminate()
    assert set(load.answers) == {200}


def test_it_waits_for_a_registry_that_is_not_there_yet(home: Path) -> None:
    reference = f"127.0.0.1:{free_port()}/fleet/early:prod"
    with following(home, reference) as agent:
        wait_until(lambda: "registry" in agent.events(), within_s=PATIENCE_S)
        agent.process.send_signal(signal.SIGTERM)
        assert agent.process.wait(60) == 0
        assert agent.process.stdout is not None
        assert agent.process.stdout.read() == b""


def test_two_agents_of_one_folder_and_a_taken_port_are_told(
    bundles: Bundles, registry: Registry, home: Path
) -> None:
    reference = f"{registry.host}/fleet/taken:1"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = samovar(
            "deploy", "agent", reference, "--port", str(port), "--json", code=3,
            SAMOVAR_HOME=home,
        )  # fmt: skip
        assert refused.error["code"] == "port_taken"
    with following(home, reference) as agent:
        wait_until(lambda: "registry" in agent.events(), within_s=PATIENCE_S)
        second = samovar(
            "deploy", "agent", reference, "--port", "0", "--json", code=3,
            SAMOVAR_HOME=home,
        )  # fmt: skip
        assert second.error["code"] == "agent_runs"


def test_the_door_may_be_systemds(bundles: Bundles, registry: Registry, home: Path) -> None:
    reference = f"{registry.host}/fleet/door:1"
    bundles.push(bundles.first, reference)
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        url = f"http://127.0.0.1:{door.getsockname()[1]}"
        # As systemd does: the descriptor is 3, and the variables name the process that is meant.
        activate = (
            f"import os, sys; os.dup2({door.fileno()}, 3); "
            "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid())); "
            "os.execv(sys.argv[1], sys.argv[1:])"
        )
        agent = subprocess.Popen(
            [sys.executable, "-c", activate, SAMOVAR, "deploy", "agent", reference],
            env={**os.environ, "SAMOVAR_HOME": str(home)},
            pass_fds=(door.fileno(),),
        )
        try:
            # The connection is made before anybody answers, and waits.
            answer = httpx.post(f"{url}/predict", json=ROW, trust_env=False, timeout=PATIENCE_S)
        finally:
            end(agent)
    assert answer.json() == {"prediction": 1}
    assert agent.returncode == 0


def test_what_lacks_an_attestation_is_not_loaded_until_it_has_come(
    bundles: Bundles, registry: Registry, home: Path, tmp_path: Path
) -> None:
    openssl = need("openssl", "apt install openssl")
    key = tmp_path / "attest.key"
    for words in (
        ["genpkey", "-algorithm", "ed25519", "-out", key],
        ["pkey", "-in", key, "-pubout", "-out", tmp_path / "attest.pub"],
    ):
        subprocess.run([openssl, *words], check=True, capture_output=True)
    policy = tmp_path / "policy.toml"
    policy.write_text('[policy]\nkeys = ["attest.pub"]\nverdicts = ["IDENTICAL", "EQUIVALENT"]\n')
    reference = f"{registry.host}/fleet/attested:prod"
    bundles.push(bundles.first, reference)
    with following(home, reference, "--policy", str(policy)) as agent:
        wait_until(lambda: "postponed" in agent.events(), within_s=PATIENCE_S)
        assert agent.status()["serving"] is None
        samovar("attest", bundles.first, "--key", key, SAMOVAR_HOME=bundles.home)
        bundles.push(bundles.first, reference)
        assert agent.first_line()["status"]["serving"]["digest"] == bundles.first
        assert agent.status()["refused"] == {}
