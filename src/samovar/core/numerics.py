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
# NumPy passes over the names that its version does not have.
_NUMPY_BEYOND_AVX2: Final = (
    "AVX512F AVX512CD AVX512_KNL AVX512_KNM AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR "
    "X86_V4"
)
_GLIBC_BEYOND_AVX2: Final = (
    "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512CD,-FMA4"
)
_LEVELS: Final[dict[str, dict[str, str]]] = {
    NATIVE: {},
    X86_64_V3: {
        **_ONE_THREAD,
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": _NUMPY_BEYOND_AVX2,
        "GLIBC_TUNABLES": _GLIBC_BEYOND_AVX2,
        "MKL_CBWR": "AVX2",
        "MKL_DYNAMIC": "FALSE",
        "OMP_DYNAMIC": "FALSE",
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


def pinned_variables(level: str) -> dict[str, str]:
    """Give the environment variables of a level; unknown levels pin nothing.

    Examples
    --------
    >>> pinned_variables("x86-64-v3")["OPENBLAS_CORETYPE"]
    'Haswell'
    """
    return dict(_LEVELS.get(level, {}))
