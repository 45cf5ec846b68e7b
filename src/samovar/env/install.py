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
from samovar.env.uv import INDEXES, run_uv, uv_variables
from samovar.errors import Offline

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
    """Install packages by the lock's addresses, or through the index that the machine names.

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
        source = _source(folder, lock.data, packages)
        run_uv(
            ["pip", "sync", "-q", "--no-config", "--python", str(python_of(venv)),
             "--link-mode", "hardlink", *source],
            offline=offline,
            folder=folder,
        )  # fmt: skip
    except Offline as error:
        raise _naming_all(error, lock, packages, venv, folder) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def python_of(path: Path) -> Path:
    """Give the interpreter of a virtual environment."""
    return path / "Scripts" / "python.exe" if os.name == "nt" else path / "bin" / "python"


def _source(folder: Path, data: bytes, packages: Sequence[LockedPackage]) -> list[str]:
    """Write what uv reads, and give the arguments that name it."""
    variables = uv_variables(os.environ)
    if any(variables.get(name) for name in INDEXES):
        file = folder / "requirements.txt"
        file.write_text(to_requirements(packages, wheels="wheels"), encoding="utf-8")
        return ["--require-hashes", file.name]
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
            option, *file = ["-r", *_source(alone, _only(lock, package), [package])]
            try:
                run_uv(
                    ["pip", "install", "-q", "--no-config", "--no-deps", "--python",
                     str(python_of(venv)), "--target", "target", option, file[-1]],
                    offline=True,
                    folder=alone,
                )  # fmt: skip
            except Offline:
                return True
        return False

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


def _only(lock: Lock, package: LockedPackage) -> bytes:
    document = parse_toml(lock.data.decode())
    document["packages"] = [
        one
        for one in document["packages"]
        if one["name"] == package.name and one.get("version") == package.version
    ]
    return tomli_w.dumps(document).encode()
