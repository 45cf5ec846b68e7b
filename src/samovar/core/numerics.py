"""Numeric levels: which variables make two machines compute the same bits.

A level pins what chooses code by the processor at run time: the kernel of OpenBLAS, the SIMD
dispatch of NumPy, the variants of libm in glibc, and the number of threads, which decides how sums
are cut. What it cannot reach is another architecture, and libraries with a dispatch of their own
(docs/explanation/numerics.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

NATIVE: Final = "native"
X86_64_V3: Final = "x86-64-v3"
ARM64: Final = "armv8"

_ONE_THREAD: Final = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    ),
    "1",
)
# What NumPy dispatches beyond AVX2, by its version. It warns (ImportWarning, which Python hides) of
# names that its build does not have, so the names are exact where the version is known.
_NUMPY_2_4: Final = ("X86_V4", "AVX512_ICL", "AVX512_SPR")
_NUMPY_OLD: Final = (
    "AVX512F", "AVX512CD", "AVX512_KNL", "AVX512_KNM", "AVX512_SKX", "AVX512_CLX", "AVX512_CNL",
    "AVX512_ICL",
)  # fmt: skip
_NUMPY_2_3: Final = (*_NUMPY_OLD, "AVX512_SPR")
_NUMPY_ANY: Final = (*_NUMPY_2_3, "X86_V4")
_GLIBC_BEYOND_AVX2: Final = (
    "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512CD,-FMA4"
)
_LEVELS: Final[dict[str, dict[str, str]]] = {
    NATIVE: {},
    X86_64_V3: {
        **_ONE_THREAD,
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": " ".join(_NUMPY_ANY),
        "GLIBC_TUNABLES": _GLIBC_BEYOND_AVX2,
        "MKL_CBWR": "AVX2",
        "MKL_DYNAMIC": "FALSE",
        "OMP_DYNAMIC": "FALSE",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
    },
    ARM64: {
        **_ONE_THREAD,
        "OPENBLAS_CORETYPE": "ARMV8",
        "NPY_DISABLE_CPU_FEATURES": "SVE",
        "OMP_DYNAMIC": "FALSE",
    },
}
_X86_64_V3_FLAGS: Final = frozenset({"avx2", "fma", "bmi2"})
CHOOSING: Final = tuple(sorted({name for level in _LEVELS.values() for name in level}))
"""Every variable that a level sets; a caller's own value of these is overridden."""


def level_for(machine: str, cpu_flags: AbstractSet[str]) -> str:
    """Choose the level that a machine can hold.

    Parameters
    ----------
    machine : str
        As ``platform.machine()`` gives it.
    cpu_flags : set of str
        Features of the processor in the kernel's words; may be empty where they are not known,
        and then no feature is relied on.

    Examples
    --------
    >>> level_for("x86_64", {"avx2", "fma", "bmi2", "avx512f"})
    'x86-64-v3'
    >>> level_for("x86_64", {"sse4_2"})
    'native'
    """
    if machine in {"x86_64", "AMD64"} and cpu_flags >= _X86_64_V3_FLAGS:
        return X86_64_V3
    if machine in {"aarch64", "arm64"}:
        return ARM64
    return NATIVE


def pinned_variables(level: str, *, numpy: str | None = None) -> dict[str, str]:
    """Give the environment variables of a level; unknown levels pin nothing.

    Parameters
    ----------
    level : str
        As `level_for` gives it.
    numpy : str, optional
        Version of the NumPy that will run; without it, the names of all versions are given.

    Examples
    --------
    >>> pinned_variables("x86-64-v3")["OPENBLAS_CORETYPE"]
    'Haswell'
    >>> pinned_variables("x86-64-v3", numpy="2.4.1")["NPY_DISABLE_CPU_FEATURES"]
    'X86_V4 AVX512_ICL AVX512_SPR'
    """
    variables = dict(_LEVELS.get(level, {}))
    if level == X86_64_V3 and numpy is not None:
        variables["NPY_DISABLE_CPU_FEATURES"] = " ".join(_numpy_names(numpy))
    return variables


def _numpy_names(version: str) -> tuple[str, ...]:
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    if len(numbers) < 2:
        return _NUMPY_ANY
    release = (numbers[0], numbers[1])
    if release >= (2, 4):
        return _NUMPY_2_4
    return _NUMPY_2_3 if release == (2, 3) else _NUMPY_OLD
