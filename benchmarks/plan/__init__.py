"""What ``samovar plan`` simulates, beside what 1 to 4 replicas on this machine do under load.

Three models. One waits, as for a device: what it costs is time and no processor, so that four replicas
fit on a small machine, and what is compared is arrivals, balancer, queues and batches. The example's
costs much more for a call than for a row, a support vector machine's rows cost: both on a processor of
their own, and the example on half of one, by the quota of a control group. Each is measured as ``plan``
does it, simulated, and run by ``samovar run``; requests arrive as a Poisson process. Printed are medians
over rounds, and the error of the simulation against them.

Where root runs it, servers and clients come before all other programs of the machine (SCHED_FIFO; the
group with a quota by its weight), which then change little.

``BENCH_SECONDS`` and ``BENCH_ROUNDS`` change how long. Needs NGINX for several replicas, and control
groups that may be written for the quota.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.plan.load import Seen, ask
from samovar.bundle.resolve import resolve
from samovar.bundle.target import read_target
from samovar.deploy.capacity.measure import measure_bundle
from samovar.deploy.capacity.replica import Load, Shape
from samovar.deploy.capacity.simulation import simulate
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samovar.deploy.capacity.sizing import Measured

SECONDS = float(os.environ.get("BENCH_SECONDS", "6"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
ROOT = Path(__file__).resolve().parents[2]
SAMOVAR = str(Path(sys.executable).with_name("samovar"))
FLEETS: dict[str, tuple[tuple[int, float | None], ...]] = {
    "waiting": ((1, None), (2, None), (3, None), (4, None)),
    "example": ((1, None), (1, 0.5)),
    "svr": ((1, None),),
}
"""Replicas, and the quota of each."""
LOADS = {"waiting": (0.5, 1.5), "example": (0.5, 1.5), "svr": (0.5, 0.7)}
"""Requests a second, as shares of what the replicas answered if each request were a call."""
WAITING = """
import time


class Waiting:
    def predict(self, rows):
        time.sleep(0.03 + 0.002 * len(rows))
        return [row[0] for row in rows]
"""


def main() -> None:
    """Measure, simulate, run, and print the table."""
    if shutil.which("nginx", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin") is None:
        print("skipped: NGINX is not here (apt install nginx)")
        return
    errors: dict[str, list[float]] = {"throughput": [], "p50": [], "p99": []}
    with tempfile.TemporaryDirectory(prefix="samovar-bench-") as name:
        folder = Path(name)
        os.environ["SAMOVAR_HOME"] = str(folder / "home")
        print("| model | replicas x CPU | asked, 1/s | answered, 1/s | simulated | p50, ms | simulated "
              "| p99, ms | simulated |\n|---|---|---:|---:|---:|---:|---:|---:|---:|")  # fmt: skip
        for kind, make in MAKE.items():
            body = make(folder / kind)
            with ahead():
                costs = measured(kind)
            for replicas, cpus in FLEETS[kind]:
                compare(kind, body, costs, replicas, cpus, errors)
    for name, found in errors.items():
        print(f"error of {name}: median {median(map(abs, found)):.0%}, "
              f"from {min(found):+.0%} to {max(found):+.0%}")  # fmt: skip


def make_example(folder: Path) -> bytes:
    """Pack the example."""
    shutil.copytree(ROOT / "examples" / "web", folder)
    run("init", str(folder), "--name", "example", "--yes")
    run("pack", str(folder))
    return b"[1,0,1,24]"


def make_svr(folder: Path) -> bytes:
    """Fit and pack a support vector machine that takes milliseconds for a row."""
    from importlib.metadata import version

    import numpy as np
    from sklearn.svm import SVR

    chance = np.random.default_rng(0)
    rows = chance.normal(size=(12_000, 20))
    model = SVR(epsilon=0.0).fit(rows[:8000], np.sin(rows[:8000, 0]) + rows[:8000, 1])
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    (folder / "examples.json").write_text(json.dumps(rows[:20].round(3).tolist()))
    pins = [f"{name}=={version(name)}" for name in ("scikit-learn", "numpy", "scipy", "joblib")]
    (folder / "requirements.txt").write_text("\n".join(pins) + "\n")
    write_project(folder, "svr", "")
    run("pack", str(folder))
    return json.dumps(rows[0].round(3).tolist()).encode()


def make_waiting(folder: Path) -> bytes:
    """Pack a model that waits."""
    from importlib.metadata import version

    folder.mkdir()
    (folder / "waiting.py").write_text(WAITING)
    # Class, no arguments, no state.
    (folder / "model.pkl").write_bytes(b"\x80\x02cwaiting\nWaiting\n)\x81.")
    (folder / "examples.json").write_text("[[1.5, 2.5], [3.5, 4.5]]")
    (folder / "requirements.txt").write_text(f"numpy=={version('numpy')}\n")
    write_project(folder, "waiting", 'trusted = ["waiting.Waiting"]\n')
    run("pack", str(folder))
    return b"[1.5,2.5]"


def write_project(folder: Path, name: str, more: str) -> None:
    """Write a project around a model and its requirements."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    (folder / "samovar.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "1"\npython = "{python}"\n'
        f'[model]\npath = "model.pkl"\n{more}[examples]\npath = "examples.json"\n'
        '[environment]\nrequirements = ["requirements.txt"]\nplatforms = ["linux/amd64"]\n'
    )


MAKE = {"waiting": make_waiting, "example": make_example, "svr": make_svr}


def run(*words: str) -> None:
    """Run a command that has to succeed."""
    subprocess.run([SAMOVAR, *words], check=True, capture_output=True)


def measured(kind: str) -> Measured:
    """Measure a bundle as ``plan`` does it."""
    home = Home.locate()
    store = Store(home.store)
    _, bundle = resolve(home, store, read_target(kind, store), lambda _text: None)
    return measure_bundle(home, store, bundle, name=kind, rows=1, progress=lambda _text: None)


@contextmanager
def ahead() -> Iterator[None]:
    """Come before all other programs, with what is started meanwhile, where that is allowed."""
    with suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        with suppress(OSError, AttributeError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@contextmanager
def running(kind: str, replicas: int, cpus: float | None) -> Iterator[str]:
    """Run replicas; yields where they answer."""
    command = [SAMOVAR, "run", kind, "--replicas", str(replicas), "--port", "0", "--json"]
    if cpus is not None:
        # A group with a quota takes no process of the first class.
        command = ["chrt", "-o", "0", *command, "--cpus", str(cpus)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready: dict[str, Any] = json.loads(process.stdout.readline())
        missing = [one for one in ready["replicas"] if one["limits"]["not_enforced"]]
        assert not missing, "quotas are not enforced here: run it where control groups are writable"
        for number in range(replicas):
            come_first(f"samovar-{ready['id']}-{number}")
        try:
            yield str(ready["url"]).removeprefix("http://")
        finally:
            process.send_signal(signal.SIGTERM)


def come_first(group: str) -> None:
    """Give a control group precedence over what else runs, within its quota."""
    for name, most in (("cpu/{}/cpu.shares", "262144"), ("{}/cpu.weight", "10000")):
        with suppress(OSError):
            Path("/sys/fs/cgroup", name.format(group)).write_text(most)


def compare(
    kind: str,
    body: bytes,
    costs: Measured,
    replicas: int,
    cpus: float | None,
    errors: dict[str, list[float]],
) -> None:
    """Run and simulate some replicas under each load, and print a line for each."""
    shape = Shape(cpus=cpus or 1.0, merges=costs.merges)
    with ahead(), running(kind, replicas, cpus) as address:
        ask(address, body, 20, 1, 0)
        for share in LOADS[kind]:
            rate = share * replicas * shape.cpus / costs.cost.of_turn(1, 1)
            seen = middle([ask(address, body, rate, SECONDS, seed) for seed in range(ROUNDS)])
            told = simulate(Load(rate_per_s=rate), shape, costs.cost, replicas=replicas)
            pairs = {
                "throughput": (seen.throughput_per_s, min(rate, told.throughput_per_s), 1),
                "p50": (seen.p50_s, told.quantile(0.5), 1e3),
                "p99": (seen.p99_s, told.quantile(0.99), 1e3),
            }
            cells = [f"{value * scale:.1f}" for one, two, scale in pairs.values()
                     for value in (one, two)]  # fmt: skip
            print(
                f"| {kind} | {replicas} x {shape.cpus:g} | {rate:.0f} | {' | '.join(cells)} |",
                flush=True,
            )
            for name, (one, two, _) in pairs.items():
                errors[name].append(two / one - 1)


def middle(rounds: list[Seen]) -> Seen:
    """Give the median of each figure."""
    failed = sum(one.failed for one in rounds)
    assert not failed, f"{failed} requests failed"
    return Seen(
        throughput_per_s=median(one.throughput_per_s for one in rounds),
        p50_s=median(one.p50_s for one in rounds),
        p99_s=median(one.p99_s for one in rounds),
        failed=failed,
    )
