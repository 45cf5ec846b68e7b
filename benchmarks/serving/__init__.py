"""Requests a second: samovar beside FastAPI, uWSGI behind NGINX, and NGINX with a constant.

All servers run at once; each round asks one after the other, so that what else the machine does
meets all of them, and the medians are printed. Every status is checked while it is measured, and
every answer in a run of its own after each round. Needs wrk and NGINX (``apt install wrk nginx``).

``BENCH_SECONDS`` and ``BENCH_ROUNDS`` change how long; ``BENCH_WRITE=FOLDER`` also writes the table
and the plots there.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.serving import report, servers
from benchmarks.serving.load import Load, Wrk, memory_mb

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
CONNECTIONS = {"linear": (64, 1, 256), "forest": (64, 1)}
ROW = [5.1, 3.5, 1.4, 0.2]


def main() -> None:
    """Measure both models and print the tables."""
    lacking = servers.missing()
    if lacking:
        print(f"skipped: {' and '.join(lacking)} are not here (apt install wrk nginx)")
        return
    texts = []
    with tempfile.TemporaryDirectory(prefix="samovar-bench-") as name:
        folder = Path(name)
        peers = servers.make_environment(folder / "peers", requirements())
        os.environ["SAMOVAR_HOME"] = str(folder / "home")
        for kind in ("linear", "forest"):
            project = make_project(folder / kind, kind)
            text, plot = measure(kind, project, folder, peers)
            print(text, flush=True)
            texts.append(text)
            write(f"serving-{kind}.svg", plot)
    write("serving.md", "\n\n".join(texts) + "\n")


def requirements() -> list[str]:
    """Pin what both sides compute with."""
    from importlib.metadata import version

    return [f"{name}=={version(name)}" for name in ("scikit-learn", "numpy", "scipy", "joblib")]


def make_project(folder: Path, kind: str) -> Path:
    """Fit a model and pack it."""
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import LinearRegression

    rows, target = load_iris(return_X_y=True)
    model: Any = LinearRegression()
    if kind == "forest":
        model = RandomForestRegressor(100, random_state=0)
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps(model.fit(rows, target + rows[:, 0] / 7)))
    (folder / "examples.json").write_text(json.dumps(rows[::10].tolist()))
    (folder / "requirements.txt").write_text("\n".join(requirements()) + "\n")
    (folder / "samovar.toml").write_text(
        f'[project]\nname = "{kind}"\nversion = "1"\npython = "{python_minor()}"\n'
        '[model]\npath = "model.pkl"\n[examples]\npath = "examples.json"\n'
        '[environment]\nrequirements = ["requirements.txt"]\nplatforms = ["linux/amd64"]\n'
    )
    subprocess.run([servers.SAMOVAR, "pack", str(folder)], check=True, capture_output=True)
    return folder


def python_minor() -> str:
    """Give the minor version of this Python."""
    import sys

    return f"{sys.version_info.major}.{sys.version_info.minor}"


def measure(kind: str, project: Path, folder: Path, peers: Path) -> tuple[str, str]:
    """Measure one model; gives the table and the plot."""
    model = pickle.loads((project / "model.pkl").read_bytes())
    answer = float(model.predict([ROW])[0])
    body = json.dumps(ROW, separators=(",", ":"))
    wrk = Wrk(folder, body, answer)
    loads: dict[str, dict[int, list[Load]]] = {}
    with ExitStack() as stack:
        started = servers.start_all(project, folder, peers, body.encode(), answer, stack)
        for _ in range(ROUNDS):
            for connections in CONNECTIONS[kind]:
                for name, (url, _, _) in started.items():
                    load = wrk.measure(url, connections, SECONDS)
                    loads.setdefault(name, {}).setdefault(connections, []).append(load)
            for url, _, _ in started.values():
                wrk.check(url, 16)
        memory = {
            name: sum(memory_mb(pid) for pid in pids) for name, (_, pids, _) in started.items()
        }
    rates = {
        name: {c: median(load.requests_per_s for load in runs) for c, runs in by.items()}
        for name, by in loads.items()
    }
    latency = {name: median(load.p50_s for load in by[1]) for name, by in loads.items()}
    starts = {name: seconds for name, (_, _, seconds) in started.items()}
    rows = [(name, cells(name, rates, latency, memory, starts)) for name in rates]
    plot = report.bars(
        f"{kind} model, 64 connections: requests a second",
        {name: by[64] for name, by in rates.items()},
    )
    ratios = "  \n".join(compare(kind, rates, latency, memory, starts))
    return f"### {kind}\n\n{report.table(rows)}\n\n{ratios}", plot


def cells(
    name: str,
    rates: Mapping[str, Mapping[int, float]],
    latency: Mapping[str, float],
    memory: Mapping[str, float],
    starts: Mapping[str, float],
) -> dict[str, str]:
    """Write one server's row."""
    row = {f"{c} connections, 1/s": f"{rate:,.0f}" for c, rate in rates[name].items()}
    row["p50 at 1, us"] = f"{latency[name] * 1e6:,.0f}"
    row["memory, MB"] = f"{memory[name]:,.0f}"
    row["first answer, s"] = f"{starts[name]:.2f}"
    return row


def compare(
    kind: str,
    rates: Mapping[str, Mapping[int, float]],
    latency: Mapping[str, float],
    memory: Mapping[str, float],
    starts: Mapping[str, float],
) -> list[str]:
    """Write samovar's ratios to the others."""
    ours, fastapi, uwsgi, constant = rates
    lines = [
        f"{c} connections: {rates[ours][c] / rates[fastapi][c]:.1f} x FastAPI, "
        f"{rates[ours][c] / rates[uwsgi][c]:.1f} x uWSGI + NGINX, "
        f"{rates[ours][c] / rates[constant][c]:.2f} of NGINX's constant"
        for c in CONNECTIONS[kind]
    ]
    lines.append(
        f"of FastAPI's: p50 at 1 connection {latency[ours] / latency[fastapi]:.2f}, "
        f"memory {memory[ours] / memory[fastapi]:.2f}, "
        f"start to first answer {starts[ours] / starts[fastapi]:.2f}"
    )
    return lines


def write(name: str, text: str) -> None:
    """Write a file where BENCH_WRITE says so."""
    folder = os.environ.get("BENCH_WRITE")
    if folder:
        (Path(folder) / name).write_text(text, encoding="utf-8")
