"""A door that two servers share: opened by SIGUSR2, left by SIGUSR1, and nobody is turned away."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections import Counter
from typing import TYPE_CHECKING

import httpx
import pytest

from engines.processes import wait_until
from runtime_tree import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest_plugins = ["serving_fixtures"]

ROW = [[5.1, 3.5, 1.4, 0.2]]


@pytest.fixture
def door() -> Iterator[socket.socket]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        os.set_inheritable(bound.fileno(), True)
        yield bound


def url_of(door: socket.socket) -> str:
    return f"http://127.0.0.1:{door.getsockname()[1]}"


def is_open(door: socket.socket) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(door.getsockname()) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_hands_its_door_over_without_a_lost_request(
    workers: int, runtime: Path, iris_bundle: Path, door: socket.socket
) -> None:
    options = {"keep": (door.fileno(),), "door": door.fileno(), "workers": workers}
    answers: list[int | str] = []
    stop = threading.Event()

    def ask() -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            while not stop.is_set():
                try:
                    told = client.post(f"{url_of(door)}/predict", json=ROW)
                    answers.append(told.status_code)
                except httpx.TransportError as error:
                    answers.append(repr(error))

    with serving(runtime, iris_bundle, **options) as first:
        assert not is_open(door)
        first.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: is_open(door))
        clients = [threading.Thread(target=ask) for _ in range(3)]
        for client in clients:
            client.start()
        with serving(runtime, iris_bundle, **options) as second:
            wait_until(lambda: len(answers) > 50)
            second.process.send_signal(signal.SIGUSR2)
            first.process.send_signal(signal.SIGUSR1)
            assert first.process.wait(60) == 0
            seen = len(answers)
            wait_until(lambda: len(answers) > seen + 50)
            stop.set()
            for client in clients:
                client.join()
            assert second.end() == 0
    assert Counter(answers) == {200: len(answers)}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_ends_with_whoever_holds_its_lifeline(
    workers: int, runtime: Path, iris_bundle: Path
) -> None:
    lifeline, held = os.pipe()
    with serving(
        runtime, iris_bundle, keep=(lifeline,), lifeline=lifeline, workers=workers
    ) as service:
        os.close(lifeline)
        assert service.process.poll() is None
        os.close(held)
        assert service.process.wait(60) == 0


def test_a_descriptor_that_is_no_socket_is_told(runtime: Path, iris_bundle: Path) -> None:
    read, write = os.pipe()
    with (
        pytest.raises(AssertionError, match="no_socket"),
        serving(runtime, iris_bundle, keep=(read,), door=read),
    ):
        pass
    os.close(read)
    os.close(write)
