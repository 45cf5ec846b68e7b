"""``deploy nginx --apply``: samovar's own server behind a real NGINX, replaced under load."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from broken import broken_of
from cli import Answer, copy_example, samovar
from engines.processes import free_port, need, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

ROW = [1, 0, 1, 24]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    folder: Path
    home: Path
    digest: str
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def control(self, verb: str) -> int:
        env = {**os.environ, "SAMOVAR_HOME": str(self.home)}
        return subprocess.run([self.folder / "service.sh", verb], check=False, env=env).returncode

    def apply(self, digest: str, code: int = 0) -> Answer:
        return samovar(
            "deploy", "nginx", digest, "-o", self.folder, "--port", str(self.port), "--apply",
            "--json", code=code, SAMOVAR_HOME=self.home,
        )  # fmt: skip

    def servers(self) -> set[int]:
        """Give the processes that the supervisor keeps, NGINX left out."""
        supervisor = int((self.folder / "run" / "service.pid").read_text())
        return {pid for pid in children(supervisor) if b"nginx" not in command_of(pid)}


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    need("nginx", "apt install nginx")
    folder = tmp_path_factory.mktemp("behind")
    home, project = folder / "home", copy_example(folder / "web")
    samovar("init", "--name", "titanic", "--yes", cwd=project, SAMOVAR_HOME=home)
    packed = samovar("pack", "--json", cwd=project, SAMOVAR_HOME=home).json["digest"]
    service = Deployed(folder=folder / "service", home=home, digest=packed, port=free_port())
    assert service.apply(packed).json["endpoints"] == [service.url]
    yield service
    service.control("stop")


def test_the_server_answers_through_nginx(deployed: Deployed) -> None:
    index = httpx.get(deployed.url, trust_env=False)
    assert "самовар" in index.text
    assert index.headers["server"] == "nginx"
    ready = httpx.get(f"{deployed.url}/v2/health/ready", trust_env=False)
    assert ready.status_code == 200


def test_a_reload_under_load_loses_no_request(deployed: Deployed) -> None:
    stop, answers = threading.Event(), []

    def load() -> None:
        with httpx.Client(trust_env=False, timeout=60) as client:
            while not stop.is_set():
                answers.append(client.post(f"{deployed.url}/predict", json=ROW).status_code)

    before = deployed.servers()
    clients = [threading.Thread(target=load) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        assert deployed.control("reload") == 0
        wait_until(lambda: not before & deployed.servers(), within_s=90)
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert len(answers) > 10
    assert set(answers) == {200}


def test_a_bundle_whose_receipt_fails_is_not_put_in_place(deployed: Deployed) -> None:
    broken = broken_of(deployed.home, deployed.digest, deployed.folder.with_name("staged"))
    refused = deployed.apply(broken, code=1)
    assert refused.error["code"] == "different"
    answer = httpx.post(f"{deployed.url}/predict", json=ROW, trust_env=False, timeout=60)
    assert answer.json() == {"prediction": 1}
    assert [path.name for path in deployed.folder.glob("sha256-*.tar")] == [
        f"{deployed.digest.replace(':', '-')}.tar"
    ]


def test_a_folder_with_other_files_is_left_alone(deployed: Deployed, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    refused = samovar(
        "deploy", "nginx", deployed.digest, "-o", tmp_path, "--port", "1", "--apply", "--json",
        code=2, SAMOVAR_HOME=deployed.home,
    )  # fmt: skip
    assert refused.error["code"] == "folder_taken"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_death_of_the_server_ends_the_service(deployed: Deployed) -> None:
    (server,) = deployed.servers()
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: deployed.control("status") == 1, within_s=60)
    assert deployed.control("start") == 0
    wait_until(lambda: is_up(deployed), within_s=90)


def is_up(deployed: Deployed) -> bool:
    try:
        return httpx.get(deployed.url, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
