"""Load and faults: draining, a full queue, killed workers, slow clients, taken ports."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from runtime_tree import command, serving

if TYPE_CHECKING:
    from runtime_tree import Service

pytest_plugins = ["serving_fixtures"]
pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no signals to drain by and no fork."
)
ROW = [5.1, 3.5, 1.4, 0.2]


class SlowModel:
    """Takes its time for each call, as a dear model does."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def predict(self, rows: Any) -> Any:
        time.sleep(self.seconds)
        return rows[:, 0] * 2.0


def ask(service: Service, body: Any = None) -> httpx.Response:
    return service.client.post(f"{service.url}/predict", json=ROW if body is None else body)


def test_sixteen_requests_in_flight_at_sigterm_are_answered(
    runtime: Path, slow_bundle: Path
) -> None:
    with serving(runtime, slow_bundle) as service, ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(ask, service, [float(i)]) for i in range(16)]
        in_flight_at(service, 16)
        service.process.send_signal(signal.SIGTERM)
        answers = [future.result() for future in futures]
        assert [answer.json()["prediction"] for answer in answers] == [2.0 * i for i in range(16)]
        assert service.process.wait(timeout=20) == 0
        with pytest.raises(httpx.ConnectError):
            ask(service)


def in_flight_at(service: Service, count: int) -> None:
    """Wait until the server has read so many requests."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        text = service.client.get(f"{service.url}/metrics").text
        values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
        held = float(values["samovar_queue_requests"]) + float(values["samovar_in_flight_requests"])
        if held >= count:
            return
    pytest.fail(f"the server never held {count} requests")


def test_one_sigint_drains_and_a_second_ends_at_once(runtime: Path, slow_bundle: Path) -> None:
    with serving(runtime, slow_bundle) as service:
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(timeout=20) == 0
    with serving(runtime, slow_bundle, workers=2) as service, ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(ask, service, [float(i)]) for i in range(8)]
        in_flight_at(service, 1)
        service.process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(timeout=5) == 130
        for future in futures:
            future.exception()


def test_a_full_queue_answers_503_at_once_and_recovers(runtime: Path, slow_bundle: Path) -> None:
    with serving(runtime, slow_bundle, max_queue=4) as service, ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda i: ask(service, [float(i)]), range(32)))
        statuses = {answer.status_code for answer in answers}
        assert statuses == {200, 503}
        refused = [answer for answer in answers if answer.status_code == 503]
        assert all(answer.headers["Retry-After"] == "1" for answer in refused)
        assert ask(service, [1.0]).json() == {"prediction": 2.0}


def test_many_connections_meet_only_200_and_503(runtime: Path, iris_bundle: Path) -> None:
    with serving(runtime, iris_bundle, max_queue=64) as service:
        body = json.dumps(ROW).encode()
        request = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (
            len(body),
            body,
        )
        clients = [socket.create_connection(("127.0.0.1", service.port), 10) for _ in range(512)]
        for client in clients:
            client.sendall(request)
        statuses = {client.recv(4096)[9:12] for client in clients}
        for client in clients:
            client.close()
        assert statuses <= {b"200", b"503"}
        assert b"200" in statuses
        assert ask(service).json() == {"prediction": 0}


def test_a_killed_worker_is_replaced_and_others_lose_nothing(
    runtime: Path, iris_bundle: Path
) -> None:
    with serving(runtime, iris_bundle, workers=2) as service:
        assert service.workers == 2
        victim = children(service.process.pid)[0]
        stop = threading.Event()
        failures: list[str] = []

        def hammer() -> None:
            while not stop.is_set():
                try:
                    answer = ask(service)
                    if answer.json() != {"prediction": 0}:
                        failures.append(answer.text)
                except httpx.TransportError as error:
                    failures.append(repr(error))

        threads = [threading.Thread(target=hammer) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        os.kill(victim, signal.SIGKILL)
        started = time.monotonic()
        while victim in children(service.process.pid) or len(children(service.process.pid)) < 2:
            assert time.monotonic() - started < 5
            time.sleep(0.01)
        time.sleep(0.5)
        stop.set()
        for thread in threads:
            thread.join()
        # Each of the four clients had at most one request on the killed worker.
        assert len(failures) <= 4, failures
        pids = children(service.process.pid)
        assert service.end() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    if not path.exists():
        pytest.skip("This platform has no /proc to find worker processes in.")
    return [int(child) for child in path.read_text().split()]


def test_workers_end_when_their_parent_is_killed(runtime: Path, iris_bundle: Path) -> None:
    with serving(runtime, iris_bundle, workers=2) as service:
        pids = children(service.process.pid)
        service.process.kill()
        service.process.wait(timeout=10)
        until = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            assert time.monotonic() < until, "workers outlived their parent"
            time.sleep(0.05)


def test_counts_are_totals_over_all_workers(runtime: Path, iris_bundle: Path) -> None:
    with serving(runtime, iris_bundle, workers=2) as service:
        for _ in range(40):
            ask(service)
        for _ in range(4):
            text = service.client.get(f"{service.url}/metrics").text
            assert 'samovar_requests_total{endpoint="/predict",status="200"} 40' in text
            assert "samovar_workers 2" in text


def test_mixed_requests_at_once_equal_the_same_alone(passengers: Service) -> None:
    bodies: list[Any] = []
    for i in range(200):
        row = [1 + i % 3, ("male", "female", "other")[i % 3], None if i % 5 == 0 else i / 7]
        record = dict(zip(("class", "sex", "age"), row, strict=True))
        bodies.append([row, record, [row, row], [record], [1, "male", "old"]][i % 5])
    alone = [ask(passengers, body).json() for body in bodies]
    with ThreadPoolExecutor(32) as pool:
        together = [answer.json() for answer in pool.map(lambda b: ask(passengers, b), bodies)]
    assert together == alone


def test_a_taken_port_is_named(runtime: Path, iris_bundle: Path, iris: Service) -> None:
    job = {
        "verb": "serve", "bundle": str(iris_bundle), "host": "127.0.0.1", "port": iris.port,
        "workers": 1, "ready": "json",
    }  # fmt: skip
    path = iris_bundle.parent / "taken.json"
    path.write_text(json.dumps(job))
    done = subprocess.run(
        command(runtime, path), check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 3
    error = json.loads(done.stdout)["error"]
    assert str(iris.port) in error["message"]
    assert error["code"] == "port_taken"


def test_folders_are_deleted_at_the_end(runtime: Path, iris_bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    (folder / "deep").mkdir(parents=True)
    with serving(runtime, iris_bundle, cleanup=[str(folder)], workers=2) as service:
        assert folder.exists()
        assert service.end() == 0
    assert not folder.exists()


def test_a_unix_socket_is_served(runtime: Path, iris_bundle: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with serving(runtime, iris_bundle, unix_socket=path) as service:
        assert service.url == f"unix:{path}"
        with httpx.Client(transport=httpx.HTTPTransport(uds=path)) as client:
            assert client.post("http://x/predict", json=ROW).json() == {"prediction": 0}


def test_the_access_log_has_a_line_for_each_request(runtime: Path, iris_bundle: Path) -> None:
    with serving(runtime, iris_bundle, access_log=True) as service:
        ask(service)
        service.client.get(f"{service.url}/nothing")
        assert service.end() == 0
        lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("POST", "/predict", 200),
        ("GET", "/nothing", 404),
    ]


def test_another_environment_is_refused_before_loading(runtime: Path, iris_bundle: Path) -> None:
    job = {
        "verb": "serve", "bundle": str(iris_bundle), "port": 0, "workers": 1, "ready": "json",
        "wanted": {"python": "3.2", "packages": [{"name": "no-such-thing", "version": "1"}]},
    }  # fmt: skip
    path = iris_bundle.parent / "mismatch.json"
    path.write_text(json.dumps(job))
    done = subprocess.run(
        command(runtime, path), check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 3
    message = json.loads(done.stdout)["error"]["message"]
    assert "python 3.2 is wanted" in message
    assert "no-such-thing 1 is wanted, none was found" in message
