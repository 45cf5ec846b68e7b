"""Let uv install what a lock names, and nothing else, into an environment, hashes checked."""

from __future__ import annotations

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import tomli_w

from samovar.core.toml import parse_toml
from samovar.env.export import to_requirements
from samovar.env.interpreters import python_of
from samovar.env.uv import INDEXES, run_uv, uv_variables
from samovar.errors import (
    InvalidRequirements,
    Offline,
    OutOfSpace,
    SamovarError,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.env.lock import Lock, LockedPackage

_AT_ONCE: Final = 4


def install(
    lock: Lock,
    packages: Sequence[LockedPackage],
    venv: Path,
    *,
    wheels: Path | None,
    offline: bool,
) -> None:
    """Install packages through the index, by hash; by the lock's addresses where it lacks one.

    uv keeps what it unpacked from an index and links it again; what it fetched by an address in a
    lock it unpacks anew each time, which costs three times as long and a copy in its cache.

    Parameters
    ----------
    lock : Lock
        That pins them.
    packages : sequence of LockedPackage
        Those for this environment.
    venv : Path
        A virtual environment; what else is in it goes.
    wheels : Path, optional
        Folder of the wheels that travel with the lock.
    offline : bool
        Open no connection.

    Raises
    ------
    Offline
        Naming every package that the cache lacks.
    Unavailable
        Where a package cannot be had, or is not what the lock says.
    """
    folder = venv / ".samovar-lock"
    folder.mkdir(exist_ok=True)
    if wheels is not None:
        shutil.copytree(wheels, folder / "wheels", dirs_exist_ok=True)
    try:
        _sync(_by_index(folder, packages), venv, folder, offline=offline)
    except OutOfSpace:
        raise
    except (Unavailable, InvalidRequirements) as error:
        if _names_an_index():
            raise _explained(error, lock, packages, venv, folder) from error
        try:
            _sync(_by_address(folder, lock.data), venv, folder, offline=offline)
        except Offline as again:
            raise _naming_all(again, lock, packages, venv, folder) from again
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sync(source: Sequence[str], venv: Path, folder: Path, *, offline: bool) -> None:
    run_uv(
        ["pip", "sync", "-q", "--no-config", "--python", str(python_of(venv)),
         "--link-mode", "hardlink", *source],
        offline=offline,
        folder=folder,
    )  # fmt: skip


def _explained(
    error: SamovarError,
    lock: Lock,
    packages: Sequence[LockedPackage],
    venv: Path,
    folder: Path,
) -> SamovarError:
    if isinstance(error, Offline):
        return _naming_all(error, lock, packages, venv, folder)
    return error


def _names_an_index() -> bool:
    """Say whether the machine names an index of its own, which may be all that it reaches."""
    variables = uv_variables(os.environ)
    return any(variables.get(name) for name in INDEXES)


def _by_index(folder: Path, packages: Sequence[LockedPackage]) -> list[str]:
    file = folder / "requirements.txt"
    file.write_text(to_requirements(packages, wheels="wheels"), encoding="utf-8")
    return ["--require-hashes", file.name]


def _by_address(folder: Path, data: bytes) -> list[str]:
    (folder / "pylock.toml").write_bytes(data)
    return ["pylock.toml"]


def _naming_all(
    error: Offline, lock: Lock, packages: Sequence[LockedPackage], venv: Path, folder: Path
) -> Offline:
    """Name every missing package; uv names the first, so each one is tried alone."""

    def is_missing(package: LockedPackage) -> bool:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            alone = Path(name)
            if (folder / "wheels").exists():
                shutil.copytree(folder / "wheels", alone / "wheels")
            sources = [_by_index(alone, [package])]
            if not _names_an_index():
                sources.append(_by_address(alone, _only(lock, package)))
            return not any(_is_cached(source[-1], venv, alone) for source in sources)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(is_missing, packages))
    names = [
        f"{package.name} {package.version}"
        for package, missing in zip(packages, answers, strict=True)
        if missing
    ]
    if not names:
        return error
    return Offline(
        f"Not in the cache, and connections are switched off: {', '.join(names)}.",
        why=error.why,
        hint=error.hint,
    )


def _is_cached(file: str, venv: Path, folder: Path) -> bool:
    """Say whether uv can install a file of requirements without a connection."""
    try:
        run_uv(
            ["pip", "install", "-q", "--no-config", "--no-deps", "--python",
             str(python_of(venv)), "--target", "target", "-r", file],
            offline=True,
            folder=folder,
        )  # fmt: skip
    except (Offline, InvalidRequirements):
        return False
    return True


def _only(lock: Lock, package: LockedPackage) -> bytes:
    document = parse_toml(lock.data.decode())
    document["packages"] = [
        one
        for one in document["packages"]
        if one["name"] == package.name and one.get("version") == package.version
    ]
    return tomli_w.dumps(document).encode()
