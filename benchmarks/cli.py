"""How long the commands of the main job take on ``examples/web``, uv's cache warm.

Prints, in seconds: CPU of ``--help``; wall time of ``pack``, ``verify`` in a fresh environment, and
``serve`` until it is ready, the first time in a home and the second.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SAMOVAR = str(Path(sys.executable).with_name("samovar.exe" if os.name == "nt" else "samovar"))
ROUNDS = 3
LIMITS = {"help (CPU)": 0.25, "pack": 4, "verify": 3, "serve, first": 2, "serve, second": 1.2}


def run(*words: str, home: Path, cwd: Path) -> float:
    """Run a command and give its wall time."""
    started = time.perf_counter()
    subprocess.run(
        [SAMOVAR, *words],
        cwd=cwd,
        env={**os.environ, "SAMOVAR_HOME": str(home)},
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def help_cpu() -> float:
    """Give the CPU time of ``samovar --help``."""
    before = os.times()
    subprocess.run([SAMOVAR, "--help"], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return (after.children_user + after.children_system) - (
        before.children_user + before.children_system
    )


def serve_ready(home: Path, cwd: Path) -> float:
    """Start the service, wait for its line, and end it; give the time to the line."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [SAMOVAR, "serve", "titanic", "--port", "0", "--json"],
        cwd=cwd,
        env={**os.environ, "SAMOVAR_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    elapsed = time.perf_counter() - started
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert "url" in json.loads(line), line
    return elapsed


def one_round(folder: Path) -> dict[str, float]:
    """Measure everything once, in a new home."""
    home, project = folder / "home", folder / "web"
    shutil.copytree(ROOT / "examples" / "web", project)
    run("init", "--name", "titanic", "--yes", home=home, cwd=project)
    run("lock", home=home, cwd=project)
    found = {"help (CPU)": help_cpu(), "pack": run("pack", home=home, cwd=project)}
    found["verify"] = run("verify", "titanic", home=home, cwd=project)
    found["serve, first"] = serve_ready(home, project)
    found["serve, second"] = serve_ready(home, project)
    return found


def main() -> None:
    """Print the best of some rounds beside what was promised."""
    rounds = []
    for number in range(ROUNDS + 1):
        with tempfile.TemporaryDirectory() as folder:
            found = one_round(Path(folder))
        if number:  # the first one fills uv's cache
            rounds.append(found)
    for name, limit in LIMITS.items():
        best = min(found[name] for found in rounds)
        print(f"{name:16} {best:6.2f} s   promised under {limit} s")


if __name__ == "__main__":
    main()
