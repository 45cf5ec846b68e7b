"""How many processors this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Final

_V2: Final = Path("/sys/fs/cgroup/cpu.max")
_V1: Final = Path("/sys/fs/cgroup/cpu")


def usable_cpus() -> int:
    """Give the processors that affinity and the cgroup's quota (v1 and v2) leave, at least one."""
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    quota = _quota()
    return count if quota is None else max(1, min(count, math.floor(quota)))


def _quota() -> float | None:
    try:
        limit, period = _V2.read_text(encoding="ascii").split()
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        pass
    try:
        limit = (_V1 / "cpu.cfs_quota_us").read_text(encoding="ascii")
        period = (_V1 / "cpu.cfs_period_us").read_text(encoding="ascii")
        return int(limit) / int(period) if int(limit) > 0 else None
    except (OSError, ValueError):
        return None
