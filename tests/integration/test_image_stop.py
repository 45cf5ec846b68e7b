"""``docker stop`` of an image that is answering: quick, clean, and what it has taken is answered."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest

from engines.processes import free_port, wait_until

if TYPE_CHECKING:
    from engines.docker import DockerEngine

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

ROW = [1, 0, 1, 24]
MANY = [ROW] * 20_000
CLIENTS = 6
WITHIN_S = 3
PATIENCE_S = 240


def send(connection: socket.socket, rows: object) -> None:
    body = json.dumps(rows).encode()
    head = "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    connection.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def receive(connection: socket.socket) -> tuple[int, dict]:
    with http.client.HTTPResponse(connection, method="POST") as response:
        response.begin()
        return response.status, json.loads(response.read())


def test_it_stops_within_three_seconds_and_answers_what_it_took(
    loaded: dict, docker_engine: DockerEngine
) -> None:
    port = free_port()
    container = docker_engine.docker(
        "run", "-d", "--read-only", "-p", f"127.0.0.1:{port}:5000", "titanic"
    ).stdout.strip()

    def is_ready() -> bool:
        try:
            url = f"http://127.0.0.1:{port}/v2/health/ready"
            return httpx.get(url, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    wait_until(is_ready, within_s=PATIENCE_S)
    with ExitStack() as stack:
        held = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S))
            for _ in range(CLIENTS)
        ]
        # After that the server, and not only what stands before it, has every connection.
        for connection in held:
            send(connection, ROW)
            assert receive(connection) == (200, {"prediction": 1})
        for connection in held:
            send(connection, MANY)
        # Beyond that the engine kills it, and the exit code would be 137.
        docker_engine.docker("stop", "-t", str(WITHIN_S), container)
        for connection in held:
            status, answer = receive(connection)
            assert status == 200
            assert answer == {"predictions": [1] * len(MANY)}
    state = json.loads(docker_engine.docker("inspect", container).stdout)[0]["State"]
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
