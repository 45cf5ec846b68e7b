"""The verb ``start``: an image's first process. Choose the arithmetic, then become the server.

Which kernels and how many threads a numeric library uses is decided when it is loaded, by
variables; some (``GLIBC_TUNABLES``) are read before Python is. A container's processor and limits
are known only now, so they are set here, and the interpreter replaces itself.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from samovar.core.numerics import CHOOSING, NATIVE, level_for, pinned_variables
from samovar.runtime.quota import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samovar.runtime.job import Job

NUMERICS: Final = "SAMOVAR_NUMERICS"
"""``native`` in the container's environment asks for whatever is fastest there."""
_CPUINFO: Final = Path("/proc/cpuinfo")


def start(job: Job) -> int:
    """Replace this process by the one that carries out the job named ``then``.

    Parameters
    ----------
    job : Job
        Its options: ``numerics``, the level that the receipt was recorded under, and ``then``.

    Returns
    -------
    int
        Never, where a process can be replaced.
    """
    variables = {**os.environ, **numeric_variables(str(job.options.get("numerics", NATIVE)))}
    arguments = [sys.executable, "-X", "utf8", "-s", sys.argv[0], str(job.options["then"])]
    os.execve(sys.executable, arguments, variables)  # noqa: S606 - no shell


def numeric_variables(recorded: str, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Give the variables for this machine and these limits.

    Parameters
    ----------
    recorded : str
        The receipt's level: pinned where this processor can hold it.
    environment : mapping of str to str
        A thread count that the user set in it stands where nothing is pinned.
    """
    if environment.get(NUMERICS) != NATIVE and level_for(os.uname().machine, _flags()) == recorded:
        return pinned_variables(recorded)
    threads = [name for name in CHOOSING if name.endswith("_THREADS")]
    return {name: str(usable_cpus()) for name in threads if name not in environment}


def _flags() -> set[str]:
    try:
        text = _CPUINFO.read_text(encoding="ascii", errors="replace")
    except OSError:
        return set()
    for line in text.splitlines():
        name, _, flags = line.partition(":")
        if name.strip() in {"flags", "Features"}:
            return set(flags.split())
    return set()
