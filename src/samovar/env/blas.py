"""Ask the BLAS libraries of an environment which kernel they chose, without importing NumPy."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samovar.env.interpreters import Interpreter

# OpenBLAS chooses its kernel when it is loaded. Wheels rename its functions: NumPy's have a prefix,
# and a suffix where integers have 64 bits.
_PROBE: Final = r"""
import ctypes, glob, json, os, sys
found = []
for pattern in ("*.libs/*openblas*", "*/.dylibs/*openblas*"):
    for path in sorted(glob.glob(os.path.join(sys.argv[1], pattern))):
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        for name in ("scipy_openblas_get_config64_", "scipy_openblas_get_config",
                     "openblas_get_config64_", "openblas_get_config"):
            config = getattr(library, name, None)
            if config is not None:
                config.restype = ctypes.c_char_p
                core = getattr(library, name.replace("config", "corename"))
                core.restype = ctypes.c_char_p
                version = " ".join(config().decode().split()[:2])
                owner = os.path.relpath(path, sys.argv[1]).split(os.sep)[0].partition(".")[0]
                found.append(owner + ": " + version + ", " + core().decode())
                break
print(json.dumps(found))
"""
_TIMEOUT_S: Final = 20.0


def blas_facts(interpreter: Interpreter, variables: Mapping[str, str]) -> list[str]:
    """Say which BLAS each package of an environment brings, and the kernel it runs.

    Parameters
    ----------
    interpreter : Interpreter
        Of the environment.
    variables : mapping of str to str
        The environment variables under which it would compute; they may choose the kernel.

    Returns
    -------
    list of str
        ``numpy: OpenBLAS 0.3.30, Haswell``; empty where none is brought or it does not tell.
    """
    if not any(interpreter.purelib.glob("*.libs")) and not any(
        interpreter.purelib.glob("*/.dylibs")
    ):
        return []
    try:
        ended = subprocess.run(
            [str(interpreter.path), "-I", "-c", _PROBE, str(interpreter.purelib)],
            env=dict(variables),
            capture_output=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=True,
        )
        return [str(one) for one in json.loads(ended.stdout)]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []  # a fact by the way: its absence must not fail a run
