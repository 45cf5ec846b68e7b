"""Limits on processor time and memory for a process of ours: by control groups, where allowed.

References
----------
Linux kernel documentation, "Control Group v2" and "Memory Resource Controller" (v1).
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path("/sys/fs/cgroup")
_OWN: Final = Path("/proc/self/cgroup")
_PERIOD_US: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a replica may use.

    Parameters
    ----------
    cpus : float or None
        Processors' worth of time; None is without limit.
    memory_bytes : int or None
        Memory; None is without limit.
    """

    cpus: float | None = None
    memory_bytes: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``run`` prints."""
        return {"cpus": self.cpus, "memory_bytes": self.memory_bytes}


class ControlGroup:
    """The control groups of one replica; made by :meth:`make`, removed by :meth:`remove`.

    Parameters
    ----------
    name : str
        Of the groups.
    limits : Limits
        What is asked for.
    root : Path
        Where the kernel's control groups are mounted.
    own : Path
        Which of them are this process's.
    """

    def __init__(self, name: str, limits: Limits, *, root: Path = _ROOT, own: Path = _OWN) -> None:
        self._name = f"samovar-{name}"
        self._limits = limits
        self._root = root
        self._own = own
        self._folders: list[Path] = []
        self.enforced: list[str] = []

    def make(self) -> list[str]:
        """Make the groups and set the limits.

        Returns
        -------
        list of str
            What of ``cpus`` and ``memory`` the kernel enforces from now on.
        """
        if self._limits.cpus is not None and self._set_cpus(self._limits.cpus):
            self.enforced.append("cpus")
        if self._limits.memory_bytes is not None and self._set_memory(self._limits.memory_bytes):
            self.enforced.append("memory")
        return self.enforced

    def enter(self) -> None:
        """Move the calling process into the groups; called between fork and exec."""
        for folder in self._folders:
            with suppress(OSError):
                (folder / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self) -> None:
        """Remove the groups, once their processes are gone."""
        for folder in self._folders:
            with suppress(OSError):
                folder.rmdir()
        self._folders.clear()

    def holds(self, process: int) -> bool:
        """Say whether a process is in all of the groups."""
        try:
            return all(
                str(process) in (folder / "cgroup.procs").read_text(encoding="ascii").split()
                for folder in self._folders
            )
        except OSError:
            return False

    def _set_cpus(self, cpus: float) -> bool:
        quota = max(1000, int(cpus * _PERIOD_US))
        if self._is_v2():
            return self._write("", {"cpu.max": f"{quota} {_PERIOD_US}"})
        done = self._write(
            "cpu", {"cpu.cfs_period_us": str(_PERIOD_US), "cpu.cfs_quota_us": str(quota)}
        )
        # What it used can then be read there; often the two are one folder.
        if done and (self._root / "cpuacct").is_dir():
            self._write("cpuacct", {})
        return done

    def _set_memory(self, size_bytes: int) -> bool:
        size = str(size_bytes)
        if self._is_v2():
            return self._write("", {"memory.max": size}, {"memory.swap.max": "0"})
        return self._write(
            "memory", {"memory.limit_in_bytes": size}, {"memory.memsw.limit_in_bytes": size}
        )

    def _is_v2(self) -> bool:
        return (self._root / "cgroup.controllers").exists()

    def _places(self, controller: str) -> list[Path]:
        """Give the groups below which new ones may be made."""
        if controller:
            return [self._root / controller]
        places = [self._root]
        # A desktop session may make groups beside its own; systemd gave it the one above.
        with suppress(OSError):
            lines = self._own.read_text(encoding="utf-8").splitlines()
            paths = [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]
            places += [(self._root / path).parent for path in paths if path]
        return places

    def _write(
        self, controller: str, values: dict[str, str], wished: dict[str, str] | None = None
    ) -> bool:
        """Make a group, set what has to be set, and what may be where the kernel has it."""
        for place in self._places(controller):
            folder = place / self._name
            try:
                folder.mkdir(exist_ok=True)
                for name, value in values.items():
                    _set(folder / name, value)
            except OSError:
                if folder not in self._folders:
                    with suppress(OSError):
                        folder.rmdir()
                continue
            for name, value in (wished or {}).items():
                with suppress(OSError):
                    _set(folder / name, value)
            if folder not in self._folders:
                self._folders.append(folder)
            return True
        return False


def _set(file: Path, value: str) -> None:
    # Never made: what the kernel does not offer is a limit that it does not keep.
    handle = os.open(file, os.O_WRONLY)
    try:
        os.write(handle, value.encode("ascii"))
    finally:
        os.close(handle)
