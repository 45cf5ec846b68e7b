"""What recording a training run costs over the bare command.

A script reads a table and then computes for some seconds. It is run bare, recorded for the first time
(its data is new to the store), and recorded again. SAMOVAR_BENCH_MB (256) is the size of the data in
megabytes and SAMOVAR_BENCH_SECONDS (8) how long the script takes; the figures that the documentation
names are those of 1000 and 60.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_SCRIPT = """
import json, time
begin, size = time.monotonic(), 0
with open("data.csv", "rb") as file:
    while chunk := file.read(1 << 20):
        size += len(chunk)
while time.monotonic() - begin < {seconds}:
    sum(range(10_000))
json.dump({{"bytes": size}}, open("out.json", "w"))
"""
_SETTINGS = f"""
[project]
name = "bench"
python = "{sys.version_info[0]}.{sys.version_info[1]}"
[environment]
requirements = []
[train]
command = "python train.py"
code = ["train.py"]
data = ["data.csv"]
metrics = "out.json"
"""


def main() -> None:
    """Print seconds and bytes: bare, first, again."""
    megabytes = int(os.environ.get("SAMOVAR_BENCH_MB", "256"))
    seconds = float(os.environ.get("SAMOVAR_BENCH_SECONDS", "8"))
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch) / "project"
        project.mkdir()
        (project / "train.py").write_text(_SCRIPT.format(seconds=seconds))
        (project / "samovar.toml").write_text(_SETTINGS)
        home = Path(scratch) / "home"
        _write_table(project / "data.csv", 1)
        _train(project, home)  # locks, and makes the environment
        _write_table(project / "data.csv", megabytes)
        bare = min(_bare(project) for _ in range(2))
        print(f"{megabytes} MB of data, {seconds:g} s of training; bare {bare:.2f} s")
        print(f"{'':8}{'seconds':>9}{'overhead':>10}{'share':>8}{'stored':>12}")
        for name in ("first", "again", "again"):
            before = _stored(home)
            took = _train(project, home)
            print(
                f"{name:8}{took:>9.2f}{took - bare:>10.2f}{(took - bare) / bare:>8.1%}"
                f"{_stored(home) - before:>12,d}",
                flush=True,
            )


def _write_table(path: Path, megabytes: int) -> None:
    """Write a table of random numbers: nothing in it repeats, so nothing is saved by luck."""
    generator = random.Random(0)
    with path.open("w") as file:
        for _ in range(megabytes):
            numbers = generator.randbytes(500_000).hex()
            file.write("".join(f"{numbers[i : i + 99]}\n" for i in range(0, 1_000_000, 99)))


def _bare(project: Path) -> float:
    begin = time.monotonic()
    subprocess.run([sys.executable, "train.py"], cwd=project, check=True)
    return time.monotonic() - begin


def _train(project: Path, home: Path) -> float:
    begin = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "samovar", "train", "--json"],
        cwd=project,
        env=_environment(home),
        stdout=subprocess.PIPE,
        check=True,
    )
    took = time.monotonic() - begin
    assert json.loads(ended.stdout)["warnings"] == []
    return took


def _environment(home: Path) -> dict[str, str]:
    # An installed samovar keeps its compiled modules.
    kept = {name: os.environ[name] for name in os.environ if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "SAMOVAR_HOME": str(home)}


def _stored(home: Path) -> int:
    return sum(path.stat().st_size for path in (home / "store" / "blobs").rglob("*"))
