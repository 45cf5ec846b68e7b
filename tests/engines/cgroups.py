"""What the kernel says of a process's control groups: v1, v2, or both at once."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path("/sys/fs/cgroup")
_MOST = {"cpu.weight": "10000", "cpu.shares": "262144"}


class ControlGroups:
    """The control groups of one process.

    Parameters
    ----------
    process : int
        Whose; in a container it is the number outside.
    """

    def __init__(self, process: int) -> None:
        self._folders: dict[str, Path] = {}
        for line in Path(f"/proc/{process}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            for name in controllers.split(","):
                self._folders[name] = ROOT / name / path.lstrip("/")

    def _read(self, controller: str, file: str) -> str | None:
        for name in (controller, ""):
            with suppress(OSError, KeyError):
                return (self._folders[name] / file).read_text().strip()
        return None

    def _number(self, controller: str, *files: str) -> int | None:
        """Give the number in the first of some files that is there."""
        for file in files:
            text = self._read(controller, file)
            if text is not None and text.isdigit():
                return int(text)
        return None

    def _stat(self, name: str) -> int | None:
        for line in (self._read("cpu", "cpu.stat") or "").splitlines():
            if line.startswith(f"{name} "):
                return int(line.split()[1])
        return None

    @property
    def used_s(self) -> float | None:
        """Processor time that all processes of the group used."""
        used_us = self._stat("usage_usec")
        if used_us is not None:
            return used_us / 1e6
        used_ns = self._number("cpuacct", "cpuacct.usage")
        return None if used_ns is None else used_ns / 1e9

    @property
    def throttled(self) -> int:
        """Periods in which the quota was used up."""
        return self._stat("nr_throttled") or 0

    @property
    def memory_limit(self) -> int | None:
        """Most memory that the group may have."""
        return self._number("memory", "memory.max", "memory.limit_in_bytes")

    @property
    def memory_peak(self) -> int | None:
        """Most memory that the group had; the kernel says so from v2 of Linux 5.19 on."""
        return self._number("memory", "memory.peak", "memory.max_usage_in_bytes", "memory.current")

    @contextmanager
    def first(self) -> Iterator[None]:
        """Let nothing but the quota hold the group back for a while: what else runs here waits."""
        before: dict[Path, str] = {}
        for name, folder in self._folders.items():
            # A group competes within the one that it lies in, so that one has to come first too.
            while folder not in (ROOT, ROOT / name):
                for file, most in _MOST.items():
                    with suppress(OSError):
                        before.setdefault(folder / file, (folder / file).read_text())
                        _write(folder / file, most)
                folder = folder.parent
        try:
            yield
        finally:
            for file, text in before.items():
                with suppress(OSError):
                    _write(file, text)


def _write(file: Path, text: str) -> None:
    with file.open("r+") as opened:
        opened.write(text)
