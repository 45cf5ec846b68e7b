"""``deploy uwsgi-nginx --apply``: the author's Flask application behind a real NGINX."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from engines.processes import free_port, need, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

SAMOVAR = Path(sys.executable).with_name("samovar")
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "web"
ROW = [1, 0, 1, 24]


def samovar(*words: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SAMOVAR, *words, "--json"],
        env={**os.environ, "SAMOVAR_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    folder: Path
    home: Path
    project: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def control(self, verb: str) -> int:
        return subprocess.run([self.folder / "service.sh", verb], check=False).returncode

    def apply(self) -> subprocess.CompletedProcess[str]:
        return samovar(
            "deploy", "uwsgi-nginx", self.project, "-o", self.folder,
            "--port", str(self.port), "--cpus", "2", "--apply", home=self.home,
        )  # fmt: skip

    def ask(self) -> httpx.Response:
        return httpx.post(f"{self.url}/predict", json=ROW, trust_env=False, timeout=60)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    need("nginx", "apt install nginx")
    folder = tmp_path_factory.mktemp("deployed")
    service = Deployed(
        folder=folder / "service", home=folder / "home", project=folder / "web", port=free_port()
    )
    shutil.copytree(EXAMPLE, service.project)
    samovar("init", service.project, "--name", "titanic", "--yes", home=service.home)
    done = service.apply()
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["endpoints"] == [service.url]
    yield service
    service.control("stop")


def test_the_authors_application_answers_through_nginx(deployed: Deployed) -> None:
    index = httpx.get(deployed.url, trust_env=False)
    assert "самовар" in index.text
    assert index.headers["server"] == "nginx"
    assert deployed.ask().json() == {"prediction": 1}


def test_bodies_that_are_too_large_stop_at_nginx(deployed: Deployed) -> None:
    answer = httpx.post(
        f"{deployed.url}/predict", content=b" " * (17 * 1024 * 1024), trust_env=False
    )
    assert answer.status_code == 413


def test_a_reload_under_load_loses_no_request(deployed: Deployed) -> None:
    stop, answers = threading.Event(), []

    def load() -> None:
        with httpx.Client(trust_env=False, timeout=60) as client:
            while not stop.is_set():
                answers.append(client.post(f"{deployed.url}/predict", json=ROW).status_code)

    before = _workers(deployed)
    client = threading.Thread(target=load)
    client.start()
    try:
        assert deployed.control("reload") == 0
        wait_until(lambda: not before & _workers(deployed), within_s=60)
    finally:
        stop.set()
        client.join()
    assert len(answers) > 10
    assert set(answers) == {200}


def _workers(deployed: Deployed) -> set[int]:
    """Give the processes below uWSGI's master: its workers."""
    supervisor = int((deployed.folder / "run" / "service.pid").read_text())
    return {
        grandchild
        for child in _children(supervisor)
        if "nginx" not in _name(child)
        for grandchild in _children(child)
    }


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def test_a_service_that_answers_otherwise_is_not_put_in_place(deployed: Deployed) -> None:
    server = deployed.project / "server.py"
    before = server.read_text()
    server.write_text(
        before.replace("int(model.predict(row)[0])", "1 - int(model.predict(row)[0])")
    )
    try:
        done = deployed.apply()
    finally:
        server.write_text(before)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "different"
    assert deployed.ask().json() == {"prediction": 1}


def test_a_taken_port_is_named(deployed: Deployed, tmp_path: Path) -> None:
    done = samovar(
        "deploy", "uwsgi-nginx", deployed.project, "-o", tmp_path / "second",
        "--port", str(deployed.port), "--apply", home=deployed.home,
    )  # fmt: skip
    assert done.returncode == 3
    assert str(deployed.port) in json.loads(done.stdout)["error"]["message"]
    assert not (tmp_path / "second").exists()


def test_the_death_of_uwsgi_ends_the_service(deployed: Deployed) -> None:
    supervisor = int((deployed.folder / "run" / "service.pid").read_text())
    (master,) = [child for child in _children(supervisor) if "nginx" not in _name(child)]
    os.kill(master, signal.SIGKILL)
    wait_until(lambda: deployed.control("status") == 1, within_s=60)
    assert deployed.control("start") == 0
    wait_until(lambda: _is_up(deployed), within_s=60)
    assert deployed.ask().json() == {"prediction": 1}


def _is_up(deployed: Deployed) -> bool:
    try:
        return deployed.ask().status_code == 200
    except httpx.TransportError:
        return False
