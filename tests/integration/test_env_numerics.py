"""The same bits whatever kernels are asked for from outside, and on other processors."""

import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from samovar.core.numerics import CHOOSING, X86_64_V3, level_for, pinned_variables
from samovar.env.machine import cpu_flags

BITS = Path(__file__).parents[1] / "data" / "env" / "bits.py"
LEVEL = level_for(platform.machine(), cpu_flags())
OTHERS = [
    {},
    {"OPENBLAS_CORETYPE": "SkylakeX"},
    {"OPENBLAS_CORETYPE": "Nehalem"},
    {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA"},
    {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"},
    {"NPY_DISABLE_CPU_FEATURES": "X86_V3" if version("numpy") >= "2.4" else "AVX2"},
]

pytestmark = pytest.mark.skipif(
    LEVEL != X86_64_V3, reason="needs an x86-64 processor with AVX2, whose kernels are many"
)


def bits(variables: dict[str, str], *before: str, python: Path = Path(sys.executable)) -> str:
    """Compute in another process, where kernels are chosen anew."""
    plain = {name: value for name, value in os.environ.items() if name not in CHOOSING}
    ended = subprocess.run(
        [*before, str(python), str(BITS)],
        env={**plain, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout.strip()


def test_without_pins_other_kernels_give_other_bits() -> None:
    assert bits({"OPENBLAS_CORETYPE": "Nehalem"}) != bits({"OPENBLAS_CORETYPE": "Haswell"})
    libm = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA"}
    if platform.libc_ver()[0] == "glibc":
        assert bits(libm) != bits({})


def test_with_pins_they_give_the_same_whatever_was_asked_for_outside() -> None:
    pins = pinned_variables(LEVEL, numpy=version("numpy"))
    assert len({bits({**other, **pins}) for other in OTHERS}) == 1


def test_the_names_for_this_numpy_are_taken_without_a_word() -> None:
    pins = pinned_variables(LEVEL, numpy=version("numpy"))
    assert bits({**pins, "PYTHONWARNINGS": "error"})


@pytest.mark.engine
@pytest.mark.parametrize("processor", ["Haswell", "EPYC"])
def test_another_processor_gives_the_same_bits(processor: str) -> None:
    emulator = shutil.which("qemu-x86_64") or shutil.which("qemu-x86_64-static")
    if emulator is None:
        message = "qemu-x86_64 is not here; Debian's package qemu-user has it."
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    pins = pinned_variables(LEVEL, numpy=version("numpy"))
    real = Path(sys.executable).resolve()
    paths = {"PYTHONPATH": os.pathsep.join(one for one in sys.path if "site-packages" in one)}
    emulated = bits({**pins, **paths}, emulator, "-cpu", processor, python=real)
    assert emulated == bits(pins)
