"""``train --strict-numerics``: the same bits whatever kernels are asked for, and on other processors."""

from __future__ import annotations

import platform
import shutil
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from cli import samovar
from engines.processes import need
from samovar.core.numerics import X86_64_V3, level_for
from samovar.env.machine import cpu_flags
from toy import write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    level_for(platform.machine(), cpu_flags()) != X86_64_V3,
    reason="needs an x86-64 processor with AVX2, whose kernels are many",
)
SCRIPT = """
    import json
    import numpy as np

    x = np.linspace(-3, 3, 240).reshape(40, 6) ** 3 + np.cos(np.arange(240.0)).reshape(40, 6)
    target = np.exp(np.sin(x @ np.arange(6.0)))
    weights = np.zeros(6)
    for step in range(40):
        # Steps of a least-squares fit pass every rounding on to the next.
        gradient = x.T @ (np.tanh(x @ weights) - target) / len(x)
        weights -= 0.05 * gradient
    answers = np.exp(np.tanh(x @ weights))
    np.save("preds.npy", answers)
    json.dump({"loss": float(np.mean((answers - target) ** 2))}, open("out.json", "w"))
"""
EMULATED = """
    cpu=$(python -c "import json; print(json.load(open('params.json'))['cpu'])")
    [ -n "$cpu" ] || exec python train.py
    real=$(python -c "import os, sys; print(os.path.realpath(sys.executable))")
    packages=$(python -c "import sysconfig; print(sysconfig.get_path('purelib'))")
    PYTHONPATH="$PYTHONPATH:$packages" exec "$(command -v qemu-x86_64 || command -v qemu-x86_64-static)" \\
      -cpu "$cpu" "$real" train.py
"""
TOML = f"""
    [project]
    name = "bits"
    python = "3.11"
    [environment]
    requirements = ["numpy=={version("numpy")}"]
    platforms = ["linux/amd64"]
    [train]
    command = "sh train.sh"
    code = ["train.py", "train.sh"]
    params = "params.json"
    metrics = "out.json"
    predictions = "preds.npy"
"""
ASKED = [
    {},
    {"OPENBLAS_CORETYPE": "Nehalem"},
    {"OPENBLAS_CORETYPE": "SkylakeX", "OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"},
    {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA"},
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "bits"
    for name, text in (
        ("train.py", SCRIPT),
        ("train.sh", EMULATED),
        ("samovar.toml", TOML),
        ("params.json", '{"cpu": ""}'),
    ):
        write(folder / name, text)
    return folder


def predictions(project: Path, *words: str, **variables: str) -> str:
    run = samovar("train", *words, "--json", cwd=project, **variables).json["run"]
    return samovar("runs", "show", run, "--json").json["predictions"]["digest"]


def test_training_gives_the_same_bits_whatever_was_asked_for_outside(project: Path) -> None:
    native = {predictions(project, **asked) for asked in ASKED}
    assert len(native) > 1
    strict = {predictions(project, "--strict-numerics", **asked) for asked in ASKED}
    assert len(strict) == 1
    samovar("train", "--strict-numerics", "--name", "strict", cwd=project)
    again = samovar("reproduce", "strict", "--json", OPENBLAS_CORETYPE="Nehalem").json
    assert again["verdict"] == "IDENTICAL"


@pytest.mark.engine
def test_training_gives_the_same_bits_on_other_processors(project: Path) -> None:
    if shutil.which("qemu-x86_64-static") is None:
        need("qemu-x86_64", "apt install qemu-user")
    here = predictions(project, "--strict-numerics")
    for processor in ("Haswell", "EPYC"):
        there = predictions(project, "--strict-numerics", "--set", f"cpu={processor}")
        assert there == here, processor
