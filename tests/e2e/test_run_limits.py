"""Limits hold under load: what the kernel counts for each of two services of one machine."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from engines.cgroups import ControlGroups
from engines.processes import need, need_root, unavailable, wait_until
from running import Running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 1024 * 1024
PERIOD_S = 0.1
ROW = [1, 0, 1, 24]
MANY = json.dumps([ROW] * 2000).encode()
# The most values that a request may have; ten of them at once are too many for 200 MiB.
MOST = json.dumps([ROW] * 240_000, separators=(",", ":")).encode()
HIDDEN = [
    "unshare",
    "-m",
    "sh",
    "-c",
    'mount -t tmpfs -o ro none /sys/fs/cgroup && exec "$@"',
    "sh",
]
pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


class Load:
    """Clients that ask a service all the time."""

    def __init__(self, url: str, body: bytes = MANY, clients: int = 3) -> None:
        self._url, self._body = url, body
        self._is_over = threading.Event()
        self.statuses: list[int] = []
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        with httpx.Client(trust_env=False, timeout=60) as client:
            while not self._is_over.is_set():
                try:
                    answer = client.post(f"{self._url}/predict", content=self._body)
                except httpx.HTTPError:
                    self.statuses.append(0)
                    return
                self.statuses.append(answer.status_code)

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()


def hold_their_shares(services: list[tuple[Running, ControlGroups, float]]) -> None:
    """Load some services at once until each has met its limit often; none may have had more."""
    if any(groups.used_s is None for _, groups, _ in services):
        unavailable("The kernel counts no processor time of control groups here.")
    with ExitStack() as stack:
        for running, groups, _ in services:
            stack.enter_context(groups.first())
            stack.enter_context(Load(running.url))
        before = [(groups.used_s, groups.throttled) for _, groups, _ in services]
        begun = time.monotonic()
        wait_until(
            lambda: all(
                groups.throttled >= start + 10
                for (_, groups, _), (_, start) in zip(services, before, strict=True)
            ),
            within_s=60,
        )
        used = [groups.used_s for _, groups, _ in services]
        elapsed_s = time.monotonic() - begun
    for (_, _, cpus), (start, _), end in zip(services, before, used, strict=True):
        # One period had begun, and one was dealt out before its end.
        assert end - start <= cpus * (elapsed_s + 2 * PERIOD_S) * 1.05


@pytest.fixture
def two(example_home: Path) -> Iterator[Callable[..., list[Running]]]:
    """Start two services with different limits; they are ended afterwards."""
    started: list[Running] = []

    def start(*arguments: str, **variables: str) -> list[Running]:
        for cpus, memory in (("0.2", "300m"), ("0.4", "500m")):
            limits = ("--cpus", cpus, "--memory", memory)
            started.append(Running(example_home, *limits, *arguments, **variables))
        return started

    yield start
    for running in started:
        running.__exit__()


def test_two_services_of_processes_keep_to_their_shares(two) -> None:
    services = two()
    replicas = [running.ready["replicas"][0] for running in services]
    if any(replica["limits"]["by"].get("cpus") != "cgroup" for replica in replicas):
        unavailable("Control groups may not be written here; run the tests as root.")
    groups = [ControlGroups(int(replica["id"])) for replica in replicas]
    assert [one.memory_limit for one in groups] == [300 * MIB, 500 * MIB]
    hold_their_shares(list(zip(services, groups, (0.2, 0.4), strict=True)))
    for one in groups:
        assert 0 < one.memory_peak <= one.memory_limit


def test_two_services_of_containers_keep_to_their_shares(two, docker_engine) -> None:
    need("nginx", "apt install nginx")
    services = two("--isolation", "docker", DOCKER_HOST=docker_engine.host)
    groups = []
    for running in services:
        shown = docker_engine.docker("inspect", running.ready["replicas"][0]["id"]).stdout
        (container,) = json.loads(shown)
        groups.append(ControlGroups(container["State"]["Pid"]))
        assert container["HostConfig"]["MemorySwap"] == container["HostConfig"]["Memory"]
    assert [one.memory_limit for one in groups] == [300 * MIB, 500 * MIB]
    hold_their_shares(list(zip(services, groups, (0.2, 0.4), strict=True)))
    for one in groups:
        assert 0 < one.memory_peak <= one.memory_limit


def test_who_takes_more_memory_than_allowed_is_ended_by_the_kernel(example_home) -> None:
    running = Running(example_home, "--memory", "200m")
    try:
        (replica,) = running.ready["replicas"]
        if replica["limits"]["by"].get("memory") != "cgroup":
            unavailable("Control groups may not be written here; run the tests as root.")
        groups, peaks = ControlGroups(int(replica["id"])), [0]

        def has_died() -> bool:
            peaks.append(groups.memory_peak or 0)
            return 0 in load.statuses

        with Load(running.url, MOST, clients=10) as load:
            wait_until(has_died, within_s=120)
        assert 100 * MIB < max(peaks) <= 200 * MIB
    finally:
        running.kill()


def test_without_control_groups_a_process_limits_itself_and_says_how_far(example_home) -> None:
    need_root("A machine without control groups")
    need("unshare", "apt install util-linux")
    with Running(example_home, "--cpus", "0.5", "--memory", "200m", prefix=HIDDEN) as running:
        (replica,) = running.ready["replicas"]
        assert replica["limits"]["by"] == {"memory": "rlimit"}
        assert replica["limits"]["not_enforced"] == ["cpus"]
        process = int(replica["id"])
        assert len(os.sched_getaffinity(process)) == 1
        limits = Path(f"/proc/{process}/limits").read_text()
        assert f"Max data size             {200 * MIB}" in limits
        with Load(running.url, MOST, clients=10) as load:
            wait_until(lambda: any(status != 200 for status in load.statuses), within_s=120)
        # What does not fit is refused, and the service goes on.
        assert set(load.statuses) <= {200, 503}
        assert running.ask(1) == [200]
