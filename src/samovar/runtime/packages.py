"""Compare the environment with the lock, before anything of the bundle is imported."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_SEPARATORS = re.compile(r"[-_.]+")


def find_mismatches(
    wanted: Mapping[str, Any], *, without_own: bool = True
) -> list[dict[str, str | None]]:
    """List what in this environment is not what the lock wants; more packages do not matter.

    Parameters
    ----------
    wanted : mapping
        ``{"python": "3.11", "packages": [{"name", "version"}]}``.
    without_own : bool
        Look past the folder that this file is in: it is the runtime's own, beside the environment.
        False where samovar is installed in the environment itself.

    Returns
    -------
    list of dict
        ``{"name", "wanted", "found"}``, ``found`` None where it is absent.
    """
    mismatches: list[dict[str, str | None]] = []
    python = wanted.get("python")
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if python and python != running:
        mismatches.append({"name": "python", "wanted": python, "found": running})
    for package in wanted.get("packages", ()):
        name, version = package["name"], package.get("version")
        found = _installed(name, without_own=without_own)
        if found is None or (version is not None and not _is_same(version, found)):
            mismatches.append(
                {"name": _SEPARATORS.sub("-", name).lower(), "wanted": version, "found": found}
            )
    return mismatches


def distribution_of(module: str) -> str:
    """Name the distribution that a module comes from; empty where it comes from none."""
    top = module.partition(".")[0]
    names = metadata.packages_distributions().get(top) or _by_files(top)
    return _SEPARATORS.sub("-", names[0]).lower() if names else ""


def _by_files(top: str) -> list[str]:
    """Look through lists of files: Python 3.10 reads ``top_level.txt`` only, which some lack."""
    own = {top, f"{top}.py"}
    return [
        distribution.metadata["Name"]
        for distribution in metadata.distributions()
        if any(file.parts[0] in own for file in distribution.files or ())
    ]


def _installed(name: str, *, without_own: bool) -> str | None:
    """Give a version of the environment's own; the runtime's packages answer no lock."""
    own = Path(__file__).resolve().parents[2] if without_own else None
    paths = [entry for entry in sys.path if Path(entry).resolve() != own]
    for distribution in metadata.Distribution.discover(name=name, path=paths):
        return distribution.version
    return None


def _is_same(wanted: str, found: str) -> bool:
    """Compare versions as PEP 440 does, for the spellings that occur in practice."""
    return _plain(wanted) == _plain(found)


def _plain(version: str) -> str:
    release, _, local = version.strip().lower().removeprefix("v").partition("+")
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)*)(.*)", release)
    if match is not None:
        numbers = [int(part) for part in match[1].split(".")]
        while len(numbers) > 1 and numbers[-1] == 0:
            numbers.pop()
        release = ".".join(map(str, numbers)) + match[2].replace("-", ".").replace("_", ".")
    return f"{release}+{_SEPARATORS.sub('.', local)}" if local else release
