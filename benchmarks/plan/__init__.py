"""What ``samovar plan`` simulates, beside what 1 to 4 replicas on this machine do under load.

Two models: the example's, whose call costs much more than a row, so that requests are put together;
and a support vector machine, whose rows cost. Each is measured as ``plan`` does it, simulated, and run
by ``samovar run`` with a quota for each replica, so that all fit on two processors; requests arrive as
a Poisson process. Printed are medians over rounds, and the error of the simulation against them.

The replicas come first in line for processors, so that other programs of the machine change little.

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
FLEETS = ((1, 1.0), (2, 0.7), (3, 0.5), (4, 0.4))
"""Replicas, and the processors of each: what is left is the balancer's and the clients'."""
LOADS = {"example": (0.5, 1.5), "svr": (0.5, 0.7)}
"""Requests a second, as shares of what the replicas answered if each request were a call."""


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
        for kind, make in (("example", make_example), ("svr", make_svr)):
            body = make(folder / kind)
            for replicas, cpus in FLEETS:
                compare(kind, folder / kind, body, replicas, cpus, errors)
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
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    (folder / "samovar.toml").write_text(
        f'[project]\nname = "svr"\nversion = "1"\npython = "{python}"\n'
        '[model]\npath = "model.pkl"\n[examples]\npath = "examples.json"\n'
        '[environment]\nrequirements = ["requirements.txt"]\nplatforms = ["linux/amd64"]\n'
    )
    run("pack", str(folder))
    return json.dumps(rows[0].round(3).tolist()).encode()


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
def running(kind: str, replicas: int, cpus: float) -> Iterator[str]:
    """Run replicas; yields where they answer."""
    command = [
        SAMOVAR,
        "run",
        kind,
        "--replicas",
        str(replicas),
        "--cpus",
        str(cpus),
        "--port",
        "0",
    ]
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True) as process:
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
    _project: Path,
    body: bytes,
    replicas: int,
    cpus: float,
    errors: dict[str, list[float]],
) -> None:
    """Run and simulate some replicas under each load, and print a line for each."""
    costs = measured(kind)
    shape = Shape(cpus=cpus, merges=costs.merges)
    with running(kind, replicas, cpus) as address:
        ask(address, body, 20, 1, 0)
        for share in LOADS[kind]:
            rate = share * replicas * cpus / costs.cost.of_turn(1, 1)
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
                f"| {kind} | {replicas} x {cpus:g} | {rate:.0f} | {' | '.join(cells)} |", flush=True
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
