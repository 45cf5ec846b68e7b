"""Requests a second: samovar beside BentoML, LitServe, MLServer, MLflow and Ray Serve.

Each framework has an environment of its own with the newest version that the package index has, two
processes for the model where that works, and runs beside samovar alone; the rounds of both alternate and
the medians are printed. Every answer is checked in a run of its own after each round. Needs wrk
(``apt install wrk``). ``BENCH_SECONDS`` and ``BENCH_ROUNDS`` change how long.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.frameworks.started import (
    FRAMEWORKS,
    Framework,
    make_environment,
    variables,
)
from benchmarks.serving import ROW, make_project, report, requirements, servers
from benchmarks.serving.load import Wrk, memory_mb

SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
CONNECTIONS = (64, 1)


def main() -> None:
    """Measure one framework after the other and print the table."""
    if "wrk" in servers.missing():
        print("skipped: wrk is not here (apt install wrk)")
        return
    rows = []
    with tempfile.TemporaryDirectory(prefix="samovar-bench-") as name:
        folder = Path(name)
        os.environ["SAMOVAR_HOME"] = str(folder / "home")
        project = make_project(folder / "linear", "linear")
        for framework in FRAMEWORKS:
            rows.append(measure(framework, project, folder))
            print(rows[-1], flush=True)
    print(report.table(rows))


def measure(framework: Framework, project: Path, folder: Path) -> tuple[str, dict[str, str]]:
    """Run a framework and samovar beside each other; gives the row of the table."""
    own = folder / framework.name.replace(" ", "-").lower()
    own.mkdir()
    path = make_environment(own / "venv", framework, requirements())
    model = project / "model.pkl"
    answer = float(pickle.loads(model.read_bytes()).predict([ROW])[0])
    told = variables(model, path)
    with ExitStack() as stack:
        port, other = servers.free_port(), servers.free_port()
        url = f"http://127.0.0.1:{port}{framework.path}"
        ours = f"http://127.0.0.1:{other}/predict"
        os.environ["MODEL"] = str(model)
        command = framework.command(path, own, port)
        started = time.perf_counter()
        pid = stack.enter_context(servers.running(command, told, own / "log"))
        seconds = servers.await_answer(url, framework.body(ROW).encode(), started)
        stack.enter_context(
            servers.running(servers.samovar(project, path, other), {}, own / "samovar.log")
        )
        body = json.dumps(ROW, separators=(",", ":"))
        servers.await_answer(ours, body.encode(), time.perf_counter())
        theirs_load = Wrk(own, framework.body(ROW), answer, pattern=framework.answer)
        ours_load = Wrk(folder, body, answer)
        rates: dict[tuple[str, int], list[float]] = {}
        latency: dict[str, list[float]] = {"ours": [], "theirs": []}
        for _ in range(ROUNDS):
            for connections in CONNECTIONS:
                for side, load, at in (("theirs", theirs_load, url), ("ours", ours_load, ours)):
                    found = load.measure(at, connections, SECONDS)
                    rates.setdefault((side, connections), []).append(found.requests_per_s)
                    if connections == 1:
                        latency[side].append(found.p50_s)
            theirs_load.check(url, 16)
            ours_load.check(ours, 16)
        memory = memory_mb(pid)
    middle = {key: median(values) for key, values in rates.items()}
    return f"{framework.name} {version_of(framework, path)}", {
        "64 connections, 1/s": f"{middle['theirs', 64]:,.0f}",
        "samovar beside it": f"{middle['ours', 64]:,.0f}",
        "ratio": f"{middle['ours', 64] / middle['theirs', 64]:.0f}",
        "1 connection, 1/s": f"{middle['theirs', 1]:,.0f}",
        "ratio at 1": f"{middle['ours', 1] / middle['theirs', 1]:.1f}",
        "p50 at 1, us": f"{median(latency['theirs']) * 1e6:,.0f}",
        "memory, MB": f"{memory:,.0f}",
        "first answer, s": f"{seconds:.1f}",
    }


def version_of(framework: Framework, path: Path) -> str:
    """Give the version that was installed."""
    name = framework.packages[0].partition("[")[0]
    program = f"from importlib.metadata import version; print(version({name!r}))"
    done = subprocess.run([path / "python", "-c", program], check=True, capture_output=True)
    return done.stdout.decode().strip()
