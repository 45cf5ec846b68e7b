"""``docker stop`` of an image that is answering: quick, clean, and nobody is left without an answer."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from engines.processes import free_port, wait_until

if TYPE_CHECKING:
    from engines.docker import DockerEngine

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

ROWS = [[1, 0, 1, 24]] * 2000
CLIENTS = 6
WITHIN_S = 3


class Asking:
    """A client that asks until it is turned away; any other end is a request that was lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.answered = 0
        self.lost: list[str] = []
        self.thread = threading.Thread(target=self._ask)
        self.thread.start()

    def _ask(self) -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            while True:
                try:
                    answer = client.post(f"{self._url}/predict", json=ROWS)
                except httpx.ConnectError:
                    return
                except httpx.HTTPError as error:
                    self.lost.append(repr(error))
                    return
                if answer.status_code == 503:
                    return
                if answer.status_code != 200 or len(answer.json()["predictions"]) != len(ROWS):
                    self.lost.append(f"{answer.status_code}: {answer.text[:100]}")
                    return
                self.answered += 1
                # The door is closed to new connections; this one has been told that it is the last.
                if answer.headers.get("connection") == "close":
                    return


def test_it_stops_within_three_seconds_and_answers_what_it_took(
    loaded: dict, docker_engine: DockerEngine
) -> None:
    port = free_port()
    container = docker_engine.docker(
        "run", "-d", "--read-only", "-p", f"127.0.0.1:{port}:5000", "titanic"
    ).stdout.strip()
    url = f"http://127.0.0.1:{port}"

    def is_ready() -> bool:
        try:
            return httpx.get(f"{url}/v2/health/ready", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    wait_until(is_ready, within_s=240)
    clients = [Asking(url) for _ in range(CLIENTS)]
    wait_until(lambda: all(client.answered for client in clients), within_s=240)
    before = sum(client.answered for client in clients)
    # Beyond that the engine kills it, and the exit code would be 137.
    docker_engine.docker("stop", "-t", str(WITHIN_S), container)
    for client in clients:
        client.thread.join(30)
    assert [words for client in clients for words in client.lost] == []
    assert sum(client.answered for client in clients) > before
    state = json.loads(docker_engine.docker("inspect", container).stdout)[0]["State"]
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
