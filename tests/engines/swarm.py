"""Three Docker engines that are one swarm, each in a network namespace as if on a host of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engines.docker import DockerEngine, import_nginx, run_engine
from engines.processes import need, need_root

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A host of the swarm.

    Parameters
    ----------
    engine : DockerEngine
        Its engine.
    address : str
        Where this machine reaches what it publishes.
    inside : tuple of str
        What starts a program in its network.
    """

    engine: DockerEngine
    address: str
    inside: tuple[str, ...]

    def is_alive(self) -> bool:
        """Say whether its engine runs."""
        return self.engine.server.process.poll() is None

    def containers(self) -> list[str]:
        """Give the IDs of what runs on it."""
        return self.engine.docker("ps", "-q").stdout.split()

    def lose(self) -> None:
        """Cut it off and kill all that runs on it, as a host does that loses its power."""
        running = self.containers()
        shown: list[str] = []
        if running:
            inspected = self.engine.docker("inspect", "-f", "{{.State.Pid}}", *running)
            shown = inspected.stdout.split()
        subprocess.run([*self.inside, "ip", "link", "set", "eth0", "down"], check=True)
        for pid in [self.engine.server.pid, *_started_in(self.engine.folder), *map(int, shown)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swarm:
    """A swarm whose nodes are all managers, so that it bears the loss of any one."""

    nodes: tuple[Node, ...]
    balancer: str

    def load(self, *archives: Path) -> None:
        """Give images to every node, as no registry is there."""
        pairs = [(node, archive) for node in self.nodes for archive in archives]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda pair: pair[0].engine.docker("load", "-i", pair[1]), pairs))

    def end(self) -> None:
        """Remove the services, and then the hosts at once: leaving one by one costs the quorum."""
        alive = [node for node in self.nodes if node.is_alive()]
        services = alive[0].engine.docker("service", "ls", "-q").stdout.split()
        if services:
            alive[0].engine.docker("service", "rm", *services)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and any(node.containers() for node in alive):
            time.sleep(0.2)
        for node in alive:
            node.lose()


def _started_in(folder: Path) -> list[int]:
    """Give the processes that name a folder on their command line: containerd and its shims."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with suppress(OSError):
                if os.fsencode(folder) in (path / "cmdline").read_bytes():
                    found.append(int(path.name))
    return found


@contextmanager
def _network(name: str, subnet: str) -> Iterator[list[tuple[str, ...]]]:
    """Three namespaces on one switch; give what starts a program in each.

    The switch has a namespace of its own, because engines on this machine close the way through it.
    """
    ip = need("ip", "apt install iproute2")
    need("nsenter", "apt install util-linux")
    switch, *hosts = names = [f"{name}{number}" for number in range(4)]

    def run(*words: str, inside: str | None = None) -> None:
        enter = () if inside is None else _enter(inside)
        subprocess.run([*enter, ip, *words], check=True, capture_output=True)

    with ExitStack() as undo:
        for one in names:
            run("netns", "add", one)
            undo.callback(subprocess.run, [ip, "netns", "delete", one], check=False)
        run("link", "add", "switch", "type", "bridge", inside=switch)
        run("link", "set", "switch", "up", inside=switch)
        run("link", "add", name, "type", "veth", "peer", "name", "here", "netns", switch)
        undo.callback(
            subprocess.run, [ip, "link", "delete", name], check=False, capture_output=True
        )
        run("link", "set", "here", "master", "switch", "up", inside=switch)
        run("addr", "add", f"{subnet}.254/24", "dev", name)
        run("link", "set", name, "up")
        for number, host in enumerate(hosts, 1):
            cable = f"cable{number}"
            run(
                *("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", host),
                inside=switch,
            )
            run("link", "set", cable, "master", "switch", "up", inside=switch)
            run("link", "set", "lo", "up", inside=host)
            run("addr", "add", f"{subnet}.{number}/24", "dev", "eth0", inside=host)
            run("link", "set", "eth0", "up", inside=host)
            run("route", "add", "default", "via", f"{subnet}.254", inside=host)
        yield [_enter(host) for host in hosts]


def _enter(name: str) -> tuple[str, ...]:
    """Enter a network and nothing else: ``ip netns exec`` would hide the control groups."""
    return ("nsenter", f"--net=/run/netns/{name}")


@contextmanager
def run_swarm(folder: Path) -> Iterator[Swarm]:
    """Run three engines and join them."""
    need_root("A swarm")
    number = os.getpid() % 250
    subnet = f"10.214.{number}"
    with _network(f"sw{os.getpid() % 10**7}n", subnet) as networks, ExitStack() as engines:
        nodes = []
        for position, inside in enumerate(networks, 1):
            own = folder / f"{position}"
            own.mkdir()
            engine = engines.enter_context(
                run_engine(own, bridge="own0", subnet=f"10.{214 + position}.0.1/24", inside=inside)
            )
            address = f"{subnet}.{position}"
            nodes.append(Node(engine=engine, address=address, inside=inside))
        _join(nodes)
        (balancer,) = {import_nginx(node.engine, folder) for node in nodes}
        swarm = Swarm(nodes=tuple(nodes), balancer=balancer)
        try:
            yield swarm
        finally:
            swarm.end()


def _join(nodes: list[Node]) -> None:
    first, *others = nodes
    at = ("--advertise-addr", first.address, "--listen-addr", first.address)
    first.engine.docker("swarm", "init", *at)
    token = first.engine.docker("swarm", "join-token", "-q", "manager").stdout.strip()
    for node in others:
        at = ("--advertise-addr", node.address, "--listen-addr", node.address)
        node.engine.docker("swarm", "join", "--token", token, *at, f"{first.address}:2377")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        shown = first.engine.docker("node", "ls", "--format", "{{.Status}}").stdout.split()
        if shown == ["Ready"] * len(nodes):
            return
        time.sleep(0.1)
    pytest.fail("The nodes did not become a swarm.")
