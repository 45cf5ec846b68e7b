"""Facts about this machine that can change a result."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any


@cache
def cpu_flags() -> frozenset[str]:
    """Give the processor's features in Linux's words; empty where the system does not tell."""
    if sys.platform == "win32":
        return _windows_flags()
    if sys.platform == "darwin":
        return flags_of_sysctl(_sysctl("machdep.cpu"))
    for line in _cpuinfo():
        name, _, value = line.partition(":")
        if name.strip() in {"flags", "Features"}:
            return frozenset(value.split())
    return frozenset()


def flags_of_sysctl(text: str) -> frozenset[str]:
    r"""Read the features out of what macOS's ``sysctl machdep.cpu`` prints.

    Examples
    --------
    >>> sorted(flags_of_sysctl("machdep.cpu.features: FPU FMA\nmachdep.cpu.leaf7_features: AVX2"))
    ['avx2', 'fma', 'fpu']
    """
    flags: set[str] = set()
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.endswith("features"):
            flags |= set(value.lower().split())
    return frozenset(flags)


def _windows_flags() -> frozenset[str]:
    """Ask Windows for AVX2; every processor that has it has FMA and BMI2 too."""
    import ctypes

    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - elsewhere mypy knows no windll
    avx2 = 40  # PF_AVX2_INSTRUCTIONS_AVAILABLE
    has = bool(kernel.IsProcessorFeaturePresent(avx2))
    return frozenset({"avx2", "fma", "bmi2"}) if has else frozenset()


def _sysctl(name: str) -> str:
    try:
        ended = subprocess.run(
            ["/usr/sbin/sysctl", name], capture_output=True, encoding="utf-8", check=False
        )
    except OSError:
        return ""
    return ended.stdout


@cache
def cpu_model() -> str:
    """Give the processor's name."""
    if sys.platform == "darwin":
        return _sysctl("machdep.cpu.brand_string").partition(":")[2].strip() or platform.machine()
    for line in _cpuinfo():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def cpus() -> int:
    """Give how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads() -> int:
    """Give how many threads numeric libraries would start here."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return int(asked) if asked.isdigit() and int(asked) > 0 else cpus()


def machine_facts() -> dict[str, Any]:
    """Give what a run record keeps of the machine."""
    libc, version = platform.libc_ver()
    return {
        "system": platform.system(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "libc": f"{libc} {version}".strip(),
        "cpu": cpu_model(),
        "cpu_flags": sorted(cpu_flags()),
        "cpus": cpus(),
        "threads": threads(),
        "blas_kernel": os.environ.get("OPENBLAS_CORETYPE", "by processor"),
        "gpus": _gpus(),
    }


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _gpus() -> list[str]:
    """Name the NVIDIA devices that the kernel's driver lists."""
    found: list[str] = []
    for information in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        lines = information.read_text(encoding="utf-8", errors="replace").splitlines()
        found += [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    return found
