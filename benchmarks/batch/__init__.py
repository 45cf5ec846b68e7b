"""Scoring files and large bodies: samovar beside a bare script, MLflow and FastAPI.

A million rows of four columns by a linear model, whole processes, files in the page cache: CSV to
CSV and Parquet to Parquet; five million rows for the memory; ten thousand rows in one request.
Answers are compared with the bare script's.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as arrow
import sklearn
from pyarrow import csv, ipc, parquet
from sklearn.linear_model import LogisticRegression

from benchmarks.serving.servers import (
    ONE_THREAD,
    SAMOVAR,
    await_answer,
    free_port,
    make_environment,
    running,
)

HERE = Path(__file__).parent
COLUMNS = ["a", "b", "c", "d"]
MILLION = 1_000_000
REQUEST_ROWS = 10_000
REQUESTS = 20
ROUNDS = 3
PEERS = ["mlflow", "pandas", "pyarrow", f"scikit-learn=={sklearn.__version__}"]


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="batch-") as name:
        folder = Path(name)
        peers = make_environment(folder / "peers", PEERS)
        home = prepare(folder)
        for rows, path in ((MILLION, "rows"), (5 * MILLION, "five")):
            write_rows(folder / path, rows)
        print(f"{'':34}{'seconds':>9}{'rows/s':>12}{'times bare':>12}")
        for ending in ("csv", "parquet"):
            files(folder, home, peers, ending)
        memory(folder, home)
        bodies(folder, home, peers)


def prepare(folder: Path) -> Path:
    """Train and pack the model; gives the home."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(2000, 4))
    model = LogisticRegression().fit(values, values.sum(axis=1) > 0)
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    project = folder / "project"
    project.mkdir()
    (project / "model.pkl").write_bytes(pickle.dumps(model))
    records = [dict(zip(COLUMNS, row, strict=True)) for row in values[:5].tolist()]
    (project / "examples.json").write_text(json.dumps(records))
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    (project / "samovar.toml").write_text(
        f'[project]\nname = "linear"\npython = "{minor}"\n[model]\npath = "model.pkl"\n'
        '[examples]\npath = "examples.json"\n[environment]\n'
        f'requirements = ["scikit-learn=={sklearn.__version__}"]\nplatforms = ["linux/amd64"]\n'
    )
    home = folder / "home"
    seconds([SAMOVAR, "pack", str(project)], home)
    return home


def write_rows(path: Path, rows: int) -> None:
    """Write the rows as CSV and Parquet."""
    generator = np.random.default_rng(1)
    table = arrow.table({name: generator.normal(size=rows) for name in COLUMNS})
    csv.write_csv(table, path.with_suffix(".csv"))
    parquet.write_table(table, path.with_suffix(".parquet"))


def seconds(command: list[str], home: Path) -> float:
    """Run a command to its end and give its wall time."""
    started = time.perf_counter()
    subprocess.run(
        command,
        env={**os.environ, **ONE_THREAD, "SAMOVAR_HOME": str(home)},
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def files(folder: Path, home: Path, peers: Path, ending: str) -> None:
    """Time a million rows from a file to a file."""
    source = str(folder / f"rows.{ending}")
    ours, bare = str(folder / f"ours.{ending}"), str(folder / f"bare.{ending}")
    commands = {
        "pyarrow and scikit-learn": [
            str(peers / "python"), str(HERE / "bare.py"), str(folder / "model.pkl"), source, bare],
        "samovar predict": [SAMOVAR, "predict", "linear", source, "-o", ours],
    }  # fmt: skip
    best: dict[str, float] = {}
    for _ in range(ROUNDS):  # interleaved, so that a busy moment meets all
        for name, command in commands.items():
            best[name] = min(best.get(name, np.inf), seconds(command, home))
    assert predictions(ours) == predictions(bare), "the answers are not the same"
    if ending == "csv":
        saved = folder / "mlflow"
        python = str(peers / "python")
        subprocess.run([python, str(HERE / "save_mlflow.py"), folder / "model.pkl", saved],
                       check=True, capture_output=True)  # fmt: skip
        best["mlflow models predict"] = seconds(
            [str(peers / "mlflow"), "models", "predict", "-m", str(saved), "-i", source,
             "-o", str(folder / "mlflow.json"), "-t", "csv", "--env-manager", "local"],
            home,
        )  # fmt: skip
    bare_s = best["pyarrow and scikit-learn"]
    for name, took in best.items():
        print(f"{ending:8}{name:26}{took:9.2f}{MILLION / took:12,.0f}{took / bare_s:12.2f}")


def predictions(path: str) -> list[bool]:
    """Read a column of answers back."""
    table = csv.read_csv(path) if path.endswith(".csv") else parquet.read_table(path)
    return table["prediction"].to_pylist()


def memory(folder: Path, home: Path) -> None:
    """Print the largest memory of any process of samovar's while five million rows go through."""
    for ending in ("csv", "parquet"):
        source, output = folder / f"five.{ending}", folder / f"out.{ending}"
        took = seconds([SAMOVAR, "predict", "linear", str(source), "-o", str(output)], home)
        print(f"{ending:8}{'samovar, five million rows':26}{took:9.2f}{5 * MILLION / took:12,.0f}")
    command = [sys.executable, str(HERE / "peak.py"), SAMOVAR, "predict", "linear"]
    for ending in ("csv", "parquet"):
        done = subprocess.run(
            [*command, str(folder / f"five.{ending}"), "-o", str(folder / f"out.{ending}")],
            env={**os.environ, **ONE_THREAD, "SAMOVAR_HOME": str(home)},
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        print(f"{ending:8}{'memory of five million':26}{done.stdout.splitlines()[-1]:>9}")


def bodies(folder: Path, home: Path, peers: Path) -> None:
    """Time one request of ten thousand rows."""
    rows = np.random.default_rng(2).normal(size=(REQUEST_ROWS, 4))
    records = [dict(zip(COLUMNS, row, strict=True)) for row in rows.tolist()]
    body = json.dumps(records).encode()
    port, other = free_port(), free_port()
    served = {
        "FastAPI, pydantic, pandas": (
            [str(peers / "uvicorn"), "fastapi_rows:app", "--app-dir", str(HERE), "--port",
             str(other), "--log-level", "warning"],
            other,
        ),
        "samovar serve": (
            [SAMOVAR, "serve", "linear", "--port", str(port), "--workers", "1"], port),
    }  # fmt: skip
    stream = arrow_stream(rows)
    took: dict[tuple[str, str], float] = {}
    with ExitStack() as stack:
        for command, at in served.values():
            variables = {"SAMOVAR_HOME": str(home), "MODEL": str(folder / "model.pkl")}
            stack.enter_context(running(command, variables, folder / f"server-{at}.log"))
            url = f"http://127.0.0.1:{at}/predict"
            await_answer(url, json.dumps(records[:2]).encode(), time.perf_counter())
        for _ in range(REQUESTS):  # interleaved, so that a busy moment meets all
            for name, (_, at) in served.items():
                url = f"http://127.0.0.1:{at}/predict"
                for form, content in (("JSON", body), ("Arrow", stream)):
                    if form == "JSON" or at == port:
                        least = took.get((form, name), np.inf)
                        took[form, name] = min(least, ask(url, content, form))
    base = next(iter(took.values()))
    for (form, name), best in sorted(took.items(), key=lambda item: -item[1]):
        print(f"{form:8}{name:26}{best:9.4f}{REQUEST_ROWS / best:12,.0f}{base / best:11.1f}x")


def arrow_stream(rows: np.ndarray) -> bytes:
    """Write the rows as an Arrow IPC stream."""
    table = arrow.table(dict(zip(COLUMNS, rows.T, strict=True)))
    stream = arrow.BufferOutputStream()
    with ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return stream.getvalue().to_pybytes()


def ask(url: str, body: bytes, form: str) -> float:
    """Send the body and read the whole answer."""
    kind = "application/json" if form == "JSON" else "application/vnd.apache.arrow.stream"
    request = urllib.request.Request(url, body, {"Content-Type": kind})
    started = time.perf_counter()
    with urllib.request.urlopen(request, timeout=60) as answer:
        if form == "JSON":
            assert len(json.load(answer)["predictions"]) == REQUEST_ROWS
        else:
            assert ipc.open_stream(answer.read()).read_all().num_rows == REQUEST_ROWS
    return time.perf_counter() - started
